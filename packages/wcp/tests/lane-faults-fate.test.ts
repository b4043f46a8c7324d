// Faults 14 to 19 of the transaction lane: what may happen to what was sent, and to what is to be sent.
import { describe, expect, it } from "vitest";
import type { SendOutcome } from "../src/chain-ports.ts";
import { EXECUTOR } from "./_fake-batch.ts";
import { FakeChain } from "./_fake-chain.ts";
import { type FakeTx, FakeSigner } from "./_fake-signer.ts";
import { distinct, inPool, LaneBench } from "./_lane-bench.ts";
import { settle, until } from "./_until.ts";

const GWEI = 1_000_000_000n;
const UNKNOWN: SendOutcome = { kind: "unknown", message: "connection reset" };

describe("a reorg", () => {
  it("fault 14: puts a transaction back under its nonce, with the same bytes, until another block has it", async () => {
    await using bench = await LaneBench.start({ confirmationsBlocks: 3 });
    const outcome = bench.submit("a1");
    await until(() => bench.chain.pool.size === 1);
    await bench.mine();
    expect(await outcome).toMatchObject({ kind: "mined", receipt: { blockHash: "0xb2" } });
    const said = { confirmed: false };
    const confirmed = bench.lane.confirmed("a1").then((final) => {
      said.confirmed = true;
      return final;
    });
    await bench.mine(2);
    bench.chain.reorg(3, { keep: false });
    await bench.pass(5_000);
    expect(bench.store.intentByKey("a1")?.state).toEqual({ kind: "signed", nonce: 0 });
    expect(bench.logs.at("warn")).toContain(
      "a reorg took this transaction out of its block; sending it again with the same nonce",
    );
    expect(inPool(bench.chain)).toEqual([[0, "0xa1"]]);
    expect(distinct(bench.chain)).toBe(1);
    await bench.mine(3);
    expect(said.confirmed).toBe(false);
    await bench.mine();
    expect(await confirmed).toMatchObject({ kind: "mined", isConfirmed: true, receipt: { blockNumber: 6 } });
    expect(bench.chain.effects()).toEqual({ "0xa1": 1 });
  });

  it("fault 14: that puts a transaction into another block at once changes its receipt, and maybe its ending", async () => {
    await using bench = await LaneBench.start({ confirmationsBlocks: 3 });
    const outcome = bench.submit("a1");
    await until(() => bench.chain.pool.size === 1);
    await bench.mine();
    expect(await outcome).toMatchObject({ kind: "mined" });
    const revert = { name: "LeaseExpired", message: "too late in this block" };
    bench.chain.reverts.set("0xa1", revert);
    const confirmed = bench.lane.confirmed("a1");
    bench.chain.reorg(1, { blocks: 0 });
    await bench.mine(4);
    await bench.pass(1_000);
    expect(await confirmed).toMatchObject({ kind: "reverted", revert, receipt: { blockHash: "0xb2f1" } });
    expect(bench.ended.at(-1)?.state.kind).toBe("reverted");
  });

  it("fault 14: deeper than what was confirmed sends the stored bytes again", async () => {
    await using bench = await LaneBench.start({ confirmationsBlocks: 1 });
    const outcomes = ["a1", "a2"].map((name) => bench.submit(name));
    await until(() => bench.chain.pool.size === 2);
    await bench.mine(3);
    await Promise.all(outcomes);
    expect(bench.store.openTransactions()).toEqual([]);
    bench.chain.reorg(4, { keep: false });
    await bench.pass(120_000);
    expect(inPool(bench.chain)).toEqual([
      [0, "0xa1"],
      [1, "0xa2"],
    ]);
    // The original bytes come first; later they are replaced, for they are old.
    expect(new Set(bench.chain.sent.slice(2, 4))).toEqual(new Set(bench.chain.sent.slice(0, 2)));
    await bench.mine(2);
    expect(bench.chain.effects()).toEqual({ "0xa1": 1, "0xa2": 1 });
    expect(bench.store.intentByKey("a2")?.state).toMatchObject({ kind: "mined", isConfirmed: true });
  });
});

