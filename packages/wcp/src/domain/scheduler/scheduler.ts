/**
 * Decides what is started next. Pure: no I/O, no clock; times are milliseconds of one clock that never
 * goes back, given by the caller.
 *
 * Between queues: the highest priority that can start something; within it, start-time fair queueing
 * (Goyal, Vin, Cheng, SIGCOMM 1996) over tasks started, each of cost 1. Within a queue: {@link FairQueue}.
 *
 * Invariants
 *  P1  A task is waiting or in flight or gone, never two of these.
 *  P2  What is in flight never exceeds the limits of its queue and tenant, but for what was in flight
 *      before us ({@link Scheduler.resumed}).
 *  P3  While anything waits that could be started, {@link Scheduler.take} finds something.
 *  P4  A queue that had nothing to start, or was paused, has no claim on what others started meanwhile. One
 *      that had no slot has a bounded one: as much as the lightest queue gets with {@link CREDIT} tasks.
 */
import type { Task } from "../task.ts";
import {
  CREDIT,
  type Entry,
  FairQueue,
  type KnownWish,
  type Tenant,
  unpark,
  type Wish,
} from "./fair-queue.ts";
import { Heap } from "./heap.ts";
import { plainQueue, type QueuePolicy, type QueueView } from "./queue-policy.ts";

export interface SchedulerOptions {
  /** Queues that are known beforehand; others are {@link plainQueue}. */
  readonly queues: readonly QueuePolicy[];
  /** Most of one tenant in flight at once, over all queues; 0 for no limit. Tasks without a tenant have none. */
  readonly tenantMaxInflight: number;
  /**
   * When this process began: rates allow nothing before it, since nobody knows what they have allowed already.
   * By default they allow a burst at once.
   */
  readonly startedAtMs?: number | undefined;
}

/** A task that waits to be started. */
export interface Candidate {
  readonly task: Pick<Task, "id" | "queue" | "kind" | "version" | "traits">;
  /** When nobody wants its result any more; `undefined` for never. */
  readonly deadlineMs: number | undefined;
  /** Lower goes first when all else is equal. */
  readonly dueMs: number;
  /** Started only while `mayContest` says so. */
  readonly isContested: boolean;
}

/** How the world is at present, for one decision. */
export interface Look {
  readonly nowMs: number;
  /** Whether there is room for a task with this wish: asked until it says no, and then not again in this round. */
  readonly canTake: (wish: Wish) => boolean;
  /** Whether contested tasks may be started too. */
  readonly mayContest: () => boolean;
}

/** What was taken. */
export interface Taken {
  readonly id: string;
  readonly wish: Wish;
  readonly isContested: boolean;
}

interface Inflight {
  readonly queue: FairQueue;
  readonly tenant: Tenant;
  readonly wish: KnownWish;
  /** `undefined` when it was started before us. */
  readonly startedAtMs: number | undefined;
}

/** Queues of one priority, which share by their weights. */
interface Level {
  readonly priority: number;
  readonly queues: FairQueue[];
  /** Highest start tag of what was started. */
  virtualTime: number;
  /** How far behind it a start tag can be. Slots of several kinds become free in another order than that of the tags. */
  slack: number;
}

/** Weight of the newest in the mean of run times, as in TCP's estimate of the round trip (RFC 6298). */
const NEWEST = 1 / 8;
const NOBODY = "";

