import type { Database, Statement } from "better-sqlite3";
import type { Attempt, GivingUp, Transaction, TransactionState } from "../../domain/transaction.ts";
import { type ReceiptRow, receiptColumns, toReceipt } from "./receipt-columns.ts";

interface TransactionRow extends ReceiptRow {
  readonly nonce: number;
  readonly kind: Transaction["kind"];
  readonly intent_ids: string;
  readonly state: TransactionState["kind"];
  readonly succeeded: number | null;
  readonly created_at_ms: number;
}

interface AttemptRow {
  readonly tx_hash: string;
  readonly is_noop: number;
  readonly giving_up: string | null;
  readonly raw: string;
  readonly max_fee_per_gas_wei: string;
  readonly max_priority_fee_per_gas_wei: string;
  readonly gas_limit: string;
  readonly signed_at_ms: number;
}

/** Reads and writes the wallet's nonces and what was signed with each. */
export class TransactionTable {
  readonly #delete: Statement<[number]>;
  readonly #insert: Statement;
  readonly #update: Statement;
  readonly #insertAttempt: Statement;
  readonly #byNonce: Statement<[number], TransactionRow>;
  readonly #open: Statement<[], TransactionRow>;
  readonly #attempts: Statement<[number], AttemptRow>;
  readonly #highestNonce: Statement<[], { readonly nonce: number | null }>;
  readonly #prune: Statement<[number]>;

  constructor(db: Database) {
    this.#delete = db.prepare("DELETE FROM transactions WHERE nonce = ? AND state = 'displaced'");
    this.#insert = db.prepare(
      `INSERT INTO transactions (nonce, kind, intent_ids, state, created_at_ms, updated_at_ms)
       VALUES (@nonce, @kind, @intentIds, @state, @createdAtMs, @nowMs)`,
    );
    this.#update = db.prepare(
      `UPDATE transactions SET state = @state, tx_hash = @txHash, block_number = @blockNumber,
         block_hash = @blockHash, gas_used = @gasUsed, effective_gas_price_wei = @effectiveGasPriceWei,
         succeeded = @succeeded, updated_at_ms = @nowMs
       WHERE nonce = @nonce`,
    );
    this.#insertAttempt = db.prepare(
      `INSERT INTO attempts (tx_hash, nonce, number, is_noop, giving_up, raw, max_fee_per_gas_wei, max_priority_fee_per_gas_wei, gas_limit, signed_at_ms)
       VALUES (@txHash, @nonce, @number, @isNoop, @givingUp, @raw, @maxFee, @maxPriorityFee, @gasLimit, @signedAtMs)`,
    );
    this.#byNonce = db.prepare("SELECT * FROM transactions WHERE nonce = ?");
    this.#open = db.prepare(
      "SELECT * FROM transactions WHERE state IN ('signed', 'included') ORDER BY nonce",
    );
    this.#attempts = db.prepare("SELECT * FROM attempts WHERE nonce = ? ORDER BY number");
    this.#highestNonce = db.prepare("SELECT max(nonce) AS nonce FROM transactions");
    // The highest stays: it tells where the next nonce is.
    this.#prune = db.prepare(
      `DELETE FROM transactions WHERE updated_at_ms < ? AND state IN ('confirmed', 'displaced')
         AND nonce < (SELECT max(nonce) FROM transactions)`,
    );
  }

  /**
   * `attempt` is the last of the transaction's, when this change added it. A first attempt is a new
   * transaction: it replaces one that somebody else's had displaced, and that a reorg made room for.
   */
  save(transaction: Transaction, attempt: Attempt | undefined, nowMs: number): void {
    const { nonce, kind, intentIds, attempts, state, createdAtMs } = transaction;
    if (attempt !== undefined && attempts.length === 1) {
      this.#delete.run(nonce);
      this.#insert.run({
        nonce,
        kind,
        intentIds: JSON.stringify(intentIds),
        state: state.kind,
        createdAtMs,
        nowMs,
      });
    }
    this.#saveState(transaction, nowMs);
    if (attempt === undefined) return;
    this.#insertAttempt.run({
      txHash: attempt.txHash,
      nonce,
      number: attempts.length,
      isNoop: Number(attempt.isNoop),
      givingUp: attempt.givingUp === undefined ? null : JSON.stringify(attempt.givingUp),
      raw: attempt.raw,
      maxFee: attempt.maxFeePerGasWei.toString(),
      maxPriorityFee: attempt.maxPriorityFeePerGasWei.toString(),
      gasLimit: attempt.gasLimit.toString(),
      signedAtMs: attempt.signedAtMs,
    });
  }

  #saveState({ nonce, state }: Transaction, nowMs: number): void {
    const receipt = "receipt" in state ? state.receipt : undefined;
    const result = this.#update.run({
      nonce,
      state: state.kind,
      ...receiptColumns(receipt),
      succeeded: receipt === undefined ? null : Number(receipt.succeeded),
      nowMs,
    });
    if (result.changes !== 1) throw new Error(`the transaction with nonce ${nonce} is not stored`);
  }

  at(nonce: number): Transaction | undefined {
    const row = this.#byNonce.get(nonce);
    return row === undefined ? undefined : this.#toTransaction(row);
  }

  open(): Transaction[] {
    return this.#open.all().map((row) => this.#toTransaction(row));
  }

  highestNonce(): number | undefined {
    return this.#highestNonce.get()?.nonce ?? undefined;
  }

  /** How many rows went. */
  prune(beforeMs: number): number {
    return this.#prune.run(beforeMs).changes;
  }

  #toTransaction(row: TransactionRow): Transaction {
    return {
      nonce: row.nonce,
      kind: row.kind,
      intentIds: JSON.parse(row.intent_ids) as number[],
      attempts: this.#attempts.all(row.nonce).map(toAttempt),
      createdAtMs: row.created_at_ms,
      state: toState(row),
    };
  }
}

function toState(row: TransactionRow): TransactionState {
  const receipt = toReceipt(row, row.succeeded === 1);
  switch (row.state) {
    case "signed":
      return { kind: "signed" };
    case "included":
      return { kind: "included", receipt };
    case "confirmed":
      return { kind: "confirmed", receipt };
    case "displaced":
      return { kind: "displaced" };
    default:
      throw new Error(`the transaction with nonce ${row.nonce} has the unknown state "${String(row.state)}"`);
  }
}

function toAttempt(row: AttemptRow): Attempt {
  return {
    txHash: row.tx_hash,
    raw: row.raw,
    isNoop: row.is_noop === 1,
    ...(row.giving_up === null ? {} : { givingUp: JSON.parse(row.giving_up) as GivingUp }),
    maxFeePerGasWei: BigInt(row.max_fee_per_gas_wei),
    maxPriorityFeePerGasWei: BigInt(row.max_priority_fee_per_gas_wei),
    gasLimit: BigInt(row.gas_limit),
    signedAtMs: row.signed_at_ms,
  };
}
