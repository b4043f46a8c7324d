/** What the node needs of a chain and of a wallet; ports.ts has the rest. */
import type { FeeMarket, Fees } from "./domain/fees.ts";
import type { IntentKind, IntentState, Revert } from "./domain/intent.ts";
import type { Receipt } from "./domain/transaction.ts";

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

/** What became of an order. */
export interface OrderAnswer {
  /** Whether it was carried out; else nothing has changed. */
  readonly isDone: boolean;
  /** A sentence for the operator. */
  readonly text: string;
}

/** Where to go on reading events. */
export interface Cursor {
  readonly blockNumber: number;
  readonly blockHash: string;
}
