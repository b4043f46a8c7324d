import { createDeferred } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import { CallReverted } from "../src/chain-ports.ts";
import { StoppedError } from "../src/ports.ts";
import { FakeChain } from "./_fake-chain.ts";
import { FakeSigner, foreignTx } from "./_fake-signer.ts";
import { LaneBench, request } from "./_lane-bench.ts";
import { MemoryDisk } from "./_memory-store.ts";
import { settle, until } from "./_until.ts";

const GWEI = 1_000_000_000n;

describe("a lane", () => {
  it("signs, stores and sends an intent, and resolves with its receipt", async () => {
    await using bench = await LaneBench.start();
    const outcome = bench.submit("a1");
    await until(() => bench.chain.pool.size === 1);
    bench.chain.mine();
    expect(await outcome).toMatchObject({
      kind: "mined",
      nonce: 0,
      receipt: { succeeded: true, blockNumber: 2 },
    });
    expect(bench.chain.effects()).toEqual({ "0xa1": 1 });
    expect(bench.ended.map(({ key, state }) => [key, state.kind])).toEqual([["a1", "mined"]]);
    expect(bench.lane.depth()).toEqual({ outstanding: 0, queued: 0 });
    expect(bench.lane.notReady()).toEqual([]);
  });

  it("has the intent on disk before it asks for gas, and the bytes on disk before it sends them", async () => {
    const chain = new FakeChain();
    const disk = new MemoryDisk();
    const estimate = chain.estimateGas.bind(chain);
    chain.estimateGas = (call) => {
      expect(disk.open().intentByKey("a1")?.state.kind).toBe("queued");
      return estimate(call);
    };
    chain.intercept = (tx) => {
      expect(disk.raws.has(chain.sent.at(-1) ?? "")).toBe(true);
      expect(disk.open().intentByKey("a1")?.state).toMatchObject({ kind: "signed", nonce: tx.nonce });
      return undefined;
    };
    chain.automine = true;
    await using bench = await LaneBench.start({}, { chain, disk });
    expect(await bench.submit("a1")).toMatchObject({ kind: "mined" });
    expect(chain.sent).toHaveLength(1);
  });

  it("adds the margin and the headroom to the gas estimate, and offers the market's fees", async () => {
    await using bench = await LaneBench.start({ gasMarginPercent: 30 });
    void bench.submit("a1");
    await until(() => bench.chain.pool.size === 1);
    expect(bench.chain.pool.get(0)).toMatchObject({
      gasLimit: 95_000n, // 50,000 + 30 % + 30,000
      fees: { maxFeePerGasWei: 21n * GWEI, maxPriorityFeePerGasWei: GWEI },
    });
  });

  it("has many nonces in flight at once, and no more than it may", async () => {
    await using bench = await LaneBench.start({ maxPending: 3 });
    const outcomes = ["a1", "a2", "a3", "a4", "a5"].map((name) => bench.submit(name));
    await until(() => bench.chain.pool.size === 3);
    await settle();
    expect(bench.lane.depth()).toEqual({ outstanding: 3, queued: 2 });
    expect([...bench.chain.pool.keys()]).toEqual([0, 1, 2]);
    bench.chain.mine();
    await until(() => bench.chain.pool.size === 2);
    bench.chain.mine();
    expect((await Promise.all(outcomes)).map(({ kind }) => kind)).toEqual(Array(5).fill("mined"));
  });

  it("hands out nonces in the order of the queue, however long the signer takes", async () => {
    const signer = new FakeSigner();
    const gate = createDeferred();
    signer.before = () => (signer.asked.length === 1 ? gate.promise : Promise.resolve());
    await using bench = await LaneBench.start({}, { signer });
    for (const name of ["a1", "a2", "a3"]) void bench.submit(name);
    await until(() => signer.asked.length === 1);
    await settle();
    expect(signer.asked).toEqual([0]);
    gate.resolve();
    await until(() => bench.chain.pool.size === 3);
    expect([...bench.chain.pool.values()].map(({ nonce, data }) => [nonce, data])).toEqual([
      [0, "0xa1"],
      [1, "0xa2"],
      [2, "0xa3"],
    ]);
  });

  it("asks a signer that failed again, and leaves no hole meanwhile", async () => {
    const signer = new FakeSigner();
    signer.before = async ({ data }) => {
      if (data === "0xa2" && signer.asked.length < 4) throw new Error("the key service is down");
    };
    await using bench = await LaneBench.start({}, { signer });
    const outcomes = ["a1", "a2", "a3"].map((name) => bench.submit(name));
    await until(() => bench.chain.pool.size === 2);
    expect([...bench.chain.pool.values()].map(({ nonce, data }) => [nonce, data])).toEqual([
      [0, "0xa1"],
      [1, "0xa3"],
    ]);
    await bench.pass(500);
    await until(() => bench.chain.pool.size === 3);
    bench.chain.mine();
    expect((await Promise.all(outcomes)).map((outcome) => outcome.kind)).toEqual(["mined", "mined", "mined"]);
    expect(bench.logs.at("error")).toContain("a transaction could not be signed; trying again");
  });

  it("asks for the fees again when the node has none to tell", async () => {
    await using bench = await LaneBench.start();
    const market = bench.chain.feeMarket.bind(bench.chain);
    let asked = 0;
    bench.chain.feeMarket = () => {
      asked += 1;
      return asked === 1 ? Promise.reject(new Error("[BAD_HEAD] no block")) : market();
    };
    const outcome = bench.submit("a1");
    await settle();
    expect(bench.chain.pool.size).toBe(0);
    await bench.pass(1_000);
    bench.chain.mine();
    expect(await outcome).toMatchObject({ kind: "mined", nonce: 0 });
    expect(bench.logs.at("error")).toEqual(["the chain does not say what it asks for; trying again"]);
  });

  it("spends no nonce on what the simulation refuses, and says why", async () => {
    await using bench = await LaneBench.start();
    const revert = { name: "ActivityAlreadyClaimed", message: "0x01 is claimed by 0xbb" };
    bench.chain.refusals.set("0xa1", revert);
    const refused = bench.submit("a1");
    const fine = bench.submit("a2");
    expect(await refused).toEqual({ kind: "refused", revert });
    await until(() => bench.chain.pool.size === 1);
    expect(bench.chain.pool.get(0)?.data).toBe("0xa2");
    bench.chain.mine();
    expect(await fine).toMatchObject({ kind: "mined", nonce: 0 });
  });

  it("asks for the gas again when the node gives an answer that is neither gas nor a refusal", async () => {
    await using bench = await LaneBench.start();
    const estimate = bench.chain.estimateGas.bind(bench.chain);
    let asked = 0;
    bench.chain.estimateGas = (call) => {
      asked += 1;
      return asked < 3 ? Promise.reject(new Error("header not found")) : estimate(call);
    };
    void bench.submit("a1");
    await settle();
    await bench.pass(500);
    await bench.pass(1_000);
    await until(() => bench.chain.pool.size === 1);
    expect(asked).toBe(3);
  });

  it("decodes why a mined transaction threw, and does not try it again", async () => {
    await using bench = await LaneBench.start();
    const revert = { name: "LeaseExpired", message: "the lease ran out" };
    bench.chain.reverts.set("0xa1", revert);
    const outcome = bench.submit("a1");
    await until(() => bench.chain.pool.size === 1);
    bench.chain.mine();
    expect(await outcome).toMatchObject({ kind: "reverted", nonce: 0, revert });
    await bench.pass(120_000);
    expect(bench.chain.sent).toHaveLength(1);
  });

  it("reports a revert whose reason no replay shows as just that", async () => {
    await using bench = await LaneBench.start();
    bench.chain.reverts.set("0xa1", { name: "", message: "" });
    bench.chain.call = async () => "0x";
    const outcome = bench.submit("a1");
    await until(() => bench.chain.pool.size === 1);
    bench.chain.mine();
    expect(await outcome).toMatchObject({
      kind: "reverted",
      revert: { name: "", message: "reverted for a reason that a replay does not show, such as out of gas" },
    });
  });

  it("looks one block back for the reason where the state at the block itself hides it", async () => {
    await using bench = await LaneBench.start();
    const revert = { name: "LeaseExpired", message: "the lease ran out" };
    bench.chain.reverts.set("0xa1", revert);
    const blocks: (number | undefined)[] = [];
    bench.chain.call = async (...args: readonly unknown[]) => {
      blocks.push(args[1] as number | undefined);
      if (blocks.length === 1) throw new Error("state is pruned");
      throw new CallReverted(revert);
    };
    const outcome = bench.submit("a1");
    await until(() => bench.chain.pool.size === 1);
    bench.chain.mine();
    expect(await outcome).toMatchObject({ kind: "reverted", revert });
    expect(blocks).toEqual([2, 1]);
  });
});

