import { createEgress, type Egress, type EgressDeps, EgressError } from "@subnet-worker/kit/egress";
import type { SendRequest } from "@subnet-worker/wasm";
import { RetryableError, TerminalError } from "@subnet-worker/wep-sdk";
import { httpPolicyOf, modulePolicyOf, type WasmConfig } from "./wasm-config.ts";
import type { FetchModule } from "./wasm-programs.ts";

/** How programs send HTTP requests; `undefined` where the configuration allows no host. */
export function createSend(config: WasmConfig, deps?: EgressDeps): SendRequest | undefined {
  if (config.http.allowed_hosts.length === 0) return undefined;
  const egress = createEgress({ policy: httpPolicyOf(config) }, deps);
  return (request, signal) => egress.send(request, signal);
}

/** How modules are fetched from URLs; `undefined` where the configuration does not have that. */
export function createFetchModule(
  config: WasmConfig,
  deps: EgressDeps & { readonly egress?: Egress } = {},
): FetchModule | undefined {
  if (!config.sources.includes("url")) return undefined;
  const egress = deps.egress ?? createEgress({ policy: modulePolicyOf(config) }, deps);
  return async (url, signal) => {
    const request = { method: "GET", url, headers: [], body: new Uint8Array() };
    const { status, body } = await egress.send(request, signal).catch((error: unknown) => {
      signal.throwIfAborted();
      throw failureOf(error, url);
    });
    if (status === 200) return body;
    const message = `[WASM_MODULE_NOT_FETCHED] ${hostOf(url)} answered ${status} when it was asked for the module`;
    // What a server cannot do now it may do later.
    if (status >= 500 || status === 429)
      throw new RetryableError(`${message}; try again`, { code: "HTTP_ERROR" });
    throw new TerminalError(`${message}; correct module_url`, { code: "HTTP_ERROR" });
  };
}

function failureOf(error: unknown, url: string): unknown {
  if (!(error instanceof EgressError)) return error;
  const message = `[WASM_MODULE_NOT_FETCHED] the module of ${hostOf(url)} cannot be had: ${error.message}`;
  if (error.isRetryable) return new RetryableError(message, { code: "NETWORK_ERROR", cause: error });
  const code = error.code === "RESPONSE_TOO_LARGE" ? "QUOTA_EXCEEDED" : "PERMISSION_DENIED";
  return new TerminalError(message, { code, cause: error });
}

/** The rest of a URL may be a secret. */
function hostOf(url: string): string {
  return new URL(url).host;
}
