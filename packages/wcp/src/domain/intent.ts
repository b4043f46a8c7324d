import { IllegalTransition } from "./task.ts";
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

/** One signed form of an intent. All attempts of an intent share its nonce; at most one can be mined. */
export interface Attempt {
  readonly txHash: string;
  /** The signed bytes as 0x hex: what is sent, and sent again. */
  readonly raw: string;
  readonly maxFeePerGasWei: bigint;
  readonly maxPriorityFeePerGasWei: bigint;
  readonly gasLimit: bigint;
  readonly signedAtMs: number;
}

export interface Receipt {
  readonly txHash: string;
  readonly blockNumber: number;
  readonly gasUsed: bigint;
  readonly effectiveGasPriceWei: bigint;
  readonly succeeded: boolean;
}

/** Why a contract said no. `name` is the custom error's name, for decisions; `message` is for people. */
export interface Revert {
  readonly name: string;
  readonly message: string;
}

export type IntentState =
  /** Waiting for a nonce. */
  | { readonly kind: "queued" }
  /** Has a nonce and at least one attempt; may be in a mempool, mined, or nowhere. */
  | { readonly kind: "signed"; readonly nonce: number; readonly attempts: readonly Attempt[] }
  | { readonly kind: "mined"; readonly nonce: number; readonly receipt: Receipt }
  /** Mined, and the contract threw. Final. */
  | { readonly kind: "reverted"; readonly nonce: number; readonly receipt: Receipt; readonly revert: Revert }
  /** The simulation threw, so no nonce and no gas was spent. Final. */
  | { readonly kind: "refused"; readonly revert: Revert };

export type IntentEvent =
  | { readonly kind: "signed"; readonly nonce: number; readonly attempt: Attempt }
  | { readonly kind: "mined"; readonly receipt: Receipt }
  | { readonly kind: "reverted"; readonly receipt: Receipt; readonly revert: Revert }
  | { readonly kind: "refused"; readonly revert: Revert }
  /** Another transaction took the nonce: nothing of ours can be mined any more. */
  | { readonly kind: "nonce_taken" };

/**
 * The intent machine of docs/states/transaction.md. Pure.
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
      if (event.kind === "signed") return { kind: "signed", nonce: event.nonce, attempts: [event.attempt] };
      return event.kind === "refused" ? { kind: "refused", revert: event.revert } : undefined;
    case "signed":
      return fromSigned(state, event);
    case "mined":
    case "reverted":
    case "refused":
      return undefined;
    default:
      return unreachable(state);
  }
}

function fromSigned(
  state: Extract<IntentState, { kind: "signed" }>,
  event: IntentEvent,
): IntentState | undefined {
  switch (event.kind) {
    case "signed":
      // A replacement: same nonce, or it would be a second transaction.
      return event.nonce === state.nonce
        ? { ...state, attempts: [...state.attempts, event.attempt] }
        : undefined;
    case "mined":
      return { kind: "mined", nonce: state.nonce, receipt: event.receipt };
    case "reverted":
      return { kind: "reverted", nonce: state.nonce, receipt: event.receipt, revert: event.revert };
    case "nonce_taken":
      return { kind: "queued" };
    case "refused":
      return undefined;
    default:
      return unreachable(event);
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
  readonly createdAtMs: number;
  readonly state: IntentState;
}
