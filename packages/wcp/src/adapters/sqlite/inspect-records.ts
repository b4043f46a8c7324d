import type { Database, Statement } from "better-sqlite3";
import { seedOf } from "../../domain/claim-policy.ts";
import type { InspectedTransactions } from "./inspect-transactions.ts";
import { WITH_ID } from "./task-table.ts";

/** A record by its name. */
export interface RecordEntry {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

interface TaskRow {
  readonly id: string;
  readonly queue: string;
  readonly kind: string;
  readonly version: string;
  readonly workflow_instance_id: string;
  readonly round: number;
  readonly state: string;
  readonly detail: string;
  readonly updated_at_ms: number;
}

/** Which states of an activity a name stands for. */
const STATES_BY_NAME: Readonly<Record<string, readonly string[]>> = {
  claim_job: ["offered", "claiming"],
  inflight: ["claimed", "assigned", "running", "settling"],
  done: ["done", "lost", "expired", "abandoned"],
};

const LAST_NONCE = "nonce:last";

/**
 * The tables under the names that operators know: `claim_job:{id}` seen and not yet ours, `inflight:{id}`
 * ours and not yet settled, `done:{id}` ended in whichever way, `tx:{id}` what was sent for an activity,
 * `nonce:last` the highest nonce signed.
 */
export class InspectedRecords {
  readonly #transactions: InspectedTransactions;
  readonly #byStates: Statement<[{ readonly states: string; readonly prefix: string }], TaskRow>;
  readonly #byId: Statement<[string, number, string], TaskRow>;

  constructor(db: Database, transactions: InspectedTransactions) {
    this.#transactions = transactions;
    this.#byStates = db.prepare(
      `SELECT * FROM current_tasks WHERE state IN (SELECT value FROM json_each(@states)) AND substr(id, 1, length(@prefix)) = @prefix
       ORDER BY updated_at_ms`,
    );
    const columns = "id, queue, kind, version, workflow_instance_id, round, state, detail, updated_at_ms";
    this.#byId = db.prepare(
      `SELECT ${columns} FROM journaled_tasks WHERE id = ?
       UNION ALL
       SELECT ${columns} FROM tasks WHERE ${WITH_ID}
       LIMIT 1`,
    );
  }

  *list(prefix: string): IterableIterator<RecordEntry> {
    const [name = "", id] = splitKey(prefix);
    // Before its colon a name may be cut short.
    const isMeant = (other: string) => (id === undefined ? other.startsWith(name) : other === name);
    for (const [taskName, states] of Object.entries(STATES_BY_NAME)) {
      if (!isMeant(taskName)) continue;
      const wanted = { states: JSON.stringify(states), prefix: id ?? "" };
      for (const row of this.#byStates.iterate(wanted)) yield toEntry(row);
    }
    if (isMeant("tx")) yield* this.#allSent(id ?? "");
    const last = LAST_NONCE.startsWith(prefix) ? this.#lastNonce() : undefined;
    if (last !== undefined) yield last;
  }

  /** Every activity, as one moment has them. */
  *tasks(): IterableIterator<RecordEntry> {
    const states = Object.values(STATES_BY_NAME).flat();
    const all = { states: JSON.stringify(states), prefix: "" };
    for (const row of this.#byStates.iterate(all)) yield toEntry(row);
  }

  *#allSent(idPrefix: string): IterableIterator<RecordEntry> {
    for (const activity of this.#transactions.activities()) {
      if (activity.startsWith(idPrefix)) yield this.#sentFor(activity);
    }
  }

  find(key: string): RecordEntry | undefined {
    if (key === LAST_NONCE) return this.#lastNonce();
    const [name, id = ""] = splitKey(key);
    if (name === "tx") {
      const entry = this.#sentFor(id);
      return (entry.value["intents"] as readonly unknown[]).length === 0 ? undefined : entry;
    }
    const row = this.#byId.get(id, seedOf(id), id);
    const entry = row === undefined ? undefined : toEntry(row);
    return entry?.key === key ? entry : undefined;
  }

  #sentFor(activityId: string): RecordEntry {
    const intents = this.#transactions.intentsOf(activityId).map((intent) => {
      const attempts =
        intent.nonce === null ? [] : (this.#transactions.byNonce(intent.nonce)?.attempts ?? []);
      return { ...intent, attempts };
    });
    return { key: `tx:${activityId}`, value: { activity_id: activityId, intents } };
  }

  #lastNonce(): RecordEntry | undefined {
    const nonce = this.#transactions.highestNonce();
    const transaction = nonce === undefined ? undefined : this.#transactions.byNonce(nonce);
    if (transaction === undefined) return undefined;
    const { state, updated_at_ms } = transaction;
    return { key: LAST_NONCE, value: { nonce, state, updated_at_ms } };
  }
}

function splitKey(key: string): readonly string[] {
  const at = key.indexOf(":");
  return at === -1 ? [key] : [key.slice(0, at), key.slice(at + 1)];
}

function toEntry(row: TaskRow): RecordEntry {
  const { id, queue, detail, state, kind, version, round, workflow_instance_id, updated_at_ms } = row;
  const [name = "inflight"] =
    Object.entries(STATES_BY_NAME).find(([, states]) => states.includes(state)) ?? [];
  return {
    key: `${name}:${id}`,
    value: {
      activity_id: id,
      queue_name: queue,
      state,
      kind,
      version,
      round,
      workflow_instance_id,
      ...(JSON.parse(detail) as object),
      updated_at_ms,
    },
  };
}
