import { describe, expect, it } from "vitest";
import type { IntentOutcome } from "../src/chain-ports.ts";
import type { LaneOptions } from "../src/services/lane/lane.ts";
import { callsIn, EXECUTOR } from "./_fake-batch.ts";
import { FakeChain } from "./_fake-chain.ts";
import { parseTx } from "./_fake-signer.ts";
import { BATCHING, LaneBench, type LaneBenchParts } from "./_lane-bench.ts";
import { settle, until } from "./_until.ts";

const NAMES = ["a1", "a2", "a3", "a4", "a5"];

function startBatching(
  parts: Partial<LaneBenchParts> = {},
  options: Partial<LaneOptions> = {},
): Promise<LaneBench> {
  return LaneBench.start({ batching: BATCHING, ...options }, parts);
}

function delegatedChain(): FakeChain {
  const chain = new FakeChain();
  chain.delegate(EXECUTOR);
  return chain;
}

/** Blocks come until everything has ended. */
async function mineUntilEnded(
  bench: LaneBench,
  outcomes: readonly Promise<IntentOutcome>[],
): Promise<IntentOutcome[]> {
  const progress = { isDone: false };
  const all = Promise.all(outcomes).finally(() => {
    progress.isDone = true;
  });
  for (let block = 0; block < 100 && !progress.isDone; block += 1) {
    await bench.mine();
    await bench.pass(1_000);
  }
  expect(progress.isDone).toBe(true);
  return all;
}

function kinds(outcomes: readonly IntentOutcome[]): string[] {
  return outcomes.map(({ kind }) => kind);
}

const once = (names: readonly string[]) => Object.fromEntries(names.map((name) => [`0x${name}`, 1]));

