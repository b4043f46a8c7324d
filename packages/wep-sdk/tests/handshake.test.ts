import { Code } from "@connectrpc/connect";
import { PROTOCOL_RANGE } from "@subnet-worker/protocol";
import { FakeClock } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import { assignment, TestStream } from "./_stream.ts";
import { scriptedHandler, startWep } from "./_wep.ts";

describe("handshake", () => {
  it("answers hello with our range, identity, capabilities and capacity", async () => {
    await using wep = await startWep({
      handlers: [scriptedHandler().handler],
      maxConcurrency: 3,
      tags: ["gpu"],
    });
    await using stream = new TestStream(wep.port);
    stream.send("hello", { min: "1.0.0", max: "1.1.0" });
    const ack = await stream.next("helloAck");
    expect(ack).toMatchObject(PROTOCOL_RANGE);
    expect(ack.instanceId).toMatch(/^[0-9a-f-]{36}$/);
    expect(ack.agent).toMatch(/^subnet-worker-wep\/\d+\.\d+\.\d+$/);
    expect(await stream.next("capabilities")).toMatchObject({
      maxConcurrency: 3,
      tags: ["gpu"],
      kinds: [{ kind: "test.work", version: "1.0.0" }],
    });
    expect(await stream.next("capacity")).toMatchObject({ availableSlots: 3 });
    const kinds = stream.heard.map(({ msg }) => msg.case);
    expect(kinds).toEqual(["helloAck", "capabilities", "inventory", "capacity"]);
  });

  it("gives every stream of a process the same instance id", async () => {
    await using wep = await startWep({ handlers: [] });
    const ids: string[] = [];
    for (let i = 0; i < 2; i += 1) {
      await using stream = new TestStream(wep.port);
      stream.send("hello", { min: "1.0.0", max: "1.1.0" });
      ids.push((await stream.next("helloAck")).instanceId);
    }
    expect(ids[0]).toBe(ids[1]);
  });

  it("sends a peer of 1.0.0 nothing that is numbered 20 or above", async () => {
    await using wep = await startWep({ handlers: [scriptedHandler().handler], tags: ["cpu"] });
    await using stream = new TestStream(wep.port);
    stream.send("hello", { min: "1.0.0", max: "1.0.0" });
    const ack = await stream.next("helloAck");
    expect([ack.instanceId, ack.agent]).toEqual(["", ""]);
    const capabilities = await stream.next("capabilities");
    expect(capabilities).toMatchObject({ maxConcurrency: 2, tags: ["cpu"], kinds: [] });
  });

  it("refuses a range that does not meet ours, saying both", async () => {
    await using wep = await startWep({ handlers: [] });
    await using stream = new TestStream(wep.port);
    stream.send("hello", { min: "2.0.0", max: "2.4.0" });
    const error = await stream.ended;
    expect(error?.code).toBe(Code.FailedPrecondition);
    expect(error?.message).toContain("we speak 1.0.0 to 1.1.0, the peer 2.0.0 to 2.4.0");
    expect(stream.heard).toEqual([]);
  });

  it("refuses a version that is none", async () => {
    await using wep = await startWep({ handlers: [] });
    await using stream = new TestStream(wep.port);
    stream.send("hello", { min: "one", max: "two" });
    expect((await stream.ended)?.code).toBe(Code.InvalidArgument);
  });

  it("refuses a stream that does not begin with hello", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler] });
    await using stream = new TestStream(wep.port);
    stream.send("assign", assignment());
    const error = await stream.ended;
    expect(error?.code).toBe(Code.InvalidArgument);
    expect(error?.message).toContain("the first message must be hello, not assign");
    expect(work.calls).toEqual([]);
  });

  it("ends a stream that ends before hello", async () => {
    await using wep = await startWep({ handlers: [] });
    await using stream = new TestStream(wep.port);
    stream.finishSending();
    expect((await stream.ended)?.code).toBe(Code.InvalidArgument);
  });

  it("does not wait for hello for ever", async () => {
    const clock = new FakeClock();
    await using wep = await startWep({ handlers: [], clock });
    await using stream = new TestStream(wep.port);
    await clock.whenPending();
    await clock.advance(10_000);
    const error = await stream.ended;
    expect(error?.code).toBe(Code.DeadlineExceeded);
    expect(error?.message).toContain("no hello within 10000 ms");
  });

  it("speaks only the versions it was configured to", async () => {
    await using wep = await startWep({ handlers: [], protocol: { min: "1.0.0", max: "1.0.0" } });
    await using stream = new TestStream(wep.port);
    stream.send("hello", { min: "1.0.0", max: "1.1.0" });
    expect(await stream.next("helloAck")).toMatchObject({ min: "1.0.0", max: "1.0.0", instanceId: "" });
  });
});
