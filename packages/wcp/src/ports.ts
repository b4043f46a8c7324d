import type { FeeMarket, Fees } from "./domain/fees.ts";
import type { Intent, IntentKind, IntentState, Revert } from "./domain/intent.ts";
import type { RunFailure } from "./domain/retry.ts";
import type { Lease, Task } from "./domain/task.ts";
import type { Attempt, Receipt, Transaction } from "./domain/transaction.ts";

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
  /** Somebody else was faster. */
  | { readonly kind: "lost"; readonly reason: string }
  /** The network does not give it to this node, whoever else wants it. */
  | { readonly kind: "refused"; readonly reason: string };

export type HeartbeatOutcome =
  | { readonly kind: "extended"; readonly lease: Lease }
  | { readonly kind: "lost"; readonly reason: string };

export type SettleOutcome =
  | { readonly kind: "settled" }
  | { readonly kind: "lost"; readonly reason: string }
  | { readonly kind: "expired" }
  /** The network will never take this outcome, and still waits for one. */
  | { readonly kind: "refused"; readonly reason: string };

/** How a task stands on the network. */
export type Standing =
  /** Ours, under a valid lease. */
  | { readonly kind: "held"; readonly lease: Lease }
  /** Nobody's; it may have been ours until its lease ran out. */
  | { readonly kind: "open" }
  /** Somebody else's. */
  | { readonly kind: "taken"; readonly by: string }
  | { readonly kind: "settled"; readonly isByUs: boolean }
  /** The network has never heard of it, or no longer has. */
  | { readonly kind: "unknown" };

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
  /** Why nothing should be claimed here at present; sentences for the operator. */
  notReady(): readonly string[];
  /** Reports offers until `signal` aborts. An offer may be reported more than once. */
  watch(sink: OfferSink, signal: AbortSignal): Promise<void>;
  claim(task: Task): Promise<ClaimOutcome>;
  /** Reads and decodes what the task is to work on. @throws {TaskDataError} */
  inputs(task: Task): Promise<TaskInputs>;
  /** Turns what the handler returned into what the network stores, as 0x hex. @throws {TaskDataError} */
  encodeResult(task: Task, result: RunResult): string;
  heartbeat(task: Task, percent: number): Promise<HeartbeatOutcome>;
  /**
   * Resolves when the outcome can no longer change. `onIncluded` is called before, as soon as the
   * network has it and what follows from it: a stop from then on leaves nothing undone.
   */
  complete(task: Task, resultHex: string, onIncluded?: () => void): Promise<SettleOutcome>;
  fail(task: Task, reason: string, onIncluded?: () => void): Promise<SettleOutcome>;
  /** What this node holds on the network right now. */
  recover(): Promise<readonly RecoveredTask[]>;
  /** How tasks stand on the network right now, in the order asked. */
  inspect(ids: readonly string[]): Promise<readonly Standing[]>;
}

export interface OfferSink {
  /** Takes an offer; resolves once it is stored. */
  offer(offer: Offer): Promise<void>;
  /** Whether more offers are wanted now. */
  wanted(): boolean;
  /** What was offered is no longer to be had: `by` is who took it, where that is known. */
  gone(id: string, by?: string): void;
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
  readonly parentHash: string;
  readonly timestampS: number;
  /** 0 on a chain without EIP-1559. */
  readonly baseFeePerGasWei: bigint;
  readonly gasLimit: bigint;
  /** 2048 bits as 0x hex: no log of the block is outside it. `undefined` where it was not told. */
  readonly logsBloom?: string | undefined;
}

/** A block without its transactions. */
export interface Block extends Head {
  /** `undefined` where the chain has none. */
  readonly logsBloom: string | undefined;
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
  /** Taken, or in the pool already. */
  | { readonly kind: "accepted" }
  /** A transaction with this nonce is mined: ours or somebody else's. */
  | { readonly kind: "nonce_too_low" }
  /** An earlier nonce is missing; some nodes keep the transaction, some do not. */
  | { readonly kind: "nonce_too_high"; readonly message: string }
  /** Below the base fee or the node's floor. */
  | { readonly kind: "underpriced"; readonly message: string }
  /** Another transaction with this nonce is in the pool, and this one does not pay enough to replace it. */
  | { readonly kind: "replacement_underpriced"; readonly message: string }
  | { readonly kind: "insufficient_funds"; readonly message: string }
  /** No block will ever take it: intrinsic gas, block gas limit, size, a type or chain id the chain does not know. */
  | { readonly kind: "never_valid"; readonly message: string }
  /** A wallet with an EIP-7702 delegation may have one transaction pending. */
  | { readonly kind: "in_flight_limit"; readonly message: string }
  /** Pool full, the node's own fee cap, a timeout after the request was written, anything new: maybe taken. */
  | { readonly kind: "unknown"; readonly message: string };

export interface EventLog {
  readonly address: string;
  readonly topics: readonly string[];
  readonly data: string;
  readonly blockNumber: number;
  readonly blockHash: string;
  readonly logIndex: number;
}

/** The endpoint answers no range of blocks this wide, or none with this many logs. */
export class LogRangeTooWide extends Error {
  override readonly name = "LogRangeTooWide";
  readonly code = "LOG_RANGE_TOO_WIDE";
  /** Most blocks it would answer, where it says so. */
  readonly maxBlocks: number | undefined;

