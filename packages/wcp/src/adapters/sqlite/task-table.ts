import type { Database, RunResult, Statement } from "better-sqlite3";
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

/** Of an open task. */
interface OpenRow {
  readonly number: number;
  readonly kind: TaskState["kind"];
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
  readonly #updateRow: Statement;
  /** By id. An open task will change, and is then not to be looked for. */
  readonly #openRows = new Map<string, OpenRow>();

  constructor(db: Database) {
    const row = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    const insert = `INSERT INTO tasks (id, source, queue, kind, version, workflow_instance_id, traits, round, state, detail, is_final, updated_at_ms) VALUES ${row}`;
    this.#insert = db.prepare(insert);
    this.#insertMany = db.prepare(insert + `, ${row}`.repeat(AT_ONCE - 1));
    const update = `UPDATE tasks SET (source, queue, kind, version, workflow_instance_id, traits, round, state, detail, is_final, updated_at_ms)
       = (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) WHERE`;
    this.#update = db.prepare(`${update} ${WITH_ID}`);
    this.#updateRow = db.prepare(`${update} number = ?`);
    this.#byId = db.prepare(`SELECT * FROM tasks WHERE ${WITH_ID}`);
    this.#open = db.prepare("SELECT * FROM tasks WHERE is_final = 0 ORDER BY number");
    this.#prune = db.prepare("DELETE FROM tasks WHERE is_final = 1 AND updated_at_ms < ?");
  }

  /** Adds tasks that are not here, in this order. */
  add(tasks: readonly Dated[]): void {
    let start = 0;
    for (; start + AT_ONCE <= tasks.length; start += AT_ONCE) {
      const portion = tasks.slice(start, start + AT_ONCE);
      this.#added(portion, this.#insertMany.run(portion.flatMap(toValues)));
    }
    for (const task of tasks.slice(start)) this.#added([task], this.#insert.run(toValues(task)));
  }

  #added(tasks: readonly Dated[], { lastInsertRowid }: RunResult): void {
    const firstNumber = Number(lastInsertRowid) - tasks.length + 1;
    for (const [index, { task }] of tasks.entries()) this.#note(task, firstNumber + index);
  }

  #note({ id, state: { kind } }: Task, number: number): void {
    if (FINAL_STATES.has(kind)) this.#openRows.delete(id);
    else this.#openRows.set(id, { number, kind });
  }

  /** Changes a task, or adds it when it is not here. */
  put(dated: Dated): void {
    const [id, ...values] = toValues(dated);
    const row = this.#openRows.get(dated.task.id);
    if (row !== undefined) {
      this.#updateRow.run(values, row.number);
      this.#note(dated.task, row.number);
    } else if (this.#update.run(values, id, id).changes === 0) this.add([dated]);
  }

  /** A transaction was undone, and what was done in it. */
  undone(): void {
    this.#openRows.clear();
  }

  /** The state of a task that is open here, where that is known without looking. */
  openKind(id: string): TaskState["kind"] | undefined {
    return this.#openRows.get(id)?.kind;
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
