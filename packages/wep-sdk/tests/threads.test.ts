// What threads are for: handlers that block, crash or do not listen.
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FakeClock } from "@subnet-worker/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { serve, type ServeOptions, WepError } from "../src/index.ts";
import { assignment, type TestAssignment, TestStream, type ValueOf } from "./_stream.ts";
import { resultOf, scriptedHandler, startWep, type TestWep, until } from "./_wep.ts";

const MODULE = fileURLToPath(new URL("_handlers.ts", import.meta.url));
const GRACE_MS = 300;

function task(kind: string, input: Record<string, unknown> = {}, more: object = {}): TestAssignment {
  const inputs = Object.entries(input).map(([name, value]) => ({ name, inlineJson: JSON.stringify(value) }));
  return assignment({ taskKind: kind, inputs, ...more });
}

function of({ activityId }: { readonly activityId: string }) {
  return (message: { readonly activityId: string }) => message.activityId === activityId;
}

let wep: TestWep;

async function startThreads(options: Partial<ServeOptions> = {}): Promise<TestWep> {
  return await startWep({ modules: [MODULE], abortGraceMs: GRACE_MS, maxConcurrency: 8, ...options });
}

async function run(stream: TestStream, kind: string, input: Record<string, unknown> = {}) {
  const ran = task(kind, input);
  stream.send("assign", ran);
  return await stream.next("completion", of(ran));
}

async function begin(stream: TestStream, kind: string, input: Record<string, unknown> = {}) {
  const begun = task(kind, input);
  stream.send("assign", begun);
  const progress: ValueOf<"progress"> = await stream.next("progress", of(begun));
  return { ...begun, progress };
}

interface Where {
  readonly main: boolean;
  readonly thread: number;
  readonly runs: number;
}

async function where(stream: TestStream): Promise<Where> {
  return resultOf(await run(stream, "where")) as Where;
}

beforeAll(async () => {
  wep = await startThreads();
});
afterAll(() => wep[Symbol.asyncDispose]());

describe("a handler of a module", () => {
  it("is never imported by the process, whose threads say what there is", async () => {
    expect(wep.server.handlers).toContainEqual({ kind: "spin", version: "1.0.0", class: "cpu" });
    expect(wep.server.handlers).toContainEqual({ kind: "spin_io", version: "1.0.0", class: "io" });
    await using stream = await TestStream.open(wep.port);
    expect((await where(stream)).main).toBe(false);
  });

  it("has a thread to itself while it runs, which the next run finds warm", async () => {
    await using stream = await TestStream.open(wep.port);
    const first = await where(stream);
    const second = await where(stream);
    expect(second).toEqual({ ...first, runs: first.runs + 1 });
    const waiting = await begin(stream, "wait");
    const other = await where(stream);
    stream.send("cancel", { activityId: waiting.activityId, reason: "requested" });
    await stream.next("completion", of(waiting));
    expect(other.thread).not.toBe(second.thread);
  });

  it("shares a thread with others when its class is io", async () => {
    await using stream = await TestStream.open(wep.port);
    const folder = await mkdtemp(join(tmpdir(), "wep-test-"));
    const go = join(folder, "go");
    const waiting = [];
    for (let count = 0; count < 4; count += 1) waiting.push(await begin(stream, "where_io", { until: go }));
    await writeFile(go, "");
    const threads = [];
    for (const one of waiting) {
      threads.push((resultOf(await stream.next("completion", of(one))) as { thread: number }).thread);
    }
    expect(new Set(threads).size).toBe(1);
    await rm(folder, { recursive: true });
  });
});

