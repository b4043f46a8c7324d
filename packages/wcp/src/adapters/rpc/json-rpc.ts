import type { Clock } from "@subnet-worker/kit";
import { StoppedError } from "../../ports.ts";
import { parseRetryAfter } from "./retry-after.ts";
import { RpcError, RpcUnavailable } from "./rpc-error.ts";
import { isFields } from "./wire.ts";

export interface JsonRpcOptions {
  readonly url: string;
  readonly timeoutMs: number;
  /** Most calls in one HTTP request. */
  readonly batchSize: number;
}

export interface JsonRpcDeps {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onCall?: ((method: string, outcome: "ok" | "error" | "unavailable") => void) | undefined;
}

/** The one method that is never asked twice as one: each caller's sending is its own. */
export const SEND = "eth_sendRawTransaction";

interface Call extends PromiseWithResolvers<unknown> {
  readonly method: string;
  readonly params: readonly unknown[];
}

interface Reply {
  readonly id?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly code?: unknown; readonly message?: unknown; readonly data?: unknown };
}

interface HttpAnswer {
  readonly status: number;
  readonly text: string;
  readonly retryAfterMs: number | undefined;
}

/**
 * One endpoint that speaks JSON-RPC over HTTP; every call is one try. Calls made in one turn of the event
 * loop travel in one request, and equal reads among them are one call: what two parts of the node ask in
 * the same turn has the same answer. Nothing is shared between turns. Our own instead of ethers' provider,
 * which shares reads for 250 ms, turns most send errors into UNKNOWN_ERROR and retries by rules of its own.
 */
export class JsonRpc {
  readonly #options: JsonRpcOptions;
  readonly #deps: JsonRpcDeps;
  readonly #address: Address;
  readonly #inFlight = new Set<AbortController>();
  #batchSize: number;
  #queue: Call[] = [];
  /** The reads of this turn, by what they ask. */
  readonly #reads = new Map<string, Call>();

  constructor(options: JsonRpcOptions, deps: JsonRpcDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#address = parseAddress(options.url);
    this.#batchSize = options.batchSize;
    deps.signal.addEventListener("abort", () => {
      for (const request of this.#inFlight) request.abort(new StoppedError());
    });
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
    if (method === SEND) return this.#enqueue(method, params).promise;
    const key = `${method} ${JSON.stringify(params)}`;
    const same = this.#reads.get(key);
    if (same !== undefined) return same.promise;
    const call = this.#enqueue(method, params);
    this.#reads.set(key, call);
    return call.promise;
  }

  #enqueue(method: string, params: readonly unknown[]): Call {
    const call = { method, params, ...Promise.withResolvers<unknown>() };
    if (this.#queue.length === 0) setImmediate(() => this.#flush());
    this.#queue.push(call);
    return call;
  }

  #flush(): void {
    const calls = this.#queue;
    this.#queue = [];
    this.#reads.clear();
    this.#send(calls);
  }

