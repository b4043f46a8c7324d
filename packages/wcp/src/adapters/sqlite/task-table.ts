import type { Database, Statement } from "better-sqlite3";
import { FINAL_STATES, type Task, type TaskState, type TaskTraits } from "../../domain/task.ts";

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

/** What the index over the ends of ids narrows a search to. */
export const WITH_ID = "substr(id, -12) = substr(@id, -12) AND id = @id";

/** The tasks that have left the journal, each as it was then. */
export class TaskTable {
  readonly #insert: Statement;
  readonly #update: Statement;
  readonly #byId: Statement<[{ readonly id: string }], TaskRow>;
  readonly #open: Statement<[], TaskRow>;
  readonly #prune: Statement<[number]>;

  constructor(db: Database) {
    this.#insert = db.prepare(
      `INSERT INTO tasks (id, source, queue, kind, version, workflow_instance_id, traits, round, state, detail, is_final, updated_at_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#update = db.prepare(
      `UPDATE tasks SET source = @source, queue = @queue, kind = @kind, version = @version,
         workflow_instance_id = @workflowInstanceId, traits = @traits, round = @round, state = @state,
         detail = @detail, is_final = @isFinal, updated_at_ms = @atMs
       WHERE ${WITH_ID}`,
    );
    this.#byId = db.prepare(`SELECT * FROM tasks WHERE ${WITH_ID}`);
    this.#open = db.prepare("SELECT * FROM tasks WHERE is_final = 0 ORDER BY number");
    this.#prune = db.prepare("DELETE FROM tasks WHERE is_final = 1 AND updated_at_ms < ?");
  }

  add({ id, source, queue, kind, version, workflowInstanceId, traits, round, state }: Task, atMs: number): void {
    const { kind: name, ...detail } = state;
    // By position: names would have to be looked up for each of them, each time.
    this.#insert.run(
      id,
      source,
      queue,
      kind,
      version,
      workflowInstanceId,
      traits === undefined ? null : JSON.stringify(traits),
      round,
      name,
      JSON.stringify(detail),
      FINAL_STATES.has(name) ? 1 : 0,
      atMs,
    );
  }

  /** Changes a task, or adds it when it is not here. */
  put(task: Task, atMs: number): void {
    const { state, traits, ...rest } = task;
    const { kind, ...detail } = state;
    const { changes } = this.#update.run({
      ...rest,
      traits: traits === undefined ? null : JSON.stringify(traits),
      state: kind,
      detail: JSON.stringify(detail),
      isFinal: FINAL_STATES.has(kind) ? 1 : 0,
      atMs,
    });
    if (changes === 0) this.add(task, atMs);
  }

  get(id: string): Task | undefined {
    const row = this.#byId.get({ id });
    return row === undefined ? undefined : toTask(row);
  }

  /** In the order in which they came. */
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
