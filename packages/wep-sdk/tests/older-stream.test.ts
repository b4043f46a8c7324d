import { describe, expect, it } from "vitest";
import { assignment, TestStream } from "./_stream.ts";
import { scriptedHandler, startWep, until } from "./_wep.ts";

const NODE = { nodeId: "node-1" };

/** Returns when everything that was sent before it has been read. */
async function roundTrip(stream: TestStream, nonce: bigint): Promise<void> {
  stream.send("ping", { nonce });
  await stream.next("pong", (pong) => pong.nonce === nonce);
}

describe("an older stream of a node that has opened a newer one", () => {
  it("starts nothing again that ended meanwhile, when what it had taken comes late", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler] });
    const task = assignment();
    await using older = await TestStream.open(wep.port, NODE);
    older.answersPings = false;
    await using newer = await TestStream.open(wep.port, NODE);
    newer.send("assign", task);
    (await work.nextCall()).end.resolve({});
    await newer.next("completion");
    newer.send("completionAck", { activityId: task.activityId, runId: task.runId });
    await until(() => wep.metric("wep_completions_unacknowledged").then((kept) => kept === 0));

    older.send("assign", task);
    await roundTrip(older, 1n);
    expect(older.count("ack")).toBe(0);
    expect(work.calls).toHaveLength(1);
  });

  it("does not take over or stop a run that the newer one has", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler] });
    const task = assignment();
    await using older = await TestStream.open(wep.port, NODE);
    older.answersPings = false;
    await using newer = await TestStream.open(wep.port, NODE);
    newer.send("assign", task);
    const call = await work.nextCall();

    older.send("assign", task);
    older.send("cancel", { activityId: task.activityId, reason: "requested" });
    await roundTrip(older, 1n);
    expect(call.ctx.signal.aborted).toBe(false);
    call.end.resolve({});
    await newer.next("completion");
    expect(older.count("completion")).toBe(0);
  });

  it("is listened to again, in order, as soon as its peer answers on it", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler] });
    const task = assignment();
    await using older = await TestStream.open(wep.port, NODE);
    older.answersPings = false;
    await using _newer = await TestStream.open(wep.port, NODE);
    const { nonce } = await older.next("ping");
    older.send("assign", task);
    older.send("cancel", { activityId: task.activityId, reason: "requested" });
    await roundTrip(older, 1n);
    expect(older.count("ack")).toBe(0);

    older.send("pong", { nonce });
    await older.next("ack");
    expect((await older.next("completion")).error).toContain("requested");
    older.send("assign", assignment());
    (await work.nextCall()).end.resolve({});
    expect((await older.next("completion")).status).toBe("SUCCESS");
  });

  it("is ended when it says more than is held back", async () => {
    await using wep = await startWep({ handlers: [], tuning: { outboxLength: 8 } });
    await using older = await TestStream.open(wep.port, NODE);
    older.answersPings = false;
    await using _newer = await TestStream.open(wep.port, NODE);
    for (let count = 0; count < 9; count += 1) older.send("assign", assignment());
    expect((await older.ended)?.message).toContain("a newer stream of this node is open");
  });
});

it("two streams of different nodes know nothing of each other", async () => {
  const work = scriptedHandler();
  await using wep = await startWep({ handlers: [work.handler] });
  await using first = await TestStream.open(wep.port, { nodeId: "node-1" });
  first.answersPings = false;
  await using _second = await TestStream.open(wep.port, { nodeId: "node-2" });
  first.send("assign", assignment());
  await first.next("ack");
});
