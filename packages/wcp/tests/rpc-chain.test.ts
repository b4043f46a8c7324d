import { decodeContractError, taskQueueInterface } from "@subnet-worker/contracts";
import { systemClock } from "@subnet-worker/kit";
import { type HttpAnswer, ScriptedHttp } from "@subnet-worker/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseHead, RpcChain } from "../src/adapters/rpc/chain.ts";
import { JsonRpc, RpcError } from "../src/adapters/rpc/json-rpc.ts";
import { createLocalSigner } from "../src/adapters/signer.ts";
import { CallReverted, StoppedError } from "../src/ports.ts";
import { DevChain, WORKER_KEY } from "./_anvil-lane.ts";
import { idOf } from "./_builders.ts";
import { captureLogs } from "./_logs.ts";
import { settle } from "./_until.ts";

interface Call {
  readonly id: number;
  readonly method: string;
  readonly params: readonly unknown[];
}

interface Bench extends AsyncDisposable {
  readonly chain: RpcChain;
  readonly server: ScriptedHttp;
  readonly stop: AbortController;
}

function createChain(url: string, signal: AbortSignal): RpcChain {
  const rpc = new JsonRpc(
    { url, timeoutMs: 5_000, batchSize: 100 },
    { clock: systemClock, logger: captureLogs().logger, signal },
  );
  return new RpcChain({
    rpc,
    decodeRevert: (data) => decodeContractError(data) ?? { name: "", message: `unknown ${data}` },
  });
}

/** A chain that answers by method. */
async function scripted(results: Readonly<Record<string, unknown>>): Promise<Bench> {
  const server = await ScriptedHttp.listen(({ body }) => {
    const reply = ({ id, method }: Call) => ({ jsonrpc: "2.0", id, result: results[method] ?? null });
    const value = Array.isArray(body) ? (body as Call[]).map(reply) : reply(body as Call);
    return { kind: "json", value };
  });
  const stop = new AbortController();
  return {
    chain: createChain(server.url, stop.signal),
    server,
    stop,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await server[Symbol.asyncDispose]();
    },
  };
}

function refuse(code: number, message: string, data?: unknown): HttpAnswer {
  return { kind: "json", value: { jsonrpc: "2.0", id: 0, error: { code, message, data } } };
}

describe("a transaction", () => {
  it.each<readonly [string, HttpAnswer]>([
    ["the connection is reset", { kind: "reset" }],
    ["the answer breaks off", { kind: "cut", text: '{"jsonrpc":"2.0","id":0,"result":"0x' }],
    ["a gateway answers in HTML", { kind: "text", text: "<html>", status: 502 }],
    ["a gateway limits the rate", refuse(429, "rate limit exceeded")],
  ])("is sent once and its fate is unknown when %s", async (_what, answer) => {
    await using bench = await scripted({});
    bench.server.answer = () => answer;
    expect(await bench.chain.send("0x02")).toMatchObject({ kind: "unknown" });
    await settle();
    expect(bench.server.requests).toHaveLength(1);
  });

  it("is taken as sent when the message that says so is in the error's data", async () => {
    await using bench = await scripted({});
    bench.server.answer = () => refuse(-32603, "Internal error", "tx already exists in cache");
    expect(await bench.chain.send("0x02")).toEqual({ kind: "accepted" });
  });

  it("is not sent by a process that is stopping", async () => {
    await using bench = await scripted({});
    bench.stop.abort();
    await expect(bench.chain.send("0x02")).rejects.toThrow(StoppedError);
    expect(bench.server.requests).toEqual([]);
  });
});

