/** A time-limited hold on an activity. Times are this machine's, converted from the network's at the edge. */
export interface Lease {
  readonly expiresAtMs: number;
  /** Full length of a fresh lease; what a heartbeat grants again. */
  readonly durationMs: number;
  /** Names the claim that the lease comes from, as the network tells it: the same after any restart. */
  readonly token: string;
}

/** One execution of a task by an executor. The same `id` is the same execution, however often it is assigned. */
export interface Run {
  readonly id: string;
  /** 1 for the first. */
  readonly attempt: number;
  /** Where it runs: a WEP endpoint. */
  readonly executor: string;
  /** What the attempts before it left behind, and what it has reported itself. */
  readonly past?: Past;
}

/** What ended attempts of a task leave to the next. */
export interface Past {
  /** The last that any of them reported; the next goes on from there. */
  readonly checkpointRef?: string;
  /** Why each of them failed, oldest first. */
  readonly failures: readonly string[];
  /** Where the last was when it was lost together with its executor. */
  readonly lostAt?: string;
}

/** What a run came to, as the network will hear it. */
export type Outcome =
  | {
      readonly status: "success";
      readonly resultHex: string;
      /** Whose result it is, where runs write objects: theirs are kept with it. */
      readonly runId?: string;
    }
  | { readonly status: "error"; readonly code: number; readonly reason: string };

export type TaskState =
  /** Seen on the network; nobody here has acted on it. */
  | { readonly kind: "offered" }
  /** A claim is under way. */
  | { readonly kind: "claiming" }
  /** Ours, not running; `attempts` runs have ended before. */
  | { readonly kind: "claimed"; readonly lease: Lease; readonly attempts: number; readonly past?: Past }
  /** Handed to an executor, which has not spoken yet. */
  | { readonly kind: "assigned"; readonly lease: Lease; readonly run: Run }
  /** The executor reports progress, 0 to 100. */
  | { readonly kind: "running"; readonly lease: Lease; readonly run: Run; readonly percent: number }
  /** The run has ended; the network is being told. */
  | { readonly kind: "settling"; readonly outcome: Outcome }
  | { readonly kind: "done"; readonly outcome: Outcome }
  /** Somebody else has it. */
  | { readonly kind: "lost"; readonly reason: string }
  /** The lease ran out under us. */
  | { readonly kind: "expired" }
  /** Given up by the operator or by policy; the lease is left to run out. */
  | { readonly kind: "abandoned"; readonly reason: string };

export type TaskEvent =
  | { readonly kind: "claim_started" }
  | { readonly kind: "claim_won"; readonly lease: Lease }
  | { readonly kind: "assigned"; readonly run: Run }
  | { readonly kind: "progressed"; readonly percent: number; readonly checkpointRef?: string | undefined }
  | { readonly kind: "lease_extended"; readonly lease: Lease }
  /** `isLost`: together with its executor. */
  | { readonly kind: "run_failed"; readonly failure: string; readonly isLost?: boolean }
  | { readonly kind: "finished"; readonly outcome: Outcome }
  | { readonly kind: "settled" }
  | { readonly kind: "lost"; readonly reason: string }
  | { readonly kind: "expired" }
  | { readonly kind: "abandoned"; readonly reason: string }
  | { readonly kind: "offered_again" }
  | { readonly kind: "unsettled" };

/** An event that cannot happen in this state: a defect, never a network condition. */
export class IllegalTransition extends Error {
  override readonly name = "IllegalTransition";
  readonly code = "ILLEGAL_TRANSITION";

  constructor(machine: string, from: string, event: string) {
    super(`[ILLEGAL_TRANSITION] ${machine}: "${event}" cannot happen in state "${from}"`);
  }
}

export type TaskStateKind = TaskState["kind"];

/** States in which the node holds the lease. */
export const HELD_STATES: ReadonlySet<TaskStateKind> = new Set([
  "claimed",
  "assigned",
  "running",
  "settling",
]);

/** States that end a task, for this round. */
export const FINAL_STATES: ReadonlySet<TaskStateKind> = new Set(["done", "lost", "expired", "abandoned"]);

/**
 * The task machine of docs/states/task.md. Pure.
 *
 * @throws {IllegalTransition} when the event cannot happen in this state
 */
