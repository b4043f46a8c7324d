import type { Database, Statement } from "better-sqlite3";
import type { Attempt, Intent, IntentKind, IntentState, Receipt, Revert } from "../../domain/intent.ts";
import type { IntentRequest } from "../../ports.ts";

interface IntentRow {
  readonly id: number;
  readonly key: string;
  readonly kind: string;
  readonly task_id: string;
  readonly to_address: string;
  readonly data: string;
  readonly state: IntentState["kind"];
  readonly nonce: number | null;
  readonly tx_hash: string | null;
  readonly block_number: number | null;
  readonly gas_used: string | null;
  readonly effective_gas_price_wei: string | null;
  readonly revert_name: string | null;
  readonly revert_message: string | null;
  readonly created_at_ms: number;
}

interface AttemptRow {
  readonly tx_hash: string;
  readonly raw: string;
  readonly max_fee_per_gas_wei: string;
  readonly max_priority_fee_per_gas_wei: string;
  readonly gas_limit: string;
  readonly signed_at_ms: number;
}

/** Reads and writes transaction intents and their attempts. Wei is TEXT: it outgrows 64 bits. */
export class IntentTable {
  readonly #insert: Statement;
  readonly #update: Statement;
  readonly #insertAttempt: Statement;
  readonly #byKey: Statement<[string], IntentRow>;
  readonly #open: Statement<[], IntentRow>;
  readonly #attempts: Statement<[number, number], AttemptRow>;
  readonly #highestNonce: Statement<[], { readonly nonce: number | null }>;

  constructor(db: Database) {
    this.#insert = db.prepare(
      `INSERT INTO intents (key, kind, task_id, to_address, data, state, created_at_ms)
       VALUES (@key, @kind, @taskId, @to, @data, 'queued', @nowMs) ON CONFLICT (key) DO NOTHING`,
    );
    this.#update = db.prepare(
      `UPDATE intents SET state = @state, nonce = @nonce, tx_hash = @txHash, block_number = @blockNumber,
         gas_used = @gasUsed, effective_gas_price_wei = @effectiveGasPriceWei,
         revert_name = @revertName, revert_message = @revertMessage
       WHERE id = @id AND state IN ('queued', 'signed')`,
    );
    this.#insertAttempt = db.prepare(
      `INSERT INTO attempts (tx_hash, intent_id, nonce, raw, max_fee_per_gas_wei, max_priority_fee_per_gas_wei, gas_limit, signed_at_ms)
       VALUES (@txHash, @intentId, @nonce, @raw, @maxFee, @maxPriorityFee, @gasLimit, @signedAtMs)`,
    );
    this.#byKey = db.prepare("SELECT * FROM intents WHERE key = ?");
    this.#open = db.prepare("SELECT * FROM intents WHERE state IN ('queued', 'signed') ORDER BY id");
    // Oldest first, which each one's higher fee tells and the clock need not; decimal text sorts by length first.
    this.#attempts = db.prepare(
      `SELECT * FROM attempts WHERE intent_id = ? AND nonce = ?
       ORDER BY length(max_fee_per_gas_wei), max_fee_per_gas_wei, signed_at_ms`,
    );
    this.#highestNonce = db.prepare("SELECT max(nonce) AS nonce FROM attempts");
  }

  add(request: IntentRequest, nowMs: number): Intent {
    this.#insert.run({ ...request, nowMs });
    const intent = this.byKey(request.key);
    if (intent === undefined) throw new Error(`intent ${request.key} vanished as it was stored`);
    return intent;
  }

  save(intent: Intent, attempt: Attempt | undefined): void {
    const { state } = intent;
    const result = this.#update.run({
      id: intent.id,
      state: state.kind,
      nonce: "nonce" in state ? state.nonce : null,
      ...receiptColumns("receipt" in state ? state.receipt : undefined),
      ...revertColumns("revert" in state ? state.revert : undefined),
    });
    if (result.changes !== 1) throw new Error(`intent ${intent.key} had already ended`);
    if (attempt !== undefined) this.#saveAttempt(intent, attempt);
  }

  #saveAttempt(intent: Intent, attempt: Attempt): void {
    if (intent.state.kind !== "signed")
      throw new Error(`an attempt of ${intent.key}, which is ${intent.state.kind}`);
    this.#insertAttempt.run({
      txHash: attempt.txHash,
      intentId: intent.id,
      nonce: intent.state.nonce,
      raw: attempt.raw,
      maxFee: attempt.maxFeePerGasWei.toString(),
      maxPriorityFee: attempt.maxPriorityFeePerGasWei.toString(),
      gasLimit: attempt.gasLimit.toString(),
      signedAtMs: attempt.signedAtMs,
    });
  }

  byKey(key: string): Intent | undefined {
    const row = this.#byKey.get(key);
    return row === undefined ? undefined : this.#toIntent(row);
  }

  open(): Intent[] {
    return this.#open.all().map((row) => this.#toIntent(row));
  }

  highestNonce(): number | undefined {
    return this.#highestNonce.get()?.nonce ?? undefined;
  }

  #toIntent(row: IntentRow): Intent {
    return {
      id: row.id,
      key: row.key,
      kind: row.kind as IntentKind,
      taskId: row.task_id,
      to: row.to_address,
      data: row.data,
      createdAtMs: row.created_at_ms,
      state: this.#toState(row),
    };
  }

  #toState(row: IntentRow): IntentState {
    const revert = { name: row.revert_name ?? "", message: row.revert_message ?? "" };
    const nonce = row.nonce ?? 0;
    switch (row.state) {
      case "queued":
        return { kind: "queued" };
      case "signed":
        return { kind: "signed", nonce, attempts: this.#attempts.all(row.id, nonce).map(toAttempt) };
      case "mined":
        return { kind: "mined", nonce, receipt: toReceipt(row, true) };
      case "reverted":
        return { kind: "reverted", nonce, receipt: toReceipt(row, false), revert };
      case "refused":
        return { kind: "refused", revert };
      default:
        throw new Error(`intent ${row.key} has the unknown state "${String(row.state)}"`);
    }
  }
}

function receiptColumns(receipt: Receipt | undefined) {
  return {
    txHash: receipt?.txHash ?? null,
    blockNumber: receipt?.blockNumber ?? null,
    gasUsed: receipt?.gasUsed.toString() ?? null,
    effectiveGasPriceWei: receipt?.effectiveGasPriceWei.toString() ?? null,
  };
}

function revertColumns(revert: Revert | undefined) {
  return { revertName: revert?.name ?? null, revertMessage: revert?.message ?? null };
}

function toReceipt(row: IntentRow, succeeded: boolean): Receipt {
  return {
    txHash: row.tx_hash ?? "",
    blockNumber: row.block_number ?? 0,
    gasUsed: BigInt(row.gas_used ?? 0),
    effectiveGasPriceWei: BigInt(row.effective_gas_price_wei ?? 0),
    succeeded,
  };
}

function toAttempt(row: AttemptRow): Attempt {
  return {
    txHash: row.tx_hash,
    raw: row.raw,
    maxFeePerGasWei: BigInt(row.max_fee_per_gas_wei),
    maxPriorityFeePerGasWei: BigInt(row.max_priority_fee_per_gas_wei),
    gasLimit: BigInt(row.gas_limit),
    signedAtMs: row.signed_at_ms,
  };
}
