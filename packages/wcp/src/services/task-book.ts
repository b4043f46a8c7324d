import type { Clock, Logger } from "@subnet-worker/kit";
import { FINAL_STATES, type Lease, nextTask, type Task, type TaskEvent } from "../domain/task.ts";
import type { Offer, Store } from "../ports.ts";

export interface TaskBookDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onState?: (task: Task) => void;
}

/** The open tasks, in memory and on disk. The only place where a task changes state. */
export class TaskBook {
  readonly #deps: TaskBookDeps;
  readonly #open: Map<string, Task>;

  constructor(deps: TaskBookDeps) {
    this.#deps = deps;
    this.#open = new Map(deps.store.openTasks().map((task) => [task.id, task]));
  }

  get(id: string): Task | undefined {
    return this.#open.get(id);
  }

  all(): Iterable<Task> {
    return this.#open.values();
  }

  /**
   * Adds an offered task, or offers again one that was lost. `undefined` when it is open or done already,
   * unless the network `isUndone`: it has lost the outcome, and the lease with it. It is in the book at
   * once, and on disk when `stored` resolves: whatever is done about it is stored after it, or with it.
   */
  offer(offer: Offer, isUndone = false): { readonly task: Task; readonly stored: Promise<Task> } | undefined {
    if (this.#open.has(offer.id)) return undefined;
    const known = this.#deps.store.task(offer.id);
    if (known?.state.kind === "done" && !isUndone) return undefined;
    const task: Task =
      known === undefined
        ? { ...offer, round: 1, state: { kind: "offered" } }
        : { ...known, round: known.round + 1, state: nextTask(known.state, { kind: "offered_again" }) };
    return { task, stored: this.#add(task, known?.state.kind ?? "new") };
  }

  /**
   * Adds a task that the network says is ours; says whether it was news. What the
   * store knows as under way or done is not: an endpoint may be behind. What it
   * has given up becomes a new round, or an effect of the old one would pass for one of the new.
   */
  async adopt(offer: Offer, lease: Lease): Promise<boolean> {
    const stored = this.#deps.store.task(offer.id);
    const isOver = stored !== undefined && FINAL_STATES.has(stored.state.kind);
    if (stored !== undefined && stored.state.kind !== "offered" && (!isOver || stored.state.kind === "done"))
      return false;
    const round = (stored?.round ?? 1) + (isOver ? 1 : 0);
    await this.#add(
      { ...offer, round, state: { kind: "claimed", lease, attempts: 0 } },
      stored?.state.kind ?? "new",
    );
    return true;
  }

  /** What the store knows of a task, open or not. */
  stored(id: string): Task | undefined {
    return this.#open.get(id) ?? this.#deps.store.task(id);
  }

  /** Opens a task again that was done: the network has lost its outcome. A new round, or the old effect would pass for the new one. */
  async reopen(id: string): Promise<Task> {
    const stored = this.#deps.store.task(id);
    if (stored === undefined) throw new Error(`task ${id} is not in the store, so it cannot be reopened`);
    const state = nextTask(stored.state, { kind: "unsettled" });
    return this.#add({ ...stored, round: stored.round + 1, state }, stored.state.kind);
  }

  async #add(task: Task, from: Task["state"]["kind"] | "new"): Promise<Task> {
    this.#open.set(task.id, task);
    this.#deps.onState?.(task);
    await this.#deps.store.saveTask(task, from);
    return task;
  }

  /**
   * As {@link move}, for a step that nothing outside follows from: the next one carries it to the disk, or
   * rejects where this one could not be written.
   */
  note(id: string, event: TaskEvent): Task {
    this.move(id, event).catch((error: unknown) => {
      this.#deps.logger.error({ activity_id: id, err: error }, "a step of an activity could not be stored");
    });
    const task = this.#open.get(id);
    if (task === undefined)
      throw new Error(`task ${id} has ended with "${event.kind}", which must be waited for`);
    return task;
  }

  /**
   * Applies an event; resolves once it is on disk. Progress and lease extensions
   * within a state stay in memory: after a restart the network tells the lease
   * and the executor the progress. A new checkpoint is stored.
   *
   * @throws {IllegalTransition} when the event cannot happen now
   */
  async move(id: string, event: TaskEvent): Promise<Task> {
    const before = this.#open.get(id);
    if (before === undefined) throw new Error(`task ${id} is not open, yet it got the event "${event.kind}"`);
    const task: Task = { ...before, state: nextTask(before.state, event) };
    const { kind } = task.state;
    if (FINAL_STATES.has(kind)) this.#open.delete(id);
    else this.#open.set(id, task);
    if (kind === before.state.kind && event.kind !== "assigned" && !isFurther(before, task)) return task;
    this.#deps.onState?.(task);
    this.#log(task, before);
    await this.#deps.store.saveTask(task, before.state.kind);
    return task;
  }

  /** A run that has just ended is in `before` only. */
  #log(task: Task, before: Task): void {
    const { logger } = this.#deps;
    const { kind } = task.state;
    const level = kind === "abandoned" || kind === "expired" ? "warn" : "info";
    if (!logger.isLevelEnabled(level)) return;
    const [state] = [task.state, before.state].filter((each) => "run" in each);
    const run = state === undefined ? {} : { run_id: state.run.id, executor: state.run.executor };
    const reason = "reason" in task.state ? { reason: task.state.reason } : {};
    logger[level](
      { activity_id: task.id, ...run, queue: task.queue, state: kind, round: task.round, ...reason },
      `activity ${kind}`,
    );
  }
}

function isFurther(before: Task, task: Task): boolean {
  return checkpointOf(before) !== checkpointOf(task);
}

function checkpointOf({ state }: Task): string | undefined {
  return "run" in state ? state.run.past?.checkpointRef : undefined;
}
