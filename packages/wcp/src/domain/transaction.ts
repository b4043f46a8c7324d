import type { DropReason } from "./intent.ts";
import { IllegalTransition } from "./task.ts";
import { unreachable } from "./unreachable.ts";

/** Why a nonce is given up, and what becomes of its intents once the no-op that took it is final. */
export interface GivingUp {
  /** `released`: they get another nonce. */
  readonly reason: DropReason | "released";
  readonly message: string;
}

/** One signed form of a transaction. All attempts share its nonce; at most one can be mined. */
export interface Attempt {
  readonly txHash: string;
  /** The signed bytes as 0x hex: what is sent, and sent again. */
  readonly raw: string;
  /** Pays the wallet nothing and does nothing: sent to give a nonce up. */
  readonly isNoop: boolean;
  /** Of a no-op in the place of work. `undefined` for work, and for a no-op that fills a gap. */
  readonly givingUp?: GivingUp;
  /** The gas price, on a chain without EIP-1559. */
  readonly maxFeePerGasWei: bigint;
  readonly maxPriorityFeePerGasWei: bigint;
  readonly gasLimit: bigint;
  readonly signedAtMs: number;
}

export interface Receipt {
  readonly txHash: string;
  readonly blockNumber: number;
  readonly blockHash: string;
  readonly gasUsed: bigint;
  readonly effectiveGasPriceWei: bigint;
  readonly succeeded: boolean;
}

export type TransactionState =
  /** Has at least one attempt; may be in a mempool, mined, or nowhere. */
  | { readonly kind: "signed" }
  /** In a block that is not deep enough yet. */
  | { readonly kind: "included"; readonly receipt: Receipt }
  /** In a block that is deep enough. Only a reorg deeper than that brings it back. */
  | { readonly kind: "confirmed"; readonly receipt: Receipt }
  /** Somebody else's transaction has the nonce: none of ours can be mined any more. Final. */
  | { readonly kind: "displaced" };

export type TransactionEvent =
  /** Another attempt of the same nonce, or the first again after a reorg. */
  | { readonly kind: "attempted" }
  | { readonly kind: "included"; readonly receipt: Receipt }
  | { readonly kind: "confirmed" }
  /** The block it was in is no longer part of the chain. */
  | { readonly kind: "reorged" }
  | { readonly kind: "displaced" };

/** A nonce of the wallet, and what was signed with it. */
export interface Transaction {
  readonly nonce: number;
  /** What it does: one intent, many through the batch executor, none (fills a gap), or a change of delegation. */
  readonly kind: "single" | "batch" | "noop" | "delegation";
  /** Intents it carries, in the order of the calls. */
  readonly intentIds: readonly number[];
  /** Oldest first. */
  readonly attempts: readonly Attempt[];
  readonly createdAtMs: number;
  readonly state: TransactionState;
}

/**
 * The transaction machine of docs/states/transaction.md. Pure.
 *
 * @throws {IllegalTransition} when the event cannot happen in this state
 */
export function nextTransaction(state: TransactionState, event: TransactionEvent): TransactionState {
  const next = transition(state, event);
  if (next === undefined) throw new IllegalTransition("transaction", state.kind, event.kind);
  return next;
}

function transition(state: TransactionState, event: TransactionEvent): TransactionState | undefined {
  switch (event.kind) {
    case "attempted":
      return state.kind === "signed" ? state : undefined;
    case "included":
      return canBeIncluded(state) ? { kind: "included", receipt: event.receipt } : undefined;
    case "confirmed":
      return state.kind === "included" ? { kind: "confirmed", receipt: state.receipt } : undefined;
    case "reorged":
      return state.kind === "included" || state.kind === "confirmed" ? { kind: "signed" } : undefined;
    case "displaced":
      return state.kind === "displaced" ? undefined : { kind: "displaced" };
    default:
      return unreachable(event);
  }
}

/** Again while included: the same transaction in another block. */
function canBeIncluded({ kind }: TransactionState): boolean {
  return kind === "signed" || kind === "included";
}
