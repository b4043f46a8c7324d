import { FakeClock } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import { NEWEST_BLOCK, RpcChain } from "../src/adapters/rpc/chain.ts";
import { aBlock, ask, type PoolBench, type PoolBenchOptions, refusal, startPool } from "./_rpc-bench.ts";
import { until } from "./_until.ts";

const HASH = `0x${"ab".repeat(32)}`;
const RECEIPT = {
  transactionHash: HASH,
  blockNumber: "0x64",
  blockHash: "0xh100",
  gasUsed: "0x5208",
  effectiveGasPrice: "0x7",
  status: "0x1",
  logs: [],
};

/** A pool whose endpoints have told their chain, and only the first its newest block. */
async function started(blocks: readonly number[], options: PoolBenchOptions = {}): Promise<PoolBench> {
  const bench = await startPool(blocks, options);
  await bench.pool.call({ ...ask("warm-up"), need: "any" });
  await until(() => bench.pool.status().every(({ chainId }) => chainId !== undefined));
  await bench.pool.call(NEWEST_BLOCK);
  for (const node of bench.nodes) node.asked.length = 0;
  return bench;
}

function chainOf(bench: PoolBench): RpcChain {
  return new RpcChain({ rpc: bench.pool, decodeRevert: (data) => ({ name: "", message: data }) });
}

describe("reads that do not go back", () => {
  it("cost nothing while the endpoint in use is the one that is polled", async () => {
    await using bench = await started([103, 100]);
    await bench.pool.call(ask("eth_call"));
    await bench.pool.call({ ...ask("eth_getLogs"), need: 103 });
    expect([bench.a.asked, bench.b.asked]).toEqual([["eth_call", "eth_getLogs"], []]);
  });

  it("pass over an endpoint that is behind, and ask one that is not", async () => {
    await using bench = await started([103, 100, 103], { clock: new FakeClock() });
    const [, , third] = bench.nodes;
    bench.a.faults.push({ kind: "reset" });
    expect(await bench.pool.call(ask("eth_call"))).toBe("eth_call");
    expect(bench.b.asked).toEqual(["eth_blockNumber"]);
    expect(third?.asked).toEqual(["eth_blockNumber", "eth_call"]);
    // For a while it is not even asked whether it has caught up.
    await bench.pool.call(ask("eth_call"));
    expect(bench.b.asked).toEqual(["eth_blockNumber"]);
  });

  it("use an endpoint as soon as it has caught up", async () => {
    const clock = new FakeClock();
    await using bench = await started([103, 100], { clock });
    // A page that is pushed from elsewhere: both are behind, then the second is not.
    bench.pool.pushed("ws://elsewhere.example", 104);
    bench.b.block = 104;
    await bench.pool.call(ask("eth_call"));
    expect(bench.b.asked).toEqual(["eth_blockNumber", "eth_call"]);
    bench.a.block = 104;
    await clock.advance(1_000);
    await bench.pool.call(ask("eth_call"));
    expect(bench.a.asked).toEqual(["eth_blockNumber", "eth_call"]);
  });

  it("come from the least behind when everybody is", async () => {
    await using bench = await started([101, 102], { clock: new FakeClock() });
    bench.pool.pushed("ws://elsewhere.example", 110);
    expect(await bench.pool.call(ask("eth_call"))).toBe("eth_call");
    expect([bench.a.count("eth_call"), bench.b.count("eth_call")]).toEqual([0, 1]);
  });

  it("come from who is left when the one that was ahead is gone", async () => {
    await using bench = await started([103, 100], { clock: new FakeClock() });
    bench.a.fault = { kind: "reset" };
    expect(await bench.pool.call(ask("eth_call"))).toBe("eth_call");
    expect(bench.b.count("eth_call")).toBe(1);
  });

  it("take a head that a websocket of the same host has pushed as that endpoint's", async () => {
    await using bench = await started([100, 100]);
    bench.pool.pushed(bench.a.http.url.replace("http:", "ws:"), 104);
    await bench.pool.call(ask("eth_call"));
    expect(bench.a.asked).toEqual(["eth_call"]);
    expect(bench.pool.newestBlock()).toBe(104);
    expect(bench.pool.status()[1]?.block).toBeUndefined();
    // And as gone when that endpoint says so.
    bench.a.block = 101;
    await bench.pool.call(NEWEST_BLOCK);
    expect(bench.pool.newestBlock()).toBe(101);
  });

  it("take a head from another port as that of the only endpoint on the host", async () => {
    await using bench = await started([100]);
    bench.pool.pushed("ws://127.0.0.1:1", 104);
    expect(bench.pool.status()[0]?.block).toBe(104);
    await using two = await started([100, 100]);
    two.pool.pushed("ws://127.0.0.1:1", 104);
    expect([two.pool.newestBlock(), two.pool.status()[0]?.block]).toEqual([104, 100]);
  });

  it("ask for logs where the range's last block is", async () => {
    await using bench = await started([103, 100, 103], { clock: new FakeClock() });
    const [, , third] = bench.nodes;
    for (const node of bench.nodes) node.answers["eth_getLogs"] = () => [];
    const query = { address: "0xa", topics: [], fromBlock: 90 };
    bench.a.faults.push({ kind: "reset" });
    await chainOf(bench).logs({ ...query, toBlock: 99 });
    expect(bench.b.asked).toEqual(["eth_blockNumber", "eth_getLogs"]);
    await chainOf(bench).logs({ ...query, toBlock: 102 });
    expect(third?.asked).toEqual(["eth_blockNumber", "eth_getLogs"]);
  });

  it("have the newest block from whoever has it", async () => {
    await using bench = await started([103, 104], { clock: new FakeClock() });
    bench.a.block = 102;
    await bench.pool.examine();
    bench.b.asked.length = 0;
    const head = await bench.pool.call(NEWEST_BLOCK);
    expect(head.number).toBe(104);
    expect(bench.a.count("eth_getBlockByNumber")).toBe(1);
  });

  it("follow the chain down when every endpoint goes", async () => {
    await using bench = await started([103, 103]);
    await bench.pool.examine();
    bench.a.block = 101;
    bench.b.block = 102;
    expect((await bench.pool.call(NEWEST_BLOCK)).number).toBe(102);
    expect(bench.pool.newestBlock()).toBe(102);
  });
});

