import { rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { createLogger } from "@subnet-worker/kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ControlServer, listenControl } from "../src/control/control-server.ts";
import { CommandBench } from "./_command-bench.ts";
import { FakeDesk, queueView, wepView } from "./_control-bench.ts";

let bench: CommandBench;
let desk: FakeDesk;
let server: ControlServer;

beforeEach(async () => {
  bench = new CommandBench();
  desk = new FakeDesk();
  const logger = createLogger({ name: "wcp", level: "silent" });
  server = await listenControl(bench.path("wcp.sock"), desk, { logger });
});

afterEach(async () => {
  await server[Symbol.asyncDispose]();
  bench[Symbol.dispose]();
});

const widest = (text: string) => Math.max(...text.split("\n").map((line) => line.length));

describe("wcp wep", () => {
  it("ls shows each WEP on a line, and below it why one is not ready", async () => {
    const { code, out } = await bench.wcp(["wep", "ls"]);
    expect(code).toBe(0);
    expect(out).toBe(
      [
        "URL                         STATE  FOR  SLOTS USED       RUNS  RTT    FROM",
        "http://127.0.0.1:7070       ready  5m   cpu 1/4 gpu 0/1  1     1.3ms  config",
        "https://wep-2.example:7070  away   5m   cpu 1/4 gpu 0/1  1     1.3ms  config",
        "",
        "https://wep-2.example:7070: gone",
        "",
      ].join("\n"),
    );
  });

  it("ls has one class without a name as a plain count, and says what is not known as such", async () => {
    const classes = [{ name: "", slots: 1, free: 0, tags: [] }];
    desk.all = [wepView({ classes, roundTripMs: undefined }), wepView({ url: "http://b:1", classes: [] })];
    const { out } = await bench.wcp(["wep", "ls"]);
    expect(out).toMatch(/ready +5m +1\/1 +1 +- +config/);
    expect(out).toMatch(/http:\/\/b:1 +ready +5m +- +1/);
  });

  it("show fits into 100 columns, with whole activity ids", async () => {
    const { code, out } = await bench.wcp(["wep", "show", "http://127.0.0.1:7070"]);
    expect(code).toBe(0);
    expect(widest(out)).toBeLessThanOrEqual(100);
    expect(out).toMatch(/^state +ready, for 5m$/m);
    expect(out).toMatch(/^kinds +audio_preprocess 1\.0\.0\n +audio_validate 1\.0\.0$/m);
    expect(out).toMatch(/^gpu +1 +1 +gpu avx512$/m);
    expect(out).toMatch(new RegExp(`^5b1c7e0a +40% +12s +0x${"ab".repeat(32)}$`, "m"));
  });

  it.each(["127.0.0.1:7070", "http://127.0.0.1:7070/", "https://127.0.0.1:7070"])(
    "takes %s for the WEP that is meant",
    async (given) => {
      const { out } = await bench.wcp(["wep", "show", given, "--json"]);
      expect(JSON.parse(out)).toEqual(desk.all[0]);
    },
  );

  it("drain and its undo change the WEP, and say what follows", async () => {
    const drained = await bench.wcp(["wep", "drain", "127.0.0.1:7070"]);
    expect(drained.code).toBe(0);
    expect(drained.out).toContain(
      "http://127.0.0.1:7070 gets no new activities. What runs there goes on to its end",
    );
    expect(desk.all.map(({ state }) => state)).toEqual(["draining", "away"]);
    const back = await bench.wcp(["wep", "drain", "127.0.0.1:7070", "--undo", "--json"]);
    expect(JSON.parse(back.out)).toMatchObject({ url: "http://127.0.0.1:7070", state: "ready" });
  });

  it("ping tells the round trip, or why there is none, and then ends with 75", async () => {
    expect(await bench.wcp(["wep", "ping", "127.0.0.1:7070"])).toMatchObject({
      code: 0,
      out: "http://127.0.0.1:7070 answers after 3.2ms\n",
    });
    const json = await bench.wcp(["wep", "ping", "127.0.0.1:7070", "--json"]);
    expect(JSON.parse(json.out)).toEqual({ url: "http://127.0.0.1:7070", round_trip_ms: 3.21 });
    desk.pong = new Error("no pong within 5 s");
    expect(await bench.wcp(["wep", "ping", "127.0.0.1:7070"])).toMatchObject({
      code: 75,
      err: "no pong within 5 s",
    });
  });

  it("ends with 1 for a WEP that is not there, and lists those that are", async () => {
    expect(await bench.wcp(["wep", "drain", "127.0.0.1:1"])).toMatchObject({
      code: 1,
      err: "this node has no WEP 127.0.0.1:1; it has http://127.0.0.1:7070, https://wep-2.example:7070",
    });
    desk.all = [];
    expect((await bench.wcp(["wep", "show", "x"])).err).toContain("it has none: look at wep_grpc_endpoint");
  });
});

describe("wcp queue", () => {
  it("ls shows each queue on a line", async () => {
    const { code, out } = await bench.wcp(["queue", "ls"]);
    expect(code).toBe(0);
    expect(out).toBe(
      [
        "QUEUE                   STATE  WAITING  UNDER WAY  WEIGHT  PRIORITY  RATE",
        "audio/1.0.0/processing  open   17       2          1       0         -",
        "audio/1.0.0/validation  open   17       2 of 4     1       0         2.5/s",
        "",
      ].join("\n"),
    );
    expect(JSON.parse((await bench.wcp(["queue", "ls", "--json"])).out)).toEqual(desk.line);
  });

  it("pause and resume do so, and say how long it lasts", async () => {
    const name = "audio/1.0.0/processing";
    const paused = await bench.wcp(["queue", "pause", name]);
    expect(paused.out).toContain(`Nothing more of ${name} is claimed. What is under way goes on to its end.`);
    expect(desk.line.map(({ isPaused }) => isPaused)).toEqual([true, false]);
    expect((await bench.wcp(["queue", "ls"])).out).toMatch(/processing +paused/);
    const resumed = await bench.wcp(["queue", "resume", name, "--json"]);
    expect(JSON.parse(resumed.out)).toEqual(queueView());
  });

  it("ends with 1 for a queue that the node does not watch", async () => {
    expect(await bench.wcp(["queue", "pause", "no/such"])).toMatchObject({
      code: 1,
      err: expect.stringContaining("this node watches no queue no/such; it watches audio/1.0.0/processing"),
    });
  });
});

describe("without a node", () => {
  it("every command says that none runs, and ends with 75", async () => {
    await server[Symbol.asyncDispose]();
    for (const words of [
      ["wep", "ls"],
      ["wep", "show", "x"],
      ["queue", "ls"],
      ["queue", "pause", "x"],
    ]) {
      const { code, err } = await bench.wcp(words);
      expect([code, err]).toEqual([
        75,
        `no node serves ${bench.path("wcp.sock")}: either it does not run (wcp run), or it runs with another configuration; give the same --config`,
      ]);
    }
  });

  it("each database has a socket of its own, so that two nodes can share a folder", async () => {
    const { err } = await bench.wcp(["wep", "ls"], { env: { WCP__DB__PATH: "second.sqlite" } });
    expect(err).toContain(`no node serves ${bench.path("second.sock")}:`);
    const elsewhere = await bench.wcp(["wep", "ls"], {
      env: { WCP__DB__PATH: "second.sqlite", WCP__CONTROL__SOCKET: "wcp.sock" },
    });
    expect(elsewhere.code).toBe(0);
  });

  it("something else on the socket is told as such", async () => {
    await server[Symbol.asyncDispose]();
    rmSync(bench.path("wcp.sock"), { force: true });
    const other = createServer((socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"));
    await once(other.listen(bench.path("wcp.sock")), "listening");
    const { code, err } = await bench.wcp(["wep", "ls"]);
    other.close();
    expect([code, err]).toEqual([1, expect.stringContaining('is no WCP: it answered "hello"')]);
  });

  it("a configuration that is wrong ends with 78, and a missing argument too", async () => {
    writeFileSync(bench.config, "[control]\nsocket = 7\n");
    expect((await bench.wcp(["wep", "ls"])).code).toBe(78);
    await expect(bench.wcp(["wep", "drain"])).rejects.toMatchObject({ exitCode: 78 });
  });
});