describe("a handler that spins", () => {
  it("holds up neither pings nor the keepalive of its lease, and ends when it is cancelled", async () => {
    await using stream = await TestStream.open(wep.port);
    const spinning = task("spin", {}, { heartbeatIntervalS: 1 });
    stream.send("assign", spinning);
    const first = await stream.next("progress", of(spinning));
    stream.send("ping", { nonce: 7n });
    await stream.next("pong", ({ nonce }) => nonce === 7n);
    const kept = await stream.next("progress", of(spinning));
    expect(kept).toMatchObject({ percent: 5, message: first.message, checkpointRef: "before" });
    expect((await where(stream)).main).toBe(false);

    stream.send("cancel", { activityId: spinning.activityId, reason: "requested" });
    const completion = await stream.next("completion", of(spinning));
    expect(completion).toMatchObject({ status: "ERROR", errorCode: 5001, retryable: false });
    await until(() => !existsSync(first.message));
  });

  it("has its grace when it is cancelled, and not a moment longer", async () => {
    const clock = new FakeClock();
    await using own = await startThreads({ clock });
    await using stream = await TestStream.open(own.port);
    const heard = async (nonce: bigint) => {
      stream.send("ping", { nonce });
      await stream.next("pong", (pong) => pong.nonce === nonce);
    };
    const spinning = await begin(stream, "spin");
    stream.send("cancel", { activityId: spinning.activityId, reason: "requested" });
    await heard(1n);
    await clock.advance(GRACE_MS - 1);
    await heard(2n);
    expect(stream.count("completion")).toBe(0);
    await clock.advance(1);
    expect(await stream.next("completion")).toMatchObject({ errorCode: 5001 });
  });

  it("gives its slot back at once, and a new thread takes its place", async () => {
    await using own = await startThreads({ maxConcurrency: 1 });
    await using stream = await TestStream.open(own.port);
    const spinning = await begin(stream, "spin");
    stream.send("cancel", { activityId: spinning.activityId, reason: "deadline" });
    expect(await stream.next("completion", of(spinning))).toMatchObject({ errorCode: 5002 });
    await until(async () => (await own.metric('wep_slots{state="free"}')) === 1);
    expect(await where(stream)).toMatchObject({ runs: 1 });
    expect(own.logs.some(({ msg }) => String(msg).endsWith("ended by force, its slot is free"))).toBe(true);
  });

  it("does not keep a worker from draining", async () => {
    const own = await startThreads();
    await using stream = await TestStream.open(own.port);
    const spinning = await begin(stream, "spin");
    const drained = own[Symbol.asyncDispose]();
    const completion = await stream.next("completion", of(spinning));
    expect(completion).toMatchObject({ errorCode: 5001, retryable: true });
    stream.send("completionAck", { activityId: completion.activityId, runId: completion.runId });
    await drained;
  });

  it("takes the others of its class io with it when it has to be ended, which may run again", async () => {
    await using stream = await TestStream.open(wep.port);
    const other = await begin(stream, "where_io", { until: "/nowhere" });
    const spinning = await begin(stream, "spin_io");
    stream.send("cancel", { activityId: spinning.activityId, reason: "requested" });
    expect(await stream.next("completion", of(spinning))).toMatchObject({ errorCode: 5001 });
    const completion = await stream.next("completion", of(other));
    expect(completion).toMatchObject({ status: "ERROR", errorCode: 2002, retryable: true });
    expect(completion.error).toBe(
      "[HANDLER_CRASHED] the thread that this run shared with others ended: " +
        "another of its runs blocked it and was ended by force; run it again",
    );
  });
});

describe("a handler of class io that ignores its signal without blocking", () => {
  it("leaves the others of its thread alone", async () => {
    await using stream = await TestStream.open(wep.port);
    const folder = await mkdtemp(join(tmpdir(), "wep-test-"));
    const go = join(folder, "go");
    const other = await begin(stream, "where_io", { until: go });
    const deaf = await begin(stream, "deaf_io");
    stream.send("cancel", { activityId: deaf.activityId, reason: "requested" });
    expect(await stream.next("completion", of(deaf))).toMatchObject({ errorCode: 5001 });
    const later = await begin(stream, "where_io", { until: go });
    await writeFile(go, "");
    const [before, after] = [
      resultOf(await stream.next("completion", of(other))),
      resultOf(await stream.next("completion", of(later))),
    ] as { thread: number }[];
    expect(before?.thread).not.toBe(after?.thread);
    await rm(folder, { recursive: true });
  });
});

describe("threads", () => {
  it("are told of by the metrics: how many there are, and how many were lost of what", async () => {
    await using own = await startThreads({ threads: { maxIdle: 8 } });
    await using stream = await TestStream.open(own.port);
    const threads = async () => [
      await own.metric('wep_handler_threads{state="busy"}'),
      await own.metric('wep_handler_threads{state="idle"}'),
    ];
    const lost = (cause: string) => own.metric(`wep_handler_threads_lost_total{cause="${cause}"}`);
    const losses = () => Promise.all(["forced", "exit", "exception", "out_of_memory", "unusable"].map(lost));
    expect([await threads(), await losses()]).toEqual([
      [0, 1],
      [0, 0, 0, 0, 0],
    ]);
    const spinning = await begin(stream, "spin");
    expect((await threads())[0]).toBe(1);
    await run(stream, "crash", { how: "exit" });
    await run(stream, "crash", { how: "exit" });
    await run(stream, "crash", { how: "exception" });
    stream.send("cancel", { activityId: spinning.activityId, reason: "requested" });
    await stream.next("completion", of(spinning));
    await until(async () => (await lost("forced")) === 1);
    expect(await losses()).toEqual([1, 2, 1, 0, 0]);
    await until(async () => (await threads())[0] === 0);
  });

  it("are not told of where handlers share the process", async () => {
    await using own = await startWep({ handlers: [scriptedHandler().handler] });
    expect(await own.metrics.metrics()).not.toContain("wep_handler_threads");
  });
});

