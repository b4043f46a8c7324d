import type { Intent } from "../src/domain/intent.ts";
import type { Lease, Run, Task } from "../src/domain/task.ts";
import type { Attempt, Receipt, Transaction } from "../src/domain/transaction.ts";
import type { IntentRequest } from "../src/chain-ports.ts";
import type { Offer } from "../src/ports.ts";

/** An id of the right shape, the same for the same number. */
export function idOf(number: number): string {
  return `0x${number.toString(16).padStart(64, "0")}`;
}

export function anOffer(overrides: Partial<Offer> = {}): Offer {
  return {
    id: idOf(1),
    source: "fake",
    queue: "audio/1.0.0/processing",
    kind: "audio.preprocess",
    version: "1.0.0",
    workflowInstanceId: idOf(900),
    ...overrides,
  };
}

export function aTask(overrides: Partial<Task> = {}): Task {
  return { ...anOffer(), round: 1, state: { kind: "offered" }, ...overrides };
}

export function aLease(overrides: Partial<Lease> = {}): Lease {
  return { expiresAtMs: Date.UTC(2025, 0, 1) + 60_000, durationMs: 60_000, token: "1", ...overrides };
}

export function aRun(overrides: Partial<Run> = {}): Run {
  return { id: "run-1", attempt: 1, executor: "http://wep-1", ...overrides };
}

export function aRequest(overrides: Partial<IntentRequest> = {}): IntentRequest {
  return {
    key: "task-1:1:claim",
    kind: "claim",
    taskId: "task-1",
    to: `0x${"c0".repeat(20)}`,
    data: "0xc1a1",
    ...overrides,
  };
}

export function anAttempt(overrides: Partial<Attempt> = {}): Attempt {
  return {
    txHash: "0xa1",
    raw: "0x02a1",
    isNoop: false,
    maxFeePerGasWei: 2_000_000_000n,
    maxPriorityFeePerGasWei: 1_000_000_000n,
    gasLimit: 100_000n,
    signedAtMs: 1_000,
    ...overrides,
  };
}

export function aReceipt(overrides: Partial<Receipt> = {}): Receipt {
  return {
    txHash: "0xa1",
    blockNumber: 12,
    blockHash: "0xb12",
    gasUsed: 50_000n,
    effectiveGasPriceWei: 1_500_000_000n,
    succeeded: true,
    ...overrides,
  };
}

export function aTransaction(overrides: Partial<Transaction> = {}): Transaction {
  return {
    nonce: 0,
    kind: "single",
    intentIds: [1],
    attempts: [anAttempt()],
    createdAtMs: 1_000,
    state: { kind: "signed" },
    ...overrides,
  };
}

/** The intent, carried by the transaction with this nonce. */
export function signed(intent: Intent, nonce: number): Intent {
  return { ...intent, state: { kind: "signed", nonce } };
}
