import { randomUUID } from "node:crypto";
import { type Clock, EXIT, type Logger, StartupError } from "@subnet-worker/kit";
import { startTracing, TracingError, type Tracing } from "@subnet-worker/kit/tracing";
import type { Config } from "./config.ts";

/** Where the spans of runs go; `undefined` where tracing is off. @throws {StartupError} exit code 78 */
export async function openTracing(
  { tracing }: Config,
  deps: { readonly clock: Clock; readonly logger: Logger },
): Promise<Tracing | undefined> {
  if (!tracing.enabled) return undefined;
  const { endpoint, ratio } = tracing;
  try {
    return await startTracing(
      {
        service: "subnet-worker-wep",
        version: "0.1.0",
        instanceId: randomUUID(),
        endpoint,
        ratio,
        isGlobal: true, // handlers in this process may trace too
      },
      deps,
    );
  } catch (error) {
    if (!(error instanceof TracingError)) throw error;
    throw new StartupError(EXIT.badConfig, `tracing.enabled: ${error.message}`, { cause: error });
  }
}
