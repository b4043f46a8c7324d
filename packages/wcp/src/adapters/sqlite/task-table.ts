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

/** A task and when it came into its state, in Unix milliseconds. */
export interface Dated {
  readonly task: Task;
  readonly atMs: number;
}

/** Rows of one statement: a third cheaper than one by one. */
const AT_ONCE = 16;

/** Finds a task through the index over the ends of ids. The id is bound twice: a named parameter takes twice as long. */
export const WITH_ID = "substr(id, -12) = substr(?, -12) AND id = ?";

/** The tasks that have left the journal, each as it was then. */
export class TaskTable {
  readonly #insertMany: Statement;
  readonly #insert: Statement;
  readonly #update: Statement;
  readonly #byId: Statement<[string, string], TaskRow>;
  readonly #open: Statement<[], TaskRow>;
  readonly #prune: Statement<[number]>;

  constructor(db: Database) {
    const row = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    const insert = `INSERT INTO tasks (id, source, queue, kind, version, workflow_instance_id, traits, round, state, detail, is_final, updated_at_ms) VALUES ${row}`;
    this.#insert = db.prepare(insert);
    this.#insertMany = db.prepare(insert + `, ${row}`.repeat(AT_ONCE - 1));
    this.#update = db.prepare(
      `UPDATE tasks SET (source, queue, kind, version, workflow_instance_id, traits, round, state, detail, is_final, updated_at_ms)
       = (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) WHERE ${WITH_ID}`,
    );
    this.#byId = db.prepare(`SELECT * FROM tasks WHERE ${WITH_ID}`);
    this.#open = db.prepare("SELECT * FROM tasks WHERE is_final = 0 ORDER BY number");
    this.#prune = db.prepare("DELETE FROM tasks WHERE is_final = 1 AND updated_at_ms < ?");
  }

  /** Adds tasks that are not here, in this order. */
  add(tasks: readonly Dated[]): void {
    let start = 0;
    for (; start + AT_ONCE <= tasks.length; start += AT_ONCE) {
      this.#insertMany.run(tasks.slice(start, start + AT_ONCE).flatMap(toValues));
    }
    for (const task of tasks.slice(start)) this.#insert.run(toValues(task));
  }

  /** Changes a task, or adds it when it is not here. */
  put(task: Dated): void {
    const [id, ...values] = toValues(task);
    if (this.#update.run(values, id, id).changes === 0) this.add([task]);
  }

  get(id: string): Task | undefined {
    const row = this.#byId.get(id, id);
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

/** By position: names would have to be looked up for each of them, each time. */
function toValues({ task, atMs }: Dated): readonly unknown[] {
  const { id, source, queue, kind, version, workflowInstanceId, traits, round, state } = task;
  const { kind: name, ...detail } = state;
  return [
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
  ];
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
