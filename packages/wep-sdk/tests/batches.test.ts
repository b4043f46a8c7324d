import { create, type DescMessage, type Message } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { Code } from "@connectrpc/connect";
import { BatchSchema, type Envelope, envelope, EnvelopeSchema } from "@subnet-worker/protocol";
import { describe, expect, it } from "vitest";
import { assignment, TestStream } from "./_stream.ts";
import { scriptedHandler, startWep } from "./_wep.ts";

/** Names of the fields from 20 on that are set anywhere in a message. */
function additionsIn(schema: DescMessage, message: Message): string[] {
  const reflected = reflect(schema, message);
  return schema.fields
    .filter((field) => reflected.isSet(field))
    .flatMap((field) => {
      if (field.number >= 20) return [`${schema.name}.${field.name}`];
      const value = (message as unknown as Record<string, unknown>)[field.localName];
      const inner = field.message;
      if (inner === undefined) return [];
      if (field.fieldKind === "list") return (value as Message[]).flatMap((each) => additionsIn(inner, each));
      return additionsIn(
        inner,
        (field.oneof === undefined ? value : (message as Envelope).msg.value) as Message,
      );
    });
}

describe("batches", () => {
  it("carry many assignments in, and their acks and completions out", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler], maxConcurrency: 100 });
    await using stream = await TestStream.open(wep.port, { nodeId: "node-1", maxBatch: 40 });
    const tasks = Array.from({ length: 100 }, () => assignment());
    stream.sendBatch(tasks.map((task) => envelope("assign", task)));
    for (const { activityId } of tasks) {
      const call = await work.nextCall();
      expect(call.ctx.activityId).toBe(activityId);
    }
    for (const { activityId } of tasks) await stream.next("ack", (ack) => ack.activityId === activityId);
    for (const call of work.calls) call.end.resolve({});
    for (const { activityId } of tasks) {
      await stream.next("completion", (completion) => completion.activityId === activityId);
    }
    expect(Math.max(...stream.batches)).toBe(40);
    stream.sendBatch(tasks.map(({ activityId, runId }) => envelope("completionAck", { activityId, runId })));
    stream.send("ping", { nonce: 1n });
    await stream.next("pong");
    expect(await wep.metric("wep_completions_unacknowledged")).toBe(0);
  });

  it("are taken in the size that hello_ack says, and no larger", async () => {
    await using wep = await startWep({ handlers: [], tuning: { maxBatch: 3 } });
    const pings = (count: number) =>
      Array.from({ length: count }, (_, nonce) => envelope("ping", { nonce: BigInt(nonce) }));
    await using stream = new TestStream(wep.port);
    stream.send("hello", { min: "1.0.0", max: "1.1.0" });
    expect(await stream.next("helloAck")).toMatchObject({ maxBatch: 3 });
    stream.sendBatch(pings(3));
    await stream.next("pong", ({ nonce }) => nonce === 2n);
    stream.sendBatch(pings(4));
    const error = await stream.ended;
    expect(error?.code).toBe(Code.InvalidArgument);
    expect(error?.message).toContain("a batch of 4 messages; send at most 3 in one");
  });

  it("hold no batches", async () => {
    await using wep = await startWep({ handlers: [] });
    await using stream = await TestStream.open(wep.port);
    const inner = envelope("batch", { envelopes: [envelope("ping", { nonce: 1n })] });
    stream.sendBatch([envelope("ping", { nonce: 7n }), inner]);
    const error = await stream.ended;
    expect(error?.code).toBe(Code.InvalidArgument);
    expect(error?.message).toContain("a batch inside a batch");
  });

  it("may be empty", async () => {
    await using wep = await startWep({ handlers: [] });
    await using stream = await TestStream.open(wep.port);
    stream.send("batch", create(BatchSchema));
    stream.send("ping", { nonce: 7n });
    await stream.next("pong");
  });

  it("are not sent to a peer that does not announce them", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler], maxConcurrency: 20 });
    await using stream = await TestStream.open(wep.port);
    for (let i = 0; i < 20; i += 1) stream.send("assign", assignment());
    for (let i = 0; i < 20; i += 1) (await work.nextCall()).end.resolve({});
    for (let i = 0; i < 20; i += 1) await stream.next("completion");
    expect(stream.batches).toEqual([]);
  });
});

describe("a peer of 1.0.0", () => {
  it("sees nothing of the additions, from the handshake to the end", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({
      handlers: [work.handler],
      maxConcurrency: 10,
      classes: { cpu: 5, gpu: 5 },
    });
    // A range and wishes from after its time, which do not count with the version that is settled on.
    await using stream = await TestStream.open(wep.port, { max: "1.0.0", nodeId: "node-1", maxBatch: 50 });
    for (let i = 0; i < 5; i += 1) stream.send("assign", assignment());
    stream.send("assign", assignment({ taskKind: "unheard-of" }));
    const calls = await Promise.all([1, 2, 3, 4, 5].map(() => work.nextCall()));
    stream.send("cancel", { activityId: calls[4]!.ctx.activityId, reason: "requested" });
    void calls[0]!.ctx.progress(50, "half", { checkpoint: "half" });
    calls[0]!.end.reject(new Error("broken"));
    for (const call of calls.slice(1, 4)) call.end.resolve({});
    for (let i = 0; i < 6; i += 1) await stream.next("completion");
    await wep.server.drain();
    await stream.next("drain");
    expect(stream.batches).toEqual([]);
    expect(stream.heard.flatMap((message) => additionsIn(EnvelopeSchema, message))).toEqual([]);
    const deployed = ["ack", "capabilities", "capacity", "completion", "drain", "helloAck", "progress"];
    expect(new Set(stream.heard.map(({ msg }) => msg.case))).toEqual(new Set(deployed));
  });

  it("is told when it sends a batch", async () => {
    await using wep = await startWep({ handlers: [] });
    await using stream = await TestStream.open(wep.port, { max: "1.0.0" });
    stream.sendBatch([envelope("ping", { nonce: 1n })]);
    expect((await stream.ended)?.message).toContain("a batch of 1 messages; send at most 0");
  });
});
