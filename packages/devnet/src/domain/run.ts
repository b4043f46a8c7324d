/** When something was seen, and in which block it happened. */
export interface Moment {
  /** Of this process's monotonic clock: only differences mean something. */
  readonly seenMs: number;
  readonly block: number;
}

/** One thing that the chain said about a workflow instance. */
export type RunEvent = Moment &
  (
    | { readonly kind: "step-enqueued"; readonly step: number; readonly activityIds: readonly string[] }
    | { readonly kind: "claimed"; readonly activityId: string; readonly worker: string }
    | { readonly kind: "heartbeat"; readonly activityId: string; readonly progressPercent: number }
    | { readonly kind: "completed"; readonly activityId: string; readonly worker: string }
    | {
        readonly kind: "failed";
        readonly activityId: string;
        readonly worker: string;
        readonly reason: string;
      }
    | { readonly kind: "expired"; readonly activityId: string }
    | { readonly kind: "step-finalised"; readonly step: number; readonly success: boolean }
    | { readonly kind: "step-skipped"; readonly step: number }
    | { readonly kind: "workflow-completed" }
    | { readonly kind: "workflow-failed"; readonly reason: string }
  );

/** What a step with a result carries. */
export interface Settled {
  readonly activityIds: readonly string[];
  readonly enqueued: Moment;
  readonly claimed: Moment;
  readonly settled: Moment;
  readonly worker: string;
  /** Once the workflow has gone past this step. */
  readonly resumed?: Moment;
}

export type StepState =
  | { readonly kind: "pending" }
  | { readonly kind: "skipped" }
  | { readonly kind: "enqueued"; readonly activityIds: readonly string[]; readonly enqueued: Moment }
  | {
      readonly kind: "running";
      readonly activityIds: readonly string[];
      readonly enqueued: Moment;
      readonly claimed: Moment;
      readonly worker: string;
      readonly progressPercent: number;
    }
  | ({ readonly kind: "completed" } & Settled)
  | ({ readonly kind: "failed"; readonly reason: string } & Settled);

type RunOutcome =
  | { readonly kind: "running" }
  | { readonly kind: "completed" }
  | { readonly kind: "failed"; readonly reason: string };

/** One workflow instance, as far as its events tell. */
export interface Run {
  /** By position in the workflow. */
  readonly steps: readonly StepState[];
  readonly outcome: RunOutcome;
}

/** A run of which nothing has been seen yet. */
export function newRun(stepCount: number): Run {
  return {
    steps: Array.from({ length: stepCount }, () => ({ kind: "pending" })),
    outcome: { kind: "running" },
  };
}

/**
 * The run after one more event. Events about activities of other instances, and
 * events that come twice or too late, change nothing.
 */
export function nextRun(run: Run, event: RunEvent): Run {
  switch (event.kind) {
    case "workflow-completed":
      return { ...run, outcome: { kind: "completed" } };
    case "workflow-failed":
      return { ...run, outcome: { kind: "failed", reason: event.reason } };
    case "step-enqueued":
    case "step-skipped":
    case "step-finalised":
      return withStep(run, event.step, (step) => nextByEngine(step, event));
    default: {
      const index = run.steps.findIndex(
        (step) => "activityIds" in step && step.activityIds.includes(event.activityId),
      );
      return withStep(run, index, (step) => nextByQueue(step, event));
    }
  }
}

function withStep(run: Run, index: number, change: (step: StepState) => StepState): Run {
  return { ...run, steps: run.steps.map((step, at) => (at === index ? change(step) : step)) };
}

type EngineEvent = Extract<RunEvent, { readonly step: number }>;
type QueueEvent = Extract<RunEvent, { readonly activityId: string }>;

function nextByEngine(step: StepState, event: EngineEvent): StepState {
  switch (event.kind) {
    case "step-enqueued":
      return step.kind === "pending"
        ? { kind: "enqueued", activityIds: event.activityIds, enqueued: momentOf(event) }
        : step;
    case "step-skipped":
      return step.kind === "pending" ? { kind: "skipped" } : step;
    case "step-finalised":
      return isSettled(step) && step.resumed === undefined ? { ...step, resumed: momentOf(event) } : step;
  }
}

// With several workers on a step the first result is the one shown.
function nextByQueue(step: StepState, event: QueueEvent): StepState {
  switch (event.kind) {
    case "claimed":
      if (step.kind !== "enqueued") return step;
      return { ...step, kind: "running", claimed: momentOf(event), worker: event.worker, progressPercent: 0 };
    case "heartbeat":
      return step.kind === "running" ? { ...step, progressPercent: event.progressPercent } : step;
    case "expired":
      if (step.kind !== "running") return step;
      return { kind: "enqueued", activityIds: step.activityIds, enqueued: step.enqueued };
    case "completed":
      return step.kind === "running" ? { ...settledFrom(step, event), kind: "completed" } : step;
    case "failed":
      return step.kind === "running"
        ? { ...settledFrom(step, event), kind: "failed", reason: event.reason }
        : step;
  }
}

function settledFrom(
  step: StepState & { readonly kind: "running" },
  event: RunEvent & { readonly worker: string },
): Settled {
  const { activityIds, enqueued, claimed } = step;
  return { activityIds, enqueued, claimed, settled: momentOf(event), worker: event.worker };
}

/** Whether the step has a result, good or bad. */
export function isSettled(step: StepState): step is StepState & { readonly kind: "completed" | "failed" } {
  return step.kind === "completed" || step.kind === "failed";
}

/** How long each phase of a settled step took. */
export function phasesOf(step: Settled): {
  /** From the queue into a worker's hands. */
  readonly waitMs: number;
  /** From the claim to the result on chain. */
  readonly runMs: number;
  /** From the result to the workflow going on; `undefined` until it does. */
  readonly resumeMs: number | undefined;
} {
  const { enqueued, claimed, settled, resumed } = step;
  return {
    waitMs: claimed.seenMs - enqueued.seenMs,
    runMs: settled.seenMs - claimed.seenMs,
    resumeMs: resumed === undefined ? undefined : resumed.seenMs - settled.seenMs,
  };
}

function momentOf({ seenMs, block }: Moment): Moment {
  return { seenMs, block };
}
