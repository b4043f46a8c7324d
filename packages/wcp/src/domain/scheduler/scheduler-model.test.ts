// The scheduler against what its rules say of every single task. A run that fails is printed with its seed.
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { aQueue, type CandidateChanges, SchedulerWorld } from "../../../tests/_scheduler-world.ts";
import type { Candidate } from "./scheduler.ts";

const QUEUES = [
  aQueue("plain"),
  aQueue("heavy", { weight: 5 }),
  aQueue("few", { maxInflight: 2 }),
  aQueue("slow", { rate: { perS: 2, burst: 2 } }),
  aQueue("urgent", { priority: 1, maxInflight: 3, rate: { perS: 5, burst: 4 } }),
  aQueue("stopped", { priority: 2, isPaused: true }),
];
const TENANT_MOST = 3;
const SLOTS = { cpu: 6, gpu: 2 };

const aTask = fc.record({
  queue: fc.constantFrom(...QUEUES.map(({ name }) => name), "unheard-of"),
  kind: fc.constantFrom("cpu", "gpu"),
  tenant: fc.option(fc.constantFrom("t1", "t2", "t3"), { nil: undefined }),
  priority: fc.integer({ min: -1, max: 1 }),
  inMs: fc.option(fc.integer({ min: 1, max: 5_000 }), { nil: undefined }),
  dueMs: fc.integer({ min: 0, max: 50 }),
  isContested: fc.boolean(),
});

const aStep = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("put" as const), task: aTask }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("fill" as const), most: fc.integer({ min: 1, max: 10 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("end" as const), which: fc.nat(), isSuccess: fc.boolean() }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 700 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("delete" as const), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("move" as const), which: fc.nat(), task: aTask }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("pause" as const),
      queue: fc.constantFrom(...QUEUES.map(({ name }) => name)),
      isPaused: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("contest" as const), may: fc.boolean() }) },
);
type Step = typeof aStep extends fc.Arbitrary<infer T> ? T : never;

/** What the scheduler should know, in lists that are looked through. */
class Model {
  readonly world = new SchedulerWorld({ queues: QUEUES, tenantMaxInflight: TENANT_MOST, slots: SLOTS });
  readonly waiting = new Set<string>();
  readonly inflight = new Set<string>();
  /** Ids that were started, or taken out, in the order of that. */
  readonly over: string[] = [];
  readonly #paused = new Map(QUEUES.map(({ name, isPaused }) => [name, isPaused]));
  /** When tasks of a queue were started. */
  readonly #startsMs = new Map<string, number[]>();
  #serial = 0;

  take(step: Step): void {
    const { world } = this;
    switch (step.do) {
      case "put":
        this.#put(`task-${(this.#serial += 1)}`, step.task);
        break;
      case "move": {
        const id = pick(this.waiting, step.which);
        if (id !== undefined) this.#put(id, { ...step.task, queue: world.of(id).task.queue });
        break;
      }
      case "fill":
        this.#fill(step.most);
        break;
      case "end": {
        const id = pick(this.inflight, step.which);
        if (id === undefined) break;
        world.end(id, step.isSuccess);
        this.inflight.delete(id);
        break;
      }
      case "pass":
        world.nowMs += step.ms;
        this.#drop();
        break;
      case "delete": {
        const id = pick(this.waiting, step.which);
        if (id === undefined) break;
        expect(world.scheduler.delete(id)).toBe(true);
        this.waiting.delete(id);
        this.over.push(id);
        break;
      }
      case "pause":
        this.#paused.set(step.queue, step.isPaused);
        world.scheduler.setPaused(step.queue, step.isPaused);
        break;
      case "contest":
        world.mayContest = step.may;
        break;
    }
    this.#check();
  }