describe("an intent that is of no use any more", () => {
  it("fault 15: is dropped before it gets a nonce", async () => {
    await using bench = await LaneBench.start({ maxPending: 1 });
    void bench.submit("a1");
    await until(() => bench.chain.pool.size === 1);
    const late = bench.submit("a2", "heartbeat", { deadlineMs: bench.clock.nowMs() + 5_000 });
    await bench.pass(6_000);
    expect(await late).toMatchObject({ kind: "dropped", reason: "expired" });
    expect(bench.signer.asked).toEqual([0]);
    await bench.mine();
    await bench.pass(2_000);
    expect(bench.chain.pool.size).toBe(0);
  });

  it("fault 15: is replaced by a no-op when it has a nonce, and dropped when that one is mined", async () => {
    await using bench = await LaneBench.start({ confirmationsBlocks: 2 });
    const late = bench.submit("a1", "heartbeat", { deadlineMs: bench.clock.nowMs() + 5_000 });
    await until(() => bench.chain.pool.size === 1);
    await bench.pass(6_500);
    expect(inPool(bench.chain)).toEqual([[0, "noop"]]);
    await bench.mine();
    // A reorg may yet bring the work attempt into a block.
    expect(bench.store.intentByKey("a1")?.state).toEqual({ kind: "signed", nonce: 0 });
    await bench.mine(2);
    expect(await late).toMatchObject({ kind: "dropped", reason: "expired" });
    expect(bench.chain.effects()).toEqual({});
    expect(bench.lane.depth()).toEqual({ outstanding: 0, queued: 0 });
  });

  it("fault 15: has its effect when the work is mined in spite of the no-op", async () => {
    await using bench = await LaneBench.start();
    const late = bench.submit("a1", "heartbeat", { deadlineMs: bench.clock.nowMs() + 5_000 });
    await until(() => bench.chain.pool.size === 1);
    const work = bench.chain.pool.get(0)!;
    await bench.pass(6_500);
    bench.chain.pool.set(0, work);
    await bench.mine();
    expect(await late).toMatchObject({ kind: "mined", receipt: { txHash: work.hash } });
  });

  it("fault 15: is superseded by a newer heartbeat of the same lease while it has no nonce", async () => {
    await using bench = await LaneBench.start({ maxPending: 1 });
    void bench.submit("a1");
    await until(() => bench.chain.pool.size === 1);
    const beats = ["b1", "b2", "b3"].map((name) =>
      bench.submit(name, "heartbeat", { replaces: name === "b3" ? "task-2" : "task-1" }),
    );
    await settle();
    expect(await beats[0]).toMatchObject({ kind: "dropped", reason: "superseded" });
    bench.chain.automine = true;
    await bench.mine();
    expect(await Promise.all(beats.slice(1))).toMatchObject([{ kind: "mined" }, { kind: "mined" }]);
    expect(bench.chain.effects()).toEqual({ "0xa1": 1, "0xb2": 1, "0xb3": 1 });
  });
});

describe("a wallet that delegates", () => {
  it("fault 16: has one transaction in flight, and gets everything done in order", async () => {
    const chain = new FakeChain();
    chain.delegate(EXECUTOR);
    await using bench = await LaneBench.start({}, { chain });
    const names = ["a1", "a2", "a3", "a4"];
    const outcomes = names.map((name) => bench.submit(name));
    let most = 0;
    for (let block = 0; block < 6; block += 1) {
      await settle();
      most = Math.max(most, chain.pool.size);
      await bench.mine();
    }
    expect(most).toBe(1);
    expect((await Promise.all(outcomes)).map((outcome) => outcome)).toMatchObject(
      names.map((_, nonce) => ({ kind: "mined", nonce })),
    );
    expect(distinct(chain)).toBe(4);
    expect(bench.logs.at("warn")).toEqual([]);
  });

  it("fault 16: that delegated while transactions were under way sends those one after the other", async () => {
    await using bench = await LaneBench.start({ bumpAfterMs: 600_000 });
    const { chain } = bench;
    chain.intercept = () => UNKNOWN;
    const outcomes = ["a1", "a2", "a3"].map((name) => bench.submit(name));
    await until(() => chain.sent.length === 3);
    chain.delegate(EXECUTOR);
    chain.intercept = () => undefined;
    for (let block = 0; block < 6; block += 1) {
      await bench.pass(15_000);
      expect(chain.pool.size).toBeLessThanOrEqual(1);
      await bench.mine();
    }
    expect((await Promise.all(outcomes)).map(({ kind }) => kind)).toEqual(["mined", "mined", "mined"]);
    expect(distinct(chain)).toBe(3);
  });
});