export function nextTask(state: TaskState, event: TaskEvent): TaskState {
  // One row per event: TypeScript cannot see that the row found takes the event it was found by.
  const row = TRANSITIONS[event.kind] as (state: TaskState, event: TaskEvent) => TaskState | undefined;
  const next = row(state, event);
  if (next === undefined) throw new IllegalTransition("task", state.kind, event.kind);
  return next;
}

type Transitions = {
  readonly [K in TaskEvent["kind"]]: (
    state: TaskState,
    event: Extract<TaskEvent, { kind: K }>,
  ) => TaskState | undefined;
};

const TRANSITIONS: Transitions = {
  claim_started: (state) => (state.kind === "offered" ? { kind: "claiming" } : undefined),
  claim_won: (state, { lease }) =>
    state.kind === "claiming" ? { kind: "claimed", lease, attempts: 0 } : undefined,
  assigned: (state, { run }) => onAssigned(state, run),
  progressed: (state, { percent, checkpointRef }) =>
    isActive(state)
      ? { kind: "running", lease: state.lease, run: withCheckpoint(state.run, checkpointRef), percent }
      : undefined,
  lease_extended: (state, { lease }) =>
    isActive(state) || state.kind === "claimed" ? { ...state, lease } : undefined,
  run_failed: (state, { failure, isLost = false }) =>
    isActive(state)
      ? {
          kind: "claimed",
          lease: state.lease,
          attempts: state.run.attempt,
          past: pastOf(state.run, failure, isLost),
        }
      : undefined,
  // From settling: the network will not take a result, and is told of a failure instead.
  finished: (state, { outcome }) =>
    isActive(state) || state.kind === "claimed" || state.kind === "settling"
      ? { kind: "settling", outcome }
      : undefined,
  settled: (state) => (state.kind === "settling" ? { kind: "done", outcome: state.outcome } : undefined),
  lost: (state, { reason }) => (isOpen(state) ? { kind: "lost", reason } : undefined),
  expired: (state) => (isOpen(state) ? { kind: "expired" } : undefined),
  abandoned: (state, { reason }) => (isOpen(state) ? { kind: "abandoned", reason } : undefined),
  offered_again: (state) => (FINAL_STATES.has(state.kind) ? { kind: "offered" } : undefined),
  unsettled: (state) => (state.kind === "done" ? { kind: "settling", outcome: state.outcome } : undefined),
};

function onAssigned(state: TaskState, run: Run): TaskState | undefined {
  // A run that is assigned again (reconnect, restart) keeps its identity and may move.
  const again = isActive(state) && state.run.id === run.id;
  return again || state.kind === "claimed" ? { kind: "assigned", lease: state.lease, run } : undefined;
}

function withCheckpoint(run: Run, checkpointRef: string | undefined): Run {
  if (checkpointRef === undefined || checkpointRef === run.past?.checkpointRef) return run;
  return { ...run, past: { failures: [], ...run.past, checkpointRef } };
}

function pastOf({ past, executor }: Run, failure: string, isLost: boolean): Past {
  const { lostAt: _, ...before } = past ?? { failures: [] };
  return {
    ...before,
    failures: [...before.failures, failure],
    ...(isLost ? { lostAt: executor } : {}),
  };
}

function isActive(state: TaskState): state is Extract<TaskState, { kind: "assigned" | "running" }> {
  return state.kind === "assigned" || state.kind === "running";
}

function isOpen(state: TaskState): boolean {
  return !FINAL_STATES.has(state.kind);
}

/** What a network says of a task that decides when and where it runs. */
export interface TaskTraits {
  /** Whose it is, for fairness between those who ask. Default: nobody in particular. */
  readonly tenant?: string;
  /** Higher goes first within its queue. Default 0. */
  readonly priority?: number;
  /** After this nobody wants its result. Default: no such time. */
  readonly deadlineMs?: number;
  /** Tags that its executor must have: "gpu". Default none. */
  readonly needs?: readonly string[];
  /** Trace context and correlation ids that came with it, passed on to its handler. Default none. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** A unit of work from any network. */
export interface Task {
  /** The network's own id: for the EVM source, the activity id as 0x and 64 hex digits. */
  readonly id: string;
  /** Name of the TaskSource it came from. */
  readonly source: string;
  readonly queue: string;
  /** What to run: handler kind and version. */
  readonly kind: string;
  readonly version: string;
  /** Empty when the task belongs to no workflow. */
  readonly workflowInstanceId: string;
  readonly traits?: TaskTraits;
  /** 1, and one more each time the task is offered, or has to be settled, again. */
  readonly round: number;
  readonly state: TaskState;
}
