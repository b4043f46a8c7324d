import type { Database, Statement } from "better-sqlite3";
import { FINAL_STATES, type Task, type TaskState, type TaskTraits } from "../../domain/task.ts";
import { StoreError } from "./store-error.ts";

interface TaskRow {
  readonly number: number;
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
  readonly #step: Statement;
  readonly #end: Statement;
  readonly #reopen: Statement;
  readonly #byId: Statement<[string], TaskRow>;
  readonly #open: Statement<[], TaskRow>;
  readonly #prune: Statement<[number]>;
  /** Row numbers of the open tasks, by id. */
  readonly #numbers = new Map<string, number>();

  constructor(db: Database) {
    this.#insert = db.prepare(
      `INSERT INTO tasks (round, state, detail, updated_at_ms, is_final, id, source, queue, kind, version, workflow_instance_id, traits)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO NOTHING`,
    );
    const change = "UPDATE tasks SET round = ?, state = ?, detail = ?, updated_at_ms = ?";
    // Without is_final: a column that is named has its index written, changed or not.
    this.#step = db.prepare(`${change} WHERE number = ? AND state = ?`);
    this.#end = db.prepare(`${change}, is_final = 1 WHERE number = ? AND state = ?`);
    this.#reopen = db.prepare(`${change}, is_final = ? WHERE id = ? AND state = ?`);
    this.#byId = db.prepare("SELECT * FROM tasks WHERE id = ?");
    this.#open = db.prepare("SELECT * FROM tasks WHERE is_final = 0 ORDER BY number");
    this.#prune = db.prepare("DELETE FROM tasks WHERE is_final = 1 AND updated_at_ms < ?");
  }

  save(task: Task, from: TaskState["kind"] | "new", nowMs: number): void {
    const { kind: state, ...detail } = task.state;
    // By position: names would have to be looked up for each of them, each time.
    const values = [task.round, state, JSON.stringify(detail), nowMs];
    const isFinal = FINAL_STATES.has(state);
    const changes = from === "new" ? this.#add(task, values, isFinal) : this.#change(task, from, values);
    if (changes !== 1) throw StoreError.conflict(task, from);
    if (isFinal) this.#numbers.delete(task.id);
  }

  #add(task: Task, values: readonly unknown[], isFinal: boolean): number {
    const { id, source, queue, kind, version, workflowInstanceId, traits } = task;
    const { changes, lastInsertRowid } = this.#insert.run(
      ...values,
      isFinal ? 1 : 0,
      id,
      source,
      queue,
      kind,
      version,
      workflowInstanceId,
      traits === undefined ? null : JSON.stringify(traits),
    );
    if (changes === 1) this.#numbers.set(id, Number(lastInsertRowid));
    return changes;
  }

  #change({ id, state }: Task, from: TaskState["kind"], values: readonly unknown[]): number {
    const number = this.#numbers.get(id);
    const isFinal = FINAL_STATES.has(state.kind);
    if (number === undefined) return this.#reopen.run(...values, isFinal ? 1 : 0, id, from).changes;
    return (isFinal ? this.#end : this.#step).run(...values, number, from).changes;
  }

  get(id: string): Task | undefined {
    const row = this.#byId.get(id);
    return row === undefined ? undefined : toTask(row);
  }

  open(): Task[] {
    const rows = this.#open.all();
    for (const { id, number } of rows) this.#numbers.set(id, number);
    return rows.map(toTask);
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