  #send(calls: readonly Call[]): void {
    for (let start = 0; start < calls.length; start += this.#batchSize) {
      void this.#post(calls.slice(start, start + this.#batchSize));
    }
  }

  async #post(calls: readonly Call[]): Promise<void> {
    const { onCall, signal } = this.#deps;
    try {
      const replies = await this.#exchange(calls);
      if (replies === undefined) {
        // Fewer at a time from now on, until it takes them.
        this.#batchSize = Math.max(1, Math.floor(calls.length / 2));
        this.#send(calls);
        return;
      }
      for (const [index, call] of calls.entries()) {
        const reply = replies.get(index);
        onCall?.(call.method, outcomeOf(reply));
        settle(call, reply);
      }
    } catch (error) {
      const unavailable = signal.aborted ? new StoppedError() : toUnavailable(error, this.#options.url);
      for (const call of calls) {
        onCall?.(call.method, "unavailable");
        call.reject(unavailable);
      }
    }
  }

  /** `undefined` when it refuses so many calls at once. */
  async #exchange(calls: readonly Call[]): Promise<Map<unknown, Reply> | undefined> {
    const requests = calls.map(({ method, params }, id) => ({ jsonrpc: "2.0", id, method, params }));
    const answer = await this.#request(JSON.stringify(requests.length === 1 ? requests[0] : requests));
    const { status, retryAfterMs } = answer;
    const body = TRY_LATER.has(status) ? undefined : parseBody(answer.text);
    if (requests.length > 1 && isBatchRefusal(status, body)) return undefined;
    const replies = (Array.isArray(body) ? body : [body]).filter(isReply);
    if (replies.length === 0) {
      const advice = REFUSED.has(status) ? "; check the key in ethereum.rpc_url" : "";
      throw new RpcUnavailable(
        `${redactUrl(this.#options.url)} answered HTTP ${status} without JSON-RPC${advice}`,
        { retryAfterMs },
      );
    }
    return new Map(replies.map((reply) => [reply.id, reply]));
  }

  async #request(body: string): Promise<HttpAnswer> {
    const { url, headers } = this.#address;
    const { timeoutMs } = this.#options;
    const { clock } = this.#deps;
    const abort = new AbortController();
    this.#inFlight.add(abort);
    // AbortSignal.any over the process-long signal would keep every request alive until the end.
    using _timeout = clock.timer(timeoutMs, () =>
      abort.abort(
        new RpcUnavailable(`${redactUrl(url)}: no answer within ${timeoutMs} ms`, { isTimeout: true }),
      ),
    );
    try {
      const response = await fetch(url, { method: "POST", headers, body, signal: abort.signal });
      const retryAfterMs = parseRetryAfter(response.headers.get("retry-after"), clock.nowMs());
      return { status: response.status, text: await response.text(), retryAfterMs };
    } finally {
      this.#inFlight.delete(abort);
    }
  }
}

/** What a gateway says when it did not ask the node. */
const TRY_LATER: ReadonlySet<number> = new Set([429, 502, 503, 504]);
const REFUSED: ReadonlySet<number> = new Set([401, 403]);

/** `undefined` when it is not JSON: the caller reports the HTTP status instead. */
function parseBody(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function isReply(value: unknown): value is Reply {
  return isFields(value) && ("result" in value || "error" in value);
}

/** One error for the whole batch, or a gateway's own refusal: this endpoint takes fewer calls at once. */
function isBatchRefusal(status: number, body: unknown): boolean {
  if (body === undefined) {
    return status >= 400 && status < 500 && status !== 408 && !TRY_LATER.has(status) && !REFUSED.has(status);
  }
  const [first, ...more] = (Array.isArray(body) ? body : [body]) as unknown[];
  return isReply(first) && more.length === 0 && first.error !== undefined && typeof first.id !== "number";
}

function outcomeOf(reply: Reply | undefined): "ok" | "error" | "unavailable" {
  if (reply === undefined) return "unavailable";
  return reply.error === undefined ? "ok" : "error";
}

function settle(call: Call, reply: Reply | undefined): void {
  if (reply === undefined) {
    call.reject(new RpcUnavailable(`the endpoint left ${call.method} out of its answer`));
  } else if (reply.error === undefined) {
    call.resolve(reply.result);
  } else {
    const { code, message, data } = reply.error;
    const text = typeof message === "string" ? message : JSON.stringify(reply.error);
    call.reject(new RpcError(Number(code ?? 0), text, data));
  }
}

function toUnavailable(error: unknown, url: string): RpcUnavailable {
  if (error instanceof RpcUnavailable) return error;
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return new RpcUnavailable(`${redactUrl(url)}: ${cause instanceof Error ? cause.message : String(cause)}`, {
    cause: error,
  });
}

interface Address {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** `fetch` takes no URL with a user and password in it, and repeats such a URL in its error. */
function parseAddress(text: string): Address {
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
