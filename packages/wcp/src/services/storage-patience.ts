import { type Clock, createBackoff, type Logger } from "@subnet-worker/kit";
import type { Task } from "../domain/task.ts";
import { StoppedError } from "../ports.ts";
import { StorageError } from "../storage-ports.ts";
import type { TaskBook } from "./task-book.ts";

/** What of a task waits: URLs of its inputs, or a look at what it has written. */
export type Awaited = "input" | "result";

/** Why a task waits no longer: it has for as long as it may, or nobody wants its result any more. */
export type GivingUp = "patience" | "deadline";

export interface StoragePatienceDeps {
  readonly book: TaskBook;
  readonly clock: Clock;
  readonly logger: Logger;
  /** A task waits no longer. */
  readonly onGivenUp?: ((what: Awaited, why: GivingUp) => void) | undefined;
}

/** One task's wish to have storage's answer. */
export interface Waiting {
  readonly task: Task;
  readonly runId: string;
  /** Aborts when the process stops. */
  readonly signal: AbortSignal;
  /** For how long it waits while storage does not answer; not counted is what a wrong credential of this node takes. */
  readonly patienceMs: number;
  /** What sets that, for the operator. */
  readonly setting: "storage.input_patience" | "storage.result_patience";
  /** Wall clock; from then on nobody wants its result. `undefined`: no such time. */
  readonly deadlineMs: number | undefined;
}

/** A task has waited for storage for as long as it may. The message says what for, for how long, and what to do. */
export class WaitOver extends Error {
  override readonly name = "WaitOver";
  readonly why: GivingUp;

  constructor(why: GivingUp, message: string, options: { readonly cause: StorageError }) {
    super(`[STORAGE_WAIT_OVER] ${message}`, options);
    this.why = why;
  }
}

/** Short enough for a lease that is lost meanwhile not to hold its slot for long. */
const LONGEST_PAUSE_MS = 10_000;
const LOG_EVERY_MS = 60_000;
/**
 * What waits keeps others from being claimed for this long: it may be its own object that storage stumbles on,
 * and whoever enqueued that is not to stop the node.
 */
const LONGEST_HOLD_MS = 900_000;

/**
 * Asks storage again while it does not answer, the task is still ours and has time: nothing is given up for its
 * bad hour, and nothing waits for ever for an object that it always stumbles on.
 */
export class StoragePatience {
  readonly #what: Awaited;
  readonly #deps: StoragePatienceDeps;
  #waiting = 0;
  #problem = "";
  #loggedAtMs = Number.NEGATIVE_INFINITY;
  /** In monotonic time; over at once when storage answers anybody. */
  #holdsUntilMs = Number.NEGATIVE_INFINITY;

  constructor(what: Awaited, deps: StoragePatienceDeps) {
    this.#what = what;
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
   * change, with {@link WaitOver}, and with {@link StoppedError}.
   */
  async ask<T extends object>(call: () => Promise<T>, waiting: Waiting): Promise<T | undefined> {
    const { clock } = this.#deps;
    let problem: StorageError;
    try {
      return await this.#answered(call);
    } catch (error) {
      problem = this.#note(error, waiting);
    }
    this.#waiting += 1;
    this.#holdsUntilMs = clock.monotonicMs() + LONGEST_HOLD_MS;
    try {
      return await this.#askOn(call, waiting, problem);
    } finally {
      this.#waiting -= 1;
    }
  }

  async #askOn<T extends object>(
    call: () => Promise<T>,
    waiting: Waiting,
    first: StorageError,
  ): Promise<T | undefined> {
    const { clock } = this.#deps;
    const backoff = createBackoff({ initialMs: 500, maxMs: LONGEST_PAUSE_MS });
    let last = { problem: first, atMs: clock.monotonicMs() };
    let waitedMs = 0;
    for (;;) {
      await clock.sleep(backoff.nextMs(), waiting.signal);
      if (waiting.signal.aborted) throw new StoppedError();
      if (!this.#isOurs(waiting.task)) return undefined;
      try {
        return await this.#answered(call);
      } catch (error) {
        const problem = this.#note(error, waiting);
        const atMs = clock.monotonicMs();
        // A credential is the operator's to mend, and mended for all: no task is the worse for it.
        if (last.problem.code === "UNAVAILABLE") waitedMs += atMs - last.atMs;
        last = { problem, atMs };
        this.#endWait(waiting, { waitedMs, problem });
      }
    }
  }

  /** @throws {WaitOver} when the task is to wait no longer */
  #endWait(
    { task, runId, patienceMs, setting, deadlineMs = Number.POSITIVE_INFINITY }: Waiting,
    { waitedMs, problem }: { readonly waitedMs: number; readonly problem: StorageError },
  ): void {
    const isLate = this.#deps.clock.nowMs() >= deadlineMs;
    if (!isLate && waitedMs < patienceMs) return;
    const why = isLate ? "deadline" : "patience";
    const end = isLate
      ? `its deadline, ${new Date(deadlineMs).toISOString()}, passed while storage did not answer; enqueue it again with more time`
      : `storage did not answer for ${Math.round(waitedMs / 1_000)} s, which is as long as it waits (${setting}); look at that object, or at all of [storage] with wcp doctor`;
    this.#deps.logger.warn(
      { activity_id: task.id, run_id: runId, what: this.#what, why, waited_ms: waitedMs, err: problem },
      "storage did not answer an activity in time; it waits no longer",
    );
    this.#deps.onGivenUp?.(this.#what, why);
    throw new WaitOver(why, `${end}: ${problem.message}`, { cause: problem });
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
  #note(error: unknown, { task, runId }: Waiting): StorageError {
    if (!(error instanceof StorageError) || !error.isRetryable) throw error;
    this.#problem = error.message;
    const nowMs = this.#deps.clock.monotonicMs();
    if (nowMs - this.#loggedAtMs < LOG_EVERY_MS) return error;
    this.#loggedAtMs = nowMs;
    this.#deps.logger.warn(
      { activity_id: task.id, run_id: runId, waiting: this.#waiting, err: error },
      "storage does not answer; activities wait for it while their leases are kept (when it stays, check [storage] with wcp doctor)",
    );
    return error;
  }
}
