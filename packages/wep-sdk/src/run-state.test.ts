import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CancelReason } from "./errors.ts";
import {
  holdsSlot,
  isOpen,
  nextRun,
  type Outcome,
  outcomeOf,
  owesOutcome,
  type RunEvent,
  type RunState,
} from "./run-state.ts";

const success: Outcome = { status: "SUCCESS", result: new Uint8Array([123, 125]) };
const failure: Outcome = {
  status: "ERROR",
  code: 2001,
  message: "broken",
  retryable: false,
  retryAfterMs: 0,
};

const STATES = {
  running: { kind: "running" },
  "stopping (requested)": { kind: "stopping", reason: "requested" },
  "stopping (superseded)": { kind: "stopping", reason: "superseded" },
  abandoned: { kind: "abandoned", outcome: failure },
  lingering: { kind: "lingering", outcome: failure },
  finished: { kind: "finished", outcome: success },
  forgotten: { kind: "forgotten" },
} satisfies Record<string, RunState>;

const EVENTS = {
  "settled (success)": { kind: "settled", outcome: success },
  "settled (error)": { kind: "settled", outcome: failure },
  stop: { kind: "stop", reason: "deadline" },
  grace_over: { kind: "grace_over" },
  delivered: { kind: "delivered" },
  expired: { kind: "expired" },
} satisfies Record<string, RunEvent>;

type StateName = keyof typeof STATES;
type EventName = keyof typeof EVENTS;

/** What every state becomes on every event; `illegal` throws. */
const TABLE: Record<StateName, Record<EventName, string>> = {
  running: {
    "settled (success)": "finished SUCCESS",
    "settled (error)": "finished 2001",
    stop: "stopping",
    grace_over: "illegal",
    delivered: "illegal",
    expired: "illegal",
  },
  "stopping (requested)": {
    "settled (success)": "finished SUCCESS",
    "settled (error)": "finished 5001",
    stop: "stopping",
    grace_over: "abandoned 5001",
    delivered: "illegal",
    expired: "illegal",
  },
  "stopping (superseded)": {
    "settled (success)": "forgotten",
    "settled (error)": "forgotten",
    stop: "stopping",
    grace_over: "lingering 5001",
    delivered: "illegal",
    expired: "illegal",
  },
  abandoned: {
    "settled (success)": "finished 2001",
    "settled (error)": "finished 2001",
    stop: "abandoned 2001",
    grace_over: "illegal",
    delivered: "lingering 2001",
    expired: "lingering 2001",
  },
  lingering: {
    "settled (success)": "forgotten",
    "settled (error)": "forgotten",
    stop: "lingering 2001",
    grace_over: "illegal",
    delivered: "lingering 2001",
    expired: "illegal",
  },
  finished: {
    "settled (success)": "illegal",
    "settled (error)": "illegal",
    stop: "finished SUCCESS",
    grace_over: "illegal",
    delivered: "forgotten",
    expired: "forgotten",
  },
  forgotten: {
    "settled (success)": "illegal",
    "settled (error)": "illegal",
    stop: "forgotten",
    grace_over: "illegal",
    delivered: "illegal",
    expired: "illegal",
  },
};

const cells = Object.entries(TABLE).flatMap(([state, row]) =>
  Object.entries(row).map(([event, becomes]) => [state as StateName, event as EventName, becomes] as const),
);

function describeState(state: RunState): string {
  const outcome = outcomeOf(state);
  if (outcome === undefined) return state.kind;
  return `${state.kind} ${outcome.status === "SUCCESS" ? "SUCCESS" : outcome.code}`;
}

describe("the run state machine", () => {
  it.each(cells)("%s on %s: %s", (state, event, becomes) => {
    if (becomes === "illegal") {
      expect(() => nextRun(STATES[state], EVENTS[event])).toThrow(/\[ILLEGAL_TRANSITION\]/);
    } else {
      expect(describeState(nextRun(STATES[state], EVENTS[event]))).toBe(becomes);
    }
  });

  it("is the one that docs/states/run.md shows", () => {
    const doc = readFileSync(new URL("../../../docs/states/run.md", import.meta.url), "utf8");
    const shown = new Set(
      [...doc.matchAll(/^\| (\w+) \| (\w+) \| `(\w+)`/gm)].map(
        ([, from, to, event]) => `${from} ${event} ${to}`,
      ),
    );
    const legal = cells.filter(([, , becomes]) => becomes !== "illegal");
    const built = new Set(
      legal.map(
        ([state, event, becomes]) => `${STATES[state].kind} ${EVENTS[event].kind} ${becomes.split(" ")[0]}`,
      ),
    );
    expect([...shown].toSorted()).toEqual([...built].toSorted());
  });

  it.each([
    ["requested", 5001, false],
    ["lease_lost", 5001, false],
    ["deadline", 5002, false],
    ["drain", 5001, true],
    ["disconnected", 5001, true],
  ] as const)("ends a run that was stopped as %s with code %i", (reason, code, retryable) => {
    const ended = nextRun({ kind: "stopping", reason }, { kind: "settled", outcome: failure });
    expect(outcomeOf(ended)).toMatchObject({
      code,
      retryable,
      message: expect.stringContaining(`(${reason})`),
    });
  });

  it("keeps its invariants over any sequence of legal events", () => {
    const reasons: CancelReason[] = [
      "requested",
      "deadline",
      "lease_lost",
      "drain",
      "superseded",
      "disconnected",
    ];
    const event: fc.Arbitrary<RunEvent> = fc.oneof(
      fc.constantFrom<RunEvent>({ kind: "settled", outcome: success }, { kind: "settled", outcome: failure }),
      fc.constantFrom(...reasons).map((reason): RunEvent => ({ kind: "stop", reason })),
      fc.constantFrom<RunEvent>({ kind: "grace_over" }, { kind: "delivered" }, { kind: "expired" }),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 12 }), (events) => {
        let state: RunState = { kind: "running" };
        let settled = 0;
        let outcome: Outcome | undefined;
        for (const next of events) {
          const after = tryNext(state, next);
          if (after === undefined) continue;
          state = after;
          if (next.kind === "settled") settled += 1;
          // 1: the slot is held exactly until the handler has returned.
          expect(holdsSlot(state)).toBe(settled === 0);
          expect(settled).toBeLessThanOrEqual(1);
          // 2: the first outcome stays.
          outcome ??= outcomeOf(state);
          if (outcomeOf(state) !== undefined) expect(outcomeOf(state)).toBe(outcome);
          // 3: what is owed is there to be sent.
          if (owesOutcome(state)) expect(outcomeOf(state)).toBeDefined();
          expect(isOpen(state)).toBe(outcomeOf(state) === undefined && state.kind !== "forgotten");
        }
      }),
    );
  });
});

function tryNext(state: RunState, event: RunEvent): RunState | undefined {
  try {
    return nextRun(state, event);
  } catch {
    return undefined;
  }
}
