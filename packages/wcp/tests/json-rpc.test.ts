import { type Clock, systemClock } from "@subnet-worker/kit";
import { FakeClock, type HttpAnswer, type HttpRequest, ScriptedHttp } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import { JsonRpc, type JsonRpcOptions, redactUrl } from "../src/adapters/rpc/json-rpc.ts";
import { parseRetryAfter } from "../src/adapters/rpc/retry-after.ts";
import { RpcError, RpcUnavailable } from "../src/adapters/rpc/rpc-error.ts";
import { StoppedError } from "../src/ports.ts";
import { fastClock } from "./_fast-clock.ts";
import { captureLogs } from "./_logs.ts";
import { type RpcCall as Call, UNUSABLE } from "./_rpc-bench.ts";
import { settle, until } from "./_until.ts";

interface Bench extends AsyncDisposable {
  readonly rpc: JsonRpc;
  readonly server: ScriptedHttp;
  readonly outcomes: string[];
  /** How many calls each request carried. */
  sizes(): number[];
  stop(): void;
}

interface BenchOptions extends Partial<JsonRpcOptions> {
  readonly clock?: Clock;
}

/** A client of a server that answers each method with its name and parameters. */
async function start(options: BenchOptions = {}): Promise<Bench> {
  const stop = new AbortController();
  const outcomes: string[] = [];
  const server = await ScriptedHttp.listen(echo);
  const { clock = fastClock(20), ...rest } = options;
  const rpc = new JsonRpc(
    { url: server.url, timeoutMs: 100_000, batchSize: 100, ...rest },
    { clock, signal: stop.signal, onCall: (method, outcome) => void outcomes.push(`${method} ${outcome}`) },
  );
  return {
    rpc,
    server,
    outcomes,
    sizes: () => server.requests.map(({ body }) => (Array.isArray(body) ? body.length : 1)),
    stop: () => stop.abort(),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await server[Symbol.asyncDispose]();
    },
  };
}

function reply({ id, method, params }: Call) {
  return { jsonrpc: "2.0", id, result: `${method}(${params.join()})` };
}

function echo({ body }: HttpRequest): HttpAnswer {
  const value = Array.isArray(body) ? (body as Call[]).map(reply) : reply(body as Call);
  return { kind: "json", value };
}

describe("calls of one turn", () => {
  it("travel in one request, and each gets its own answer in whatever order they come", async () => {
    await using bench = await start();
    bench.server.answer = ({ body }) => ({ kind: "json", value: (body as Call[]).map(reply).toReversed() });
    const results = await Promise.all([1, 2, 3].map((number) => bench.rpc.once("get", [number])));
    expect(results).toEqual(["get(1)", "get(2)", "get(3)"]);
    expect(bench.sizes()).toEqual([3]);
    expect(bench.outcomes).toEqual(["get ok", "get ok", "get ok"]);
  });

  it("are no array when there is only one of them", async () => {
    await using bench = await start();
    expect(await bench.rpc.once("get", ["a"])).toBe("get(a)");
    expect(bench.server.requests[0]?.body).toEqual({ jsonrpc: "2.0", id: 0, method: "get", params: ["a"] });
    expect(bench.server.requests[0]?.headers["content-type"]).toBe("application/json");
  });

  it("are split where they are more than a request may carry", async () => {
    await using bench = await start({ batchSize: 2 });
    await Promise.all([1, 2, 3, 4, 5].map((number) => bench.rpc.once("get", [number])));
    expect(bench.sizes().toSorted((a, b) => a - b)).toEqual([1, 2, 2]);
  });

  it("fail each for itself", async () => {
    await using bench = await start();
    bench.server.answer = ({ body }) => ({
      kind: "json",
      value: (body as Call[]).map((call) =>
        call.params[0] === 2
          ? { jsonrpc: "2.0", id: call.id, error: { code: 3, message: "no", data: "0x01" } }
          : reply(call),
      ),
    });
    const [first, second, third] = await Promise.allSettled([1, 2, 3].map((n) => bench.rpc.once("get", [n])));
    expect([first, third]).toEqual([
      { status: "fulfilled", value: "get(1)" },
      { status: "fulfilled", value: "get(3)" },
    ]);
    expect(second).toMatchObject({ reason: { name: "RpcError", code: 3, message: "no", data: "0x01" } });
    expect(bench.outcomes).toEqual(["get ok", "get error", "get ok"]);
  });

  it("that the answer leaves out have none, and the others have theirs", async () => {
    await using bench = await start();
    bench.server.answer = ({ body }) => ({
      kind: "json",
      value: (body as Call[]).filter(({ id }) => id !== 1).map(reply),
    });
    const outcomes = await Promise.allSettled([1, 2, 3].map((n) => bench.rpc.once("get", [n])));
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(outcomes[1]).toMatchObject({ reason: { name: "RpcUnavailable" } });
  });

  it("that ask the same are one call, and those of the next turn are asked anew", async () => {
    await using bench = await start();
    let answered = 0;
    bench.server.answer = ({ body }) => {
      answered += 1;
      return { kind: "json", value: { jsonrpc: "2.0", id: (body as Call).id, result: answered } };
    };
    const both = Promise.all([
      bench.rpc.once("get", [{ at: "0x1" }]),
      bench.rpc.once("get", [{ at: "0x1" }]),
    ]);
    expect(await both).toEqual([1, 1]);
    expect(await bench.rpc.once("get", [{ at: "0x1" }])).toBe(2);
    expect(bench.outcomes).toEqual(["get ok", "get ok"]);
  });

  it("that send the same are two: each wants to know what became of its own", async () => {
    await using bench = await start();
    const send = () => bench.rpc.once("eth_sendRawTransaction", ["0x02"]);
    await Promise.all([send(), send()]);
    expect(bench.sizes()).toEqual([2]);
  });
});

