import { TASK_ERROR } from "@subnet-worker/protocol";
import { FakeClock } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import {
  defineHandler,
  type Handler,
  isCancelledError,
  RetryableError,
  TerminalError,
} from "../src/index.ts";
import { assignment, TestStream } from "./_stream.ts";
import { resultOf, scriptedHandler, startWep, until } from "./_wep.ts";

function handlerThat(run: () => unknown): Handler {
  return defineHandler<Record<string, never>, unknown>({ kind: "test.work", version: "1.0.0", run });
}

async function completionOf(run: () => unknown) {
  await using wep = await startWep({ handlers: [handlerThat(run)] });
  await using stream = await TestStream.open(wep.port);
  stream.send("assign", assignment());
  return await stream.next("completion");
}

describe("a run", () => {
  it("is acked, takes a slot, completes with its outputs and gives the slot back", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler] });
    await using stream = await TestStream.open(wep.port);
    const task = assignment({ attempt: 3, workflowInstanceId: "flow-9", softDeadlineUnix: 1_900_000_000n });
    stream.send("assign", task);
    expect(await stream.next("ack")).toMatchObject({ activityId: task.activityId, runId: "run-1" });
    await stream.next("capacity", ({ availableSlots }) => availableSlots === 1);
    const call = await work.nextCall();
    expect(call.ctx).toMatchObject({
      activityId: task.activityId,
      runId: "run-1",
      workflowInstanceId: "flow-9",
      attempt: 3,
      kind: "test.work",
      version: "1.0.0",
      deadlineMs: 1_900_000_000_000,
      workflowInput: {},
    });
    call.end.resolve({
      total: 2n ** 70n,
      digest: new Uint8Array([1, 255]),
      nested: { list: [1, "two", null, true] },
    });
    const completion = await stream.next("completion");
    expect(completion).toMatchObject({
      ...ids(task),
      status: "SUCCESS",
      error: "",
      errorCode: 0,
      retryable: false,
    });
    expect(resultOf(completion)).toEqual({
      total: "1180591620717411303424",
      digest: "0x01ff",
      nested: { list: [1, "two", null, true] },
    });
    await stream.next("capacity", ({ availableSlots }) => availableSlots === 2);
  });

  it("gets its inputs as typed values", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler] });
    await using stream = await TestStream.open(wep.port);
    stream.send(
      "assign",
      assignment({
        inputs: [
          {
            name: "wide",
            inlineJson: '"115792089237316195423570985008687907853269984665640564039457584007913129639935"',
            abiType: "uint256",
          },
          { name: "narrow", inlineJson: "16000", abiType: "uint32" },
          { name: "digest", inlineJson: '"0x00ff"', abiType: "bytes" },
          { name: "names", inlineJson: '["a","b"]', abiType: "string[]" },
          { name: "untyped", inlineJson: '{"deep":[1,2]}' },
          { name: "raw", inlineBytes: new Uint8Array([7, 8]) },
          {
            name: "clip",
            ref: "http://127.0.0.1:1/clip.wav?sig=x",
            objectKey: "in/clip.wav",
            mediaType: "audio/wav",
          },
          { name: "bare", ref: "in/bare.wav" },
        ],
        workflowInputs: [{ name: "seed", inlineJson: "7", abiType: "uint8" }],
      }),
    );
    const { input, ctx } = await work.nextCall();
    expect(input).toMatchObject({
      wide: 2n ** 256n - 1n,
      narrow: 16_000,
      names: ["a", "b"],
      untyped: { deep: [1, 2] },
      clip: { name: "clip", objectKey: "in/clip.wav", mediaType: "audio/wav" },
      bare: { objectKey: "in/bare.wav" },
    });
    expect(input["digest"]).toEqual(new Uint8Array([0, 255]));
    expect(input["raw"]).toEqual(new Uint8Array([7, 8]));
    expect(ctx.workflowInput).toEqual({ seed: 7 });
    expect(ctx.deadlineMs).toBeUndefined();
    expect(ctx.attempt).toBe(1);
  });

  it("fails with INVALID_FORMAT, naming the input, when one does not fit its type", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler] });
    await using stream = await TestStream.open(wep.port);
    stream.send(
      "assign",
      assignment({ inputs: [{ name: "rate", inlineJson: '"fast"', abiType: "uint32" }] }),
    );
    const completion = await stream.next("completion");
    expect(completion).toMatchObject({
      status: "ERROR",
      errorCode: TASK_ERROR.INVALID_FORMAT,
      retryable: false,
    });
    expect(completion.error).toContain('input "rate": it is not a uint32');
    expect(work.calls).toEqual([]);
  });

  it("fails for good when its handler throws a TerminalError", async () => {
    const completion = await completionOf(() => {
      throw new TerminalError("not a WAV file", { code: "INVALID_FORMAT" });
    });
    expect(completion).toMatchObject({
      status: "ERROR",
      error: "not a WAV file",
      errorCode: 1003,
      retryable: false,
    });
  });

  it("asks for another try when its handler throws a RetryableError", async () => {
    const completion = await completionOf(() =>
      Promise.reject(new RetryableError("warming up", { retryAfterMs: 1_500 })),
    );
    expect(completion).toMatchObject({
      status: "ERROR",
      error: "warming up",
      errorCode: 2001,
      retryable: true,
      retryAfterMs: 1_500n,
    });
  });

  it("fails with EXECUTION_FAILED when its handler throws anything else", async () => {
    const completion = await completionOf(() => {
      throw new RangeError("index 7 of 5");
    });
    expect(completion).toMatchObject({
      status: "ERROR",
      error: "index 7 of 5",
      errorCode: 2001,
      retryable: false,
    });
  });

  it("fails with INVALID_FORMAT, naming the output, when a result has no JSON form", async () => {
    const completion = await completionOf(() => ({ verdict: { at: new Date(0) } }));
    expect(completion).toMatchObject({
      status: "ERROR",
      errorCode: TASK_ERROR.INVALID_FORMAT,
      retryable: false,
    });
    expect(completion.error).toContain("output verdict.at is an instance of Date");
  });

  it("succeeds with no outputs when its handler returns nothing", async () => {
    expect(resultOf(await completionOf(() => undefined))).toEqual({});
  });

  it("logs every line with its activity_id and run_id, the handler's own too", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler] });
    await using stream = await TestStream.open(wep.port);
    const task = assignment();
    stream.send("assign", task);
    const call = await work.nextCall();
    call.ctx.log.info({ step: 1 }, "resampling");
    call.end.resolve({});
    await stream.next("completion");
    const lines = wep.logs.filter(({ msg }) =>
      ["run started", "resampling", "run ended"].includes(String(msg)),
    );
    expect(lines).toHaveLength(3);
    for (const line of lines) expect(line).toMatchObject({ activity_id: task.activityId, run_id: "run-1" });
  });

  it("counts in the metrics", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler] });
    await using stream = await TestStream.open(wep.port);
    stream.send("assign", assignment());
    stream.send("assign", assignment());
    const [first, second] = [await work.nextCall(), await work.nextCall()];
    expect(await wep.metric('wep_slots{state="busy"}')).toBe(2);
    expect(await wep.metric('wep_slots{state="free"}')).toBe(0);
    expect(await wep.metric("wep_streams")).toBe(1);
    first.end.resolve({});
    second.end.reject(new TerminalError("no", { code: "PERMISSION_DENIED" }));
    const completions = [await stream.next("completion"), await stream.next("completion")];
    expect(await wep.metric("wep_completions_unacknowledged")).toBe(2);
    for (const completion of completions) stream.send("completionAck", ids(completion));
    await until(async () => (await wep.metric("wep_completions_unacknowledged")) === 0);
    expect(await wep.metric('wep_runs_total{kind="test.work",status="SUCCESS"}')).toBe(1);
    expect(await wep.metric('wep_runs_total{kind="test.work",status="PERMISSION_DENIED"}')).toBe(1);
    expect(await wep.metric('wep_run_duration_seconds_count{kind="test.work"}')).toBe(2);
    expect(await wep.metric('wep_slots{state="free"}')).toBe(2);
  });
});

