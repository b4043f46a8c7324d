import { type Clock, createBackoff, type Logger, type Service } from "@subnet-worker/kit";
import type { Head, Heads } from "../../chain-ports.ts";
import { StoppedError } from "../../ports.ts";
import { NEWEST_BLOCK } from "./chain.ts";
import { HeadChain } from "./head-chain.ts";
import { HeadSocket } from "./head-socket.ts";
import { redactUrl } from "./json-rpc.ts";
import type { Rpc } from "./rpc.ts";
import { parseMaybeBlock, toQuantity } from "./wire.ts";

export interface HeadWatcherOptions {
  /** Websocket endpoints for pushed heads; one is used, the next when it fails. Empty to poll only. */
  readonly wsUrls: readonly string[];
  readonly chainId: bigint;
  /** Between polls when nothing is pushed. */
  readonly pollIntervalMs: number;
  /** With a subscription that stands, a poll looks after it when no head came for this long. Default 15000. */
  readonly staleAfterMs?: number;
  /** Between pings of the websocket. Default 10000. */
  readonly pingIntervalMs?: number;
}

export interface HeadWatcherDeps {
  readonly rpc: Rpc;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Follows the chain's head: pushed over a websocket where there is one, polled where not or when it goes
 * silent. Invariants:
 *
 * 1. The head goes up, or to a block whose hashes prove that the chain was rewritten: another hash at a
 *    height, or another parent, than was known there. A lower block that proves nothing is somebody who
 *    lags, and is passed over.
 * 2. A lower or equal block counts only from a poll: the pool asks whoever has shown the newest block first,
 *    so it comes back only when no endpoint that answers holds on to a newer one. A pushed one only
 *    causes the poll.
 * 3. A subscription is trusted as long as its socket answers pings and it delivers what polls find: a
 *    quiet chain costs one poll every `staleAfterMs`.
 */
export class HeadWatcher implements Heads, Service {
  readonly name = "heads";
  readonly #options: HeadWatcherOptions;
  readonly #deps: HeadWatcherDeps;
  readonly #listeners = new Set<(head: Head) => void>();
  readonly #chain = new HeadChain();
  readonly #wrongChains = new Set<string>();
  #socket: HeadSocket | undefined;
  /** When something last told the newest block. */
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  /** A head that a poll found and the subscription has not delivered yet. */
  #owed: { readonly number: number; readonly sinceMs: number } | undefined;
  #polling: Promise<void> | undefined;

  constructor(options: HeadWatcherOptions, deps: HeadWatcherDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  latest(): Head | undefined {
    return this.#chain.latest;
  }

  /** Hash of one of the last 256 blocks, where it was seen. */
  hashAt(blockNumber: number): string | undefined {
    return this.#chain.hashAt(blockNumber);
  }

  /** Time between blocks, averaged over the last 256 at most; `undefined` until two were seen. */
  blockTimeMs(): number | undefined {
    return this.#chain.blockTimeMs();
  }

  onHead(listener: (head: Head) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#pollOn(signal), this.#followOn(signal)]);
  }

  /** Asks for the newest block, unless a subscription that stands has lately told it. */
  async tick(): Promise<void> {
    const { clock } = this.#deps;
    const { staleAfterMs = 15_000, pollIntervalMs } = this.#options;
    const nowMs = clock.monotonicMs();
    if (this.#owed !== undefined && nowMs - this.#owed.sinceMs >= pollIntervalMs) {
      this.#owed = undefined;
      this.#socket?.drop("it delivers no heads");
    }
    const isPushed = this.#socket?.isLive === true;
    if (isPushed && nowMs - this.#lookedAtMs < staleAfterMs) return;
    await this.#poll();
  }

  async #pollOn(signal: AbortSignal): Promise<void> {
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

  #poll(): Promise<void> {
    this.#polling ??= this.#pollOnce().finally(() => {
      this.#polling = undefined;
    });
    return this.#polling;
  }

