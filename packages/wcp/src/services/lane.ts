/**
 * The wallet's transaction lane: many nonces outstanding, in order.
 *
 * Invariants
 *  L1  An intent is on disk before it gets a nonce, and its signed bytes are on disk before they are sent.
 *  L2  A nonce belongs to one intent; every attempt of that intent carries it.
 *  L3  A nonce is taken only by a signature that succeeded, so no hole is left behind.
 *  L4  An intent ends by a receipt of one of its attempts or by a simulation that threw. A refusal
 *      or silence of the endpoint ends nothing: the bytes are sent again.
 */
import { type Clock, createBackoff, type Logger, type Service } from "@subnet-worker/kit";
import { bumpedFees, type Fees } from "../domain/fees.ts";
import {
  type Attempt,
  type Intent,
  INTENT_PRIORITY,
  type IntentEvent,
  nextIntent,
} from "../domain/intent.ts";
import {
  type Chain,
  type Heads,
  type IntentOutcome,
  type IntentRequest,
  type Signer,
  StoppedError,
  type Store,
  type TransactionLane,
} from "../ports.ts";
import { GAS_HEADROOM, LaneFees } from "./lane-fees.ts";
import { Simulation } from "./simulation.ts";
import { TaskGroup } from "./task-group.ts";
import { Wake } from "./wake.ts";

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
}

export interface LaneDeps {
  readonly chain: Chain;
  readonly heads: Heads;
  readonly signer: Signer;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onOutcome?: (intent: Intent) => void;
}

interface Outstanding {
  intent: Intent & { readonly state: { readonly kind: "signed" } };
  sentAtMs: number;
  /** Since when its nonce is mined and there is no receipt of ours. */
  missingSinceMs: number | undefined;
  /** What keeps it from being mined, as sentences for the operator. */
  readonly troubles: Map<"funds" | "fees", string>;
}

/** A receipt may lag behind the count of mined transactions, most of all where several nodes share one address. */
const MISSING_MS = 10_000;

export class Lane implements Service, TransactionLane {
  readonly name = "lane";
  readonly #options: LaneOptions;
  readonly #deps: LaneDeps;
  readonly #fees: LaneFees;
  readonly #simulation: Simulation;
  readonly #work = new TaskGroup();
  readonly #fillWake = new Wake();
  readonly #confirmWake = new Wake();
  readonly #known = new Set<string>();
  readonly #waiters = new Map<string, PromiseWithResolvers<IntentOutcome>>();
  readonly #outstanding = new Map<number, Outstanding>();
  #queue: Intent[] = [];
  #preparing = 0;
  #nextNonce = 0;
  #signing: Promise<unknown> = Promise.resolve();
  #stopped = false;

  constructor(options: LaneOptions, deps: LaneDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#fees = new LaneFees(deps);
    this.#simulation = new Simulation({ ...deps, from: deps.signer.address });
  }

