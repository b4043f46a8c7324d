import { describe, expect, it } from "vitest";
import {
  isSettled,
  newRun,
  nextRun,
  phasesOf,
  type Run,
  type RunEvent,
  type StepState,
} from "../src/domain/run.ts";

const WORKER = "0x1111111111111111111111111111111111111111";
const at = (block: number) => ({ seenMs: block * 100, block });

const EVENTS = {
  enqueued: { ...at(1), kind: "step-enqueued", step: 0, activityIds: ["0xa"] },
  claimed: { ...at(2), kind: "claimed", activityId: "0xa", worker: WORKER },
  heartbeat: { ...at(3), kind: "heartbeat", activityId: "0xa", progressPercent: 40 },
  expired: { ...at(4), kind: "expired", activityId: "0xa" },
  completed: { ...at(5), kind: "completed", activityId: "0xa", worker: WORKER },
  failed: { ...at(5), kind: "failed", activityId: "0xa", worker: WORKER, reason: "no" },
  finalised: { ...at(6), kind: "step-finalised", step: 0, success: true },
  skipped: { ...at(6), kind: "step-skipped", step: 0 },
} as const satisfies Record<string, RunEvent>;

type EventName = keyof typeof EVENTS;

const after = (...names: readonly EventName[]): Run =>
  names.map((name) => EVENTS[name]).reduce(nextRun, newRun(1));

/** How to get into each state, and the events that lead out of it; every other event changes nothing. */
const TABLE: readonly { state: string; by: readonly EventName[]; to: Partial<Record<EventName, string>> }[] =
  [
    { state: "pending", by: [], to: { enqueued: "enqueued", skipped: "skipped" } },
    { state: "skipped", by: ["skipped"], to: {} },
    { state: "enqueued", by: ["enqueued"], to: { claimed: "running" } },
    {
      state: "running",
      by: ["enqueued", "claimed"],
      to: { heartbeat: "running 40 %", expired: "enqueued", completed: "completed", failed: "failed" },
    },
    { state: "completed", by: ["enqueued", "claimed", "completed"], to: { finalised: "completed, resumed" } },
    { state: "failed", by: ["enqueued", "claimed", "failed"], to: { finalised: "failed, resumed" } },
    { state: "completed, resumed", by: ["enqueued", "claimed", "completed", "finalised"], to: {} },
    { state: "failed, resumed", by: ["enqueued", "claimed", "failed", "finalised"], to: {} },
  ];

function onlyStep(run: Run): StepState {
  const [step] = run.steps;
  if (step === undefined) throw new Error("no step");
  return step;
}

function nameOf(run: Run): string {
  const step = onlyStep(run);
  if (step.kind === "running" && step.progressPercent > 0) return `running ${step.progressPercent} %`;
  return isSettled(step) && step.resumed !== undefined ? `${step.kind}, resumed` : step.kind;
}

describe("a run's step", () => {
  const pairs = TABLE.flatMap(({ state, by, to }) =>
    (Object.keys(EVENTS) as EventName[]).map((event) => ({ state, by, event, next: to[event] ?? state })),
  );

  it.each(pairs)("goes from $state at $event to $next", ({ state, by, event, next }) => {
    const before = after(...by);
    expect(nameOf(before)).toBe(state);
    expect(nameOf(nextRun(before, EVENTS[event]))).toBe(next);
  });

  it("takes no notice of other instances' activities", () => {
    const run = after("enqueued");
    expect(nextRun(run, { ...EVENTS.claimed, activityId: "0xother" })).toEqual(run);
  });

  it("knows how long each phase took", () => {
    const step = onlyStep(after("enqueued", "claimed", "completed", "finalised"));
    expect(isSettled(step) && phasesOf(step)).toEqual({ waitMs: 100, runMs: 300, resumeMs: 100 });
  });

  it("shows the first result when several workers run it", () => {
    const run = [
      { ...EVENTS.enqueued, activityIds: ["0xa", "0xb"] },
      { ...EVENTS.claimed, activityId: "0xb" },
      { ...EVENTS.claimed, activityId: "0xa", worker: "0xlate" },
      { ...EVENTS.completed, activityId: "0xb" },
    ].reduce(nextRun, newRun(1));
    expect(run.steps[0]).toMatchObject({ kind: "completed", worker: WORKER });
  });
});

describe("a run", () => {
  it("ends as the chain says", () => {
    expect(nextRun(newRun(1), { ...at(9), kind: "workflow-completed" }).outcome).toEqual({
      kind: "completed",
    });
    expect(nextRun(newRun(1), { ...at(9), kind: "workflow-failed", reason: "no" }).outcome).toEqual({
      kind: "failed",
      reason: "no",
    });
  });
});