describe("fault 28", () => {
  it("fault 28: a pending count is not taken from an endpoint that is known to be behind", async () => {
    await using bench = await started([103, 100, 103], { clock: new FakeClock() });
    const [, , third] = bench.nodes;
    bench.a.faults.push({ kind: "reset" });
    bench.b.answers["eth_getTransactionCount"] = () => "0x5";
    if (third !== undefined) third.answers["eth_getTransactionCount"] = () => "0x9";
    expect(await chainOf(bench).pendingCount("0xa")).toBe(9);
    expect(bench.b.asked).toEqual(["eth_blockNumber"]);
  });
});

describe("what one node has not got", () => {
  it("fault 29: a receipt that one node is missing is asked of another", async () => {
    await using bench = await started([100, 100]);
    const chain = chainOf(bench);
    bench.a.answers["eth_getTransactionReceipt"] = () => null;
    bench.b.answers["eth_getTransactionReceipt"] = () => RECEIPT;
    expect(await chain.receipt(HASH)).toMatchObject({ txHash: HASH, blockNumber: 100, succeeded: true });
    expect(bench.a.count("eth_getTransactionReceipt")).toBe(1);
  });

  it("fault 29: a receipt that nobody has is missing, also when somebody could not be asked", async () => {
    await using bench = await started([100, 100], { clock: new FakeClock() });
    const chain = chainOf(bench);
    bench.a.answers["eth_getTransactionReceipt"] = () => null;
    bench.b.answers["eth_getTransactionReceipt"] = () => null;
    expect(await chain.receipt(HASH)).toBeUndefined();
    bench.b.fault = { kind: "reset" };
    expect(await chain.receipt(HASH)).toBeUndefined();
  });

  it("is a block, which another may have", async () => {
    await using bench = await started([103, 100]);
    const chain = chainOf(bench);
    bench.a.answers["eth_getBlockByNumber"] = () => null;
    bench.b.answers["eth_getBlockByNumber"] = () => aBlock(99);
    expect(await chain.block(99)).toMatchObject({ number: 99, hash: "0xh99", parentHash: "0xh98" });
    expect(bench.b.count("eth_getBlockByNumber")).toBe(1);
  });

  it("is nobody's when it is above the newest that anybody has shown", async () => {
    await using bench = await started([103, 103]);
    bench.a.answers["eth_getBlockByNumber"] = () => null;
    expect(await chainOf(bench).block(104)).toBeUndefined();
    expect(bench.b.asked).toEqual([]);
  });

  it("is a state that it has thrown away", async () => {
    await using bench = await started([103, 103]);
    bench.a.answers["eth_call"] = () => refusal(-32000, "missing trie node 0xabc (path )");
    bench.b.answers["eth_call"] = () => "0x01";
    expect(await chainOf(bench).call({ to: "0xa", data: "0x" }, 50)).toBe("0x01");
  });

  it.each([
    ["the state of an old block", "missing trie node 0xabc (path )", 6],
    ["what it fails at", "Internal error", 9],
  ])("is %s, which is given up where nobody has it", async (_what, message, most) => {
    await using bench = await started([103, 103]);
    for (const node of bench.nodes) node.answers["eth_call"] = () => refusal(-32000, message);
    await expect(chainOf(bench).call({ to: "0xa", data: "0x" }, 50)).rejects.toThrow(message);
    expect(bench.nodes.map((node) => node.count("eth_call"))).toEqual([most, most]);
  });

  it("is an answer this once, when it fails and does not say at what", async () => {
    await using bench = await started([103]);
    const answers = [refusal(-32603, "Internal error"), refusal(-32000, "service is shutting down"), "0x01"];
    bench.a.answers["eth_call"] = () => answers.shift();
    expect(await chainOf(bench).call({ to: "0xa", data: "0x" })).toBe("0x01");
  });
});