describe("an endpoint that refuses batches", () => {
  const refusals: readonly (readonly [string, HttpAnswer])[] = [
    [
      "an error object",
      {
        kind: "json",
        value: { jsonrpc: "2.0", id: null, error: { code: -32600, message: "Invalid Request" } },
      },
    ],
    [
      "a list of one error",
      {
        kind: "json",
        value: [{ jsonrpc: "2.0", id: null, error: { code: -32600, message: "batch too large" } }],
      },
    ],
    ["HTTP 400 in plain text", { kind: "text", text: "batch requests are not allowed", status: 400 }],
    ["HTTP 413 in HTML", { kind: "text", text: "<html>Request Entity Too Large</html>", status: 413 }],
  ];
  it.each(refusals)("with %s gets its calls one by one from then on", async (_what, answer) => {
    await using bench = await start();
    bench.server.answer = (request) => (Array.isArray(request.body) ? answer : echo(request));
    const results = await Promise.all([1, 2, 3].map((number) => bench.rpc.once("get", [number])));
    expect(results).toEqual(["get(1)", "get(2)", "get(3)"]);
    await Promise.all([4, 5].map((number) => bench.rpc.once("get", [number])));
    expect(bench.sizes()).toEqual([3, 1, 1, 1, 1, 1]);
  });

  it("of more than a few gets half as many until it takes them", async () => {
    await using bench = await start();
    bench.server.answer = (request) =>
      (request.body as Call[]).length > 3
        ? {
            kind: "json",
            value: { jsonrpc: "2.0", id: null, error: { code: 31, message: "batch of more than 3" } },
          }
        : echo(request);
    const numbers = Array.from({ length: 12 }, (_each, index) => index);
    const results = await Promise.all(numbers.map((number) => bench.rpc.once("get", [number])));
    expect(results).toEqual(numbers.map((number) => `get(${number})`));
    expect(bench.sizes()).toEqual([12, 6, 6, 3, 3, 3, 3]);
    await Promise.all(numbers.map((number) => bench.rpc.once("get", [number])));
    expect(bench.sizes().slice(7)).toEqual([3, 3, 3, 3]);
  });

  it("is not what one that only lost all but one answer is", async () => {
    await using bench = await start();
    bench.server.answer = (request) =>
      bench.server.requests.length === 1
        ? { kind: "json", value: (request.body as Call[]).slice(0, 1).map(reply) }
        : echo(request);
    await Promise.allSettled([1, 2].map((number) => bench.rpc.once("get", [number])));
    await Promise.all([3, 4].map((number) => bench.rpc.once("get", [number])));
    expect(bench.sizes()).toEqual([2, 2]);
  });
});

describe("one try", () => {
  it.each(UNUSABLE)("is one try also after %s", async (_what, answer) => {
    await using bench = await start();
    bench.server.answer = () => answer;
    await expect(bench.rpc.once("eth_sendRawTransaction", ["0x02"])).rejects.toThrow(RpcUnavailable);
    await settle();
    expect(bench.server.requests).toHaveLength(1);
    expect(bench.outcomes).toEqual(["eth_sendRawTransaction unavailable"]);
  });

  it.each<readonly [string, HttpAnswer]>([
    ["a silent endpoint", { kind: "silence" }],
    ["one that stalls in the middle of the body", { kind: "stall", text: '{"jsonrpc":' }],
  ])("is given up after its time with %s", async (_what, answer) => {
    const clock = new FakeClock();
    await using bench = await start({ clock, timeoutMs: 10_000 });
    bench.server.answer = () => answer;
    const outcome = Promise.allSettled([bench.rpc.once("get", [1])]);
    await until(() => bench.server.requests.length === 1);
    await settle();
    await clock.advance(9_999);
    expect(bench.outcomes).toEqual([]);
    await clock.advance(1);
    expect(await outcome).toMatchObject([
      {
        reason: {
          message: `[RPC_UNAVAILABLE] ${bench.server.url}: no answer within 10000 ms`,
          isTimeout: true,
        },
      },
    ]);
  });

  it.each([401, 403])("names the key where the endpoint answers HTTP %i", async (status) => {
    await using bench = await start();
    bench.server.answer = () => ({ kind: "text", text: "no", status });
    const calls = [bench.rpc.once("get", [1]), bench.rpc.once("get", [2])];
    for (const { reason } of (await Promise.allSettled(calls)) as PromiseRejectedResult[]) {
      expect(String(reason)).toContain("check the key in ethereum.rpc_url");
    }
    expect(bench.sizes()).toEqual([2]);
  });

  it("keeps the node's own error", async () => {
    await using bench = await start();
    bench.server.answer = () => ({
      kind: "json",
      value: { jsonrpc: "2.0", id: 0, error: { code: -32601, message: "the method foo does not exist" } },
    });
    await expect(bench.rpc.once("foo", [])).rejects.toThrow(RpcError);
    expect(bench.outcomes).toEqual(["foo error"]);
  });

  it("keeps what a node says without a message", async () => {
    await using bench = await start();
    bench.server.answer = () => ({
      kind: "json",
      value: { jsonrpc: "2.0", id: 0, error: { code: -32000, reason: "odd" } },
    });
    await expect(bench.rpc.once("get", [])).rejects.toThrow('{"code":-32000,"reason":"odd"}');
  });
});

