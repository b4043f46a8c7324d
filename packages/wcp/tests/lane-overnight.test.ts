import { describe, expect, it } from "vitest";
import type { Chain } from "../src/chain-ports.ts";
import type { FakeChain } from "./_fake-chain.ts";
import { isNoop } from "./_fake-signer.ts";
import { BATCHING, LaneBench } from "./_lane-bench.ts";

const GWEI = 1_000_000_000n;

/** Puts one read of the chain in place of its own. */
function answer<K extends keyof Chain>(chain: FakeChain, name: K, read: Chain[K]): void {
  Object.assign(chain, { [name]: read });
}

/** Time and blocks, side by side. */
async function minutes(bench: LaneBench, count: number): Promise<void> {
  for (let step = 0; step < count * 4; step += 1) {
    await bench.pass(15_000);
    await bench.mine();
  }
}

describe("a lane that is left alone", () => {
  it("goes on confirming while a node never answers what an old block refused", async () => {
    await using bench = await LaneBench.start();
    const call = bench.chain.call.bind(bench.chain);
    answer(bench.chain, "call", (request, block) =>
      block === undefined ? call(request) : new Promise(() => undefined),
    );
    bench.chain.reverts.set("0xaa", { name: "Taken", message: "taken" });
    const lost = bench.submit("aa");
    await bench.pass(1_000);
    await bench.mine();
    const done = bench.submit("b1", "complete");
    await bench.pass(1_000);
    await bench.mine();
    await bench.pass(10_000);
    expect(await lost).toMatchObject({ kind: "reverted", revert: { name: "" } });
    expect(await done).toMatchObject({ kind: "mined" });
  });

  it("claims again when a fee spike ended while nothing waited", async () => {
    await using bench = await LaneBench.start({ maxFeePerGasWei: 50n * GWEI });
    bench.chain.baseFeeWei = 100n * GWEI;
    void bench.submit("b1", "heartbeat", { deadlineMs: bench.clock.nowMs() + 5_000 });
    await bench.pass(3_000);
    expect(bench.lane.notReady()).not.toEqual([]);
    bench.chain.baseFeeWei = 10n * GWEI;
    await minutes(bench, 2);
    expect(bench.lane.notReady()).toEqual([]);
  });

  it("starts on an endpoint that refuses at first, and on one that knows no pending nonce", async () => {
    const bench = new LaneBench();
    await using _ = bench;
    const code = bench.chain.code.bind(bench.chain);
    let asked = 0;
    answer(bench.chain, "code", (address) => {
      asked += 1;
      return asked === 1 ? Promise.reject(new Error("Internal error")) : code(address);
    });
    answer(bench.chain, "pendingCount", () => Promise.reject(new Error("pending is not supported")));
    bench.run();
    const done = bench.submit("a1", "complete");
    await bench.pass(2_000);
    await bench.mine();
    await bench.pass(1_000);
    expect(await done).toMatchObject({ kind: "mined", nonce: 0 });
  });

  it("gives up what was signed at the ceiling and will never be valid", async () => {
    await using bench = await LaneBench.start({ maxFeePerGasWei: 50n * GWEI });
    bench.chain.baseFeeWei = 45n * GWEI;
    bench.chain.intercept = (tx) =>
      !isNoop(tx) && tx.data === "0xaa"
        ? { kind: "never_valid", message: "exceeds block gas limit" }
        : undefined;
    const poison = bench.submit("aa", "complete");
    const behind = bench.submit("b1", "complete");
    await bench.pass(5_000);
    bench.chain.baseFeeWei = GWEI;
    await minutes(bench, 3);
    expect(await poison).toMatchObject({ kind: "dropped", reason: "purged" });
    expect(await behind).toMatchObject({ kind: "mined" });
  });

  it("sends one by one where no endpoint takes a delegation, whatever it says about it", async () => {
    await using bench = await LaneBench.start({ batching: BATCHING });
    bench.chain.intercept = (tx) =>
      tx.authorization === undefined ? undefined : { kind: "unknown", message: "tx type 4 not enabled" };
    const all = Promise.all(["a1", "a2", "a3"].map((name) => bench.submit(name, "complete")));
    await minutes(bench, 4);
    expect((await all).map(({ kind }) => kind)).toEqual(["mined", "mined", "mined"]);
  });

  it("asks again what the wallet delegates to when the node would not say", async () => {
    await using bench = await LaneBench.start({ batching: BATCHING });
    const code = bench.chain.code.bind(bench.chain);
    let asked = 0;
    answer(bench.chain, "code", (address) => {
      asked += 1;
      return asked <= 2 ? Promise.reject(new Error("server error")) : code(address);
    });
    const all = Promise.all(["a1", "a2", "a3"].map((name) => bench.submit(name, "complete")));
    await minutes(bench, 1);
    expect((await all).map(({ kind }) => kind)).toEqual(["mined", "mined", "mined"]);
  });

  it("does not send again what an endpoint that is behind does not know yet", async () => {
    await using bench = await LaneBench.start();
    const all = Promise.all(["a1", "a2", "a3"].map((name) => bench.submit(name, "complete")));
    await bench.pass(1_000);
    await bench.mine();
    await all;
    const sent = bench.chain.sent.length;
    const minedCount = bench.chain.minedCount.bind(bench.chain);
    answer(bench.chain, "minedCount", async () => 0);
    await minutes(bench, 3);
    expect(bench.chain.sent).toHaveLength(sent);
    answer(bench.chain, "minedCount", minedCount);
    const next = bench.submit("b1", "complete");
    await minutes(bench, 1);
    expect(await next).toMatchObject({ kind: "mined", nonce: 3 });
  });

  it("sends again what a pool dropped, also after the wall clock was set back by an hour", async () => {
    await using bench = await LaneBench.start();
    const done = bench.submit("a1", "complete");
    await bench.pass(1_000);
    const nowMs = bench.clock.nowMs.bind(bench.clock);
    bench.clock.nowMs = () => nowMs() - 3_600_000;
    bench.chain.drop(0);
    await minutes(bench, 2);
    expect(await done).toMatchObject({ kind: "mined" });
  });

  it("gives no nonce to a heartbeat whose simulation took until its lease was over", async () => {
    await using bench = await LaneBench.start();
    const estimate = bench.chain.estimateGas.bind(bench.chain);
    const slow = Promise.withResolvers<void>();
    answer(bench.chain, "estimateGas", async (request) => {
      await slow.promise;
      return estimate(request);
    });
    const late = bench.submit("b1", "heartbeat", { deadlineMs: bench.clock.nowMs() + 5_000 });
    await bench.pass(6_000);
    slow.resolve();
    await bench.pass(1_000);
    expect(await late).toMatchObject({ kind: "dropped", reason: "expired" });
    expect(bench.chain.sent).toEqual([]);
  });
});
