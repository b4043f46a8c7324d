import { createDeferred } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import type { Store } from "../src/ports.ts";
import { foreignTx, isNoop } from "./_fake-signer.ts";
import { LaneBench } from "./_lane-bench.ts";
import { MemoryDisk } from "./_memory-store.ts";
import { settle, until } from "./_until.ts";

const GWEI = 1_000_000_000n;

/** A lane with one transaction in the pool. */
async function startWithOne(...args: Parameters<typeof LaneBench.start>): Promise<LaneBench> {
  const bench = await LaneBench.start(...args);
  void bench.submit("a1", "complete");
  await until(() => bench.chain.pool.size === 1);
  return bench;
}

/** In front of what could not be carried out stands a `-`. */
async function answerTo(bench: LaneBench, id: number): Promise<string> {
  for (let turn = 0; turn < 20 && !bench.disk.answers.has(id); turn += 1) await bench.pass(500);
  const answer = bench.disk.answers.get(id);
  if (answer === undefined) return "nothing";
  return answer.isDone ? answer.text : `- ${answer.text}`;
}

describe("an operator's order", () => {
  it("to bump replaces a transaction at once, and says by what", async () => {
    await using bench = await startWithOne();
    const answer = await answerTo(bench, bench.disk.order("bump", 0));
    const [first, second] = bench.attempts("a1");
    expect(answer).toBe(`replaced by ${second!.txHash}`);
    expect(second!.maxFeePerGasWei * 100n).toBeGreaterThanOrEqual(first!.maxFeePerGasWei * 115n);
    expect(bench.chain.pool.get(0)?.hash).toBe(second!.txHash);
    await bench.pass(10_000);
    expect(bench.attempts("a1")).toHaveLength(2);
  });

  it("to cancel puts a no-op in its place, and the intent ends cancelled when that one is mined", async () => {
    await using bench = await startWithOne();
    const outcome = bench.submit("a1");
    const answer = await answerTo(bench, bench.disk.order("cancel", 0));
    expect(answer).toBe(
      `replaced by the no-op ${bench.attempts("a1")[1]!.txHash}; whichever is mined decides`,
    );
    expect(isNoop(bench.chain.pool.get(0)!)).toBe(true);
    await bench.mine();
    expect(await outcome).toMatchObject({ kind: "dropped", reason: "cancelled" });
    expect(bench.chain.effects()).toEqual({});
  });

  it("to cancel is not forgotten by a restart", async () => {
    const before = await startWithOne();
    await answerTo(before, before.disk.order("cancel", 0));
    await before.stop();
    const { chain, disk, clock } = before;
    await using after = await LaneBench.start({}, { chain, disk, clock });
    const outcome = after.submit("a1");
    await after.mine();
    expect(await outcome).toMatchObject({ kind: "dropped", reason: "cancelled" });
    await after.pass(60_000);
    expect(chain.effects()).toEqual({});
    expect(chain.pool.size).toBe(0);
  });

  it("to cancel comes too late when the work is mined", async () => {
    await using bench = await startWithOne();
    const work = bench.chain.pool.get(0)!;
    const outcome = bench.submit("a1");
    await answerTo(bench, bench.disk.order("cancel", 0));
    bench.chain.pool.set(0, work);
    await bench.mine();
    expect(await outcome).toMatchObject({ kind: "mined", receipt: { txHash: work.hash } });
  });

  it("to send again sends the same bytes at once", async () => {
    await using bench = await startWithOne();
    bench.chain.drop(0);
    expect(await answerTo(bench, bench.disk.order("rebroadcast", 0))).toBe("sent again: accepted");
    expect(bench.chain.sent).toEqual([bench.chain.sent[0], bench.chain.sent[0]]);
  });

  it("to send again is not carried out when the endpoints do not take it", async () => {
    await using bench = await startWithOne();
    bench.chain.intercept = () => ({ kind: "insufficient_funds", message: "too poor" });
    const answer = await answerTo(bench, bench.disk.order("rebroadcast", 0));
    expect(answer).toBe("- sent again: insufficient_funds");
  });

  it("to bump tells that no endpoint has taken the replacement yet", async () => {
    await using bench = await startWithOne();
    bench.chain.intercept = () => ({ kind: "unknown", message: "pool full" });
    const answer = await answerTo(bench, bench.disk.order("bump", 0));
    expect(answer).toMatch(/^replaced by 0x\w+, which the endpoints answer with unknown; it is sent again$/);
  });

  it("about a nonce that nothing is under way with is answered so", async () => {
    await using bench = await startWithOne({ confirmationsBlocks: 3 });
    await bench.mine();
    expect(await answerTo(bench, bench.disk.order("bump", 0))).toBe("- nonce 0 is in a block already");
    expect(await answerTo(bench, bench.disk.order("cancel", 7))).toBe(
      '- nothing is under way with nonce 7; "wcp tx ls" shows what is',
    );
  });

  it("that the ceiling forbids is answered so, and changes nothing", async () => {
    await using bench = await startWithOne({ maxFeePerGasWei: 22n * GWEI });
    for (const action of ["bump", "cancel"] as const) {
      const answer = await answerTo(bench, bench.disk.order(action, 0));
      expect(answer).toMatch(/^- not (replaced|cancelled): .*tx_policy\.max_fee_gwei/);
    }
    expect(bench.attempts("a1")).toHaveLength(1);
  });

  it("that was given while no process ran is carried out by the next", async () => {
    const before = await startWithOne();
    await before.stop();
    const { chain, disk, clock } = before;
    const id = disk.order("bump", 0);
    await using after = await LaneBench.start({}, { chain, disk, clock });
    expect(await answerTo(after, id)).toMatch(/^replaced by 0x/);
  });
});

