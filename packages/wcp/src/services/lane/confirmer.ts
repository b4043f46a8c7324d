/**
 * Learns from the chain what became of what was sent.
 *
 * Invariants
 *  C1  An intent takes effect, or fails, by a receipt of one of its transaction's attempts.
 *  C2  What only a no-op, a reverted batch or somebody else's transaction proves, that an intent will NOT
 *      take effect, counts once that proof is as deep as `confirmationsBlocks`: before, a reorg may yet
 *      bring the old bytes into a block, and the intent would have its effect twice.
 *  C3  A missing receipt proves nothing by itself: an endpoint may be behind.
 */
import type { Clock, Logger } from "@subnet-worker/kit";
import type { Intent, IntentEvent, Revert } from "../../domain/intent.ts";
import type { Attempt, GivingUp, Receipt, TransactionEvent } from "../../domain/transaction.ts";
import type { BatchCodec, Chain, Heads, MinedReceipt, Signer } from "../../chain-ports.ts";
import { StoppedError } from "../../ports.ts";
import type { IntentChange, LaneBook } from "./book.ts";
import type { Entry } from "./entry.ts";
import type { LaneEvent } from "./sender.ts";
import type { Simulation } from "./simulation.ts";

export interface ConfirmerOptions {
  readonly confirmationsBlocks: number;
  readonly missingAfterMs?: number;
}

export interface ConfirmerDeps {
  readonly chain: Chain;
  readonly heads: Heads;
  readonly signer: Signer;
  readonly book: LaneBook;
  readonly simulation: Simulation;
  readonly codec: BatchCodec | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onEvent: (event: LaneEvent) => void;
  /** So many transactions of the wallet are mined, before it is found out which. */
  readonly onCount: (minedCount: number) => void;
  /** An intent is free for another nonce. `solo`: not in a batch, since that did not work. */
  readonly onReleased: (intent: Intent, how: { readonly solo: boolean }) => void;
  /** A transaction of ours is no longer in a block and is to be sent again. */
  readonly onReorged: (entry: Entry) => void;
}

/** A receipt may lag behind the count of mined transactions, most of all where several nodes share one address. */
const MISSING_MS = 120_000;
const RELEASED: GivingUp = { reason: "released", message: "its nonce was given up" };
const LATE: IntentEvent = {
  kind: "dropped",
  reason: "expired",
  message: "its deadline passed before it was mined",
};
/** The count of mined transactions may be one of a node that is behind. */
const UNMINED_MS = 3_000;

export class Confirmer {
  readonly #options: ConfirmerOptions;
  readonly #deps: ConfirmerDeps;
  #minedCount = 0;

