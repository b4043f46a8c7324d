// Faults 20 to 27 of the transaction lane: what may happen to the process and to its database.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDeferred, FakeClock } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import { openStore } from "../src/adapters/sqlite/store.ts";
import { StoppedError, type Store } from "../src/ports.ts";
import { aReceipt, aRequest, anAttempt, aTransaction, signed } from "./_builders.ts";
import { FakeChain } from "./_fake-chain.ts";
import { FakeSigner, foreignTx, parseTx } from "./_fake-signer.ts";
import { inPool, LANE_OPTIONS, LaneBench, request } from "./_lane-bench.ts";
import { MemoryDisk } from "./_memory-store.ts";
import { type Ending, Mortal } from "./_mortal.ts";
import { settle, until } from "./_until.ts";

const GWEI = 1_000_000_000n;
const FEES = { maxFeePerGasWei: 30n * GWEI, maxPriorityFeePerGasWei: GWEI };

/** A process that submits one intent and dies at its first send. */
async function dieAtSend(ending: Ending): Promise<LaneBench> {
  const chain = new FakeChain();
  const process = new Mortal(1, ending, () => undefined);
  const bench = await LaneBench.start({}, { chain, deps: { chain: process.guard(chain, ["send"]) } });
  void bench.submit("a1");
  await until(() => process.isOver);
  process.kill();
  return bench;
}

describe("a process that dies", () => {
  it("fault 20: between signing and sending leaves bytes that the next one sends as they are", async () => {
    const before = await dieAtSend("before");
    expect(before.chain.sent).toEqual([]);
    const { chain, disk, clock } = before;
    await using after = await LaneBench.start({}, { chain, disk, clock });
    const outcome = after.submit("a1");
    await until(() => chain.pool.size === 1);
    expect(chain.sent).toEqual([...disk.raws]);
    expect(after.signer.asked).toEqual([]);
    await after.mine();
    expect(await outcome).toMatchObject({ kind: "mined", nonce: 0 });
    expect(chain.effects()).toEqual({ "0xa1": 1 });
  });

  it("fault 21: after sending and before it knew has the bytes sent again, and known counts as sent", async () => {
    const before = await dieAtSend("after");
    expect(before.chain.pool.size).toBe(1);
    const { chain, disk, clock } = before;
    await using after = await LaneBench.start({}, { chain, disk, clock });
    const outcome = after.submit("a1");
    await settle();
    expect(chain.sent).toEqual([chain.sent[0], chain.sent[0]]);
    expect(after.signer.asked).toEqual([]);
    expect(after.logs.at("warn")).toEqual([]);
    await after.mine();
    expect(await outcome).toMatchObject({ kind: "mined", nonce: 0 });
    expect(chain.effects()).toEqual({ "0xa1": 1 });
  });

  it("fault 22: and comes back with other gas settings sends the original bytes first", async () => {
    const before = await dieAtSend("before");
    const { chain, disk, clock } = before;
    await clock.advance(600_000);
    const options = { gasBumpPercent: 50, gasMarginPercent: 100, maxFeePerGasWei: 22n * GWEI };
    await using after = await LaneBench.start(options, { chain, disk, clock });
    await settle();
    expect(chain.sent).toEqual([...disk.raws]);
    expect(parseTx(chain.sent[0]!)).toMatchObject({
      gasLimit: 95_000n,
      fees: { maxFeePerGasWei: 21n * GWEI },
    });
    await after.pass(LANE_OPTIONS.resendAfterMs + 1_000);
    // The replacement is due, and would pass the new ceiling.
    expect(after.attempts("a1")).toHaveLength(1);
  });

  it("fault 20: in the middle of a replacement leaves both attempts to the next one", async () => {
    const chain = new FakeChain();
    const process = new Mortal(5, "before", () => undefined);
    const before = await LaneBench.start({}, { chain, deps: { chain: process.guard(chain, ["send"]) } });
    void before.submit("a1");
    await before.pass(70_000);
    process.kill();
    expect(before.attempts("a1")).toHaveLength(2);
    expect(new Set(chain.sent).size).toBe(1);
    const { disk, clock } = before;
    await using after = await LaneBench.start({}, { chain, disk, clock });
    await settle();
    expect(chain.pool.get(0)?.hash).toBe(after.attempts("a1")[1]!.txHash);
  });
});

