import { describe, expect, it } from "vitest";
import { StateTable } from "../../tests/_state-table.ts";
import {
  type Attempt,
  INTENT_PRIORITY,
  type IntentEvent,
  type IntentState,
  nextIntent,
  type Receipt,
} from "./intent.ts";
import { IllegalTransition } from "./task.ts";

const TABLE = new StateTable("transaction");
const revert = { name: "LeaseExpired", message: "the lease ran out" };

function attempt(txHash: string): Attempt {
  return {
    txHash,
    raw: `${txHash}00`,
    maxFeePerGasWei: 2n,
    maxPriorityFeePerGasWei: 1n,
    gasLimit: 21_000n,
    signedAtMs: 1,
  };
}

function receipt(succeeded: boolean): Receipt {
  return { txHash: "0xa1", blockNumber: 7, gasUsed: 21_000n, effectiveGasPriceWei: 2n, succeeded };
}

const STATES: { readonly [K in IntentState["kind"]]: Extract<IntentState, { kind: K }> } = {
  queued: { kind: "queued" },
  signed: { kind: "signed", nonce: 5, attempts: [attempt("0xa1")] },
  mined: { kind: "mined", nonce: 5, receipt: receipt(true) },
  reverted: { kind: "reverted", nonce: 5, receipt: receipt(false), revert },
  refused: { kind: "refused", revert },
};

const EVENTS: { readonly [K in IntentEvent["kind"]]: readonly (readonly [string, IntentEvent])[] } = {
  signed: [
    ["signed with the same nonce", { kind: "signed", nonce: 5, attempt: attempt("0xa2") }],
    ["signed with another nonce", { kind: "signed", nonce: 6, attempt: attempt("0xa3") }],
  ],
  mined: [["mined", { kind: "mined", receipt: receipt(true) }]],
  reverted: [["reverted", { kind: "reverted", receipt: receipt(false), revert }]],
  refused: [["refused", { kind: "refused", revert }]],
  nonce_taken: [["nonce_taken", { kind: "nonce_taken" }]],
};

const PAIRS = Object.values(STATES).flatMap((state) =>
  Object.values(EVENTS).flatMap((samples) => samples.map(([name, event]) => ({ state, name, event }))),
);

describe("the intent machine", () => {
  it("has the states and events of docs/states/transaction.md, and no others", () => {
    expect([...TABLE.states].toSorted()).toEqual(Object.keys(STATES).toSorted());
    expect(new Set([...TABLE.events].map((event) => event.split(" ")[0]))).toEqual(
      new Set(Object.keys(EVENTS)),
    );
    const names = Object.values(EVENTS)
      .flat()
      .map(([name]) => name);
    for (const event of TABLE.events) expect(names.some((name) => name.startsWith(event))).toBe(true);
  });

  it.each(PAIRS)(
    "goes from $state.kind by $name where docs/states/transaction.md says",
    ({ state, name, event }) => {
      const expected = TABLE.next(state.kind, name);
      if (expected === undefined) {
        expect(() => nextIntent(state, event)).toThrow(IllegalTransition);
      } else {
        expect(nextIntent(state, event).kind).toBe(expected);
      }
    },
  );

  it("keeps every attempt under one nonce, oldest first", () => {
    const replaced = nextIntent(STATES.signed, { kind: "signed", nonce: 5, attempt: attempt("0xa2") });
    expect(replaced).toEqual({ kind: "signed", nonce: 5, attempts: [attempt("0xa1"), attempt("0xa2")] });
  });

  it("forgets nonce and attempts when the nonce went to somebody else", () => {
    expect(nextIntent(STATES.signed, { kind: "nonce_taken" })).toEqual({ kind: "queued" });
  });

  it("ends with the receipt and, where the contract threw, the reason", () => {
    expect(nextIntent(STATES.signed, { kind: "mined", receipt: receipt(true) })).toEqual(STATES.mined);
    expect(nextIntent(STATES.signed, { kind: "reverted", receipt: receipt(false), revert })).toEqual(
      STATES.reverted,
    );
    expect(nextIntent(STATES.queued, { kind: "refused", revert })).toEqual(STATES.refused);
  });

  it("puts settling before leases and leases before new work", () => {
    const { complete, fail, resume, heartbeat, claim, noop } = INTENT_PRIORITY;
    expect(new Set([complete, fail, resume]).size).toBe(1);
    expect(noop).toBeLessThan(complete);
    expect(complete).toBeLessThan(heartbeat);
    expect(heartbeat).toBeLessThan(claim);
  });
});
