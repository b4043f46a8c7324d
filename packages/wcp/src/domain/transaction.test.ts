import { describe, expect, it } from "vitest";
import { aReceipt } from "../../tests/_builders.ts";
import { StateTable } from "../../tests/_state-table.ts";
import { IllegalTransition } from "./task.ts";
import { nextTransaction, type TransactionEvent, type TransactionState } from "./transaction.ts";

const TABLE = new StateTable("transaction");
const receipt = aReceipt();
const later = aReceipt({ txHash: "0xa2", blockNumber: 14 });

const STATES: { readonly [K in TransactionState["kind"]]: Extract<TransactionState, { kind: K }> } = {
  signed: { kind: "signed" },
  included: { kind: "included", receipt },
  confirmed: { kind: "confirmed", receipt },
  displaced: { kind: "displaced" },
};

const EVENTS: { readonly [K in TransactionEvent["kind"]]: Extract<TransactionEvent, { kind: K }> } = {
  attempted: { kind: "attempted" },
  included: { kind: "included", receipt: later },
  confirmed: { kind: "confirmed" },
  reorged: { kind: "reorged" },
  displaced: { kind: "displaced" },
};

const PAIRS = Object.values(STATES).flatMap((state) =>
  Object.values(EVENTS).map((event) => ({ state, event })),
);

describe("the transaction machine", () => {
  it("has the states and events of docs/states/transaction.md, and no others", () => {
    expect([...TABLE.states].toSorted()).toEqual(Object.keys(STATES).toSorted());
    expect([...TABLE.events].toSorted()).toEqual(Object.keys(EVENTS).toSorted());
  });

  it.each(PAIRS)(
    "goes from $state.kind by $event.kind where docs/states/transaction.md says",
    ({ state, event }) => {
      const expected = TABLE.next(state.kind, event.kind);
      if (expected === undefined) {
        expect(() => nextTransaction(state, event)).toThrow(IllegalTransition);
      } else {
        expect(nextTransaction(state, event).kind).toBe(expected);
      }
    },
  );

  it("keeps the receipt that was found last, and forgets it with its block", () => {
    const moved = nextTransaction(STATES.included, EVENTS.included);
    expect(moved).toEqual({ kind: "included", receipt: later });
    expect(nextTransaction(moved, EVENTS.confirmed)).toEqual({ kind: "confirmed", receipt: later });
    expect(nextTransaction(STATES.confirmed, EVENTS.reorged)).toEqual({ kind: "signed" });
  });

  it("says what could not happen to what", () => {
    expect(() => nextTransaction(STATES.displaced, EVENTS.included)).toThrow(
      '[ILLEGAL_TRANSITION] transaction: "included" cannot happen in state "displaced"',
    );
  });
});
