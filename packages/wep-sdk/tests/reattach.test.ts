import { FakeClock } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import { assignment, TestStream } from "./_stream.ts";
import { resultOf, scriptedHandler, startWep, until } from "./_wep.ts";

describe("a run whose stream dropped", () => {
  it("goes on, and its completion goes to the stream that assigns it again", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler] });
    const task = assignment();
    const first = await TestStream.open(wep.port);
    first.send("assign", task);
    const call = await work.nextCall();
    call.ctx.progress(40, "decoding");
    await first.next("progress", ({ percent }) => percent === 40);
    first.cut();
    await until(() => wep.metric("wep_streams").then((streams) => streams === 0));
    expect(call.ctx.signal.aborted).toBe(false);

    await using second = await TestStream.open(wep.port);
    second.send("assign", task);
    await second.next("ack");
    expect(await second.next("progress")).toMatchObject({ percent: 40, message: "decoding" });
    call.end.resolve({ answer: 42 });
    expect(resultOf(await second.next("completion"))).toEqual({ answer: 42 });
    expect(work.calls).toHaveLength(1);
  });

  it("keeps a completion that nobody was there for, and sends it to whoever assigns the run again", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler] });
    const task = assignment();
    const first = await TestStream.open(wep.port);
    first.send("assign", task);
    const call = await work.nextCall();
    first.cut();
    await until(() => wep.metric("wep_streams").then((streams) => streams === 0));
    call.end.resolve({ answer: 42 });
    await until(() => wep.metric("wep_completions_unacknowledged").then((kept) => kept === 1));

    await using second = await TestStream.open(wep.port);
    second.send("assign", task);
    const completion = await second.next("completion");
    expect(resultOf(completion)).toEqual({ answer: 42 });
    expect(second.count("ack")).toBe(0); // the completion went out with it, and says as much
    second.send("completionAck", { activityId: task.activityId, runId: task.runId });
    await until(() => wep.metric("wep_completions_unacknowledged").then((kept) => kept === 0));
    expect(work.calls).toHaveLength(1);
  });

  it("is acked before its completion to a peer of 1.0.0", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler] });
    const task = assignment();
    await using stream = await TestStream.open(wep.port, { max: "1.0.0" });
    stream.send("assign", task);
    (await work.nextCall()).end.resolve({ answer: 42 });
    await stream.next("completion");
    expect(stream.count("ack")).toBe(1);
  });

  it("sends its completion again until it is acknowledged", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler] });
    const task = assignment();
    for (let round = 0; round < 3; round += 1) {
      await using stream = await TestStream.open(wep.port);
      stream.send("assign", task);
      if (round === 0) (await work.nextCall()).end.resolve({ answer: 42 });
      expect(await stream.next("completion")).toMatchObject({ status: "SUCCESS", runId: task.runId });
    }
    expect(work.calls).toHaveLength(1);
  });

  it("runs again when it is assigned again after its completion was acknowledged", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler] });
    await using stream = await TestStream.open(wep.port);
    const task = assignment();
    stream.send("assign", task);
    (await work.nextCall()).end.resolve({});
    await stream.next("completion");
    stream.send("completionAck", { activityId: task.activityId, runId: task.runId });
    stream.send("assign", task);
    await work.nextCall();
  });

  it("answers the newest stream only, when two assigned it", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler] });
    await using older = await TestStream.open(wep.port);
    await using newer = await TestStream.open(wep.port);
    const task = assignment();
    older.send("assign", task);
    const call = await work.nextCall();
    newer.send("assign", task);
    await newer.next("ack");
    call.end.resolve({});
    await newer.next("completion");
    expect(older.count("completion")).toBe(0);
    expect(work.calls).toHaveLength(1);
  });

  it("forgets a completion that nobody fetched in time, with a warning", async () => {
    const clock = new FakeClock();
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler], clock, completionRetentionMs: 600_000 });
    const task = assignment();
    const stream = await TestStream.open(wep.port);
    stream.send("assign", task);
    const call = await work.nextCall();
    stream.cut();
    await until(() => wep.metric("wep_streams").then((streams) => streams === 0));
    call.end.resolve({});
    await until(() => wep.metric("wep_completions_unacknowledged").then((kept) => kept === 1));
    await clock.advance(599_999);
    expect(await wep.metric("wep_completions_unacknowledged")).toBe(1);
    await clock.advance(1);
    expect(await wep.metric("wep_completions_unacknowledged")).toBe(0);
    const warning = wep.logs.find(({ msg }) => String(msg).startsWith("completion dropped"));
    expect(warning).toMatchObject({ level: "warn", activity_id: task.activityId, run_id: task.runId });
  });

  it("keeps only so many completions and drops the oldest", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler], maxKeptCompletions: 2 });
    await using stream = await TestStream.open(wep.port);
    const tasks = [assignment(), assignment(), assignment()];
    for (const task of tasks) {
      stream.send("assign", task);
      (await work.nextCall()).end.resolve({});
      await stream.next("completion");
    }
    expect(await wep.metric("wep_completions_unacknowledged")).toBe(2);
    const dropped = wep.logs.filter(({ msg }) => String(msg).startsWith("completion dropped"));
    expect(dropped.map((line) => line["activity_id"])).toEqual([tasks[0]!.activityId]);
  });
});

