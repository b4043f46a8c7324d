import type { Database, Statement } from "better-sqlite3";
import { FINAL_STATES, type Task, type TaskState, type TaskTraits } from "../../domain/task.ts";
import { StoreError } from "./store-error.ts";

interface TaskRow {
  readonly id: string;
  readonly source: string;
  readonly queue: string;
  readonly kind: string;
  readonly version: string;
  readonly workflow_instance_id: string;
  readonly traits: string | null;
  readonly round: number;
  readonly state: string;
  readonly detail: string;
}

/** Reads and writes tasks; every write is a compare-and-set on the state. */
export class TaskTable {
  readonly #insert: Statement;
  readonly #update: Statement;
  readonly #byId: Statement<[string], TaskRow>;
  readonly #open: Statement<[], TaskRow>;
  readonly #prune: Statement<[number]>;

  constructor(db: Database) {
    this.#insert = db.prepare(
      `INSERT INTO tasks (round, state, detail, is_final, updated_at_ms, id, source, queue, kind, version, workflow_instance_id, traits)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO NOTHING`,
    );
    this.#update = db.prepare(
      `UPDATE tasks SET round = ?, state = ?, detail = ?, is_final = ?, updated_at_ms = ?
       WHERE id = ? AND state = ?`,
    );
    this.#byId = db.prepare("SELECT * FROM tasks WHERE id = ?");
    this.#open = db.prepare("SELECT * FROM tasks WHERE is_final = 0 ORDER BY rowid");
    this.#prune = db.prepare("DELETE FROM tasks WHERE is_final = 1 AND updated_at_ms < ?");
  }

  save(task: Task, from: TaskState["kind"] | "new", nowMs: number): void {
    const { kind: state, ...detail } = task.state;
    const { id, source, queue, kind, version, workflowInstanceId, traits } = task;
    const changing = [task.round, state, JSON.stringify(detail), FINAL_STATES.has(state) ? 1 : 0, nowMs];
    // By position: names would have to be looked up for each of them, each time.
    const { changes } =
      from === "new"
        ? this.#insert.run(
            ...changing,
            id,
            source,
            queue,
            kind,
            version,
            workflowInstanceId,
            traits === undefined ? null : JSON.stringify(traits),
          )
        : this.#update.run(...changing, id, from);
    if (changes !== 1) throw StoreError.conflict(task, from);
  }

  get(id: string): Task | undefined {
    const row = this.#byId.get(id);
    return row === undefined ? undefined : toTask(row);
  }

  open(): Task[] {
    return this.#open.all().map(toTask);
  }

  /** How many rows went. */
  prune(beforeMs: number): number {
    return this.#prune.run(beforeMs).changes;
  }
}

function toTask(row: TaskRow): Task {
  return {
    id: row.id,
    source: row.source,
    queue: row.queue,
    kind: row.kind,
    version: row.version,
    workflowInstanceId: row.workflow_instance_id,
    ...(row.traits === null ? {} : { traits: JSON.parse(row.traits) as TaskTraits }),
    round: row.round,
    state: { kind: row.state, ...(JSON.parse(row.detail) as object) } as TaskState,
  };
}
