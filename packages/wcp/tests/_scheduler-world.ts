import type { Wish } from "../src/domain/scheduler/fair-queue.ts";
import { plainQueue, type QueuePolicy } from "../src/domain/scheduler/queue-policy.ts";
import { type Candidate, Scheduler, type Taken } from "../src/domain/scheduler/scheduler.ts";
import type { TaskTraits } from "../src/domain/task.ts";

export function aQueue(name: string, changes: Partial<QueuePolicy> = {}): QueuePolicy {
  return { ...plainQueue(name), ...changes };
}

export interface CandidateChanges extends TaskTraits {
  readonly queue?: string;
  readonly kind?: string;
  readonly dueMs?: number;
  readonly isContested?: boolean;
}

export function aCandidate(id: string, changes: CandidateChanges = {}): Candidate {
  const { queue = "q", kind = "work", dueMs = 0, isContested = false, ...traits } = changes;
  const task = { id, queue, kind, version: "1.0.0", traits };
  return { task, deadlineMs: traits.deadlineMs, dueMs, isContested };
}

export interface SchedulerWorldOptions {
  readonly queues?: readonly QueuePolicy[];
  readonly tenantMaxInflight?: number;
  /** Slots by kind of work; `undefined` for as many as are asked for. */
  readonly slots?: Readonly<Record<string, number>>;
}

/** A scheduler, a clock, and slots that it fills. */
export class SchedulerWorld {
  readonly scheduler: Scheduler;
  nowMs = 0;
  mayContest = true;
  /** Ids in the order in which they were started. */
  readonly started: string[] = [];
  /** Wishes that were asked for, in order. */
  readonly asked: string[] = [];
  readonly #candidates = new Map<string, Candidate>();
  readonly #running = new Map<string, string>();
  readonly #free: Map<string, number> | undefined;

  constructor({ queues = [], tenantMaxInflight = 0, slots }: SchedulerWorldOptions = {}) {
    this.scheduler = new Scheduler({ queues, tenantMaxInflight });
    if (slots !== undefined) this.#free = new Map(Object.entries(slots));
  }

  /** Ids of what is under way, the oldest first. */
  get running(): readonly string[] {
    return [...this.#running.keys()];
  }

  put(id: string, changes: CandidateChanges = {}): void {
    const candidate = aCandidate(id, changes);
    this.#candidates.set(id, candidate);
    this.scheduler.put(candidate);
  }

  /** What a task was said to be when it was put. */
  of(id: string): Candidate {
    const candidate = this.#candidates.get(id);
    if (candidate === undefined) throw new Error(`${id} was never put`);
    return candidate;
  }

  /** Starts all that can be, at most `most`, in one round; ids in order. */
  fill(most: number = Number.POSITIVE_INFINITY): readonly string[] {
    const ids: string[] = [];
    this.scheduler.newRound();
    while (ids.length < most) {
      const taken = this.take();
      if (taken === undefined) break;
      ids.push(taken.id);
    }
    return ids;
  }

  /** One decision within a round. */
  take(): Taken | undefined {
    const taken = this.scheduler.take({
      nowMs: this.nowMs,
      canTake: (wish) => this.#reserve(wish),
      mayContest: () => this.mayContest,
    });
    if (taken === undefined) return undefined;
    this.started.push(taken.id);
    this.#running.set(taken.id, taken.wish.kind);
    return taken;
  }

  /** Ends a task that is under way, as one that did what it was to do or not. */
  end(id: string, isSuccess = true): void {
    const kind = this.#running.get(id);
    if (kind === undefined) throw new Error(`${id} is not under way`);
    this.#running.delete(id);
    this.#free?.set(kind, (this.#free.get(kind) ?? 0) + 1);
    this.scheduler.ended(id, isSuccess ? this.nowMs : undefined);
  }

  addSlots(kind: string, count: number): void {
    this.#free?.set(kind, (this.#free.get(kind) ?? 0) + count);
  }

  /** How many of what was started fall to each key, from the start number `from` on. */
  shares(keyOf: (candidate: Candidate) => string, from = 0): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const id of this.started.slice(from)) {
      const key = keyOf(this.of(id));
      counts[key] = (counts[key] ?? 0) + 1;
    }
    return counts;
  }

  view(name: string): ReturnType<Scheduler["queues"]>[number] | undefined {
    return this.scheduler.queues(this.nowMs).find((queue) => queue.name === name);
  }

  #reserve({ kind }: Wish): boolean {
    this.asked.push(kind);
    if (this.#free === undefined) return true;
    const free = this.#free.get(kind) ?? 0;
    if (free === 0) return false;
    this.#free.set(kind, free - 1);
    return true;
  }
}
