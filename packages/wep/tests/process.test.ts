import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { RawGrpc } from "../../wep-sdk/tests/_raw-grpc.ts";
import { assignment, TestStream } from "../../wep-sdk/tests/_stream.ts";
import { resultOf } from "../../wep-sdk/tests/_wep.ts";
import { type Folder, folderWith, HANDLERS_TS, startWep, type WepProcess } from "./_wep-process.ts";

const FREE_PORTS = ["--port", "0", "--health-port", "0"];

interface Listening extends AsyncDisposable {
  readonly process: WepProcess;
  /** Where it runs. */
  readonly folder: string;
  readonly port: number;
  readonly healthUrl: string;
}

async function listening(env: Record<string, string> = {}): Promise<Listening> {
  await using stack = new AsyncDisposableStack();
  const folder: Folder = stack.use(await folderWith({ "handlers.ts": HANDLERS_TS }));
  const process = stack.use(
    startWep(["run", "--handlers", "handlers.ts", ...FREE_PORTS], { cwd: folder.path, env }),
  );
  const line = await process.logged("wep listening");
  const owned = stack.move();
  return {
    process,
    folder: folder.path,
    port: Number(line["port"]),
    healthUrl: String(line["health_url"]),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function greeting(): Parameters<TestStream["send"]>[1] & ReturnType<typeof assignment> {
  return assignment({
    taskKind: "demo.greet",
    inputs: [{ name: "name", inlineJson: '"Ada"', abiType: "string" }],
  });
}

describe("wep, started alone with one command", () => {
  it("says where it listens, in fields", async () => {
    await using wep = await listening();
    expect(await wep.process.logged("wep listening")).toMatchObject({
      level: "info",
      host: "127.0.0.1",
      port: expect.any(Number),
      health_url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      handlers: [
        "demo.greet 1.0.0",
        "demo.wait 1.0.0",
        "demo.stubborn 1.0.0",
        "demo.careless 1.0.0",
        "demo.block 1.0.0",
        "demo.spin 1.0.0",
      ].toSorted(),
    });
    expect(await (await fetch(`${wep.healthUrl}/readyz`)).json()).toEqual({ ready: true, reasons: [] });
    expect(await (await fetch(`${wep.healthUrl}/metrics`)).text()).toContain('wep_slots{state="free"}');
  });

  it("runs a task for the simplest gRPC client: hello, assign, end of input", async () => {
    await using wep = await listening();
    using client = new RawGrpc(wep.port).read();
    client.send("hello", { min: "1.0.0", max: "1.0.0" });
    client.send("assign", greeting());
    client.end();
    const completion = await client.first("completion");
    expect(completion.status).toBe("SUCCESS");
    expect(resultOf(completion)).toEqual({ greeting: "Hello, Ada" });
    await client.closed();
    expect(client.trailers).toMatchObject({ "grpc-status": "0" });
    const kinds = client.heard.map(({ msg }) => msg.case);
    expect(kinds.filter((kind) => kind !== "capacity")).toEqual([
      "helloAck",
      "capabilities",
      "ack",
      "completion",
    ]);
  });

  it("runs a task for a gRPC library", async () => {
    await using wep = await listening();
    await using client = await TestStream.open(wep.port);
    client.send("assign", greeting());
    expect(resultOf(await client.next("completion"))).toEqual({ greeting: "Hello, Ada" });
  });

  it("acknowledges an assignment before a handler that blocks can hold that back", async () => {
    await using wep = await listening({ WEP__RUNTIME__ISOLATION: "none" });
    await using client = await TestStream.open(wep.port);
    client.send("assign", assignment({ taskKind: "demo.block" }));
    await client.next("ack");
    await writeFile(join(wep.folder, "go"), "");
    expect(await client.next("completion")).toMatchObject({ status: "SUCCESS" });
  });

  it("drains on SIGTERM and ends with 0", async () => {
    await using wep = await listening({ WEP__RUNTIME__GRACEFUL_SHUTDOWN_S: "0" });
    await using client = await TestStream.open(wep.port);
    client.send("assign", assignment({ taskKind: "demo.wait" }));
    await client.next("ack");
    wep.process.child.kill("SIGTERM");
    await client.next("drain");
    const completion = await client.next("completion");
    expect(completion).toMatchObject({ status: "ERROR", errorCode: 5001, retryable: true });
    client.send("completionAck", { activityId: completion.activityId, runId: completion.runId });
    expect(await client.ended).toBeUndefined();
    expect(await wep.process.exited).toBe(0);
    expect(wep.process.text.stderr).toBe("");
  });

  it("ends with 0 also when a handler never does, as its thread is ended", async () => {
    await using wep = await listening({ WEP__RUNTIME__GRACEFUL_SHUTDOWN_S: "0" });
    await using client = await TestStream.open(wep.port);
    for (const taskKind of ["demo.stubborn", "demo.spin"]) {
      client.send("assign", assignment({ taskKind }));
      await client.next("ack");
    }
    wep.process.child.kill("SIGTERM");
    for (const _ of ["stubborn", "spin"]) {
      expect(await client.next("completion")).toMatchObject({ errorCode: 5001, retryable: true });
    }
    expect(await wep.process.exited).toBe(0);
    expect(wep.process.text.stderr).toBe("");
  });

  it("ends, with 1, also when a handler in the process never does", async () => {
    await using wep = await listening({
      WEP__RUNTIME__GRACEFUL_SHUTDOWN_S: "0",
      WEP__RUNTIME__ISOLATION: "none",
    });
    await using client = await TestStream.open(wep.port);
    client.send("assign", assignment({ taskKind: "demo.stubborn" }));
    await client.next("ack");
    wep.process.child.kill("SIGTERM");
    expect(await client.next("completion")).toMatchObject({ errorCode: 5001 });
    expect(await wep.process.exited).toBe(1);
    expect(wep.process.logs.some(({ msg }) => String(msg).startsWith("handler ignores its signal"))).toBe(
      true,
    );
  });

  it.each(["thread", "none"])(
    "survives a handler that drops a rejected promise, and says so: %s",
    async (isolation) => {
      await using wep = await listening({ WEP__RUNTIME__ISOLATION: isolation });
      await using client = await TestStream.open(wep.port);
      client.send("assign", assignment({ taskKind: "demo.careless" }));
      expect(await client.next("completion")).toMatchObject({ status: "SUCCESS" });
      const line = await wep.process.logged(
        "a promise was rejected and nobody awaited it; look for a missing await in a handler",
      );
      expect(line).toMatchObject({ level: "error", err: { message: "nobody awaits this" } });
      client.send("assign", greeting());
      await client.next("completion");
    },
  );

  it("answers pings, and runs other work, while a handler spins", async () => {
    await using wep = await listening({ WEP__RUNTIME__MAX_CONCURRENCY: "2" });
    await using client = await TestStream.open(wep.port);
    const spinning = assignment({ taskKind: "demo.spin", heartbeatIntervalS: 1 });
    client.send("assign", spinning);
    await client.next("ack");
    client.send("ping", { nonce: 7n });
    await client.next("pong");
    await client.next("progress");
    client.send("assign", greeting());
    expect(resultOf(await client.next("completion"))).toEqual({ greeting: "Hello, Ada" });
    expect((await fetch(`${wep.healthUrl}/healthz`)).status).toBe(200);
    client.send("cancel", { activityId: spinning.activityId, reason: "requested" });
    expect(await client.next("completion")).toMatchObject({ errorCode: 5001 });
  });

  it("announces classes with their slots, when it has any", async () => {
    await using wep = await listening({ WEP__RUNTIME__CLASSES__CPU: "2", WEP__RUNTIME__CLASSES__IO: "32" });
    await using client = await TestStream.open(wep.port);
    expect(await client.next("capabilities")).toMatchObject({
      maxConcurrency: 34,
      classes: [
        { name: "cpu", maxConcurrency: 2 },
        { name: "io", maxConcurrency: 32 },
      ],
    });
  });

  it("writes lines for people when told to", async () => {
    await using folder = await folderWith({ "handlers.ts": HANDLERS_TS });
    await using wep = startWep(["run", "--handlers", "handlers.ts", ...FREE_PORTS], {
      cwd: folder.path,
      env: { WEP__LOGGING__JSON: "false" },
    });
    await wep.printed(/^\d\d:\d\d:\d\d\.\d{3} INFO {2}wep listening {2}.*port=\d+/m);
    expect(wep.logs).toEqual([]);
  });

  it("ends at once, with 1, on a second signal", async () => {
    await using wep = await listening();
    await using client = await TestStream.open(wep.port);
    client.send("assign", assignment({ taskKind: "demo.wait" }));
    await client.next("ack");
    wep.process.child.kill("SIGINT");
    await client.next("drain");
    wep.process.child.kill("SIGINT");
    expect(await wep.process.exited).toBe(1);
  });
});

describe("wep does not start", () => {
  it("when its port is taken: 75, saying which and what to do", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => void taken.once("listening", resolve));
    const { port } = taken.address() as AddressInfo;
    await using wep = startWep(["run", "--port", String(port), "--health-port", "0"]);
    expect(await wep.exited).toBe(75);
    expect(wep.text.stderr).toContain(
      `127.0.0.1:${port} is taken; stop what listens there or choose another port`,
    );
    await using other = startWep(["run", "--port", "0", "--health-port", String(port)]);
    expect(await other.exited).toBe(75);
    taken.close();
  });

  it("with a wrong configuration: 78, listing the problems", async () => {
    await using wep = startWep(["run"], {
      env: { WEP__SERVER__PORT: "high", WEP__RUNTIME__MAX_CONCURENCY: "2" },
    });
    expect(await wep.exited).toBe(78);
    expect(wep.text.stderr).toContain("2 problems in the configuration");
    expect(wep.text.stderr).toContain("did you mean WEP__RUNTIME__MAX_CONCURRENCY?");
  });

  it("with a module that cannot be loaded: 78", async () => {
    await using wep = startWep(["run", "--handlers", "none.ts", ...FREE_PORTS]);
    expect(await wep.exited).toBe(78);
    expect(wep.text.stderr).toContain("none.ts: no such file");
  });

  it.each([
    [
      "has a syntax error",
      "export const = 1;",
      /\[BAD_MODULE\] .*a\.ts cannot be imported: SyntaxError.*run .*node .*a\.ts.* to see the place/s,
    ],
    ["cannot be stripped", "export enum Color { Red }", /replace enum, namespace and parameter properties/],
  ])("with a module that %s: 78, saying what to do", async (_, module, message) => {
    await using folder = await folderWith({ "a.ts": module });
    await using wep = startWep(["run", "--handlers", "a.ts", ...FREE_PORTS], { cwd: folder.path });
    expect(await wep.exited).toBe(78);
    expect(wep.text.stderr).toMatch(message);
  });

  it("with strict_specs and a handler that has no spec: 78", async () => {
    await using folder = await folderWith({ "handlers.ts": HANDLERS_TS });
    await using wep = startWep(["run", "--handlers", "handlers.ts", ...FREE_PORTS], {
      cwd: folder.path,
      env: { WEP__SPECS__STRICT_SPECS: "true" },
    });
    expect(await wep.exited).toBe(78);
    expect(wep.text.stderr).toContain("handler demo.greet 1.0.0 has no spec; add its kind, version and path");
  });

  it("on an address this machine does not have: 78", async () => {
    const env = { WEP__SERVER__ALLOW_PLAINTEXT: "true" };
    await using wep = startWep(["run", "--host", "203.0.113.7", ...FREE_PORTS], { env });
    expect(await wep.exited).toBe(78);
    expect(wep.text.stderr).toContain("[ADDRESS_UNUSABLE] cannot listen on 203.0.113.7:0");
  });

  it("in plain text where other hosts reach it: 78, saying how to have TLS", async () => {
    await using wep = startWep(["run", "--host", "0.0.0.0", ...FREE_PORTS]);
    expect(await wep.exited).toBe(78);
    expect(wep.text.stderr).toMatch(/other hosts can reach 0\.0\.0\.0.*server\.tls in wep\.yaml/);
  });
});
