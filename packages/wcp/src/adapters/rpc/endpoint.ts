import { type Backoff, type Clock, createBackoff, type Logger } from "@subnet-worker/kit";
import { StoppedError } from "../../ports.ts";
import { JsonRpc, type JsonRpcDeps, type JsonRpcOptions, redactUrl, SEND } from "./json-rpc.ts";
import { BadAnswer, RpcError, RpcUnavailable } from "./rpc-error.ts";
import { backoffIn, temporaryKind } from "./temporary-errors.ts";
import { parseQuantity } from "./wire.ts";

export interface EndpointOptions extends JsonRpcOptions {
  /** The chain it must serve. */
  readonly chainId: bigint;
}

export interface EndpointDeps extends JsonRpcDeps {
  readonly logger: Logger;
}

/** How an endpoint does, for people and for metrics. */
export interface EndpointStatus {
  /** Scheme, host and port: the rest of the URL may be a key. */
  readonly host: string;
  readonly healthy: boolean;
  /** Why it is not healthy. */
  readonly reason: string | undefined;
  /** Of its answers, averaged with weight on the last. */
  readonly latencyMs: number | undefined;
  /** Its newest block, when it was last heard of. */
  readonly block: number | undefined;
  readonly chainId: bigint | undefined;
}

/** Failures in a row after which an endpoint counts as down. A timeout alone is as telling as two. */
const DOWN_AFTER = 2;
const RECHECK_CHAIN_MS = 60_000;
/** A latency that was not measured since is no reason any more to avoid an endpoint. */
const LATENCY_LIFETIME_MS = 60_000;
const LATENCY_WEIGHT = 0.2;
/** Behind a balancer a node may lack a method for as long as it starts. */
const LACK_LIFETIME_MS = 60_000;
/** No chain can do without them: whoever says that they are not there is out of order, and asked again. */
const NEVER_LACKING: ReadonlySet<string> = new Set([
  SEND,
  "eth_getTransactionCount",
  "eth_getTransactionReceipt",
  "eth_call",
]);
const BEHIND_LIFETIME_MS = 1_000;

/**
 * One endpoint and what is known of it. Invariants:
 *
 * 1. Before it is asked or sent anything, it has said that it serves the right chain; again after it was
 *    down, since what is behind a name may have changed.
 * 2. Failures of requests that were under way together count once.
 * 3. A time that it asked for (Retry-After) is waited out; the time after a failure is a matter of manners,
 *    and a transaction that has nowhere else to go does not wait for it.
 */
