// Faults 1 to 13 of the transaction lane: what a node may answer to what it is sent, or not answer at all.
import { describe, expect, it } from "vitest";
import type { SendOutcome } from "../src/chain-ports.ts";
import { FakeChain } from "./_fake-chain.ts";
import { foreignTx, parseTx } from "./_fake-signer.ts";
import { distinct, inPool, LANE_OPTIONS, LaneBench } from "./_lane-bench.ts";
import { settle, until } from "./_until.ts";

const GWEI = 1_000_000_000n;
const UNKNOWN: SendOutcome = { kind: "unknown", message: "connection reset" };

describe("what a node answers to a transaction", () => {
  it("fault 1: bytes that the node knows already count as sent", async () => {
    await using bench = await LaneBench.start();
    const outcome = bench.submit("a1");
    await until(() => bench.chain.pool.size === 1);
    await bench.pass(LANE_OPTIONS.resendAfterMs + 1_000);
    expect(bench.chain.sent).toEqual([bench.chain.sent[0], bench.chain.sent[0]]);
    expect(bench.attempts("a1")).toHaveLength(1);
    expect(bench.logs.at("warn")).toEqual([]);
    await bench.mine();
    expect(await outcome).toMatchObject({ kind: "mined", nonce: 0 });
  });

  it("fault 2: a nonce too low is ours when any attempt has a receipt", async () => {
    await using bench = await LaneBench.start();
    const outcome = bench.submit("a1");
    await until(() => bench.chain.pool.size === 1);
    const first = bench.chain.pool.get(0)!;
    // The replacement is signed just as the original is mined.
    bench.chain.intercept = (tx, node) => {
      if (tx.hash !== first.hash) bench.chain.mine();
      return node();
    };
    await bench.pass(61_000);
    expect(bench.attempts("a1")).toHaveLength(2);
    expect(await outcome).toMatchObject({ kind: "mined", receipt: { txHash: first.hash } });
    expect(bench.logs.at("error")).toEqual([]);
  });

  it("fault 2: a nonce that somebody else used is reported, and the intents get the next free ones", async () => {
    await using bench = await LaneBench.start({ confirmationsBlocks: 2 });
    const outcomes = ["a1", "a2"].map((name) => bench.submit(name));
    await until(() => bench.chain.pool.size === 2);
    bench.chain.useKeyElsewhere(3);
    await bench.pass(20_000);
    // Not deep enough yet: a reorg could bring the old bytes back.
    expect(bench.logs.at("error")).toEqual([]);
    expect(distinct(bench.chain)).toBe(2);
    bench.chain.mine(2);
    await bench.pass(12_000);
    expect(bench.logs.at("error").filter((line) => line.includes("in use elsewhere"))).toHaveLength(2);
    expect(inPool(bench.chain).map(([nonce]) => nonce)).toEqual([3, 4]);
    await bench.mine();
    expect((await Promise.all(outcomes)).map(({ kind }) => kind)).toEqual(["mined", "mined"]);
    expect(bench.chain.effects()).toEqual({ "0xa1": 1, "0xa2": 1 });
    expect(bench.store.transactionAt(0)?.state.kind).toBe("displaced");
  });

  it("fault 3: a nonce that another transaction in the pool holds is outbid, not skipped", async () => {
    await using bench = await LaneBench.start();
    const fees = { maxFeePerGasWei: 25n * GWEI, maxPriorityFeePerGasWei: (12n * GWEI) / 10n };
    bench.chain.pool.set(0, foreignTx(0, fees));
    const outcomes = ["a1", "a2"].map((name) => bench.submit(name));
    await until(() => bench.chain.pool.get(0)?.isForeign === false);
    expect(inPool(bench.chain)).toEqual([
      [0, "0xa1"],
      [1, "0xa2"],
    ]);
    expect(new Set(bench.signer.asked)).toEqual(new Set([0, 1]));
    await bench.mine();
    expect((await Promise.all(outcomes)).map((outcome) => outcome)).toMatchObject([
      { nonce: 0 },
      { nonce: 1 },
    ]);
  });

  it("fault 3: what pays far more than ours is outbid step by step, with time between", async () => {
    await using bench = await LaneBench.start();
    const fees = { maxFeePerGasWei: 60n * GWEI, maxPriorityFeePerGasWei: 3n * GWEI };
    bench.chain.pool.set(0, foreignTx(0, fees));
    const outcome = bench.submit("a1");
    await settle();
    expect(distinct(bench.chain)).toBeLessThanOrEqual(4);
    for (let turn = 0; turn < 120 && bench.chain.pool.get(0)?.isForeign === true; turn += 1) {
      await bench.pass(500);
    }
    expect(inPool(bench.chain)).toEqual([[0, "0xa1"]]);
    await bench.mine();
    expect(await outcome).toMatchObject({ kind: "mined", nonce: 0 });
  });

  it("fault 4: what pays too little is replaced at once, without waiting", async () => {
    await using bench = await LaneBench.start();
    bench.chain.floorWei = 23n * GWEI;
    const outcome = bench.submit("a1");
    await until(() => bench.chain.pool.size === 1);
    expect(bench.clock.monotonicMs()).toBe(0);
    expect(bench.attempts("a1")).toHaveLength(2);
    await bench.mine();
    expect(await outcome).toMatchObject({ kind: "mined", nonce: 0 });
  });

  it("fault 4: a node that calls everything too cheap is answered once per attempt, and fees do not run away", async () => {
    await using bench = await LaneBench.start();
    bench.chain.intercept = () => ({ kind: "underpriced", message: "transaction underpriced" });
    void bench.submit("a1");
    await until(() => bench.chain.sent.length === 2);
    await settle();
    expect(distinct(bench.chain)).toBe(2);
    await bench.pass(3_600_000);
    const highest = bench.attempts("a1").at(-1)!.maxFeePerGasWei;
    // The market asks for 21 gwei all the time.
    expect(highest / GWEI).toBeLessThan(210n);
    expect(bench.chain.sent.length).toBeGreaterThan(100);
    expect(bench.lane.notReady()).toHaveLength(1);
  });

  it("fault 5: a nonce too high is sent again as it is, and after three times the gap is filled", async () => {
    const chain = new FakeChain();
    chain.refusesGaps = true;
    chain.pool.set(0, foreignTx(0, { maxFeePerGasWei: 50n * GWEI, maxPriorityFeePerGasWei: GWEI }));
    await using bench = await LaneBench.start({}, { chain });
    chain.drop(0);
    const outcome = bench.submit("a1");
    await bench.pass(1_000);
    expect(inPool(chain)).toEqual([]);
    await bench.pass(14_000);
    expect(inPool(chain)).toEqual([
      [0, "noop"],
      [1, "0xa1"],
    ]);
    expect(new Set(bench.sentData())).toEqual(new Set(["0xa1", "noop"]));
    expect(distinct(chain)).toBe(2);
    await bench.mine();
    expect(await outcome).toMatchObject({ kind: "mined", nonce: 1 });
  });

  it("fault 6: an answer that says nothing changes nothing: the same bytes, ever more slowly, until the count tells", async () => {
    await using bench = await LaneBench.start({ bumpAfterMs: 600_000 });
    const atMs: number[] = [];
    bench.chain.intercept = () => {
      atMs.push(bench.clock.monotonicMs());
      return { kind: "unknown", message: "txpool is full" };
    };
    const outcome = bench.submit("a1");
    await bench.pass(120_000);
    expect(distinct(bench.chain)).toBe(1);
    const pausesMs = atMs.slice(1).map((ms, index) => ms - atMs[index]!);
    expect(Math.min(...pausesMs)).toBeGreaterThanOrEqual(1_000);
    expect(pausesMs.at(-1)).toBeGreaterThan(pausesMs[0]!);
    // Another endpoint had taken it.
    bench.chain.pool.set(0, parseTx(bench.chain.sent[0]!));
    await bench.mine();
    expect(await outcome).toMatchObject({ kind: "mined", nonce: 0 });
    expect(bench.store.highestNonce()).toBe(0);
  });

  it("fault 7: a wallet without funds keeps nonce and bytes, says so, and goes on when it has some", async () => {
    await using bench = await LaneBench.start({ bumpAfterMs: 600_000 });
    bench.chain.balance = 0n;
    const outcome = bench.submit("a1");
    await until(() => bench.lane.notReady().length > 0);
    expect(bench.lane.notReady()).toEqual([
      `the wallet ${bench.signer.address} cannot pay for gas; send it funds, transactions then go on by themselves`,
    ]);
    await bench.pass(30_000);
    bench.chain.balance = 10n ** 18n;
    await bench.pass(13_000);
    expect(inPool(bench.chain)).toEqual([[0, "0xa1"]]);
    expect(bench.lane.notReady()).toEqual([]);
    expect(distinct(bench.chain)).toBe(1);
    await bench.mine();
    expect(await outcome).toMatchObject({ kind: "mined", nonce: 0 });
  });

  it("fault 8: what no block can hold is refused before it has a nonce", async () => {
    await using bench = await LaneBench.start();
    const estimate = bench.chain.estimateGas.bind(bench.chain);
    bench.chain.estimateGas = (call) =>
      call.data === "0xa1" ? Promise.resolve(31_000_000n) : estimate(call);
    const outcomes = ["a1", "a2"].map((name) => bench.submit(name));
    expect(await outcomes[0]).toMatchObject({ kind: "refused" });
    await until(() => bench.chain.pool.size === 1);
    await bench.mine();
    expect(await outcomes[1]).toMatchObject({ kind: "mined", nonce: 0 });
    expect(bench.signer.asked).toEqual([0]);
  });

  it("fault 8: what the chain will never take gives its nonce to a no-op, and what is behind it goes on", async () => {
    await using bench = await LaneBench.start();
    bench.chain.intercept = (tx) =>
      tx.data === "0xa1" ? { kind: "never_valid", message: "intrinsic gas too low" } : undefined;
    const outcomes = ["a1", "a2"].map((name) => bench.submit(name));
    await until(() => bench.chain.pool.size === 2);
    expect(inPool(bench.chain)).toEqual([
      [0, "noop"],
      [1, "0xa2"],
    ]);
    await bench.mine();
    expect(await outcomes[0]).toMatchObject({ kind: "dropped", reason: "purged" });
    expect(await outcomes[1]).toMatchObject({ kind: "mined", nonce: 1 });
    expect(bench.chain.effects()).toEqual({ "0xa2": 1 });
  });

  it("fault 9: bytes that were taken before the connection broke have their effect once", async () => {
    await using bench = await LaneBench.start();
    bench.chain.intercept = (_tx, node) => {
      node();
      return UNKNOWN;
    };
    const outcome = bench.submit("a1");
    await bench.pass(30_000);
    expect(bench.chain.sent.length).toBeGreaterThan(1);
    expect(distinct(bench.chain)).toBe(1);
    await bench.mine();
    expect(await outcome).toMatchObject({ kind: "mined", nonce: 0 });
    expect(bench.chain.effects()).toEqual({ "0xa1": 1 });
  });

  it("fault 10: a transaction that the pool dropped in silence is sent again, and replaced later", async () => {
    await using bench = await LaneBench.start();
    const outcome = bench.submit("a1");
    await until(() => bench.chain.pool.size === 1);
    bench.chain.drop(0);
    await bench.pass(LANE_OPTIONS.resendAfterMs + 1_000);
    expect(inPool(bench.chain)).toEqual([[0, "0xa1"]]);
    expect(distinct(bench.chain)).toBe(1);
    bench.chain.drop(0);
    await bench.pass(LANE_OPTIONS.bumpAfterMs);
    expect(bench.attempts("a1")).toHaveLength(2);
    expect(inPool(bench.chain)).toEqual([[0, "0xa1"]]);
    await bench.mine();
    expect(await outcome).toMatchObject({ kind: "mined", nonce: 0 });
  });

  it("fault 11: a replacement that is refused by the ceiling or the estimate does not stop the rebroadcast", async () => {
    await using bench = await LaneBench.start({ maxFeePerGasWei: 22n * GWEI });
    const outcome = bench.submit("a1", "complete");
    await until(() => bench.chain.pool.size === 1);
    bench.chain.refusals.set("0xa1", { name: "Paused", message: "the contract is paused" });
    bench.chain.baseFeeWei = 21n * GWEI;
    await bench.pass(90_000);
    const before = bench.chain.sent.length;
    bench.chain.pool.clear();
    await bench.pass(LANE_OPTIONS.resendAfterMs + 1_000);
    expect(bench.chain.sent.length).toBeGreaterThan(before);
    expect(distinct(bench.chain)).toBe(1);
    expect(bench.lane.notReady()).not.toEqual([]);
    bench.chain.baseFeeWei = 20n * GWEI;
    await bench.mine();
    expect(await outcome).toMatchObject({ kind: "mined" });
    expect(bench.lane.notReady()).toEqual([]);
  });

  it("fault 12: an older attempt that is mined after its replacement is a success", async () => {
    await using bench = await LaneBench.start();
    const outcome = bench.submit("a1");
    await until(() => bench.chain.pool.size === 1);
    const original = bench.chain.pool.get(0)!;
    await bench.pass(61_000);
    expect(bench.attempts("a1")).toHaveLength(2);
    bench.chain.pool.set(0, original);
    await bench.mine();
    expect(await outcome).toMatchObject({ kind: "mined", receipt: { txHash: original.hash } });
    expect(bench.chain.effects()).toEqual({ "0xa1": 1 });
  });

  it("fault 13: what was mined and threw is told with its reason, and not tried again", async () => {
    await using bench = await LaneBench.start({ confirmationsBlocks: 2 });
    const revert = { name: "ActivityAlreadyClaimed", message: "somebody was faster" };
    bench.chain.reverts.set("0xa1", revert);
    const outcome = bench.submit("a1");
    await until(() => bench.chain.pool.size === 1);
    await bench.mine();
    expect(await outcome).toMatchObject({ kind: "reverted", nonce: 0, revert, isConfirmed: false });
    const confirmed = bench.lane.confirmed("a1");
    await bench.mine(2);
    expect(await confirmed).toMatchObject({ kind: "reverted", revert, isConfirmed: true });
    await bench.pass(120_000);
    expect(bench.chain.sent).toHaveLength(1);
    expect(bench.lane.depth()).toEqual({ outstanding: 0, queued: 0 });
  });
});