describe("a peer that has said all it will say", () => {
  it("gets the completions it waits for, then the end of the stream", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler] });
    await using stream = await TestStream.open(wep.port);
    stream.send("assign", assignment());
    stream.finishSending();
    const call = await work.nextCall();
    call.end.resolve({ ok: true });
    expect(resultOf(await stream.next("completion"))).toEqual({ ok: true });
    expect(await stream.ended).toBeUndefined();
  });
});

describe("a peer of 1.0.0", () => {
  it("needs to acknowledge nothing: what was written to it counts as delivered", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler] });
    await using stream = await TestStream.open(wep.port, { max: "1.0.0" });
    stream.send("assign", assignment());
    (await work.nextCall()).end.reject(new Error("broken"));
    const completion = await stream.next("completion");
    expect(completion).toMatchObject({ status: "ERROR", error: "broken", errorCode: 0, latencyMs: 0n });
    await until(() => wep.metric("wep_completions_unacknowledged").then((kept) => kept === 0));
  });

  it("is told of a refusal by a completion, as it knows no rejection", async () => {
    await using wep = await startWep({ handlers: [] });
    await using stream = await TestStream.open(wep.port, { max: "1.0.0" });
    const task = assignment();
    stream.send("assign", task);
    const completion = await stream.next("completion");
    expect(completion).toMatchObject({
      activityId: task.activityId,
      runId: task.runId,
      status: "ERROR",
      errorCode: 0,
    });
    expect(completion.error).toContain("no handler for test.work 1.0.0");
    expect(stream.count("rejection")).toBe(0);
  });

  it("finds its completion after a reconnect when it was not written before", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler] });
    const task = assignment();
    const first = await TestStream.open(wep.port, { max: "1.0.0" });
    first.send("assign", task);
    const call = await work.nextCall();
    first.cut();
    await until(() => wep.metric("wep_streams").then((streams) => streams === 0));
    call.end.resolve({ kept: true });
    await using second = await TestStream.open(wep.port, { max: "1.0.0" });
    second.send("assign", task);
    expect(resultOf(await second.next("completion"))).toEqual({ kept: true });
    await until(() => wep.metric("wep_completions_unacknowledged").then((kept) => kept === 0));
  });

  it("cannot upload, and the handler is told why", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler] });
    await using stream = await TestStream.open(wep.port, { max: "1.0.0" });
    stream.send("assign", assignment({ uploadPrefix: "out/" }));
    const call = await work.nextCall();
    const upload = call.ctx.upload("a.txt", "text", { mediaType: "text/plain" });
    await expect(upload).rejects.toThrow(/protocol 1\.0\.0, which brokers no storage/);
  });
});