describe("an assignment is refused", () => {
  it("when there is no handler for it, naming those there are", async () => {
    await using wep = await startWep({ handlers: [scriptedHandler().handler] });
    await using stream = await TestStream.open(wep.port);
    const task = assignment({ taskVersion: "2.0.0" });
    stream.send("assign", task);
    const rejection = await stream.next("rejection");
    expect(rejection).toMatchObject({ ...ids(task), errorCode: TASK_ERROR.INVALID_INPUT });
    expect(rejection.reason).toContain("no handler for test.work 2.0.0 here; there is: test.work 1.0.0");
    expect(stream.count("ack")).toBe(0);
  });

  it("when no slot is free, and taken once one is", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler], maxConcurrency: 1 });
    await using stream = await TestStream.open(wep.port);
    stream.send("assign", assignment());
    const call = await work.nextCall();
    const second = assignment();
    stream.send("assign", second);
    expect(await stream.next("rejection")).toMatchObject({
      ...ids(second),
      errorCode: TASK_ERROR.SYSTEM_OVERLOAD,
    });
    call.end.resolve({});
    await stream.next("completion");
    stream.send("assign", second);
    await stream.next("ack", ({ activityId }) => activityId === second.activityId);
    await work.nextCall();
  });

  it("when it names no activity", async () => {
    await using wep = await startWep({ handlers: [scriptedHandler().handler] });
    await using stream = await TestStream.open(wep.port);
    stream.send("assign", assignment({ activityId: "" }));
    expect(await stream.next("rejection")).toMatchObject({ errorCode: TASK_ERROR.MISSING_REQUIRED_FIELD });
  });

  it("after its own worker client said that it drains, while running work goes on", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler] });
    await using stream = await TestStream.open(wep.port);
    stream.send("assign", assignment());
    const call = await work.nextCall();
    stream.send("drain", {});
    stream.send("assign", assignment());
    expect(await stream.next("rejection")).toMatchObject({ errorCode: TASK_ERROR.SYSTEM_OVERLOAD });
    call.end.resolve({ done: true });
    expect(await stream.next("completion")).toMatchObject({ status: "SUCCESS" });
  });
});

