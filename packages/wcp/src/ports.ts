import type { Fees } from "./domain/fees.ts";
import type { Attempt, Intent, IntentKind, IntentState, Receipt, Revert } from "./domain/intent.ts";
import type { RunFailure } from "./domain/retry.ts";
import type { Lease, Task } from "./domain/task.ts";

// --- Networks -------------------------------------------------------------

/** A task as a network announces it. */
export type Offer = Pick<Task, "id" | "source" | "queue" | "kind" | "version" | "workflowInstanceId">;

/** One named input, ready for the executor. */
export interface TaskInput {
  readonly name: string;
  readonly abiType: string;
  readonly mediaType: string;
  /** The decoded value: integers wider than 53 bits as decimal strings, bytes and addresses as 0x hex. */
  readonly value: unknown;
  /** Set when the value is an object key: the executor gets a URL instead. */
  readonly objectKey?: string;
}

export interface TaskInputs {
  readonly inputs: readonly TaskInput[];
  /** What the whole workflow was started with; empty when there is none. */
  readonly workflowInputs: readonly TaskInput[];
}

export type ClaimOutcome =
  | { readonly kind: "won"; readonly lease: Lease }
  | { readonly kind: "lost"; readonly reason: string };

export type HeartbeatOutcome =
  | { readonly kind: "extended"; readonly lease: Lease }
  | { readonly kind: "lost"; readonly reason: string };

export type SettleOutcome =
  | { readonly kind: "settled" }
  | { readonly kind: "lost"; readonly reason: string }
  | { readonly kind: "expired" };

/** A task whose data makes no sense under its spec: it fails on the network with this reason. */
export class TaskDataError extends Error {
  override readonly name = "TaskDataError";
  /** Numeric task error code. */
  readonly code: number;

