import type { Clock } from "@subnet-worker/kit";
import { claimRank, isContested, mostContested, seedOf } from "../domain/claim-policy.ts";
import type { QueuePolicy, QueueView } from "../domain/scheduler/queue-policy.ts";
import { QueueShares } from "../domain/scheduler/queue-shares.ts";
import { type Candidate, Scheduler, type Taken } from "../domain/scheduler/scheduler.ts";
import type { Wish } from "../domain/scheduler/fair-queue.ts";
import type { Task } from "../domain/task.ts";

export interface BacklogOptions {
  /** Who claims: the wallet. Two workers with the same name would want the same. */
  readonly identity: string;
  /** Most offers remembered, while one queue has them all; more queues may have somewhat more ({@link QueueShares}). */
  readonly most: number;
  /** How many claims a rival is taken to make at once: as many as we do. */
  readonly claimsAtOnce: number;
  /** Queues that are known beforehand. Default none. */
  readonly queues?: readonly QueuePolicy[] | undefined;
  /** Most tasks of one tenant at once; 0, the default, for no limit. */
  readonly tenantMaxInflight?: number | undefined;
}

/** What decides which task is taken, besides the backlog itself. */
export interface Room {
  /** Whether there is a slot for a task with this wish. */
  readonly canTake: (wish: Wish) => boolean;
  /** How many claims for what is contested are under way. */
  readonly contested: () => number;
}

interface Entry extends Candidate {
  readonly seed: number;
  readonly seenAtMs: number;
  /** Lower is claimed sooner. */
  dueMs: number;
  /** A rival is nearer to it. */
  isContested: boolean;
}

/**
 * Offers that came within this of each other are claimed in an order of our own; beyond it the older goes
 * first. Long enough to spread workers over a full queue, and a bound on how long one offer can wait while
 * newer ones are taken.
 */
const SPREAD_MS = 600_000;
/** A worker that has claimed nothing for this long is no rival. */
const RIVAL_MS = 600_000;
/** Rivals that claim nothing for this long leave what they are nearer to: they are full, or gone. */
const QUIET_MS = 30_000;
/** More are not kept apart: against so many the order by one's own hash does as well. */
const MOST_RIVALS = 32;

/**
 * What is offered and not claimed. The scheduler says which is next; among tasks that are equal to it, the
 * order is this node's own, so that workers do not race for the same ones.
 */
export class Backlog {
  readonly #options: BacklogOptions;
  readonly #clock: Clock;
  readonly #self: number;
  readonly #scheduler: Scheduler;
  readonly #shares: QueueShares;
  readonly #entries = new Map<string, Entry>();
  readonly #rivals = new Map<string, { readonly seed: number; seenAtMs: number }>();
  #rivalSeenAtMs = Number.NEGATIVE_INFINITY;
  #contested = 0;

  constructor(options: BacklogOptions, deps: { readonly clock: Clock }) {
    this.#options = options;
    this.#clock = deps.clock;
    this.#self = seedOf(options.identity.toLowerCase());
    this.#shares = new QueueShares(options.most);
    const { queues = [], tenantMaxInflight = 0 } = options;
    this.#scheduler = new Scheduler({ queues, tenantMaxInflight, startedAtMs: deps.clock.monotonicMs() });
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Whether there is room for more of a queue. */
  hasRoom(queue: string): boolean {
    return this.#shares.hasRoom(queue);
  }

  /** As {@link hasRoom}, for a task that is there: once refused, its queue is not admitted before it has much room. */
  admits(queue: string): boolean {
    return this.#shares.admits(queue);
  }

  /** Also when there is no room: what is in the store already must not be lost. */
  add(task: Task): void {
    if (this.#entries.has(task.id)) return;
    const seenAtMs = this.#clock.monotonicMs();
    const deadlineMs = task.traits?.deadlineMs;
    const entry: Entry = {
      task,
      seed: seedOf(task.id),
      seenAtMs,
      // Counted from now on by the clock that nobody sets.
      deadlineMs: deadlineMs === undefined ? undefined : seenAtMs + deadlineMs - this.#clock.nowMs(),
      dueMs: 0,
      isContested: false,
    };
    this.#entries.set(task.id, entry);
    this.#shares.add(task.queue);
    this.#place(entry);
  }

  delete(id: string): boolean {
    this.#scheduler.delete(id);
    return this.#forget(id);
  }

  /** Begins to look for what to claim: there may be room again for what had none. */
  newRound(): void {
    this.#forgetRivals();
    this.#scheduler.newRound();
  }

  /** Takes out the next to be claimed, which is in flight from now on; `undefined` when there is none. */
  take({ canTake, contested }: Room): Taken | undefined {
    const taken = this.#scheduler.take({
      nowMs: this.#clock.monotonicMs(),
      canTake,
      mayContest: () => contested() < this.mostContested,
    });
    if (taken !== undefined) this.#forget(taken.id);
    return taken;
  }

