import { type Clock, systemClock } from "@subnet-worker/kit";
import type { Intent } from "../src/domain/intent.ts";
import { FINAL_STATES, type Task } from "../src/domain/task.ts";
import type { Attempt, Transaction } from "../src/domain/transaction.ts";
import type { Cursor, IntentRequest, OrderAnswer, TxOrder } from "../src/chain-ports.ts";
import type { Store, TransactionChange } from "../src/ports.ts";

/** A row and when it was written last. */
interface Row<T> {
  readonly value: T;
  readonly updatedAtMs: number;
}

/**
 * What outlives a process: open it again after one has died. Keeps copies, as a
 * file would, so that nothing is shared with what the test goes on to change.
 */
export class MemoryDisk {
  readonly #clock: Clock;
  readonly #tasks = new Map<string, Row<Task>>();
  readonly #intents = new Map<number, Row<Intent>>();
  readonly #idByKey = new Map<string, number>();
  readonly #transactions = new Map<number, Row<Transaction>>();
  readonly #cursors = new Map<string, Cursor>();
  readonly #pauses = new Map<string, boolean>();
  readonly #orders: TxOrder[] = [];
  #lastIntentId = 0;
  #genesisHash: string | undefined;

  /** How many turns of the event loop a commit takes. */
  turnsPerCommit = 1;
  /** Bytes of every attempt that was ever stored: what may have been sent. */
  readonly raws: Set<string> = new Set();
  /** What the operator was told about each order. */
  readonly answers: Map<number, OrderAnswer> = new Map();

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** Another process asks for something to be done, as `wcp tx` does. */
  order(action: TxOrder["action"], nonce: number): number {
    const id = this.#orders.length + 1;
    this.#orders.push({ id, action, nonce });
    return id;
  }

