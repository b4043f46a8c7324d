import type { Clock, Logger } from "@subnet-worker/kit";
import { TASK_ERROR, type TaskAssignment } from "@subnet-worker/protocol";
import type { CancelReason } from "./errors.ts";
import type { Handler } from "./handler.ts";
import type { MetricPort } from "./handler-metrics.ts";
import type { HandlerRegistry } from "./handler-registry.ts";
import type { Link, Refusal } from "./link.ts";
import type { RunMetrics } from "./metrics.ts";
import { Run, type RunDeps } from "./run.ts";
import { type RunIds, RunLedger } from "./run-ledger.ts";
import { isOpen } from "./run-state.ts";
import type { Settings } from "./settings.ts";
import { type SlotPool, Slots } from "./slots.ts";

export interface RunTableDeps {
  readonly handlers: HandlerRegistry;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: RunMetrics;
  readonly handlerMetrics: MetricPort;
}

/** All runs of a server, over all its streams: who may start, and who is still owed a completion. */
export class RunTable {
  readonly #slots: Slots;
  readonly #deps: RunTableDeps;
  readonly #runDeps: RunDeps;
  readonly #ledger = new RunLedger();
  readonly #pools: ReadonlyMap<Handler, SlotPool>;
  readonly #listeners = new Set<() => void>();
  #isDraining = false;

  /** @throws {WepError} INVALID_OPTION for a handler of a class without slots */
  constructor(deps: RunTableDeps) {
    this.#deps = deps;
    this.#slots = new Slots(deps.settings);
    this.#pools = new Map(deps.handlers.all.map((handler) => [handler, this.#slots.poolOf(handler)]));
    const { clock, log, metrics, handlerMetrics } = deps;
    this.#runDeps = { clock, log, metrics, handlerMetrics, onChange: (run) => this.#changed(run) };
  }

  get busySlots(): number {
    return this.#slots.busy;
  }

  /** Of all classes; 0 while draining. */
  get freeSlots(): number {
    return this.#isDraining ? 0 : this.#slots.free;
  }

  /** Slots by class; empty where there are no classes. No slot is free while draining. */
  get classSlots(): readonly { readonly name: string; readonly busy: number; readonly free: number }[] {
    return this.#slots.pools
      .filter(({ name }) => name !== "")
      .map(({ name, busy, free }) => ({ name, busy, free: this.#isDraining ? 0 : free }));
  }

  /** Equal values are equal capacities, class by class. */
  get capacityMark(): number | string {
    return this.#slots.pools.length === 1
      ? this.freeSlots
      : this.classSlots.map(({ free }) => free).join(" ");
  }

  get openRuns(): number {
    return this.#ledger.openRuns;
  }

  get unacknowledged(): number {
    return this.#ledger.owing;
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** Runs without an outcome that talk to this stream. */
  openRunsOf(link: Link): number {
    return this.#ledger.openRunsOf(link);
  }

  /** Whether a completion was sent to an open stream and is not acknowledged. */
  awaitsAcknowledgement(links: Iterable<Link>): boolean {
    for (const link of links) if (this.#ledger.owingTo(link) > 0) return true;
    return false;
  }

  /**
   * Whether a completion is kept for a node that is known by name, and so may be back within seconds; `givenUp`:
   * nodes that do not count.
   */
  isOwingToNode(givenUp: ReadonlySet<string> = new Set()): boolean {
    return this.#ledger.isOwingToNode(givenUp);
  }

  /** What the node of a stream has here. */
  inventoryOf(link: Link): ReturnType<RunLedger["inventoryOf"]> {
    return this.#ledger.inventoryOf(link);
  }

  /** Takes an assignment, refuses it, or re-attaches the run it names; the answer goes to `link`. */
  assign(assignment: TaskAssignment, link: Link): void {
    const existing = this.#ledger.find(assignment, link);
    if (existing !== undefined && !isSuperseded(existing)) {
      link.sendAck(assignment);
      this.#ledger.attach(existing, link);
      existing.attach(link);
      return;
    }
    const handler = this.#admit(assignment, link);
    if ("reason" in handler) {
      this.#deps.log.warn({ ...logIds(assignment), reason: handler.reason }, "assignment refused");
      link.sendRefusal(assignment, handler);
      return;
    }
    link.sendAck(assignment);
    this.#start(assignment, handler, link);
  }

  /** Stops the run that is named, or every run of the activity; of the node of `link` alone. */
  cancel({ activityId, runId }: RunIds, reason: CancelReason, link: Link): void {
    const runs = this.#ledger
      .ownOfActivity(activityId, link)
      .filter(({ assignment }) => runId === "" || assignment.runId === runId);
    if (runs.length === 0) {
      this.#deps.log.debug(
        { ...logIds({ activityId, runId }), reason },
        "cancel for nothing that this node has here",
      );
    }
    for (const run of runs) {
      if (isOpen(run.state)) run.stop(reason);
      // Its outcome is not on its way to this stream, and now nobody will ask for it.
      else if (!this.#ledger.isAttached(run, link)) run.delivered();
    }
  }

  /** The worker client has stored a completion. */
  acknowledge(ids: RunIds, link: Link): void {
    this.#ledger.findOwn(ids, link)?.delivered();
  }

  /** The stream is gone; its runs go on. */
  detach(link: Link): void {
    for (const run of this.#ledger.detach(link)) run.detach(link);
  }

  /** Takes nothing new from now on. */
  beginDrain(): void {
    this.#isDraining = true;
    this.#notify();
  }

  stopAll(reason: CancelReason): void {
    for (const run of this.#ledger.runs()) if (isOpen(run.state)) run.stop(reason);
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
  #admit(assignment: TaskAssignment, link: Link): Handler | Refusal {
    const { handlers } = this.#deps;
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
    for (const older of this.#ledger.ofActivity(activityId, link)) {
      if (isOpen(older.state)) older.stop("superseded");
    }
    if (this.#ledger.find(assignment, link) !== undefined) {
      return refusal(
        "SYSTEM_OVERLOAD",
        "this very run was superseded and is still stopping; assign a new run_id",
      );
    }
    const pool = this.#poolOf(handler);
    if (pool.free > 0) return handler;
    const which = pool.name === "" ? "" : ` of class ${pool.name}`;
    return refusal("SYSTEM_OVERLOAD", `all ${pool.slots} slots${which} are busy; wait for capacity`);
  }

  #start(assignment: TaskAssignment, handler: Handler, link: Link): void {
    const run = new Run({ assignment, handler, settings: this.#deps.settings }, this.#runDeps);
    this.#ledger.add(run, this.#poolOf(handler), link);
    run.start(link);
    this.#notify();
  }

  #poolOf(handler: Handler): SlotPool {
    return this.#pools.get(handler) ?? this.#slots.poolOf(handler);
  }

  #changed(run: Run): void {
    this.#ledger.update(run);
    this.#dropExcess();
    this.#notify();
  }

  #dropExcess(): void {
    const { maxKeptCompletions, maxKeptBytes } = this.#deps.settings;
    const ledger = this.#ledger;
    while (ledger.owing > maxKeptCompletions) {
      ledger.oldestOwing?.expire(`more than ${maxKeptCompletions} are kept`);
    }
    while (ledger.keptBytes > maxKeptBytes && ledger.owing > 1) {
      ledger.oldestOwing?.expire(`more than ${maxKeptBytes} bytes of results are kept`);
    }
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

function logIds({ activityId, runId }: RunIds): {
  readonly activity_id: string;
  readonly run_id: string;
} {
  return { activity_id: activityId, run_id: runId };
}
