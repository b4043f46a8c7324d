import type { Clock, Logger } from "@subnet-worker/kit";
import type { TaskAssignment } from "@subnet-worker/protocol";
import type { CancelReason } from "./errors.ts";
import type { Ask, Grant, OpenUpload } from "./grant.ts";
import type { Handler } from "./handler.ts";
import type { MetricPort } from "./handler-metrics.ts";
import { InProcessExecution } from "./in-process.ts";
import type { ProgressNews } from "./progress.ts";
import type { Outcome } from "./run-state.ts";
import type { TransferSettings } from "./transfer-retry.ts";

/** What carries out a run sees of it, and tells it. */
export interface RunHost {
  readonly assignment: TaskAssignment;
  readonly clock: Clock;
  readonly transfer: TransferSettings;
  /** Writes lines that carry the ids of the run. */
  readonly log: Logger;
  /** When the run is stopped whatever it does, in Unix milliseconds; Infinity: never. */
  readonly endsAtMs: number;
  /** What the handlers of this process measure with. */
  readonly metrics: MetricPort;
  report(news: ProgressNews): PromiseLike<void>;
  /**
   * @throws {TransientFailure} when asking again may help
   * @throws {NotBrokeredError} when the worker client answers nothing like it
   * @throws what is to be thrown to the handler, else
   */
  requestGrant(ask: Ask): Promise<Grant>;
  /** Gives up an upload in parts; what the run sends after it arrives after it. */
  abandonUpload(upload: OpenUpload): void;
  /** The handler has returned or thrown, or can do neither any more. Called once. */
  settle(outcome: Outcome): void;
}

/** A handler at work on one run. */
export interface Execution {
  /** Tells the handler to stop. */
  stop(reason: CancelReason): void;
  /** Whether {@link terminate} works: what shares a thread with the stream cannot be ended without it. */
  readonly canTerminate: boolean;
  /** Ends the handler by force; nothing is settled after it, except what had come in before. */
  terminate(): void;
}

/** Carries out the runs of handlers that it brought. */
export interface Executor {
  execute(handler: Handler, host: RunHost): Execution;
}

const EXECUTOR: unique symbol = Symbol("executor");

interface Brought extends Handler {
  readonly [EXECUTOR]?: Executor;
}

/** Marks a handler as one whose runs `executor` carries out. */
export function broughtBy(executor: Executor, handler: Handler): Handler {
  return Object.freeze({ ...handler, [EXECUTOR]: executor } satisfies Brought);
}

/** Lets a handler begin: where it came from, or in this process. */
export function execute(handler: Handler, host: RunHost): Execution {
  const executor = (handler as Brought)[EXECUTOR];
  return executor === undefined ? new InProcessExecution(handler, host) : executor.execute(handler, host);
}
