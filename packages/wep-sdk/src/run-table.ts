import type { Clock, Logger } from "@subnet-worker/kit";
import { TASK_ERROR, type TaskAssignment } from "@subnet-worker/protocol";
import type { CancelReason } from "./errors.ts";
import type { Handler } from "./handler.ts";
import type { HandlerRegistry } from "./handler-registry.ts";
import type { Link, Refusal } from "./link.ts";
import type { RunMetrics } from "./metrics.ts";
import { Run } from "./run.ts";
import { holdsSlot, isOpen, owesOutcome } from "./run-state.ts";
import type { Settings } from "./settings.ts";

export interface RunTableDeps {
  readonly handlers: HandlerRegistry;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: RunMetrics;
}

/** All runs of a server, over all its streams: who may start, and who is still owed a completion. */
export class RunTable {
  readonly #deps: RunTableDeps;
  readonly #runs = new Map<string, Run>();
  readonly #listeners = new Set<() => void>();
  #isDraining = false;

  constructor(deps: RunTableDeps) {
    this.#deps = deps;
  }

  get busySlots(): number {
    return this.#count((run) => holdsSlot(run.state));
  }

  /** 0 while draining. */
  get freeSlots(): number {
    return this.#isDraining ? 0 : Math.max(0, this.#deps.settings.maxConcurrency - this.busySlots);
  }

  get openRuns(): number {
    return this.#count((run) => isOpen(run.state));
  }

  get unacknowledged(): number {
    return this.#count((run) => owesOutcome(run.state));
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** Runs without an outcome that talk to this stream. */
  openRunsOf(link: Link): number {
    return this.#count((run) => isOpen(run.state) && run.isAttachedTo(link));
  }

  /** Whether a completion was sent to an open stream and is not acknowledged. */
  awaitsAcknowledgement(links: Iterable<Link>): boolean {
    const open = [...links];
    return this.#count((run) => owesOutcome(run.state) && open.some((link) => run.isAttachedTo(link))) > 0;
  }

  /** Takes an assignment, refuses it, or re-attaches the run it names; the answer goes to `link`. */
  assign(assignment: TaskAssignment, link: Link): void {
    const existing = this.#runs.get(keyOf(assignment));
    if (existing !== undefined && !isSuperseded(existing)) {
      link.sendAck(assignment);
      existing.attach(link);
      return;
    }
    const handler = this.#admit(assignment);
    if ("reason" in handler) {
      this.#deps.log.warn({ ...logIds(assignment), reason: handler.reason }, "assignment refused");
      link.sendRefusal(assignment, handler);
      return;
    }
    link.sendAck(assignment);
    this.#start(assignment, handler, link);
  }

  /** Stops every open run of an activity. */
  cancel(activityId: string, reason: CancelReason): void {
    const runs = this.#openRunsOfActivity(activityId);
    if (runs.length === 0)
      this.#deps.log.debug({ activity_id: activityId, reason }, "cancel for nothing that runs");
    for (const run of runs) run.stop(reason);
  }

  /** The worker client has stored a completion. */
  acknowledge(ids: { readonly activityId: string; readonly runId: string }): void {
    this.#runs.get(keyOf(ids))?.delivered();
  }

  /** The stream is gone; its runs go on. */
  detach(link: Link): void {
    for (const run of this.#runs.values()) run.detach(link);
  }

  /** Takes nothing new from now on. */
  beginDrain(): void {
    this.#isDraining = true;
    this.#notify();
  }

  stopAll(reason: CancelReason): void {
    for (const run of this.#runs.values()) if (isOpen(run.state)) run.stop(reason);
  }

  /** Calls `listener` after each change, until disposed. */
  onChange(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Resolves when `condition` holds, or after `timeoutMs`. */
  async waitUntil(condition: () => boolean, timeoutMs: number): Promise<void> {
    if (condition()) return;
    const over = new AbortController();
    using _ = this.onChange(() => {
      if (condition()) over.abort();
    });
    await this.#deps.clock.sleep(timeoutMs, over.signal);
  }

  /** The handler for an assignment, or why it is not taken. Stops older runs of the same activity. */
  #admit(assignment: TaskAssignment): Handler | Refusal {
    const { handlers, settings } = this.#deps;
    const { activityId, taskKind, taskVersion } = assignment;
    if (activityId === "") return refusal("MISSING_REQUIRED_FIELD", "the assignment has no activity_id");
    const handler = handlers.find(taskKind, taskVersion);
    if (handler === undefined) {
      return refusal(
        "INVALID_INPUT",
        `no handler for ${taskKind} ${taskVersion} here; there is: ${handlers.describe()}`,
      );
    }
    if (this.#isDraining) return refusal("SYSTEM_OVERLOAD", "this worker is draining; assign elsewhere");
    for (const older of this.#openRunsOfActivity(activityId)) older.stop("superseded");
    if (this.#runs.has(keyOf(assignment))) {
      return refusal(
        "SYSTEM_OVERLOAD",
        "this very run was superseded and is still stopping; assign a new run_id",
      );
    }
    if (this.freeSlots > 0) return handler;
    return refusal("SYSTEM_OVERLOAD", `all ${settings.maxConcurrency} slots are busy; wait for capacity`);
  }

  #start(assignment: TaskAssignment, handler: Handler, link: Link): void {
    const { settings, clock, log, metrics } = this.#deps;
    const run = new Run(
      { assignment, handler, settings },
      { clock, log, metrics, onChange: (changed) => this.#changed(changed) },
    );
    this.#runs.set(keyOf(assignment), run);
    run.start(link);
    this.#notify();
  }

  #changed(run: Run): void {
    if (run.state.kind === "forgotten") this.#runs.delete(keyOf(run.assignment));
    this.#dropExcess();
    this.#notify();
  }

  #dropExcess(): void {
    const kept = [...this.#runs.values()].filter((run) => owesOutcome(run.state));
    const excess = kept.slice(0, Math.max(0, kept.length - this.#deps.settings.maxKeptCompletions));
    for (const run of excess) run.expire(`more than ${this.#deps.settings.maxKeptCompletions} are kept`);
  }

  #openRunsOfActivity(activityId: string): Run[] {
    return [...this.#runs.values()].filter(
      (run) => run.assignment.activityId === activityId && isOpen(run.state),
    );
  }

  #count(condition: (run: Run) => boolean): number {
    let count = 0;
    for (const run of this.#runs.values()) if (condition(run)) count += 1;
    return count;
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }
}

function isSuperseded({ state }: Run): boolean {
  return state.kind === "stopping" && state.reason === "superseded";
}

function refusal(name: keyof typeof TASK_ERROR, why: string): Refusal {
  return { code: TASK_ERROR[name], reason: `[${name}] ${why}` };
}

function keyOf({ activityId, runId }: { readonly activityId: string; readonly runId: string }): string {
  return JSON.stringify([activityId, runId]);
}

function logIds({ activityId, runId }: TaskAssignment): {
  readonly activity_id: string;
  readonly run_id: string;
} {
  return { activity_id: activityId, run_id: runId };
}