  /** Why transactions do not get through at present; empty when they do. */
  notReady(): readonly string[] {
    return [...new Set([...this.#outstanding.values()].flatMap(({ troubles }) => [...troubles.values()]))];
  }

  /** Nonces outstanding and intents waiting for one. */
  depth(): { readonly outstanding: number; readonly queued: number } {
    return { outstanding: this.#outstanding.size, queued: this.#queue.length + this.#preparing };
  }

  submit(request: IntentRequest): Promise<IntentOutcome> {
    const waiting = this.#waiters.get(request.key);
    if (waiting !== undefined) return waiting.promise;
    if (this.#stopped) return Promise.reject(new StoppedError());
    const stored = this.#deps.store.intentByKey(request.key);
    if (stored !== undefined && isOutcome(stored.state)) return Promise.resolve(stored.state);
    const waiter = Promise.withResolvers<IntentOutcome>();
    this.#waiters.set(request.key, waiter);
    if (!this.#known.has(request.key)) {
      this.#work.start(async () =>
        this.#admit(await this.#deps.store.addIntent(request, this.#deps.clock.nowMs())),
      );
    }
    return waiter.promise;
  }

  async run(signal: AbortSignal): Promise<void> {
    using _head = this.#deps.heads.onHead(() => this.#confirmWake.notify());
    try {
      await this.#start();
      await this.#work.run(
        Promise.all([this.#fillLoop(signal), this.#confirmLoop(signal), this.#timerLoop(signal)]).then(
          () => undefined,
        ),
      );
    } catch (error) {
      if (!(error instanceof StoppedError)) throw error;
    } finally {
      this.#stop();
    }
    await this.#work.idle();
  }

  async #start(): Promise<void> {
    const { chain, signer, store } = this.#deps;
    const [mined, pending] = await Promise.all([
      chain.minedCount(signer.address),
      chain.pendingCount(signer.address),
    ]);
    this.#nextNonce = Math.max(mined, pending, (store.highestNonce() ?? -1) + 1);
    for (const intent of store.openIntents()) this.#admit(intent);
    const resend = [...this.#outstanding.values()].toSorted(
      (a, b) => a.intent.state.nonce - b.intent.state.nonce,
    );
    for (const entry of resend) this.#work.start(() => this.#send(entry));
    this.#confirmWake.notify();
  }

  #stop(): void {
    this.#stopped = true;
    for (const waiter of this.#waiters.values()) waiter.reject(new StoppedError());
    this.#waiters.clear();
  }

  #admit(intent: Intent): void {
    if (this.#known.has(intent.key)) return;
    if (isOutcome(intent.state)) {
      this.#resolve(intent.key, intent.state);
      return;
    }
    this.#known.add(intent.key);
    if (isSigned(intent)) {
      this.#outstanding.set(intent.state.nonce, outstanding(intent, Number.NEGATIVE_INFINITY));
    } else {
      this.#enqueue(intent);
    }
  }

  #enqueue(intent: Intent): void {
    const rank = (other: Intent) => INTENT_PRIORITY[other.kind] * 2 ** 40 + other.id;
    const index = this.#queue.findIndex((other) => rank(other) > rank(intent));
    this.#queue.splice(index === -1 ? this.#queue.length : index, 0, intent);
    this.#fillWake.notify();
  }

  async #fillLoop(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      while (this.#queue.length > 0 && this.#outstanding.size + this.#preparing < this.#options.maxPending) {
        const intent = this.#queue.shift();
        if (intent === undefined) break;
        this.#preparing += 1;
        this.#work.start(() =>
          this.#prepare(intent, signal).finally(() => {
            this.#preparing -= 1;
            this.#fillWake.notify();
          }),
        );
      }
      await this.#fillWake.wait(signal);
    }
  }

  async #prepare(intent: Intent, signal: AbortSignal): Promise<void> {
    const gas = await this.#simulation.gas(intent, signal);
    if (typeof gas !== "bigint") {
      await this.#end(intent, { kind: "refused", revert: gas });
      return;
    }
    const gasLimit = (gas * BigInt(100 + this.#options.gasMarginPercent)) / 100n + GAS_HEADROOM;
    const { nonce, attempt } = await this.#signNext(intent, gasLimit, signal);
    const signed: Intent = { ...intent, state: nextIntent(intent.state, { kind: "signed", nonce, attempt }) };
    if (!isSigned(signed)) throw new Error(`intent ${intent.key} was signed and is ${signed.state.kind}`);
    const entry = outstanding(signed, this.#deps.clock.nowMs());
    this.#outstanding.set(nonce, entry);
    await this.#deps.store.saveIntent(signed, attempt); // L1
    await this.#send(entry);
  }

  /** Signs with the next nonce, which is taken once there is a signature; tries until there is one. */
  async #signNext(intent: Intent, gasLimit: bigint, signal: AbortSignal) {
    const backoff = createBackoff({ initialMs: 500, maxMs: 30_000 });
    for (;;) {
      if (signal.aborted) throw new StoppedError();
      try {
        const fees = this.#capped(await this.#fees.market());
        return await this.#exclusively(async () => {
          const nonce = this.#nextNonce;
          const attempt = await this.#sign(intent, { nonce, gasLimit, fees });
          this.#nextNonce = nonce + 1; // L3
          return { nonce, attempt };
        });
      } catch (error) {
        this.#onNotSigned(intent, error);
      }
      await this.#deps.clock.sleep(backoff.nextMs(), signal);
    }
  }

  #onNotSigned(intent: Intent, error: unknown): void {
    if (error instanceof StoppedError) throw error;
    this.#deps.logger.error(
      { activity_id: intent.taskId, intent: intent.key, err: error },
      "the transaction could not be signed; trying again",
    );
  }

  async #sign(
    intent: Intent,
    terms: { readonly nonce: number; readonly gasLimit: bigint; readonly fees: Fees },
  ): Promise<Attempt> {
    const { raw, txHash } = await this.#deps.signer.sign({ ...terms, to: intent.to, data: intent.data });
    const { gasLimit, fees } = terms;
    return { raw, txHash, gasLimit, ...fees, signedAtMs: this.#deps.clock.nowMs() };
  }

  /** One signature at a time: nonces are handed out in order and a failed signature takes none. */
  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#signing.then(work);
    this.#signing = result.catch(() => undefined); // the caller of this very call gets the rejection
    return result;
  }

  async #send(entry: Outstanding): Promise<void> {
    const { intent } = entry;
    const last = intent.state.attempts.at(-1);
    if (last === undefined) throw new Error(`intent ${intent.key} is signed but has no attempt`);
    entry.sentAtMs = this.#deps.clock.nowMs();
    const outcome = await this.#deps.chain.send(last.raw);
    const context = {
      activity_id: intent.taskId,
      intent: intent.key,
      nonce: intent.state.nonce,
      tx_hash: last.txHash,
    };
    switch (outcome.kind) {
      case "accepted":
        entry.troubles.delete("funds");
        this.#deps.logger.debug(context, "transaction sent");
        break;
      case "nonce_too_low":
        break; // one of the attempts is mined, or somebody else's: the receipts will tell
      case "underpriced":
        this.#deps.logger.warn(
          { ...context, answer: outcome.message },
          "fees are too low; replacing the transaction",
        );
        await this.#bump(entry);
        break;
      case "insufficient_funds": {
        const trouble = `the wallet ${this.#deps.signer.address} cannot pay for gas; send it funds, transactions then go on by themselves`;
        entry.troubles.set("funds", trouble);
        this.#deps.logger.error({ ...context, answer: outcome.message }, trouble);
        break;
      }
      case "unknown":
        this.#deps.logger.warn(
          { ...context, answer: outcome.message },
          "the endpoint may not have taken the transaction; it is sent again",
        );
        break;
    }
    this.#confirmWake.notify();
  }

  /** Replaces the last attempt with one that pays more, unless that passes the ceiling; says whether it did. */
  async #bump(entry: Outstanding): Promise<boolean> {
    const { intent } = entry;
    const attempt = await this.#replacement(entry);
    if (attempt === undefined) return false;
    if (this.#outstanding.get(intent.state.nonce) !== entry) return true; // mined while it was being signed
    const state = nextIntent(intent.state, { kind: "signed", nonce: intent.state.nonce, attempt });
    if (state.kind !== "signed") return false;
    entry.intent = { ...intent, state };
    await this.#deps.store.saveIntent(entry.intent, attempt);
    entry.sentAtMs = this.#deps.clock.nowMs();
    const outcome = await this.#deps.chain.send(attempt.raw);
    this.#deps.logger.info(
      {
        activity_id: intent.taskId,
        intent: intent.key,
        nonce: state.nonce,
        tx_hash: attempt.txHash,
        attempt: state.attempts.length,
        answer: outcome.kind,
      },
      "transaction replaced with higher fees",
    );
    return true;
  }

  /** `undefined` when the last attempt stays: fees beyond the ceiling, or nothing to sign with. */
  async #replacement({ intent, troubles }: Outstanding): Promise<Attempt | undefined> {
    const last = intent.state.attempts.at(-1);
    if (last === undefined) return undefined;
    try {
      const fees = bumpedFees(last, await this.#fees.market(), this.#options.gasBumpPercent);
      if (this.#isAboveCeiling(fees)) {
        const trouble =
          "fees are above tx_policy.max_fee_gwei; holding and sending the last transaction again until they fall";
        troubles.set("fees", trouble);
        this.#deps.logger.warn({ intent: intent.key, nonce: intent.state.nonce }, trouble);
        return undefined;
      }
      troubles.delete("fees");
      const { gasLimit } = last;
      const attempt = await this.#sign(intent, { nonce: intent.state.nonce, gasLimit, fees });
      // On a chain without fees, more is as much: the same bytes, which are no replacement.
      return attempt.txHash === last.txHash ? undefined : attempt;
    } catch (error) {
      this.#onNotSigned(intent, error);
      return undefined;
    }
  }

  async #confirmLoop(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#confirmWake.wait(signal);
      if (this.#outstanding.size > 0 && !signal.aborted) await this.confirm();
    }
  }

  /** Looks for receipts of everything that the chain says is mined. */
  async confirm(): Promise<void> {
    const mined = await this.#deps.chain.minedCount(this.#deps.signer.address);
    const due = [...this.#outstanding.values()].filter((entry) => {
      const isDue = entry.intent.state.nonce < mined;
      if (!isDue) entry.missingSinceMs = undefined;
      return isDue;
    });
    await Promise.all(due.map((entry) => this.#settle(entry)));
  }

  async #settle(entry: Outstanding): Promise<void> {
    const { attempts, nonce } = entry.intent.state;
    const receipts = await Promise.all(attempts.map((attempt) => this.#deps.chain.receipt(attempt.txHash)));
    const receipt = receipts.find((found) => found !== undefined);
    if (this.#outstanding.get(nonce) !== entry) return;
    if (receipt === undefined) {
      await this.#onMissing(entry);
    } else if (receipt.succeeded) {
      await this.#end(entry.intent, { kind: "mined", receipt });
    } else {
      await this.#end(entry.intent, {
        kind: "reverted",
        receipt,
        revert: await this.#simulation.revertOf(entry.intent, receipt),
      });
    }
  }

  async #onMissing(entry: Outstanding): Promise<void> {
    const nowMs = this.#deps.clock.monotonicMs();
    entry.missingSinceMs ??= nowMs;
    if (nowMs - entry.missingSinceMs < MISSING_MS) return;
    const { intent } = entry;
    this.#deps.logger.error(
      { activity_id: intent.taskId, intent: intent.key, nonce: intent.state.nonce },
      "another transaction took this nonce: the wallet's key is in use elsewhere; stop the other user, this intent gets a new nonce",
    );
    this.#outstanding.delete(intent.state.nonce);
    const queued: Intent = { ...intent, state: nextIntent(intent.state, { kind: "nonce_taken" }) };
    await this.#deps.store.saveIntent(queued);
    this.#nextNonce = Math.max(this.#nextNonce, await this.#deps.chain.minedCount(this.#deps.signer.address));
    this.#enqueue(queued);
  }

  async #end(intent: Intent, event: IntentEvent): Promise<void> {
    const ended: Intent = { ...intent, state: nextIntent(intent.state, event) };
    if (intent.state.kind === "signed") this.#outstanding.delete(intent.state.nonce);
    await this.#deps.store.saveIntent(ended);
    this.#known.delete(intent.key);
    this.#deps.onOutcome?.(ended);
    if (isOutcome(ended.state)) this.#resolve(intent.key, ended.state);
    this.#fillWake.notify();
  }

  #resolve(key: string, outcome: IntentOutcome): void {
    this.#waiters.get(key)?.resolve(outcome);
    this.#waiters.delete(key);
  }

  async #timerLoop(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#deps.clock.sleep(1_000, signal);
      if (!signal.aborted) await this.tick();
    }
  }

  /** Sends again, or replaces, what has been outstanding for too long. */
  async tick(): Promise<void> {
    const nowMs = this.#deps.clock.nowMs();
    const late = [...this.#outstanding.values()].filter(
      ({ sentAtMs }) => nowMs - sentAtMs >= this.#options.resendAfterMs,
    );
    await Promise.all(
      late.map(async (entry) => {
        const signedAtMs = entry.intent.state.attempts.at(-1)?.signedAtMs ?? nowMs;
        const isReplaced = nowMs - signedAtMs >= this.#options.bumpAfterMs && (await this.#bump(entry));
        if (!isReplaced) await this.#send(entry);
      }),
    );
    if (this.#outstanding.size > 0) this.#confirmWake.notify();
  }

  #isAboveCeiling(fees: Fees): boolean {
    const ceiling = this.#options.maxFeePerGasWei;
    return ceiling > 0n && fees.maxFeePerGasWei > ceiling;
  }

  #capped(fees: Fees): Fees {
    if (!this.#isAboveCeiling(fees)) return fees;
    const ceiling = this.#options.maxFeePerGasWei;
    const tip = fees.maxPriorityFeePerGasWei;
    return { maxFeePerGasWei: ceiling, maxPriorityFeePerGasWei: tip < ceiling ? tip : ceiling };
  }
}

function outstanding(intent: Outstanding["intent"], sentAtMs: number): Outstanding {
  return { intent, sentAtMs, missingSinceMs: undefined, troubles: new Map() };
}

function isSigned(intent: Intent): intent is Outstanding["intent"] {
  return intent.state.kind === "signed";
}

function isOutcome(state: Intent["state"]): state is IntentOutcome {
  return state.kind === "mined" || state.kind === "reverted" || state.kind === "refused";
}