  /** A store on this disk. What is written in one turn of the event loop is there in the next, as in a file. */
  open(): Store {
    let isOpen = true;
    let waiting: (() => void)[] = [];
    const commit = (turns: number) => {
      if (turns > 0) {
        setImmediate(commit, turns - 1);
        return;
      }
      const changes = waiting;
      waiting = [];
      for (const change of changes) change();
    };
    const write = <T>(change: () => T): Promise<T> =>
      new Promise<T>((resolve, reject) => {
        if (!isOpen) throw new Error("the store is closed");
        waiting.push(() => {
          try {
            resolve(change());
          } catch (error) {
            reject(error);
          }
        });
        if (waiting.length === 1) commit(this.turnsPerCommit);
      });
    return {
      openTasks: () =>
        valuesOf(this.#tasks)
          .filter((task) => !FINAL_STATES.has(task.state.kind))
          .map(copy),
      task: (id) => copy(this.#tasks.get(id)?.value),
      saveTask: (task, from) => {
        const taken = copy(task);
        return write(() => this.#saveTask(taken, from));
      },
      openIntents: () => valuesOf(this.#intents).filter(isOpenIntent).map(copy),
      intentByKey: (key) => copy(this.#intentByKey(key)),
      addIntent: (request, nowMs) => write(() => copy(this.#addIntent(copy(request), nowMs))),
      saveIntents: (intents) =>
        write(() => {
          this.#checkIntents(intents);
          for (const intent of intents) this.#putIntent(copy(intent));
        }),
      openTransactions: () =>
        valuesOf(this.#transactions)
          .filter(isOpenTransaction)
          .toSorted((a, b) => a.nonce - b.nonce)
          .map(copy),
      transactionAt: (nonce) => copy(this.#transactions.get(nonce)?.value),
      intentsAt: (nonce) =>
        valuesOf(this.#intents)
          .filter(({ state }) => "nonce" in state && state.nonce === nonce)
          .map(copy),
      saveTransaction: (change) => write(() => this.#saveTransaction(copy(change))),
      highestNonce: () =>
        this.#transactions.size === 0 ? undefined : Math.max(...this.#transactions.keys()),
      cursor: (name) => copy(this.#cursors.get(name)),
      saveCursor: (name, cursor) => write(() => void this.#cursors.set(name, copy(cursor))),
      queuePauses: () => new Map(this.#pauses),
      saveQueuePause: (queue, isPaused) =>
        write(() => {
          if (isPaused === undefined) this.#pauses.delete(queue);
          else this.#pauses.set(queue, isPaused);
        }),
      openOrders: () => this.#orders.filter(({ id }) => !this.answers.has(id)),
      answerOrder: (id, answer) => write(() => void this.answers.set(id, answer)),
      genesisHash: () => this.#genesisHash,
      saveGenesisHash: (hash) =>
        write(() => {
          this.#genesisHash = hash;
        }),
      prune: (beforeMs) => write(() => this.#prune(beforeMs)),
      [Symbol.dispose]: () => {
        commit(0);
        isOpen = false;
      },
    };
  }

  #saveTask(task: Task, from: Task["state"]["kind"] | "new"): void {
    const stored = this.#tasks.get(task.id)?.value;
    if ((stored?.state.kind ?? "new") !== from) {
      throw new Error(`[CONFLICT] task ${task.id} is not in state "${from}"`);
    }
    const { round, state } = task;
    this.#tasks.set(task.id, this.#row(stored === undefined ? task : { ...stored, round, state }));
  }

  #intentByKey(key: string): Intent | undefined {
    return this.#intents.get(this.#idByKey.get(key) ?? 0)?.value;
  }

  #addIntent(request: IntentRequest, nowMs: number): Intent {
    const known = this.#intentByKey(request.key);
    if (known !== undefined) return known;
    const { deadlineMs, replaces, ...rest } = request;
    const intent: Intent = {
      ...rest,
      deadlineMs,
      replaces,
      id: (this.#lastIntentId += 1),
      createdAtMs: nowMs,
      state: { kind: "queued" },
    };
    this.#intents.set(intent.id, this.#row(intent));
    this.#idByKey.set(intent.key, intent.id);
    return intent;
  }

  #checkIntents(intents: readonly Intent[]): void {
    for (const { id, key } of intents) {
      const stored = this.#intents.get(id)?.value;
      if (stored === undefined || stored.state.kind === "refused" || stored.state.kind === "dropped") {
        throw new Error(`intent ${key} had already ended`);
      }
    }
  }

  #putIntent({ id, key, state }: Intent): void {
    const stored = this.#intents.get(id);
    if (stored === undefined) throw new Error(`intent ${key} is not stored`);
    this.#intents.set(id, this.#row({ ...stored.value, state }));
  }

  #saveTransaction({ transaction, attempt, intents = [] }: TransactionChange): void {
    // Everything that can throw comes first: a change is stored as a whole or not at all.
    this.#checkIntents(intents);
    const { nonce, state } = transaction;
    if (attempt === undefined) {
      const stored = this.#transactions.get(nonce)?.value;
      if (stored === undefined) throw new Error(`the transaction with nonce ${nonce} is not stored`);
      this.#transactions.set(nonce, this.#row({ ...stored, state }));
    } else {
      this.#saveAttempt(transaction, attempt);
    }
    for (const intent of intents) this.#putIntent(intent);
  }

  /** A first attempt is a new transaction: it may take the place of one that was displaced. */
  #saveAttempt(transaction: Transaction, attempt: Attempt): void {
    const { nonce, state } = transaction;
    const known = this.#transactions.get(nonce)?.value;
    const isFirst = transaction.attempts.length === 1;
    const stored = isFirst && known?.state.kind === "displaced" ? undefined : known;
    if (isFirst ? stored !== undefined : stored?.attempts.length !== transaction.attempts.length - 1) {
      throw new Error(`nonce ${nonce} has other attempts`);
    }
    const staying = valuesOf(this.#transactions).filter((other) => other !== known || stored !== undefined);
    if (staying.some(({ attempts }) => attempts.some(({ txHash }) => txHash === attempt.txHash))) {
      throw new Error(`an attempt of nonce ${nonce} is stored already`);
    }
    this.raws.add(attempt.raw);
    const attempts = [...(stored?.attempts ?? []), attempt];
    this.#transactions.set(nonce, this.#row({ ...(stored ?? transaction), attempts, state }));
  }

  #prune(beforeMs: number): number {
    const highest = Math.max(...this.#transactions.keys());
    const tasks = pruneRows(this.#tasks, beforeMs, ({ state }) => FINAL_STATES.has(state.kind));
    const intents = pruneRows(this.#intents, beforeMs, (intent) => !isOpenIntent(intent));
    for (const { key, id } of intents) if (this.#idByKey.get(key) === id) this.#idByKey.delete(key);
    const transactions = pruneRows(
      this.#transactions,
      beforeMs,
      (transaction) => !isOpenTransaction(transaction) && transaction.nonce < highest,
    );
    return tasks.length + intents.length + transactions.length;
  }

  #row<T>(value: T): Row<T> {
    return { value, updatedAtMs: this.#clock.nowMs() };
  }
}

function pruneRows<K, T>(rows: Map<K, Row<T>>, beforeMs: number, hasEnded: (value: T) => boolean): T[] {
  const gone: T[] = [];
  for (const [key, { value, updatedAtMs }] of rows) {
    if (updatedAtMs >= beforeMs || !hasEnded(value)) continue;
    rows.delete(key);
    gone.push(value);
  }
  return gone;
}

function valuesOf<K, T>(rows: ReadonlyMap<K, Row<T>>): T[] {
  return [...rows.values()].map(({ value }) => value);
}

function isOpenIntent({ state }: Intent): boolean {
  if (state.kind === "queued" || state.kind === "signed") return true;
  return (state.kind === "mined" || state.kind === "reverted") && !state.isConfirmed;
}

function isOpenTransaction({ state }: Transaction): boolean {
  return state.kind === "signed" || state.kind === "included";
}

function copy<T>(value: T): T {
  return structuredClone(value);
}
