// Faults 28 to 30 and 34 of the transaction lane: what an endpoint may answer to what it is asked.
import { describe, expect, it } from "vitest";
import { StoppedError } from "../src/ports.ts";
import { FakeChain } from "./_fake-chain.ts";
import { LaneBench } from "./_lane-bench.ts";
import { settle, until } from "./_until.ts";

describe("an endpoint that is behind", () => {
  it("fault 28: with its pending count never makes a nonce be used again", async () => {
    const before = await LaneBench.start();
    const { chain, disk, clock } = before;
    const outcomes = ["a1", "a2"].map((name) => before.submit(name));
    await until(() => chain.pool.size === 2);
    await before.mine(3);
    await Promise.all(outcomes);
    await before.stop();
    chain.stale = { reads: 1_000, blocks: 4 };
    expect(await chain.pendingCount()).toBe(0);
    await using after = await LaneBench.start({}, { chain, disk, clock });
    const outcome = after.submit("b1");
    await until(() => chain.pool.size === 1);
    expect(chain.pool.get(2)?.data).toBe("0xb1");
    chain.mine();
    // The count of mined transactions says nothing of it yet.
    await after.pass(5_000);
    expect(after.store.intentByKey("b1")?.state).toEqual({ kind: "signed", nonce: 2 });
    chain.stale = { reads: 0, blocks: 0 };
    await after.pass(2_000);
    expect(await outcome).toMatchObject({ kind: "mined", nonce: 2 });
    expect(chain.effects()).toEqual({ "0xa1": 1, "0xa2": 1, "0xb1": 1 });
    expect(after.logs.at("error")).toEqual([]);
  });

  it("fault 28: makes no transaction look reorged, however often it is asked in a row", async () => {
    await using bench = await LaneBench.start({ confirmationsBlocks: 5 });
    const outcome = bench.submit("a1");
    await until(() => bench.chain.pool.size === 1);
    await bench.mine();
    await outcome;
    for (let turn = 0; turn < 5; turn += 1) {
      bench.chain.stale = { reads: 2, blocks: 2 };
      await bench.pass(2_000);
      bench.chain.stale = { reads: 0, blocks: 0 };
      await bench.pass(1_000);
    }
    expect(bench.logs.at("warn")).toEqual([]);
    expect(bench.store.intentByKey("a1")?.state).toMatchObject({ kind: "mined" });
    expect(bench.chain.sent).toHaveLength(1);
  });

  it("fault 29: with a receipt does not make a transaction lost: it is waited for", async () => {
    const chain = new FakeChain();
    await using bench = await LaneBench.start({}, { chain });
    const receipt = chain.receipt.bind(chain);
    chain.receipt = async () => undefined;
    const outcomes = ["a1", "a2"].map((name) => bench.submit(name));
    await until(() => chain.pool.size === 2);
    chain.mine();
    await bench.pass(8_000);
    expect(bench.store.openTransactions().map(({ state }) => state.kind)).toEqual(["signed", "signed"]);
    chain.receipt = receipt;
    await bench.pass(2_000);
    expect((await Promise.all(outcomes)).map(({ kind }) => kind)).toEqual(["mined", "mined"]);
    expect(chain.sent).toHaveLength(2);
    expect(bench.logs.at("error")).toEqual([]);
  });

  it("fault 29: with a receipt that it had before does not undo what was mined", async () => {
    await using bench = await LaneBench.start({ confirmationsBlocks: 3 });
    const outcome = bench.submit("a1");
    await until(() => bench.chain.pool.size === 1);
    await bench.mine();
    await outcome;
    const receipt = bench.chain.receipt.bind(bench.chain);
    bench.chain.receipt = async () => undefined;
    await bench.mine(4);
    await bench.pass(2_000);
    bench.chain.receipt = receipt;
    const confirmed = bench.lane.confirmed("a1");
    await bench.pass(2_000);
    expect(await confirmed).toMatchObject({ kind: "mined", isConfirmed: true });
    expect(bench.ended).toHaveLength(1);
    expect(bench.chain.sent).toHaveLength(1);
  });

  it("fault 30: with its head is not believed that the chain went back", async () => {
    await using bench = await LaneBench.start({ confirmationsBlocks: 2 });
    const outcome = bench.submit("a1");
    await until(() => bench.chain.pool.size === 1);
    await bench.mine();
    expect(await outcome).toMatchObject({ kind: "mined" });
    const confirmed = bench.lane.confirmed("a1");
    await bench.mine();
    bench.chain.announce(bench.chain.ledger.blocks[1]);
    await bench.pass(5_000);
    expect(bench.store.intentByKey("a1")?.state).toMatchObject({ kind: "mined", isConfirmed: false });
    expect(bench.logs.at("warn")).toEqual([]);
    await bench.mine();
    expect(await confirmed).toMatchObject({ kind: "mined", isConfirmed: true });
    bench.chain.announce(bench.chain.ledger.blocks[1]);
    await bench.pass(5_000);
    expect(bench.store.intentByKey("a1")?.state).toMatchObject({ kind: "mined", isConfirmed: true });
    expect(bench.chain.sent).toHaveLength(1);
  });
});

describe("endpoints that are all down", () => {
  it("fault 34: lose no intent, and are asked on until one is back", async () => {
    await using bench = await LaneBench.start();
    const { chain } = bench;
    const down = Promise.withResolvers<undefined>();
    const estimateGas = chain.estimateGas.bind(chain);
    chain.estimateGas = async (call) => (await down.promise) ?? estimateGas(call);
    const send = chain.send.bind(chain);
    chain.send = async (raw) => (await down.promise) ?? send(raw);
    const minedCount = chain.minedCount.bind(chain);
    chain.minedCount = async () => (await down.promise) ?? minedCount();
    const outcomes = ["a1", "a2"].map((name) => bench.submit(name));
    await bench.pass(60_000);
    expect(chain.sent).toEqual([]);
    expect(bench.lane.depth()).toEqual({ outstanding: 0, queued: 2 });
    down.resolve(undefined);
    await settle();
    await bench.mine();
    expect((await Promise.all(outcomes)).map(({ kind }) => kind)).toEqual(["mined", "mined"]);
  });

  it("fault 34: do not keep the process from stopping", async () => {
    const bench = await LaneBench.start();
    const stopping = new AbortController();
    bench.chain.estimateGas = () =>
      new Promise((_resolve, reject) => {
        stopping.signal.addEventListener("abort", () => reject(new StoppedError()));
      });
    const outcome = bench.submit("a1");
    await settle();
    stopping.abort();
    await bench.stop();
    await expect(outcome).rejects.toBeInstanceOf(StoppedError);
    expect(bench.store.openIntents().map(({ state }) => state.kind)).toEqual(["queued"]);
  });
});