  /** Takes out what has passed its deadline. */
  dropPast(): readonly string[] {
    const dropped = this.#scheduler.dropPast(this.#clock.monotonicMs());
    for (const id of dropped) this.#forget(id);
    return dropped;
  }

  /** A task is in flight that was not taken here. */
  resumed(task: Task): void {
    this.delete(task.id);
    this.#scheduler.resumed(task);
  }

  /** A task is no longer in flight; `isSuccess` when its run came to a result just now. */
  ended(id: string, isSuccess = false): void {
    this.#scheduler.ended(id, isSuccess ? this.#clock.monotonicMs() : undefined);
  }

  /** False when there is no such queue. */
  setPaused(queue: string, isPaused: boolean): boolean {
    return this.#scheduler.setPaused(queue, isPaused);
  }

  queues(): readonly QueueView[] {
    return this.#scheduler.queues(this.#clock.monotonicMs());
  }

  /** When, in monotonic time, a queue that waits for nothing but its rate may go on. */
  get nextTokenAtMs(): number | undefined {
    return this.#scheduler.nextTokenAtMs(this.#clock.monotonicMs());
  }

  /** How many claims at once may go for what a rival is nearer to. */
  get mostContested(): number {
    const isQuiet = this.#clock.monotonicMs() - this.#rivalSeenAtMs > QUIET_MS;
    // Those that it is claiming now, which nobody sees yet, and those that it claims next.
    const left = isQuiet ? 0 : 2 * this.#rivals.size * this.#options.claimsAtOnce;
    return mostContested({ open: this.#entries.size, contested: this.#contested, left });
  }

  /** Another worker has claimed something of what we watch. */
  rival(name: string): void {
    const key = name.toLowerCase();
    if (key === this.#options.identity.toLowerCase()) return;
    const seenAtMs = this.#clock.monotonicMs();
    this.#rivalSeenAtMs = seenAtMs;
    const known = this.#rivals.get(key);
    if (known !== undefined) known.seenAtMs = seenAtMs;
    else if (this.#rivals.size < MOST_RIVALS) {
      this.#rivals.set(key, { seed: seedOf(key), seenAtMs });
      this.#reorder();
    }
  }

  #forget(id: string): boolean {
    const entry = this.#entries.get(id);
    if (entry === undefined) return false;
    this.#entries.delete(id);
    this.#shares.delete(entry.task.queue);
    if (entry.isContested) this.#contested -= 1;
    return true;
  }

  #forgetRivals(): void {
    if (this.#rivals.size === 0) return;
    const oldestMs = this.#clock.monotonicMs() - RIVAL_MS;
    const known = this.#rivals.size;
    for (const [name, { seenAtMs }] of this.#rivals) if (seenAtMs < oldestMs) this.#rivals.delete(name);
    if (this.#rivals.size < known) this.#reorder();
  }

  #reorder(): void {
    for (const entry of this.#entries.values()) this.#place(entry);
  }

  #place(entry: Entry): void {
    const rivals = [...this.#rivals.values()].map(({ seed }) => seed);
    const rank = claimRank(entry.seed, this.#self, rivals);
    entry.dueMs = entry.seenAtMs + SPREAD_MS * rank;
    if (entry.isContested) this.#contested -= 1;
    entry.isContested = this.#rivals.size > 0 && isContested(rank);
    if (entry.isContested) this.#contested += 1;
    this.#scheduler.put(entry);
  }
}
