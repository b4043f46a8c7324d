import { type AddressInfo, createServer, type Socket } from "node:net";
import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { EnvelopeSchema } from "@subnet-worker/protocol";
import { ScriptedWep } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import { completion, connect, PoolBench, WISH } from "./_wep-bench.ts";
import { settle, until } from "./_until.ts";

describe("a handshake", () => {
  it("tells our range and who we are, and is over when the WEP has said what it can do", async () => {
    await using wep = await ScriptedWep.listen();
    await using bench = new PoolBench([wep.url]).run();
    expect(bench.pool.notReady()).toEqual([`WEP ${wep.url}: not connected yet`]);
    const stream = await wep.next();
    const hello = await stream.next("hello");
    expect(hello).toMatchObject({ min: "1.0.0", max: "1.1.0", instanceId: "wcp-1", agent: "test/0" });
    stream.send("helloAck", { min: "1.0.0", max: "1.1.0", agent: "scripted/1" });
    await settle();
    expect(bench.pool.stats()).toEqual({ connected: 0, slotsInUse: 0, slotsFree: 0 });
    expect(bench.pool.reserve(WISH)).toBeUndefined();
    stream.send("capabilities", { maxConcurrency: 3 });
    await bench.ready();
    expect(bench.pool.stats()).toEqual({ connected: 1, slotsInUse: 0, slotsFree: 3 });
    expect(bench.pool.notReady()).toEqual([]);
    expect(bench.logs.lines.find(({ msg }) => msg === "WEP connected")).toMatchObject({
      version: "1.1.0",
      agent: "scripted/1",
      max_concurrency: 3,
    });
  });

  it("picks the highest version in both ranges", async () => {
    await using wep = await ScriptedWep.listen();
    await using bench = new PoolBench([wep.url]).run();
    const stream = await wep.next();
    await stream.next("hello");
    stream.send("helloAck", { min: "0.9.0", max: "1.0.7" });
    await bench.ready();
    expect(bench.logs.lines.find(({ msg }) => msg === "WEP connected")).toMatchObject({ version: "1.0.7" });
  });

  it.each([
    ["a range beyond ours", { min: "2.0.0", max: "2.3.0" }, "upgrade the side with the lower range"],
    ["no version at all", { min: "", max: "" }, "is not a version"],
    ["words for a version", { min: "latest", max: "latest" }, '"latest" is not a version'],
  ])("with %s ends at once, as an error that says what to do", async (_what, versions, message) => {
    await using wep = await ScriptedWep.listen();
    await using bench = new PoolBench([wep.url]).run();
    const stream = await wep.next();
    await stream.next("hello");
    stream.send("helloAck", versions);
    await stream.closed;
    await until(() => bench.logs.at("error").length === 1);
    expect(bench.pool.notReady()[0]).toContain("[INCOMPATIBLE]");
    expect(bench.pool.notReady()[0]).toContain(message);
    expect(bench.logs.at("error")).toEqual([
      "the WEP cannot be used; upgrade the older of the two processes",
    ]);
    expect(stream.kinds()).toEqual(["hello"]);
  });

  it("that the WEP refuses ends with the reason that it gave, and is tried again", async () => {
    await using wep = await ScriptedWep.listen();
    await using bench = new PoolBench([wep.url]).run();
    for (let tries = 1; tries <= 3; tries += 1) {
      const stream = await bench.reconnected(wep);
      await stream.next("hello");
      stream.fail(Code.FailedPrecondition, "we speak 3.0.0 only");
      await stream.closed;
    }
    await until(() => bench.logs.at("error").length > 0);
    expect(bench.pool.notReady()[0]).toContain("refused us: we speak 3.0.0 only");
    // Said once, however often it is tried.
    expect(bench.logs.at("error")).toHaveLength(1);
    const stream = await bench.reconnected(wep);
    await stream.welcome();
    await bench.ready();
  });

  it.each(["capabilities", "completion", "ping", "drain"] as const)(
    "that is answered with %s first ends the session",
    async (kind) => {
      await using wep = await ScriptedWep.listen();
      await using bench = new PoolBench([wep.url]).run();
      const stream = await wep.next();
      await stream.next("hello");
      stream.send(kind, {});
      await stream.closed;
      await until(() => bench.pool.notReady()[0]?.includes(`answered hello with ${kind}`) === true);
    },
  );

  it("that is answered with something of a later protocol ends the session", async () => {
    await using wep = await ScriptedWep.listen();
    await using bench = new PoolBench([wep.url]).run();
    const stream = await wep.next();
    await stream.next("hello");
    stream.sendEnvelope(create(EnvelopeSchema, {}));
    await until(() => bench.pool.notReady()[0]?.includes("answered hello with an unknown message") === true);
  });

  it("without an answer is given up on, and tried again", async () => {
    await using wep = await ScriptedWep.listen();
    await using bench = new PoolBench([wep.url]).run();
    const stream = await wep.next();
    await stream.next("hello");
    await bench.clock.advance(9_999);
    expect(stream.isOver).toBe(false);
    await bench.clock.advance(1);
    await stream.closed;
    await until(() => bench.pool.notReady()[0]?.includes("no handshake from") === true);
    expect(bench.pool.notReady()[0]).toContain("within 10000 ms");
    await (await bench.reconnected(wep)).welcome();
    await bench.ready();
  });

  it("without the capabilities that a peer of 1.1.0 owes is given up on too", async () => {
    await using wep = await ScriptedWep.listen();
    await using bench = new PoolBench([wep.url]).run();
    const stream = await wep.next();
    await stream.next("hello");
    stream.send("helloAck", { min: "1.0.0", max: "1.1.0" });
    await settle();
    await bench.clock.advance(10_000);
    await stream.closed;
    expect(bench.pool.stats().connected).toBe(0);
  });

  it("with a port that takes connections and says nothing is given up on", async () => {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => void sockets.add(socket));
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await using bench = new PoolBench([url]).run();
    await until(() => sockets.size === 1);
    await bench.clock.advance(10_000);
    await until(() => bench.pool.notReady()[0]?.includes("no handshake from") === true);
    for (const socket of sockets) socket.destroy();
    server.close();
  });
});

