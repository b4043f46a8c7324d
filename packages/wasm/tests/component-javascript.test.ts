import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createDeferred } from "@subnet-worker/testkit";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { createEgress } from "../../kit/src/egress/index.ts";
import { createEngine } from "../src/create-engine.ts";
import type { Program, RunRequest, SendRequest } from "../src/engine.ts";
import type { RunOutcome } from "../src/outcome.ts";
import { handlerInTypeScript } from "./_components.ts";

/** Building it takes most of a minute where it is not kept, and metering its engine of 12 MB some seconds. */
const BUILD_MS = 300_000;

// Fuel for longer than any machine runs in the time that a test gives.
const LOTS = 10n ** 15n;
const engine = createEngine({
  threads: 1,
  limits: { fuel: LOTS },
  moduleLimits: { compileMs: 120_000 },
});
afterAll(() => engine[Symbol.asyncDispose]());

let program: Program;
beforeAll(async () => {
  program = await engine.prepare(await handlerInTypeScript());
}, BUILD_MS);

const decoder = new TextDecoder();
/** Components in JavaScript import `wasi:http`, whether they use it or not. */
const sendsNothing: SendRequest = () => Promise.reject(new Error("nothing is sent here"));

function run(what: string, argument = "", request: RunRequest = {}) {
  const input = new TextEncoder().encode(JSON.stringify({ do: what, argument }));
  return engine.run(program, { input, inputType: "application/json", send: sendsNothing, ...request });
}

function outputOf(outcome: RunOutcome): string {
  if (outcome.kind !== "completed") {
    throw new Error(
      `${outcome.kind}: ${"message" in outcome ? outcome.message : ""} ${decoder.decode(outcome.stderr)}`,
    );
  }
  return decoder.decode(outcome.output);
}

describe("a component in TypeScript", () => {
  it("is one of the world handler", () => {
    expect(program.abi).toBe("handler");
  });

  it("computes, and says the type of what it gives back", async () => {
    const sorted = await run("sort", "3,1,2");
    expect(sorted).toMatchObject({ kind: "completed", outputType: "application/json" });
    expect(outputOf(sorted)).toBe("[1,2,3]");
    expect(await run("echo", "grüß dich")).toMatchObject({ outputType: "text/plain; charset=utf-8" });
    expect(outputOf(await run("echo", "grüß dich"))).toBe("grüß dich");
    expect(outputOf(await run("bytes", "ab"))).toBe("ab");
  });

  it("fails with its own code, and is told the case of its input", async () => {
    expect(await run("fail")).toMatchObject({
      kind: "guest_error",
      message: "it is no good",
      failure: { code: "no-good", isRetryable: true },
    });
    expect(await run("echo", "", { inputType: "text/plain" })).toMatchObject({
      kind: "guest_error",
      message: "it is text",
      failure: { code: "not-json", isRetryable: false },
    });
  });

  it("that throws what is no failure is stopped, and says where on stderr", async () => {
    const outcome = await run("throws");
    expect(outcome.kind).toBe("trap");
    expect(decoder.decode(outcome.stderr)).toContain("Stack:");
  });

  it("tells its progress, and what it prints is kept", async () => {
    const told: unknown[] = [];
    const outcome = await run("tell", "", {
      onProgress: (fraction, message) => told.push([fraction, message]),
      onLog: (level, message) => told.push([level, message]),
    });
    expect(told).toEqual([
      ["info", "begun"],
      [0.25, "a quarter"],
    ]);
    expect(decoder.decode(outcome.stderr)).toBe("on stdout\non stderr\n");
    expect(outputOf(outcome)).toBe("null");
  });

  it("burns the same on each run, and runs out one below", async () => {
    const { fuel, hostCalls } = await run("sort", "3,1,2");
    for (let repeat = 0; repeat < 3; repeat += 1) {
      expect(await run("sort", "3,1,2")).toMatchObject({ kind: "completed", fuel, hostCalls });
    }
    expect((await run("sort", "3,1,2", { limits: { fuel } })).kind).toBe("completed");
    expect((await run("sort", "3,1,2", { limits: { fuel: fuel - 1n } })).kind).toBe("out_of_fuel");
  });

  it("waits a minute of its own world at once", async () => {
    const outcome = await run("wait");
    expect(outputOf(outcome)).toBe("true");
    expect(outcome.timeMs).toBeLessThan(30_000);
  });
});

describe("its limits hold:", () => {
  afterAll(async () => {
    // Whatever was stopped, the next run on the same thread is right.
    expect(outputOf(await run("sort", "2,1"))).toBe("[1,2]");
  });

  it("fuel", async () => {
    expect((await run("spin", "", { limits: { fuel: 50_000_000n } })).kind).toBe("out_of_fuel");
  });

  it("time", async () => {
    expect((await run("spin", "", { limits: { fuel: LOTS, timeMs: 2_000 } })).kind).toBe("timed_out");
  });

  it("memory: growth fails in the program, which then ends itself", async () => {
    const outcome = await run("fill", "", { limits: { memoryBytes: 48 * 1024 * 1024 } });
    expect(["trap", "guest_error"]).toContain(outcome.kind);
    expect(outcome.memoryBytes).toBeLessThanOrEqual(48 * 1024 * 1024);
    expect(outcome.memoryBytes).toBeGreaterThan(40 * 1024 * 1024);
  });

  it("output", async () => {
    expect(outputOf(await run("much", "1000", { limits: { outputBytes: 1_000 } })).length).toBe(1_000);
    expect(await run("much", "1001", { limits: { outputBytes: 1_000 } })).toMatchObject({
      kind: "output_too_large",
      limitBytes: 1_000,
      actualBytes: 1_001,
    });
  });

  it("calls out", async () => {
    expect((await run("shout", "", { limits: { hostCalls: 200 } })).kind).toBe("too_many_host_calls");
  });
});

