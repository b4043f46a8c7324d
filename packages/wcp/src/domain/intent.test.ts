import { describe, expect, it } from "vitest";
import { aReceipt } from "../../tests/_builders.ts";
import { StateTable } from "../../tests/_state-table.ts";
import { INTENT_PRIORITY, type IntentEvent, type IntentState, nextIntent } from "./intent.ts";
import { IllegalTransition } from "./task.ts";

const TABLE = new StateTable("intent");
const revert = { name: "LeaseExpired", message: "the lease ran out" };
const receipt = aReceipt();
const failed = aReceipt({ succeeded: false });
const later = aReceipt({ txHash: "0xa2", blockNumber: 14 });

/** Every state by its name in the document. */
const STATES = {
  queued: { kind: "queued" },
  signed: { kind: "signed", nonce: 5 },
  mined: { kind: "mined", nonce: 5, receipt, isConfirmed: false },
  "mined for good": { kind: "mined", nonce: 5, receipt, isConfirmed: true },
  reverted: { kind: "reverted", nonce: 5, receipt: failed, revert, isConfirmed: false },
  "reverted for good": { kind: "reverted", nonce: 5, receipt: failed, revert, isConfirmed: true },
  refused: { kind: "refused", revert },
  dropped: { kind: "dropped", reason: "expired", message: "its lease is over" },
} as const satisfies Record<string, IntentState>;

const EVENTS: { readonly [K in IntentEvent["kind"]]: Extract<IntentEvent, { kind: K }> } = {
  signed: { kind: "signed", nonce: 6 },
  mined: { kind: "mined", receipt: later },
  reverted: { kind: "reverted", receipt: failed, revert },
  refused: { kind: "refused", revert },
  dropped: { kind: "dropped", reason: "cancelled", message: "by the operator" },
  confirmed: { kind: "confirmed" },
  reorged: { kind: "reorged" },
  released: { kind: "released" },
};

const PAIRS = Object.entries(STATES).flatMap(([from, state]) =>
  Object.values(EVENTS).map((event) => ({ from, state, event })),
);

function nameOf(state: IntentState): string {
  return "isConfirmed" in state && state.isConfirmed ? `${state.kind} for good` : state.kind;
}

describe("the intent machine", () => {
  it("has the states and events of docs/states/intent.md, and no others", () => {
    expect([...TABLE.states].toSorted()).toEqual(Object.keys(STATES).toSorted());
    expect([...TABLE.events].toSorted()).toEqual(Object.keys(EVENTS).toSorted());
  });

  it.each(PAIRS)(
    "goes from $from by $event.kind where docs/states/intent.md says",
    ({ from, state, event }) => {
      const expected = TABLE.next(from, event.kind);
      if (expected === undefined) {
        expect(() => nextIntent(state, event)).toThrow(IllegalTransition);
      } else {
        expect(nameOf(nextIntent(state, event))).toBe(expected);
      }
    },
  );

  it("ends with the receipt and, where the contract threw, the reason, and is not final yet", () => {
    const { signed, queued } = STATES;
    expect(nextIntent(signed, EVENTS.mined)).toEqual({
      kind: "mined",
      nonce: 5,
      receipt: later,
      isConfirmed: false,
    });
    expect(nextIntent(signed, EVENTS.reverted)).toEqual(STATES.reverted);
    expect(nextIntent(queued, EVENTS.refused)).toEqual(STATES.refused);
    expect(nextIntent(queued, EVENTS.dropped)).toEqual({
      kind: "dropped",
      reason: "cancelled",
      message: "by the operator",
    });
  });

  it("keeps its nonce through a reorg, and what it came to before is forgotten", () => {
    for (const name of ["mined", "mined for good", "reverted", "reverted for good"] as const) {
      expect(nextIntent(STATES[name], EVENTS.reorged)).toEqual({ kind: "signed", nonce: 5 });
    }
    expect(nextIntent(STATES.reverted, EVENTS.mined)).toEqual({
      kind: "mined",
      nonce: 5,
      receipt: later,
      isConfirmed: false,
    });
  });

  it("forgets its nonce when its transaction came to nothing", () => {
    expect(nextIntent(STATES.signed, EVENTS.released)).toEqual({ kind: "queued" });
  });

  it("puts settling before leases and leases before new work", () => {
    const { complete, fail, resume, heartbeat, claim, noop } = INTENT_PRIORITY;
    expect(new Set([complete, fail, resume]).size).toBe(1);
    expect(noop).toBeLessThan(complete);
    expect(complete).toBeLessThan(heartbeat);
    expect(heartbeat).toBeLessThan(claim);
  });
});