  constructor(options: ConfirmerOptions, deps: ConfirmerDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** Transactions of the wallet that were mined when last looked. */
  get minedCount(): number {
    return this.#minedCount;
  }

  /** Looks at everything that is open. */
  async confirm(): Promise<void> {
    const { chain, signer, book } = this.#deps;
    const minedCount = await this.#read(() => chain.minedCount(signer.address));
    if (minedCount === undefined) return;
    this.#minedCount = minedCount;
    this.#deps.onCount(minedCount);
    await Promise.all(book.entries().map((entry) => this.#look(entry, minedCount)));
  }

  async #look(entry: Entry, minedCount: number): Promise<void> {
    const { nonce, state } = entry.transaction;
    const isMined = nonce < minedCount;
    if (state.kind === "signed") {
      if (isMined) await this.#findReceipt(entry);
      else entry.missingSince = undefined;
    } else if (state.kind === "included") {
      const nowMs = this.#deps.clock.monotonicMs();
      entry.unminedSinceMs = isMined ? undefined : (entry.unminedSinceMs ?? nowMs);
      const isGone = entry.unminedSinceMs !== undefined && nowMs - entry.unminedSinceMs >= UNMINED_MS;
      if (isGone || (isMined && this.#isDeep(state.receipt.blockNumber))) await this.#findReceipt(entry);
    }
  }

  /** `undefined`, and a line in the log, when the endpoints refuse: the next block is another occasion. */
  async #read<T>(ask: () => Promise<T>): Promise<T | undefined> {
    try {
      return await ask();
    } catch (error) {
      if (error instanceof StoppedError) throw error;
      this.#deps.logger.error(
        { err: error },
        "the chain does not say what became of our transactions; asking again",
      );
      return undefined;
    }
  }

  #isDeep(blockNumber: number): boolean {
    const head = this.#deps.heads.latest()?.number ?? blockNumber;
    return head - blockNumber >= this.#options.confirmationsBlocks;
  }

  async #findReceipt(entry: Entry): Promise<void> {
    const { attempts, state: before } = entry.transaction;
    const receipts = await this.#read(() =>
      Promise.all(attempts.map(({ txHash }) => this.#deps.chain.receipt(txHash))),
    );
    if (receipts === undefined) return;
    const receipt = receipts.find((found) => found !== undefined);
    const { nonce, state } = entry.transaction;
    if (this.#deps.book.entry(nonce) !== entry || state !== before) return; // somebody was faster
    if (receipt === undefined) {
      await this.#onMissing(entry);
      return;
    }
    entry.missingSince = undefined;
    entry.unminedSinceMs = undefined;
    const isSame = state.kind === "included" && state.receipt.blockHash === receipt.blockHash;
    await this.#include(entry, receipt, isSame && state.receipt.txHash === receipt.txHash);
  }

  /** Records a receipt, and in the same commit that it is deep enough, where it is. */
  async #include(entry: Entry, receipt: MinedReceipt, isKnown: boolean): Promise<void> {
    const { book } = this.#deps;
    const { state } = entry.transaction;
    const attempt = entry.transaction.attempts.find(({ txHash }) => txHash === receipt.txHash);
    const intents = book.intentsOf(entry.transaction);
    const endings = isKnown ? new Map<number, IntentEvent>() : await this.#endings(entry, receipt, attempt);
    if (book.entry(entry.transaction.nonce) !== entry || entry.transaction.state !== state) return;
    const isDeep = this.#isDeep(receipt.blockNumber);
    if (isKnown && !isDeep) return;
    const events: TransactionEvent[] = [
      ...(isKnown ? [] : [{ kind: "included", receipt: withoutLogs(receipt) } as const]),
      ...(isDeep ? [{ kind: "confirmed" } as const] : []),
    ];
    const changes = intents.map((intent): IntentChange => {
      const ending = isKnown ? [] : endingEvents(intent, endings.get(intent.id));
      const hasEnded = isKnown ? isEnded(intent) : endings.has(intent.id);
      return { intent, events: isDeep ? [...ending, this.#last(attempt, intent, hasEnded)] : ending };
    });
    await book.change(
      entry,
      events,
      changes.filter((change) => change.events.length > 0),
    );
    const released = changes.filter(({ events: all }) => all.some(({ kind }) => kind === "released"));
    this.#release(entry, receipt, { attempt, released });
  }

  /** How the intents of a mined transaction ended, by id; those without an ending did not take part. */
  async #endings(
    entry: Entry,
    receipt: MinedReceipt,
    attempt: Attempt | undefined,
  ): Promise<Map<number, IntentEvent>> {
    const endings = new Map<number, IntentEvent>();
    const intents = this.#deps.book.intentsOf(entry.transaction);
    if (attempt?.isNoop === true || this.#isLostBatch(entry, receipt)) return endings;
    const failures = this.#failures(entry, receipt);
    for (const intent of intents) {
      const failure = failures.get(entry.transaction.intentIds.indexOf(intent.id));
      if (this.#isUnexplained(entry, failure)) continue;
      const share = {
        ...withoutLogs(receipt),
        gasUsed: receipt.gasUsed / BigInt(entry.transaction.intentIds.length),
      };
      const revert = receipt.succeeded ? failure : await this.#deps.simulation.revertOf(intent, receipt);
      endings.set(
        intent.id,
        revert === undefined
          ? { kind: "mined", receipt: share }
          : { kind: "reverted", receipt: { ...share, succeeded: false }, revert },
      );
    }
    return endings;
  }

  /** Short of gas looks like this: alone, the call tells why, or does what it should. */
  #isUnexplained({ transaction: { kind } }: Entry, failure: Revert | undefined): boolean {
    return kind === "batch" && this.#deps.codec !== undefined && failure?.name === "";
  }

  /** A batch that threw as a whole; or that ran no code, because the wallet delegates to nothing any more. */
  #isLostBatch({ transaction: { kind } }: Entry, receipt: MinedReceipt): boolean {
    const { codec, signer } = this.#deps;
    if (kind !== "batch") return false;
    return !receipt.succeeded || codec?.ran(receipt.logs, signer.address) === false;
  }

  #failures({ transaction: { kind, intentIds } }: Entry, receipt: MinedReceipt): ReadonlyMap<number, Revert> {
    const { codec, signer } = this.#deps;
    if (kind !== "batch") return new Map();
    if (codec !== undefined) return codec.failures(receipt.logs, signer.address);
    // Batching was taken out of the configuration while this one was under way: whoever asked looks for himself.
    const message = "unknown: ethereum.batch_executor_address is no longer set, so the batch cannot be read";
    return new Map(intentIds.map((_, index) => [index, { name: "", message }]));
  }

  /** What the depth of the block means for an intent: its ending is final, or that it has none (C2). */
  #last(attempt: Attempt | undefined, intent: Intent, hasEnded: boolean): IntentEvent {
    if (hasEnded) return { kind: "confirmed" };
    const { reason, message } = attempt?.givingUp ?? RELEASED;
    if (reason !== "released") return { kind: "dropped", reason, message };
    return this.#isLate(intent) ? LATE : { kind: "released" };
  }

