/**
 * Sends what is signed, replaces it, and gives a nonce up.
 *
 * Invariants
 *  S1  Bytes are on disk before they are sent.
 *  S2  A replacement carries the nonce of what it replaces, and either the same transaction or a no-op.
 *  S3  No answer of an endpoint ends anything: only a receipt does. What is refused is sent again.
 */
import type { Clock, Logger } from "@subnet-worker/kit";
import type { Fees } from "../../domain/fees.ts";
import type { Intent } from "../../domain/intent.ts";
import type { Attempt, GivingUp } from "../../domain/transaction.ts";
import { CallReverted, type Chain, type SendOutcome, type Signer } from "../../chain-ports.ts";
import { StoppedError } from "../../ports.ts";
import type { LaneBook } from "./book.ts";
import { type Entry, lastAttempt } from "./entry.ts";
import type { Market } from "./market.ts";
import type { Draft, SigningDesk } from "./signing-desk.ts";

export type LaneEvent =
  | "bumped"
  | "resent"
  | "given_up"
  | "displaced"
  | "reorged"
  | "gap_filled"
  | "batch_reverted";

export interface SenderDeps {
  readonly chain: Chain;
  readonly signer: Signer;
  readonly book: LaneBook;
  readonly market: Market;
  readonly desk: SigningDesk;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Adds the safety margin to an estimate. */
  readonly withMargin: (gas: bigint) => bigint;
  readonly onEvent: (event: LaneEvent) => void;
  /** No block will take this transaction, whatever it pays. */
  readonly onNeverValid: (entry: Entry, message: string) => Promise<void>;
  /** Earlier nonces are missing, several answers in a row say. */
  readonly onGap: () => void;
  /** The wallet runs code: nodes take one transaction of it at a time. */
  readonly onInFlightLimit: () => void;
}

/** Gas of a transfer of nothing to oneself, where the node will not estimate it. */
const NOOP_GAS = 21_000n;
const NOOP_ABOVE_CEILING =
  "a transaction cannot be given up: the no-op in its place would have to pay more than tx_policy.max_fee_gwei allows";
/** Replacements in a row when something else in the pool pays more; then time has to pass. */
const MOST_OUTBIDS = 3;
const GAP_ANSWERS = 3;

export class Sender {
  readonly #deps: SenderDeps;

  constructor(deps: SenderDeps) {
    this.#deps = deps;
  }

  /** Sends the last attempt, and does what the answer asks for. */
  async send(entry: Entry): Promise<void> {
    const answer = await this.#post(entry);
    await this.#onAnswer(entry, answer);
  }

