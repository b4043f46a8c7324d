/**
 * Where tasks are kept: what changed in one commit is one row of the journal, and a task goes into the table
 * of tasks later, as it is then. Most end within seconds, so that one row is written there for all of its
 * states, many tasks at a time.
 *
 * Invariants
 *  TJ1  A task's state is that of its last entry in the journal, and that of the table when it has none there.
 *  TJ2  A row of the journal goes only when every task of it is in the table as it was then, or later.
 *  TJ3  A change is made only from the state that the writer saw: the last that was taken, stored or not yet.
 */
import type { Database, Statement } from "better-sqlite3";
import { FINAL_STATES, type Task, type TaskState, type TaskTraits } from "../../domain/task.ts";
import type { GroupCommit } from "./group-commit.ts";
import { StoreError } from "./store-error.ts";
import type { Dated, TaskTable } from "./task-table.ts";

/** A task whose last state is not in the table. */
interface Recent {
  task: Task;
  atMs: number;
  /** Number of the first row of the journal with a state that is not in the table. */
  readonly since: number;
  /** It is not in the table at all. */
  readonly isNew: boolean;
}

interface JournalRow {
  readonly number: number;
  readonly at_ms: number;
  readonly tasks: string;
}

/** As the views of the schema read it. */
type Entry = readonly [
  id: string,
  source: string,
  queue: string,
  kind: string,
  version: string,
  workflowInstanceId: string,
  traits: TaskTraits | null,
  round: number,
  state: TaskState,
];

export interface TaskJournalDeps {
  readonly commits: Pick<GroupCommit, "read" | "write" | "writeStatement">;
  readonly table: TaskTable;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Tasks kept out of the table, the latest ones; a quarter more before the oldest move, many at a time. */
  readonly most: number;
}

/** What the next commit takes along. */
interface Batch {
  /** The states that a task goes through before the commit are one entry, the last. */
  readonly changed: Map<string, { task: Task; readonly isNew: boolean }>;
  readonly written: Promise<void>;
}

export class TaskJournal {
  readonly #deps: TaskJournalDeps;
  readonly #append: Statement<[number, string]>;
  readonly #rows: Statement<[], JournalRow>;
  readonly #cut: Statement<[number]>;
  /** In the order of {@link Recent.since}. */
  readonly #recent = new Map<string, Recent>();
  #next: Batch | undefined;
  /** Looked for just now, and not stored: whoever adds a task has looked for it. */
  #absent: string | undefined;

  constructor(db: Database, deps: TaskJournalDeps) {
    this.#deps = deps;
    this.#append = db.prepare("INSERT INTO task_journal (at_ms, tasks) VALUES (?, ?)");
    this.#rows = db.prepare("SELECT * FROM task_journal ORDER BY number");
    this.#cut = db.prepare("DELETE FROM task_journal WHERE number < ?");
    this.#read();
  }

  /** Resolves once this state, or a later one, is on disk. @throws {StoreError} CONFLICT, as a rejection */
  save(task: Task, from: TaskState["kind"] | "new"): Promise<void> {
    const changed = this.#next?.changed.get(task.id);
    const kind = changed?.task.state.kind ?? this.#kindOf(task.id);
    if (kind !== from) return Promise.reject(StoreError.conflict(task, from)); // TJ3
    this.#next ??= this.#begin();
    if (changed === undefined) this.#next.changed.set(task.id, { task, isNew: from === "new" });
    else changed.task = task;
    return this.#next.written;
  }

  #kindOf(id: string): TaskState["kind"] | "new" {
    const recent = this.#recent.get(id);
    if (recent !== undefined) return recent.task.state.kind;
    return this.#deps.table.openKind(id) ?? this.get(id)?.state.kind ?? "new";
  }

  /** As it is stored. */
  get(id: string): Task | undefined {
    const recent = this.#recent.get(id);
    if (recent !== undefined) return recent.task; // TJ1
    if (this.#absent === id) return undefined;
    const { commits, table } = this.#deps;
    const task = commits.read(() => table.get(id));
    if (task === undefined) this.#absent = id;
    return task;
  }

  /** Those not in a final state, in the order in which they came. */
  open(): Task[] {
    const tasks = new Map(this.#deps.table.open().map((task) => [task.id, task]));
    for (const [id, { task }] of this.#recent) tasks.set(id, task); // TJ1
    return [...tasks.values()].filter(({ state }) => !FINAL_STATES.has(state.kind));
  }

  /** @returns how many tasks went */
  async prune(beforeMs: number): Promise<number> {
    try {
      return await this.#deps.commits.write(() => {
        this.#moveOn(this.#recent.size);
        return this.#deps.table.prune(beforeMs);
      });
    } catch (error) {
      this.#read(); // what is stored is not what was to be
      throw error;
    }
  }

  #begin(): Batch {
    const changed: Batch["changed"] = new Map();
    return { changed, written: this.#commit(changed) };
  }

  async #commit(changed: Batch["changed"]): Promise<void> {
    try {
      await this.#deps.commits.writeStatement(
        () => this.#write(changed),
        () => changed.size,
      );
    } catch (error) {
      if (this.#next?.changed === changed) this.#next = undefined; // it did not even begin
      this.#read(); // what is stored is not what was to be
      throw error;
    }
  }

  #write(changed: Batch["changed"]): void {
    this.#next = undefined;
    this.#absent = undefined;
    const atMs = this.#deps.now();
    const entries: Entry[] = [];
    for (const { task } of changed.values()) entries.push(toEntry(task));
    const since = Number(this.#append.run(atMs, JSON.stringify(entries)).lastInsertRowid);
    for (const { task, isNew } of changed.values()) this.#remember(task, { atMs, since, isNew });
    const { most } = this.#deps;
    if (this.#recent.size > 1.25 * most) this.#moveOn(this.#recent.size - most);
  }

  #remember(task: Task, of: Pick<Recent, "atMs" | "since" | "isNew">): void {
    const recent = this.#recent.get(task.id);
    if (recent === undefined) {
      this.#recent.set(task.id, { task, ...of });
      return;
    }
    recent.task = task;
    recent.atMs = of.atMs;
  }

  /** Moves the oldest into the table, and cuts the journal. */
  #moveOn(count: number): void {
    const { table } = this.#deps;
    const added: Dated[] = [];
    let left = count;
    for (const [id, recent] of this.#recent) {
      if (left === 0) break;
      if (recent.isNew) added.push(recent);
      else table.put(recent);
      this.#recent.delete(id);
      left -= 1;
    }
    table.add(added);
    const [oldest] = this.#recent.values();
    this.#cut.run(oldest?.since ?? Number.MAX_SAFE_INTEGER); // TJ2
  }

  #read(): void {
    this.#deps.table.undone();
    this.#recent.clear();
    this.#absent = undefined;
    for (const { number, at_ms: atMs, tasks } of this.#rows.all()) {
      for (const entry of JSON.parse(tasks) as readonly Entry[]) {
        this.#remember(toTask(entry), { atMs, since: number, isNew: false });
      }
    }
  }
}

function toEntry({
  id,
  source,
  queue,
  kind,
  version,
  workflowInstanceId,
  traits,
  round,
  state,
}: Task): Entry {
  return [id, source, queue, kind, version, workflowInstanceId, traits ?? null, round, state];
}

function toTask([id, source, queue, kind, version, workflowInstanceId, traits, round, state]: Entry): Task {
  const rest = traits === null ? {} : { traits };
  return { id, source, queue, kind, version, workflowInstanceId, ...rest, round, state };
}
