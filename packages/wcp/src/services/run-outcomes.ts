import type { Clock, Logger } from "@subnet-worker/kit";
import { decideRetry, type RetryPolicy, type RunFailure, tellFailures } from "../domain/retry.ts";
import type { Outcome, Task } from "../domain/task.ts";
import type { RunOutcome, TaskDataError, TaskSource } from "../ports.ts";
import type { Places } from "./places.ts";
import type { TaskBook } from "./task-book.ts";

export interface RunOutcomesOptions {
  /** Where the activity's spec says nothing. */
  readonly retry: RetryPolicy;
  /** A result is stored with the run that it is of, so that its objects are told from those of other runs. Default false. */
  readonly keepsRunIds?: boolean;
}

export interface RunOutcomesDeps {
  readonly source: TaskSource;
  readonly book: TaskBook;
  readonly places: Places;
  readonly clock: Clock;
  readonly logger: Logger;
}

const OVERLOADED = 4002;
/** Nobody knows what the run came to: another may well succeed. */
const LOST_WITH_EXECUTOR = { code: 2002, retryable: true, retryAfterMs: 0 };
/** An executor that is full is asked again after this. */
const FULL_MS = 1_000;

/**
 * What becomes of a task when its run is over: it has its outcome, or is to be run again, or is given up.
 * All of it is in the book when a call resolves, and a pause before the next run is over.
 */
export class RunOutcomes {
  readonly #retry: RetryPolicy;
  readonly #keepsRunIds: boolean;
  readonly #deps: RunOutcomesDeps;

  constructor(options: RunOutcomesOptions, deps: RunOutcomesDeps) {
    this.#retry = options.retry;
    this.#keepsRunIds = options.keepsRunIds ?? false;
    this.#deps = deps;
  }

  /** @throws {TaskDataError} when the result cannot be encoded */
  async conclude(id: string, outcome: RunOutcome, signal: AbortSignal): Promise<void> {
    const task = this.#deps.book.get(id);
    if (task === undefined) return; // the lease was lost while it ran
    if (outcome.kind === "succeeded") {
      const resultHex = this.#deps.source.encodeResult(task, outcome.result);
      if (outcome.result.isSkipped === true) this.#tellSkipped(task);
      const runId = this.#keepsRunIds && "run" in task.state ? { runId: task.state.run.id } : {};
      await this.#finish(task.id, { status: "success", resultHex, ...runId });
    } else if (outcome.kind === "failed") {
      await this.#onFailure(task, outcome, signal);
    } else if (outcome.kind === "interrupted") {
      await this.#onFailure(task, { ...LOST_WITH_EXECUTOR, message: outcome.reason, isLost: true }, signal);
    } else if (outcome.code === OVERLOADED) {
      this.#deps.places.refused(task);
      await this.#deps.clock.sleep(FULL_MS, signal);
    } else {
      await this.#deps.book.move(task.id, {
        kind: "abandoned",
        reason: `the executor refused it: ${outcome.reason}; its lease is left to run out so that another worker can take it`,
      });
    }
  }

  #tellSkipped({ id, state }: Task): void {
    const run = "run" in state ? { run_id: state.run.id } : {};
    this.#deps.logger.info(
      { activity_id: id, ...run },
      "the run was skipped: its handler had nothing to do; completing the activity with its outputs",
    );
  }

  /** What it was to work on, or what it came to, makes no sense: no other run would help. */
  async failData(id: string, { code, message }: TaskDataError): Promise<void> {
    await this.#finish(id, { status: "error", code, reason: message });
  }

  async #onFailure(
    task: Task,
    { isLost = false, ...failure }: RunFailure & { readonly isLost?: boolean },
    signal: AbortSignal,
  ): Promise<void> {
    const attempt = "run" in task.state ? task.state.run.attempt : 1;
    // What the activity's spec says goes before what the node has.
    const policy = { ...this.#retry, ...this.#deps.source.plan(task)?.retry };
    const decision = decideRetry(failure, attempt, policy);
    const run = "run" in task.state ? { run_id: task.state.run.id } : {};
    const log = { activity_id: task.id, ...run, attempt, error_code: failure.code, error: failure.message };
    if (decision.kind === "fail") {
      const before = "run" in task.state ? (task.state.run.past?.failures ?? []) : [];
      this.#deps.logger.warn(log, "the run failed; failing the activity");
      await this.#finish(task.id, {
        status: "error",
        code: failure.code,
        reason: tellFailures([...before, failure.message]),
      });
      return;
    }
    this.#deps.logger.warn({ ...log, retry_in_ms: decision.delayMs }, "the run failed; running it again");
    await this.#deps.book.move(task.id, { kind: "run_failed", failure: failure.message, isLost });
    await this.#deps.clock.sleep(decision.delayMs, signal);
  }

  async #finish(id: string, outcome: Outcome): Promise<void> {
    if (this.#deps.book.get(id) !== undefined) await this.#deps.book.move(id, { kind: "finished", outcome });
  }
}
