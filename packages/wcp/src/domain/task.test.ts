import { describe, expect, it } from "vitest";
import { StateTable } from "../../tests/_state-table.ts";
import {
  FINAL_STATES,
  HELD_STATES,
  IllegalTransition,
  nextTask,
  type TaskEvent,
  type TaskState,
} from "./task.ts";

const TABLE = new StateTable("task");
const lease = { expiresAtMs: 60_000, durationMs: 60_000, token: "1" };
const longer = { expiresAtMs: 90_000, durationMs: 60_000, token: "1" };
const run = { id: "run-1", attempt: 2, executor: "http://wep" };
const otherRun = { id: "run-2", attempt: 3, executor: "http://other" };
const outcome = { status: "success", resultHex: "0x01" } as const;

const STATES: { readonly [K in TaskState["kind"]]: Extract<TaskState, { kind: K }> } = {
  offered: { kind: "offered" },
  claiming: { kind: "claiming" },
  claimed: { kind: "claimed", lease, attempts: 1 },
  assigned: { kind: "assigned", lease, run },
  running: { kind: "running", lease, run, percent: 40 },
  settling: { kind: "settling", outcome },
  done: { kind: "done", outcome },
  lost: { kind: "lost", reason: "another worker has it" },
  expired: { kind: "expired" },
  abandoned: { kind: "abandoned", reason: "by the operator" },
};

/** One sample per event; for an event whose condition matters, one per side of it. */
const EVENTS: { readonly [K in TaskEvent["kind"]]: readonly (readonly [string, TaskEvent])[] } = {
  claim_started: [["claim_started", { kind: "claim_started" }]],
  claim_won: [["claim_won", { kind: "claim_won", lease }]],
  assigned: [
    ["assigned of the same run", { kind: "assigned", run }],
    ["assigned of another run", { kind: "assigned", run: otherRun }],
  ],
  progressed: [["progressed", { kind: "progressed", percent: 50 }]],
  lease_extended: [["lease_extended", { kind: "lease_extended", lease: longer }]],
  run_failed: [["run_failed", { kind: "run_failed", failure: "why" }]],
  finished: [["finished", { kind: "finished", outcome }]],
  settled: [["settled", { kind: "settled" }]],
  lost: [["lost", { kind: "lost", reason: "a faster worker" }]],
  expired: [["expired", { kind: "expired" }]],
  abandoned: [["abandoned", { kind: "abandoned", reason: "refused" }]],
  offered_again: [["offered_again", { kind: "offered_again" }]],
  unsettled: [["unsettled", { kind: "unsettled" }]],
};

const PAIRS = Object.values(STATES).flatMap((state) =>
  Object.values(EVENTS).flatMap((samples) => samples.map(([name, event]) => ({ state, name, event }))),
);

describe("the task machine", () => {
  it("has the states and events of docs/states/task.md, and no others", () => {
    const samples = Object.values(EVENTS).flat();
    expect([...TABLE.states].toSorted()).toEqual(Object.keys(STATES).toSorted());
    for (const event of TABLE.events) {
      expect(samples.map(([name]) => name.startsWith(event) || name === event)).toContain(true);
    }
    expect(new Set([...TABLE.events].map((event) => event.split(" ")[0]))).toEqual(
      new Set(Object.keys(EVENTS)),
    );
  });

  it.each(PAIRS)(
    "goes from $state.kind by $name where docs/states/task.md says",
    ({ state, name, event }) => {
      const expected = TABLE.next(state.kind, name);
      if (expected === undefined) {
        expect(() => nextTask(state, event)).toThrow(IllegalTransition);
        expect(() => nextTask(state, event)).toThrow(
          `[ILLEGAL_TRANSITION] task: "${event.kind}" cannot happen in state "${state.kind}"`,
        );
      } else {
        expect(nextTask(state, event).kind).toBe(expected);
      }
    },
  );

  it("keeps lease and run over progress, and the percentage over a longer lease", () => {
    expect(nextTask(STATES.assigned, { kind: "progressed", percent: 7 })).toEqual({
      kind: "running",
      lease,
      run,
      percent: 7,
    });
    expect(nextTask(STATES.running, { kind: "lease_extended", lease: longer })).toEqual({
      ...STATES.running,
      lease: longer,
    });
    expect(nextTask(STATES.claimed, { kind: "lease_extended", lease: longer })).toEqual({
      kind: "claimed",
      lease: longer,
      attempts: 1,
    });
  });

  it("leaves the checkpoint, the failures and the place where it was lost to the next attempt", () => {
    const far = nextTask(STATES.running, { kind: "progressed", percent: 50, checkpointRef: "c/1" });
    const lost = nextTask(far, { kind: "run_failed", failure: "gone", isLost: true });
    expect(lost).toMatchObject({
      past: { checkpointRef: "c/1", failures: ["gone"], lostAt: STATES.running.run.executor },
    });
    const run = { ...STATES.running.run, id: "next", ...("past" in lost ? { past: lost.past } : {}) };
    const again = nextTask(nextTask(lost, { kind: "assigned", run }), {
      kind: "run_failed",
      failure: "threw",
    });
    expect(again).toMatchObject({ past: { checkpointRef: "c/1", failures: ["gone", "threw"] } });
    expect(again).not.toHaveProperty("past.lostAt");
  });

  it("counts the run that failed as an attempt", () => {
    expect(nextTask(STATES.running, { kind: "run_failed", failure: "why" })).toEqual({
      kind: "claimed",
      lease,
      attempts: 2,
      past: { failures: ["why"] },
    });
    expect(nextTask(STATES.claiming, { kind: "claim_won", lease })).toEqual({
      kind: "claimed",
      lease,
      attempts: 0,
    });
  });

  it("settles and ends with the outcome of the run", () => {
    const failed = { status: "error", code: 2001, reason: "no luck" } as const;
    const settling = nextTask(STATES.running, { kind: "finished", outcome: failed });
    expect(nextTask(settling, { kind: "settled" })).toEqual({ kind: "done", outcome: failed });
  });

  it("lets a run that is assigned again move to another executor", () => {
    const moved = { ...run, executor: "http://other" };
    expect(nextTask(STATES.running, { kind: "assigned", run: moved })).toEqual({
      kind: "assigned",
      lease,
      run: moved,
    });
  });

  it("holds the lease in no final state", () => {
    for (const kind of HELD_STATES) expect(FINAL_STATES.has(kind)).toBe(false);
    expect(Object.keys(STATES).filter((kind) => TABLE.next(kind, "expired") === undefined)).toEqual([
      ...FINAL_STATES,
    ]);
  });
});
