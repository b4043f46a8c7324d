import type { Database, Statement } from "better-sqlite3";
import type { DropReason, Intent, IntentKind, IntentState } from "../../domain/intent.ts";
import type { IntentRequest } from "../../chain-ports.ts";
import { type ReceiptRow, receiptColumns, toReceipt } from "./receipt-columns.ts";

interface IntentRow extends ReceiptRow {
  readonly id: number;
  readonly key: string;
  readonly kind: string;
  readonly task_id: string;
  readonly to_address: string;
  readonly data: string;
  readonly deadline_ms: number | null;
  readonly replaces: string | null;
  readonly state: IntentState["kind"];
  readonly nonce: number | null;
  readonly is_confirmed: number;
  readonly revert_name: string | null;
  readonly revert_message: string | null;
  readonly drop_reason: string | null;
  readonly created_at_ms: number;
}

/** Reads and writes what the wallet wants done. Wei is TEXT: it outgrows 64 bits. */
export class IntentTable {
  readonly #insert: Statement;
  readonly #update: Statement;
  readonly #byKey: Statement<[string], IntentRow>;
  readonly #open: Statement<[], IntentRow>;
  readonly #atNonce: Statement<[number], IntentRow>;
  readonly #prune: Statement<[number]>;

  constructor(db: Database) {
    this.#insert = db.prepare(
      `INSERT INTO intents (key, kind, task_id, to_address, data, deadline_ms, replaces, state, created_at_ms, updated_at_ms)
       VALUES (@key, @kind, @taskId, @to, @data, @deadlineMs, @replaces, 'queued', @nowMs, @nowMs)`,
    );
    this.#update = db.prepare(
      `UPDATE intents SET state = @state, nonce = @nonce, is_confirmed = @isConfirmed, tx_hash = @txHash,
         block_number = @blockNumber, block_hash = @blockHash, gas_used = @gasUsed,
         effective_gas_price_wei = @effectiveGasPriceWei, revert_name = @revertName,
         revert_message = @revertMessage, drop_reason = @dropReason, updated_at_ms = @nowMs
       WHERE id = @id AND state NOT IN ('refused', 'dropped')`,
    );
    this.#byKey = db.prepare("SELECT * FROM intents WHERE key = ?");
    this.#open = db.prepare(
      `SELECT * FROM intents
       WHERE state IN ('queued', 'signed') OR (state IN ('mined', 'reverted') AND is_confirmed = 0) ORDER BY id`,
    );
    this.#atNonce = db.prepare("SELECT * FROM intents WHERE nonce = ? ORDER BY id");
    this.#prune = db.prepare(
      `DELETE FROM intents WHERE updated_at_ms < ? AND (is_confirmed = 1 OR state IN ('refused', 'dropped'))`,
    );
  }

  add(request: IntentRequest, nowMs: number): Intent {
    const known = this.byKey(request.key);
    if (known !== undefined) return known;
    const { deadlineMs = null, replaces = null, ...rest } = request;
    this.#insert.run({ ...rest, deadlineMs, replaces, nowMs });
    const intent = this.byKey(request.key);
    if (intent === undefined) throw new Error(`intent ${request.key} vanished as it was stored`);
    return intent;
  }

  save({ id, key, state }: Intent, nowMs: number): void {
    const result = this.#update.run({ id, ...stateColumns(state), nowMs });
    if (result.changes !== 1) throw new Error(`intent ${key} had already ended`);
  }

  byKey(key: string): Intent | undefined {
    const row = this.#byKey.get(key);
    return row === undefined ? undefined : toIntent(row);
  }

  open(): Intent[] {
    return this.#open.all().map(toIntent);
  }

  at(nonce: number): Intent[] {
    return this.#atNonce.all(nonce).map(toIntent);
  }

  /** How many rows went. */
  prune(beforeMs: number): number {
    return this.#prune.run(beforeMs).changes;
  }
}

function stateColumns(state: IntentState) {
  return {
    state: state.kind,
    nonce: "nonce" in state ? state.nonce : null,
    isConfirmed: "isConfirmed" in state && state.isConfirmed ? 1 : 0,
    ...receiptColumns("receipt" in state ? state.receipt : undefined),
    ...reasonColumns(state),
  };
}

function reasonColumns(state: IntentState) {
  const revert = "revert" in state ? state.revert : undefined;
  const dropped = state.kind === "dropped" ? state : undefined;
  return {
    revertName: revert?.name ?? null,
    revertMessage: revert?.message ?? dropped?.message ?? null,
    dropReason: dropped?.reason ?? null,
  };
}

function toIntent(row: IntentRow): Intent {
  return {
    id: row.id,
    key: row.key,
    kind: row.kind as IntentKind,
    taskId: row.task_id,
    to: row.to_address,
    data: row.data,
    deadlineMs: row.deadline_ms ?? undefined,
    replaces: row.replaces ?? undefined,
    createdAtMs: row.created_at_ms,
    state: toState(row),
  };
}

function toState(row: IntentRow): IntentState {
  const revert = { name: row.revert_name ?? "", message: row.revert_message ?? "" };
  const nonce = row.nonce ?? 0;
  const isConfirmed = row.is_confirmed === 1;
  switch (row.state) {
    case "queued":
      return { kind: "queued" };
    case "signed":
      return { kind: "signed", nonce };
    case "mined":
      return { kind: "mined", nonce, receipt: toReceipt(row, true), isConfirmed };
    case "reverted":
      return { kind: "reverted", nonce, receipt: toReceipt(row, false), revert, isConfirmed };
    case "refused":
      return { kind: "refused", revert };
    case "dropped":
      return { kind: "dropped", reason: row.drop_reason as DropReason, message: revert.message };
    default:
      throw new Error(`intent ${row.key} has the unknown state "${String(row.state)}"`);
  }
}
