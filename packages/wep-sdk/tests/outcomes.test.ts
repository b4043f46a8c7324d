// Whatever a handler does ends in one clear outcome for its run, and the runs beside it do not notice.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { assignment, type TestAssignment, TestStream, type ValueOf } from "./_stream.ts";
import { resultOf, startWep, type TestWep, until } from "./_wep.ts";

const MODULE = fileURLToPath(new URL("_outcome-handlers.ts", import.meta.url));
const MEMORY_MB = 48;

let wep: TestWep;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "wep-test-"));
  wep = await startWep({
    modules: [MODULE],
    maxConcurrency: 4,
    abortGraceMs: 200,
    threads: { memoryMb: MEMORY_MB },
  });
});
afterAll(async () => {
  await wep[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

function task(kind: string, input: Record<string, unknown>, more: object = {}): TestAssignment {
  const inputs = Object.entries(input).map(([name, value]) => ({ name, inlineJson: JSON.stringify(value) }));
  return assignment({ taskKind: kind, inputs, ...more });
}

function of({ activityId }: { readonly activityId: string }) {
  return (message: { readonly activityId: string }) => message.activityId === activityId;
}

let steadyRuns = 0;

/** Runs a task beside one that works all the while, which is held to have noticed nothing. */
async function besideSteady(
  stream: TestStream,
  work: (hasWorked: () => Promise<void>) => Promise<ValueOf<"completion">>,
): Promise<ValueOf<"completion">> {
  steadyRuns += 1;
  const stop = join(folder, `stop-${steadyRuns}`);
  const path = join(folder, `ticks-${steadyRuns}`);
  const steady = task("steady", { until: stop, ticks: path });
  stream.send("assign", steady);
  await stream.next("progress", of(steady));
  const completion = await work(async () => {
    const before = await ticksIn(path);
    await until(async () => (await ticksIn(path)) > before + 3);
  });
  await writeFile(stop, "");
  const undisturbed = await stream.next("completion", of(steady));
  expect(undisturbed).toMatchObject({ status: "SUCCESS", errorCode: 0 });
  expect((resultOf(undisturbed) as { ticks: number }).ticks).toBeGreaterThan(0);
  return completion;
}

async function ticksIn(path: string): Promise<number> {
  return (await readFile(path, "utf8")).length;
}

async function run(ran: TestAssignment): Promise<ValueOf<"completion">> {
  await using stream = await TestStream.open(wep.port);
  return await besideSteady(stream, async () => {
    stream.send("assign", ran);
    return await stream.next("completion", of(ran));
  });
}

const TIMEOUT = { timeoutMs: 300n };

describe("a handler that", () => {
  it.each([
    ["throws", {}, 2001, false, /^index 7 of 5$/],
    ["rejects", {}, 2001, false, /^no such model$/],
    ["throws later", {}, 2001, false, /an exception was thrown where nobody caught it: .*nobody's child/],
    ["exits", {}, 2001, false, /process.exit\(3\) was called; throw a TerminalError/],
    ["never returns", TIMEOUT, 5002, false, /its time was over \(deadline\)/],
    ["blocks for ever", TIMEOUT, 5002, false, /its time was over \(deadline\)/],
    ["ignores abort", TIMEOUT, 5002, false, /its time was over \(deadline\)/],
    ["measures without end", TIMEOUT, 5002, false, /its time was over \(deadline\)/],
    ["logs without end", TIMEOUT, 5002, false, /its time was over \(deadline\)/],
    ["fills its heap", {}, 2002, true, /it needed more memory than 48 MB/],
    ["grows an array", {}, 2002, true, /it needed more memory than 48 MB/],
    [
      "fills buffers",
      {},
      2002,
      true,
      /more memory than 48 MB, heap and buffers together: \d+ MB; read files/,
    ],
    ["fills buffers without a pause", {}, 2002, true, /more memory than 48 MB, heap and buffers together/],
    ["fills buffers", { memoryMb: 20 }, 2002, true, /more memory than 20 MB, .* limits.memory_mb/],
    ["returns a list", {}, 1003, false, /the handler returned an array/],
    ["returns what has no JSON", {}, 1003, false, /output at is an instance of Date/],
    ["returns 50 MB", {}, 1003, false, /the result is 52428\d+ bytes and at most 3145728 travel inline/],
  ])("%s %o ends as %i", async (...[how, more, errorCode, retryable, message]) => {
    const completion = await run(task("deed", { how }, more));
    expect(completion).toMatchObject({ status: "ERROR", errorCode, retryable });
    expect(completion.error).toMatch(message);
  });

  it.each([
    ["wrong type", /output "words": expected uint32, .*got "many"/],
    ["unknown name", /no output "words"|no output "sentences"/],
  ])("returns the wrong shape (%s) ends as INVALID_FORMAT", async (how, message) => {
    const completion = await run(task("shape", { how }));
    expect(completion).toMatchObject({ status: "ERROR", errorCode: 1003, retryable: false });
    expect(completion.error).toMatch(message);
  });

  it("is given an input of the wrong shape ends as INVALID_INPUT before it runs", async () => {
    const wrong = await run(task("shape", { how: 7 }));
    expect(wrong).toMatchObject({ status: "ERROR", errorCode: 1001, retryable: false });
    expect(wrong.error).toMatch(/input "how": expected string, text, got 7/);
    const missing = await run(task("shape", {}));
    expect(missing).toMatchObject({ status: "ERROR", errorCode: 1002 });
  });

  it("leaves a rejection behind succeeds, and the log tells of it", async () => {
    const completion = await run(task("deed", { how: "rejects unawaited" }));
    expect(resultOf(completion)).toEqual({ done: true });
    await until(() => wep.logs.some(({ msg }) => /nobody awaited it/.test(String(msg))));
  });

  it("leaves many timers behind succeeds, and its thread is replaced at once", async () => {
    const completion = await run(task("deed", { how: "leaks many timers" }));
    expect(resultOf(completion)).toEqual({ done: true });
    await until(() => wep.logs.some(({ msg }) => /left timers behind/.test(String(msg))));
    const line = wep.logs.find(({ msg }) => /left timers behind/.test(String(msg)));
    expect(line).toMatchObject({ level: "warn", handler: "deed 1.0.0", timers: 30 });
  });

  it("leaves a timer behind succeeds", async () => {
    expect(resultOf(await run(task("deed", { how: "leaks a timer" })))).toEqual({ done: true });
  });
});

describe("a handler that goes on without end", () => {
  it.each(["never returns", "blocks for ever", "ignores abort", "measures without end", "logs without end"])(
    "%s: the run beside it goes on while it does",
    async (how) => {
      await using stream = await TestStream.open(wep.port);
      const ran = task("deed", { how });
      const completion = await besideSteady(stream, async (hasWorked) => {
        stream.send("assign", ran);
        await stream.next("progress", of(ran));
        await hasWorked();
        expect(stream.count("completion")).toBe(0);
        stream.send("cancel", { activityId: ran.activityId, reason: "requested" });
        return await stream.next("completion", of(ran));
      });
      expect(completion).toMatchObject({ status: "ERROR", errorCode: 5001 });
    },
  );
});

describe("a handler in a thread", () => {
  it("finds its run, is measured in the worker's metrics, and has its module's middleware around it", async () => {
    await using stream = await TestStream.open(wep.port);
    for (const by of [3, 4]) {
      const ran = task("measured", { by }, { attempt: by });
      stream.send("assign", ran);
      const completion = await stream.next("completion", of(ran));
      expect(resultOf(completion)).toEqual({ attempt: by, around: `measured of ${ran.runId}` });
    }
    expect(await wep.metric('wep_handler_steps_total{kind="measured"}')).toBe(7);
    expect(await wep.metric('wep_handler_last_by{kind="measured"}')).toBe(4);
  });
});

describe("a handler that has nothing to do", () => {
  it("says so from its thread: the run ends as skipped with its outputs, for 1.0.0 too, and is counted so", async () => {
    for (const max of ["1.0.0", "1.1.0"]) {
      await using stream = await TestStream.open(wep.port, { max });
      const sent = task("idle", { thrown: "" });
      stream.send("assign", sent);
      const completion = await stream.next("completion", of(sent));
      expect(completion).toMatchObject({ status: "SKIPPED", error: "", errorCode: 0 });
      expect(resultOf(completion)).toEqual({ seen: 0 });
    }
    expect(await wep.metrics.metrics()).toMatch(/kind="idle",status="SKIPPED"\} 2/);
  });

  it("and fails all the same has failed", async () => {
    await using stream = await TestStream.open(wep.port);
    const sent = task("idle", { thrown: "it broke" });
    stream.send("assign", sent);
    expect(await stream.next("completion", of(sent))).toMatchObject({ status: "ERROR", error: "it broke" });
  });
});
