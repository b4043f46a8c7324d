// The pool without a server: what a run's host is told, and what threads are left.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { create } from "@bufbuild/protobuf";
import { type Clock, createLogger, systemClock } from "@subnet-worker/kit";
import { TaskAssignmentSchema } from "@subnet-worker/protocol";
import { createDeferred, FakeClock } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import type { Execution, RunHost } from "../src/execution.ts";
import { MetricNames } from "../src/handler-metrics.ts";
import type { Outcome } from "../src/run-state.ts";
import type { SlotClass } from "../src/classes.ts";
import { threadsOf } from "../src/threads/serve-modules.ts";
import { ThreadPool, type ThreadOptions } from "../src/threads/thread-pool.ts";
import { DEFAULT_TRANSFER } from "../src/transfer-retry.ts";
import { until } from "./_wep.ts";

const MODULE = fileURLToPath(new URL("_handlers.ts", import.meta.url));
const DEEDS = fileURLToPath(new URL("_outcome-handlers.ts", import.meta.url));
const SDK = new URL("../src/index.ts", import.meta.url).href;
const CLOCK = import.meta.resolve("@subnet-worker/kit/clock");
/** A module that the first thread can load, and no other. */
const ONCE = `
  import { existsSync, writeFileSync } from "node:fs";
  import { defineHandler } from "${SDK}";
  const marker = new URL("loaded", import.meta.url);
  if (existsSync(marker)) process.exit(9);
  writeFileSync(marker, "");
  export const once = defineHandler({
    kind: "once",
    version: "1.0.0",
    run: (_, ctx) => new Promise((resolve) => ctx.signal.addEventListener("abort", () => resolve({}))),
  });
`;
/** A module that the first thread loads at once, and any other when there is a file "go" beside it. */
const GATED = `
  import { existsSync, writeFileSync } from "node:fs";
  import { threadId } from "node:worker_threads";
  import { defineHandler } from "${SDK}";
  import { systemClock } from "${CLOCK}";
  const at = (name) => new URL(name, import.meta.url);
  if (existsSync(at("loaded"))) while (!existsSync(at("go"))) await systemClock.sleep(5);
  writeFileSync(at("loaded"), "");
  const ofClass = (workClass) => defineHandler({
    kind: workClass,
    version: "1.0.0",
    class: workClass,
    run: async (_, ctx) => {
      void ctx.progress(1, "running");
      await systemClock.sleep(60_000, ctx.signal);
      return { thread: threadId };
    },
  });
  export const handlers = [ofClass("cpu"), ofClass("io")];
`;
const log = createLogger({ name: "wep", level: "silent" });

interface PoolOptions extends ThreadOptions {
  readonly clock?: Clock;
  readonly modules?: readonly string[];
  readonly maxStarting?: number;
}

function openPool({
  clock = systemClock,
  modules = [MODULE],
  maxStarting = 8,
  ...threads
}: PoolOptions = {}): Promise<ThreadPool> {
  const options = { ...threads, modules, maxStarting, transfer: DEFAULT_TRANSFER, progressIntervalMs: 500 };
  return ThreadPool.open(options, { clock, log });
}

interface Begun {
  readonly execution: Execution;
  readonly outcome: Promise<Outcome>;
  /** Resolves at the first report. */
  readonly reported: Promise<void>;
}

/** Lets the pool run a handler, and keeps what it tells. */
function begin(pool: ThreadPool, kind: string, input: Record<string, unknown> = {}): Begun {
  const outcome = createDeferred<Outcome>();
  const reported = createDeferred();
  const inputs = Object.entries(input).map(([name, value]) => ({ name, inlineJson: JSON.stringify(value) }));
  const host: RunHost = {
    assignment: create(TaskAssignmentSchema, {
      activityId: "a",
      runId: "r",
      taskKind: kind,
      taskVersion: "1.0.0",
      inputs,
    }),
    clock: systemClock,
    transfer: DEFAULT_TRANSFER,
    endsAtMs: Infinity,
    metrics: { names: new MetricNames(), sink: () => undefined },
    log,
    report: () => {
      reported.resolve();
      return Promise.resolve();
    },
    requestGrant: () => Promise.reject(new Error("no storage")),
    abandonUpload: () => undefined,
    settle: (ended) => outcome.resolve(ended),
  };
  const handler = pool.handlers.find((each) => each.kind === kind);
  return { execution: pool.execute(handler!, host), outcome: outcome.promise, reported: reported.promise };
}

