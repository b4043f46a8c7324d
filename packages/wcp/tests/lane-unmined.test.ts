import { createDeferred } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import { StoppedError } from "../src/ports.ts";
import { FakeChain } from "./_fake-chain.ts";
import { parseTx } from "./_fake-signer.ts";
import { LaneBench } from "./_lane-bench.ts";
import { settle, until } from "./_until.ts";

const GWEI = 1_000_000_000n;

describe("a transaction that is not mined", () => {
  it("is sent again byte for byte when its fate is unknown, after a pause", async () => {
    await using bench = await LaneBench.start();
    bench.chain.intercept = () => ({ kind: "unknown", message: "socket hang up" });
    const outcome = bench.submit("a1");
    await until(() => bench.chain.sent.length === 1);
    await bench.pass(1_000);
    expect(bench.chain.sent).toHaveLength(1);
    bench.chain.intercept = () => undefined;
    await bench.pass(2_000);
    await until(() => bench.chain.sent.length === 2);
    expect(bench.chain.sent[1]).toBe(bench.chain.sent[0]);
    expect(bench.lane.notReady()).toEqual([]);
    bench.chain.mine();
    expect(await outcome).toMatchObject({ kind: "mined", nonce: 0 });
  });

  it("is sent again when the node drops it in silence", async () => {
    await using bench = await LaneBench.start();
    const outcome = bench.submit("a1");
    await until(() => bench.chain.pool.size === 1);
    bench.chain.pool.clear();
    await bench.pass(13_000);
    await until(() => bench.chain.pool.size === 1);
    bench.chain.mine();
    expect(await outcome).toMatchObject({ kind: "mined" });
    expect(bench.chain.sent[1]).toBe(bench.chain.sent[0]);
  });

  it("counts as sent when the node knows it already", async () => {
    await using bench = await LaneBench.start();
    const outcome = bench.submit("a1");
    await until(() => bench.chain.pool.size === 1);
    await bench.pass(13_000);
    expect(bench.chain.sent).toHaveLength(2);
    bench.chain.mine();
    expect(await outcome).toMatchObject({ kind: "mined" });
    expect(bench.logs.at("warn")).toEqual([]);
  });

  it("is replaced after its time with fees at least N percent higher, under the same nonce", async () => {
    await using bench = await LaneBench.start({ gasBumpPercent: 15 });
    const outcome = bench.submit("a1");
    await until(() => bench.chain.pool.size === 1);
    await bench.pass(47_000);
    expect(bench.attempts("a1")).toHaveLength(1);
    await bench.pass(14_000);
    const [first, second] = bench.attempts("a1");
    expect(second!.maxFeePerGasWei * 100n).toBeGreaterThanOrEqual(first!.maxFeePerGasWei * 115n);
    expect(second!.maxPriorityFeePerGasWei * 100n).toBeGreaterThanOrEqual(
      first!.maxPriorityFeePerGasWei * 115n,
    );
    expect(second!.gasLimit).toBe(first!.gasLimit);
    expect(bench.chain.pool.get(0)?.hash).toBe(second!.txHash);
    bench.chain.mine();
    expect(await outcome).toMatchObject({ kind: "mined", nonce: 0, receipt: { txHash: second!.txHash } });
  });

  it("succeeds also by the attempt that was replaced", async () => {
    await using bench = await LaneBench.start();
    const outcome = bench.submit("a1");
    await until(() => bench.chain.pool.size === 1);
    const original = bench.chain.pool.get(0)!;
    await bench.pass(61_000);
    expect(bench.attempts("a1")).toHaveLength(2);
    // A miner that never heard of the replacement.
    bench.chain.pool.set(0, original);
    bench.chain.mine();
    expect(await outcome).toMatchObject({ kind: "mined", receipt: { txHash: original.hash } });
    expect(bench.chain.effects()).toEqual({ "0xa1": 1 });
  });

  it("is replaced at once when the node says that its fees are too low", async () => {
    await using bench = await LaneBench.start();
    bench.chain.intercept = (tx) =>
      tx.fees.maxFeePerGasWei < 24n * GWEI
        ? { kind: "underpriced", message: "max fee per gas less than block base fee" }
        : undefined;
    const outcome = bench.submit("a1");
    await until(() => bench.chain.pool.size === 1);
    expect(bench.attempts("a1")).toHaveLength(2);
    bench.chain.mine();
    expect(await outcome).toMatchObject({ kind: "mined", nonce: 0 });
  });

  it("does not race up in fees against a node that refuses every one of them", async () => {
    await using bench = await LaneBench.start();
    bench.chain.intercept = () => ({ kind: "underpriced", message: "transaction underpriced" });
    void bench.submit("a1");
    await until(() => bench.chain.sent.length === 2);
    await settle();
    expect(bench.chain.sent).toHaveLength(2);
    await bench.pass(13_000);
    // The resent bytes, and one replacement for the answer to them.
    expect(bench.chain.sent).toHaveLength(4);
  });

  it("never pays more per gas than the ceiling, says so, and is sent on as it is", async () => {
    await using bench = await LaneBench.start({ maxFeePerGasWei: 22n * GWEI });
    bench.chain.baseFeeWei = 21n * GWEI;
    const outcome = bench.submit("a1");
    await until(() => bench.chain.pool.size === 1);
    bench.chain.baseFeeWei = 30n * GWEI;
    await bench.pass(300_000);
    expect(bench.attempts("a1")).toHaveLength(1);
    for (const raw of bench.chain.sent) {
      expect(parseTx(raw).fees.maxFeePerGasWei).toBeLessThanOrEqual(22n * GWEI);
    }
    expect(bench.chain.sent.length).toBeGreaterThan(10);
    expect(bench.lane.notReady()).toEqual([
      "fees are above tx_policy.max_fee_gwei; holding and sending the last transaction again until they fall",
    ]);
    bench.chain.baseFeeWei = 20n * GWEI;
    bench.chain.mine();
    expect(await outcome).toMatchObject({ kind: "mined" });
    expect(bench.lane.notReady()).toEqual([]);
  });

  it("is sent on as it is when there is nothing to sign a replacement with", async () => {
    await using bench = await LaneBench.start();
    const outcome = bench.submit("a1");
    await until(() => bench.chain.pool.size === 1);
    bench.signer.before = () => Promise.reject(new Error("the key service is down"));
    await bench.pass(61_000);
    expect(new Set(bench.chain.sent).size).toBe(1);
    expect(bench.logs.at("error")).toContain("a transaction could not be signed; trying again");
    bench.signer.before = async () => undefined;
    await bench.pass(13_000);
    expect(bench.attempts("a1")).toHaveLength(2);
    bench.chain.mine();
    expect(await outcome).toMatchObject({ kind: "mined", nonce: 0 });
  });

  it("is replaced once fees have fallen below the ceiling again", async () => {
    await using bench = await LaneBench.start({ maxFeePerGasWei: 30n * GWEI });
    const outcome = bench.submit("a1");
    await until(() => bench.chain.pool.size === 1);
    bench.chain.baseFeeWei = 40n * GWEI;
    await bench.pass(60_000);
    expect(bench.lane.notReady()).toHaveLength(1);
    bench.chain.baseFeeWei = 12n * GWEI;
    await bench.pass(13_000);
    expect(bench.attempts("a1").map(({ maxFeePerGasWei }) => maxFeePerGasWei)).toEqual([
      21n * GWEI,
      25n * GWEI,
    ]);
    expect(bench.lane.notReady()).toEqual([]);
    bench.chain.mine();
    expect(await outcome).toMatchObject({ kind: "mined" });
  });

  it("is resent, not replaced, on a chain whose fees are zero", async () => {
    const chain = new FakeChain();
    chain.baseFeeWei = 0n;
    chain.tipWei = 0n;
    await using bench = await LaneBench.start({}, { chain });
    const outcome = bench.submit("a1");
    await until(() => chain.pool.size === 1);
    await bench.pass(100_000);
    expect(new Set(chain.sent).size).toBe(1);
    expect(chain.sent.length).toBeGreaterThan(5);
    chain.mine();
    expect(await outcome).toMatchObject({ kind: "mined" });
  });

  it("keeps its nonce and says so while the wallet cannot pay, and goes on once it can", async () => {
    await using bench = await LaneBench.start();
    bench.chain.intercept = () => ({
      kind: "insufficient_funds",
      message: "insufficient funds for gas * price + value",
    });
    const outcome = bench.submit("a1");
    await until(() => bench.lane.notReady().length > 0);
    expect(bench.lane.notReady()).toEqual([
      `the wallet ${bench.signer.address} cannot pay for gas; send it funds, transactions then go on by themselves`,
    ]);
    await bench.pass(13_000);
    expect(bench.lane.notReady()).toHaveLength(1);
    bench.chain.intercept = () => undefined;
    await bench.pass(13_000);
    await until(() => bench.chain.pool.size === 1);
    expect(bench.lane.notReady()).toEqual([]);
    bench.chain.mine();
    expect(await outcome).toMatchObject({ kind: "mined", nonce: 0 });
    expect(new Set(bench.chain.sent).size).toBe(1);
  });

  it("is ready again when what could not be paid for was mined after all", async () => {
    await using bench = await LaneBench.start();
    bench.chain.intercept = (_tx, node) => {
      node();
      return { kind: "insufficient_funds", message: "insufficient funds" };
    };
    const outcome = bench.submit("a1");
    await until(() => bench.lane.notReady().length > 0);
    bench.chain.mine();
    expect(await outcome).toMatchObject({ kind: "mined" });
    expect(bench.lane.notReady()).toEqual([]);
  });

  it("does not hold up the others that are due while the node is silent about one", async () => {
    await using bench = await LaneBench.start();
    void bench.submit("a1");
    void bench.submit("a2");
    await until(() => bench.chain.pool.size === 2);
    const never = createDeferred<never>();
    const send = bench.chain.send.bind(bench.chain);
    bench.chain.send = (raw) => (parseTx(raw).nonce === 0 ? never.promise : send(raw));
    await bench.pass(13_000);
    expect(bench.sentData()).toEqual(["0xa1", "0xa2", "0xa2"]);
    never.reject(new StoppedError());
  });
});