describe("the head of the queue", () => {
  it("fault 17: that is poison is purged alone, the lowest nonce first and not all at once", async () => {
    await using bench = await LaneBench.start();
    const isPoison = ({ data }: FakeTx) => ["0xa1", "0xa2", "0xa3"].includes(data);
    bench.chain.intercept = (tx) =>
      isPoison(tx) ? { kind: "never_valid", message: "gas limit exceeds the block's" } : undefined;
    const outcomes = ["a1", "a2", "a3", "a4"].map((name) => bench.submit(name));
    await until(() => bench.chain.pool.size === 2);
    await settle();
    expect(inPool(bench.chain)).toEqual([
      [0, "noop"],
      [3, "0xa4"],
    ]);
    const noops = () => bench.sentData().filter((data) => data === "noop").length;
    // The next is the lowest now, and the node says the same of it at once: not yet.
    await bench.mine();
    bench.disk.order("rebroadcast", 1);
    await bench.pass(2_000);
    expect(noops()).toBe(1);
    for (let block = 0; block < 4; block += 1) {
      const before = noops();
      await bench.pass(4_000);
      expect(noops() - before).toBeLessThanOrEqual(1);
      await bench.pass(11_000);
      await bench.mine();
    }
    expect(await Promise.all(outcomes)).toMatchObject([
      { kind: "dropped", reason: "purged" },
      { kind: "dropped", reason: "purged" },
      { kind: "dropped", reason: "purged" },
      { kind: "mined", nonce: 3 },
    ]);
    expect(bench.lane.notReady()).toEqual([]);
  });
});

describe("a signer", () => {
  it("fault 18: that fails takes no nonce, so there is no hole", async () => {
    const signer = new FakeSigner();
    signer.before = async ({ data }) => {
      if (data === "0xa1") throw new Error("the key service is down");
    };
    await using bench = await LaneBench.start({}, { signer });
    const first = bench.submit("a1");
    const second = bench.submit("a2");
    await until(() => bench.chain.pool.size === 1);
    expect(inPool(bench.chain)).toEqual([[0, "0xa2"]]);
    await bench.mine();
    expect(await second).toMatchObject({ kind: "mined", nonce: 0 });
    signer.before = async () => undefined;
    await bench.pass(10_000);
    await bench.mine();
    expect(await first).toMatchObject({ kind: "mined", nonce: 1 });
  });
});

describe("a fee spike", () => {
  it("fault 19: holds claims back, caps what is sent, and lets heartbeats and results go first", async () => {
    await using bench = await LaneBench.start({ maxFeePerGasWei: 30n * GWEI });
    bench.chain.baseFeeWei = 40n * GWEI;
    const claim = bench.submit("c1", "claim");
    const beat = bench.submit("b1", "heartbeat");
    const result = bench.submit("a1", "complete");
    await until(() => bench.chain.pool.size === 2);
    await settle();
    expect(new Set(inPool(bench.chain).map(([, data]) => data))).toEqual(new Set(["0xa1", "0xb1"]));
    for (const { fees } of bench.chain.pool.values()) {
      expect(fees.maxFeePerGasWei).toBeLessThanOrEqual(30n * GWEI);
    }
    await bench.mine();
    await bench.pass(5_000);
    expect(bench.lane.notReady()).not.toEqual([]);
    expect(bench.lane.depth()).toEqual({ outstanding: 2, queued: 1 });
    bench.chain.baseFeeWei = 12n * GWEI;
    await bench.pass(5_000);
    await bench.mine();
    expect((await Promise.all([claim, beat, result])).map(({ kind }) => kind)).toEqual(
      Array(3).fill("mined"),
    );
    expect(bench.chain.mined.at(-1)?.data).toBe("0xc1");
    expect(bench.lane.notReady()).toEqual([]);
  });
});
