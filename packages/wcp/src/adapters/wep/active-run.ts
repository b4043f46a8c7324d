import {
  type Assignment,
  type CancelReason,
  type RunListener,
  type RunOutcome,
  StoppedError,
} from "../../ports.ts";
import type { WepSlot } from "./slot.ts";

/** A run that has no outcome yet. */
export interface ActiveRun {
  /** With fresh URLs in every session. */
  assignment: Assignment;
  readonly listener: RunListener;
  readonly slot: WepSlot;
  /** The process is stopping: the run is left alone. */
  readonly signal: AbortSignal;
  readonly startedAtMs: number;
  readonly resolve: (outcome: RunOutcome) => void;
  readonly reject: (error: Error) => void;
  percent: number;
  /** Why it was cancelled, if it was. A WEP that was away when that happened is told when it is back. */
  cancelled: CancelReason | undefined;
  /** Instance of the WEP that is known to have it. */
  heldBy: string | undefined;
  /** Sessions that it was sent in and that ended with nobody having it. */
  strikes: number;
  wasSent: boolean;
  /** Its requests for objects that are being answered. */
  requests: number;
  /** Of its requests, the ones that were refused. */
  refusals: number;
  /** The ones that storage did not answer, or not with a grant. */
  failures: number;
}

/** The runs of one WEP, and of the pool by task; both found at once. */
export class ActiveRuns {
  readonly #byId = new Map<string, ActiveRun>();
  readonly #byTask: Map<string, ActiveRun>;
  readonly #heard = new WeakSet<AbortSignal>();

  /** `byTask`: shared by the WEPs of a pool. A task has one run at a time. */
  constructor(byTask: Map<string, ActiveRun>) {
    this.#byTask = byTask;
  }

  get size(): number {
    return this.#byId.size;
  }

  all(): ActiveRun[] {
    return [...this.#byId.values()];
  }

  get(runId: string): ActiveRun | undefined {
    return this.#byId.get(runId);
  }

  /** The run of a message; the simplest peers may leave run_id out of what they send. */
  of({ runId, activityId }: { readonly runId: string; readonly activityId: string }): ActiveRun | undefined {
    if (runId !== "") return this.#byId.get(runId);
    const run = this.#byTask.get(activityId);
    return run !== undefined && this.#byId.get(run.assignment.runId) === run ? run : undefined;
  }

  add(run: ActiveRun): void {
    this.#byId.set(run.assignment.runId, run);
    this.#byTask.set(run.assignment.task.id, run);
    this.#stopWith(run.signal);
  }

  delete(run: ActiveRun): void {
    const { runId, task } = run.assignment;
    if (this.#byId.get(runId) === run) this.#byId.delete(runId);
    if (this.#byTask.get(task.id) === run) this.#byTask.delete(task.id);
  }

  /** Ends every run that was started with `signal`, or every run. */
  stop(signal?: AbortSignal): void {
    for (const run of this.all()) {
      if (signal !== undefined && run.signal !== signal) continue;
      this.delete(run);
      run.reject(new StoppedError());
    }
  }

  /** One listener per signal: all runs of a process share one. */
  #stopWith(signal: AbortSignal): void {
    if (this.#heard.has(signal)) return;
    this.#heard.add(signal);
    signal.addEventListener("abort", () => this.stop(signal), { once: true });
  }
}
