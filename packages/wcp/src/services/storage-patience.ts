import { type Clock, createBackoff, type Logger } from "@subnet-worker/kit";
import type { Task } from "../domain/task.ts";
import { StoppedError } from "../ports.ts";
import { StorageError } from "../storage-ports.ts";
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
/**
 * What waits keeps others from being claimed for this long: it may be its own object that storage stumbles on,
 * and whoever enqueued that is not to stop the node.
 */
const LONGEST_HOLD_MS = 900_000;

/** Asks storage again while it does not answer and the task is still ours: nothing is given up for its bad hour. */
export class StoragePatience {
  readonly #deps: StoragePatienceDeps;
  #waiting = 0;
  #problem = "";
  #loggedAtMs = Number.NEGATIVE_INFINITY;
  /** In monotonic time; over at once when storage answers anybody. */
  #holdsUntilMs = Number.NEGATIVE_INFINITY;

  constructor(deps: StoragePatienceDeps) {
    this.#deps = deps;
  }

  /** How many tasks wait. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Why nothing more should be taken on: what is here already waits for storage. A sentence for the operator. */
  notReady(): readonly string[] {
    if (this.#waiting === 0 || this.#deps.clock.monotonicMs() >= this.#holdsUntilMs) return [];
    return [
      `storage does not answer, and activities wait for it (${this.#waiting}): ${this.#problem}; check [storage] with wcp doctor; trying on`,
    ];
  }

  /**
   * `undefined` when the task's lease was lost first. Rejects with what storage says that waiting does not
   * change, and with {@link StoppedError}.
   */
  async ask<T extends object>(call: () => Promise<T>, waiting: Waiting): Promise<T | undefined> {
    try {
      return await this.#answered(call);
    } catch (error) {
      this.#note(error, waiting);
    }
    this.#waiting += 1;
    this.#holdsUntilMs = this.#deps.clock.monotonicMs() + LONGEST_HOLD_MS;
    try {
      return await this.#askOn(call, waiting);
    } finally {
      this.#waiting -= 1;
    }
  }

  async #askOn<T extends object>(call: () => Promise<T>, waiting: Waiting): Promise<T | undefined> {
    const { clock } = this.#deps;
    const backoff = createBackoff({ initialMs: 500, maxMs: LONGEST_PAUSE_MS });
    for (;;) {
      await clock.sleep(backoff.nextMs(), waiting.signal);
      if (waiting.signal.aborted) throw new StoppedError();
      if (!this.#isOurs(waiting.task)) return undefined;
      try {
        return await this.#answered(call);
      } catch (error) {
        this.#note(error, waiting);
      }
    }
  }

  async #answered<T>(call: () => Promise<T>): Promise<T> {
    const answer = await call();
    this.#holdsUntilMs = Number.NEGATIVE_INFINITY;
    return answer;
  }

  #isOurs({ id, round }: Task): boolean {
    return this.#deps.book.get(id)?.round === round;
  }

  /** Rejects with what is no reason to wait. One line a minute for all that wait. */
  #note(error: unknown, { task, runId }: Waiting): void {
    if (!(error instanceof StorageError) || !error.isRetryable) throw error;
    this.#problem = error.message;
    const nowMs = this.#deps.clock.monotonicMs();
    if (nowMs - this.#loggedAtMs < LOG_EVERY_MS) return;
    this.#loggedAtMs = nowMs;
    this.#deps.logger.warn(
      { activity_id: task.id, run_id: runId, waiting: this.#waiting, err: error },
      "storage does not answer; activities wait for it while their leases are kept (when it stays, check [storage] with wcp doctor)",
    );
  }
}
