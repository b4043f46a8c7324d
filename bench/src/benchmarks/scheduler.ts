import { type Candidate, Scheduler } from "@subnet-worker/wcp/bench-scheduler";
import type { Benchmark, Report } from "../benchmark.ts";
import { percentile, round } from "../report.ts";

const QUEUES = 50;
const WAITING = 10_000;
const WARM_UP = 50_000;
const DECISIONS = 500_000;
const TENANTS = 200;
/** One in ten tasks needs one of few slots, which are sometimes all taken. */
const SLOTS: Readonly<Record<string, number>> = { encode: 56, render: 8 };
const RENDER_SHARE = 0.1;
/** Looks at a full node: what every wake costs that brings nothing. */
const LOOKS = 20_000;

/** The policy alone: no store, no claims, no WEP. */
export const benchmark: Benchmark = {
  about:
    "decisions of the scheduler with 10,000 tasks in 50 queues: how long one takes, and how fair they are",
  run: async () => run(),
};

/** Numbers in [0, 1), the same in every run (a linear congruential generator, Numerical Recipes). */
function createRandom(): () => number {
  let state = 42;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A node that is always full: when something ends, something else is started and a new task arrives. */
class FullNode {
  readonly scheduler: Scheduler;
  readonly weights = new Map(
    Array.from({ length: QUEUES }, (_, index) => [`queue-${index}`, 1 + (index % 10)]),
  );
  readonly started = new Map<string, number>();
  nowMs = 0;
  readonly #random = createRandom();
  readonly #queueOf = new Map<string, string>();
  readonly #free = new Map(Object.entries(SLOTS));
  readonly #running: { readonly id: string; readonly kind: string }[] = [];
  #serial = 0;

  constructor() {
    const queues = [...this.weights].map(([name, weight]) => ({
      name,
      weight,
      priority: 0,
      maxInflight: undefined,
      rate: undefined,
      isPaused: false,
    }));
    this.scheduler = new Scheduler({ queues, tenantMaxInflight: 4 });
    for (let count = 0; count < WAITING; count += 1) this.arrive(`queue-${count % QUEUES}`);
  }

  arrive(queue: string): void {
    const random = this.#random;
    this.#serial += 1;
    const id = `task-${this.#serial}`;
    const kind = random() < RENDER_SHARE ? "render" : "encode";
    const traits = { tenant: `tenant-${Math.floor(random() * TENANTS)}`, priority: Math.floor(random() * 3) };
    // A third has a deadline, some of them one that cannot be met.
    const deadlineMs = random() < 0.33 ? this.nowMs + random() * 600_000 : undefined;
    const candidate: Candidate = {
      task: { id, queue, kind, version: "1.0.0", traits },
      deadlineMs,
      dueMs: this.nowMs + random() * 600_000,
      isContested: random() < 0.2,
    };
    this.#queueOf.set(id, queue);
    this.scheduler.put(candidate);
  }

  /** One round with one decision; the queue of what was started, `undefined` when nothing could be. */
  decide(): string | undefined {
    this.scheduler.newRound();
    const taken = this.scheduler.take({
      nowMs: this.nowMs,
      canTake: ({ kind }) => this.#reserve(kind),
      mayContest: () => true,
    });
    if (taken === undefined) return undefined;
    const queue = this.#queueOf.get(taken.id) ?? "";
    this.#queueOf.delete(taken.id);
    this.#running.push({ id: taken.id, kind: taken.wish.kind });
    this.started.set(queue, (this.started.get(queue) ?? 0) + 1);
    return queue;
  }

  /** Ends one of those under way, a while later. */
  end(): void {
    this.nowMs += 10;
    const at = Math.floor(this.#random() * this.#running.length);
    const ended = this.#running[at];
    const last = this.#running.pop();
    if (ended === undefined || last === undefined) return;
    if (last !== ended) this.#running[at] = last;
    this.#free.set(ended.kind, (this.#free.get(ended.kind) ?? 0) + 1);
    this.scheduler.ended(ended.id, this.nowMs);
  }

  dropPast(): void {
    for (const id of this.scheduler.dropPast(this.nowMs)) {
      this.arrive(this.#queueOf.get(id) ?? "");
      this.#queueOf.delete(id);
    }
  }

  #reserve(kind: string): boolean {
    const free = this.#free.get(kind) ?? 0;
    if (free > 0) this.#free.set(kind, free - 1);
    return free > 0;
  }
}

function run(): Report {
  const node = new FullNode();
  const decide = (count: number): number[] => {
    const tookMs: number[] = [];
    while (tookMs.length < count) {
      node.dropPast();
      const fromMs = performance.now();
      const queue = node.decide();
      const forMs = performance.now() - fromMs;
      if (queue === undefined) node.end();
      else {
        tookMs.push(forMs);
        node.arrive(queue);
      }
    }
    return tookMs;
  };
  decide(WARM_UP);
  node.started.clear();
  const tookMs = decide(DECISIONS);
  const fairness = fairnessOf(node);
  if (node.scheduler.size !== WAITING) throw new Error(`${node.scheduler.size} tasks wait, not ${WAITING}`);
  return toReport({ tookMs, looksMs: look(node), ...fairness });
}

/** Looks for something to start while there is no slot at all. */
function look(node: FullNode): number[] {
  while (node.decide() !== undefined);
  return Array.from({ length: LOOKS }, () => {
    const fromMs = performance.now();
    node.decide();
    return performance.now() - fromMs;
  });
}

/** The largest relative deviation of a queue's share of what was started from its share of the weights. */
function fairnessOf({ weights, started }: FullNode): { readonly error: number; readonly starts: number } {
  const starts = [...started.values()].reduce((sum, count) => sum + count, 0);
  const weight = [...weights.values()].reduce((sum, own) => sum + own, 0);
  const errors = [...weights].map(([name, own]) =>
    Math.abs((started.get(name) ?? 0) / starts / (own / weight) - 1),
  );
  return { error: Math.max(...errors), starts };
}

interface Measured {
  readonly tookMs: readonly number[];
  readonly looksMs: readonly number[];
  readonly error: number;
  readonly starts: number;
}

function toReport({ tookMs, looksMs, error, starts }: Measured): Report {
  const p99 = percentile(tookMs, 0.99);
  const inUs = (ms: number) => `${round(ms * 1_000, 1)} µs`;
  return {
    rows: [
      {
        what: "a decision, p50",
        value: inUs(percentile(tookMs, 0.5)),
        beside: `${WAITING} tasks in ${QUEUES} queues, ${TENANTS} tenants, ${DECISIONS} decisions`,
      },
      { what: "a decision, p99", value: inUs(p99), beside: "limit 1 ms" },
      {
        what: "a decision, p99.99",
        value: inUs(percentile(tookMs, 0.9999)),
        beside: "garbage collection and all",
      },
      {
        what: "a look while no slot is free, p99",
        value: inUs(percentile(looksMs, 0.99)),
        beside: "what a wake costs that brings nothing",
      },
      {
        what: "largest deviation of a share from its weight",
        value: `${round(error * 100, 2)} %`,
        beside: `limit 5 %; weights 1 to 10, ${starts} tasks started`,
      },
    ],
    metrics: { decision_p99_ms: round(p99, 4), fairness_error: round(error, 4) },
  };
}