  async #pollOnce(): Promise<void> {
    const { rpc, clock } = this.#deps;
    const head = await rpc.call(NEWEST_BLOCK);
    this.#lookedAtMs = clock.monotonicMs();
    const before = this.#chain.latest?.number ?? head.number;
    if (this.#socket?.isLive === true && head.number > before) {
      this.#owed ??= { number: head.number, sinceMs: this.#lookedAtMs };
    }
    let verdict = this.#chain.judge(head);
    if (verdict === "unclear" && (await this.#isRewrittenBelow(head))) verdict = "reorg";
    if (verdict === "newer" || verdict === "reorg") this.#accept(head, verdict);
  }

  /** Compares the nearest block below that is known with what the endpoints have there now. */
  async #isRewrittenBelow(head: Head): Promise<boolean> {
    const known = this.#chain.nearestBelow(head.number);
    if (known === undefined) return false;
    const now = await this.#deps.rpc.call({
      method: "eth_getBlockByNumber",
      params: [toQuantity(known.number), false],
      read: parseMaybeBlock,
      need: "any",
    });
    return now !== undefined && now.hash !== known.hash;
  }

  async #followOn(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#deps;
    const { wsUrls } = this.#options;
    const backoff = createBackoff({ initialMs: 250, maxMs: 30_000 });
    for (let turn = 0; wsUrls.length > 0 && !signal.aborted; turn += 1) {
      const url = wsUrls[turn % wsUrls.length] ?? "";
      const reason = await this.#follow(url, signal, () => backoff.reset());
      if (signal.aborted) return;
      const delayMs = backoff.nextMs();
      logger.debug(
        { endpoint: redactUrl(url), reason, retry_in_ms: delayMs },
        "head subscription lost; polling meanwhile",
      );
      await clock.sleep(delayMs, signal);
    }
  }

  /** Why it ended. */
  async #follow(url: string, signal: AbortSignal, onHead: () => void): Promise<string> {
    const { pingIntervalMs = 10_000, chainId } = this.#options;
    using socket = new HeadSocket(
      { url, chainId, pingIntervalMs },
      {
        clock: this.#deps.clock,
        onHead: (head) => {
          onHead();
          this.#push(url, head);
        },
      },
    );
    const stop = () => socket.drop("stopped");
    signal.addEventListener("abort", stop, { once: true });
    this.#socket = socket;
    const reason = await socket.closed;
    this.#socket = undefined;
    this.#owed = undefined;
    signal.removeEventListener("abort", stop);
    this.#noteChain(url, socket.wrongChainId);
    return reason;
  }

  #noteChain(url: string, wrongChainId: bigint | undefined): void {
    if (wrongChainId === undefined) {
      this.#wrongChains.delete(url);
      return;
    }
    if (this.#wrongChains.has(url)) return;
    this.#wrongChains.add(url);
    this.#deps.logger.error(
      {
        endpoint: redactUrl(url),
        chain_id: String(wrongChainId),
        expected: String(this.#options.chainId),
      },
      "a websocket endpoint serves another chain and is not used; correct ethereum.ws_url",
    );
  }

  #push(url: string, head: Head): void {
    this.#deps.rpc.pushed(url, head.number);
    if (this.#owed !== undefined && head.number >= this.#owed.number) this.#owed = undefined;
    this.#lookedAtMs = this.#deps.clock.monotonicMs();
    const verdict = this.#chain.judge(head);
    const isHigher = head.number > (this.#chain.latest?.number ?? -1);
    if (isHigher) this.#accept(head, verdict);
    else if (verdict === "reorg" || verdict === "unclear") this.#lookedAtMs = Number.NEGATIVE_INFINITY;
  }

  #accept(head: Head, verdict: string): void {
    const before = this.#chain.latest;
    this.#chain.accept(head);
    if (verdict === "reorg") {
      this.#deps.logger.info(
        { block: head.number, block_hash: head.hash, before: before?.number, before_hash: before?.hash },
        "the chain was rewritten",
      );
    }
    for (const listener of this.#listeners) listener(head);
  }
}
