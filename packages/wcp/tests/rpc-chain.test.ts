import { decodeContractError, taskQueueInterface } from "@subnet-worker/contracts";
import { systemClock } from "@subnet-worker/kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RpcChain } from "../src/adapters/rpc/chain.ts";
import { RpcPool } from "../src/adapters/rpc/pool.ts";
import { RpcError } from "../src/adapters/rpc/rpc-error.ts";
import { createLocalSigner } from "../src/adapters/signer.ts";
import { CallReverted, LogRangeTooWide } from "../src/chain-ports.ts";
import { DevChain, WORKER_KEY } from "./_anvil-lane.ts";
import { idOf } from "./_builders.ts";
import { captureLogs } from "./_logs.ts";
import { aBlock, type NodeAnswer, type PoolBench, refusal, startPool } from "./_rpc-bench.ts";

interface Bench extends PoolBench {
  readonly chain: RpcChain;
}

/** A chain whose one node answers by method. */
async function scripted(answers: Readonly<Record<string, NodeAnswer>> = {}): Promise<Bench> {
  const bench = await startPool([100]);
  Object.assign(bench.a.answers, answers);
  return { ...bench, chain: chainOf(bench.pool) };
}

function chainOf(rpc: RpcPool): RpcChain {
  return new RpcChain({
    rpc,
    decodeRevert: (data) => decodeContractError(data) ?? { name: "", message: `unknown ${data}` },
  });
}

/** A chain on a real node. */
function realChain(url: string, signal: AbortSignal): RpcChain {
  return chainOf(
    new RpcPool(
      { urls: [url], chainId: 31_337n, timeoutMs: 5_000, batchSize: 100 },
      { clock: systemClock, logger: captureLogs().logger, signal },
    ),
  );
}

