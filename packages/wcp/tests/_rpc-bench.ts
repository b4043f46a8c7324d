import type { Clock } from "@subnet-worker/kit";
import { type HttpAnswer, type HttpRequest, ScriptedHttp } from "@subnet-worker/testkit";
import { RpcPool, type RpcPoolOptions } from "../src/adapters/rpc/pool.ts";
import type { Ask } from "../src/adapters/rpc/rpc.ts";
import { captureLogs, type Logs } from "./_logs.ts";
import { fastClock } from "./_fast-clock.ts";

export interface RpcCall {
  readonly id: number;
  readonly method: string;
  readonly params: readonly unknown[];
}

export interface NodeError {
  readonly error: { readonly code: number; readonly message: string; readonly data?: unknown };
}

export type NodeAnswer = (params: readonly unknown[]) => unknown;

export const CHAIN_ID = 7n;

export function refusal(code: number, message: string, data?: unknown): NodeError {
  return { error: { code, message, data } };
}

/** A block as JSON-RPC has it. */
export function aBlock(number: number, hash = `0xh${number}`, parentHash = `0xh${number - 1}`) {
  return {
    number: `0x${number.toString(16)}`,
    hash,
    parentHash,
    timestamp: `0x${(1_000 + number).toString(16)}`,
    gasLimit: "0x1c9c380",
    baseFeePerGas: "0x7",
    logsBloom: "0x00",
  };
}

/** A node whose every answer is the test's. Knows its chain id and its newest block by itself. */
export class ScriptedNode implements AsyncDisposable {
  readonly http: ScriptedHttp;
  chainId = CHAIN_ID;
  /** Number of its newest block. */
  block: number;
  /** What it answers every request with, instead. */
  fault: HttpAnswer | undefined;
  /** The same for the next requests, one each. */
  readonly faults: HttpAnswer[] = [];
  /** By method; a {@link NodeError} is an error. What is not here is answered with the method's name. */
  readonly answers: Record<string, NodeAnswer> = {
    eth_chainId: () => `0x${this.chainId.toString(16)}`,
    eth_blockNumber: () => `0x${this.block.toString(16)}`,
    eth_getBlockByNumber: () => aBlock(this.block),
  };
  /** Methods asked for, in order. */
  readonly asked: string[] = [];
  /** Calls in each request. */
  readonly sizes: number[] = [];

  private constructor(http: ScriptedHttp, block: number) {
    this.http = http;
    this.block = block;
    http.answer = (request) => this.#answer(request);
  }

  static async listen(block = 100): Promise<ScriptedNode> {
    return new ScriptedNode(await ScriptedHttp.listen(() => ({ kind: "silence" })), block);
  }

  /** How often a method was asked for. */
  count(method: string): number {
    return this.asked.filter((each) => each === method).length;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.http[Symbol.asyncDispose]();
  }

  #answer({ body }: HttpRequest): HttpAnswer {
    const calls = (Array.isArray(body) ? body : [body]) as readonly RpcCall[];
    this.asked.push(...calls.map(({ method }) => method));
    this.sizes.push(calls.length);
    const fault = this.faults.shift() ?? this.fault;
    if (fault !== undefined) return fault;
    const replies = calls.map((call) => this.#reply(call));
    return { kind: "json", value: Array.isArray(body) ? replies : replies[0] };
  }

  #reply({ id, method, params }: RpcCall): unknown {
    const answer = this.answers[method];
    const value = answer === undefined ? method : answer(params);
    const isError = typeof value === "object" && value !== null && "error" in value;
    return { jsonrpc: "2.0", id, ...(isError ? value : { result: value }) };
  }
}

export interface PoolBench extends AsyncDisposable {
  readonly pool: RpcPool;
  readonly nodes: readonly ScriptedNode[];
  /** The nodes of a pool of two; the second is the first where there is one. */
  readonly a: ScriptedNode;
  readonly b: ScriptedNode;
  readonly logs: Logs;
  /** Method and outcome of each call. */
  readonly outcomes: string[];
  stop(): void;
}

export interface PoolBenchOptions extends Partial<RpcPoolOptions> {
  readonly clock?: Clock;
}

/** A pool over nodes of one chain, whose newest blocks are given. Default clock: 20 times as fast as ours. */
export async function startPool(
  blocks: readonly number[],
  options: PoolBenchOptions = {},
): Promise<PoolBench> {
  const { clock = fastClock(20), ...rest } = options;
  const nodes = await Promise.all(blocks.map((block) => ScriptedNode.listen(block)));
  const stop = new AbortController();
  const logs = captureLogs();
  const outcomes: string[] = [];
  const pool = new RpcPool(
    {
      urls: nodes.map(({ http }) => http.url),
      chainId: CHAIN_ID,
      timeoutMs: 100_000,
      batchSize: 100,
      ...rest,
    },
    {
      clock,
      logger: logs.logger,
      signal: stop.signal,
      onCall: (method, outcome) => void outcomes.push(`${method} ${outcome}`),
    },
  );
  const [a, b = a] = nodes;
  if (a === undefined || b === undefined) throw new Error("a pool has nodes");
  return {
    pool,
    nodes,
    a,
    b,
    logs,
    outcomes,
    stop: () => stop.abort(),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await Promise.all(nodes.map((node) => node[Symbol.asyncDispose]()));
    },
  };
}

/** A question whose answer is taken as it is. */
export function ask(method: string, ...params: unknown[]): Ask<unknown> {
  return { method, params, read: (raw) => raw };
}

/** Answers that are none. */
export const UNUSABLE: readonly (readonly [what: string, answer: HttpAnswer])[] = [
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