describe("one key", () => {
  it("is one intent, however often it is submitted", async () => {
    await using bench = await LaneBench.start();
    const outcomes = [bench.submit("a1"), bench.submit("a1")];
    await until(() => bench.chain.pool.size === 1);
    outcomes.push(bench.submit("a1"));
    bench.chain.mine();
    const [first, second, third] = await Promise.all(outcomes);
    expect(second).toEqual(first);
    expect(third).toEqual(first);
    expect(await bench.submit("a1")).toEqual(first);
    expect(bench.chain.effects()).toEqual({ "0xa1": 1 });
  });

  it("joins the intent that a process before this one left behind", async () => {
    const before = await LaneBench.start();
    void before.submit("a1");
    await until(() => before.chain.pool.size === 1);
    await before.stop();
    await using after = await LaneBench.start({}, { chain: before.chain, disk: before.disk });
    const outcome = after.submit("a1");
    await settle();
    after.chain.mine();
    expect(await outcome).toMatchObject({ kind: "mined", nonce: 0 });
    expect(after.chain.effects()).toEqual({ "0xa1": 1 });
  });

  it("may be submitted before the lane runs", async () => {
    const bench = new LaneBench();
    const outcome = bench.submit("a1");
    await settle();
    bench.chain.automine = true;
    bench.run();
    expect(await outcome).toMatchObject({ kind: "mined", nonce: 0 });
    await bench.stop();
  });
});

