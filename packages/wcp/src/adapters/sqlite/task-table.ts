import type { Database, RunResult, Statement } from "better-sqlite3";
import { seedOf } from "../../domain/claim-policy.ts";
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

/** Finds a task by the hash of its id, {@link seedOf}, and its id. */
export const WITH_ID = "id_hash = ? AND id = ?";

/** The tasks that have left the journal, each as it was then. */
export class TaskTable {
  readonly #insertMany: Statement;
  readonly #insert: Statement;
  readonly #update: Statement;
  readonly #byId: Statement<[number, string], TaskRow>;
  readonly #open: Statement<[], TaskRow>;
  readonly #prune: Statement<[number, number]>;
  readonly #updateRow: Statement;
  /** By id. An open task will change, and is then not to be looked for. */
  readonly #openRows = new Map<string, OpenRow>();

  constructor(db: Database) {
    const row = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    const insert = `INSERT INTO tasks (id_hash, id, source, queue, kind, version, workflow_instance_id, traits, round, state, detail, is_final, updated_at_ms) VALUES ${row}`;
    this.#insert = db.prepare(insert);
    this.#insertMany = db.prepare(insert + `, ${row}`.repeat(AT_ONCE - 1));
    const update = `UPDATE tasks SET (source, queue, kind, version, workflow_instance_id, traits, round, state, detail, is_final, updated_at_ms)
       = (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) WHERE`;
    this.#update = db.prepare(`${update} ${WITH_ID}`);
    this.#updateRow = db.prepare(`${update} number = ? AND id = ?`);
    this.#byId = db.prepare(`SELECT * FROM tasks WHERE ${WITH_ID}`);
    this.#open = db.prepare("SELECT * FROM tasks WHERE is_final = 0 ORDER BY number");
    this.#prune = db.prepare(
      "DELETE FROM tasks WHERE number IN (SELECT number FROM tasks WHERE is_final = 1 AND updated_at_ms < ? LIMIT ?)",
    );
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
    const { task } = dated;
    const [hash, id, ...values] = toValues(dated);
    const row = this.#openRows.get(task.id);
    if (row === undefined) {
      if (this.#update.run(values, hash, id).changes === 0) this.add([dated]);
      return;
    }
    const { changes } = this.#updateRow.run(values, row.number, id);
    if (changes !== 1) throw new Error(`task ${task.id} is not in row ${row.number} of the table`);
    this.#note(task, row.number);
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
    const row = this.#byId.get(seedOf(id), id);
    return row === undefined ? undefined : toTask(row);
  }

  /** In the order in which they came. */
  open(): Task[] {
    return this.#open.all().map(toTask);
  }

  /** How many rows went, `most` of them. */
  prune(beforeMs: number, most: number): number {
    return this.#prune.run(beforeMs, most).changes;
  }
}

/** By position: names would have to be looked up for each of them, each time. */
function toValues({ task, atMs }: Dated): readonly unknown[] {
  const { id, source, queue, kind, version, workflowInstanceId, traits, round, state } = task;
  const { kind: name, ...detail } = state;
  return [
    seedOf(id),
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
