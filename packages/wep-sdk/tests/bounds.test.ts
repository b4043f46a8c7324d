import { queryObjects } from "node:v8";
import { Code } from "@connectrpc/connect";
import { type Clock, systemClock } from "@subnet-worker/kit";
import { FakeClock } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import { defineHandler } from "../src/index.ts";
import { Session } from "../src/session.ts";
import { RawGrpc } from "./_raw-grpc.ts";
import { assignment, TestStream } from "./_stream.ts";
import { resultOf, scriptedHandler, startWep, until } from "./_wep.ts";

/** Lets everything that can happen now happen. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 200; turn += 1) await new Promise((resolve) => void setImmediate(resolve));
}

describe("a result over the size limit", () => {
  it("fails its run with the advice to upload it, and the stream goes on", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler], maxMessageBytes: 10_000 });
    await using stream = await TestStream.open(wep.port);
    stream.send("assign", assignment());
    (await work.nextCall()).end.resolve({ text: "x".repeat(10_000) });
    const completion = await stream.next("completion");
    expect(completion).toMatchObject({ status: "ERROR", errorCode: 2004, retryable: false });
    expect(completion.error).toMatch(/takes \d+ bytes.*at most 10000; upload it with ctx\.upload\(\)/);
    expect(completion.resultInline).toHaveLength(0);
    stream.send("assign", assignment());
    (await work.nextCall()).end.resolve({ text: "x".repeat(9_000) });
    expect(await stream.next("completion")).toMatchObject({ status: "SUCCESS" });
    const ended = wep.logs.filter(({ msg }) => msg === "run ended");
    expect(ended.map(({ status }) => status)).toEqual(["QUOTA_EXCEEDED", "SUCCESS"]);
  });

  it("is told to a peer of 1.0.0 in words", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler], maxMessageBytes: 10_000 });
    await using stream = await TestStream.open(wep.port, { max: "1.0.0" });
    stream.send("assign", assignment());
    (await work.nextCall()).end.resolve({ text: "x".repeat(10_000) });
    const completion = await stream.next("completion");
    expect(completion).toMatchObject({ status: "ERROR", errorCode: 0 });
    expect(completion.error).toContain("upload it with ctx.upload()");
  });
});

describe("an assignment over the size limit", () => {
  it("ends the stream with advice, and the runs of its node go on", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler], maxMessageBytes: 10_000 });
    await using stream = await TestStream.open(wep.port, { nodeId: "node-1" });
    const task = assignment();
    stream.send("assign", task);
    const call = await work.nextCall();
    stream.send(
      "assign",
      assignment({ inputs: [{ name: "text", inlineJson: JSON.stringify("x".repeat(20_000)) }] }),
    );
    const error = await stream.ended;
    expect(error?.code).toBe(Code.ResourceExhausted);
    expect(error?.message).toMatch(/message size \d+ is larger .*send large inputs as objects in storage/);
    await until(() => wep.metric("wep_streams").then((streams) => streams === 0));
    const ends = wep.logs.filter(({ msg }) => String(msg).startsWith("worker client disconnected"));
    expect(ends).toMatchObject([{ why: expect.stringContaining("send large inputs"), open_runs: 1 }]);
    await using again = await TestStream.open(wep.port, { nodeId: "node-1" });
    again.send("assign", task);
    call.end.resolve({ answer: 42 });
    expect(resultOf(await again.next("completion"))).toEqual({ answer: 42 });
  });
});

describe("a peer that does not read", () => {
  it("holds back the handlers that await their progress", async () => {
    const reports = { taken: 0 };
    const chatty = defineHandler({
      kind: "test.work",
      version: "1.0.0",
      async run(_input, ctx) {
        for (; reports.taken < 500; reports.taken += 1) await ctx.progress(50, "x".repeat(20_000));
        return {};
      },
    });
    // No time passes: a machine that is slow must not make the peer a silent one.
    const clock = new FakeClock();
    await using wep = await startWep({ handlers: [chatty], clock, tuning: { progressIntervalMs: 0 } });
    using deaf = new RawGrpc(wep.port);
    deaf.send("hello", { min: "1.0.0", max: "1.1.0" });
    deaf.send("assign", assignment());
    await until(() => reports.taken > 1);
    await settle();
    const held = reports.taken;
    expect(held).toBeLessThan(100);
    deaf.read();
    expect(await deaf.first("completion")).toMatchObject({ status: "SUCCESS" });
    expect(reports.taken).toBe(500);
  });

  it("is not called silent when it takes in the end what waited for it", async () => {
    const clock = new FakeClock();
    const work = scriptedHandler();
    await using wep = await startWep({
      handlers: [work.handler],
      clock,
      maxConcurrency: 50,
      tuning: { outboxLength: 4 },
    });
    using slow = new RawGrpc(wep.port);
    slow.send("hello", { min: "1.0.0", max: "1.1.0" });
    const tasks = Array.from({ length: 8 }, () => assignment());
    for (const task of tasks) slow.send("assign", task);
    for (const _ of tasks) (await work.nextCall()).end.resolve({ filler: "x".repeat(100_000) });
    await until(() => wep.metric("wep_completions_unacknowledged").then((kept) => kept === tasks.length));
    // The last that is read before the outbox is full: from here on, its reading is all there is to go by.
    slow.send("ping", { nonce: 1n });
    await settle();
    await clock.advance(6_000);
    slow.read();
    await until(() => slow.heard.filter(({ msg }) => msg.case === "completion").length === tasks.length);
    await clock.advance(6_000);
    expect(await wep.metric("wep_streams")).toBe(1);
    await clock.advance(4_000);
    await until(() => wep.metric("wep_streams").then((streams) => streams === 0));
  });
});

describe("what is kept", () => {
  it("is bounded in bytes too: the oldest result goes first", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler], maxKeptBytes: 25_000 });
    await using stream = await TestStream.open(wep.port);
    const tasks = [assignment(), assignment(), assignment()];
    for (const task of tasks) {
      stream.send("assign", task);
      (await work.nextCall()).end.resolve({ filler: "x".repeat(10_000) });
      await stream.next("completion");
    }
    expect(await wep.metric("wep_completions_unacknowledged")).toBe(2);
    const dropped = wep.logs.filter(({ msg }) => String(msg).startsWith("completion dropped"));
    expect(dropped).toMatchObject([
      { activity_id: tasks[0]!.activityId, why: expect.stringContaining("bytes") },
    ]);
  });
});

/** The machine's clock, which knows how many of its timers are armed. */
function countingClock(): Clock & { readonly armed: number } {
  let armed = 0;
  return {
    ...systemClock,
    get armed() {
      return armed;
    },
    timer(ms, fire) {
      let isArmed = true;
      const disarm = () => {
        if (isArmed) armed -= 1;
        isArmed = false;
      };
      armed += 1;
      const timer = systemClock.timer(ms, () => {
        disarm();
        fire();
      });
      return {
        [Symbol.dispose]() {
          disarm();
          timer[Symbol.dispose]();
        },
      };
    },
  };
}