  async #onAnswer(entry: Entry, answer: SendOutcome): Promise<void> {
    const { log } = this.#describe(entry);
    if (answer.kind !== "nonce_too_high") entry.gapAnswers = 0;
    switch (answer.kind) {
      case "accepted":
        entry.troubles.delete("funds");
        this.#deps.logger.debug(log, "transaction sent");
        break;
      case "nonce_too_low": // one of the attempts is mined, or somebody else's transaction: the receipts tell
        this.#deps.logger.debug(log, "a transaction with this nonce is mined");
        break;
      case "in_flight_limit": // it is sent again until those before it are mined
        this.#deps.onInFlightLimit();
        break;
      case "nonce_too_high":
        entry.gapAnswers += 1;
        if (entry.gapAnswers >= GAP_ANSWERS) this.#deps.onGap();
        break;
      case "underpriced":
        await this.#onUnderpriced(entry, answer.message);
        break;
      case "replacement_underpriced":
        await this.#outbid(entry, answer.message);
        break;
      case "insufficient_funds":
        this.#onUnfunded(entry, answer.message);
        break;
      case "never_valid":
        this.#deps.logger.error(
          { ...log, answer: answer.message },
          "the chain will never take this transaction",
        );
        await this.#deps.onNeverValid(entry, answer.message);
        break;
      case "unknown":
        this.#deps.logger.warn(
          { ...log, answer: answer.message },
          "the endpoint may not have taken the transaction; it is sent again",
        );
        break;
    }
  }

  /** Once for each attempt: a chain that asks for ever more is for the timer. */
  async #onUnderpriced(entry: Entry, message: string): Promise<void> {
    const { hash, log } = this.#describe(entry);
    if (entry.underpricedHash === hash) return;
    entry.underpricedHash = hash;
    this.#deps.logger.warn({ ...log, answer: message }, "fees are too low; replacing the transaction");
    await this.bump(entry);
  }

  #onUnfunded(entry: Entry, message: string): void {
    const trouble = `the wallet ${this.#deps.signer.address} cannot pay for gas; send it funds, transactions then go on by themselves`;
    entry.troubles.set("funds", trouble);
    this.#deps.logger.error({ ...this.#describe(entry).log, answer: message }, trouble);
  }

  /** Something else with this nonce is in the pool; ours has to pay more, and the nonce is not skipped. */
  async #outbid(entry: Entry, message: string): Promise<void> {
    const { log } = this.#describe(entry);
    this.#deps.logger.warn(
      { ...log, answer: message },
      "another transaction with this nonce is in the pool; paying more than it does",
    );
    for (let tries = 0; tries < MOST_OUTBIDS; tries += 1) {
      const answer = await this.bump(entry);
      if (answer?.kind !== "replacement_underpriced") return;
    }
  }

  /**
   * Replaces the last attempt with the same transaction at higher fees, and sends it. `undefined`, and
   * nothing changed, when the fees would pass the ceiling or nothing could be signed.
   */
  async bump(entry: Entry): Promise<SendOutcome | undefined> {
    if (entry.isBusy || !this.#deps.book.isSigned(entry)) return undefined;
    return this.#busy(entry, async () => {
      const last = lastAttempt(entry);
      const fees = await this.#bumpedFees(entry, last);
      if (fees === undefined) return undefined;
      const gasLimit = await this.#gasAgain(entry, last);
      if (typeof gasLimit !== "bigint") return this.#replaceByNoop(entry, gasLimit);
      const attempt = await this.#deps.desk.resign(last, { fees, gasLimit });
      // On a chain without fees, more is as much: the same bytes, which are no replacement.
      if (attempt === undefined || attempt.txHash === last.txHash) return undefined;
      return this.#replace(entry, attempt, "bumped");
    });
  }

  /** Puts a no-op in the transaction's place. Whichever is mined decides. */
  async giveUp(entry: Entry, why: GivingUp): Promise<SendOutcome | undefined> {
    if (entry.isBusy || !this.#deps.book.isSigned(entry) || lastAttempt(entry).isNoop) return undefined;
    return this.#busy(entry, () => this.#replaceByNoop(entry, why));
  }

  async #replaceByNoop(entry: Entry, givingUp: GivingUp): Promise<SendOutcome | undefined> {
    const last = lastAttempt(entry);
    const fees = await this.#orNothing(() => this.#feesOfNoop(entry, last));
    if (fees === undefined) return undefined;
    const draft = await this.noop();
    const attempt = await this.#deps.desk.signAt(entry.transaction.nonce, draft, fees);
    return attempt && this.#replace(entry, { ...attempt, givingUp }, "given_up");
  }

  async #feesOfNoop(entry: Entry, last: Attempt): Promise<Fees | undefined> {
    const { market, logger } = this.#deps;
    if (entry.lastAnswer === "never_valid") return market.initial(); // no pool has it: there is nothing to outbid
    const fees = await market.outbidding(last);
    if (fees === undefined) {
      entry.troubles.set("fees", NOOP_ABOVE_CEILING);
      logger.warn(this.#describe(entry).log, NOOP_ABOVE_CEILING);
    }
    return fees;
  }

  /** A transfer of nothing to oneself. */
  async noop(): Promise<Draft> {
    const { chain, signer, withMargin } = this.#deps;
    const to = signer.address;
    const gas = await this.#orNothing(() => chain.estimateGas({ from: to, to, data: "0x" }));
    // Exactly what it takes on most chains; a delegated wallet runs code, and some chains charge for data.
    const gasLimit = gas === undefined || gas === NOOP_GAS ? NOOP_GAS : withMargin(gas);
    return { to, data: "0x", gasLimit, isNoop: true };
  }

  async #bumpedFees(entry: Entry, last: Attempt): Promise<Fees | undefined> {
    const offer = await this.#orNothing(() => this.#deps.market.bumped(last));
    if (offer === undefined) return undefined;
    if ("fees" in offer) {
      entry.troubles.delete("fees");
      return offer.fees;
    }
    entry.troubles.set("fees", offer.refusal);
    this.#deps.logger.warn(this.#describe(entry).log, offer.refusal);
    return undefined;
  }

  /**
   * The gas a replacement takes: estimated again, and never lowered. A reason to give up when the
   * contract would throw by now, so that what was worth its gas is not any more.
   */
  async #gasAgain(entry: Entry, last: Attempt): Promise<bigint | GivingUp> {
    const [intent] = this.#deps.book.intentsOf(entry.transaction);
    if (last.isNoop) {
      const { gasLimit } = await this.noop();
      return gasLimit > last.gasLimit ? gasLimit : last.gasLimit;
    }
    if (entry.transaction.kind !== "single" || intent === undefined) return last.gasLimit;
    try {
      const { signer, chain, withMargin } = this.#deps;
      const gas = withMargin(
        await chain.estimateGas({ from: signer.address, to: intent.to, data: intent.data }),
      );
      return gas > last.gasLimit ? gas : last.gasLimit;
    } catch (error) {
      if (error instanceof StoppedError) throw error;
      if (error instanceof CallReverted && isOptional(intent)) {
        return { reason: "purged", message: error.revert.message };
      }
      this.#deps.logger.debug({ err: error, intent: intent.key }, "no new estimate; keeping the gas limit");
      return last.gasLimit;
    }
  }

  async #replace(entry: Entry, attempt: Attempt, event: LaneEvent): Promise<SendOutcome | undefined> {
    const { book, logger, onEvent } = this.#deps;
    if (!book.isSigned(entry)) return undefined; // mined while the replacement was being signed
    await book.addAttempt(entry, attempt); // S1
    onEvent(event);
    const answer = await this.#post(entry);
    logger.info(
      { ...this.#describe(entry).log, attempt: entry.transaction.attempts.length, answer: answer.kind },
      attempt.isNoop ? "transaction replaced by a no-op" : "transaction replaced with higher fees",
    );
    return answer;
  }

  async #post(entry: Entry): Promise<SendOutcome> {
    entry.sentAtMs = this.#deps.clock.monotonicMs();
    const { raw } = lastAttempt(entry);
    await entry.stored; // S1
    const answer = await this.#deps.chain.send(raw);
    entry.lastAnswer = answer.kind;
    entry.wasAccepted ||= answer.kind === "accepted";
    entry.refusals = answer.kind === "accepted" ? 0 : entry.refusals + 1;
    return answer;
  }

  async #busy<T>(entry: Entry, work: () => Promise<T>): Promise<T> {
    entry.isBusy = true;
    try {
      return await work();
    } finally {
      entry.isBusy = false;
    }
  }

  /** `undefined`, and a line in the log, when the node will not say. */
  async #orNothing<T>(ask: () => Promise<T>): Promise<T | undefined> {
    try {
      return await ask();
    } catch (error) {
      if (error instanceof StoppedError) throw error;
      this.#deps.logger.warn(
        { err: error },
        "the node does not answer what a replacement needs; trying later",
      );
      return undefined;
    }
  }

  #describe(entry: Entry) {
    const [intent] = this.#deps.book.intentsOf(entry.transaction);
    const hash = lastAttempt(entry).txHash;
    const { nonce, kind, intentIds } = entry.transaction;
    const about =
      kind === "batch" ? { intents: intentIds.length } : { intent: intent?.key, activity_id: intent?.taskId };
    return { hash, log: { ...about, nonce, tx_hash: hash } };
  }
}

/** A claim that came too late and a heartbeat of a lost lease are worth nothing; a result is worth another try. */
function isOptional({ kind }: Intent): boolean {
  return kind === "claim" || kind === "heartbeat";
}
