import { describe, expect, it } from "vitest";
import { assignment, TestStream } from "./_stream.ts";
import { type Call, resultOf, scriptedHandler, startWep, type TestWep, until } from "./_wep.ts";

async function cut(stream: TestStream, wep: TestWep, left: number): Promise<void> {
  stream.cut();
  await until(() => wep.metric("wep_streams").then((streams) => streams === left));
}

describe("the inventory", () => {
  it("comes once, after the capabilities that announce it, and is empty for a node that has nothing", async () => {
    await using wep = await startWep({ handlers: [] });
    await using stream = await TestStream.open(wep.port, { nodeId: "node-1" });
    expect(await stream.next("capabilities")).toMatchObject({ inventoryFollows: true });
    expect(await stream.next("inventory")).toMatchObject({ runs: [] });
    await stream.next("capacity");
    expect(stream.count("inventory")).toBe(1);
  });

  it("lists after a reconnect what runs and what is finished and not acknowledged, with how far it came", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler], maxConcurrency: 3 });
    const [running, finished, acknowledged] = [assignment(), assignment(), assignment()];
    const first = await TestStream.open(wep.port, { nodeId: "node-1" });
    const calls: Call[] = [];
    for (const task of [running, finished, acknowledged]) {
      first.send("assign", task);
      calls.push(await work.nextCall());
    }
    await calls[0]!.ctx.progress(40, "decoding", { checkpoint: "chunk-4" });
    calls[1]!.end.resolve({ answer: 42 });
    calls[2]!.end.resolve({});
    await first.next("completion", ({ activityId }) => activityId === finished.activityId);
    const { activityId, runId } = acknowledged;
    await first.next("completion", (completion) => completion.activityId === activityId);
    first.send("completionAck", { activityId, runId });
    await until(() => wep.metric("wep_completions_unacknowledged").then((kept) => kept === 1));
    await cut(first, wep, 0);

    await using second = await TestStream.open(wep.port, { nodeId: "node-1" });
    const { runs } = await second.next("inventory");
    expect(runs).toHaveLength(2);
    expect(runs).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          activityId: running.activityId,
          runId: running.runId,
          state: "running",
          percent: 40,
          checkpointRef: "chunk-4",
        }),
        expect.objectContaining({
          activityId: finished.activityId,
          runId: finished.runId,
          state: "finished",
        }),
      ]),
    );
    second.send("assign", finished);
    expect(resultOf(await second.next("completion"))).toEqual({ answer: 42 });
    expect(work.calls).toHaveLength(3);
  });

  it("leaves out a run that a newer one replaced", async () => {
    const work = scriptedHandler({ obeys: false });
    await using wep = await startWep({ handlers: [work.handler] });
    const task = assignment();
    const first = await TestStream.open(wep.port, { nodeId: "node-1" });
    first.send("assign", task);
    const older = await work.nextCall();
    first.send("assign", { ...task, runId: "run-2" });
    const newer = await work.nextCall();
    await cut(first, wep, 0);
    await using second = await TestStream.open(wep.port, { nodeId: "node-1" });
    expect((await second.next("inventory")).runs).toMatchObject([{ runId: "run-2", state: "running" }]);
    for (const call of [older, newer]) call.end.resolve({});
  });
});