/** A disk that takes its time with attempts while `gate` is closed. */
function slowDisk(disk: MemoryDisk, gate: () => Promise<void>): Store {
  const store = disk.open();
  return {
    ...store,
    saveTransaction: async (change) => {
      if (change.attempt !== undefined) await gate();
      return store.saveTransaction(change);
    },
  };
}

describe("bytes that are not on disk yet", () => {
  it("are not sent, whatever asks for it", async () => {
    const disk = new MemoryDisk();
    const gate = createDeferred();
    const store = slowDisk(disk, () => gate.promise);
    await using bench = await LaneBench.start({}, { disk, deps: { store } });
    using _open = { [Symbol.dispose]: () => gate.resolve() };
    void bench.submit("a1");
    await settle();
    disk.order("rebroadcast", 0);
    await bench.pass(15_000);
    expect(bench.chain.sent).toEqual([]);
    gate.resolve();
    await until(() => bench.chain.pool.size === 1);
  });

  it("are not sent in place of those that are, while a replacement is being stored", async () => {
    const disk = new MemoryDisk();
    const gate = createDeferred();
    let isSlow = false;
    const store = slowDisk(disk, () => (isSlow ? gate.promise : Promise.resolve()));
    await using bench = await LaneBench.start({}, { disk, deps: { store } });
    using _open = { [Symbol.dispose]: () => gate.resolve() };
    void bench.submit("a1");
    await until(() => bench.chain.pool.size === 1);
    isSlow = true;
    disk.order("bump", 0);
    await bench.pass(2_000);
    disk.order("rebroadcast", 0);
    await bench.pass(30_000);
    expect(new Set(bench.chain.sent).size).toBe(1);
    gate.resolve();
    await bench.pass(2_000);
    expect(bench.chain.sent.every((raw) => disk.raws.has(raw))).toBe(true);
    expect(new Set(bench.chain.sent).size).toBe(2);
  });

  it("belong to a nonce that stays ours when somebody else's transaction is in the pool meanwhile", async () => {
    await using bench = await LaneBench.start();
    bench.signer.before = async () => {
      const fees = { maxFeePerGasWei: 22n * GWEI, maxPriorityFeePerGasWei: GWEI };
      bench.chain.pool.set(0, foreignTx(0, fees));
      bench.signer.before = async () => undefined;
    };
    const outcome = bench.submit("a1");
    await until(() => bench.chain.pool.get(0)?.isForeign === false);
    await bench.mine();
    expect(await outcome).toMatchObject({ kind: "mined", nonce: 0 });
  });
});
