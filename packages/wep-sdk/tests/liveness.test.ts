import { Code } from "@connectrpc/connect";
import { FakeClock } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import { assignment, TestStream } from "./_stream.ts";
import { scriptedHandler, startWep, until } from "./_wep.ts";

describe("progress", () => {
  it("goes out at once, then twice a second at most, the last one winning", async () => {
    const clock = new FakeClock();
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler], clock });
    await using stream = await TestStream.open(wep.port);
    const task = assignment();
    stream.send("assign", task);
    const { ctx } = await work.nextCall();
    for (const percent of [1, 2, 3]) ctx.progress(percent, `step ${percent}`);
    expect(await stream.next("progress")).toMatchObject({
      activityId: task.activityId,
      percent: 1,
      message: "step 1",
    });
    await clock.advance(499);
    expect(stream.count("progress")).toBe(1);
    await clock.advance(1);
    expect(await stream.next("progress")).toMatchObject({ percent: 3, message: "step 3" });
    await clock.advance(10_000);
    expect(stream.count("progress")).toBe(2);
  });

  it("sends the last report before the completion, however soon that comes", async () => {
    const clock = new FakeClock();
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler], clock });
    await using stream = await TestStream.open(wep.port);
    stream.send("assign", assignment());
    const call = await work.nextCall();
    call.ctx.progress(10);
    call.ctx.progress(250, "beyond the end");
    call.end.resolve({});
    const completion = await stream.next("completion");
    const kinds = stream.heard.map(({ msg }) => msg.case);
    expect(kinds.lastIndexOf("progress")).toBeLessThan(kinds.indexOf("completion"));
    expect(stream.heard.findLast(({ msg }) => msg.case === "progress")?.msg.value).toMatchObject({
      percent: 100,
    });
    stream.send("completionAck", { activityId: completion.activityId, runId: completion.runId });
    await until(() => wep.metric("wep_completions_unacknowledged").then((kept) => kept === 0));
  });

  it("is repeated at half the heartbeat interval for a handler that reports none", async () => {
    const clock = new FakeClock();
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler], clock });
    await using stream = await TestStream.open(wep.port);
    stream.send("assign", assignment({ heartbeatIntervalS: 6 }));
    const call = await work.nextCall();
    await clock.advance(2_999);
    expect(stream.count("progress")).toBe(0);
    await clock.advance(1);
    await stream.next("progress");
    await clock.advance(500);
    call.ctx.progress(50);
    await stream.next("progress", ({ percent }) => percent === 50);
    await clock.advance(3_000);
    await stream.next("progress", ({ percent }) => percent === 50);
    call.end.resolve({});
    const completion = await stream.next("completion");
    stream.send("completionAck", { activityId: completion.activityId, runId: completion.runId });
    await until(() => wep.metric("wep_completions_unacknowledged").then((kept) => kept === 0));
    const before = stream.count("progress");
    await clock.advance(4_000);
    expect(stream.count("progress")).toBe(before);
  });
});

describe("a stream", () => {
  it("answers a ping with a pong of the same nonce", async () => {
    await using wep = await startWep({ handlers: [] });
    await using stream = await TestStream.open(wep.port);
    stream.send("ping", { nonce: 77n });
    expect(await stream.next("pong")).toMatchObject({ nonce: 77n });
  });

  it("is pinged every 2 s and stays while it answers", async () => {
    const clock = new FakeClock();
    await using wep = await startWep({ handlers: [], clock });
    await using stream = await TestStream.open(wep.port);
    for (let round = 1; round <= 15; round += 1) {
      await clock.advance(2_000);
      await stream.next("ping");
      // Our pong is read before a ping of our own is answered.
      stream.send("ping", { nonce: BigInt(round) });
      await stream.next("pong");
    }
    expect(await wep.metric("wep_streams")).toBe(1);
  });

  it("is dropped within 10 s of silence, and its runs go on", async () => {
    const clock = new FakeClock();
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler], clock });
    await using stream = await TestStream.open(wep.port);
    stream.answersPings = false;
    const task = assignment();
    stream.send("assign", task);
    const call = await work.nextCall();
    await clock.advance(7_999);
    expect(await wep.metric("wep_streams")).toBe(1);
    await clock.advance(1);
    const error = await stream.ended;
    expect(error?.code).toBe(Code.Unavailable);
    expect(error?.message).toContain("nothing heard for 8000 ms");
    expect(call.ctx.signal.aborted).toBe(false);
    await using again = await TestStream.open(wep.port);
    again.send("assign", task);
    await again.next("ack");
    call.end.resolve({});
    const completion = await again.next("completion");
    again.send("completionAck", { activityId: completion.activityId, runId: completion.runId });
    await until(() => wep.metric("wep_completions_unacknowledged").then((kept) => kept === 0));
  });

  it("is neither pinged nor dropped when the peer speaks 1.0.0", async () => {
    const clock = new FakeClock();
    await using wep = await startWep({ handlers: [], clock });
    await using stream = await TestStream.open(wep.port, { max: "1.0.0" });
    await clock.advance(120_000);
    expect(stream.count("ping")).toBe(0);
    expect(await wep.metric("wep_streams")).toBe(1);
  });

  it("ignores messages it has no use for", async () => {
    await using wep = await startWep({ handlers: [] });
    await using stream = await TestStream.open(wep.port);
    stream.send("capacity", { availableSlots: 3 });
    stream.send("uploadGrant", { requestId: 12n });
    stream.send("completionAck", { activityId: "unheard-of", runId: "of" });
    stream.send("ping", { nonce: 1n });
    await stream.next("pong");
  });
});