  #put(id: string, { inMs, tenant, ...rest }: typeof aTask extends fc.Arbitrary<infer T> ? T : never): void {
    const changes: CandidateChanges = {
      ...rest,
      ...(tenant === undefined ? {} : { tenant }),
      ...(inMs === undefined ? {} : { deadlineMs: this.world.nowMs + inMs }),
    };
    this.world.put(id, changes);
    this.waiting.add(id);
  }

  #fill(most: number): void {
    this.world.scheduler.newRound();
    for (let count = 0; count < most; count += 1) {
      const could = [...this.waiting].filter((id) => this.#canStart(id));
      const taken = this.world.take();
      if (taken === undefined) {
        expect(could, "work is conserved").toEqual([]);
        return;
      }
      expect(could, "only what may be started is").toContain(taken.id);
      this.#mustBeFirst(taken.id, could);
      this.waiting.delete(taken.id);
      this.inflight.add(taken.id);
      this.over.push(taken.id);
      const { queue } = this.world.of(taken.id).task;
      this.#startsMs.set(queue, [...(this.#startsMs.get(queue) ?? []), this.world.nowMs]);
    }
  }

  #drop(): void {
    for (const id of this.world.scheduler.dropPast(this.world.nowMs)) {
      expect(this.world.of(id).deadlineMs).toBeLessThanOrEqual(this.world.nowMs);
      this.waiting.delete(id);
      this.over.push(id);
    }
    for (const id of this.waiting) {
      expect(this.world.of(id).deadlineMs ?? Number.POSITIVE_INFINITY).toBeGreaterThan(this.world.nowMs);
    }
  }

  /** Of all that could have been started: of a queue of the highest priority, and of its tenant the foremost. */
  #mustBeFirst(id: string, could: readonly string[]): void {
    const { task } = this.world.of(id);
    const others = could.map((other) => this.world.of(other));
    const highest = Math.max(...others.map((other) => priorityOf(other.task.queue)));
    expect(priorityOf(task.queue), "the highest priority goes first").toBe(highest);
    // What a deadline is worth depends on run times: those without one are compared.
    if (task.traits?.deadlineMs !== undefined) return;
    for (const other of others) {
      const isSameLine = other.task.queue === task.queue && other.task.traits?.tenant === task.traits?.tenant;
      if (!isSameLine || other.deadlineMs !== undefined) continue;
      expect(rank(other), "the foremost of a tenant goes first").not.toBeLessThan(rank(this.world.of(id)));
    }
  }

  #canStart(id: string): boolean {
    const { task, isContested } = this.world.of(id);
    const tenant = task.traits?.tenant;
    const { maxInflight, rate } = policyOf(task.queue);
    const held = [...this.inflight].map((other) => this.world.of(other).task);
    const count = (is: (other: Candidate["task"]) => boolean) => held.filter(is).length;
    return (
      !(this.#paused.get(task.queue) ?? false) &&
      count((other) => other.queue === task.queue) < (maxInflight ?? Number.POSITIVE_INFINITY) &&
      (tenant === undefined || count((other) => other.traits?.tenant === tenant) < TENANT_MOST) &&
      count((other) => other.kind === task.kind) < SLOTS[task.kind as keyof typeof SLOTS] &&
      (!isContested || this.world.mayContest) &&
      (rate === undefined || this.#hasToken(task.queue, rate))
    );
  }

  /** By the definition: a bucket that fills steadily, and is never fuller than its burst. */
  #hasToken(queue: string, { perS, burst }: { readonly perS: number; readonly burst: number }): boolean {
    let tokens = burst;
    let atMs = 0;
    for (const startMs of this.#startsMs.get(queue) ?? []) {
      tokens = Math.min(burst, tokens + ((startMs - atMs) * perS) / 1_000) - 1;
      atMs = startMs;
    }
    return Math.min(burst, tokens + ((this.world.nowMs - atMs) * perS) / 1_000) >= 1 - 1e-8;
  }

  #check(): void {
    const { scheduler, nowMs } = this.world;
    expect(scheduler.size).toBe(this.waiting.size);
    expect(new Set(this.over).size, "no task twice").toBe(this.over.length);
    expect(this.over.length + this.waiting.size, "no task lost").toBe(this.#serial);
    for (const view of scheduler.queues(nowMs)) {
      const isIn = (id: string) => this.world.of(id).task.queue === view.name;
      expect(view.waiting).toBe([...this.waiting].filter(isIn).length);
      expect(view.inflight).toBe([...this.inflight].filter(isIn).length);
    }
  }
}

function pick(ids: ReadonlySet<string>, which: number): string | undefined {
  return [...ids][which % Math.max(1, ids.size)];
}

function policyOf(name: string): (typeof QUEUES)[number] {
  return QUEUES.find((queue) => queue.name === name) ?? aQueue(name);
}

function priorityOf(queue: string): number {
  return policyOf(queue).priority;
}

/** Lower goes first. */
function rank({ task, dueMs }: Candidate): number {
  return -(task.traits?.priority ?? 0) * 1_000 + dueMs;
}

describe("whatever happens", () => {
  it("no task is started twice or lost, no limit is exceeded, and nothing waits that could be started", () => {
    fc.assert(
      fc.property(fc.array(aStep, { minLength: 20, maxLength: 150, size: "max" }), (steps) => {
        const model = new Model();
        for (const step of steps) model.take(step);
      }),
      { numRuns: 100 },
    );
  });
});
