import type { Attempt, Transaction } from "../../domain/transaction.ts";
import type { SendOutcome } from "../../chain-ports.ts";

/** What keeps a transaction from being mined, by cause. */
export type Trouble = "funds" | "fees" | "never_valid";

/** A transaction that is signed or included, and what is known about it in this process only. */
export interface Entry {
  transaction: Transaction;
  /** Settles once the last attempt is on disk. */
  stored: Promise<void>;
  /** Monotonic, as all times here: the wall clock may be set back. */
  sentAtMs: number;
  /** When the last attempt was signed. */
  attemptAtMs: number;
  /** Whether an endpoint ever took it. */
  wasAccepted: boolean;
  /** Sendings in a row that were not taken. */
  refusals: number;
  lastAnswer: SendOutcome["kind"] | undefined;
  /** Answers in a row that said an earlier nonce is missing. */
  gapAnswers: number;
  /** The attempt that was replaced because it paid too little: once is enough for each. */
  underpricedHash: string | undefined;
  /** Since when its nonce is used and there is no receipt of ours. */
  missingSince: { readonly atMs: number; readonly block: number } | undefined;
  /** Since when its nonce is unused although it was in a block. */
  unminedSinceMs: number | undefined;
  /** A replacement is being signed. */
  isBusy: boolean;
  /** The timer is at work on it. */
  isNudged: boolean;
  readonly troubles: Map<Trouble, string>;
}

export function createEntry(
  transaction: Transaction,
  { sentAtMs, attemptAtMs }: { readonly sentAtMs: number; readonly attemptAtMs: number },
): Entry {
  return {
    transaction,
    stored: Promise.resolve(),
    sentAtMs,
    attemptAtMs,
    wasAccepted: false,
    refusals: 0,
    lastAnswer: undefined,
    gapAnswers: 0,
    underpricedHash: undefined,
    missingSince: undefined,
    unminedSinceMs: undefined,
    isBusy: false,
    isNudged: false,
    troubles: new Map(),
  };
}

/** What is sent, and sent again. */
export function lastAttempt({ transaction }: Entry): Attempt {
  const attempt = transaction.attempts.at(-1);
  if (attempt === undefined)
    throw new Error(`nonce ${transaction.nonce} is taken but nothing was signed with it`);
  return attempt;
}
