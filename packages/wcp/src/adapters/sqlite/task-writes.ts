import type { Task, TaskState } from "../../domain/task.ts";
import type { GroupCommit } from "./group-commit.ts";
import { StoreError } from "./store-error.ts";
import type { TaskTable } from "./task-table.ts";

interface Waiting {
  task: Task;
  readonly from: TaskState["kind"] | "new";
  readonly written: Promise<void>;
}

/** Writes each task once per commit, however many states it went through since the last. */
export class TaskWrites {
  readonly #commits: GroupCommit;
  readonly #tasks: TaskTable;
  readonly #now: () => number;
  readonly #waiting = new Map<string, Waiting>();

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
    if (waiting !== undefined) return this.#replace(waiting, task, from);
    const written = this.#commits.writeStatement(() => {
      const last = this.#waiting.get(task.id)?.task ?? task;
      this.#waiting.delete(task.id);
      this.#tasks.save(last, from, this.#now());
    });
    this.#waiting.set(task.id, { task, from, written });
    return written;
  }

  #replace(waiting: Waiting, task: Task, from: TaskState["kind"] | "new"): Promise<void> {
    if (waiting.task.state.kind !== from) {
      return Promise.reject(StoreError.conflict(task, from));
    }
    waiting.task = task;
    return waiting.written;
  }
}
