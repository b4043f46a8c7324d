import { type Clock, createBackoff, type Logger } from "@subnet-worker/kit";
import { StoppedError } from "../../ports.ts";
import { isTemporaryError } from "./classify.ts";

/** The endpoint answered a call with an error object. */
export class RpcError extends Error {
  override readonly name = "RpcError";
  /** JSON-RPC error code. */
  readonly code: number;
  /** Whatever the node attached: for a revert, its data. */
  readonly data: unknown;

  constructor(code: number, message: string, data: unknown) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

/** The endpoint did not answer, or not with JSON-RPC. What it did with the request is unknown. */
export class RpcUnavailable extends Error {
  override readonly name = "RpcUnavailable";
  readonly code = "RPC_UNAVAILABLE";

  constructor(reason: string, options?: ErrorOptions) {
    super(`[RPC_UNAVAILABLE] ${reason}`, options);
  }
}

export interface JsonRpcOptions {
  readonly url: string;
  readonly timeoutMs: number;
  /** Most calls in one HTTP request. */
  readonly batchSize: number;
}

export interface JsonRpcDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly onCall?: (method: string, outcome: "ok" | "error" | "unavailable") => void;
}

interface Call {
  readonly method: string;
  readonly params: readonly unknown[];
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

interface Reply {
  readonly id?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly code?: unknown; readonly message?: unknown; readonly data?: unknown };
}

/**
 * JSON-RPC over HTTP. Calls made in one turn of the event loop travel in one
 * request. Our own instead of ethers' provider, which shares reads for 250 ms,
 * turns most send errors into UNKNOWN_ERROR and retries by rules of its own.
 */
export class JsonRpc {
  readonly #options: JsonRpcOptions;
  readonly #deps: JsonRpcDeps;
  readonly #endpoint: Endpoint;
  readonly #inFlight = new Set<AbortController>();
  #batchSize: number;
  #queue: Call[] = [];
  #failure: string | undefined;

  constructor(options: JsonRpcOptions, deps: JsonRpcDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#endpoint = parseEndpoint(options.url);
    this.#batchSize = options.batchSize;
    deps.signal.addEventListener("abort", () => {
      for (const request of this.#inFlight) request.abort(new StoppedError());
    });
  }

  /** Why the endpoint does not answer at present; `undefined` while it does. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /**
   * One try.
   *
   * @throws {RpcError} the node's own error
   * @throws {RpcUnavailable} no usable answer
   * @throws {StoppedError} when the process is stopping: nothing was sent
   */
  once(method: string, params: readonly unknown[]): Promise<unknown> {
    if (this.#deps.signal.aborted) return Promise.reject(new StoppedError());
    return new Promise((resolve, reject) => {
      if (this.#queue.length === 0) setImmediate(() => this.#flush());
      this.#queue.push({ method, params, resolve, reject });
    });
  }

  /**
   * Tries until the endpoint answers with something that will not pass by itself. For
   * reads, which are harmless to repeat.
   *
   * @throws {RpcError} the node's own error
   * @throws {StoppedError} when the process stops
   */
  async call(method: string, params: readonly unknown[]): Promise<unknown> {
    const { clock, logger, signal } = this.#deps;
    const backoff = createBackoff({ initialMs: 100, maxMs: 10_000 });
    for (let tries = 1; ; tries += 1) {
      if (signal.aborted) throw new StoppedError();
      try {
        return await this.once(method, params);
      } catch (error) {
        if (!isWorthRepeating(error)) throw error;
        const delayMs = backoff.nextMs();
        if (tries >= 3) this.#failure = error.message;
        if (tries === 3) {
          logger.warn(
            { method, err: error },
            "the RPC endpoint does not answer; trying on (check ethereum.rpc_url)",
          );
        }
        await clock.sleep(delayMs, signal);
      }
    }
  }

  #flush(): void {
    const calls = this.#queue;
    this.#queue = [];
    for (let start = 0; start < calls.length; start += this.#batchSize) {
      void this.#post(calls.slice(start, start + this.#batchSize));
    }
  }

  async #post(calls: readonly Call[]): Promise<void> {
    const { onCall } = this.#deps;
    try {
      const replies = await this.#exchange(calls);
      this.#failure = undefined;
      for (const [index, call] of calls.entries()) {
        const reply = replies.get(index);
        onCall?.(call.method, reply?.error === undefined ? "ok" : "error");
        settle(call, reply);
      }
    } catch (error) {
      const unavailable = toUnavailable(error, this.#options.url);
      this.#failure = unavailable.message;
      for (const call of calls) {
        onCall?.(call.method, "unavailable");
        call.reject(unavailable);
      }
    }
  }

  async #exchange(calls: readonly Call[]): Promise<Map<unknown, Reply>> {
    const requests = calls.map(({ method, params }, id) => ({ jsonrpc: "2.0", id, method, params }));
    const { status, text } = await this.#request(
      JSON.stringify(requests.length === 1 ? requests[0] : requests),
    );
    const body = TRY_LATER.has(status) ? undefined : parseBody(text);
    if (requests.length > 1 && isBatchRefusal(status, body)) {
      this.#batchSize = 1;
      throw new RpcUnavailable(
        `${redactUrl(this.#options.url)} refuses batches (HTTP ${status}); sending calls one by one`,
      );
    }
    const replies = (Array.isArray(body) ? body : [body]).filter(isReply);
    if (replies.length === 0) {
      throw new RpcUnavailable(`${redactUrl(this.#options.url)} answered HTTP ${status} without JSON-RPC`);
    }
    return new Map(replies.map((reply) => [reply.id, reply]));
  }

