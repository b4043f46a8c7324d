import { envelope } from "@subnet-worker/protocol";
import { describe, expect, it } from "vitest";
import { defineHandler, serve, WepError } from "../src/index.ts";
import { assignment, TestStream } from "./_stream.ts";
import { scriptedHandler, startWep } from "./_wep.ts";

const train = scriptedHandler({ kind: "test.train", class: "gpu" });
const work = scriptedHandler();

async function refusal(options: Parameters<typeof serve>[0]): Promise<unknown> {
  try {
    await using _ = await serve({ port: 0, health: false, ...options });
  } catch (error) {
    return error;
  }
  return undefined;
}

describe("classes", () => {
  it("are announced with their slots and tags, and each kind with its class", async () => {
    await using wep = await startWep({
      handlers: [work.handler, train.handler],
      maxConcurrency: "auto",
      classes: { cpu: 2, gpu: { slots: 1, tags: ["gpu", "a100"] } },
    });
    await using stream = await TestStream.open(wep.port, { nodeId: "node-1" });
    expect(await stream.next("capabilities")).toMatchObject({
      maxConcurrency: 3,
      kinds: [
        { kind: "test.work", class: "cpu" },
        { kind: "test.train", class: "gpu" },
      ],
      classes: [
        { name: "cpu", maxConcurrency: 2, tags: [] },
        { name: "gpu", maxConcurrency: 1, tags: ["gpu", "a100"] },
      ],
    });
    expect(await stream.next("capacity")).toMatchObject({
      availableSlots: 3,
      classes: [
        { name: "cpu", availableSlots: 2 },
        { name: "gpu", availableSlots: 1 },
      ],
    });
  });

  it("have slots of their own: a full one refuses while another takes work", async () => {
    await using wep = await startWep({
      handlers: [work.handler, train.handler],
      maxConcurrency: "auto",
      classes: { cpu: 1, gpu: 1 },
    });
    await using stream = await TestStream.open(wep.port, { nodeId: "node-1" });
    const gpu = { taskKind: "test.train" };
    stream.send("assign", assignment(gpu));
    const call = await train.nextCall();
    stream.send("assign", assignment(gpu));
    const { reason, errorCode } = await stream.next("rejection");
    expect([errorCode, reason]).toEqual([4002, expect.stringContaining("all 1 slots of class gpu are busy")]);
    expect(await stream.next("capacity", ({ availableSlots }) => availableSlots === 1)).toMatchObject({
      classes: [
        { name: "cpu", availableSlots: 1 },
        { name: "gpu", availableSlots: 0 },
      ],
    });
    expect(await wep.metric('wep_class_slots{class="gpu",state="free"}')).toBe(0);
    expect(await wep.metric('wep_class_slots{class="cpu",state="free"}')).toBe(1);
    stream.send("assign", assignment());
    const other = await work.nextCall();
    call.end.resolve({});
    await stream.next("completion");
    stream.send("assign", assignment(gpu));
    (await train.nextCall()).end.resolve({});
    other.end.resolve({});
    await stream.next("completion");
    await stream.next("completion");
  });

  it("are told when one frees a slot while another takes one", async () => {
    await using wep = await startWep({
      handlers: [work.handler, train.handler],
      maxConcurrency: "auto",
      classes: { cpu: 1, gpu: 1 },
    });
    await using stream = await TestStream.open(wep.port, { nodeId: "node-1", maxBatch: 10 });
    const task = assignment();
    stream.send("assign", task);
    await work.nextCall();
    await stream.next("capacity", ({ availableSlots }) => availableSlots === 1);
    stream.sendBatch([
      envelope("cancel", { activityId: task.activityId, reason: "requested" }),
      envelope("assign", assignment({ taskKind: "test.train" })),
    ]);
    await stream.next("completion");
    (await train.nextCall()).end.resolve({});
    await stream.next("completion");
    const told = stream.heard.flatMap(({ msg }) =>
      msg.case === "capacity" ? [msg.value.classes.map(({ availableSlots }) => availableSlots)] : [],
    );
    expect(told).toContainEqual([1, 0]);
  });

  it("are none where none are set: one pool, without a name", async () => {
    await using wep = await startWep({ handlers: [work.handler, train.handler], maxConcurrency: 2 });
    await using stream = await TestStream.open(wep.port, { nodeId: "node-1" });
    const capabilities = await stream.next("capabilities");
    expect(capabilities).toMatchObject({ maxConcurrency: 2, classes: [] });
    expect(capabilities.kinds.map((kind) => kind.class)).toEqual(["", ""]);
    expect(await stream.next("capacity")).toMatchObject({ availableSlots: 2, classes: [] });
  });

  it("have no free slots while draining", async () => {
    await using wep = await startWep({
      handlers: [work.handler],
      maxConcurrency: "auto",
      classes: { cpu: 4 },
    });
    await wep.server.drain();
    await using stream = await TestStream.open(wep.port, { nodeId: "node-1" });
    expect(await stream.next("capacity")).toMatchObject({
      availableSlots: 0,
      classes: [{ name: "cpu", availableSlots: 0 }],
    });
  });

  it("are refused where they make no sense, with what to do", async () => {
    const wrong = { classes: { tpu: 1 } } as object;
    const errors = [
      await refusal({ handlers: [], ...wrong }),
      await refusal({ handlers: [], classes: { gpu: 0 } }),
      await refusal({ handlers: [], classes: { gpu: 2 }, maxConcurrency: 3 }),
      await refusal({ handlers: [train.handler], classes: { cpu: 2 } }),
    ];
    for (const error of errors) expect(error).toBeInstanceOf(WepError);
    expect(errors.map((error) => (error as Error).message)).toEqual([
      expect.stringContaining("classes.tpu is no class; there are cpu, gpu, io"),
      expect.stringContaining("classes.gpu is 0; it must be a whole number of at least 1"),
      expect.stringContaining("maxConcurrency is 3 and the classes have 2 slots together"),
      expect.stringContaining("handler test.train 1.0.0 is of class gpu, which has no slots here"),
    ]);
    expect(() =>
      defineHandler({ kind: "a", version: "1.0.0", class: "tpu" as "gpu", run: () => ({}) }),
    ).toThrow(/"tpu" is no class; use cpu, gpu, io/);
  });
});
