import { IllegalTransition } from "./task.ts";
import type { Receipt } from "./transaction.ts";
import { unreachable } from "./unreachable.ts";

export type IntentKind = "claim" | "heartbeat" | "complete" | "fail" | "resume" | "noop";

/** Lower goes first: settle what is finished, then keep leases, then take on more. */
export const INTENT_PRIORITY: Readonly<Record<IntentKind, number>> = {
  noop: 0,
  complete: 1,
  fail: 1,
  resume: 1,
  heartbeat: 2,
  claim: 3,
};

/** Why a contract said no. `name` is the custom error's name, for decisions; `message` is for people. */
export interface Revert {
  readonly name: string;
  readonly message: string;
}

/** Why an intent was given up without effect. */
export type DropReason =
  /** Its deadline passed. */
  | "expired"
  /** A newer one says the same and more. */
  | "superseded"
  /** The operator cancelled it. */
  | "cancelled"
  /** The chain will never take it. */
  | "purged";

export type IntentState =
  /** Waiting for a nonce. */
  | { readonly kind: "queued" }
  /** Carried by the transaction with this nonce, which may be in a mempool, mined, or nowhere. */
  | { readonly kind: "signed"; readonly nonce: number }
  /** Took effect. `isConfirmed` once its block is deep enough; then final. */
  | {
      readonly kind: "mined";
      readonly nonce: number;
      readonly receipt: Receipt;
      readonly isConfirmed: boolean;
    }
  /** Mined, and the contract threw. `isConfirmed` as above. */
  | {
      readonly kind: "reverted";
      readonly nonce: number;
      readonly receipt: Receipt;
      readonly revert: Revert;
      readonly isConfirmed: boolean;
    }
  /** The simulation threw, so no nonce and no gas was spent. Final. */
  | { readonly kind: "refused"; readonly revert: Revert }
  /** Given up. Final. */
  | { readonly kind: "dropped"; readonly reason: DropReason; readonly message: string };

export type IntentEvent =
  | { readonly kind: "signed"; readonly nonce: number }
  | { readonly kind: "mined"; readonly receipt: Receipt }
  | { readonly kind: "reverted"; readonly receipt: Receipt; readonly revert: Revert }
  | { readonly kind: "refused"; readonly revert: Revert }
  | { readonly kind: "dropped"; readonly reason: DropReason; readonly message: string }
  | { readonly kind: "confirmed" }
  /** The block is no longer part of the chain; the transaction is sent again. */
  | { readonly kind: "reorged" }
  /** Its transaction came to nothing and cannot any more: it needs another. */
  | { readonly kind: "released" };

/**
 * The intent machine of docs/states/intent.md. Pure.
 *
 * @throws {IllegalTransition} when the event cannot happen in this state
 */
export function nextIntent(state: IntentState, event: IntentEvent): IntentState {
  const next = transition(state, event);
  if (next === undefined) throw new IllegalTransition("intent", state.kind, event.kind);
  return next;
}

function transition(state: IntentState, event: IntentEvent): IntentState | undefined {
  switch (state.kind) {
    case "queued":
      return fromQueued(event);
    case "signed":
      return fromSigned(state, event);
    case "mined":
    case "reverted":
      return fromEnded(state, event);
    case "refused":
    case "dropped":
      return undefined;
    default:
      return unreachable(state);
  }
}

function fromQueued(event: IntentEvent): IntentState | undefined {
  switch (event.kind) {
    case "signed":
      return { kind: "signed", nonce: event.nonce };
    case "refused":
      return { kind: "refused", revert: event.revert };
    case "dropped":
      return { kind: "dropped", reason: event.reason, message: event.message };
    default:
      return undefined;
  }
}

function fromSigned(
  state: Extract<IntentState, { kind: "signed" }>,
  event: IntentEvent,
): IntentState | undefined {
  const { nonce } = state;
  switch (event.kind) {
    case "mined":
      return { kind: "mined", nonce, receipt: event.receipt, isConfirmed: false };
    case "reverted":
      return { kind: "reverted", nonce, receipt: event.receipt, revert: event.revert, isConfirmed: false };
    case "dropped":
      return { kind: "dropped", reason: event.reason, message: event.message };
    case "released":
      return { kind: "queued" };
    default:
      return undefined;
  }
}

function fromEnded(
  state: Extract<IntentState, { kind: "mined" | "reverted" }>,
  event: IntentEvent,
): IntentState | undefined {
  switch (event.kind) {
    case "confirmed":
      return state.isConfirmed ? undefined : { ...state, isConfirmed: true };
    case "reorged":
      return { kind: "signed", nonce: state.nonce };
    // A reorg that left it in a block, maybe another one and with another ending.
    case "mined":
    case "reverted":
      return state.isConfirmed ? undefined : fromSigned({ kind: "signed", nonce: state.nonce }, event);
    default:
      return undefined;
  }
}

/** One thing the wallet wants to have happen on the chain, once. */
export interface Intent {
  readonly id: number;
  /** Unique: submitting the same key twice is one intent. */
  readonly key: string;
  readonly kind: IntentKind;
  /** The task it serves, for logs and for `wcp db`. */
  readonly taskId: string;
  readonly to: string;
  /** Call data as 0x hex. */
  readonly data: string;
  readonly deadlineMs: number | undefined;
  /** Newer intents with the same value replace it while it has no nonce. */
  readonly replaces: string | undefined;
  readonly createdAtMs: number;
  readonly state: IntentState;
}
