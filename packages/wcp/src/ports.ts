import type { Cursor, IntentRequest, OrderAnswer, TxOrder } from "./chain-ports.ts";
import type { Intent } from "./domain/intent.ts";
import type { RetryPolicy, RunFailure } from "./domain/retry.ts";
import type { Lease, Task } from "./domain/task.ts";
import type { Attempt, Transaction } from "./domain/transaction.ts";
import type {
  DownloadTicket,
  MultipartAnswer,
  MultipartStep,
  UploadTicket,
  UploadWish,
  WrittenObject,
} from "./storage-ports.ts";

// --- Networks -------------------------------------------------------------

/** A task as a network announces it. */
export type Offer = Pick<
  Task,
  "id" | "source" | "queue" | "kind" | "version" | "workflowInstanceId" | "traits"
>;

/** One named input, ready for the executor. */
export interface TaskInput {
  readonly name: string;
  readonly abiType: string;
  readonly mediaType: string;
  /** The decoded value: integers wider than 53 bits as decimal strings, bytes and addresses as 0x hex. */
  readonly value: unknown;
  /** Set when the value is an object key: the executor gets a URL instead. */
  readonly objectKey?: string;
  /** Largest object that its spec allows. `undefined`: no limit. */
  readonly maxBytes?: number;
}

export interface TaskInputs {
  readonly inputs: readonly TaskInput[];
  /** What the whole workflow was started with; empty when there is none. */
  readonly workflowInputs: readonly TaskInput[];
  /** The network vouches that the task is a step of its workflow, whose other steps' objects it may read. Default false. */
  readonly isInWorkflow?: boolean;
  /** After this nobody wants the result; the task's own deadline holds as well. `undefined`: no such time. */
  readonly deadlineMs?: number | undefined;
}

/** What the spec of its activity says of a task's runs; one object for all tasks of a kind. */
export interface RunPlan {
  readonly outputs: readonly AssignedOutput[];
  /** `undefined`: as the executor has it. */
  readonly timeoutMs?: number | undefined;
  /** In MiB. `undefined`: as the executor has it. */
  readonly memoryMb?: number | undefined;
  /** The result is wanted as an object, however small it is. */
  readonly isResultByReference: boolean;
  /** What is left out is as the node has it. */
  readonly retry: Partial<RetryPolicy>;
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
  /** What its spec says of the task's runs. `undefined`: there is no spec. */
  plan(task: Task): RunPlan | undefined;
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
  /**
   * Takes an offer; resolves once it is stored. False when it was passed over, since what waits leaves no room
   * for its queue: the source is to offer it again when that queue is {@link OfferSink.wanted}.
   */
  offer(offer: Offer): Promise<boolean>;
  /** Whether more offers of this queue are wanted now. */
  wanted(queue: string): boolean;
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
  /** What the last attempt reported as its checkpoint; `undefined` for none. */
  readonly checkpointRef?: string | undefined;
  /** After this nobody wants the result. `undefined`: no such time. */
  readonly deadlineMs?: number | undefined;
  /** What the result is to have. `undefined`: no spec says. */
  readonly outputs?: readonly AssignedOutput[] | undefined;
  /** The run is stopped this long after its start. `undefined`: as the executor has it. */
  readonly timeoutMs?: number | undefined;
  /** Heap and buffers that the run may take, in MiB. `undefined`: as the executor has it. */
  readonly memoryMb?: number | undefined;
  /** The result is wanted as an object, however small it is. Default false. */
  readonly isResultByReference?: boolean | undefined;
  /** Trace context and correlation ids, as they travel: traceparent, tracestate, tenant_id and so on. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

export interface AssignedInput extends TaskInput {
  /** Presigned URL of the object behind `objectKey`. */
  readonly url?: string;
  /** When the URL stops working. */
  readonly urlExpiresAtMs?: number;
}

/** One named output that the activity's spec declares. */
export interface AssignedOutput {
  readonly name: string;
  readonly abiType: string;
  readonly mediaType: string;
  readonly isObjectKey: boolean;
  /** Of the object. `undefined`: no limit. */
  readonly maxBytes?: number;
}

export interface RunResult {
  /** The handler's result as JSON text; empty when it gave none. */
  readonly json: string;
  /** Object key of a result too large to travel; empty when there is none. */
  readonly ref: string;
  /** The object behind `ref` holds what would be `json`. Default false: it is the result itself. */
  readonly isRefJson?: boolean;
  /** What the executor says the run has written. Default none. */
  readonly objects?: readonly WrittenObject[];
  /** The handler says that there was nothing to do; the network is given the result all the same. Default false. */
  readonly isSkipped?: boolean;
}

