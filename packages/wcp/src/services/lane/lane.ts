/**
 * The wallet's transaction lane: many nonces outstanding, in order.
 *
 * Invariants
 *  L1  An intent is on disk before it gets a nonce, and its signed bytes are on disk before they are sent.
 *  L2  A nonce belongs to one transaction; every attempt of it carries the same intents, or is a no-op.
 *  L3  A nonce is taken only by a signature that succeeded, so no hole is left behind.
 *  L4  An intent ends by a receipt, by a simulation that threw, or by being given up; a refusal or silence
 *      of the endpoint ends nothing: the bytes are sent again.
 *  L5  An intent is in one place at a time: the queue, being prepared, or the transaction that carries it.
 */
import type { Clock, Logger, Service } from "@subnet-worker/kit";
import type { Intent } from "../../domain/intent.ts";
import type { Transaction } from "../../domain/transaction.ts";
import type {
  BatchCodec,
  Chain,
  Heads,
  IntentOutcome,
  IntentRequest,
  SendOutcome,
  Signer,
  TransactionLane,
} from "../../chain-ports.ts";
import { StoppedError, type Store } from "../../ports.ts";
import { TaskGroup } from "../task-group.ts";
import { Wake } from "../wake.ts";
import { askUntilAnswered } from "./ask.ts";
import { Batcher, type BatcherOptions } from "./batcher.ts";
import { LaneBook } from "./book.ts";
import { Confirmer } from "./confirmer.ts";
import { type Entry, lastAttempt } from "./entry.ts";
import { Filler, LATE } from "./filler.ts";
import { GapFiller } from "./gap-filler.ts";
import { IntentQueue } from "./intent-queue.ts";
import { Market } from "./market.ts";
import { Orders } from "./orders.ts";
import { type LaneEvent, Sender } from "./sender.ts";
import { SigningDesk } from "./signing-desk.ts";
import { Simulation } from "./simulation.ts";

export interface LaneOptions {
  /** Most nonces outstanding at once. */
  readonly maxPending: number;
  /** Least raise of both fees per replacement, in percent; nodes refuse less than 10. */
  readonly gasBumpPercent: number;
  /** Added to every gas estimate, in percent: state may change before the block. */
  readonly gasMarginPercent: number;
  /** Unmined for this long: the same bytes are sent again. */
  readonly resendAfterMs: number;
  /** Unmined for this long: replaced with higher fees. */
  readonly bumpAfterMs: number;
  /** No attempt pays more per gas than this; 0 means no ceiling. */
  readonly maxFeePerGasWei: bigint;
  /** Blocks on top of a transaction's own before what it did is final; 0 for instant finality. */
  readonly confirmationsBlocks: number;
  /** A nonce that the chain waits for and that nothing is under way for is filled after this. */
  readonly repairAfterMs: number;
  /**
   * A nonce that is mined without a receipt of ours for this long was somebody else's. Default two
   * minutes: an endpoint may take its time to index what it has mined.
   */
  readonly missingAfterMs?: number;
  /** `undefined`: every intent is a transaction of its own. */
  readonly batching: BatcherOptions | undefined;
}

export interface LaneDeps {
  readonly chain: Chain;
  readonly heads: Heads;
  readonly signer: Signer;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Reads batches that are under way, also while no new ones are made. */
  readonly codec?: BatchCodec | undefined;
  /** Each ending, once on disk; again when a reorg changed it. */
  readonly onOutcome?: (intent: Intent) => void;
  /** Each transaction that a block has. */
  readonly onTransaction?: (transaction: Transaction) => void;
  readonly onEvent?: (event: LaneEvent) => void;
}

/**
 * Gas added to every limit: a storage slot that was warm when estimated may be cold when mined,
 * which of a small call is more than a percentage.
 */
export const GAS_HEADROOM = 30_000n;

const TICK_MS = 1_000;
/** The first time that what may have been lost is sent again. */
const RETRY_MS = 2_000;
const UNCERTAIN: ReadonlySet<SendOutcome["kind"]> = new Set([
  "unknown",
  "nonce_too_high",
  "in_flight_limit",
  "never_valid",
]);
/** One at a time: what is behind it may be fine. */
const PURGE_INTERVAL_MS = 5_000;
/** With nothing under way the count of mined transactions is read this often: a reorg may have undone some. */
const IDLE_LOOK_MS = 60_000;
const FEE_SPIKE =
  "the chain's base fee is above tx_policy.max_fee_gwei; claims wait until it falls, settling and heartbeats are sent and wait in the pool";

