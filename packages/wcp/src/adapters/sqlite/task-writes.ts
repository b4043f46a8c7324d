import type { Task, TaskState } from "../../domain/task.ts";
import type { GroupCommit } from "./group-commit.ts";
import { StoreError } from "./store-error.ts";
import type { TaskTable } from "./task-table.ts";

interface Waiting {
  task: Task;
  readonly from: TaskState["kind"] | "new";
}

/** Writes each task once per commit, however many states it went through since the last. */
export class TaskWrites {
  readonly #commits: GroupCommit;
  readonly #tasks: TaskTable;
  readonly #now: () => number;
  #waiting = new Map<string, Waiting>();
  /** Of the commit that those waiting go into. */
  #written: Promise<ReadonlyMap<string, unknown>> | undefined;

  constructor(deps: {
    readonly commits: GroupCommit;
    readonly tasks: TaskTable;
    /** Unix milliseconds. */
    readonly now: () => number;
  }) {
    this.#commits = deps.commits;
    this.#tasks = deps.tasks;
    this.#now = deps.now;
  }

  /** Resolves once this state, or a later one, is on disk. @throws {StoreError} CONFLICT, as a rejection */
  save(task: Task, from: TaskState["kind"] | "new"): Promise<void> {
    const waiting = this.#waiting.get(task.id);
    if (waiting === undefined) this.#waiting.set(task.id, { task, from });
    else if (waiting.task.state.kind === from) waiting.task = task;
    else return Promise.reject(StoreError.conflict(task, from));
    this.#written ??= this.#commits.writeStatement(() => this.#write());
    return told(this.#written, task.id);
  }

  /** Each is one statement, which SQLite undoes alone when it fails. @returns why some were not written, by id */
  #write(): ReadonlyMap<string, unknown> {
    const waiting = this.#waiting;
    this.#waiting = new Map();
    this.#written = undefined;
    const nowMs = this.#now();
    const failures = new Map<string, unknown>();
    for (const [id, { task, from }] of waiting) {
      try {
        this.#tasks.save(task, from, nowMs);
      } catch (error) {
        if (!(error instanceof StoreError)) throw error; // the database's trouble, not this task's
        failures.set(id, error);
      }
    }
    return failures;
  }
}

async function told(written: Promise<ReadonlyMap<string, unknown>>, id: string): Promise<void> {
  const failures = await written;
  if (failures.has(id)) throw failures.get(id);
}