describe("a WEP that is not there", () => {
  it("is waited for, with one word in the log however long it takes", async () => {
    const gone = await ScriptedWep.listen();
    const { port, url } = gone;
    await gone[Symbol.asyncDispose]();
    await using bench = new PoolBench([url]).run();
    await until(() => bench.logs.at("warn").length === 1);
    expect(bench.pool.notReady()[0]).toContain(`[UNREACHABLE] ${url}`);
    for (let second = 0; second < 20; second += 1) {
      await bench.clock.advance(1_000);
      await settle();
    }
    expect(bench.logs.at("warn")).toEqual([
      "the WEP is not there; connecting again until it is (check wep_grpc_endpoint and that the WEP runs)",
    ]);
    await using wep = await ScriptedWep.listen(port);
    await (await bench.reconnected(wep)).welcome();
    await bench.ready();
    expect(bench.pool.notReady()).toEqual([]);
  });
});

describe("a peer that is silent", () => {
  it("is found out and dialled again", async () => {
    await using link = await connect();
    const { bench, stream, wep } = link;
    stream.answersPings = false;
    await bench.clock.advance(5_000);
    await stream.next("ping");
    await bench.clock.advance(9_999);
    expect(stream.isOver).toBe(false);
    for (let second = 0; second < 6; second += 1) await bench.clock.advance(1_000);
    await stream.closed;
    await until(() => bench.pool.notReady()[0]?.includes("[SILENT] nothing heard from") === true);
    await (await bench.reconnected(wep)).welcome();
    await bench.ready();
  });

  it("is not one that answers pings, or says anything else", async () => {
    await using link = await connect();
    const { bench, stream } = link;
    for (let beat = 1; beat <= 8; beat += 1) {
      stream.answersPings = beat % 2 === 0;
      await bench.clock.advance(5_000);
      await stream.next("ping");
      if (!stream.answersPings) stream.send("capacity", { availableSlots: 1 });
      // Our answer to its ping shows that we have read what it sent.
      stream.send("ping", { nonce: BigInt(beat) });
      await stream.next("pong");
    }
    expect(stream.isOver).toBe(false);
  });

  it("has its own pings answered with their nonce", async () => {
    await using link = await connect();
    link.stream.send("ping", { nonce: 77n });
    expect(await link.stream.next("pong")).toMatchObject({ nonce: 77n });
  });
});