export class Lane implements Service, TransactionLane {
  readonly name = "lane";
  readonly #options: LaneOptions;
  readonly #deps: LaneDeps;
  readonly #market: Market;
  readonly #simulation: Simulation;
  readonly #desk: SigningDesk;
  readonly #book: LaneBook;
  readonly #sender: Sender;
  readonly #confirmer: Confirmer;
  readonly #gaps: GapFiller;
  readonly #orders: Orders;
  readonly #filler: Filler;
  readonly #batcher: Batcher | undefined;
  readonly #queue = new IntentQueue();
  readonly #work = new TaskGroup();
  readonly #confirmWake = new Wake();
  readonly #loaded = Promise.withResolvers<void>();
  #isStopped = false;
  #purgedAtMs = Number.NEGATIVE_INFINITY;
  #lookedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: LaneOptions, deps: LaneDeps) {
    this.#options = options;
    this.#deps = deps;
    const onEvent = (event: LaneEvent) => deps.onEvent?.(event);
    this.#market = new Market(options, deps);
    this.#simulation = new Simulation({ ...deps, from: deps.signer.address });
    this.#desk = new SigningDesk(deps);
    this.#book = new LaneBook(deps);
    this.#sender = new Sender({
      ...deps,
      book: this.#book,
      market: this.#market,
      desk: this.#desk,
      withMargin: (gas) => this.#withMargin(gas),
      onEvent,
      onNeverValid: (entry, message) => this.#onNeverValid(entry, message),
      onGap: () => this.#gaps.hurry(),
      onInFlightLimit: () => {
        this.#filler.isDelegated = true;
      },
    });
    const { batching } = options;
    this.#batcher = this.#createBatcher();
    this.#confirmer = new Confirmer(options, {
      ...deps,
      book: this.#book,
      simulation: this.#simulation,
      codec: batching?.codec ?? deps.codec,
      onEvent,
      // Before it is known whose: somebody else may be ahead, and a delegation takes two.
      onCount: (count) => this.#desk.raise(count),
      onReleased: (intent, { solo }) => {
        if (solo) this.#batcher?.recheck();
        this.#enqueue(intent, { solo });
      },
      onReorged: (entry) => this.#work.start(() => this.#sender.send(entry)),
    });
    this.#gaps = new GapFiller(options, {
      ...deps,
      book: this.#book,
      desk: this.#desk,
      sender: this.#sender,
      fees: () => this.#market.initial(),
      onEvent,
    });
    this.#loaded.promise.catch(() => undefined); // whoever waits for it gets the rejection
    this.#orders = new Orders({ ...deps, book: this.#book, sender: this.#sender });
    this.#filler = new Filler(options, {
      ...deps,
      queue: this.#queue,
      book: this.#book,
      desk: this.#desk,
      market: this.#market,
      sender: this.#sender,
      simulation: this.#simulation,
      batcher: this.#batcher,
      work: this.#work,
      withMargin: (gas) => this.#withMargin(gas),
      requeue: (intent, how) => this.#enqueue(intent, how),
    });
  }

  #createBatcher(): Batcher | undefined {
    const { batching } = this.#options;
    if (batching === undefined) return undefined;
    const onDelegate = (isDelegated: boolean) => {
      this.#filler.isDelegated = isDelegated;
    };
    return new Batcher(batching, { ...this.#deps, simulation: this.#simulation, onDelegate });
  }

  /** Why transactions do not get through at present; empty when they do. */
  notReady(): readonly string[] {
    const troubles = this.#book.entries().flatMap((entry) => [...entry.troubles.values()]);
    return [...new Set([...troubles, ...(this.#filler.isSpike ? [FEE_SPIKE] : [])])];
  }

  /** For how long the lowest nonce that is in no block has been signed; 0 when there is none. */
  oldestMs(): number {
    const oldest = this.#book.entries().find((entry) => this.#book.isSigned(entry));
    return oldest === undefined ? 0 : this.#deps.clock.nowMs() - oldest.transaction.createdAtMs;
  }

  /** Nonces outstanding and intents waiting for one. */
  depth(): { readonly outstanding: number; readonly queued: number } {
    return { outstanding: this.#book.signedCount, queued: this.#queue.size + this.#filler.preparing };
  }

  submit(request: IntentRequest): Promise<IntentOutcome> {
    const outcome = this.#book.ended(request.key);
    if (!this.#isStopped && !this.#book.isKnown(request.key)) {
      this.#work.start(async () => {
        await this.#loaded.promise; // what is on disk comes first, or an intent could be taken up twice
        const intent = await this.#book.add(request);
        if (intent !== undefined) this.#enqueue(intent);
      });
    }
    return outcome;
  }

  confirmed(key: string): Promise<IntentOutcome> {
    return this.#book.confirmed(key);
  }

  async run(signal: AbortSignal): Promise<void> {
    using _head = this.#deps.heads.onHead(() => this.#confirmWake.notify());
    try {
      await this.#start(signal);
      await this.#work.run(
        Promise.all([this.#filler.run(signal), this.#confirmLoop(signal), this.#timerLoop(signal)]).then(
          () => undefined,
        ),
      );
    } catch (error) {
      if (!(error instanceof StoppedError)) throw error;
    } finally {
      this.#loaded.reject(new StoppedError());
      this.#isStopped = true;
      this.#book.stop();
    }
    await this.#work.idle();
  }

  async #start(signal: AbortSignal): Promise<void> {
    const { chain, signer, store } = this.#deps;
    const ask = <T>(what: string, question: () => Promise<T>) =>
      askUntilAnswered(question, { what, signal }, this.#deps);
    const [mined, pending, code] = await Promise.all([
      ask("the count of mined transactions", () => chain.minedCount(signer.address)),
      this.#pendingCount(),
      ask("the code at the wallet's address", () => chain.code(signer.address)),
    ]);
    this.#filler.isDelegated = code !== "0x";
    this.#desk.raise(Math.max(mined, pending, nextNonce(store)));
    for (const intent of this.#book.load()) this.#enqueue(intent);
    this.#loaded.resolve();
    const resend = this.#book.entries().filter((entry) => this.#book.isSigned(entry));
    for (const entry of resend) this.#work.start(() => this.#sender.send(entry));
    this.#confirmWake.notify();
    this.#filler.wake();
  }

  /** 0 where the endpoint knows no pool: what is mined and what is stored then tell the next nonce. */
  async #pendingCount(): Promise<number> {
    const { chain, signer, logger } = this.#deps;
    try {
      return await chain.pendingCount(signer.address);
    } catch (error) {
      if (error instanceof StoppedError) throw error;
      logger.warn(
        { err: error },
        "the node does not tell the pending nonce; going by what is mined and stored",
      );
      return 0;
    }
  }

  #enqueue(intent: Intent, { solo } = { solo: false }): void {
    if (solo) this.#filler.keepSolo(intent);
    for (const replaced of this.#queue.add(intent)) {
      this.#work.start(() =>
        this.#book.end(replaced, {
          kind: "dropped",
          reason: "superseded",
          message: `${intent.key} says the same and more`,
        }),
      );
    }
    this.#filler.wake();
  }

  #withMargin(gas: bigint): bigint {
    const limit = (gas * BigInt(100 + this.#options.gasMarginPercent)) / 100n + GAS_HEADROOM;
    const block = this.#deps.heads.latest()?.gasLimit ?? 0n;
    return block > 0n && limit > block && gas <= block ? block : limit;
  }

  // --- What became of it -----------------------------------------------------------

  async #confirmLoop(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#confirmWake.wait(signal);
      if (signal.aborted) return;
      if (this.#book.openCount > 0 || this.#isLookDue()) await this.confirm();
    }
  }

  #isLookDue(): boolean {
    const isGap = this.#gaps.isGap(this.#confirmer.minedCount);
    return isGap || this.#deps.clock.monotonicMs() - this.#lookedAtMs >= IDLE_LOOK_MS;
  }

  /** Looks at everything that is open, and for nonces that nobody sends. */
  async confirm(): Promise<void> {
    this.#lookedAtMs = this.#deps.clock.monotonicMs();
    await this.#confirmer.confirm();
    await this.#gaps.look(this.#confirmer.minedCount);
    this.#filler.wake();
  }

  async #timerLoop(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#deps.clock.sleep(TICK_MS, signal);
      // Not waited for: an endpoint that hangs must not hold up what the next second asks for.
      if (!signal.aborted) this.#work.start(() => this.tick());
    }
  }

  /** Drops what came too late, carries out orders, and sends again, or replaces, what is not mined. */
  async tick(): Promise<void> {
    await this.#orders.look();
    const nowMs = this.#deps.clock.nowMs();
    const isLate = (intent: Intent) => intent.deadlineMs !== undefined && intent.deadlineMs <= nowMs;
    await Promise.all(this.#queue.take(isLate).map((intent) => this.#book.end(intent, LATE)));
    const signed = this.#book.entries().filter((entry) => this.#book.isSigned(entry));
    await Promise.all(signed.map((entry) => this.#nudge(entry, isLate)));
    if (this.#book.openCount > 0 || this.#isLookDue()) this.#confirmWake.notify();
    this.#filler.wake();
  }

  async #nudge(entry: Entry, isLate: (intent: Intent) => boolean): Promise<void> {
    if (entry.isNudged) return;
    entry.isNudged = true;
    try {
      await this.#push(entry, isLate);
    } finally {
      entry.isNudged = false;
    }
  }

  async #push(entry: Entry, isLate: (intent: Intent) => boolean): Promise<void> {
    const nowMs = this.#deps.clock.monotonicMs();
    if (await this.#giveUpLate(entry, isLate)) return;
    if (nowMs - entry.sentAtMs < this.#resendAfterMs(entry)) return;
    const isStuck = nowMs - entry.attemptAtMs >= this.#options.bumpAfterMs;
    if (isStuck && (await this.#giveUpDelegation(entry))) return;
    const isReplaced = isStuck && (await this.#sender.bump(entry)) !== undefined;
    if (isReplaced || !this.#book.isSigned(entry)) return;
    this.#deps.onEvent?.("resent");
    await this.#sender.send(entry);
  }

  async #giveUpLate(entry: Entry, isLate: (intent: Intent) => boolean): Promise<boolean> {
    const intents = this.#book.intentsOf(entry.transaction);
    if (intents.length === 0 || !intents.every(isLate)) return false;
    const message = "its deadline passed before it was mined";
    return (await this.#sender.giveUp(entry, { reason: "expired", message })) !== undefined;
  }

  /** One that no endpoint ever took, whatever it said about it: not a chain for such transactions. */
  async #giveUpDelegation(entry: Entry): Promise<boolean> {
    const isUnwanted = entry.transaction.kind === "delegation" && !entry.wasAccepted;
    if (!isUnwanted || lastAttempt(entry).isNoop) return false;
    this.#batcher?.turnOff("no endpoint takes the transaction that delegates the wallet");
    const message = "the wallet is not delegated";
    return (await this.#sender.giveUp(entry, { reason: "released", message })) !== undefined;
  }

  /** What may have been lost is sent again soon, and less and less often; what is known to be there, late. */
  #resendAfterMs({ lastAnswer, refusals }: Entry): number {
    const { resendAfterMs } = this.#options;
    const isUncertain = lastAnswer !== undefined && UNCERTAIN.has(lastAnswer);
    return isUncertain ? Math.min(resendAfterMs, RETRY_MS * 2 ** Math.min(refusals - 1, 20)) : resendAfterMs;
  }

  /** No block will take it, so whatever is behind it waits for ever: a no-op takes its nonce. */
  async #onNeverValid(entry: Entry, message: string): Promise<void> {
    const { kind, nonce } = entry.transaction;
    entry.troubles.set(
      "never_valid",
      `the chain will never take the transaction with nonce ${nonce} (${message}); a no-op takes its place`,
    );
    if (kind === "delegation") this.#batcher?.turnOff(message);
    if (kind === "batch") this.#batcher?.shrink(message);
    const isHead = this.#book
      .entries()
      .every((other) => other.transaction.nonce >= nonce || !this.#book.isSigned(other));
    const nowMs = this.#deps.clock.monotonicMs();
    if (!isHead || nowMs - this.#purgedAtMs < PURGE_INTERVAL_MS) return; // at its next resend
    this.#purgedAtMs = nowMs;
    const reason = kind === "single" ? "purged" : "released";
    await this.#sender.giveUp(entry, { reason, message });
  }
}

/** The lowest nonce above all that were ever used here, as far as the database tells. */
function nextNonce(store: Store): number {
  const highest = store.highestNonce();
  if (highest === undefined) return 0;
  const transaction = store.transactionAt(highest);
  // A delegation that was mined has taken the nonce after its own too.
  const isPair = transaction?.kind === "delegation" && !isMinedNoop(transaction);
  return highest + (isPair && transaction.state.kind !== "signed" ? 2 : 1);
}

function isMinedNoop({ state, attempts }: Transaction): boolean {
  if (!("receipt" in state)) return false;
  return attempts.find(({ txHash }) => txHash === state.receipt.txHash)?.isNoop === true;
}