export class Endpoint {
  readonly host: string;
  /** Of {@link host}. */
  readonly address: Pick<URL, "host" | "hostname">;
  readonly #options: EndpointOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #rpc: JsonRpc;
  readonly #backoff: Backoff = createBackoff({ initialMs: 100, maxMs: 10_000 });
  /** Methods it does not know, and what it said to them when. */
  readonly #lacks = new Map<string, { readonly error: RpcError; readonly atMs: number }>();
  #chainId: bigint | undefined;
  #checking: Promise<boolean> | undefined;
  #failures = 0;
  #reason: string | undefined;
  #failedAtMs = Number.NEGATIVE_INFINITY;
  #readyAtMs = Number.NEGATIVE_INFINITY;
  #isToldToWait = false;
  #latency: { readonly ms: number; readonly atMs: number } | undefined;
  #block: number | undefined;
  #blockAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: EndpointOptions, deps: EndpointDeps) {
    this.#options = options;
    this.#clock = deps.clock;
    this.#logger = deps.logger;
    this.#rpc = new JsonRpc(options, deps);
    this.host = redactUrl(options.url);
    this.address = new URL(this.host);
  }

  /** May be asked and sent to. */
  get isUsable(): boolean {
    return this.isRightChain && !this.isDown && this.waitMs === 0;
  }

  /** Nothing is known of it. */
  get isNew(): boolean {
    return this.#chainId === undefined && this.#failures === 0;
  }

  get isRightChain(): boolean {
    return this.#chainId === this.#options.chainId;
  }

  get isDown(): boolean {
    return this.#failures >= DOWN_AFTER || this.wrongChainId !== undefined;
  }

  get wrongChainId(): bigint | undefined {
    return this.isRightChain ? undefined : this.#chainId;
  }

  /** Until it may be asked again; 0 for now. */
  get waitMs(): number {
    return Math.max(0, this.#readyAtMs - this.#clock.monotonicMs());
  }

  get isToldToWait(): boolean {
    return this.#isToldToWait && this.waitMs > 0;
  }

  /** Why it does not answer at present; `undefined` while it does. */
  get failure(): string | undefined {
    return this.isDown ? this.#reason : undefined;
  }

  /** Its newest block, when it was last heard of; -1 before. */
  get block(): number {
    return this.#block ?? -1;
  }

  /** Has said so a moment ago that it is behind: asking again brings nothing. */
  get isBlockFresh(): boolean {
    return this.#clock.monotonicMs() - this.#blockAtMs < BEHIND_LIFETIME_MS;
  }

  get latencyMs(): number | undefined {
    const latency = this.#latency;
    const isFresh = latency !== undefined && this.#clock.monotonicMs() - latency.atMs < LATENCY_LIFETIME_MS;
    return isFresh ? latency.ms : undefined;
  }

  status(): EndpointStatus {
    const hasFailed = this.#failures > 0 || this.isDown;
    return {
      host: this.host,
      healthy: this.isUsable,
      reason: hasFailed ? this.#reason : this.isRightChain ? undefined : "not asked yet",
      latencyMs: this.#latency?.ms,
      block: this.#block,
      chainId: this.#chainId,
    };
  }

  /** What it said to a method that it does not know; `undefined` when it is to be asked (again). */
  lackOf(method: string): RpcError | undefined {
    const lack = this.#lacks.get(method);
    const isFresh = lack !== undefined && this.#clock.monotonicMs() - lack.atMs < LACK_LIFETIME_MS;
    return isFresh ? lack.error : undefined;
  }

  /**
   * @throws {BadAnswer} when `read` does
   * @throws as {@link JsonRpc.once}; of an error that limits the rate the caller says so, see {@link limitsRate}
   */
  async ask<T>(method: string, params: readonly unknown[], read: (raw: unknown) => T): Promise<T> {
    const startedAtMs = this.#clock.monotonicMs();
    try {
      const value = read(await this.#rpc.once(method, params));
      this.#answered(startedAtMs);
      return value;
    } catch (error) {
      if (error instanceof RpcUnavailable || error instanceof BadAnswer) this.#fail(error, startedAtMs);
      if (error instanceof RpcError && temporaryKind(error) !== "limit") this.#answered(startedAtMs);
      throw error;
    }
  }

  /** Asks for its newest block, and remembers it. @throws as {@link ask} */
  async look(): Promise<void> {
    this.saw(Number(await this.ask("eth_blockNumber", [], (raw) => parseQuantity(raw, "block number"))));
  }

  /** It has told a call that was made at `askedAtMs` to come later. */
  limitsRate(error: RpcError, askedAtMs: number): void {
    const retryAfterMs = backoffIn(error.data);
    this.#fail(new RpcUnavailable(`${this.host}: ${error.message}`, { retryAfterMs }), askedAtMs);
  }

  doesNotKnow(method: string, error: RpcError): void {
    if (!NEVER_LACKING.has(method)) this.#lacks.set(method, { error, atMs: this.#clock.monotonicMs() });
  }

  saw(block: number): void {
    this.#block = block;
    this.#blockAtMs = this.#clock.monotonicMs();
  }

  /** Asks for its chain; whether it is the right one. What went wrong is in {@link failure}, not thrown. */
  check(): Promise<boolean> {
    this.#checking ??= this.#check().finally(() => {
      this.#checking = undefined;
    });
    return this.#checking;
  }

  async #check(): Promise<boolean> {
    const askedAtMs = this.#clock.monotonicMs();
    try {
      this.#learnChain(await this.ask("eth_chainId", [], (raw) => parseQuantity(raw, "chain id")));
    } catch (error) {
      if (error instanceof RpcError) this.limitsRate(error, askedAtMs);
      else if (!isExpected(error)) throw error;
      return false;
    }
    return this.isRightChain;
  }

  #learnChain(chainId: bigint): void {
    const { chainId: expected } = this.#options;
    const before = this.#chainId;
    this.#chainId = chainId;
    if (chainId === expected) return;
    this.#reason = `${this.host} serves chain ${chainId}, not ${expected}; correct ethereum.rpc_url or ethereum.chain_id`;
    this.#readyAtMs = this.#clock.monotonicMs() + RECHECK_CHAIN_MS;
    if (before === chainId) return;
    this.#logger.error(
      { endpoint: this.host, chain_id: String(chainId), expected: String(expected) },
      "an RPC endpoint serves another chain; it is not used, and looked at again every minute",
    );
  }

  #answered(startedAtMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    const tookMs = nowMs - startedAtMs;
    const last = this.latencyMs ?? tookMs;
    this.#latency = { ms: last + (tookMs - last) * LATENCY_WEIGHT, atMs: nowMs };
    // An answer to what was asked before the last failure says nothing about now.
    if (startedAtMs < this.#failedAtMs) return;
    if (this.#failures >= DOWN_AFTER)
      this.#logger.info({ endpoint: this.host }, "the RPC endpoint answers again");
    this.#failures = 0;
    this.#isToldToWait = false;
    this.#readyAtMs = Number.NEGATIVE_INFINITY;
    this.#backoff.reset();
  }

  #fail(error: Error, startedAtMs: number): void {
    if (startedAtMs <= this.#failedAtMs) return;
    const { retryAfterMs = 0, isTimeout = false } = error instanceof RpcUnavailable ? error : {};
    const nowMs = this.#clock.monotonicMs();
    const wasDown = this.#failures >= DOWN_AFTER;
    this.#failedAtMs = nowMs;
    this.#failures += isTimeout ? DOWN_AFTER : 1;
    this.#reason = error.message;
    this.#isToldToWait = retryAfterMs > 0;
    this.#readyAtMs = nowMs + Math.max(this.#backoff.nextMs(), retryAfterMs);
    if (wasDown || this.#failures < DOWN_AFTER) return;
    this.#chainId = undefined;
    this.#lacks.clear();
    this.#logger.warn(
      { endpoint: this.host, err: error },
      "the RPC endpoint does not answer; trying on (check ethereum.rpc_url)",
    );
  }
}

function isExpected(error: unknown): boolean {
  return error instanceof RpcUnavailable || error instanceof BadAnswer || error instanceof StoppedError;
}
