import { type Anvil, startAnvil } from "@subnet-worker/contracts/anvil";
import { systemClock } from "@subnet-worker/kit";
import { describe, expect, it } from "vitest";
import { RpcChain } from "../src/adapters/rpc/chain.ts";
import { RpcPool } from "../src/adapters/rpc/pool.ts";
import { captureLogs } from "./_logs.ts";
import { aBlock, type NodeAnswer, type PoolBench, refusal, startPool } from "./_rpc-bench.ts";

interface Bench extends PoolBench {
  readonly chain: RpcChain;
  /** What the market took to read, in methods. */
  asked(): string[];
}

const unknown = () => refusal(-32601, "Method not found");

async function market(answers: Readonly<Record<string, NodeAnswer>>): Promise<Bench> {
  const bench = await startPool([100]);
  await bench.pool.examine();
  bench.a.asked.length = 0;
  Object.assign(bench.a.answers, answers);
  return {
    ...bench,
    chain: new RpcChain({ rpc: bench.pool, decodeRevert: () => ({ name: "", message: "" }) }),
    asked: () => bench.a.asked.splice(0),
  };
}

/** eth_feeHistory: base fees of the blocks and the next, and per block how full it was and what was tipped. */
function history(baseFees: readonly number[], blocks: readonly (readonly [ratio: number, tip: number])[]) {
  const hex = (value: number) => `0x${value.toString(16)}`;
  return {
    oldestBlock: "0x50",
    baseFeePerGas: baseFees.map(hex),
    gasUsedRatio: blocks.map(([ratio]) => ratio),
    reward: blocks.map(([, tip]) => [hex(tip)]),
  };
}

describe("the fee market", () => {
  it("is the next block's base fee, and the middle tip of blocks that have transactions", async () => {
    const blocks = [
      [0.5, 30],
      [0, 0],
      [0.1, 10],
      [0, 0],
      [0.9, 900],
    ] as const;
    await using bench = await market({ eth_feeHistory: () => history([50, 60, 70, 80, 90, 100], blocks) });
    expect(await bench.chain.feeMarket()).toEqual({ kind: "dynamic", baseFeePerGasWei: 100n, tipWei: 30n });
    expect(bench.asked()).toEqual(["eth_feeHistory"]);
  });

  it("has the node's suggestion for a tip where blocks are empty, then asked in the same request", async () => {
    await using bench = await market({
      eth_feeHistory: () =>
        history(
          [50, 100],
          [
            [0, 0],
            [0.01, 0],
          ],
        ),
      eth_maxPriorityFeePerGas: () => "0xf4240",
    });
    const expected = { kind: "dynamic", baseFeePerGasWei: 100n, tipWei: 1_000_000n };
    expect(await bench.chain.feeMarket()).toEqual(expected);
    bench.a.sizes.length = 0;
    expect(await bench.chain.feeMarket()).toEqual(expected);
    expect(bench.a.sizes).toEqual([2]);
    bench.a.answers["eth_feeHistory"] = () => history([50, 100], [[0.5, 7]]);
    expect(await bench.chain.feeMarket()).toMatchObject({ tipWei: 7n });
    bench.asked();
    await bench.chain.feeMarket();
    expect(bench.asked()).toEqual(["eth_feeHistory"]);
  });

  it("does without a history where the node has none, and asks for it no more", async () => {
    await using bench = await market({
      eth_feeHistory: unknown,
      eth_maxPriorityFeePerGas: () => "0x5",
      eth_getBlockByNumber: () => ({ ...aBlock(100), baseFeePerGas: "0x50" }),
    });
    // An eighth more than the block's, which is as much as the next can have.
    const expected = { kind: "dynamic", baseFeePerGasWei: 90n, tipWei: 5n };
    expect(await bench.chain.feeMarket()).toEqual(expected);
    expect(await bench.chain.feeMarket()).toEqual(expected);
    expect(bench.asked().filter((method) => method === "eth_feeHistory")).toHaveLength(1);
  });

  it("takes the tip out of the gas price where the node suggests none", async () => {
    await using bench = await market({
      eth_feeHistory: () => history([50, 100], [[0, 0]]),
      eth_maxPriorityFeePerGas: unknown,
      eth_gasPrice: () => "0x6e",
    });
    const expected = { kind: "dynamic", baseFeePerGasWei: 100n, tipWei: 10n };
    expect(await bench.chain.feeMarket()).toEqual(expected);
    bench.asked();
    bench.a.answers["eth_gasPrice"] = () => "0x5";
    expect(await bench.chain.feeMarket()).toEqual({ ...expected, tipWei: 0n });
    expect(bench.asked()).toEqual(["eth_feeHistory", "eth_gasPrice"]);
  });

  it("is dynamic on a chain whose base fee is nothing", async () => {
    await using bench = await market({
      eth_feeHistory: () => history([0, 0], [[0.5, 9]]),
      eth_getBlockByNumber: () => ({ ...aBlock(100), baseFeePerGas: "0x0" }),
    });
    expect(await bench.chain.feeMarket()).toEqual({ kind: "dynamic", baseFeePerGasWei: 0n, tipWei: 9n });
  });

  it.each<readonly [string, NodeAnswer]>([
    ["that knows no history", unknown],
    ["whose history has base fees of nothing", () => history([0, 0], [[0.5, 9]])],
    ["whose history has none at all", () => ({ oldestBlock: "0x1", gasUsedRatio: [0.1] })],
    ["whose history has null for rewards", () => ({ baseFeePerGas: null, gasUsedRatio: null, reward: null })],
  ])("is a gas price on a chain without base fees %s", async (_what, answer) => {
    const { baseFeePerGas: _none, ...legacy } = aBlock(100);
    await using bench = await market({
      eth_feeHistory: answer,
      eth_getBlockByNumber: () => legacy,
      eth_gasPrice: () => "0x14",
    });
    expect(await bench.chain.feeMarket()).toEqual({ kind: "legacy", gasPriceWei: 20n });
  });
});

describe("the fee market of anvil", () => {
  async function read(anvil: Anvil) {
    const stop = new AbortController();
    const pool = new RpcPool(
      { urls: [anvil.url], chainId: 31_337n, timeoutMs: 5_000, batchSize: 100 },
      { clock: systemClock, logger: captureLogs().logger, signal: stop.signal },
    );
    const market = await new RpcChain({
      rpc: pool,
      decodeRevert: () => ({ name: "", message: "" }),
    }).feeMarket();
    stop.abort();
    return market;
  }

  it("has a base fee", async () => {
    await using anvil = await startAnvil();
    expect(await read(anvil)).toEqual({
      kind: "dynamic",
      baseFeePerGasWei: 1_000_000_000n,
      tipWei: 1_000_000_000n,
    });
  });

  it("before London is a gas price", async () => {
    await using anvil = await startAnvil({ args: ["--hardfork", "berlin"] });
    expect(await read(anvil)).toMatchObject({ kind: "legacy" });
  });
});