describe("the gas of a call", () => {
  const claim = { to: "0xc0", data: `0x12345678${"00".repeat(32)}` };

  /** A node that answers each method as told, in one word per request it got. */
  async function gasBench(answers: Readonly<Record<string, () => HttpAnswer>>) {
    const bench = await scripted({});
    const asked: string[] = [];
    bench.server.answer = ({ body }) => {
      const { method, params } = body as Call;
      const gas = (params[0] as { readonly gas?: string }).gas;
      asked.push(gas === undefined ? method : `${method} within ${Number(gas)}`);
      return answers[method]?.() ?? refuse(-32601, `no method ${method}`);
    };
    return { ...bench, asked };
  }
  const result = (value: string): HttpAnswer => ({
    kind: "json",
    value: { jsonrpc: "2.0", id: 0, result: value },
  });

  it("is estimated once per shape; the next call of that shape is only tried within it", async () => {
    await using bench = await gasBench({
      eth_estimateGas: () => result("0x64"),
      eth_call: () => result("0x"),
    });
    expect(await bench.chain.estimateGas(claim)).toBe(100n);
    expect(await bench.chain.estimateGas({ ...claim, data: claim.data.replace(/0$/, "1") })).toBe(100n);
    expect(await bench.chain.estimateGas({ ...claim, data: `${claim.data}00` })).toBe(100n);
    expect(bench.asked).toEqual(["eth_estimateGas", "eth_call within 100", "eth_estimateGas"]);
  });

  it("is estimated again when it was not enough, in whatever words a node says so, and never falls", async () => {
    const estimates = ["0x64", "0xc8", "0x96"];
    await using bench = await gasBench({
      eth_estimateGas: () => result(estimates.shift() ?? "0x0"),
      eth_call: () => refuse(-32603, "EVM error ReentrancySentryOOG"),
    });
    expect(await bench.chain.estimateGas(claim)).toBe(100n);
    expect(await bench.chain.estimateGas(claim)).toBe(200n);
    expect(await bench.chain.estimateGas(claim)).toBe(200n);
    expect(await bench.chain.estimateGas(claim)).toBe(200n);
    expect(bench.asked.filter((each) => each.startsWith("eth_call"))).toEqual([
      "eth_call within 100",
      "eth_call within 200",
      "eth_call within 200",
    ]);
  });

  it("is not asked for when the contract says no", async () => {
    const refusal = taskQueueInterface.encodeErrorResult("UnknownActivity", [idOf(1)]);
    await using bench = await gasBench({
      eth_estimateGas: () => result("0x64"),
      eth_call: () => refuse(3, "execution reverted", refusal),
    });
    await bench.chain.estimateGas(claim);
    await expect(bench.chain.estimateGas(claim)).rejects.toMatchObject({
      revert: { name: "UnknownActivity" },
    });
    expect(bench.asked).toEqual(["eth_estimateGas", "eth_call within 100"]);
  });
});

describe("a read", () => {
  it("is told from a revert: an error of the node's own is an error", async () => {
    await using bench = await scripted({});
    bench.server.answer = () => refuse(-32602, "invalid argument 0");
    await expect(bench.chain.call({ to: "0x", data: "0x" })).rejects.toThrow(RpcError);
    bench.server.answer = () => refuse(3, "execution reverted", "0x1234");
    await expect(bench.chain.call({ to: "0x", data: "0x" })).rejects.toThrow(CallReverted);
    await expect(bench.chain.estimateGas({ to: "0x", data: "0x" })).rejects.toThrow("unknown 0x1234");
  });

  it("of a receipt understands one that is not there, one that failed and one from before 1559", async () => {
    const receipt = { transactionHash: "0xa1", blockNumber: "0x10", gasUsed: "0x5208", status: "0x0" };
    await using bench = await scripted({ eth_getTransactionReceipt: receipt });
    expect(await bench.chain.receipt("0xa1")).toEqual({
      txHash: "0xa1",
      blockNumber: 16,
      gasUsed: 21_000n,
      effectiveGasPriceWei: 0n,
      succeeded: false,
    });
    await using empty = await scripted({});
    expect(await empty.chain.receipt("0xa1")).toBeUndefined();
  });

  it("of logs asks by range and passes over what a reorg has removed", async () => {
    const log = { address: "0xa", topics: ["0x1"], data: "0x", blockNumber: "0x2" };
    await using bench = await scripted({ eth_getLogs: [log, { ...log, removed: true }] });
    const logs = await bench.chain.logs({
      address: "0xa",
      topics: ["0x1", null],
      fromBlock: 2,
      toBlock: 255,
    });
    expect(logs).toEqual([{ ...log, blockNumber: 2 }]);
    expect(bench.server.requests[0]?.body).toMatchObject({
      params: [{ address: "0xa", topics: ["0x1", null], fromBlock: "0x2", toBlock: "0xff" }],
    });
  });

  it("of the market's fees works on a chain without a base fee", async () => {
    const block = { number: "0x1", hash: "0xh", timestamp: "0x1" };
    await using bench = await scripted({ eth_getBlockByNumber: block, eth_maxPriorityFeePerGas: "0x7" });
    expect(await bench.chain.marketFees()).toEqual({ maxFeePerGasWei: 7n, maxPriorityFeePerGasWei: 7n });
  });
});