describe("a database", () => {
  it("fault 23: that cannot be written after a send was accepted is no failure of the intent", async () => {
    const disk = new MemoryDisk();
    const store = disk.open();
    const full: Store = {
      ...store,
      saveTransaction: (change) =>
        change.attempt === undefined
          ? Promise.reject(new Error("disk is full"))
          : store.saveTransaction(change),
    };
    const bench = await LaneBench.start({}, { disk, deps: { store: full } });
    const outcome = bench.submit("a1");
    await until(() => bench.chain.pool.size === 1);
    await bench.mine();
    await expect(outcome).rejects.toBeInstanceOf(StoppedError);
    await expect(bench.stop()).rejects.toThrow("disk is full");
    expect(bench.ended).toEqual([]);
    const { chain, clock } = bench;
    await using after = await LaneBench.start({}, { chain, disk, clock });
    expect(await after.submit("a1")).toMatchObject({ kind: "mined", nonce: 0 });
    expect(chain.effects()).toEqual({ "0xa1": 1 });
  });

  it("fault 24: that is gone leaves pending transactions, which are waited for and not replaced", async () => {
    const chain = new FakeChain();
    const before = await LaneBench.start({}, { chain });
    for (const name of ["a1", "a2"]) void before.submit(name);
    await until(() => chain.pool.size === 2);
    await before.stop();
    const { clock } = before;
    await using after = await LaneBench.start({}, { chain, clock });
    const outcome = after.submit("b1");
    await until(() => chain.pool.size === 3);
    await after.pass(20_000);
    expect(inPool(chain).map(([nonce]) => nonce)).toEqual([0, 1, 2]);
    await after.mine();
    expect(await outcome).toMatchObject({ kind: "mined", nonce: 2 });
    expect(chain.effects()).toEqual({ "0xa1": 1, "0xa2": 1, "0xb1": 1 });
    expect(after.logs.at("error")).toEqual([]);
  });

  it("fault 24: that is gone leaves nonces which no-ops fill when what was pending is never mined", async () => {
    const chain = new FakeChain();
    for (const nonce of [0, 1, 2]) chain.pool.set(nonce, foreignTx(nonce, FEES));
    await using bench = await LaneBench.start({}, { chain });
    const outcome = bench.submit("b1");
    await until(() => chain.pool.size === 4);
    chain.drop(0);
    chain.drop(2);
    await bench.pass(LANE_OPTIONS.repairAfterMs - 5_000);
    expect(inPool(chain).map(([nonce]) => nonce)).toEqual([1, 3]);
    await bench.pass(10_000);
    expect(inPool(chain)).toEqual([
      [0, "noop"],
      [1, "0xf0e1"],
      [2, "noop"],
      [3, "0xb1"],
    ]);
    await bench.mine();
    expect(await outcome).toMatchObject({ kind: "mined", nonce: 3 });
    await bench.pass(60_000);
    expect(bench.lane.depth()).toEqual({ outstanding: 0, queued: 0 });
    expect(bench.lane.notReady()).toEqual([]);
  });

  it("fault 25: whose nonces are ahead of the chain's, with holes among them, drains", async () => {
    const disk = new MemoryDisk();
    {
      using store = disk.open();
      const signer = new FakeSigner();
      for (const nonce of [1, 3]) {
        const intent = await store.addIntent(request(`a${nonce}`), 1);
        const { to, data } = intent;
        const { raw, txHash } = await signer.sign({ nonce, to, data, gasLimit: 95_000n, fees: FEES });
        const attempt = anAttempt({ raw, txHash, gasLimit: 95_000n, ...FEES });
        const transaction = aTransaction({ nonce, intentIds: [intent.id], attempts: [attempt] });
        await store.saveTransaction({ transaction, attempt, intents: [signed(intent, nonce)] });
      }
    }
    await using bench = await LaneBench.start({}, { disk });
    const outcome = bench.submit("b1");
    await bench.pass(LANE_OPTIONS.repairAfterMs + 10_000);
    expect(inPool(bench.chain)).toEqual([
      [0, "noop"],
      [1, "0xa1"],
      [2, "noop"],
      [3, "0xa3"],
      [4, "0xb1"],
    ]);
    await bench.mine();
    expect(await outcome).toMatchObject({ kind: "mined", nonce: 4 });
    expect(bench.chain.effects()).toEqual({ "0xa1": 1, "0xa3": 1, "0xb1": 1 });
    expect(bench.store.openIntents()).toEqual([]);
  });

  it("fault 25: whose nonces are ahead of the chain's, every one of them used, drains", async () => {
    const before = await LaneBench.start();
    const { chain, disk, clock } = before;
    const outcomes = ["a1", "a2", "a3"].map((name) => before.submit(name));
    await until(() => chain.pool.size === 3);
    await before.mine();
    await Promise.all(outcomes);
    await before.stop();
    // The endpoint's chain is restored from before all that.
    chain.reorg(1, { keep: false, blocks: 2 });
    await using after = await LaneBench.start({}, { chain, disk, clock });
    const outcome = after.submit("b1");
    await after.pass(120_000);
    expect(inPool(chain).map(([, data]) => data)).toEqual(["0xa1", "0xa2", "0xa3", "0xb1"]);
    await after.mine();
    expect(await outcome).toMatchObject({ kind: "mined", nonce: 3 });
    expect(chain.effects()).toEqual({ "0xa1": 1, "0xa2": 1, "0xa3": 1, "0xb1": 1 });
  });

  it("fault 25: that lost what it knew about its highest nonces gives them no-ops", async () => {
    const disk = new MemoryDisk();
    {
      using store = disk.open();
      // Somebody else's transaction had it; on the chain as it is now nobody's has.
      const attempt = anAttempt({ raw: "0xold", txHash: "0xold" });
      const transaction = aTransaction({ nonce: 0, intentIds: [], attempts: [attempt] });
      await store.saveTransaction({ transaction, attempt });
      await store.saveTransaction({ transaction: { ...transaction, state: { kind: "displaced" } } });
    }
    await using bench = await LaneBench.start({}, { disk });
    const outcome = bench.submit("b1");
    await bench.pass(LANE_OPTIONS.repairAfterMs + 10_000);
    expect(inPool(bench.chain)).toEqual([
      [0, "noop"],
      [1, "0xb1"],
    ]);
    await bench.mine();
    expect(await outcome).toMatchObject({ kind: "mined", nonce: 1 });
  });

  it("fault 25: whose deep past was undone by a reorg takes back what the intents came to", async () => {
    const disk = new MemoryDisk();
    const chain = new FakeChain();
    {
      using store = disk.open();
      const receipt = aReceipt();
      const intent = await store.addIntent(aRequest({ key: "a1", data: "0xa1" }), 1);
      const { to, data } = intent;
      const { raw, txHash } = await new FakeSigner().sign({
        nonce: 0,
        to,
        data,
        gasLimit: 95_000n,
        fees: FEES,
      });
      const attempt = anAttempt({ raw, txHash, gasLimit: 95_000n, ...FEES });
      const transaction = aTransaction({ intentIds: [intent.id], attempts: [attempt] });
      const mined = { kind: "mined", nonce: 0, receipt, isConfirmed: true } as const;
      await store.saveTransaction({ transaction, attempt, intents: [signed(intent, 0)] });
      await store.saveTransaction({
        transaction: { ...transaction, state: { kind: "confirmed", receipt } },
        intents: [{ ...intent, state: mined }],
      });
    }
    await using bench = await LaneBench.start({}, { chain, disk });
    await bench.pass(120_000);
    expect(inPool(chain)).toEqual([[0, "0xa1"]]);
    await bench.mine();
    await bench.pass(1_000);
    expect(bench.store.intentByKey("a1")?.state).toMatchObject({
      kind: "mined",
      isConfirmed: true,
      receipt: { blockNumber: 2 },
    });
  });
});