  async #request(body: string): Promise<{ readonly status: number; readonly text: string }> {
    const { url, headers } = this.#endpoint;
    const { timeoutMs } = this.#options;
    const abort = new AbortController();
    this.#inFlight.add(abort);
    // AbortSignal.any over the process-long signal would keep every request alive until the end.
    using _timeout = this.#deps.clock.timer(timeoutMs, () =>
      abort.abort(new RpcUnavailable(`${redactUrl(url)}: no answer within ${timeoutMs} ms`)),
    );
    try {
      const response = await fetch(url, { method: "POST", headers, body, signal: abort.signal });
      return { status: response.status, text: await response.text() };
    } finally {
      this.#inFlight.delete(abort);
    }
  }
}

/** What a gateway says when it did not ask the node. */
const TRY_LATER: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/** `undefined` when it is not JSON: the caller reports the HTTP status instead. */
function parseBody(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function isReply(value: unknown): value is Reply {
  return typeof value === "object" && value !== null && ("result" in value || "error" in value);
}

/** One error for the whole batch, or a gateway's own refusal: this endpoint takes single calls only. */
function isBatchRefusal(status: number, body: unknown): boolean {
  if (body === undefined) return status >= 400 && status < 500 && status !== 408 && !TRY_LATER.has(status);
  const [first, ...more] = (Array.isArray(body) ? body : [body]) as unknown[];
  return isReply(first) && more.length === 0 && first.error !== undefined && typeof first.id !== "number";
}

function isWorthRepeating(error: unknown): error is RpcError | RpcUnavailable {
  return error instanceof RpcUnavailable || (error instanceof RpcError && isTemporaryError(error));
}

function settle(call: Call, reply: Reply | undefined): void {
  if (reply === undefined) {
    call.reject(new RpcUnavailable(`the endpoint left ${call.method} out of its answer`));
  } else if (reply.error === undefined) {
    call.resolve(reply.result);
  } else {
    const { code, message, data } = reply.error;
    call.reject(
      new RpcError(
        Number(code ?? 0),
        typeof message === "string" ? message : JSON.stringify(reply.error),
        data,
      ),
    );
  }
}

function toUnavailable(error: unknown, url: string): RpcUnavailable {
  if (error instanceof RpcUnavailable) return error;
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return new RpcUnavailable(`${redactUrl(url)}: ${cause instanceof Error ? cause.message : String(cause)}`, {
    cause: error,
  });
}

interface Endpoint {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** `fetch` takes no URL with a user and password in it, and repeats such a URL in its error. */
function parseEndpoint(text: string): Endpoint {
  const url = new URL(text);
  const headers = { "content-type": "application/json" };
  if (url.username === "" && url.password === "") return { url: text, headers };
  const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  url.username = "";
  url.password = "";
  const authorization = `Basic ${Buffer.from(credentials).toString("base64")}`;
  return { url: url.href, headers: { ...headers, authorization } };
}

/** Hosted endpoints carry their key in the path or query: neither is ever shown. */
export function redactUrl(url: string): string {
  const { protocol, host } = new URL(url);
  return `${protocol}//${host}`;
}
