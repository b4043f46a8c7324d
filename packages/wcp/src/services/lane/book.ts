/**
 * The lane's intents and transactions, in memory and on disk. The only place where either changes state.
 *
 * Invariants
 *  B1  Memory changes in the same turn as the write is handed to the store, and the store keeps that
 *      order: what is read here is what a restart would find, or will be in a moment.
 *  B2  A caller hears of an ending only after it is on disk.
 */
import type { Clock } from "@subnet-worker/kit";
import { type Intent, type IntentEvent, nextIntent } from "../../domain/intent.ts";
import {
  type Attempt,
  nextTransaction,
  type Transaction,
  type TransactionEvent,
} from "../../domain/transaction.ts";
import type { IntentOutcome, IntentRequest } from "../../chain-ports.ts";
import { StoppedError, type Store } from "../../ports.ts";
import { createEntry, type Entry, lastAttempt } from "./entry.ts";

export interface BookDeps {
  readonly store: Store;
  readonly clock: Clock;
  /** Called for each ending, once it is on disk; again when a reorg changed it. */
  readonly onOutcome?: ((intent: Intent) => void) | undefined;
  /** Called when a block has the transaction. */
  readonly onTransaction?: ((transaction: Transaction) => void) | undefined;
}

/** What happens to one intent together with its transaction. */
export interface IntentChange {
  readonly intent: Intent;
  readonly events: readonly IntentEvent[];
}

export class LaneBook {
  readonly #deps: BookDeps;
  readonly #intents = new Map<number, Intent>();
  readonly #idByKey = new Map<string, number>();
  readonly #adding = new Set<string>();
  readonly #entries = new Map<number, Entry>();
  readonly #ended = new Map<string, PromiseWithResolvers<IntentOutcome>>();
  readonly #confirmed = new Map<string, PromiseWithResolvers<IntentOutcome>>();
  #isStopped = false;

  constructor(deps: BookDeps) {
    this.#deps = deps;
  }