describe("the gas of a call", () => {
  const claim = { to: "0xc0", data: `0x12345678${"00".repeat(32)}` };

  /** A node that answers each method as told, in one word per request it got. */
  async function gasBench(answers: Readonly<Record<string, () => unknown>>) {
    const asked: string[] = [];
    const bench = await scripted(
      Object.fromEntries(
        Object.entries(answers).map(([method, answer]): [string, NodeAnswer] => [
          method,
          ([request]) => {
            const { gas } = request as { readonly gas?: string };
            asked.push(gas === undefined ? method : `${method} within ${Number(gas)}`);
            return answer();
          },
        ]),
      ),
    );
    return { ...bench, asked };
  }

  it("is estimated once per shape; the next call of that shape is only tried within it", async () => {
    await using bench = await gasBench({
      eth_estimateGas: () => "0x64",
      eth_call: () => "0x",
    });
    expect(await bench.chain.estimateGas(claim)).toBe(100n);
    expect(await bench.chain.estimateGas({ ...claim, data: claim.data.replace(/0$/, "1") })).toBe(100n);
    expect(await bench.chain.estimateGas({ ...claim, data: `${claim.data}00` })).toBe(100n);
    expect(bench.asked).toEqual(["eth_estimateGas", "eth_call within 100", "eth_estimateGas"]);
  });

  it("is estimated again when it was not enough, in whatever words a node says so, and never falls", async () => {
    const estimates = ["0x64", "0xc8", "0x96"];
    await using bench = await gasBench({
      eth_estimateGas: () => estimates.shift() ?? "0x0",
      eth_call: () => refusal(-32603, "EVM error ReentrancySentryOOG"),
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

  it("that no limit is enough for is refused by the contract, in the node's words", async () => {
    const message = "gas required exceeds allowance (30000000)";
    await using bench = await gasBench({ eth_estimateGas: () => refusal(-32000, message) });
    await expect(bench.chain.estimateGas(claim)).rejects.toMatchObject({ revert: { name: "", message } });
  });

  it("is not asked for when the contract says no", async () => {
    const data = taskQueueInterface.encodeErrorResult("UnknownActivity", [idOf(1)]);
    await using bench = await gasBench({
      eth_estimateGas: () => "0x64",
      eth_call: () => refusal(3, "execution reverted", data),
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
    await using bench = await scripted({ eth_call: () => refusal(-32602, "invalid argument 0") });
    await expect(bench.chain.call({ to: "0x", data: "0x" })).rejects.toThrow(RpcError);
    bench.a.answers["eth_call"] = () => refusal(3, "execution reverted", "0x1234");
    bench.a.answers["eth_estimateGas"] = () => refusal(3, "execution reverted", "0x1234");
    await expect(bench.chain.call({ to: "0x", data: "0x" })).rejects.toThrow(CallReverted);
    await expect(bench.chain.estimateGas({ to: "0x", data: "0x" })).rejects.toThrow("unknown 0x1234");
  });

  const rawLog = {
    address: "0xa",
    topics: ["0x1"],
    data: "0x",
    blockNumber: "0x2",
    blockHash: "0xh2",
    logIndex: "0x5",
    removed: false,
  };
  const log = { address: "0xa", topics: ["0x1"], data: "0x", blockNumber: 2, blockHash: "0xh2", logIndex: 5 };
  const rawReceipt = {
    transactionHash: "0xa1",
    blockNumber: "0x10",
    blockHash: "0xh16",
    gasUsed: "0x5208",
    status: "0x0",
    logs: [rawLog],
  };

  it("of a receipt understands one that failed, and one from before 1559", async () => {
    await using bench = await scripted({ eth_getTransactionReceipt: () => rawReceipt });
    expect(await bench.chain.receipt("0xa1")).toEqual({
      txHash: "0xa1",
      blockNumber: 16,
      blockHash: "0xh16",
      gasUsed: 21_000n,
      effectiveGasPriceWei: 0n,
      succeeded: false,
      logs: [log],
    });
  });

  it.each<readonly [string, unknown]>([
    ["that is not there", null],
    ["of a transaction in no block", { ...rawReceipt, blockHash: null, blockNumber: null }],
  ])("of a receipt %s is none", async (_what, answer) => {
    await using bench = await scripted({ eth_getTransactionReceipt: () => answer });
    expect(await bench.chain.receipt("0xa1")).toBeUndefined();
  });

  it("of logs asks by range and passes over what a reorg has removed", async () => {
    let asked: unknown;
    await using bench = await scripted({
      eth_getLogs: (params) => {
        asked = params;
        return [rawLog, { ...rawLog, removed: true }];
      },
    });
    const query = { address: "0xa", topics: ["0x1", null], fromBlock: 2, toBlock: 255 };
    expect(await bench.chain.logs(query)).toEqual([log]);
    expect(asked).toEqual([{ address: "0xa", topics: ["0x1", null], fromBlock: "0x2", toBlock: "0xff" }]);
  });

  it("fault 31: of logs over too many blocks tells how many are allowed, and is asked once", async () => {
    await using bench = await scripted({
      eth_getLogs: () =>
        refusal(-32600, "Block range limit exceeded: eth_getLogs is limited to a 10,000 range"),
    });
    const wide = bench.chain.logs({ address: "0xa", topics: [], fromBlock: 1, toBlock: 50_000 });
    await expect(wide).rejects.toThrow(LogRangeTooWide);
    await expect(wide).rejects.toMatchObject({ maxBlocks: 10_000 });
    expect(bench.a.count("eth_getLogs")).toBe(1);
  });

  it("of a block has all that others need of it", async () => {
    await using bench = await scripted();
    expect(await bench.chain.block("latest")).toEqual({
      number: 100,
      hash: "0xh100",
      parentHash: "0xh99",
      timestampS: 1_100,
      baseFeePerGasWei: 7n,
      gasLimit: 30_000_000n,
      logsBloom: "0x00",
    });
    const { baseFeePerGas: _fee, logsBloom: _bloom, ...old } = aBlock(100);
    bench.a.answers["eth_getBlockByNumber"] = () => old;
    expect(await bench.chain.block("latest")).toMatchObject({ baseFeePerGasWei: 0n, logsBloom: undefined });
  });

  const nonsense: readonly (readonly [string, unknown])[] = [
    ["nothing", undefined],
    ["null", null],
    ["a text", "0x1"],
    ["an object without fields", {}],
    ["a block without a hash", { ...aBlock(1), hash: undefined }],
    ["a block without a parent", { ...aBlock(1), parentHash: undefined }],
    ["a pending block", { ...aBlock(1), number: null, hash: null }],
    ["a number that is none", { ...aBlock(1), number: "one" }],
    ["a negative number", { ...aBlock(1), number: "-1" }],
    ["a time that is none", { ...aBlock(1), timestamp: {} }],
    ["a fee that is none", { ...aBlock(1), baseFeePerGas: "much" }],
  ];
  it.each(nonsense)("of the newest block does not take %s for one", async (_what, answer) => {
    await using bench = await scripted();
    let answers = 0;
    bench.a.answers["eth_getBlockByNumber"] = () => (answers++ === 0 ? answer : aBlock(5));
    expect(await bench.chain.block("latest")).toMatchObject({ number: 5 });
    expect(answers).toBe(2);
  });

  it.each<readonly [string, string, (chain: RpcChain) => Promise<unknown>, unknown]>([
    ["a balance", "eth_getBalance", (chain) => chain.balanceWei("0xa"), 5n],
    ["a count", "eth_getTransactionCount", (chain) => chain.minedCount("0xa"), 5],
    ["code", "eth_getCode", (chain) => chain.code("0xa"), "0x05"],
    ["a call", "eth_call", (chain) => chain.call({ to: "0xa", data: "0x" }), "0x05"],
  ])("of %s is repeated where the answer is none", async (...[, method, read, expected]) => {
    await using bench = await scripted();
    const answers: unknown[] = [null, {}];
    bench.a.answers[method] = () => (answers.length > 0 ? answers.shift() : "0x05");
    expect(await read(bench.chain)).toEqual(expected);
  });
});

describe("on anvil", () => {
  let dev: DevChain;
  let chain: RpcChain;
  const stop = new AbortController();
  const signer = createLocalSigner(WORKER_KEY, 31_337n);

  beforeAll(async () => {
    dev = await DevChain.start();
    chain = realChain(dev.anvil.url, stop.signal);
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
    expect(await chain.send(await signedWith(0, 9n))).toMatchObject({ kind: "replacement_underpriced" });
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