describe("what it cannot reach:", () => {
  it("time and randomness are those of its world: the same for a seed, and another for another", async () => {
    const seen = async (world: NonNullable<RunRequest["world"]>) =>
      outputOf(await run("world", "", { world }));
    const first = await seen({ kind: "seeded", seed: 5n, startMs: 1_000_000 });
    expect((JSON.parse(first) as unknown[]).slice(0, 2)).toEqual([1_000_000, 0]);
    expect(await seen({ kind: "seeded", seed: 5n, startMs: 1_000_000 })).toBe(first);
    expect(
      (JSON.parse(await seen({ kind: "seeded", seed: 6n, startMs: 1_000_000 })) as unknown[])[4],
    ).not.toBe((JSON.parse(first) as unknown[])[4]);
    expect((JSON.parse(await seen({ kind: "live" })) as number[])[0]).toBeGreaterThan(Date.UTC(2024, 0));
  });

  it("no process, no other runtime, no memory that is shared", async () => {
    const seen = JSON.parse(outputOf(await run("outside", "", { world: { kind: "live" } }))) as unknown;
    expect(seen).toMatchObject({ seen: [], process: expect.stringMatching(/^refused: /) as string });
  });

  it("no module, and so no file", async () => {
    for (const name of ["node:fs", "/etc/passwd", "./source.js", "data:text/javascript,export default 1"]) {
      const outcome = await run("load", name, { world: { kind: "live" } });
      expect(outcome.kind === "completed" ? decoder.decode(outcome.output) : outcome.kind).toMatch(
        /^(trap|"refused: )/,
      );
    }
  });
});

describe("HTTP", () => {
  it("is refused by name where a run may not send", async () => {
    const { send: _send, ...request } = { send: sendsNothing };
    const outcome = await engine.run(program, { ...request, inputType: "application/json" });
    expect(outcome.kind).toBe("refused_import");
    if (outcome.kind === "refused_import") expect(outcome.name).toMatch(/^wasi:http\/.*@0\.2\./);
  });

  it("goes through whoever sends for the run, with method, headers and body, and back", async () => {
    const seen: string[] = [];
    const server = createServer((request, response) => void answer(request, response));
    const answer = async (request: IncomingMessage, response: ServerResponse) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      seen.push(
        `${request.method} ${request.url} ${String(request.headers["x-mine"])} ${Buffer.concat(chunks).toString()}`,
      );
      response.writeHead(202, { "x-type": "answer" }).end("from outside");
    };
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const egress = createEgress({
      policy: { hosts: ["127.0.0.1"], ports: [port], schemes: ["http"], networks: ["127.0.0.1"] },
    });
    const send: SendRequest = (request, signal) => egress.send(request, signal);
    const outcome = await run("fetch", `http://127.0.0.1:${port}/a?b=c`, { send });
    expect(JSON.parse(outputOf(outcome))).toEqual({ status: 202, type: "answer", text: "from outside" });
    expect(seen).toEqual(["POST /a?b=c 1 from inside"]);

    // The same component, the same server, and a policy that does not name it.
    const closed = createEgress({ policy: { hosts: ["example.org"] } });
    const refused = await run("reach", `http://127.0.0.1:${port}/`, {
      send: (request, signal) => closed.send(request, signal),
    });
    expect(outputOf(refused)).toMatch(/refused: /);
    expect(seen.length).toBe(1);
  });

  it("that nobody answers ends with the run: by its time, and by a cancel", async () => {
    const asked = (request: RunRequest) => {
      const begun = createDeferred<AbortSignal>();
      const send: SendRequest = (_request, signal) => {
        begun.resolve(signal);
        return new Promise(() => undefined);
      };
      return { outcome: run("fetch", "http://a.example/", { send, ...request }), begun: begun.promise };
    };
    const late = asked({ limits: { timeMs: 3000 } });
    expect(await late.outcome).toMatchObject({ kind: "timed_out", limitMs: 3000 });
    expect((await late.begun).aborted).toBe(true);

    const leaving = new AbortController();
    const left = asked({ signal: leaving.signal });
    const signal = await left.begun;
    expect(signal.aborted).toBe(false);
    leaving.abort();
    const outcome = await left.outcome;
    expect(outcome.kind).toBe("cancelled");
    expect(outcome.fuel).toBeGreaterThan(0n);
    expect(signal.aborted).toBe(true);
    expect(outputOf(await run("reach", "https://example.org/"))).toMatch(/refused: /);
  });

  it("that is answered with what is no answer is an error inside", async () => {
    const answers = [undefined, { status: 200 }, { status: 200, headers: [[Symbol("x"), "y"]], body: [] }];
    for (const answer of answers) {
      const send = () => Promise.resolve(answer as never);
      expect(outputOf(await run("reach", "https://example.org/", { send }))).toMatch(/refused: /);
    }
  });

  it("that is refused outside is an error inside", async () => {
    expect(outputOf(await run("reach", "https://example.org/"))).toMatch(/refused: /);
  });
});