  /** Reads what a process before this one left open. Returns the intents that wait for a nonce. */
  load(): Intent[] {
    const { store } = this.#deps;
    for (const intent of store.openIntents()) this.#remember(intent);
    for (const transaction of store.openTransactions()) {
      this.#entries.set(transaction.nonce, this.#reenter(transaction));
    }
    return [...this.#intents.values()].filter(({ state }) => state.kind === "queued");
  }

  /** Open transactions in nonce order. */
  entries(): Entry[] {
    return [...this.#entries.values()].sort((a, b) => a.transaction.nonce - b.transaction.nonce);
  }

  entry(nonce: number): Entry | undefined {
    return this.#entries.get(nonce);
  }

  /** The transaction that had this nonce last, as it is on disk. */
  stored(nonce: number): Transaction | undefined {
    return this.#deps.store.transactionAt(nonce);
  }

  get openCount(): number {
    return this.#entries.size;
  }

  /** Transactions that are in no block yet. */
  get signedCount(): number {
    let count = 0;
    for (const { transaction } of this.#entries.values()) if (transaction.state.kind === "signed") count += 1;
    return count;
  }

  /** Whether this very entry may still be replaced or mined. */
  isSigned(entry: Entry): boolean {
    const { nonce, state } = entry.transaction;
    return this.#entries.get(nonce) === entry && state.kind === "signed";
  }

  /** The open intents a transaction carries, in the order of the calls; not those it was relieved of. */
  intentsOf({ intentIds, nonce }: Transaction): Intent[] {
    return intentIds
      .flatMap((id) => this.#intents.get(id) ?? [])
      .filter(({ state }) => "nonce" in state && state.nonce === nonce);
  }

  intent(id: number): Intent | undefined {
    return this.#intents.get(id);
  }

  // --- Callers ----------------------------------------------------------------

  isKnown(key: string): boolean {
    return this.#idByKey.has(key);
  }

  /** The ending, now or later. */
  ended(key: string): Promise<IntentOutcome> {
    const intent = this.#find(key);
    if (intent !== undefined && isOutcome(intent.state)) return Promise.resolve(intent.state);
    return this.#wait(this.#ended, key);
  }

  /** The ending once it is final. @throws for a key that was never submitted */
  confirmed(key: string): Promise<IntentOutcome> {
    const intent = this.#find(key);
    if (intent !== undefined && isFinal(intent)) return Promise.resolve(intent.state as IntentOutcome);
    if (intent === undefined && !this.#ended.has(key)) {
      return Promise.reject(new Error(`intent ${key} was never submitted, so it cannot be confirmed`));
    }
    return this.#wait(this.#confirmed, key);
  }

  /** Stores a request; `undefined` when it is known already or has ended. */
  async add(request: IntentRequest): Promise<Intent | undefined> {
    // What the store answers is as old as the write: an intent taken up meanwhile may have ended since.
    if (this.#idByKey.has(request.key) || this.#adding.has(request.key)) return undefined;
    this.#adding.add(request.key);
    const intent = await this.#deps.store.addIntent(request, this.#deps.clock.nowMs());
    this.#adding.delete(request.key);
    if (isFinal(intent)) {
      this.#tell({ intent, before: intent });
      return undefined;
    }
    this.#remember(intent);
    return intent;
  }

  /** Every caller that waits gets StoppedError, now and from now on. */
  stop(): void {
    this.#isStopped = true;
    for (const waiters of [this.#ended, this.#confirmed]) {
      for (const waiter of waiters.values()) waiter.reject(new StoppedError());
      waiters.clear();
    }
  }

  // --- Changes ----------------------------------------------------------------

  /** A new transaction with its first attempt, and the intents it carries. Resolves once on disk. */
  async sign(transaction: Transaction, intents: readonly Intent[]): Promise<Entry> {
    const nowMs = this.#deps.clock.monotonicMs();
    const entry = createEntry(transaction, { sentAtMs: nowMs, attemptAtMs: nowMs });
    this.#entries.set(transaction.nonce, entry);
    const changes = this.#apply(
      intents.map((intent) => ({ intent, events: [{ kind: "signed", nonce: transaction.nonce }] })),
    );
    const [attempt] = transaction.attempts;
    if (attempt === undefined) throw new Error(`nonce ${transaction.nonce} has no attempt`);
    const changed = changes.map((each) => each.intent);
    entry.stored = this.#deps.store.saveTransaction({ transaction, attempt, intents: changed });
    await entry.stored;
    return entry;
  }

  /** Another attempt of the same nonce. Resolves once on disk. */
  async addAttempt(entry: Entry, attempt: Attempt): Promise<void> {
    const { transaction } = entry;
    entry.transaction = {
      ...transaction,
      attempts: [...transaction.attempts, attempt],
      state: nextTransaction(transaction.state, { kind: "attempted" }),
    };
    entry.attemptAtMs = this.#deps.clock.monotonicMs();
    entry.stored = this.#deps.store.saveTransaction({ transaction: entry.transaction, attempt });
    await entry.stored;
  }

  /** Events of a transaction and of the intents it carries, in one commit. Resolves once on disk. */
  async change(
    entry: Entry,
    events: readonly TransactionEvent[],
    intents: readonly IntentChange[] = [],
  ): Promise<void> {
    const { transaction } = entry;
    const state = events.reduce(nextTransaction, transaction.state);
    entry.transaction = { ...transaction, state };
    if (state.kind === "signed" || state.kind === "included") this.#entries.set(transaction.nonce, entry);
    else this.#entries.delete(transaction.nonce);
    const changes = this.#apply(intents);
    const changed = changes.map(({ intent }) => intent);
    await this.#deps.store.saveTransaction({ transaction: entry.transaction, intents: changed });
    if (events.some(({ kind }) => kind === "included")) this.#deps.onTransaction?.(entry.transaction);
    for (const each of changes) this.#tell(each);
  }

  /** An intent that ends without a transaction. Resolves once on disk. */
  async end(intent: Intent, event: IntentEvent): Promise<void> {
    const changes = this.#apply([{ intent, events: [event] }]);
    await this.#deps.store.saveIntents(changes.map((each) => each.intent));
    for (const each of changes) this.#tell(each);
  }

  /** Takes back from disk a transaction that a deep reorg undid. `undefined` when nothing is kept of it. */
  async reopen(nonce: number): Promise<Entry | undefined> {
    const transaction = this.#deps.store.transactionAt(nonce);
    if (transaction?.state.kind !== "confirmed") return undefined;
    const entry = this.#reenter(transaction);
    const intents = this.#deps.store.intentsAt(nonce).filter(({ id }) => transaction.intentIds.includes(id));
    if (transaction.intentIds.length > 0 && intents.length === 0 && !lastAttempt(entry).isNoop) {
      // What it was to do was released and is done elsewhere: these bytes must not come back.
      await this.change(entry, [{ kind: "displaced" }]);
      return undefined;
    }
    for (const intent of intents) this.#remember(intent);
    await this.change(
      entry,
      [{ kind: "reorged" }],
      intents.map((intent) => ({ intent, events: [{ kind: "reorged" }] })),
    );
    return entry;
  }

  #apply(changes: readonly IntentChange[]): Changed[] {
    return changes.map(({ intent, events }) => {
      const before = this.#intents.get(intent.id) ?? intent;
      const changed: Intent = { ...before, state: events.reduce(nextIntent, before.state) };
      if (isFinal(changed)) this.#forget(changed);
      else this.#remember(changed);
      return { intent: changed, before };
    });
  }

  /** One that was signed before: its age is what the wall clock says, unless that was set back since. */
  #reenter(transaction: Transaction): Entry {
    const { clock } = this.#deps;
    const signedAtMs = transaction.attempts.at(-1)?.signedAtMs ?? 0;
    const ageMs = Math.max(0, clock.nowMs() - signedAtMs);
    return createEntry(transaction, {
      sentAtMs: Number.NEGATIVE_INFINITY,
      attemptAtMs: clock.monotonicMs() - ageMs,
    });
  }

  #remember(intent: Intent): void {
    this.#intents.set(intent.id, intent);
    this.#idByKey.set(intent.key, intent.id);
  }

  #forget({ id, key }: Intent): void {
    this.#intents.delete(id);
    this.#idByKey.delete(key);
  }

  #find(key: string): Intent | undefined {
    const id = this.#idByKey.get(key);
    return id === undefined ? this.#deps.store.intentByKey(key) : this.#intents.get(id);
  }

  #wait(waiters: Map<string, PromiseWithResolvers<IntentOutcome>>, key: string): Promise<IntentOutcome> {
    if (this.#isStopped) return Promise.reject(new StoppedError());
    const waiter = waiters.get(key) ?? Promise.withResolvers<IntentOutcome>();
    waiters.set(key, waiter);
    return waiter.promise;
  }

  #tell({ intent, before }: Changed): void {
    const { key, state } = intent;
    if (!isOutcome(state)) return;
    if (state.kind !== before.state.kind) this.#deps.onOutcome?.(intent);
    this.#ended.get(key)?.resolve(state);
    this.#ended.delete(key);
    if (!isFinal(intent)) return;
    this.#confirmed.get(key)?.resolve(state);
    this.#confirmed.delete(key);
  }
}

interface Changed {
  readonly intent: Intent;
  readonly before: Intent;
}

export function isOutcome(state: Intent["state"]): state is IntentOutcome {
  return state.kind !== "queued" && state.kind !== "signed";
}

function isFinal({ state }: Intent): boolean {
  return isOutcome(state) && (!("isConfirmed" in state) || state.isConfirmed);
}