describe("two processes", () => {
  it("fault 26: on one database are one too many, and the second does not start", () => {
    const folder = mkdtempSync(join(tmpdir(), "wcp-lane-"));
    try {
      const options = { path: join(folder, "wcp.db"), chainId: 1n, wallet: "0xWallet" };
      using _first = openStore(options, { clock: new FakeClock() });
      expect(() => openStore(options, { clock: new FakeClock() })).toThrow(
        /^\[IN_USE\] .* is in use by another process/,
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("fault 26: with one key on two databases notice each other, and do everything once", async () => {
    const chain = new FakeChain();
    const clock = new FakeClock();
    await using left = await LaneBench.start({}, { chain, clock, disk: new MemoryDisk(clock) });
    await using right = await LaneBench.start({}, { chain, clock, disk: new MemoryDisk(clock) });
    const names = ["a1", "a2", "a3", "a4", "a5", "a6"];
    const outcomes = names.map((name, index) => (index % 2 === 0 ? left : right).submit(name));
    for (let turn = 0; turn < 60; turn += 1) {
      await left.pass(5_000);
      chain.mine();
    }
    expect((await Promise.all(outcomes)).map(({ kind }) => kind)).toEqual(names.map(() => "mined"));
    expect(chain.effects()).toEqual(Object.fromEntries(names.map((name) => [`0x${name}`, 1])));
    expect([...left.logs.at("error"), ...right.logs.at("error")].join("\n")).toContain("in use elsewhere");
  });
});

describe("a shutdown", () => {
  it("fault 27: gives no nonce to new intents, and waits for the send that is under way", async () => {
    const bench = await LaneBench.start();
    const { chain, disk, clock } = bench;
    const gate = createDeferred();
    const send = chain.send.bind(chain);
    const events: string[] = [];
    chain.send = async (raw) => {
      events.push("sending");
      await gate.promise;
      return send(raw);
    };
    const outcome = bench.submit("a1");
    await until(() => events.length === 1);
    const stopped = bench.stop().then(() => events.push("stopped"));
    const late = bench.submit("a2");
    await settle();
    expect(events).toEqual(["sending"]);
    gate.resolve();
    await expect(outcome).rejects.toBeInstanceOf(StoppedError);
    await expect(late).rejects.toBeInstanceOf(StoppedError);
    await expect(bench.lane.submit(request("a3"))).rejects.toBeInstanceOf(StoppedError);
    expect(bench.signer.asked).toEqual([0]);
    await stopped;
    chain.send = send;
    await using after = await LaneBench.start({}, { chain, disk, clock });
    await after.mine();
    expect(await after.submit("a1")).toMatchObject({ kind: "mined", nonce: 0 });
    // What was stored before the stop goes on; what was refused leaves nothing behind.
    expect(chain.effects()).toEqual({ "0xa1": 1, "0xa2": 1 });
    expect(after.store.intentByKey("a3")).toBeUndefined();
  });

  it("fault 27: with an endpoint that hangs ends all the same, with the bytes stored", async () => {
    const bench = await LaneBench.start();
    const { chain, disk, clock } = bench;
    const hanging: PromiseWithResolvers<never>[] = [];
    chain.send = () => {
      hanging.push(Promise.withResolvers<never>());
      return hanging.at(-1)!.promise;
    };
    void bench.submit("a1");
    await until(() => hanging.length === 1);
    const stopped = bench.stop();
    hanging[0]!.reject(new StoppedError()); // the RPC layer gives up with the process
    await stopped;
    const again = new FakeChain();
    await using after = await LaneBench.start({}, { chain: again, disk, clock });
    await settle();
    expect(again.sent).toEqual([...disk.raws]);
    expect(after.signer.asked).toEqual([]);
  });
});
