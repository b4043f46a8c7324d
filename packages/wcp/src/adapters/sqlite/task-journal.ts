/**
 * Where tasks are kept: what changed in one commit is one row of the journal, and a task goes into the table
 * of tasks later, as it is then. Most end within seconds, so that one row is written there for all of its
 * states, many tasks at a time.
 *
 * Invariants
 *  TJ1  A task's state is that of its last entry in the journal, and that of the table when it has none there.
 *  TJ2  A row of the journal goes only when every task of it is in the table as it was then, or later.
 *  TJ3  A change is made only from the state that the writer saw: the last that was taken, stored or not yet.
 *  TJ4  The memory has what the database has: where a commit failed, it is read again before anybody is told.
 */
import type { Database, Statement } from "better-sqlite3";
import { FINAL_STATES, type Task, type TaskState, type TaskTraits } from "../../domain/task.ts";
import type { Failure, GroupCommit } from "./group-commit.ts";
import { StoreError } from "./store-error.ts";
import type { Dated, TaskTable } from "./task-table.ts";

/** A task whose last state is not in the table. */
interface Recent {
  task: Task;
  atMs: number;
  /** Number of the first row of the journal with a state that is not in the table. */
  readonly since: number;
  /** Length of the journal before that row. */
  readonly sinceLength: number;
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
  readonly commits: Pick<GroupCommit, "read" | "write">;
  readonly table: TaskTable;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Tasks kept out of the table, the latest ones; a quarter more before the oldest move, many at a time. */
  readonly most: number;
  /** Rows of the journal, and characters in them, at which the oldest tasks move. Default 4,096 and 8 Mi. */
  readonly mostRows?: number;
  readonly mostLength?: number;
}

const MOST_ROWS = 4_096;
const MOST_LENGTH = 8 * 1024 * 1024;
/** Rows deleted in one commit. */
const PRUNED_AT_ONCE = 2_000;

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
  #recent = new Map<string, Recent>();
  /** Of all rows since this process began, and of those that it found. */
  #length = 0;
  #next: Batch | undefined;
  /** The database could not be read again after a commit that failed: what is in it, nobody knows. */
  #broken: StoreError | undefined;
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
    const problem = this.#broken ?? problemOf(task);
    if (problem !== undefined) return Promise.reject(problem);
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
    if (this.#broken !== undefined) throw this.#broken;
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
    const { commits, table } = this.#deps;
    const onCommitted = (failure: Failure | undefined) => this.#onCommitted(failure);
    let pruned = 0;
    for (;;) {
      const count = await commits.write(
        () => {
          this.#moveOn(() => true);
          return table.prune(beforeMs, PRUNED_AT_ONCE);
        },
        { onCommitted },
      );
      pruned += count;
      if (count < PRUNED_AT_ONCE) return pruned;
    }
  }

  #begin(): Batch {
    const changed: Batch["changed"] = new Map();
    const written = this.#deps.commits.write(() => this.#write(changed), {
      size: () => changed.size,
      onCommitted: (failure) => {
        if (this.#next?.changed === changed) this.#next = undefined; // it did not even begin
        this.#onCommitted(failure);
      },
    });
    return { changed, written };
  }

  /** TJ4 */
  #onCommitted(failure: Failure | undefined): void {
    if (failure === undefined) return;
    try {
      this.#read();
    } catch (cause) {
      this.#broken = new StoreError(
        "UNREADABLE",
        "the database could not be read after a commit that failed; see the error before this one, mend the disk and start the node again",
        { cause },
      );
    }
  }

  #write(changed: Batch["changed"]): void {
    this.#next = undefined;
    this.#absent = undefined;
    const atMs = this.#deps.now();
    const entries: Entry[] = [];
    for (const { task } of changed.values()) entries.push(toEntry(task));
    const text = JSON.stringify(entries);
    const since = Number(this.#append.run(atMs, text).lastInsertRowid);
    const sinceLength = this.#length;
    this.#length += text.length;
    for (const { task, isNew } of changed.values())
      remember(this.#recent, task, { atMs, since, sinceLength, isNew });
    this.#shorten(since);
  }

  /** Keeps the journal from growing: for its tasks, or where few tasks change often or have much to them. */
  #shorten(lastNumber: number): void {
    const { most, mostRows = MOST_ROWS, mostLength = MOST_LENGTH } = this.#deps;
    const [oldest] = this.#recent.values();
    if (oldest === undefined) return;
    if (this.#recent.size > 1.25 * most) {
      let left = this.#recent.size - most;
      this.#moveOn(() => (left -= 1) >= 0);
    } else if (lastNumber - oldest.since >= mostRows || this.#length - oldest.sinceLength > mostLength) {
      const [firstNumber, firstLength] = [lastNumber - mostRows / 2, this.#length - mostLength / 2];
      this.#moveOn(({ since, sinceLength }) => since <= firstNumber || sinceLength < firstLength);
    }
  }

  /** Moves the oldest into the table, as long as `isOld` says so, and cuts the journal. */
  #moveOn(isOld: (recent: Recent) => boolean): void {
    const { table } = this.#deps;
    const added: Dated[] = [];
    for (const [id, recent] of this.#recent) {
      if (!isOld(recent)) break;
      if (recent.isNew) added.push(recent);
      else table.put(recent);
      this.#recent.delete(id);
    }
    table.add(added);
    const [oldest] = this.#recent.values();
    this.#cut.run(oldest?.since ?? Number.MAX_SAFE_INTEGER); // TJ2
  }

  #read(): void {
    const read = new Map<string, Recent>();
    let length = 0;
    for (const { number, at_ms: atMs, tasks } of this.#rows.iterate()) {
      for (const entry of JSON.parse(tasks) as readonly Entry[]) {
        const recent = { atMs, since: number, sinceLength: length, isNew: false };
        remember(read, toTask(entry), recent);
      }
      length += tasks.length;
    }
    this.#deps.table.undone();
    this.#recent = read;
    this.#length = length;
    this.#absent = undefined;
  }
}

/** Puts a task's last state in the place of the one before, and leaves it where it is in the order. */
function remember(recents: Map<string, Recent>, task: Task, of: Omit<Recent, "task">): void {
  const recent = recents.get(task.id);
  if (recent === undefined) recents.set(task.id, { task, ...of });
  else {
    recent.task = task;
    recent.atMs = of.atMs;
  }
}

/** What the table would refuse, long after it was taken here. */
function problemOf(task: Task): StoreError | undefined {
  const { id, source, queue, kind, version, workflowInstanceId, round } = task;
  for (const text of [id, source, queue, kind, version, workflowInstanceId]) {
    if (typeof text !== "string") return invalid(task);
  }
  return Number.isSafeInteger(round) ? undefined : invalid(task);
}

function invalid(task: Task): StoreError {
  return new StoreError(
    "INVALID",
    `task ${task.id} cannot be stored: its id, source, queue, kind, version and workflow must be texts and its round a number; this is a defect of its source`,
  );
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
