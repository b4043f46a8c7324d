import type { Outcome, Task } from "../domain/task.ts";
import type { SettleOutcome, TaskSource } from "../ports.ts";
import type { TaskBook } from "./task-book.ts";

export interface SettlementsDeps {
  readonly source: TaskSource;
  readonly book: TaskBook;
  /** The network has an outcome, though not for good yet. */
  readonly onIncluded: () => void;
}

const INVALID_RESULT = 1003;

/** Tasks whose outcome is on its way to the network, or waits for confirmations there. */
export class Settlements {
  readonly #deps: SettlementsDeps;
  readonly #settling = new Set<string>();
  /** Of those, the ones whose outcome the network has. */
  readonly #included = new Set<string>();

  constructor(deps: SettlementsDeps) {
    this.#deps = deps;
  }

  /** How many were begun and not {@link Settlements.delete | deleted}. */
  get size(): number {
    return this.#settling.size;
  }

  /** How many of them the network has. */
  get included(): number {
    return this.#included.size;
  }

  /** Resolves when the outcome can no longer change and is in the book, or is another one that is to be settled in its place. */
  async settle(task: Task, outcome: Outcome): Promise<void> {
    const { source, book } = this.#deps;
    this.#settling.add(task.id);
    const onIncluded = () => {
      this.#included.add(task.id);
      this.#deps.onIncluded();
    };
    const settled: SettleOutcome =
      outcome.status === "success"
        ? await source.complete(task, outcome.resultHex, onIncluded)
        : await source.fail(task, outcome.reason, onIncluded);
    if (settled.kind !== "refused") await book.move(task.id, settled);
    else if (outcome.status === "success") {
      await book.move(task.id, {
        kind: "finished",
        outcome: { status: "error", code: INVALID_RESULT, reason: settled.reason },
      });
    } else await book.move(task.id, { kind: "abandoned", reason: settled.reason });
  }

  /** The task is over. */
  delete(id: string): void {
    this.#settling.delete(id);
    this.#included.delete(id);
  }
}