describe("the end of the process", () => {
  it("ends requests under way", async () => {
    await using bench = await start({ clock: new FakeClock() });
    bench.server.answer = () => ({ kind: "silence" });
    const slow = bench.rpc.once("slow", []);
    await until(() => bench.server.requests.length === 1);
    bench.stop();
    await expect(slow).rejects.toThrow(StoppedError);
    await expect(bench.rpc.once("late", [])).rejects.toThrow(StoppedError);
  });

  it("lets no new request out, which could hold it up", async () => {
    await using bench = await start();
    bench.server.answer = () => ({ kind: "silence" });
    bench.stop();
    await expect(bench.rpc.once("eth_sendRawTransaction", ["0x02"])).rejects.toThrow(StoppedError);
    expect(bench.server.requests).toEqual([]);
  });
});

describe("secrets in the URL", () => {
  it("are never shown, whatever goes wrong", async () => {
    const answers: readonly HttpAnswer[] = [
      { kind: "reset" },
      { kind: "cut", text: "{" },
      { kind: "text", text: "<html>", status: 500 },
      { kind: "json", value: { jsonrpc: "2.0", id: null, error: { code: -32600, message: "no batches" } } },
    ];
    await using server = await ScriptedHttp.listen(echo);
    for (const path of ["/v3/SECRETKEY", "/?apikey=SECRETKEY", "/#SECRETKEY"]) {
      for (const url of [
        `${server.url}${path}`,
        `http://user:SECRETKEY@127.0.0.1:${server.port}${path}`,
        `http://127.0.0.1:1${path}`,
      ]) {
        const logs = captureLogs();
        const stop = new AbortController();
        const rpc = new JsonRpc(
          { url, timeoutMs: 500, batchSize: 9 },
          { clock: systemClock, signal: stop.signal },
        );
        for (const answer of answers) {
          server.answer = () => answer;
          const [outcome] = await Promise.allSettled([rpc.once("get", [1]), rpc.once("get", [2])]);
          const said = String(outcome.status === "rejected" ? outcome.reason : "");
          expect(said).not.toContain("SECRETKEY");
          logs.logger.error({ err: outcome.status === "rejected" ? outcome.reason : undefined }, "logged");
        }
        expect(logs.text()).not.toContain("SECRETKEY");
        expect(logs.text()).toContain("logged");
        stop.abort();
      }
    }
    expect(redactUrl("https://user:pw@rpc.example:8545/v3/key?x=1")).toBe("https://rpc.example:8545");
  });

  it("in front of the host go into a header, which is where a server looks for them", async () => {
    await using server = await ScriptedHttp.listen(echo);
    const url = `http://us%40er:p%3Ass@127.0.0.1:${server.port}/path?key=1`;
    const stop = new AbortController();
    const rpc = new JsonRpc(
      { url, timeoutMs: 5_000, batchSize: 9 },
      { clock: systemClock, signal: stop.signal },
    );
    expect(await rpc.once("get", [1])).toBe("get(1)");
    expect(server.requests[0]?.headers.authorization).toBe(
      `Basic ${Buffer.from("us@er:p:ss").toString("base64")}`,
    );
    expect(server.requests[0]?.path).toBe("/path?key=1");
  });
});

describe("Retry-After", () => {
  const nowMs = Date.UTC(2026, 0, 1);

  it.each<readonly [string | null, number | undefined]>([
    ["2", 2_000],
    ["0.5", 500],
    [" 30 ", 30_000],
    ["Thu, 01 Jan 2026 00:00:45 GMT", 45_000],
    ["Wed, 31 Dec 2025 23:59:00 GMT", 0],
    ["86400", 600_000],
    ["0", 0],
    [null, undefined],
    ["", undefined],
    ["soon", undefined],
    ["-5", undefined],
  ])("of %s is %s ms", (header, expected) => {
    expect(parseRetryAfter(header, nowMs)).toBe(expected);
  });
});