describe("a stream that ends", () => {
  it(
    "leaves nothing behind: no timer, no listener, no session, after 1,000 of them",
    { timeout: 180_000 },
    async () => {
      const clock = countingClock();
      const work = scriptedHandler();
      await using wep = await startWep({ handlers: [work.handler], clock, handlerTimeoutMs: 0 });
      const task = assignment();
      const connect = async (): Promise<void> => {
        const stream = await TestStream.open(wep.port, { nodeId: "node-1" });
        stream.send("assign", task);
        await stream.next("ack");
        stream.cut();
        await stream.ended;
      };
      const isAlone = () => wep.metric("wep_streams").then((streams) => streams === 0);
      await connect();
      const call = await work.nextCall();
      await until(isAlone);
      const before = { armed: clock.armed, sessions: queryObjects(Session, { format: "count" }) };
      for (let round = 0; round < 1_000; round += 1) await connect();
      await until(isAlone);
      expect(clock.armed).toBe(before.armed);
      // Their sockets close in their own time.
      await until(() => queryObjects(Session, { format: "count" }) <= before.sessions + 2);
      call.end.resolve({});
      await until(() => wep.metric("wep_completions_unacknowledged").then((kept) => kept === 1));
      expect(work.calls).toHaveLength(1);
    },
  );

  it("tells why, once", async () => {
    await using wep = await startWep({ handlers: [] });
    const ends = () =>
      wep.logs.filter(({ msg }) => /^worker client (disconnected|refused)/.test(String(msg)));
    const next = async (count: number) => {
      await until(() => ends().length === count);
      return ends().at(-1);
    };
    const orderly = await TestStream.open(wep.port);
    orderly.finishSending();
    await orderly.ended;
    expect(await next(1)).toMatchObject({
      level: "info",
      why: expect.stringContaining("nothing more to say"),
    });
    (await TestStream.open(wep.port, { nodeId: "node-7" })).cut();
    expect(await next(2)).toMatchObject({ level: "warn", why: expect.any(String), node_id: "node-7" });
    const wrong = new TestStream(wep.port);
    wrong.send("hello", { min: "7.0.0", max: "7.0.0", agent: "wcp/9" });
    await wrong.ended;
    expect(await next(3)).toMatchObject({
      level: "warn",
      msg: "worker client refused",
      why: expect.stringContaining("NO_COMMON_VERSION"),
      agent: "wcp/9",
    });
    await settle();
    expect(ends()).toHaveLength(3);
  });
});