describe("stopping a run", () => {
  it.each([
    ["requested", "requested", 5001],
    ["lease_lost", "lease_lost", 5001],
    ["deadline", "deadline", 5002],
    ["the operator pressed a button", "requested", 5001],
  ])("reaches the handler's signal with its reason: %s", async (sent, reason, errorCode) => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler] });
    await using stream = await TestStream.open(wep.port);
    const task = assignment();
    stream.send("assign", task);
    const call = await work.nextCall();
    stream.send("cancel", { activityId: task.activityId, reason: sent });
    const completion = await stream.next("completion");
    expect(completion).toMatchObject({ status: "ERROR", errorCode, retryable: false });
    expect(isCancelledError(call.ctx.signal.reason)).toBe(true);
    expect(call.ctx.signal.reason).toMatchObject({ reason });
  });

  it("does not throw away what the handler returns all the same", async () => {
    const work = scriptedHandler({ obeys: false });
    await using wep = await startWep({ handlers: [work.handler], abortGraceMs: 60_000 });
    await using stream = await TestStream.open(wep.port);
    const task = assignment();
    stream.send("assign", task);
    const call = await work.nextCall();
    stream.send("cancel", { activityId: task.activityId, reason: "requested" });
    await until(() => call.ctx.signal.aborted);
    call.end.resolve({ finished: true });
    expect(await stream.next("completion")).toMatchObject({ status: "SUCCESS" });
  });

  it("is harmless for an activity that does not run", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler] });
    await using stream = await TestStream.open(wep.port);
    stream.send("cancel", { activityId: "unheard-of", reason: "requested" });
    stream.send("assign", assignment());
    await work.nextCall();
  });

  it("happens by itself when the handler's time is over", async () => {
    const clock = new FakeClock();
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler], clock, handlerTimeoutMs: 3_000 });
    await using stream = await TestStream.open(wep.port);
    stream.send("assign", assignment());
    const call = await work.nextCall();
    await clock.advance(2_999);
    expect(call.ctx.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(call.ctx.signal.reason).toMatchObject({ reason: "deadline" });
    const completion = await stream.next("completion");
    expect(completion).toMatchObject({
      status: "ERROR",
      errorCode: TASK_ERROR.CANCELLED_BY_TIMEOUT,
      latencyMs: 3_000n,
    });
    stream.send("completionAck", ids(completion));
    await until(() => wep.metric("wep_completions_unacknowledged").then((count) => count === 0));
  });

  it("settles the run without a handler that ignores its signal, and keeps its slot until it returns", async () => {
    const clock = new FakeClock();
    const work = scriptedHandler({ obeys: false });
    await using wep = await startWep({
      handlers: [work.handler],
      clock,
      maxConcurrency: 1,
      abortGraceMs: 5_000,
    });
    await using stream = await TestStream.open(wep.port);
    const task = assignment();
    stream.send("assign", task);
    const call = await work.nextCall();
    stream.send("cancel", { activityId: task.activityId, reason: "requested" });
    await until(() => call.ctx.signal.aborted);
    await clock.advance(4_999);
    expect(stream.count("completion")).toBe(0);
    await clock.advance(1);
    const completion = await stream.next("completion");
    expect(completion).toMatchObject({ status: "ERROR", errorCode: TASK_ERROR.CANCELLED_BY_USER });
    stream.send("completionAck", ids(completion));
    stream.send("assign", assignment());
    expect(await stream.next("rejection")).toMatchObject({ errorCode: TASK_ERROR.SYSTEM_OVERLOAD });
    expect(await wep.metric('wep_slots{state="busy"}')).toBe(1);
    call.end.resolve({ late: true });
    await stream.next(
      "capacity",
      ({ availableSlots }) => availableSlots === 1 && stream.count("capacity") > 2,
    );
    expect(stream.count("completion")).toBe(1);
  });
});