  #isLate({ deadlineMs }: Intent): boolean {
    return deadlineMs !== undefined && deadlineMs <= this.#deps.clock.nowMs();
  }

  #release(
    entry: Entry,
    receipt: MinedReceipt,
    how: { readonly attempt: Attempt | undefined; readonly released: readonly IntentChange[] },
  ): void {
    const { book, onReleased, onEvent, logger } = this.#deps;
    const isBatchLost = how.attempt?.isNoop !== true && this.#isLostBatch(entry, receipt);
    if (isBatchLost && entry.transaction.state.kind === "included") return;
    if (isBatchLost) {
      onEvent("batch_reverted");
      logger.warn(
        {
          nonce: entry.transaction.nonce,
          tx_hash: receipt.txHash,
          intents: entry.transaction.intentIds.length,
        },
        "a batch was reverted as a whole; its calls go out one by one",
      );
    }
    // What did not work in a batch goes alone; what a no-op made room for may join another.
    const isAlone = entry.transaction.kind === "batch" && how.attempt?.isNoop !== true;
    for (const { intent } of how.released) {
      const queued = book.intent(intent.id);
      if (queued?.state.kind === "queued") onReleased(queued, { solo: isAlone });
    }
  }

  async #onMissing(entry: Entry): Promise<void> {
    const { clock, heads } = this.#deps;
    const nowMs = clock.monotonicMs();
    const block = heads.latest()?.number ?? 0;
    entry.missingSince ??= { atMs: nowMs, block };
    const { missingAfterMs = MISSING_MS } = this.#options;
    const isLongAgo = nowMs - entry.missingSince.atMs >= missingAfterMs;
    if (entry.transaction.state.kind === "included") {
      // Two kinds of answer agree that it is in no block; or one of them says so for long.
      if (entry.unminedSinceMs !== undefined || isLongAgo) await this.#onReorged(entry);
      return;
    }
    const isDeep = block - entry.missingSince.block >= this.#options.confirmationsBlocks;
    if (isLongAgo && isDeep) await this.#onDisplaced(entry); // C2, C3
  }

  async #onDisplaced(entry: Entry): Promise<void> {
    const { book, logger, onEvent, onReleased } = this.#deps;
    const { transaction } = entry;
    const intents = book.intentsOf(transaction);
    logger.error(
      { nonce: transaction.nonce, intents: intents.map(({ key }) => key) },
      "another transaction took this nonce: the wallet's key is in use elsewhere; stop the other user. What it was for gets a new nonce. If nobody else has the key, the endpoints lack our receipt",
    );
    onEvent("displaced");
    await book.change(
      entry,
      [{ kind: "displaced" }],
      intents.map((intent) => ({ intent, events: [{ kind: "released" }] })),
    );
    for (const { id } of intents) {
      const intent = book.intent(id);
      if (intent?.state.kind === "queued") onReleased(intent, { solo: false });
    }
  }

  async #onReorged(entry: Entry): Promise<void> {
    const { book, logger, onEvent, onReorged } = this.#deps;
    entry.unminedSinceMs = undefined;
    entry.missingSince = undefined;
    const { transaction } = entry;
    logger.warn(
      { nonce: transaction.nonce },
      "a reorg took this transaction out of its block; sending it again with the same nonce",
    );
    onEvent("reorged");
    const ended = book.intentsOf(transaction).filter(isEnded);
    await book.change(
      entry,
      [{ kind: "reorged" }],
      ended.map((intent) => ({ intent, events: [{ kind: "reorged" }] })),
    );
    onReorged(entry);
  }
}

/** A new ending; or none, where an earlier block had given one. */
function endingEvents(intent: Intent, ending: IntentEvent | undefined): readonly IntentEvent[] {
  if (ending !== undefined) return [ending];
  return isEnded(intent) ? [{ kind: "reorged" }] : [];
}

function isEnded({ state }: Intent): boolean {
  return state.kind === "mined" || state.kind === "reverted";
}

function withoutLogs(mined: MinedReceipt): Receipt {
  const { txHash, blockNumber, blockHash, gasUsed, effectiveGasPriceWei, succeeded } = mined;
  return { txHash, blockNumber, blockHash, gasUsed, effectiveGasPriceWei, succeeded };
}