describe("the runs of a node", () => {
  it("are neither seen nor stopped nor forgotten by another node", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler], maxConcurrency: 3 });
    const [running, finished] = [assignment(), assignment()];
    await using owner = await TestStream.open(wep.port, { nodeId: "node-1" });
    owner.send("assign", running);
    const call = await work.nextCall();
    owner.send("assign", finished);
    (await work.nextCall()).end.resolve({});
    await owner.next("completion");

    await using other = await TestStream.open(wep.port, { nodeId: "node-2" });
    expect((await other.next("inventory")).runs).toEqual([]);
    other.send("cancel", { activityId: running.activityId, reason: "requested" });
    other.send("completionAck", { activityId: finished.activityId, runId: finished.runId });
    // What the other assigns under the same ids is its own run.
    other.send("assign", running);
    const own = await work.nextCall();
    expect(call.ctx.signal.aborted).toBe(false);
    expect(await wep.metric("wep_completions_unacknowledged")).toBe(1);
    other.send("cancel", { activityId: running.activityId, reason: "requested" });
    await other.next("completion");
    expect(own.ctx.signal.aborted).toBe(true);
    expect(call.ctx.signal.aborted).toBe(false);
    call.end.resolve({});
    await owner.next("completion", ({ activityId }) => activityId === running.activityId);
  });

  it("go to the node's newest stream, while the older one is still there", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler] });
    const task = assignment();
    await using older = await TestStream.open(wep.port, { nodeId: "node-1" });
    older.send("assign", task);
    const call = await work.nextCall();
    await using newer = await TestStream.open(wep.port, { nodeId: "node-1" });
    expect((await newer.next("inventory")).runs).toMatchObject([{ activityId: task.activityId }]);
    newer.send("assign", task);
    await newer.next("ack");
    await cut(older, wep, 1);
    call.end.resolve({ answer: 42 });
    expect(resultOf(await newer.next("completion"))).toEqual({ answer: 42 });
    expect(work.calls).toHaveLength(1);
  });

  it("belong to the stream where it names no node, until another such stream assigns them", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler] });
    const task = assignment();
    const finished = assignment();
    await using first = await TestStream.open(wep.port);
    first.send("assign", finished);
    (await work.nextCall()).end.resolve({});
    await first.next("completion");
    first.send("assign", task);
    const call = await work.nextCall();
    await using second = await TestStream.open(wep.port);
    expect((await second.next("inventory")).runs).toEqual([]);
    second.send("cancel", { activityId: task.activityId, reason: "requested" });
    second.send("completionAck", { activityId: finished.activityId, runId: finished.runId });
    second.send("ping", { nonce: 1n });
    await second.next("pong");
    expect(call.ctx.signal.aborted).toBe(false);
    expect(await wep.metric("wep_completions_unacknowledged")).toBe(1);
    second.send("assign", task);
    await second.next("ack");
    second.send("cancel", { activityId: task.activityId, reason: "requested" });
    expect(await second.next("completion")).toMatchObject({ status: "ERROR", errorCode: 5001 });
    expect(call.ctx.signal.aborted).toBe(true);
  });
});

describe("a cancel", () => {
  it("that names a run stops that run alone", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler] });
    await using stream = await TestStream.open(wep.port, { nodeId: "node-1" });
    const task = assignment();
    stream.send("assign", task);
    const call = await work.nextCall();
    stream.send("cancel", { activityId: task.activityId, runId: "run-of-yesterday", reason: "lease_lost" });
    stream.send("ping", { nonce: 1n });
    await stream.next("pong");
    expect(call.ctx.signal.aborted).toBe(false);
    stream.send("cancel", { activityId: task.activityId, runId: task.runId, reason: "lease_lost" });
    await stream.next("completion");
    expect(call.ctx.signal.reason).toMatchObject({ reason: "lease_lost" });
  });

  it("of a run that is finished, on a stream that did not ask for it, frees what is kept", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler] });
    const task = assignment();
    const first = await TestStream.open(wep.port, { nodeId: "node-1" });
    first.send("assign", task);
    const call = await work.nextCall();
    call.end.resolve({});
    await first.next("completion");
    first.send("cancel", { activityId: task.activityId, reason: "deadline" });
    first.send("ping", { nonce: 1n });
    await first.next("pong");
    // The completion may be on its way to the very stream that cancels: it is kept for the next one.
    expect(await wep.metric("wep_completions_unacknowledged")).toBe(1);
    await cut(first, wep, 0);
    await using second = await TestStream.open(wep.port, { nodeId: "node-1" });
    expect((await second.next("inventory")).runs).toMatchObject([{ state: "finished" }]);
    second.send("cancel", { activityId: task.activityId, runId: task.runId, reason: "lease_lost" });
    await until(() => wep.metric("wep_completions_unacknowledged").then((kept) => kept === 0));
  });
});
