// What has crashed HTTP/2 servers of Node, and connect's on top of them. Clients here
// speak HTTP/2 or bytes, with no gRPC library that would be too polite.
import { connect as connectHttp2, constants } from "node:http2";
import { connect as connectTcp } from "node:net";
import { once } from "node:events";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { systemClock } from "@subnet-worker/kit";
import { Health } from "@subnet-worker/protocol/grpc";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RawGrpc } from "./_raw-grpc.ts";
import { assignment, TestStream } from "./_stream.ts";
import { scriptedHandler, startWep, type TestWep, until } from "./_wep.ts";

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const PATH = "/execution.v1.Execution/TaskStream";

let crashes: unknown[];
const onCrash = (error: unknown) => void crashes.push(error);

beforeEach(() => {
  crashes = [];
  process.on("uncaughtExceptionMonitor", onCrash);
});

afterEach(() => {
  process.off("uncaughtExceptionMonitor", onCrash);
  expect(crashes).toEqual([]);
});

/** The server is as good as new: no streams are left, and a new client is served. */
async function expectWhole(wep: TestWep): Promise<void> {
  await until(() => wep.metric("wep_streams").then((streams) => streams === 0));
  await using stream = await TestStream.open(wep.port);
  await stream.next("capacity");
  expect(wep.logs.filter(({ level }) => level === "error" || level === "fatal")).toEqual([]);
}

/** A raw stream with its handshake done. */
async function openRaw(wep: TestWep): Promise<RawGrpc> {
  const raw = new RawGrpc(wep.port).read();
  raw.send("hello", { min: "1.0.0", max: "1.1.0" });
  await raw.first("helloAck");
  return raw;
}

const settle = () => new Promise<void>((resolve) => void setImmediate(resolve));

describe("a server whose peer misbehaves", () => {
  it.each([
    ["in order", constants.NGHTTP2_NO_ERROR],
    ["in anger", constants.NGHTTP2_ENHANCE_YOUR_CALM],
  ])("survives GOAWAY %s, on an idle connection and with a stream open", async (_how, code) => {
    await using wep = await startWep({ handlers: [scriptedHandler().handler] });
    const idle = connectHttp2(`http://127.0.0.1:${wep.port}`);
    idle.on("error", () => undefined);
    await once(idle, "connect");
    idle.goaway(code);
    using raw = await openRaw(wep);
    raw.session.goaway(code);
    await settle();
    idle.destroy();
    raw.session.destroy();
    await expectWhole(wep);
  });

  it.each([
    ["cancels the stream", (raw: RawGrpc) => raw.stream.close(constants.NGHTTP2_CANCEL)],
    ["resets it as an internal error", (raw: RawGrpc) => raw.stream.close(constants.NGHTTP2_INTERNAL_ERROR)],
    ["destroys its session", (raw: RawGrpc) => raw.session.destroy()],
    ["resets the TCP connection", (raw: RawGrpc) => raw.session.socket.destroy()],
    ["ends its side", (raw: RawGrpc) => raw.end()],
  ])("keeps the run of a client that %s in the middle of it", async (_how, leave) => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler] });
    const task = assignment();
    using raw = await openRaw(wep);
    raw.send("assign", task);
    const call = await work.nextCall();
    leave(raw);
    call.ctx.progress(50);
    await settle();
    call.end.resolve({ done: true });
    await until(() => wep.metric("wep_completions_unacknowledged").then((kept) => kept === 1));
    raw.session.destroy();
    await using successor = await TestStream.open(wep.port);
    successor.send("assign", task);
    expect(await successor.next("completion")).toMatchObject({ status: "SUCCESS" });
    expect(work.calls).toHaveLength(1);
  });

  it("survives a client that is reset while much is written to it", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler], maxConcurrency: 20 });
    for (const leave of ["destroy", "close"] as const) {
      using raw = new RawGrpc(wep.port); // does not read
      raw.send("hello", { min: "1.0.0", max: "1.1.0" });
      for (let count = 0; count < 5; count += 1) raw.send("assign", assignment());
      for (let count = 0; count < 5; count += 1) {
        (await work.nextCall()).end.resolve({ filler: "x".repeat(200_000) });
      }
      await settle();
      raw.session[leave]();
      raw.stream.destroy();
    }
    await expectWhole(wep);
  });

  it("survives streams that are opened and reset at once, a thousand of them", async () => {
    await using wep = await startWep({ handlers: [scriptedHandler().handler] });
    const session = connectHttp2(`http://127.0.0.1:${wep.port}`);
    session.on("error", () => undefined);
    const headers = { ":method": "POST", ":path": PATH, "content-type": "application/grpc", te: "trailers" };
    for (let count = 0; count < 1_000 && !session.closed && !session.destroyed; count += 1) {
      const stream = session.request(headers);
      stream.on("error", () => undefined);
      stream.close(constants.NGHTTP2_CANCEL);
      if (count % 50 === 0) await settle();
    }
    session.destroy();
    await expectWhole(wep);
  });

  it.each<readonly [string, readonly Buffer[]]>([
    ["a preface and nothing", [Buffer.from(PREFACE)]],
    ["half a preface", [Buffer.from(PREFACE.slice(0, 10))]],
    ["a preface and noise", [Buffer.from(PREFACE), Buffer.alloc(300, 0xff)]],
    ["a frame longer than allowed", [Buffer.from(PREFACE), Buffer.from("ffffff000000000001", "hex")]],
    ["data on a stream that is not open", [Buffer.from(PREFACE), Buffer.from("000001000000000007aa", "hex")]],
    ["one byte", [Buffer.from("P")]],
    ["nothing", []],
  ])("survives %s, and a reset after it", async (_what, bytes) => {
    await using wep = await startWep({ handlers: [scriptedHandler().handler] });
    for (const leave of ["end", "resetAndDestroy"] as const) {
      const socket = connectTcp(wep.port, "127.0.0.1");
      socket.on("error", () => undefined).resume();
      await once(socket, "connect");
      for (const chunk of bytes) socket.write(chunk);
      await settle();
      socket[leave]();
      await settle();
      socket.destroy();
    }
    await expectWhole(wep);
  });

  it("closes within seconds, whatever is open: streams, watchers, connections that say nothing", async () => {
    const wep = await startWep({ handlers: [scriptedHandler().handler] });
    using quiet = await openRaw(wep);
    using deaf = new RawGrpc(wep.port);
    const mute = connectTcp(wep.port, "127.0.0.1");
    mute.on("error", () => undefined);
    await once(mute, "connect");
    const half = connectTcp(wep.port, "127.0.0.1");
    half.on("error", () => undefined).write(PREFACE.slice(0, 5));
    const health = createClient(Health, createGrpcTransport({ baseUrl: `http://127.0.0.1:${wep.port}` }));
    const watching = (async () => {
      for await (const _ of health.watch({})) await settle();
    })().catch((error: unknown) => error);
    const startedAtMs = systemClock.monotonicMs();
    await wep[Symbol.asyncDispose]();
    expect(systemClock.monotonicMs() - startedAtMs).toBeLessThan(10_000);
    await watching;
    mute.destroy();
    half.destroy();
    expect([quiet.session.destroyed || quiet.session.closed, deaf.heard]).toEqual([true, []]);
  });
});