describe("a head", () => {
  it.each<readonly [string, unknown]>([
    ["nothing", undefined],
    ["null", null],
    ["a text", "0x1"],
    ["an object without fields", {}],
    ["a block without a hash", { number: "0x1", timestamp: "0x1" }],
    ["a pending block", { number: null, hash: null, timestamp: "0x1" }],
    ["a number that is none", { number: "one", hash: "0xh", timestamp: "0x1" }],
    ["a negative number", { number: "-1", hash: "0xh", timestamp: "0x1" }],
    ["a time that is none", { number: "0x1", hash: "0xh", timestamp: {} }],
    ["a fee that is none", { number: "0x1", hash: "0xh", timestamp: "0x1", baseFeePerGas: "much" }],
  ])("is not read out of %s", (_what, raw) => {
    expect(() => parseHead(raw)).toThrow(/^\[BAD_HEAD\] /);
  });

  it("is read out of a block", () => {
    expect(parseHead({ number: "0x10", hash: "0xh", timestamp: "0x65", baseFeePerGas: "0x7" })).toEqual({
      number: 16,
      hash: "0xh",
      timestampS: 101,
      baseFeePerGasWei: 7n,
    });
  });
});

describe("on anvil", () => {
  let dev: DevChain;
  let chain: RpcChain;
  const stop = new AbortController();
  const signer = createLocalSigner(WORKER_KEY, 31_337n);

  beforeAll(async () => {
    dev = await DevChain.start();
    chain = createChain(dev.anvil.url, stop.signal);
    await dev.rpc("evm_setAutomine", false);
  });
  afterAll(async () => {
    stop.abort();
    await dev[Symbol.asyncDispose]();
  });

  async function signedWith(nonce: number, gwei: bigint): Promise<string> {
    const fees = { maxFeePerGasWei: gwei * 10n ** 9n, maxPriorityFeePerGasWei: 10n ** 9n };
    const { raw } = await signer.sign({ nonce, to: signer.address, data: "0x", gasLimit: 100_000n, fees });
    return raw;
  }

  it("a transaction is taken, known, too cheap to replace, and then too late", async () => {
    const raw = await signedWith(0, 10n);
    expect(await chain.send(raw)).toEqual({ kind: "accepted" });
    expect(await chain.send(raw)).toEqual({ kind: "accepted" });
    expect(await chain.send(await signedWith(0, 9n))).toMatchObject({ kind: "underpriced" });
    expect(await chain.minedCount(signer.address)).toBe(0);
    expect(await chain.pendingCount(signer.address)).toBe(1);
    await dev.rpc("evm_mine");
    expect(await chain.send(raw)).toEqual({ kind: "nonce_too_low" });
    expect(await chain.minedCount(signer.address)).toBe(1);
  });

  it("a wallet without funds hears that it has none", async () => {
    const poor = createLocalSigner(`0x${"12".repeat(32)}`, 31_337n);
    const fees = { maxFeePerGasWei: 10n ** 10n, maxPriorityFeePerGasWei: 1n };
    const { raw } = await poor.sign({ nonce: 0, to: poor.address, data: "0x", gasLimit: 21_000n, fees });
    expect(await chain.send(raw)).toMatchObject({ kind: "insufficient_funds" });
    expect(await chain.balanceWei(poor.address)).toBe(0n);
  });

  it("a refusal comes with the contract's own reason", async () => {
    const data = taskQueueInterface.encodeFunctionData("claimActivity", [idOf(9)]);
    const request = { from: signer.address, to: dev.contracts.taskQueue, data };
    for (const ask of [() => chain.call(request), () => chain.estimateGas(request)]) {
      await expect(ask()).rejects.toMatchObject({
        name: "CallReverted",
        revert: { name: "UnknownActivity" },
      });
    }
    expect(await chain.code(dev.contracts.taskQueue)).toMatch(/^0x60/);
    expect(await chain.code(signer.address)).toBe("0x");
    expect(await chain.chainId()).toBe(31_337n);
  });
});