function resultOf(outcome: Outcome): unknown {
  if (outcome.status !== "SUCCESS") throw new Error(outcome.message);
  return JSON.parse(new TextDecoder().decode(outcome.result));
}

async function threadOf(pool: ThreadPool): Promise<number> {
  return (resultOf(await begin(pool, "where").outcome) as { thread: number }).thread;
}

describe("a pool of threads", () => {
  it("has as many threads as runs at the same time, and keeps as many as it is told to", async () => {
    await using pool = await openPool({ maxIdle: 2 });
    expect(pool.counts).toEqual({ all: 1, idle: 1 });
    const waiting = [begin(pool, "wait"), begin(pool, "wait"), begin(pool, "wait")];
    expect(pool.counts).toEqual({ all: 3, idle: 0 });
    for (const { execution } of waiting) execution.stop("requested");
    for (const { outcome } of waiting) expect(resultOf(await outcome)).toMatchObject({ cancelled: true });
    await until(() => pool.counts.all === 2);
    expect(pool.counts).toEqual({ all: 2, idle: 2 });
  });

  it("lets go of threads that nobody needed for a minute, except one", async () => {
    const clock = new FakeClock();
    await using pool = await openPool({ clock, maxIdle: 4 });
    const waiting = [begin(pool, "wait"), begin(pool, "wait"), begin(pool, "wait")];
    for (const { execution, outcome } of waiting) {
      execution.stop("requested");
      await outcome;
    }
    await clock.advance(59_000);
    expect(pool.counts).toEqual({ all: 3, idle: 3 });
    await clock.advance(61_000);
    await until(() => pool.counts.all === 1);
    await clock.advance(600_000);
    expect(pool.counts).toEqual({ all: 1, idle: 1 });
    expect(Object.fromEntries(pool.losses)).toEqual(NO_LOSSES);
  });

  it("replaces a thread in which a timer was left, once it has been idle for a while", async () => {
    const clock = new FakeClock();
    await using pool = await openPool({ clock, modules: [DEEDS] });
    const deed = async (how: string) => resultOf(await begin(pool, "deed", { how }).outcome);
    expect(await deed("leaks a timer")).toEqual({ done: true });
    await clock.advance(14_000);
    // It was needed again, and begins to be idle anew.
    const first = await deed("tells its thread");
    await clock.advance(14_999);
    expect(await deed("tells its thread")).toEqual(first);
    await clock.advance(15_000);
    await until(() => pool.counts.all === 2);
    expect(await deed("tells its thread")).not.toEqual(first);
    expect(Object.fromEntries(pool.losses)).toEqual(NO_LOSSES);
  });

  it("gives a handler the thread that ran it before, which may still have what it loaded", async () => {
    await using pool = await openPool({ maxIdle: 4 });
    const own = await threadOf(pool);
    const held = begin(pool, "wait");
    await held.reported;
    const other = begin(pool, "large", { chars: 1 });
    await other.outcome;
    held.execution.stop("requested");
    await held.outcome;
    // The thread of "wait", which was that of "where", was freed last; "large" has its own.
    expect(await threadOf(pool)).toBe(own);
    const again = begin(pool, "large", { chars: 1 });
    expect(pool.counts.all).toBe(2);
    expect(await threadOf(pool)).toBe(own);
    await again.outcome;
  });

  it.skipIf(process.platform !== "linux")(
    "leaves no thread behind after 200 runs, of which some crashed and some were ended",
    async () => {
      const pool = await openPool({ maxIdle: 4 });
      for (let round = 0; round < 50; round += 1) {
        const runs = [
          begin(pool, "where"),
          begin(pool, "where_io", { until: MODULE }),
          begin(pool, "large", { chars: 9 }),
        ];
        for (const { outcome } of runs) expect((await outcome).status).toBe("SUCCESS");
        if (round % 20 === 3)
          expect(await begin(pool, "crash", { how: "exit" }).outcome).toMatchObject({ code: 2001 });
        else if (round % 20 === 7) {
          const spinning = begin(pool, "spin");
          await spinning.reported;
          spinning.execution.terminate();
        } else await begin(pool, "fail", { how: "terminal" }).outcome;
      }
      await until(() => pool.counts.all === pool.counts.idle);
      // The system lists a thread for a moment after it has ended.
      await until(() => threadCount() === pool.counts.all);
      await pool[Symbol.asyncDispose]();
      expect(pool.counts).toEqual({ all: 0, idle: 0 });
      await until(() => threadCount() === 0);
    },
  );
});