  constructor(code: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A task this node holds on the network, found there and not in the store. */
export interface RecoveredTask {
  readonly offer: Offer;
  readonly lease: Lease;
}

/**
 * A network that offers tasks and settles them. Every call is idempotent by
 * (task, round): after a crash it is made again and has its effect once. Calls
 * retry what can pass by itself and reject only with {@link StoppedError} or a defect.
 */
export interface TaskSource {
  readonly name: string;
  /** Reports offers until `signal` aborts. An offer may be reported more than once. */
  watch(sink: OfferSink, signal: AbortSignal): Promise<void>;
  claim(task: Task): Promise<ClaimOutcome>;
  /** Reads and decodes what the task is to work on. @throws {TaskDataError} */
  inputs(task: Task): Promise<TaskInputs>;
  /** Turns what the handler returned into what the network stores, as 0x hex. @throws {TaskDataError} */
  encodeResult(task: Task, result: RunResult): string;
  heartbeat(task: Task, percent: number): Promise<HeartbeatOutcome>;
  complete(task: Task, resultHex: string): Promise<SettleOutcome>;
  fail(task: Task, reason: string): Promise<SettleOutcome>;
  /** What this node holds on the network right now. */
  recover(): Promise<readonly RecoveredTask[]>;
}

export interface OfferSink {
  /** Takes an offer; resolves once it is stored. */
  offer(offer: Offer): Promise<void>;
  /** Whether more offers are wanted now. */
  wanted(): boolean;
}

// --- Executors ------------------------------------------------------------

/** Everything a run needs, with nothing that is a credential. */
export interface Assignment {
  readonly task: Task;
  readonly runId: string;
  readonly attempt: number;
  readonly inputs: readonly AssignedInput[];
  readonly workflowInputs: readonly AssignedInput[];
  readonly uploadPrefix: string;
  readonly leaseExpiresAtMs: number;
  readonly progressIntervalS: number;
}

export interface AssignedInput extends TaskInput {
  /** Presigned URL of the object behind `objectKey`. */
  readonly url?: string;
}

export interface RunResult {
  /** The handler's result as JSON text; empty when it gave none. */
  readonly json: string;
  /** Object key of a result too large to travel; empty when there is none. */
  readonly ref: string;
}

export type RunOutcome =
  | { readonly kind: "succeeded"; readonly result: RunResult }
  | ({ readonly kind: "failed" } & RunFailure)
  /** The executor will not take it (unknown kind, full, draining): nothing ran. */
  | { readonly kind: "rejected"; readonly code: number; readonly reason: string };

export interface UploadWish {
  readonly name: string;
  readonly mediaType: string;
  readonly sizeBytes: number;
}

export interface RunListener {
  progress(percent: number, message: string): void;
  /** Resolves with a grant, or rejects with an error whose message the handler sees. */
  upload(wish: UploadWish): Promise<UploadTicket>;
}

export interface UploadTicket {
  readonly objectKey: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly expiresAtMs: number;
}

/**
 * Room for one run, held from before the claim until the run's outcome is stored.
 * Disposing gives it back and tells the executor that it may forget the outcome;
 * disposing twice is harmless.
 */
export interface Slot extends Disposable {
  readonly executor: string;
  /**
   * Runs an assignment and stays with it over reconnects and restarts of the
   * executor, until it ends or `signal` aborts (then rejects with {@link StoppedError}
   * and leaves the run alone).
   */
  run(assignment: Assignment, listener: RunListener, signal: AbortSignal): Promise<RunOutcome>;
}

export interface SlotWish {
  readonly kind: string;
  readonly version: string;
  /**
   * Where a run already is; it gets a slot there even when all are taken, since it holds one,
   * and for a while none elsewhere when that place is out of reach.
   */
  readonly executor?: string;
}

/** The pool of places where runs happen. */
export interface Executor {
  /** A slot that can run this now, or `undefined`. */
  reserve(wish: SlotWish): Slot | undefined;
  /** Calls `listener` whenever a slot may have become free. */
  onCapacity(listener: () => void): Disposable;
  /** Tells the handler of a task to stop; its run still ends with an outcome. */
  cancel(taskId: string, reason: "requested" | "deadline" | "lease_lost" | "drain" | "superseded"): void;
  /** Why no task can run at all; empty when one could. Sentences for the operator. */
  notReady(): readonly string[];
}

// --- Storage --------------------------------------------------------------

/** Object keys to URLs and back. The executor never sees what signs them. */
export interface StorageBroker {
  downloadUrl(objectKey: string): Promise<string>;
  uploadTicket(objectKey: string, wish: UploadWish): Promise<UploadTicket>;
}

// --- The chain ------------------------------------------------------------

export interface Head {
  readonly number: number;
  readonly hash: string;
  readonly timestampS: number;
  readonly baseFeePerGasWei: bigint;
}

export interface CallRequest {
  readonly from?: string;
  readonly to: string;
  readonly data: string;
}

/** A call or an estimate that the contract answered with an exception. */
export class CallReverted extends Error {
  override readonly name = "CallReverted";
  readonly revert: Revert;

  constructor(revert: Revert) {
    super(`[CALL_REVERTED] ${revert.message}`);
    this.revert = revert;
  }
}

/** How a node took a transaction. Whatever is not certain is `unknown`, and the bytes are sent again. */
export type SendOutcome =
  | { readonly kind: "accepted" }
  | { readonly kind: "nonce_too_low" }
  | { readonly kind: "underpriced"; readonly message: string }
  | { readonly kind: "insufficient_funds"; readonly message: string }
  | { readonly kind: "unknown"; readonly message: string };

export interface EventLog {
  readonly address: string;
  readonly topics: readonly string[];
  readonly data: string;
  readonly blockNumber: number;
}

export interface LogQuery {
  readonly address: string;
  readonly topics: readonly (string | readonly string[] | null)[];
  readonly fromBlock: number;
  readonly toBlock: number;
}

/**
 * A chain as seen through its RPC endpoint. Calls retry a failing endpoint until
 * it answers or the process stops; they reject with {@link CallReverted},
 * {@link StoppedError}, or an error that repeating cannot mend.
 */
export interface Chain {
  chainId(): Promise<bigint>;
  /** Code at an address as 0x hex; `0x` when there is none. */
  code(address: string): Promise<string>;
  call(request: CallRequest, blockNumber?: number): Promise<string>;
  estimateGas(request: CallRequest): Promise<bigint>;
  /** Transactions of `address` that are mined. */
  minedCount(address: string): Promise<number>;
  /** Transactions of `address` that are mined or in the endpoint's pool. */
  pendingCount(address: string): Promise<number>;
  marketFees(): Promise<Fees>;
  send(raw: string): Promise<SendOutcome>;
  receipt(txHash: string): Promise<Receipt | undefined>;
  logs(query: LogQuery): Promise<readonly EventLog[]>;
  balanceWei(address: string): Promise<bigint>;
}

/** The chain's newest block, by push where the endpoint has it and by polling where not. */
export interface Heads {
  latest(): Head | undefined;
  onHead(listener: (head: Head) => void): Disposable;
}

export interface TransactionRequest {
  readonly nonce: number;
  readonly to: string;
  readonly data: string;
  readonly gasLimit: bigint;
  readonly fees: Fees;
}

/** Holds the key. Nothing else does. */
export interface Signer {
  readonly address: string;
  sign(request: TransactionRequest): Promise<{ readonly raw: string; readonly txHash: string }>;
}

export interface IntentRequest {
  readonly key: string;
  readonly kind: IntentKind;
  readonly taskId: string;
  readonly to: string;
  readonly data: string;
}

export type IntentOutcome = Extract<IntentState, { kind: "mined" | "reverted" | "refused" }>;

/** The wallet's one way to the chain. */
export interface TransactionLane {
  /**
   * Has the intent take effect once and resolves with how it ended. The same key
   * again, also after a restart, joins the first. Rejects with {@link StoppedError}.
   */
  submit(request: IntentRequest): Promise<IntentOutcome>;
}

// --- Persistence ----------------------------------------------------------

/** Where everything that must outlive the process is kept. */
export interface Store extends Disposable {
  /** Tasks not in a final state. */
  openTasks(): Task[];
  task(id: string): Task | undefined;
  /** Resolves once on disk. Rejects when the stored state is not `from`. */
  saveTask(task: Task, from: Task["state"]["kind"] | "new"): Promise<void>;
  /** Intents that are queued or signed. */
  openIntents(): Intent[];
  intentByKey(key: string): Intent | undefined;
  /** Adds a queued intent, or returns the one that has its key. Resolves once on disk. */
  addIntent(request: IntentRequest, nowMs: number): Promise<Intent>;
  /** Resolves once on disk. `attempt` is the one this transition added. */
  saveIntent(intent: Intent, attempt?: Attempt): Promise<void>;
  /** Highest nonce ever signed, or `undefined`. */
  highestNonce(): number | undefined;
  cursor(name: string): number | undefined;
  saveCursor(name: string, blockNumber: number): Promise<void>;
}

// --- Start-up ----------------------------------------------------------------

export type GateVerdict =
  | { readonly kind: "open" }
  /** Closed for now; it may open by itself or by somebody's doing. */
  | { readonly kind: "wait"; readonly reason: string }
  /** Closed until the configuration changes. */
  | { readonly kind: "refuse"; readonly reason: string };

/** One condition under which the node may work. */
export interface Gate {
  readonly name: string;
  check(): Promise<GateVerdict>;
}

export interface GateKeeper {
  /** Why the node does not take on work; empty when it does. */
  notReady(): readonly string[];
}

/** The process is stopping; the work is in the store and goes on at the next start. */
export class StoppedError extends Error {
  override readonly name = "StoppedError";
  readonly code = "STOPPED";

  constructor() {
    super("[STOPPED] the process is stopping; this continues at the next start");
  }
}
