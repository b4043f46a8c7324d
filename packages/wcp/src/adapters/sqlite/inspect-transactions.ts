import type { Database, Statement } from "better-sqlite3";

/** One signed form of a transaction. Wei as decimal text. */
export interface AttemptView {
  readonly tx_hash: string;
  readonly number: number;
  readonly is_noop: boolean;
  readonly max_fee_per_gas_wei: string;
  readonly max_priority_fee_per_gas_wei: string;
  readonly gas_limit: string;
  readonly signed_at_ms: number;
}

/** What the wallet wanted to have happen. */
export interface IntentView {
  readonly id: number;
  readonly key: string;
  readonly kind: string;
  readonly activity_id: string;
  readonly state: string;
  readonly is_confirmed: boolean;
  readonly nonce: number | null;
  readonly tx_hash: string | null;
  readonly block_number: number | null;
  readonly gas_used: string | null;
  readonly revert: string | null;
  readonly drop_reason: string | null;
  readonly created_at_ms: number;
  readonly updated_at_ms: number;
}

/** A nonce of the wallet and what was signed with it. */
export interface TransactionView {
  readonly nonce: number;
  readonly kind: string;
  readonly state: string;
  readonly tx_hash: string | null;
  readonly block_number: number | null;
  readonly gas_used: string | null;
  readonly effective_gas_price_wei: string | null;
  readonly succeeded: boolean | null;
  readonly created_at_ms: number;
  readonly updated_at_ms: number;
  /** Oldest first. */
  readonly attempts: readonly AttemptView[];
  readonly intents: readonly IntentView[];
}

type TransactionRow = Omit<TransactionView, "attempts" | "intents" | "succeeded"> & {
  readonly intent_ids: string;
  readonly succeeded: number | null;
};
type AttemptRow = Omit<AttemptView, "is_noop"> & { readonly is_noop: number };
type IntentRow = Omit<IntentView, "is_confirmed"> & { readonly is_confirmed: number };

const INTENT_COLUMNS = `id, key, kind, task_id AS activity_id, state, is_confirmed, nonce, tx_hash, block_number,
  gas_used, revert_message AS revert, drop_reason, created_at_ms, updated_at_ms`;

/** Reads the wallet's transactions for people and scripts. */
export class InspectedTransactions {
  readonly #open: Statement<[], TransactionRow>;
  readonly #all: Statement<[], TransactionRow>;
  readonly #byNonce: Statement<[number], TransactionRow>;
  readonly #nonceOf: Statement<[string], { readonly nonce: number }>;
  readonly #attempts: Statement<[number], AttemptRow>;
  readonly #intentById: Statement<[number], IntentRow>;
  readonly #intentByKey: Statement<[string], IntentRow>;
  readonly #intentsByActivity: Statement<[string], IntentRow>;
  readonly #activities: Statement<[], { readonly activity_id: string }>;
  readonly #queued: Statement<[], { readonly count: number }>;
  readonly #highest: Statement<[], { readonly nonce: number | null }>;

  constructor(db: Database) {
    this.#open = db.prepare(
      "SELECT * FROM transactions WHERE state IN ('signed', 'included') ORDER BY nonce",
    );
    this.#all = db.prepare("SELECT * FROM transactions ORDER BY nonce");
    this.#byNonce = db.prepare("SELECT * FROM transactions WHERE nonce = ?");
    this.#nonceOf = db.prepare("SELECT nonce FROM attempts WHERE tx_hash = ?");
    this.#attempts = db.prepare(
      `SELECT tx_hash, number, is_noop, max_fee_per_gas_wei, max_priority_fee_per_gas_wei, gas_limit, signed_at_ms
       FROM attempts WHERE nonce = ? ORDER BY number`,
    );
    this.#intentById = db.prepare(`SELECT ${INTENT_COLUMNS} FROM intents WHERE id = ?`);
    this.#intentByKey = db.prepare(`SELECT ${INTENT_COLUMNS} FROM intents WHERE key = ?`);
    this.#intentsByActivity = db.prepare(
      `SELECT ${INTENT_COLUMNS} FROM intents WHERE task_id = ? ORDER BY id`,
    );
    this.#activities = db.prepare("SELECT DISTINCT task_id AS activity_id FROM intents ORDER BY task_id");
    this.#queued = db.prepare("SELECT count(*) AS count FROM intents WHERE state = 'queued'");
    this.#highest = db.prepare("SELECT max(nonce) AS nonce FROM transactions");
  }

  list(isAll: boolean): readonly TransactionView[] {
    return (isAll ? this.#all : this.#open).all().map((row) => this.#toView(row));
  }

  byNonce(nonce: number): TransactionView | undefined {
    const row = this.#byNonce.get(nonce);
    return row === undefined ? undefined : this.#toView(row);
  }

  byHash(hash: string): TransactionView | undefined {
    const nonce = this.#nonceOf.get(hash.toLowerCase())?.nonce;
    return nonce === undefined ? undefined : this.byNonce(nonce);
  }

  intent(key: string): IntentView | undefined {
    const row = this.#intentByKey.get(key);
    return row === undefined ? undefined : toIntent(row);
  }

  intentsOf(activityId: string): readonly IntentView[] {
    return this.#intentsByActivity.all(activityId).map(toIntent);
  }

  /** Activities that anything was signed or queued for. */
  activities(): readonly string[] {
    return this.#activities.all().map((row) => row.activity_id);
  }

  queuedCount(): number {
    return this.#queued.get()?.count ?? 0;
  }

  highestNonce(): number | undefined {
    return this.#highest.get()?.nonce ?? undefined;
  }

  #toView({ intent_ids, ...row }: TransactionRow): TransactionView {
    const ids = JSON.parse(intent_ids) as readonly number[];
    const intents = ids.map((id) => this.#intentById.get(id)).filter((intent) => intent !== undefined);
    return {
      ...row,
      succeeded: row.succeeded === null ? null : row.succeeded === 1,
      attempts: this.#attempts
        .all(row.nonce)
        .map((attempt) => ({ ...attempt, is_noop: attempt.is_noop === 1 })),
      intents: intents.map(toIntent),
    };
  }
}

function toIntent(row: IntentRow): IntentView {
  return { ...row, is_confirmed: row.is_confirmed === 1 };
}