/** A pool that has one thread, and starts others one after the other. */
async function openGated() {
  const folder = await mkdtemp(join(tmpdir(), "wep-test-"));
  const path = join(folder, "gated.mjs");
  await writeFile(path, GATED);
  const pool = await openPool({ modules: [path], maxStarting: 1 });
  return {
    pool,
    openGate: () => writeFile(join(folder, "go"), ""),
    async [Symbol.asyncDispose]() {
      await pool[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}

/** Stops a run once it runs; the thread that it had. */
async function stop({ execution, reported, outcome }: Begun): Promise<number> {
  await reported;
  execution.stop("requested");
  return threadIn(await outcome);
}

function threadIn(outcome: Outcome): number {
  return (resultOf(outcome) as { thread: number }).thread;
}

describe("more runs than threads that may start at the same time", () => {
  it("start their threads one after the other", async () => {
    await using gated = await openGated();
    const { pool } = gated;
    const runs = ["cpu", "cpu", "cpu"].map((kind) => begin(pool, kind));
    await runs[0]?.reported;
    expect(pool.counts).toEqual({ all: 2, idle: 0 });
    await gated.openGate();
    await Promise.all(runs.map(({ reported }) => reported));
    expect(pool.counts).toEqual({ all: 3, idle: 0 });
    const threads = await Promise.all(runs.map(stop));
    expect(new Set(threads).size).toBe(3);
  });

  it("have a thread that another run leaves, before one that starts is there", async () => {
    await using gated = await openGated();
    const { pool } = gated;
    const [first, starting, next] = [begin(pool, "cpu"), begin(pool, "cpu"), begin(pool, "cpu")];
    const thread = await stop(first);
    expect(await stop(next)).toBe(thread);
    expect(pool.counts).toEqual({ all: 2, idle: 1 });
    await gated.openGate();
    expect(await stop(starting)).not.toBe(thread);
  });

  it("share a thread when they are of class io, and are not kept from it by others that wait", async () => {
    await using gated = await openGated();
    const { pool } = gated;
    const [first, starting, other] = [begin(pool, "cpu"), begin(pool, "cpu"), begin(pool, "cpu")];
    const sharing = [begin(pool, "io"), begin(pool, "io")];
    const thread = await stop(first);
    expect(await Promise.all(sharing.map(stop))).toEqual([thread, thread]);
    expect(await stop(other)).toBe(thread);
    await gated.openGate();
    await stop(starting);
  });

  it("are told to stop when they begin, if they were stopped as they waited", async () => {
    await using gated = await openGated();
    const { pool } = gated;
    const [first, _starting, waiting] = [begin(pool, "cpu"), begin(pool, "cpu"), begin(pool, "cpu")];
    waiting.execution.stop("requested");
    const thread = await stop(first);
    expect(threadIn(await waiting.outcome)).toBe(thread);
  });

  it("never begin when they were ended as they waited", async () => {
    await using gated = await openGated();
    const { pool } = gated;
    const [first, starting, ended, last] = ["cpu", "cpu", "cpu", "cpu"].map((kind) => begin(pool, kind));
    ended!.execution.terminate();
    const thread = await stop(first!);
    expect(await stop(last!)).toBe(thread);
    await gated.openGate();
    await stop(starting!);
    expect(await Promise.race([ended!.outcome, Promise.resolve("none")])).toBe("none");
    expect(Object.fromEntries(pool.losses)).toEqual(NO_LOSSES);
  });

  it("may run again elsewhere when the pool closes", async () => {
    await using gated = await openGated();
    const runs = ["cpu", "cpu", "cpu", "io"].map((kind) => begin(gated.pool, kind));
    await gated.pool[Symbol.asyncDispose]();
    for (const { outcome } of runs) {
      expect(await outcome).toMatchObject({
        retryable: true,
        message: "[HANDLER_CRASHED] the worker is shutting down; run it again",
      });
    }
    expect(gated.pool.counts).toEqual({ all: 0, idle: 0 });
  });
});

const NO_LOSSES = { forced: 0, exit: 0, exception: 0, out_of_memory: 0, unusable: 0 };

describe("a server", () => {
  it.each([
    [{ maxConcurrency: 8, classes: [] }, 8],
    [{ maxConcurrency: 35, classes: [slots("cpu", 2), slots("gpu", 1), slots("io", 32)] }, 3],
    [{ maxConcurrency: 32, classes: [slots("io", 32)] }, 1],
  ])("keeps a thread for each run that has one to itself: %j", (settings, count) => {
    expect(threadsOf(settings)).toBe(count);
  });
});

describe("a thread that cannot start", () => {
  it("is no fault of its run, which may run again", async () => {
    const folder = await mkdtemp(join(tmpdir(), "wep-test-"));
    const path = join(folder, "a.mjs");
    await writeFile(path, ONCE);
    await using pool = await openPool({ modules: [path] });
    const first = begin(pool, "once");
    const second = begin(pool, "once");
    expect(await second.outcome).toMatchObject({
      code: 2002,
      retryable: true,
      message: expect.stringMatching(
        /modules cannot be loaded any more: .*while they were imported: process\.exit\(9\)/,
      ),
    });
    expect(Object.fromEntries(pool.losses)).toEqual({ ...NO_LOSSES, unusable: 1 });
    first.execution.stop("requested");
    await first.outcome;
    await rm(folder, { recursive: true });
  });
});

describe("a run that has to be taken off a shared thread", () => {
  it("leaves the others there when the thread answers, and the thread ends after them", async () => {
    const clock = new FakeClock();
    await using pool = await openPool({ clock });
    const other = begin(pool, "where_io", { until: "/nowhere" });
    const deaf = begin(pool, "deaf_io");
    await Promise.all([other.reported, deaf.reported]);
    deaf.execution.terminate();
    expect(pool.counts.all).toBe(2); // one warm in its place
    const answered = begin(pool, "where_io", { until: MODULE });
    await answered.outcome;
    // Its answer has come by the time that another thread has had a whole run.
    await clock.advance(5_000);
    other.execution.stop("requested");
    expect(await other.outcome).toMatchObject({
      status: "ERROR",
      message: expect.not.stringContaining("CRASHED"),
    });
    await until(() => pool.counts.all === 1);
  });

  it("ends them with the thread when it is blocked", async () => {
    const clock = new FakeClock();
    await using pool = await openPool({ clock });
    const other = begin(pool, "where_io", { until: "/nowhere" });
    const spinning = begin(pool, "spin_io");
    await Promise.all([other.reported, spinning.reported]);
    spinning.execution.terminate();
    await clock.advance(999);
    expect(pool.counts.all).toBe(2);
    await clock.advance(1);
    expect(await other.outcome).toMatchObject({
      code: 2002,
      retryable: true,
      message: expect.stringContaining("another of its runs blocked it and was ended by force"),
    });
  });

  it("keeps a result that was there before", async () => {
    await using pool = await openPool();
    const folder = await mkdtemp(join(tmpdir(), "wep-test-"));
    const told = join(folder, "told");
    const done = begin(pool, "where_told", { told });
    while (!existsSync(told)); // its result waits for the event loop
    done.execution.terminate();
    expect(resultOf(await done.outcome)).toMatchObject({ main: false });
    await rm(folder, { recursive: true });
  });
});

function slots(name: SlotClass["name"], count: number): SlotClass {
  return { name, slots: count, tags: [] };
}

/** Threads of handlers that the system has of this process. */
function threadCount(): number {
  return readdirSync("/proc/self/task").filter((id) => nameOfThread(id) === "wep handlers").length;
}

/** `undefined` when it has gone since it was listed. */
function nameOfThread(id: string): string | undefined {
  try {
    return readFileSync(`/proc/self/task/${id}/comm`, "utf8").trim();
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes(String((error as NodeJS.ErrnoException).code))) return undefined;
    throw error;
  }
}