describe("priority", () => {
  it("puts settling before heartbeats and heartbeats before claims, and keeps order within each", async () => {
    await using bench = await LaneBench.start({ maxPending: 1 });
    void bench.submit("00", "claim");
    await until(() => bench.chain.pool.size === 1);
    for (const name of ["c1", "c2"]) void bench.submit(name, "claim");
    for (const name of ["b1", "b2"]) void bench.submit(name, "heartbeat");
    for (const name of ["a1", "a2"]) void bench.submit(name, name === "a1" ? "complete" : "fail");
    await until(() => bench.lane.depth().queued === 6);
    bench.chain.automine = true;
    bench.chain.mine();
    await until(() => bench.chain.mined.length === 7);
    expect(bench.chain.mined.map((tx) => tx?.data)).toEqual([
      "0x00",
      "0xa1",
      "0xa2",
      "0xb1",
      "0xb2",
      "0xc1",
      "0xc2",
    ]);
  });
});

describe("a nonce that is mined", () => {
  it("is ours when a receipt says so, whatever the node answered to the bytes", async () => {
    await using bench = await LaneBench.start();
    bench.chain.intercept = (_tx, node) => {
      node();
      bench.chain.mine();
      return { kind: "nonce_too_low" };
    };
    expect(await bench.submit("a1")).toMatchObject({ kind: "mined", nonce: 0 });
    expect(bench.chain.effects()).toEqual({ "0xa1": 1 });
  });

  it("is waited for while its receipt lags behind, and not taken for somebody else's", async () => {
    const chain = new FakeChain();
    chain.receiptLag = 30;
    await using bench = await LaneBench.start({}, { chain });
    const outcomes = ["a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8"].map((name) => bench.submit(name));
    await until(() => chain.pool.size === 8);
    for (let block = 0; block < 28; block += 1) {
      chain.mine();
      await settle(3);
    }
    await bench.pass(8_000);
    await Promise.all(outcomes);
    expect(Object.values(chain.effects())).toEqual(Array(8).fill(1));
    expect(bench.logs.at("error")).toEqual([]);
  });

  it("goes to somebody else only with a loud word, and the intent gets another", async () => {
    await using bench = await LaneBench.start();
    const outcome = bench.submit("a1");
    await until(() => bench.chain.pool.size === 1);
    bench.chain.useKeyElsewhere(2);
    await bench.pass(9_000);
    expect(bench.logs.at("error")).toEqual([]);
    await bench.pass(3_000);
    await until(() => bench.chain.pool.size === 1);
    expect(bench.logs.at("error")).toEqual([
      "another transaction took this nonce: the wallet's key is in use elsewhere; stop the other user. What it was for gets a new nonce. If nobody else has the key, the endpoints lack our receipt",
    ]);
    expect([...bench.chain.pool.keys()]).toEqual([2]);
    bench.chain.mine();
    expect(await outcome).toMatchObject({ kind: "mined", nonce: 2 });
    expect(bench.chain.effects()).toEqual({ "0xa1": 1 });
  });
});

