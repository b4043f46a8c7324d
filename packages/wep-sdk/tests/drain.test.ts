import { FakeClock } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import { serve, WepError } from "../src/index.ts";
import { resolveSettings } from "../src/settings.ts";
import { assignment, TestStream } from "./_stream.ts";
import { scriptedHandler, startWep, type TestWep, until } from "./_wep.ts";

/** As they are where nobody tunes them. */
const { ackWaitMs, returnWaitMs } = resolveSettings({});
const PRODUCTION_WAITS = { ackWaitMs, returnWaitMs };

/** How often the log says that the server is drained. */
function drainedLines({ logs }: TestWep): number {
  return logs.filter(({ msg }) => msg === "drained").length;
}

describe("draining", () => {
  it("tells worker clients, takes nothing new and lets runs finish", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler] });
    await using stream = await TestStream.open(wep.port);
    stream.send("assign", assignment());
    const call = await work.nextCall();
    const drained = wep.server.drain();
    await stream.next("drain");
    await stream.next("capacity", ({ availableSlots }) => availableSlots === 0);
    stream.send("assign", assignment());
    expect(await stream.next("rejection")).toMatchObject({
      errorCode: 4002,
      reason: expect.stringContaining("draining"),
    });
    expect(call.ctx.signal.aborted).toBe(false);
    call.end.resolve({});
    const completion = await stream.next("completion");
    expect(completion).toMatchObject({ status: "SUCCESS" });
    stream.send("completionAck", { activityId: completion.activityId, runId: completion.runId });
    await drained;
  });

  it("is told to a worker client that connects meanwhile", async () => {
    await using wep = await startWep({ handlers: [] });
    await wep.server.drain();
    await using stream = await TestStream.open(wep.port);
    await stream.next("drain");
    expect(await stream.next("capacity")).toMatchObject({ availableSlots: 0 });
  });

  it("stops runs that outlast the grace with the reason drain, as worth another try", async () => {
    const clock = new FakeClock();
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler], clock, shutdownGraceMs: 15_000 });
    await using stream = await TestStream.open(wep.port);
    stream.send("assign", assignment());
    const call = await work.nextCall();
    const drained = wep.server.drain();
    await stream.next("drain");
    await clock.advance(14_999);
    expect(call.ctx.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(call.ctx.signal.reason).toMatchObject({ reason: "drain" });
    const completion = await stream.next("completion");
    expect(completion).toMatchObject({ status: "ERROR", errorCode: 5001, retryable: true });
    stream.send("completionAck", { activityId: completion.activityId, runId: completion.runId });
    await drained;
  });

  it("does not wait for handlers that ignore their signal, nor for clients that acknowledge nothing", async () => {
    const clock = new FakeClock();
    const work = scriptedHandler({ obeys: false });
    await using wep = await startWep({
      handlers: [work.handler],
      clock,
      shutdownGraceMs: 1_000,
      abortGraceMs: 500,
    });
    await using stream = await TestStream.open(wep.port);
    stream.send("assign", assignment());
    await work.nextCall();
    const drained = wep.server.drain();
    await stream.next("drain");
    await clock.advance(1_000);
    await clock.advance(500);
    expect(await stream.next("completion")).toMatchObject({ status: "ERROR", errorCode: 5001 });
    await clock.advance(50);
    await drained;
  });

  it("waits for a node whose stream is down just now, until it has what was finished for it", async () => {
    const clock = new FakeClock();
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler], clock, tuning: PRODUCTION_WAITS });
    const task = assignment();
    const first = await TestStream.open(wep.port, { nodeId: "node-1" });
    first.send("assign", task);
    const call = await work.nextCall();
    first.cut();
    await until(() => wep.metric("wep_streams").then((streams) => streams === 0));
    call.end.resolve({ answer: 42 });
    await until(() => wep.metric("wep_completions_unacknowledged").then((kept) => kept === 1));
    let isDrained = false;
    const drained = wep.server.drain().then(() => (isDrained = true));
    // The longest that a worker client waits before it connects again.
    await clock.advance(5_000);
    await using second = await TestStream.open(wep.port, { nodeId: "node-1" });
    second.send("assign", task);
    const { activityId, runId } = await second.next("completion");
    expect(isDrained).toBe(false);
    second.send("completionAck", { activityId, runId });
    await drained;
  });

  it("waits for no node for long", async () => {
    const clock = new FakeClock();
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler], clock, tuning: PRODUCTION_WAITS });
    const stream = await TestStream.open(wep.port, { nodeId: "node-1" });
    stream.send("assign", assignment());
    const call = await work.nextCall();
    stream.cut();
    await until(() => wep.metric("wep_streams").then((streams) => streams === 0));
    call.end.resolve({});
    await until(() => wep.metric("wep_completions_unacknowledged").then((kept) => kept === 1));
    const drained = wep.server.drain();
    await clock.advance(5_999);
    expect(drainedLines(wep)).toBe(0);
    await clock.advance(1);
    await drained;
  });

  it("waits less for a node whose stream is open and acknowledges nothing, while another is away", async () => {
    const clock = new FakeClock();
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler], clock, tuning: PRODUCTION_WAITS });
    const away = await TestStream.open(wep.port, { nodeId: "away" });
    const task = assignment();
    away.send("assign", task);
    (await work.nextCall()).end.resolve({});
    await away.next("completion");
    away.cut();
    await until(() => wep.metric("wep_streams").then((streams) => streams === 0));
    await using silent = await TestStream.open(wep.port, { nodeId: "silent" });
    silent.send("assign", assignment());
    (await work.nextCall()).end.resolve({});
    await silent.next("completion");
    const drained = wep.server.drain();
    await clock.advance(2_000);
    expect(drainedLines(wep)).toBe(0);
    await using back = await TestStream.open(wep.port, { nodeId: "away" });
    back.send("assign", task);
    const { activityId, runId } = await back.next("completion");
    back.send("completionAck", { activityId, runId });
    await drained;
    expect(await wep.metric("wep_completions_unacknowledged")).toBe(1);
  });

  it("is over 2 s after the last run for a node that stays and acknowledges nothing", async () => {
    const clock = new FakeClock();
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler], clock, tuning: PRODUCTION_WAITS });
    await using stream = await TestStream.open(wep.port, { nodeId: "node-1" });
    stream.send("assign", assignment());
    (await work.nextCall()).end.resolve({});
    await stream.next("completion");
    const drained = wep.server.drain();
    await clock.advance(1_999);
    expect(drainedLines(wep)).toBe(0);
    await clock.advance(1);
    await drained;
  });

  it("waits for a node whose stream breaks while it acknowledges nothing", async () => {
    const clock = new FakeClock();
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler], clock, tuning: PRODUCTION_WAITS });
    const task = assignment();
    const first = await TestStream.open(wep.port, { nodeId: "node-1" });
    first.send("assign", task);
    (await work.nextCall()).end.resolve({});
    await first.next("completion");
    const drained = wep.server.drain();
    await clock.advance(1_000);
    first.cut();
    await until(() => wep.metric("wep_streams").then((streams) => streams === 0));
    await clock.advance(4_000);
    expect(drainedLines(wep)).toBe(0);
    await using second = await TestStream.open(wep.port, { nodeId: "node-1" });
    second.send("assign", task);
    const { activityId, runId } = await second.next("completion");
    second.send("completionAck", { activityId, runId });
    await drained;
    expect(await wep.metric("wep_completions_unacknowledged")).toBe(0);
  });

  it("waits for nobody who is away when there is no grace", async () => {
    const clock = new FakeClock();
    const work = scriptedHandler();
    await using wep = await startWep({
      handlers: [work.handler],
      clock,
      shutdownGraceMs: 0,
      tuning: PRODUCTION_WAITS,
    });
    const stream = await TestStream.open(wep.port, { nodeId: "node-1" });
    stream.send("assign", assignment());
    (await work.nextCall()).end.resolve({});
    await stream.next("completion");
    stream.cut();
    await until(() => wep.metric("wep_streams").then((streams) => streams === 0));
    await wep.server.drain();
    expect(await wep.metric("wep_completions_unacknowledged")).toBe(1);
  });

  it("ends streams in order when the server closes, and takes no more", async () => {
    const wep = await startWep({ handlers: [] });
    const stream = await TestStream.open(wep.port);
    await wep[Symbol.asyncDispose]();
    expect(await stream.ended).toBeUndefined();
    await expect(TestStream.open(wep.port)).rejects.toThrow();
  });
});