describe("a newer run of the same activity", () => {
  it("stops the older one as superseded, whose outcome nobody is told", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler] });
    await using stream = await TestStream.open(wep.port);
    const task = assignment();
    stream.send("assign", task);
    const older = await work.nextCall();
    stream.send("assign", { ...task, runId: "run-2" });
    const newer = await work.nextCall();
    expect(older.ctx.signal.reason).toMatchObject({ reason: "superseded" });
    expect(newer.ctx.runId).toBe("run-2");
    newer.end.resolve({ from: "newer" });
    expect(await stream.next("completion")).toMatchObject({ runId: "run-2", status: "SUCCESS" });
    expect(stream.count("completion")).toBe(1);
  });

  it("waits for the only slot while the older one holds it", async () => {
    const work = scriptedHandler({ obeys: false });
    await using wep = await startWep({ handlers: [work.handler], maxConcurrency: 1 });
    await using stream = await TestStream.open(wep.port);
    const task = assignment();
    stream.send("assign", task);
    const older = await work.nextCall();
    stream.send("assign", { ...task, runId: "run-2" });
    expect(await stream.next("rejection")).toMatchObject({
      runId: "run-2",
      errorCode: TASK_ERROR.SYSTEM_OVERLOAD,
    });
    older.end.resolve({});
    await stream.next("capacity", ({ availableSlots }) => availableSlots === 1 && older.ctx.signal.aborted);
    stream.send("assign", { ...task, runId: "run-2" });
    await work.nextCall();
  });
});

function ids({ activityId, runId }: { readonly activityId: string; readonly runId: string }) {
  return { activityId, runId };
}