describe("a start", () => {
  it("begins after what is mined, what is in the pool and what was ever signed", async () => {
    const chain = new FakeChain();
    chain.useKeyElsewhere(3);
    chain.pool.set(3, foreignTx(3, { maxFeePerGasWei: 99n * GWEI, maxPriorityFeePerGasWei: GWEI }));
    await using bench = await LaneBench.start({}, { chain });
    void bench.submit("a1");
    await until(() => chain.pool.size === 2);
    expect([...chain.pool.keys()]).toEqual([3, 4]);
  });

  it("sends stored bytes again, the lowest nonce first, before anything is signed", async () => {
    const before = await LaneBench.start();
    const signer = new FakeSigner();
    before.chain.intercept = () => ({ kind: "unknown", message: "reset" });
    for (const name of ["a1", "a2", "a3"]) void before.submit(name);
    await until(() => before.chain.sent.length === 3);
    await before.stop();
    const first = [...before.chain.sent];
    before.chain.intercept = () => undefined;
    await using after = await LaneBench.start({}, { chain: before.chain, disk: before.disk, signer });
    await until(() => after.chain.pool.size === 3);
    expect(after.chain.sent.slice(3)).toEqual(first);
    expect(signer.asked).toEqual([]);
  });

  it("keeps to the stored bytes under new gas settings until they are due", async () => {
    const before = await LaneBench.start();
    void before.submit("a1");
    await until(() => before.chain.pool.size === 1);
    await before.stop();
    const { chain, disk, clock } = before;
    await clock.advance(600_000);
    await using after = await LaneBench.start({ gasBumpPercent: 50 }, { chain, disk, clock });
    await settle();
    expect(new Set(chain.sent).size).toBe(1);
    await after.pass(13_000);
    expect(new Set(chain.sent).size).toBe(2);
    expect(after.attempts("a1")).toHaveLength(2);
  });

  it("finds what was mined while no process ran", async () => {
    const before = await LaneBench.start();
    void before.submit("a1");
    await until(() => before.chain.pool.size === 1);
    await before.stop();
    before.chain.mine();
    await using after = await LaneBench.start({}, { chain: before.chain, disk: before.disk });
    expect(await after.submit("a1")).toMatchObject({ kind: "mined", nonce: 0 });
    expect(after.ended.map(({ key }) => key)).toEqual(["a1"]);
  });
});

describe("a stop", () => {
  it("rejects those who wait, ends the run, and leaves the rest to the next start", async () => {
    const before = await LaneBench.start({ maxPending: 1 });
    const waiting = [before.submit("a1"), before.submit("a2")];
    await until(() => before.chain.pool.size === 1);
    await before.stop();
    for (const outcome of waiting) await expect(outcome).rejects.toBeInstanceOf(StoppedError);
    await expect(before.lane.submit(request("a3"))).rejects.toBeInstanceOf(StoppedError);
    const { chain, disk } = before;
    chain.automine = true;
    await using after = await LaneBench.start({}, { chain, disk });
    await until(() => after.ended.length === 2);
    expect(chain.effects()).toEqual({ "0xa1": 1, "0xa2": 1 });
  });

  it("does not wait for a node that is silent", async () => {
    const bench = await LaneBench.start();
    const stopping = new AbortController();
    bench.chain.estimateGas = () =>
      new Promise((_resolve, reject) => {
        stopping.signal.addEventListener("abort", () => reject(new StoppedError()));
      });
    const waiting = bench.submit("a1");
    await settle();
    stopping.abort();
    await bench.stop();
    await expect(waiting).rejects.toBeInstanceOf(StoppedError);
  });

  it("by a store that fails is a fault, and no bytes were sent that are not stored", async () => {
    const disk = new MemoryDisk();
    const store = disk.open();
    const broken = { ...store, saveTransaction: () => Promise.reject(new Error("disk is full")) };
    const bench = await LaneBench.start({}, { disk, deps: { store: broken } });
    const waiting = bench.submit("a1");
    await expect(waiting).rejects.toBeInstanceOf(StoppedError);
    await expect(bench.stop()).rejects.toThrow("disk is full");
    expect(bench.chain.sent).toEqual([]);
  });
});
