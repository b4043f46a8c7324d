import { type Clock, systemClock } from "@subnet-worker/kit";
import { FakeClock, type HttpAnswer, type HttpRequest, ScriptedHttp } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import {
  JsonRpc,
  type JsonRpcOptions,
  RpcError,
  RpcUnavailable,
  redactUrl,
} from "../src/adapters/rpc/json-rpc.ts";
import { StoppedError } from "../src/ports.ts";
import { fastClock } from "./_fast-clock.ts";
import { captureLogs, type Logs } from "./_logs.ts";
import { settle, until } from "./_until.ts";

interface Call {
  readonly id: number;
  readonly method: string;
  readonly params: readonly unknown[];
}

interface Bench extends AsyncDisposable {
  readonly rpc: JsonRpc;
  readonly server: ScriptedHttp;
  readonly logs: Logs;
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
  const logs = captureLogs();
  const outcomes: string[] = [];
  const server = await ScriptedHttp.listen(echo);
  const { clock = fastClock(20), ...rest } = options;
  const rpc = new JsonRpc(
    { url: server.url, timeoutMs: 100_000, batchSize: 100, ...rest },
    {
      clock,
      logger: logs.logger,
      signal: stop.signal,
      onCall: (method, outcome) => outcomes.push(`${method} ${outcome}`),
    },
  );
  return {
    rpc,
    server,
    logs,
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

/** Lets the first `count` requests fail with `answer`. */
function failFirst(server: ScriptedHttp, count: number, answer: HttpAnswer): void {
  server.answer = (request) => (server.requests.length <= count ? answer : echo(request));
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

  it("that the answer leaves out are asked again, and the others are not", async () => {
    await using bench = await start();
    bench.server.answer = (request) => {
      if (bench.server.requests.length > 1) return echo(request);
      return { kind: "json", value: (request.body as Call[]).filter(({ id }) => id !== 1).map(reply) };
    };
    expect(await Promise.all([1, 2, 3].map((n) => bench.rpc.call("get", [n])))).toEqual([
      "get(1)",
      "get(2)",
      "get(3)",
    ]);
    expect(bench.sizes()).toEqual([3, 1]);
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
    const results = await Promise.all([1, 2, 3].map((number) => bench.rpc.call("get", [number])));
    expect(results).toEqual(["get(1)", "get(2)", "get(3)"]);
    await Promise.all([4, 5].map((number) => bench.rpc.call("get", [number])));
    expect(bench.sizes()).toEqual([3, 1, 1, 1, 1, 1]);
  });

  it("is not what one that only lost all but one answer is", async () => {
    await using bench = await start();
    bench.server.answer = (request) =>
      bench.server.requests.length === 1
        ? { kind: "json", value: (request.body as Call[]).slice(0, 1).map(reply) }
        : echo(request);
    await Promise.all([1, 2].map((number) => bench.rpc.call("get", [number])));
    await Promise.all([3, 4].map((number) => bench.rpc.call("get", [number])));
    expect(bench.sizes()).toEqual([2, 1, 2]);
  });
});

describe("a read", () => {
  const failures: readonly (readonly [string, HttpAnswer])[] = [
    ["HTTP 429 in HTML", { kind: "text", text: "<html>Too Many Requests</html>", status: 429 }],
    [
      "HTTP 429 with a JSON-RPC error",
      {
        kind: "json",
        status: 429,
        value: {
          jsonrpc: "2.0",
          id: 0,
          error: { code: -32005, message: "daily request count exceeded, request rate limited" },
        },
      },
    ],
    [
      "a rate limit under HTTP 200",
      {
        kind: "json",
        value: {
          jsonrpc: "2.0",
          id: 0,
          error: { code: 429, message: "Your app has exceeded its compute units per second capacity." },
        },
      },
    ],
    [
      "a block that this node has not got yet",
      {
        kind: "json",
        value: { jsonrpc: "2.0", id: 0, error: { code: -32000, message: "header not found" } },
      },
    ],
    [
      "HTTP 502 in HTML",
      { kind: "text", text: "<html><head><title>502 Bad Gateway</title></head></html>", status: 502 },
    ],
    [
      "HTTP 503 with a JSON-RPC error",
      {
        kind: "json",
        status: 503,
        value: { jsonrpc: "2.0", id: 0, error: { code: -32603, message: "no backend" } },
      },
    ],
    ["HTTP 200 in HTML", { kind: "text", text: "<html>Please log in</html>" }],
    ["an empty body", { kind: "text", text: "" }],
    ["JSON that is no JSON-RPC", { kind: "json", value: { message: "hello" } }],
    ["null", { kind: "json", value: null }],
    ["a list of null", { kind: "json", value: [null] }],
    ["an answer to another question", { kind: "json", value: { jsonrpc: "2.0", id: 77, result: "0x1" } }],
    ["a connection that is reset", { kind: "reset" }],
    [
      "a connection that is reset in the middle of the body",
      { kind: "cut", text: '{"jsonrpc":"2.0","id":0,"res' },
    ],
  ];
  it.each(failures)("is tried again after %s", async (_what, answer) => {
    await using bench = await start();
    failFirst(bench.server, 2, answer);
    expect(await bench.rpc.call("get", [1])).toBe("get(1)");
    expect(bench.server.requests).toHaveLength(3);
    expect(bench.rpc.failure).toBeUndefined();
  });

  it.each<readonly [string, HttpAnswer]>([
    ["a silent endpoint", { kind: "silence" }],
    ["one that stalls in the middle of the body", { kind: "stall", text: '{"jsonrpc":' }],
  ])("is given up on and tried again with %s", async (_what, answer) => {
    const clock = new FakeClock();
    await using bench = await start({ clock, timeoutMs: 10_000 });
    failFirst(bench.server, 1, answer);
    const result = bench.rpc.call("get", [1]);
    await until(() => bench.server.requests.length === 1);
    await settle();
    expect(bench.rpc.failure).toBeUndefined();
    await clock.advance(10_000);
    await until(() => bench.rpc.failure !== undefined);
    expect(bench.rpc.failure).toBe(`[RPC_UNAVAILABLE] ${bench.server.url}: no answer within 10000 ms`);
    await clock.whenPending();
    await clock.advance(100);
    expect(await result).toBe("get(1)");
    expect(bench.rpc.failure).toBeUndefined();
  });

  it("is not tried again when the node says no for good", async () => {
    await using bench = await start();
    bench.server.answer = () => ({
      kind: "json",
      value: { jsonrpc: "2.0", id: 0, error: { code: -32601, message: "the method foo does not exist" } },
    });
    await expect(bench.rpc.call("foo", [])).rejects.toThrow(RpcError);
    expect(bench.server.requests).toHaveLength(1);
  });

  it("makes itself heard when it has failed three times, once", async () => {
    await using bench = await start();
    failFirst(bench.server, 5, { kind: "reset" });
    await bench.rpc.call("get", [1]);
    expect(bench.logs.at("warn")).toEqual([
      "the RPC endpoint does not answer; trying on (check ethereum.rpc_url)",
    ]);
  });

  it("reports the endpoint as failing while nothing but refusals to serve come from it", async () => {
    const clock = new FakeClock();
    await using bench = await start({ clock });
    failFirst(bench.server, 4, {
      kind: "json",
      value: { jsonrpc: "2.0", id: 0, error: { code: 429, message: "rate limit exceeded" } },
    });
    const result = bench.rpc.call("get", [1]);
    for (let tries = 1; tries <= 4; tries += 1) {
      await until(() => bench.server.requests.length === tries);
      await clock.whenPending();
      await settle();
      expect(bench.rpc.failure === undefined).toBe(tries < 3);
      if (tries === 3) expect(bench.rpc.failure).toContain("rate limit exceeded");
      await clock.advance(1_000);
    }
    expect(await result).toBe("get(1)");
    expect(bench.rpc.failure).toBeUndefined();
  });
});

describe("one try", () => {
  it.each<readonly [string, HttpAnswer]>([
    ["a reset", { kind: "reset" }],
    ["HTTP 502", { kind: "text", text: "bad gateway", status: 502 }],
    [
      "HTTP 429 with a JSON-RPC error",
      {
        kind: "json",
        status: 429,
        value: { jsonrpc: "2.0", id: 0, error: { code: 429, message: "slow down" } },
      },
    ],
  ])("is one try also after %s", async (_what, answer) => {
    await using bench = await start();
    bench.server.answer = () => answer;
    await expect(bench.rpc.once("eth_sendRawTransaction", ["0x02"])).rejects.toThrow(RpcUnavailable);
    await settle();
    expect(bench.server.requests).toHaveLength(1);
    expect(bench.outcomes).toEqual(["eth_sendRawTransaction unavailable"]);
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
  it("ends requests under way and tries that wait for their turn", async () => {
    await using bench = await start({ clock: new FakeClock() });
    bench.server.answer = ({ body }) =>
      (body as Call).method === "slow" ? { kind: "silence" } : { kind: "reset" };
    const slow = bench.rpc.call("slow", []);
    await until(() => bench.server.requests.length === 1);
    const broken = bench.rpc.call("broken", []);
    await until(() => bench.rpc.failure !== undefined);
    bench.stop();
    await expect(slow).rejects.toThrow(StoppedError);
    await expect(broken).rejects.toThrow(StoppedError);
    await expect(bench.rpc.call("late", [])).rejects.toThrow(StoppedError);
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
          { clock: systemClock, logger: logs.logger, signal: stop.signal },
        );
        for (const answer of answers) {
          server.answer = () => answer;
          const [outcome] = await Promise.allSettled([rpc.once("get", []), rpc.once("get", [])]);
          const said = `${String(outcome.status === "rejected" ? outcome.reason : "")} ${rpc.failure ?? ""}`;
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
      { clock: systemClock, logger: captureLogs().logger, signal: stop.signal },
    );
    expect(await rpc.once("get", [1])).toBe("get(1)");
    expect(server.requests[0]?.headers.authorization).toBe(
      `Basic ${Buffer.from("us@er:p:ss").toString("base64")}`,
    );
    expect(server.requests[0]?.path).toBe("/path?key=1");
  });
});
