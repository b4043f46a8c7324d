import type { Intent } from "../src/domain/intent.ts";
import { FINAL_STATES, type Task } from "../src/domain/task.ts";
import type { Store } from "../src/ports.ts";

/**
 * What outlives a process: open it again after one has died. Keeps copies, as a
 * file would, so that nothing is shared with what the test goes on to change.
 */
export class MemoryDisk {
  readonly #tasks = new Map<string, Task>();
  readonly #intents = new Map<string, Intent>();
  readonly #nonces = new Map<number, string>();
  readonly #cursors = new Map<string, number>();
  #highestNonce: number | undefined;

  /** Every attempt ever stored: what may have been sent. */
  readonly raws: Set<string> = new Set();

  /** A store on this disk. Writes take effect at once and resolve in a later turn. */
  open(): Store {
    let isOpen = true;
    const write = async <T>(change: () => T): Promise<T> => {
      if (!isOpen) throw new Error("the store is closed");
      const value = change();
      await new Promise<void>((resolve) => {
        setImmediate(resolve);
      });
      return value;
    };
    return {
      openTasks: () =>
        [...this.#tasks.values()].filter((task) => !FINAL_STATES.has(task.state.kind)).map(copy),
      task: (id) => copy(this.#tasks.get(id)),
      saveTask: (task, from) => write(() => this.#saveTask(copy(task), from)),
      openIntents: () => [...this.#intents.values()].filter(isOpenIntent).map(copy),
      intentByKey: (key) => copy(this.#intents.get(key)),
      addIntent: (request, nowMs) =>
        write(() => {
          const known = this.#intents.get(request.key);
          if (known !== undefined) return copy(known);
          const { key, kind, taskId, to, data } = request;
          const intent: Intent = {
            id: this.#intents.size + 1,
            key,
            kind,
            taskId,
            to,
            data,
            createdAtMs: nowMs,
            state: { kind: "queued" },
          };
          this.#intents.set(request.key, intent);
          return copy(intent);
        }),
      saveIntent: (intent, attempt) => write(() => this.#saveIntent(copy(intent), attempt?.raw)),
      highestNonce: () => this.#highestNonce,
      cursor: (name) => this.#cursors.get(name),
      saveCursor: (name, blockNumber) => write(() => void this.#cursors.set(name, blockNumber)),
      [Symbol.dispose]: () => {
        isOpen = false;
      },
    };
  }

  #saveTask(task: Task, from: Task["state"]["kind"] | "new"): void {
    const stored = this.#tasks.get(task.id);
    if ((stored?.state.kind ?? "new") !== from) {
      throw new Error(`[CONFLICT] task ${task.id} is not in state "${from}"`);
    }
    const { round, state } = task;
    this.#tasks.set(task.id, stored === undefined ? task : { ...stored, round, state });
  }

  #saveIntent(intent: Intent, raw: string | undefined): void {
    if (raw !== undefined && this.raws.has(raw))
      throw new Error(`an attempt of ${intent.key} is stored already`);
    const stored = this.#intents.get(intent.key);
    if (stored === undefined || !isOpenIntent(stored)) {
      throw new Error(`intent ${intent.key} had already ended`);
    }
    if (intent.state.kind === "signed") {
      const { nonce } = intent.state;
      const owner = this.#nonces.get(nonce) ?? intent.key;
      if (owner !== intent.key) throw new Error(`nonce ${nonce} belongs to ${owner}`);
      this.#nonces.set(nonce, intent.key);
      this.#highestNonce = Math.max(this.#highestNonce ?? 0, nonce);
    } else if (stored.state.kind === "signed" && intent.state.kind === "queued") {
      this.#nonces.delete(stored.state.nonce);
    }
    if (raw !== undefined) this.raws.add(raw);
    this.#intents.set(intent.key, { ...stored, state: intent.state });
  }
}

function isOpenIntent({ state }: Intent): boolean {
  return state.kind === "queued" || state.kind === "signed";
}

function copy<T>(value: T): T {
  return structuredClone(value);
}