  constructor(message: string, maxBlocks: number | undefined) {
    super(`[LOG_RANGE_TOO_WIDE] ${message}`);
    this.maxBlocks = maxBlocks;
  }
}

export interface LogQuery {
  readonly address: string;
  readonly topics: readonly (string | readonly string[] | null)[];
  readonly fromBlock: number;
  readonly toBlock: number;
}

/** What a mined transaction came to, with the logs that tell of its parts. */
export interface MinedReceipt extends Receipt {
  readonly logs: readonly EventLog[];
}

/**
 * A chain as seen through its RPC endpoints. Calls retry and change endpoints until
 * one answers or the process stops; they reject with {@link CallReverted},
 * {@link StoppedError}, or an error that repeating cannot mend. No answer is older than
 * the newest block that was seen, unless every endpoint is behind it.
 */
export interface Chain {
  chainId(): Promise<bigint>;
  /** `undefined` when there is no such block (yet, or any more). */
  block(which: number | "latest"): Promise<Block | undefined>;
  feeMarket(): Promise<FeeMarket>;
  /** Code at an address as 0x hex; `0x` when there is none. */
  code(address: string): Promise<string>;
  call(request: CallRequest, blockNumber?: number): Promise<string>;
  estimateGas(request: CallRequest): Promise<bigint>;
  /** Transactions of `address` that are mined. */
  minedCount(address: string): Promise<number>;
  /** Transactions of `address` that are mined or in the endpoint's pool. */
  pendingCount(address: string): Promise<number>;
  /** Sends to every endpoint that is up. */
  send(raw: string): Promise<SendOutcome>;
  /** `undefined` is no proof that it is not mined: the endpoint may be behind. */
  receipt(txHash: string): Promise<MinedReceipt | undefined>;
  /** @throws {LogRangeTooWide} */
  logs(query: LogQuery): Promise<readonly EventLog[]>;
  balanceWei(address: string): Promise<bigint>;
}

/** The chain's newest block, by push where the endpoint has it and by polling where not. */
export interface Heads {
  latest(): Head | undefined;
  onHead(listener: (head: Head) => void): Disposable;
}

/** An EIP-7702 authorization: lets the wallet run the code at `contract`; the zero address takes that back. */
export interface AuthorizationRequest {
  readonly contract: string;
  /** The wallet's nonce when it is applied: one more than the transaction's, when the wallet itself sends it. */
  readonly nonce: number;
}

export interface Authorization extends AuthorizationRequest {
  /** 65 bytes as 0x hex. */
  readonly signature: string;
}

export interface TransactionRequest {
  readonly nonce: number;
  readonly to: string;
  readonly data: string;
  readonly gasLimit: bigint;
  readonly fees: Fees;
  /** Makes it a type-4 transaction; `undefined` for type 2, or type 0 where the fees are legacy ones. */
  readonly authorization?: Authorization;
}

export interface SignedTransaction {
  /** What is sent, as 0x hex. */
  readonly raw: string;
  readonly txHash: string;
}

/** Holds the key. Nothing else does. A key in a KMS is another implementation of this. */
export interface Signer {
  readonly address: string;
  sign(request: TransactionRequest): Promise<SignedTransaction>;
  /** The same transaction again on other terms, read from its signed bytes: what a replacement is. */
  resign(raw: string, terms: { readonly fees: Fees; readonly gasLimit: bigint }): Promise<SignedTransaction>;
  authorize(request: AuthorizationRequest): Promise<Authorization>;
}

export interface IntentRequest {
  readonly key: string;
  readonly kind: IntentKind;
  readonly taskId: string;
  readonly to: string;
  readonly data: string;
  /** After this it is of no use: dropped while it has no nonce, replaced by a no-op afterwards. `undefined`: never. */
  readonly deadlineMs?: number;
  /** A newer intent of the same name replaces an older one that has no nonce yet. `undefined`: none does. */
  readonly replaces?: string;
}

export type IntentOutcome = Extract<IntentState, { kind: "mined" | "reverted" | "refused" | "dropped" }>;

/** The wallet's one way to the chain. */
export interface TransactionLane {
  /**
   * Has the intent take effect once and resolves with how it ended, as soon as a block has it.
   * The same key again, also after a restart, joins the first. Rejects with {@link StoppedError}.
   */
  submit(request: IntentRequest): Promise<IntentOutcome>;
  /**
   * How a submitted intent ended, once its block is `confirmations` deep. A reorg before that may
   * change the ending. Rejects with {@link StoppedError}.
   */
  confirmed(key: string): Promise<IntentOutcome>;
}

/** One call of a batch. */
export interface BatchCall {
  readonly to: string;
  readonly data: string;
  /** What the call may burn; the batch as a whole throws when less is left. */
  readonly gas: bigint;
}

export type BatchResult =
  | { readonly ok: true; readonly gasUsed: bigint }
  | { readonly ok: false; readonly revert: Revert };

/** Speaks with the batch executor that the wallet delegates to (EIP-7702); the wallet calls itself. */
export interface BatchCodec {
  /** The executor's address. */
  readonly executor: string;
  /** Call data that makes the calls in order; one's failure does not undo the others. */
  encode(calls: readonly BatchCall[]): string;
  /** Call data for an eth_call from the wallet to itself that tells what each call would do. */
  encodeSimulation(calls: readonly BatchCall[]): string;
  decodeSimulation(returnData: string): readonly BatchResult[];
  /**
   * Whether the batch was made at all. A wallet that no longer delegates here takes the transaction, does
   * nothing, and succeeds: then none of the calls took effect, and {@link failures} is empty.
   */
  ran(logs: readonly EventLog[], wallet: string): boolean;
  /** Which calls of a mined batch threw, by index. `logs` are those of its receipt. */
  failures(logs: readonly EventLog[], wallet: string): ReadonlyMap<number, Revert>;
  /** Gas of the batch besides what its calls burn: its base fee and call data, an authorization if it carries one. */
  overheadGas(calls: readonly BatchCall[], hasAuthorization: boolean): bigint;
  /** Whom code at the wallet's address delegates to; `undefined` for none. */
  delegateOf(code: string): string | undefined;
}

/** What an operator asked to be done about a transaction, with `wcp tx`. */
export interface TxOrder {
  readonly id: number;
  readonly action: "bump" | "cancel" | "rebroadcast";
  readonly nonce: number;
}

/** Where to go on reading events. */
export interface Cursor {
  readonly blockNumber: number;
  readonly blockHash: string;
}

// --- Persistence ----------------------------------------------------------

/** Where everything that must outlive the process is kept. */
export interface Store extends Disposable {
  /** Tasks not in a final state. */
  openTasks(): Task[];
  task(id: string): Task | undefined;
  /** Resolves once on disk. Rejects when the stored state is not `from`. */
  saveTask(task: Task, from: Task["state"]["kind"] | "new"): Promise<void>;
  /** Intents that have not ended for good, oldest first. */
  openIntents(): Intent[];
  intentByKey(key: string): Intent | undefined;
  /** Adds a queued intent, or returns the one that has its key. Resolves once on disk. */
  addIntent(request: IntentRequest, nowMs: number): Promise<Intent>;
  /** Stores intents' new states in one commit. Resolves once on disk. */
  saveIntents(intents: readonly Intent[]): Promise<void>;
  /** Transactions that are signed or included. */
  openTransactions(): Transaction[];
  /** The transaction that had this nonce last, whatever became of it. */
  transactionAt(nonce: number): Transaction | undefined;
  /** The intents that name this nonce, in the order they were added. */
  intentsAt(nonce: number): Intent[];
  /** Stores a transaction, a new attempt of it, and the states of the intents it carries, in one commit. */
  saveTransaction(change: TransactionChange): Promise<void>;
  /** Highest nonce ever signed, or `undefined`. */
  highestNonce(): number | undefined;
  cursor(name: string): Cursor | undefined;
  saveCursor(name: string, cursor: Cursor): Promise<void>;
  /** What the operator asked for and nobody has answered. */
  openOrders(): TxOrder[];
  answerOrder(id: number, answer: string): Promise<void>;
  /** Hash of the chain's first block, which tells a reset chain from the one this database knows. */
  genesisHash(): string | undefined;
  saveGenesisHash(hash: string): Promise<void>;
  /** Forgets tasks and transactions that ended before `beforeMs`; how many rows went. */
  prune(beforeMs: number): Promise<number>;
}

export interface TransactionChange {
  readonly transaction: Transaction;
  /** The attempt that this change added. */
  readonly attempt?: Attempt;
  readonly intents?: readonly Intent[];
}

// --- Start-up ----------------------------------------------------------------

export type GateVerdict =
  | { readonly kind: "open" }
  /** Closed for now; it may open by itself or by somebody's doing. */
  | {
      readonly kind: "wait";
      readonly reason: string;
      /** The endpoints' own report says it too, where they have one. */
      readonly isEndpointTrouble?: boolean;
    }
  /** Open for what the wallet holds already, and for no further claims. */
  | { readonly kind: "hold"; readonly reason: string }
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
