import { createDeferred, type Deferred, FakeClock } from "@subnet-worker/testkit";
import { afterEach, describe, expect, it } from "vitest";
import type { Clock } from "../src/clock.ts";
import type { PoolThread } from "../src/pool/pool-thread.ts";
import { type Job, type Loss, ThreadPool } from "../src/pool/thread-pool.ts";
import type { PoolThreadOrder } from "./_pool-thread.ts";

/** As in `_pool-thread.ts`, which is a thread's. */
const RELEASED = 1;
const FINISHED = 2;

interface Message {
  readonly kind: string;
  readonly name?: string;
  readonly seen?: unknown;
}

const events: string[] = [];
const pools: ThreadPool<Message>[] = [];

afterEach(async () => {
  for (const pool of pools.splice(0)) await pool[Symbol.asyncDispose]();
  events.length = 0;
});

function openPool<C extends Clock = FakeClock>(
  size: number,
  {
    clock = new FakeClock() as Clock as C,
    leaveMs,
    ...data
  }: { readonly fails?: boolean; readonly clock?: C; readonly leaveMs?: number } = {},
): { pool: ThreadPool<Message>; clock: C } {
  const main = new URL("./_pool-thread.ts", import.meta.url);
  const thread = { main, name: "test", stackMb: undefined, heapMb: 64, data };
  const pool = new ThreadPool<Message>({ size, eager: 0, thread, leaveMs }, clock);
  pools.push(pool);
  return { pool, clock };
}

class TestJob implements Job<Message> {
  readonly timeMs: number = 1000;
  readonly began: Deferred<PoolThread> = createDeferred<PoolThread>();
  readonly ended: Deferred<Loss | Message> = createDeferred<Loss | Message>();
  readonly #order: PoolThreadOrder;
  #thread: PoolThread | undefined;

  constructor(name: string, does: PoolThreadOrder["does"] = "answer") {
    if (does === "fill_heap") this.timeMs = 1_000_000;
    this.#order = { name, does };
  }