describe("a server", () => {
  it("says on /readyz why it takes no work", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler], health: { port: 0 } });
    expect(await readiness(wep.server.healthUrl)).toEqual({ ready: true, reasons: [] });
    await wep.server.drain();
    expect(await readiness(wep.server.healthUrl)).toMatchObject({
      ready: false,
      reasons: [expect.stringContaining("draining")],
    });
    await using empty = await startWep({ handlers: [], health: { port: 0 } });
    expect(await readiness(empty.server.healthUrl)).toMatchObject({
      reasons: ["no handlers are registered"],
    });
  });

  it("refuses a port that is taken, saying which", async () => {
    await using wep = await startWep({ handlers: [] });
    const again = startWep({ handlers: [], port: wep.port });
    await expect(again).rejects.toThrow(
      new RegExp(`\\[ADDRESS_IN_USE\\] 127\\.0\\.0\\.1:${wep.port} is taken`),
    );
    await using other = await startWep({ handlers: [], health: { port: 0 } });
    const healthPort = Number(new URL(other.server.healthUrl!).port);
    await expect(startWep({ handlers: [], health: { port: healthPort } })).rejects.toBeInstanceOf(WepError);
  });

  it("refuses two handlers of one name, and options that make no sense", async () => {
    const handlers = [scriptedHandler().handler, scriptedHandler().handler];
    await expect(serve({ handlers, port: 0, health: false })).rejects.toMatchObject({
      code: "DUPLICATE_HANDLER",
    });
    await expect(serve({ handlers: [], maxConcurrency: 0 })).rejects.toMatchObject({
      code: "INVALID_OPTION",
    });
    await expect(serve({ handlers: [], handlerTimeoutMs: 0.5 })).rejects.toMatchObject({
      code: "INVALID_OPTION",
    });
  });

  it("answers what is not gRPC without harm", async () => {
    await using wep = await startWep({ handlers: [] });
    await expect(fetch(`http://127.0.0.1:${wep.port}/`)).rejects.toThrow();
    await using stream = await TestStream.open(wep.port);
    await until(() => stream.count("capacity") === 1);
  });
});

async function readiness(healthUrl: string | undefined): Promise<unknown> {
  return await (await fetch(`${healthUrl}/readyz`)).json();
}
