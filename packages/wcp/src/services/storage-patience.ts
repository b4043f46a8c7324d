import { type Clock, createBackoff, type Logger } from "@subnet-worker/kit";
import type { Task } from "../domain/task.ts";
import { StoppedError, StorageError } from "../ports.ts";
import type { TaskBook } from "./task-book.ts";

export interface StoragePatienceDeps {
  readonly book: TaskBook;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface Waiting {
  readonly task: Task;
  readonly runId: string;
  /** Aborts when the process stops. */
  readonly signal: AbortSignal;
}

/** Short enough for a lease that is lost meanwhile not to hold its slot for long. */
const LONGEST_PAUSE_MS = 10_000;
const LOG_EVERY_MS = 60_000;

/** Asks storage again while it does not answer and the task is still ours: nothing is given up for its bad hour. */
export class StoragePatience {
  readonly #deps: StoragePatienceDeps;

  constructor(deps: StoragePatienceDeps) {
    this.#deps = deps;
  }

  /**
   * `undefined` when the task's lease was lost first. Rejects with what storage says that waiting does not
   * change, and with {@link StoppedError}.
   */
  async ask<T extends object>(call: () => Promise<T>, waiting: Waiting): Promise<T | undefined> {
    const { clock } = this.#deps;
    const backoff = createBackoff({ initialMs: 500, maxMs: LONGEST_PAUSE_MS });
    let loggedAtMs = Number.NEGATIVE_INFINITY;
    for (;;) {
      try {
        return await call();
      } catch (error) {
        if (!(error instanceof StorageError) || !error.isRetryable) throw error;
        if (clock.monotonicMs() - loggedAtMs >= LOG_EVERY_MS) {
          loggedAtMs = clock.monotonicMs();
          this.#tell(error, waiting);
        }
      }
      await clock.sleep(backoff.nextMs(), waiting.signal);
      if (waiting.signal.aborted) throw new StoppedError();
      if (!this.#isOurs(waiting.task)) return undefined;
    }
  }

  #isOurs({ id, round }: Task): boolean {
    return this.#deps.book.get(id)?.round === round;
  }

  #tell(error: StorageError, { task, runId }: Waiting): void {
    this.#deps.logger.warn(
      { activity_id: task.id, run_id: runId, err: error },
      "storage does not answer, and this activity waits for it while its lease is kept; asking again (when it stays, check [storage] with wcp doctor)",
    );
  }
}
