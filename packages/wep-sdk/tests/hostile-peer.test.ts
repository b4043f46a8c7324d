import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { createInterface } from "node:readline";
import { createDeferred, FakeClock } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import { RawGrpc } from "./_raw-grpc.ts";
import { assignment, TestStream } from "./_stream.ts";
import { resultOf, scriptedHandler, startWep, until } from "./_wep.ts";

const MOMENTS = ["connected", "hello_ack", "ack", "completion"] as const;

describe("a worker client that is killed", () => {
  it("at any moment leaves the server whole, and its successor finds the runs", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler], maxConcurrency: 100 });
    for (const moment of MOMENTS) {
      const task = assignment();
      const child = spawnClient(wep.port, task.activityId);
      await child.reached(moment === "completion" ? "ack" : moment);
      if (moment === "completion") (await work.nextCall()).end.resolve({ moment });
      if (moment === "completion") await child.reached("completion");
      child.process.kill("SIGKILL");
      await once(child.process, "exit");
      await until(() => wep.metric("wep_streams").then((streams) => streams === 0));
      await using successor = await TestStream.open(wep.port);
      successor.send("assign", task);
      if (moment !== "completion") {
        await successor.next("ack");
        (await work.nextCall()).end.resolve({ moment });
      }
      expect(resultOf(await successor.next("completion"))).toEqual({ moment });
    }
    expect(wep.logs.filter(({ level }) => level === "error")).toEqual([]);
  });
});

describe("a worker client that does not read", () => {
  it("is reset, its completions are kept, and what waits for it stays bounded", async () => {
    const clock = new FakeClock();
    const work = scriptedHandler();
    await using wep = await startWep({
      handlers: [work.handler],
      clock,
      maxConcurrency: 50,
      tuning: { outboxLength: 20 },
    });
    const tasks = Array.from({ length: 8 }, () => assignment());
    {
      using deaf = new RawGrpc(wep.port);
      deaf.send("hello", { min: "1.0.0", max: "1.1.0" });
      for (const task of tasks) deaf.send("assign", task);
      // Far more than flow control lets through, so that the writer is stuck in a write.
      for (const _ of tasks) (await work.nextCall()).end.resolve({ filler: "x".repeat(100_000) });
      await until(() => wep.metric("wep_completions_unacknowledged").then((kept) => kept === tasks.length));
      for (let nonce = 0; nonce < 1_000; nonce += 1) deaf.send("ping", { nonce: BigInt(nonce) });
      await clock.advance(30_000);
      await clock.advance(1_000);
      await until(() => wep.metric("wep_streams").then((streams) => streams === 0));
      const ends = wep.logs.filter(({ msg }) => String(msg).startsWith("worker client disconnected"));
      expect(ends).toMatchObject([{ level: "warn", why: expect.stringContaining("is silent") }]);
    }
    await using successor = await TestStream.open(wep.port);
    for (const task of tasks) successor.send("assign", task);
    for (const { activityId, runId } of tasks) {
      await successor.next("completion", (completion) => completion.activityId === activityId);
      successor.send("completionAck", { activityId, runId });
    }
    await until(() => wep.metric("wep_completions_unacknowledged").then((kept) => kept === 0));
    expect(work.calls).toHaveLength(tasks.length);
  });

  it("does not keep the server from closing", async () => {
    const work = scriptedHandler();
    const wep = await startWep({ handlers: [work.handler] });
    using deaf = new RawGrpc(wep.port);
    deaf.send("hello", { min: "1.0.0", max: "1.1.0" });
    deaf.send("assign", assignment());
    (await work.nextCall()).end.resolve({ filler: "x".repeat(1_000_000) });
    await until(() => wep.metric("wep_completions_unacknowledged").then((kept) => kept === 1));
    await wep[Symbol.asyncDispose]();
  });
});

describe("a peer that speaks no gRPC", () => {
  it("is turned away without harm to the others", async () => {
    await using wep = await startWep({ handlers: [] });
    const socket = connect(wep.port, "127.0.0.1");
    socket.on("error", () => undefined).resume();
    socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    await once(socket, "close");
    using garbled = new RawGrpc(wep.port).read();
    garbled.stream.write(Buffer.from([0, 0, 0, 0, 3, 255, 255, 255]));
    await garbled.closed();
    expect(garbled.trailers).toMatchObject({ "grpc-status": "13" });
    await using stream = await TestStream.open(wep.port);
    await stream.next("capacity");
  });
});

function spawnClient(port: number, activityId: string) {
  const script = new URL("./_client-process.ts", import.meta.url).pathname;
  const child = spawn(
    process.execPath,
    ["--conditions=@subnet-worker/source", script, String(port), activityId],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const moments = Object.fromEntries(MOMENTS.map((name) => [name, createDeferred()]));
  createInterface({ input: child.stdout }).on("line", (line) => moments[line]?.resolve());
  return { process: child, reached: (name: (typeof MOMENTS)[number]) => moments[name]?.promise };
}