export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #queues = new Map<string, FairQueue>();
  /** Highest priority first. */
  readonly #levels: Level[] = [];
  readonly #tenants = new Map<string, Tenant>();
  /** As many as there are kinds of work: they come from specs and handlers. */
  readonly #wishes = new Map<string, KnownWish>();
  readonly #waiting = new Map<string, Entry>();
  readonly #inflight = new Map<string, Inflight>();
  readonly #deadlines = new Heap<Entry>((a, b) => a.deadlineMs < b.deadlineMs);
  #round = 1;
  /** Whether there was no slot for some wish in this round. */
  #isAnyFull = false;
  #isRated = false;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    for (const policy of options.queues) this.#addQueue(policy);
  }

  /** How many wait. */
  get size(): number {
    return this.#waiting.size;
  }

  has(id: string): boolean {
    return this.#waiting.has(id);
  }

  /** Adds a task that waits, or puts one that waits already in another place. One in flight stays so (P1). */
  put({ task, deadlineMs = Number.POSITIVE_INFINITY, dueMs, isContested }: Candidate): void {
    if (this.#inflight.has(task.id)) return;
    this.delete(task.id);
    const entry: Entry = {
      id: task.id,
      queue: this.#queueOf(task.queue),
      tenant: this.#tenantOf(task.traits?.tenant),
      wish: this.#wishOf(task),
      priority: task.traits?.priority ?? 0,
      deadlineMs,
      dueMs,
      isContested,
      place: undefined,
      deadline: undefined,
    };
    if (deadlineMs !== Number.POSITIVE_INFINITY) entry.deadline = this.#deadlines.push(entry);
    this.#waiting.set(entry.id, entry);
    entry.tenant.waiting += 1;
    if (entry.queue.waiting === 0) this.#rejoin(entry.queue);
    entry.queue.add(entry);
  }

  /** Takes out a task that waits; false when it did not. */
  delete(id: string): boolean {
    const entry = this.#waiting.get(id);
    if (entry === undefined) return false;
    entry.queue.delete(entry);
    this.#forget(entry);
    return true;
  }

  /** Takes out what waits and has passed its deadline. */
  dropPast(nowMs: number): readonly string[] {
    const dropped: string[] = [];
    for (let entry = this.#deadlines.peek(); entry !== undefined; entry = this.#deadlines.peek()) {
      if (entry.deadlineMs > nowMs) break;
      this.delete(entry.id);
      dropped.push(entry.id);
    }
    return dropped;
  }

  /** Begins a round of decisions: there may be room again for what had none. */
  newRound(): void {
    this.#round += 1;
    this.#isAnyFull = false;
  }

  /** The next to be started, which is in flight from now on; `undefined` when nothing can be. */
  take(look: Look): Taken | undefined {
    for (const level of this.#levels) {
      const taken = this.#takeOf(level, look);
      if (taken !== undefined) return taken;
    }
    return undefined;
  }

  /** A task is in flight that was not taken here: it was under way before this process, or was found. */
  resumed(task: Candidate["task"]): void {
    if (this.#inflight.has(task.id)) return;
    this.delete(task.id);
    this.#begin(task.id, {
      queue: this.#queueOf(task.queue),
      tenant: this.#tenantOf(task.traits?.tenant),
      wish: this.#wishOf(task),
      startedAtMs: undefined,
    });
  }

  /** A task is no longer in flight, or never was. `finishedAtMs`: when it was, if it did what it was to do. */
  ended(id: string, finishedAtMs?: number): void {
    const flight = this.#inflight.get(id);
    if (flight === undefined) return;
    this.#inflight.delete(id);
    const { queue, tenant, wish, startedAtMs } = flight;
    queue.inflight -= 1;
    tenant.inflight -= 1;
    if (tenant.inflight < tenant.most) unpark(tenant);
    this.#retire(tenant);
    if (finishedAtMs === undefined || startedAtMs === undefined) return;
    const runMs = finishedAtMs - startedAtMs;
    wish.runMs = wish.runMs === undefined ? runMs : wish.runMs + NEWEST * (runMs - wish.runMs);
  }

  /** Starts nothing of a queue, or again; false when there is no such queue. */
  setPaused(name: string, isPaused: boolean): boolean {
    const queue = this.#queues.get(name);
    if (queue === undefined) return false;
    if (queue.isPaused && !isPaused) this.#rejoin(queue);
    queue.isPaused = isPaused;
    return true;
  }

  /**
   * When a queue that waits for nothing but its rate may start something; `undefined` when none does.
   * Not before `nowMs`.
   */
  nextTokenAtMs(nowMs: number): number | undefined {
    if (!this.#isRated) return undefined;
    let nextMs: number | undefined;
    for (const { limit, isWanted } of this.#queues.values()) {
      const atMs = isWanted ? limit?.readyAtMs() : undefined;
      if (atMs !== undefined && atMs > nowMs && (nextMs === undefined || atMs < nextMs)) nextMs = atMs;
    }
    return nextMs;
  }

  /** All queues, known beforehand or seen since, in the order in which they became known. */
  queues(nowMs: number): readonly QueueView[] {
    return [...this.#queues.values()].map(({ policy, waiting, inflight, isPaused, limit }) => ({
      name: policy.name,
      isPaused,
      weight: policy.weight,
      priority: policy.priority,
      waiting,
      inflight,
      maxInflight: policy.maxInflight,
      ratePerS: limit?.ratePerS,
      tokens: limit?.tokens(nowMs),
    }));
  }

  #takeOf(level: Level, look: Look): Taken | undefined {
    const round = this.#round;
    for (;;) {
      const queue = this.#nextQueue(level, look.nowMs);
      if (queue === undefined) return undefined;
      const entry = queue.head({ round, nowMs: look.nowMs, mayContest: look.mayContest });
      if (entry === undefined) queue.blockedIn = round;
      else if (!look.canTake(entry.wish)) {
        entry.wish.fullIn = round;
        this.#isAnyFull = true;
      } else return this.#start(level, entry, look.nowMs);
    }
  }

  /** The one with the lowest start tag, and of those with the same the one that is further behind. */
  #nextQueue(level: Level, nowMs: number): FairQueue | undefined {
    let next: FairQueue | undefined;
    let nextTag = Number.POSITIVE_INFINITY;
    for (const queue of level.queues) {
      if (queue.blockedIn === this.#round || !queue.mayStart(nowMs)) continue;
      // Or a full node would be found out queue by queue.
      if (this.#isAnyFull && !queue.hasOpenLane(this.#round)) continue;
      const tag = startTagOf(queue, level);
      if (next !== undefined && (tag > nextTag || (tag === nextTag && queue.finishTag >= next.finishTag)))
        continue;
      next = queue;
      nextTag = tag;
    }
    return next;
  }

  #start(level: Level, entry: Entry, nowMs: number): Taken {
    const { id, queue, tenant, wish, isContested } = entry;
    queue.take(entry);
    this.#forget(entry, false);
    queue.limit?.take(nowMs);
    const startTag = startTagOf(queue, level);
    level.virtualTime = Math.max(level.virtualTime, startTag);
    queue.finishTag = startTag + 1 / queue.policy.weight;
    this.#begin(id, { queue, tenant, wish, startedAtMs: nowMs });
    return { id, wish, isContested };
  }

  /** A queue that could not start anything for reasons of its own begins where the one furthest behind is (P4). */
  #rejoin(queue: FairQueue): void {
    const level = this.#levels.find(({ priority }) => priority === queue.policy.priority);
    if (level === undefined) return;
    let leastTag = Number.POSITIVE_INFINITY;
    for (const other of level.queues) {
      if (other === queue || other.waiting === 0 || other.isPaused) continue;
      leastTag = Math.min(leastTag, startTagOf(other, level));
    }
    queue.finishTag = Math.max(queue.finishTag, Math.min(leastTag, level.virtualTime));
  }

  #begin(id: string, flight: Inflight): void {
    this.#inflight.set(id, flight);
    flight.queue.inflight += 1;
    flight.tenant.inflight += 1;
  }

  /** Of an entry that its queue no longer has. */
  #forget(entry: Entry, isGone = true): void {
    this.#waiting.delete(entry.id);
    if (entry.deadline !== undefined) this.#deadlines.remove(entry.deadline);
    entry.tenant.waiting -= 1;
    if (isGone) this.#retire(entry.tenant);
  }

  #retire(tenant: Tenant): void {
    if (tenant.waiting + tenant.inflight === 0 && tenant.name !== NOBODY) this.#tenants.delete(tenant.name);
  }

  #tenantOf(name = NOBODY): Tenant {
    const known = this.#tenants.get(name);
    if (known !== undefined) return known;
    const { tenantMaxInflight: limit } = this.#options;
    const most = limit === 0 || name === NOBODY ? Number.POSITIVE_INFINITY : limit;
    const tenant: Tenant = { name, most, waiting: 0, inflight: 0, parked: [] };
    this.#tenants.set(name, tenant);
    return tenant;
  }

  #wishOf({ kind, version, traits }: Candidate["task"]): KnownWish {
    const needs = traits?.needs ?? [];
    const key =
      needs.length === 0 ? `${kind} ${version}` : `${kind} ${version} ${needs.toSorted().join(" ")}`;
    const known = this.#wishes.get(key);
    if (known !== undefined) return known;
    const wish: KnownWish = { kind, version, needs, fullIn: 0, runMs: undefined };
    this.#wishes.set(key, wish);
    return wish;
  }

  #queueOf(name: string): FairQueue {
    return this.#queues.get(name) ?? this.#addQueue(plainQueue(name));
  }

  #addQueue(policy: QueuePolicy): FairQueue {
    const queue = new FairQueue(policy, this.#options.startedAtMs);
    this.#queues.set(policy.name, queue);
    this.#isRated ||= queue.limit !== undefined;
    const { priority, weight } = policy;
    let level = this.#levels.find((each) => each.priority === priority);
    if (level === undefined) {
      level = { priority, queues: [], virtualTime: 0, slack: 0 };
      this.#levels.push(level);
      this.#levels.sort((a, b) => b.priority - a.priority);
    }
    level.queues.push(queue);
    level.slack = Math.max(level.slack, CREDIT / weight);
    return queue;
  }
}

function startTagOf(queue: FairQueue, level: Level): number {
  return Math.max(queue.finishTag, level.virtualTime - level.slack);
}