describe("batches", () => {
  it("carry many intents in one transaction of the wallet to itself", async () => {
    await using bench = await startBatching({ chain: delegatedChain() });
    const outcomes = NAMES.map((name) => bench.submit(name));
    await until(() => bench.chain.pool.size === 1);
    await settle();
    const ended = await mineUntilEnded(bench, outcomes);
    expect(kinds(ended)).toEqual(NAMES.map(() => "mined"));
    expect(bench.chain.effects()).toEqual(once(NAMES));
    expect(bench.included.map(({ kind, intentIds }) => [kind, intentIds.length])).toEqual([["batch", 5]]);
    const { gasUsed } = bench.chain.ledger.mined[0]!.receipt;
    for (const outcome of ended) {
      expect(outcome).toMatchObject({ nonce: 0, receipt: { succeeded: true, gasUsed: gasUsed / 5n } });
    }
  });

  it("are made one at a time, the next filling meanwhile", async () => {
    await using bench = await startBatching({ chain: delegatedChain() });
    const first = ["a1", "a2"].map((name) => bench.submit(name));
    await until(() => bench.chain.pool.size === 1);
    const next = ["b1", "b2", "b3"].map((name) => bench.submit(name));
    await bench.pass(5_000);
    expect(bench.chain.pool.size).toBe(1);
    expect(kinds(await mineUntilEnded(bench, [...first, ...next]))).toEqual(Array(5).fill("mined"));
    const sizes = bench.included.map(({ intentIds }) => intentIds.length);
    expect(sizes).toEqual([2, 3]);
    expect(bench.logs.at("warn")).toEqual([]);
  });

  it("put what is urgent first", async () => {
    await using bench = await startBatching({ chain: delegatedChain() });
    void bench.submit("00");
    await until(() => bench.chain.pool.size === 1);
    const outcomes = [
      bench.submit("c1", "claim"),
      bench.submit("b1", "heartbeat"),
      bench.submit("a1", "complete"),
    ];
    await until(() => bench.lane.depth().queued === 3);
    await mineUntilEnded(bench, outcomes);
    const calls = bench.chain.mined.flatMap(({ data }) => callsIn(data, "execute") ?? []);
    expect(calls.map(({ data }) => data).filter((data) => data !== "0x00")).toEqual(["0xa1", "0xb1", "0xc1"]);
  });

  it("are delegated for first, and nonces go on after the two that this takes", async () => {
    await using bench = await startBatching();
    const outcomes = NAMES.map((name) => bench.submit(name));
    const ended = await mineUntilEnded(bench, outcomes);
    expect(kinds(ended)).toEqual(NAMES.map(() => "mined"));
    expect(bench.chain.effects()).toEqual(once(NAMES));
    expect(bench.included.map(({ kind }) => kind)).toContain("delegation");
    expect(bench.chain.ledger.head.delegateAfter).toBe(EXECUTOR);
    const delegation = bench.included.find(({ kind }) => kind === "delegation");
    expect(bench.included.map(({ nonce }) => nonce)).not.toContain((delegation?.nonce ?? 0) + 1);
    expect(bench.logs.at("error")).toEqual([]);
    await bench.pass(120_000);
    expect(bench.sentData()).not.toContain("noop");
  });

  it("leave out what the simulation refuses, before it costs anything", async () => {
    await using bench = await startBatching({ chain: delegatedChain() });
    const revert = { name: "ActivityAlreadyClaimed", message: "somebody was faster" };
    bench.chain.refusals.set("0xa3", revert);
    const ended = await mineUntilEnded(
      bench,
      NAMES.map((name) => bench.submit(name)),
    );
    expect(ended[2]).toEqual({ kind: "refused", revert });
    expect(bench.chain.effects()).toEqual(once(["a1", "a2", "a4", "a5"]));
  });

  it("end a call that throws as reverted, and the others as mined", async () => {
    await using bench = await startBatching({ chain: delegatedChain() });
    const revert = { name: "LeaseExpired", message: "the lease ran out" };
    bench.chain.reverts.set("0xa4", revert);
    const ended = await mineUntilEnded(
      bench,
      NAMES.map((name) => bench.submit(name)),
    );
    expect(kinds(ended)).toEqual(["mined", "mined", "mined", "reverted", "mined"]);
    expect(ended[3]).toMatchObject({ revert, receipt: { succeeded: false } });
    expect(bench.chain.effects()).toEqual(once(["a1", "a2", "a3", "a5"]));
  });

  it("have a call that failed without a word, as one short of gas does, go out alone", async () => {
    await using bench = await startBatching({ chain: delegatedChain() });
    bench.chain.reverts.set("0xa4", { name: "", message: "the contract refused without a reason" });
    const lift = bench.chain.onHead(() => {
      if (bench.chain.effects()["0xa3"] === 1) bench.chain.reverts.clear();
    });
    const ended = await mineUntilEnded(
      bench,
      NAMES.map((name) => bench.submit(name)),
    );
    lift[Symbol.dispose]();
    expect(kinds(ended)).toEqual(NAMES.map(() => "mined"));
    expect(bench.chain.effects()).toEqual(once(NAMES));
  });

  it("that throw as a whole have their calls go out one by one", async () => {
    await using bench = await startBatching({ chain: delegatedChain() }, { confirmationsBlocks: 1 });
    bench.chain.ledger.isBatchBroken = true;
    const ended = await mineUntilEnded(
      bench,
      NAMES.map((name) => bench.submit(name)),
    );
    expect(kinds(ended)).toEqual(NAMES.map(() => "mined"));
    expect(bench.chain.effects()).toEqual(once(NAMES));
    expect(bench.logs.at("warn")).toContain("a batch was reverted as a whole; its calls go out one by one");
    expect(bench.included.filter(({ kind }) => kind === "single").length).toBeGreaterThanOrEqual(4);
  });

  it("that ran no code, since the wallet delegates to nothing any more, are not taken for done", async () => {
    await using bench = await startBatching({ chain: delegatedChain() });
    const outcomes = NAMES.map((name) => bench.submit(name));
    await until(() => bench.chain.pool.size === 1);
    await settle();
    bench.chain.ledger.delegate(undefined);
    const ended = await mineUntilEnded(bench, outcomes);
    expect(kinds(ended)).toEqual(NAMES.map(() => "mined"));
    expect(bench.chain.effects()).toEqual(once(NAMES));
  });

  it("give way to single transactions where the chain does not know type 4", async () => {
    await using bench = await startBatching();
    bench.chain.intercept = (tx) =>
      tx.authorization === undefined
        ? undefined
        : { kind: "never_valid", message: "transaction type not supported" };
    const ended = await mineUntilEnded(
      bench,
      NAMES.map((name) => bench.submit(name)),
    );
    expect(kinds(ended)).toEqual(NAMES.map(() => "mined"));
    expect(bench.chain.effects()).toEqual(once(NAMES));
    expect(bench.logs.at("warn")).toContain("batching is off; transactions go out one by one");
    const outcome = bench.submit("b1");
    await until(() => bench.chain.pool.size === 1);
    await bench.mine();
    expect(await outcome).toMatchObject({ kind: "mined" });
  });

  it("give way to single transactions where the wallet delegates to something else", async () => {
    const chain = new FakeChain();
    chain.delegate(`0x${"dd".repeat(20)}`);
    await using bench = await startBatching({ chain });
    const ended = await mineUntilEnded(
      bench,
      NAMES.map((name) => bench.submit(name)),
    );
    expect(kinds(ended)).toEqual(NAMES.map(() => "mined"));
    expect(chain.effects()).toEqual(once(NAMES));
    expect(chain.mined.every(({ authorization }) => authorization === undefined)).toBe(true);
  });

  it("shrink when the chain takes none of their size", async () => {
    await using bench = await startBatching({ chain: delegatedChain() });
    bench.chain.intercept = (tx) =>
      tx.gasLimit > 300_000n && tx.nonce < 50
        ? { kind: "never_valid", message: "exceeds the cap of a transaction" }
        : undefined;
    const names = Array.from({ length: 12 }, (_, index) => (0xc0 + index).toString(16));
    const ended = await mineUntilEnded(
      bench,
      names.map((name) => bench.submit(name)),
    );
    expect(kinds(ended)).toEqual(names.map(() => "mined"));
    expect(bench.chain.effects()).toEqual(once(names));
  });

  it("do not fill a block beyond their share of it", async () => {
    const chain = delegatedChain();
    chain.ledger.blockGasLimit = 1_000_000n;
    chain.delegate(EXECUTOR);
    await using bench = await startBatching({ chain });
    const names = Array.from({ length: 40 }, (_, index) => (0x80 + index).toString(16));
    await mineUntilEnded(
      bench,
      names.map((name) => bench.submit(name)),
    );
    expect(chain.effects()).toEqual(once(names));
    for (const raw of chain.sent) expect(parseTx(raw).gasLimit).toBeLessThanOrEqual(800_000n);
  });

  it("go on after a restart with the bytes that were stored", async () => {
    const before = await startBatching({ chain: delegatedChain() });
    const { chain, disk, clock } = before;
    for (const name of NAMES) void before.submit(name);
    await until(() => chain.pool.size === 1);
    expect(callsIn(chain.pool.get(0)?.data ?? "", "execute")).toHaveLength(5);
    await before.stop();
    chain.pool.clear();
    const count = chain.sent.length;
    await using after = await startBatching({ chain, disk, clock });
    expect(chain.sent.slice(count)).toEqual([chain.sent[count - 1]]);
    expect(after.signer.asked).toEqual([]);
    const ended = await mineUntilEnded(
      after,
      NAMES.map((name) => after.submit(name)),
    );
    expect(kinds(ended)).toEqual(NAMES.map(() => "mined"));
    expect(chain.effects()).toEqual(once(NAMES));
  });

  it("come back after a reorg, and everything in them happens once", async () => {
    await using bench = await startBatching({ chain: delegatedChain() }, { confirmationsBlocks: 3 });
    const outcomes = NAMES.map((name) => bench.submit(name));
    await mineUntilEnded(bench, outcomes);
    bench.chain.reorg(2, { keep: false });
    const confirmed = NAMES.map((name) => bench.lane.confirmed(name));
    expect(kinds(await mineUntilEnded(bench, confirmed))).toEqual(NAMES.map(() => "mined"));
    expect(bench.chain.effects()).toEqual(once(NAMES));
  });

  it("that threw as a whole do not take their calls back when a deep reorg undoes everything", async () => {
    const chain = delegatedChain();
    await using bench = await startBatching({ chain });
    chain.ledger.isBatchBroken = true;
    await mineUntilEnded(
      bench,
      NAMES.map((name) => bench.submit(name)),
    );
    expect(bench.included.map(({ kind }) => kind)).toContain("batch");
    chain.ledger.isBatchBroken = false;
    const depth = chain.ledger.head.number - 2; // what delegates stays
    chain.reorg(depth, { keep: false });
    for (let turn = 0; turn < 60; turn += 1) {
      await bench.pass(5_000);
      await bench.mine();
    }
    expect(chain.effects()).toEqual(once(NAMES));
    expect(bench.store.openTransactions()).toEqual([]);
    expect(bench.sentData()).toContain("noop");
  });
});