describe("a handler that crashes", () => {
  it.each([
    [
      "exit",
      {
        error:
          "[HANDLER_CRASHED] process.exit(3) was called; throw a TerminalError or a RetryableError instead",
        errorCode: 2001,
        retryable: false,
      },
    ],
    [
      "exception",
      {
        error:
          "[HANDLER_CRASHED] an exception was thrown where nobody caught it: " +
          "TypeError: nobody catches this; catch it in the handler",
        errorCode: 2001,
        retryable: false,
      },
    ],
  ])("ends its own run alone: %s", async (how, outcome) => {
    await using stream = await TestStream.open(wep.port);
    const waiting = await begin(stream, "wait");
    expect(await run(stream, "crash", { how })).toMatchObject({ status: "ERROR", ...outcome });
    expect((await where(stream)).runs).toBeGreaterThan(0);
    stream.send("cancel", { activityId: waiting.activityId, reason: "requested" });
    expect(await stream.next("completion", of(waiting))).toMatchObject({ status: "SUCCESS" });
    expect(wep.logs.some(({ msg }) => msg === "handler thread died")).toBe(true);
  });

  it("ends alone, and may run again, when it needs more memory than its thread has", async () => {
    await using own = await startThreads({ threads: { memoryMb: 48 } });
    await using stream = await TestStream.open(own.port);
    expect(await run(stream, "crash", { how: "memory" })).toMatchObject({
      status: "ERROR",
      error: expect.stringMatching(
        /^\[HANDLER_CRASHED\] it needed more memory than 48 MB.*; read files as streams, or raise runtime.thread_memory_mb$/,
      ),
      errorCode: 2002,
      retryable: true,
    });
    expect((await where(stream)).main).toBe(false);
    expect(await own.metric('wep_handler_threads_lost_total{cause="out_of_memory"}')).toBe(1);
  });

  it("ends those that shared its thread too, which may run again", async () => {
    await using stream = await TestStream.open(wep.port);
    const other = await begin(stream, "where_io", { until: "/nowhere" });
    const completion = await run(stream, "crash_io", { how: "exit" });
    for (const ended of [completion, await stream.next("completion", of(other))]) {
      expect(ended).toMatchObject({
        error:
          "[HANDLER_CRASHED] the thread that this run shared with others ended: " +
          "process.exit(3) was called; run it again",
        retryable: true,
      });
    }
  });

  it("goes on when it only dropped a rejection, which is logged", async () => {
    await using stream = await TestStream.open(wep.port);
    expect(await run(stream, "crash", { how: "rejection" })).toMatchObject({ status: "SUCCESS" });
    await until(() => wep.logs.some(({ msg }) => String(msg).startsWith("a promise was rejected")));
  });
});

describe("modules", () => {
  it.each([
    ["/nowhere/none.ts", /^\[NO_SUCH_MODULE\] \/nowhere\/none\.ts: no such file/],
    ["relative.ts", /^\[INVALID_OPTION\] modules: relative\.ts is a relative path/],
  ])("%s is refused before anything listens", async (path, message) => {
    const error = await failureOf({ modules: [path] });
    expect(error).toBeInstanceOf(WepError);
    expect(error.message).toMatch(message);
  });

  it.each([
    ["throws", "throw new Error('no model file')", /^\[BAD_MODULE\] .*no model file; fix it and start again/],
    [
      "exits",
      "process.exit(4)",
      /^\[BAD_MODULE\] .*ended the thread while they were imported: process\.exit\(4\)/,
    ],
    ["exports nothing", "export const x = 1", /^\[NO_HANDLERS\] .*export what defineHandler\(\) returns/],
  ])("one that %s is refused, saying what to do", async (_, code, message) => {
    const folder = await mkdtemp(join(tmpdir(), "wep-test-"));
    await writeFile(join(folder, "a.mjs"), code);
    expect((await failureOf({ modules: [join(folder, "a.mjs")] })).message).toMatch(message);
    await rm(folder, { recursive: true });
  });

  it("are shown to the check, whose refusal is that of the server", async () => {
    const error = await failureOf({
      modules: [MODULE],
      checkHandlers: (handlers) => {
        throw new Error(`no ${handlers.find(({ kind }) => kind === "spin")?.kind}, please`);
      },
    });
    expect(error.message).toBe("no spin, please");
  });
});

async function failureOf(options: ServeOptions): Promise<Error> {
  return await serve({ port: 0, health: false, ...options }).then(
    () => expect.unreachable("the server started"),
    (error: unknown) => error as Error,
  );
}
