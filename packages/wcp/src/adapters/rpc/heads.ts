import { type Clock, createBackoff, type Logger, type Service } from "@subnet-worker/kit";
import { type Head, type Heads, StoppedError } from "../../ports.ts";
import { parseHead, readHead } from "./chain.ts";
import { type JsonRpc, redactUrl } from "./json-rpc.ts";

export interface HeadWatcherOptions {
  /** Websocket endpoint for pushed heads; empty to poll only. */
  readonly wsUrl: string;
  /** Time between polls when nothing is pushed. */
  readonly pollIntervalMs: number;
  /** A socket without a new head for this long is not trusted: one poll checks it. */
  readonly staleAfterMs: number;
}

export interface HeadWatcherDeps {
  readonly rpc: JsonRpc;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Subscription {
  /** Resolves when the socket is gone. */
  readonly closed: Promise<void>;
  readonly close: () => void;
}

/** Follows the chain's head: pushed over a websocket where there is one, polled where not or when it goes silent. */
export class HeadWatcher implements Heads, Service {
  readonly name = "heads";
  readonly #options: HeadWatcherOptions;
  readonly #deps: HeadWatcherDeps;
  readonly #listeners = new Set<(head: Head) => void>();
  #latest: Head | undefined;
  #pushedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: HeadWatcherOptions, deps: HeadWatcherDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  latest(): Head | undefined {
    return this.#latest;
  }

  onHead(listener: (head: Head) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#poll(signal), this.#options.wsUrl === "" ? undefined : this.#follow(signal)]);
  }

  /** One poll: asks for the newest block unless a pushed one is fresh. */
  async tick(): Promise<void> {
    if (this.#deps.clock.monotonicMs() - this.#pushedAtMs < this.#options.staleAfterMs) return;
    this.#accept(parseHead(await this.#deps.rpc.call("eth_getBlockByNumber", ["latest", false])));
  }

  async #poll(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.tick();
      } catch (error) {
        if (error instanceof StoppedError) return;
        this.#deps.logger.warn({ err: error }, "the newest block could not be read; trying again");
      }
      await this.#deps.clock.sleep(this.#options.pollIntervalMs, signal);
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#deps;
    const backoff = createBackoff({ initialMs: 250, maxMs: 30_000 });
    while (!signal.aborted) {
      const subscription = this.#subscribe(() => backoff.reset());
      const stop = Promise.withResolvers<void>();
      signal.addEventListener("abort", () => stop.resolve(), { once: true });
      // A peer that is gone without a word never answers a close: the end does not wait for it.
      await Promise.race([subscription.closed, stop.promise]);
      subscription.close();
      this.#pushedAtMs = Number.NEGATIVE_INFINITY;
      if (signal.aborted) return;
      const delayMs = backoff.nextMs();
      logger.debug(
        { url: redactUrl(this.#options.wsUrl), retry_in_ms: delayMs },
        "head subscription lost; polling meanwhile",
      );
      await clock.sleep(delayMs, signal);
    }
  }

  #subscribe(onHead: () => void): Subscription {
    const socket = new WebSocket(this.#options.wsUrl);
    const closed = Promise.withResolvers<void>();
    socket.addEventListener("open", () => {
      socket.send(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_subscribe", params: ["newHeads"] }));
    });
    socket.addEventListener("message", (message) => {
      const head = parsePush(String(message.data));
      if (head === undefined) return;
      onHead();
      this.#pushedAtMs = this.#deps.clock.monotonicMs();
      this.#accept(head);
    });
    // An error is always followed by a close.
    socket.addEventListener("close", () => closed.resolve());
    return { closed: closed.promise, close: () => socket.close() };
  }

  #accept(head: Head): void {
    if (head.hash === this.#latest?.hash) return;
    // A lagging backend behind a load balancer: an older block is no news.
    if (this.#latest !== undefined && head.number < this.#latest.number) return;
    this.#latest = head;
    for (const listener of this.#listeners) listener(head);
  }
}

function parsePush(text: string): Head | undefined {
  const message = parseJson(text) as
    | { readonly method?: string; readonly params?: { readonly result?: unknown } }
    | undefined;
  return message?.method === "eth_subscription" ? readHead(message.params?.result) : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // not for us; when no head follows, polling takes over
  }
}