  begin(thread: PoolThread): void {
    this.#thread = thread;
    thread.post(this.#order, []);
  }

  hear(message: Message): boolean {
    events.push(`${message.name} ${message.kind}`);
    if (message.kind === "began") this.began.resolve(this.#thread!);
    if (message.kind !== "done") return false;
    this.ended.resolve(message);
    return true;
  }

  lose(loss: Loss): void {
    events.push(`${this.#order.name} ${loss.kind}`);
    this.ended.resolve(loss);
  }
}

function submit(pool: ThreadPool<Message>, ...args: ConstructorParameters<typeof TestJob>): TestJob {
  const job = new TestJob(...args);
  pool.submit(job);
  return job;
}

describe("the pool of threads", () => {
  it("begins with jobs in the order in which they came", async () => {
    const { pool } = openPool(1);
    const jobs = ["a", "b", "c"].map((name) => submit(pool, name));
    expect(pool.waiting).toBe(3);
    await Promise.all(jobs.map(({ ended }) => ended.promise));
    expect(events).toEqual(["a began", "a done", "b began", "b done", "c began", "c done"]);
    expect(pool).toMatchObject({ busy: 0, waiting: 0, replaced: 0 });
  });

  it("a thread has no environment, no arguments and no options", async () => {
    const { pool } = openPool(1);
    const answer = await submit(pool, "a").ended.promise;
    expect(answer).toMatchObject({ seen: { env: {}, argv: [], execArgv: [] } });
  });

  it("a job over its time is lost at once, and the next has a new thread", async () => {
    const { pool, clock } = openPool(1);
    const slow = submit(pool, "slow", "spin");
    const next = submit(pool, "next");
    const thread = await slow.began.promise;
    await clock.advance(999);
    expect(events).toEqual(["slow began"]);
    await clock.advance(1);
    expect(events).toEqual(["slow began", "slow timed_out"]);
    await next.ended.promise;
    await thread.exited;
    expect(events).toEqual(["slow began", "slow timed_out", "next began", "next done"]);
    expect(pool.replaced).toBe(1);
  });

  it("what a thread has said in time counts, though the process was too busy to hear it", async () => {
    let timeIsUp = (): void => undefined;
    const clock: Clock = {
      monotonicMs: () => 0,
      timer: (ms, fire) => {
        if (ms === 1000) timeIsUp = fire;
        return { [Symbol.dispose]: () => undefined };
      },
    };
    const { pool } = openPool(1, { clock });
    const job = new TestJob("quick");
    const begin = job.begin.bind(job);
    job.begin = (thread) => {
      begin(thread);
      // Stands in for a busy process: the thread has answered, its time passes, and nothing was heard of it.
      expect(Atomics.wait(thread.cells, 0, 0n, 20_000)).not.toBe("timed-out");
      timeIsUp();
    };
    pool.submit(job);
    await job.ended.promise;
    expect(events).toEqual(["quick began", "quick done"]);
    expect(pool.replaced).toBe(0);
  });

  it("a cancelled job is lost at once, waiting or begun", async () => {
    const { pool } = openPool(1);
    const begun = submit(pool, "begun", "spin");
    const waiting = submit(pool, "waiting");
    const last = submit(pool, "last");
    await begun.began.promise;
    pool.cancel(waiting);
    pool.cancel(begun);
    pool.cancel(begun);
    await last.ended.promise;
    expect(events).toEqual([
      "begun began",
      "waiting cancelled",
      "begun cancelled",
      "last began",
      "last done",
    ]);
    expect(pool.replaced).toBe(1);
  });

  it("a thread that holds too much is ended before V8 ends the process", async () => {
    const { pool, clock } = openPool(1);
    const fills = submit(pool, "fills", "fill_heap");
    const next = submit(pool, "next");
    while (!events.includes("fills overgrown")) {
      await clock.advance(1);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await fills.ended.promise).toEqual({ kind: "overgrown", limitMb: 64 });
    expect(await next.ended.promise).toMatchObject({ kind: "done" });
  });

  for (const does of ["exit", "throw"] as const) {
    it(`a thread that dies is replaced, and its job says why: ${does}`, async () => {
      const { pool } = openPool(1);
      const dies = submit(pool, "dies", does);
      const next = submit(pool, "next");
      const reason = { exit: /ended by itself/, throw: /a fault/ }[does];
      expect(await dies.ended.promise).toMatchObject({ kind: "died", reason: expect.stringMatching(reason) });
      expect(await next.ended.promise).toMatchObject({ kind: "done" });
      expect(pool.replaced).toBe(1);
    });
  }

  it("work that cannot be sent is lost with the thread that was to have it", async () => {
    const { pool } = openPool(1);
    const unsendable = new TestJob("unsendable");
    unsendable.begin = (thread) => thread.post(() => "no thread can be sent a function", []);
    pool.submit(unsendable);
    const next = submit(pool, "next");
    expect(await unsendable.ended.promise).toMatchObject({
      kind: "died",
      reason: expect.stringContaining("could not be cloned"),
    });
    expect(await next.ended.promise).toMatchObject({ kind: "done" });
    expect(pool).toMatchObject({ busy: 0, waiting: 0, replaced: 1 });
  });

  it("threads that cannot begin lose the jobs instead of being started for ever", async () => {
    const { pool } = openPool(1, { fails: true });
    const job = submit(pool, "a");
    expect(await job.ended.promise).toMatchObject({
      kind: "died",
      reason: expect.stringContaining("cannot begin"),
    });
    const later = submit(pool, "b");
    expect(await later.ended.promise).toMatchObject({ kind: "died" });
  });

  it("closing loses all jobs and waits until the threads are gone", async () => {
    const { pool } = openPool(1);
    const begun = submit(pool, "begun", "spin");
    const waiting = submit(pool, "waiting");
    const thread = await begun.began.promise;
    void thread.exited.then(() => events.push("exited"));
    await pool[Symbol.asyncDispose]();
    events.push("closed");
    await Promise.all([begun.ended.promise, waiting.ended.promise]);
    expect(events).toEqual(["begun began", "waiting closed", "begun closed", "exited", "closed"]);
    expect(await submit(pool, "late").ended.promise).toEqual({ kind: "closed" });
  });

  describe("closing a pool whose threads may finish what they do besides", () => {
    async function goesOn(pool: ThreadPool<Message>): Promise<PoolThread> {
      const job = submit(pool, "a", "answer_first");
      await job.ended.promise;
      return await job.began.promise;
    }

    it("waits for them", async () => {
      const { pool } = openPool(1, { leaveMs: 500 });
      const { cells } = await goesOn(pool);
      const closed = pool[Symbol.asyncDispose]();
      // As long as an ending would take.
      for (let turns = 1_000; turns > 0; turns -= 1) await new Promise((resolve) => setImmediate(resolve));
      Atomics.store(cells, RELEASED, 1n);
      Atomics.notify(cells, RELEASED);
      await closed;
      expect(Atomics.load(cells, FINISHED)).toBe(1n);
      expect(pool.replaced).toBe(0);
    });

    it("ends them when they take longer, and at once while they have a job", async () => {
      const { pool, clock } = openPool(2, { leaveMs: 500 });
      const busy = submit(pool, "b", "spin");
      const { exited } = await busy.began.promise;
      const late = await goesOn(pool);
      let isClosed = false;
      const closed = pool[Symbol.asyncDispose]().then(() => (isClosed = true));
      await exited;
      await clock.advance(499);
      expect(isClosed).toBe(false);
      await clock.advance(1);
      await closed;
      expect(Atomics.load(late.cells, FINISHED)).toBe(0n);
      expect(events.at(-1)).toBe("b closed");
    });
  });

  it("threads are started for the jobs that there are, and no more than there may be", async () => {
    const { pool, clock } = openPool(2);
    const jobs = ["a", "b", "c"].map((name) => submit(pool, name, "spin"));
    await Promise.all([jobs[0]!.began.promise, jobs[1]!.began.promise]);
    expect(pool).toMatchObject({ busy: 2, waiting: 1 });
    await clock.advance(1000);
    await jobs[2]!.began.promise;
    expect(pool).toMatchObject({ busy: 1, waiting: 0, replaced: 2 });
  });
});