export type RunOutcome =
  | { readonly kind: "succeeded"; readonly result: RunResult }
  | ({ readonly kind: "failed" } & RunFailure)
  /** The executor will not take it (unknown kind, full, draining): nothing ran. */
  | { readonly kind: "rejected"; readonly code: number; readonly reason: string }
  /** The executor is gone, and the run with it: it was under way, and how far it came nobody knows. */
  | { readonly kind: "interrupted"; readonly reason: string };

export type CancelReason = "requested" | "deadline" | "lease_lost" | "drain" | "superseded";

/**
 * What a run reports and asks for while it is under way. Requests reject with {@link ObjectKeyError} when the
 * run may not have the object, and with `StorageError` when storage is in trouble.
 */
export interface RunListener {
  /** `checkpointRef`: from where another attempt could go on; `undefined` when nothing new was said. */
  progress(percent: number, message: string, checkpointRef?: string): void;
  /** Resolves with a grant, or rejects with an error whose message the handler sees. */
  upload(wish: UploadWish): Promise<UploadTicket>;
  /** The same for reading an object again, or another one. */
  download(objectKey: string): Promise<DownloadTicket>;
  /** The same for a step of an upload in parts. */
  multipart(step: MultipartStep): Promise<MultipartAnswer>;
}

/**
 * Room for one run, held from before the claim until the run's outcome is stored.
 * Disposing gives it back and tells the executor that it may forget the outcome;
 * disposing twice is harmless.
 */
export interface Slot extends Disposable {
  readonly executor: string;
  /**
   * Runs an assignment and stays with it over reconnects, until it ends, the executor stays away for
   * too long or comes back without it (`interrupted`), or `signal` aborts (then rejects with
   * {@link StoppedError} and leaves the run alone).
   */
  run(assignment: Assignment, listener: RunListener, signal: AbortSignal): Promise<RunOutcome>;
  /** The outcome could not be stored: the executor is to keep it, for the next start to ask for. */
  keepOutcome(): void;
}

export interface SlotWish {
  readonly kind: string;
  readonly version: string;
  /**
   * Where a run already is; it gets a slot there even when all are taken, since it holds one,
   * and for a while none elsewhere when that place is out of reach.
   */
  readonly executor?: string;
  /** Tags that the executor must have. */
  readonly needs?: readonly string[] | undefined;
  /** Where it had better not go, since it was lost there; taken all the same when there is no other. */
  readonly avoid?: string | undefined;
}

/** One executor as the operator sees it. */
export interface ExecutorView {
  readonly url: string;
  readonly state: "connecting" | "ready" | "draining" | "away" | "refused";
  /** Where it comes from: the configuration, the endpoints file, or an address of a name in either. */
  readonly origin: "config" | "file" | "dns";
  /** Why it is not ready; empty when it is. */
  readonly reason: string;
  readonly version: string;
  readonly agent: string;
  readonly instanceId: string;
  /** For how long it has been in this state, in milliseconds. */
  readonly sinceMs: number;
  readonly classes: readonly {
    readonly name: string;
    readonly slots: number;
    readonly free: number;
    readonly tags: readonly string[];
  }[];
  readonly kinds: readonly string[];
  readonly runs: readonly {
    readonly taskId: string;
    readonly runId: string;
    readonly percent: number;
    readonly forMs: number;
  }[];
  /** Of the last ping; `undefined` before any, and of a peer that knows no ping. */
  readonly roundTripMs: number | undefined;
}

/** What an operator does with the pool. */
export interface ExecutorDesk {
  executors(): readonly ExecutorView[];
  /** Assigns nothing new there, or again; false when there is no such executor. */
  setDraining(url: string, isDraining: boolean): boolean;
  /** Round trip in milliseconds. Rejects with a sentence for the operator when there is no answer. */
  ping(url: string): Promise<number>;
}

/** The pool of places where runs happen. */
export interface Executor {
  /** A slot that can run this now, or `undefined`. */
  reserve(wish: SlotWish): Slot | undefined;
  /** Calls `listener` whenever a slot may have become free. */
  onCapacity(listener: () => void): Disposable;
  /** Tells the handler of a task to stop; its run still ends with an outcome. */
  cancel(taskId: string, reason: CancelReason): void;
  /** Why no task can run at all; empty when one could. Sentences for the operator. */
  notReady(): readonly string[];
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
  /** Queues that the operator paused, or let go on, against the configuration; true: paused. */
  queuePauses(): ReadonlyMap<string, boolean>;
  /** `undefined`: as the configuration has it. */
  saveQueuePause(queue: string, isPaused: boolean | undefined): Promise<void>;
  /** What the operator asked for and nobody has answered. */
  openOrders(): TxOrder[];
  answerOrder(id: number, answer: OrderAnswer): Promise<void>;
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