describe("the simplest peer", () => {
  it("answers hello, runs one assignment at a time, and is sent nothing that it does not know", async () => {
    await using wep = await ScriptedWep.listen();
    await using bench = new PoolBench([wep.url]).run();
    const stream = await wep.next();
    stream.answersPings = false;
    await stream.next("hello");
    stream.send("helloAck", { min: "1.0.0", max: "1.0.0" });
    await bench.ready();
    expect(bench.pool.stats()).toEqual({ connected: 1, slotsInUse: 0, slotsFree: 1 });
    for (const round of [1, 2, 3]) {
      const slot = bench.pool.reserve({ kind: "anything", version: "9.9.9" });
      expect(bench.pool.reserve(WISH)).toBeUndefined();
      const run = bench.start({ runId: `run-${round}` }, slot);
      const { activityId, runId } = await stream.next("assign");
      stream.send("completion", { activityId, runId, status: "SUCCESS", resultRef: `out/${round}.json` });
      expect(await run.outcome).toEqual({
        kind: "succeeded",
        result: { json: "", ref: `out/${round}.json` },
      });
      run.slot[Symbol.dispose]();
    }
    bench.pool.cancel("unknown", "requested");
    await bench.clock.advance(60_000);
    await settle();
    expect(stream.kinds()).toEqual(["hello", "assign", "assign", "assign"]);
    expect(stream.isOver).toBe(false);
  });

  it("may leave the run id out of its completion", async () => {
    await using wep = await ScriptedWep.listen();
    await using bench = new PoolBench([wep.url]).run();
    const stream = await wep.next();
    await stream.next("hello");
    stream.send("helloAck", { min: "1.0.0", max: "1.0.0" });
    await bench.ready();
    const run = bench.start();
    await stream.next("assign");
    stream.send(
      "completion",
      completion({ runId: "", status: "ERROR", error: "no luck", resultInline: undefined }),
    );
    expect(await run.outcome).toMatchObject({ kind: "failed", message: "no luck" });
  });

  it("that vanishes in the middle is given the same run again", async () => {
    await using wep = await ScriptedWep.listen();
    await using bench = new PoolBench([wep.url]).run();
    const first = await wep.next();
    first.send("helloAck", { min: "1.0.0", max: "1.0.0" });
    await bench.ready();
    const run = bench.start();
    await first.next("assign");
    wep.cut();
    const second = await bench.reconnected(wep);
    second.send("helloAck", { min: "1.0.0", max: "1.0.0" });
    expect(await second.next("assign")).toMatchObject({ runId: "run-1" });
    second.send("completion", completion());
    expect(await run.outcome).toMatchObject({ kind: "succeeded" });
  });
});

describe("messages of a later protocol", () => {
  it("are passed over", async () => {
    await using link = await connect();
    link.stream.sendEnvelope(create(EnvelopeSchema, {}));
    link.stream.send("hello", { min: "1.0.0", max: "1.1.0" });
    link.stream.send("assign", { activityId: "x" });
    link.stream.send("ping", { nonce: 1n });
    await link.stream.next("pong");
    expect(link.bench.pool.stats().connected).toBe(1);
  });
});
