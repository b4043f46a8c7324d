import { taskQueueInterface } from "@subnet-worker/contracts";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { StoppedError } from "../src/ports.ts";
import { AnvilLane, DevChain } from "./_anvil-lane.ts";
import { idOf } from "./_builders.ts";
import { fastClock } from "./_fast-clock.ts";
import { until } from "./_until.ts";

let dev: DevChain;
let fromBlock: number;
let name = 0;

beforeAll(async () => {
  dev = await DevChain.start();
});
afterAll(async () => {
  await dev[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await dev.rpc("evm_setIntervalMining", 0);
  await dev.rpc("evm_setAutomine", true);
  fromBlock = (await dev.block()) + 1;
  name += 1;
});

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => name * 1_000 + index);
}

async function blockEverySecond(): Promise<void> {
  await dev.rpc("evm_setAutomine", false);
  await dev.rpc("evm_setIntervalMining", 1);
}

describe("a lane on anvil", () => {
  it("gets 200 intents through a node that mines each at once", async () => {
    await using on = new AnvilLane(dev, `automine-${name}`);
    const wanted = numbers(200);
    const outcomes = await Promise.all(wanted.map((number) => on.lane.submit(dev.enqueue(number))));
    expect(outcomes.map(({ kind }) => kind)).toEqual(wanted.map(() => "mined"));
    expect(await dev.enqueued(fromBlock)).toEqual(new Map(wanted.map((number) => [number, 1])));
    expect([...on.logs.at("error"), ...on.logs.at("warn")]).toEqual([]);
  });

  it("gets 200 intents into two blocks of a node that takes its time for each", async () => {
    await dev.holdBlocks();
    await using on = new AnvilLane(dev, `blocks-${name}`, { maxPending: 100 });
    const wanted = numbers(200);
    const settled = Promise.all(wanted.map((number) => on.lane.submit(dev.enqueue(number))));
    for (const mined of [100, 200]) {
      await until(async () => (await dev.waiting()) === 100);
      await dev.mine();
      expect((await dev.enqueued(fromBlock)).size).toBe(mined);
    }
    expect((await settled).map(({ kind }) => kind)).toEqual(wanted.map(() => "mined"));
    expect(await dev.enqueued(fromBlock)).toEqual(new Map(wanted.map((number) => [number, 1])));
    expect(await dev.block()).toBe(fromBlock + 1);
  });

  it("goes on half way after a restart, and nothing happens twice", async () => {
    await blockEverySecond();
    const wanted = numbers(60);
    let settled: Promise<PromiseSettledResult<unknown>[]>;
    {
      await using on = new AnvilLane(dev, `restart-${name}`, { maxPending: 20 });
      const outcomes = wanted.map((number) => on.lane.submit(dev.enqueue(number)));
      settled = Promise.allSettled(outcomes);
      await outcomes[20];
    }
    const results = await settled;
    expect(results.some((result) => result.status === "fulfilled")).toBe(true);
    for (const result of results) {
      if (result.status === "rejected") expect(result.reason).toBeInstanceOf(StoppedError);
    }
    await using again = new AnvilLane(dev, `restart-${name}`, { maxPending: 20 });
    const outcomes = await Promise.all(wanted.map((number) => again.lane.submit(dev.enqueue(number))));
    expect(outcomes.map(({ kind }) => kind)).toEqual(wanted.map(() => "mined"));
    expect(await dev.enqueued(fromBlock)).toEqual(new Map(wanted.map((number) => [number, 1])));
  });

  it("replaces a transaction that offers less than the blocks now cost", async () => {
    await dev.rpc("evm_setAutomine", false);
    await using on = new AnvilLane(dev, `bump-${name}`, { clock: fastClock(20) });
    const outcome = on.lane.submit(dev.enqueue(numbers(1)[0]!));
    await until(() => on.lane.depth().outstanding > 0);
    await dev.rpc("anvil_setNextBlockBaseFeePerGas", `0x${(20n * 10n ** 9n).toString(16)}`);
    await dev.rpc("evm_setIntervalMining", 1);
    expect(await outcome).toMatchObject({ kind: "mined" });
    expect(on.logs.at("info")).toContain("transaction replaced with higher fees");
    expect((await dev.enqueued(fromBlock)).size).toBe(1);
  });

  it("notices that its key is in use elsewhere, and both users get everything done once", async () => {
    await blockEverySecond();
    const wanted = numbers(20);
    await using left = new AnvilLane(dev, `left-${name}`, { clock: fastClock(20) });
    await using right = new AnvilLane(dev, `right-${name}`, { clock: fastClock(20) });
    const outcomes = await Promise.all(
      wanted.map((number, index) => (index % 2 === 0 ? left : right).lane.submit(dev.enqueue(number))),
    );
    expect(outcomes.map(({ kind }) => kind)).toEqual(wanted.map(() => "mined"));
    expect(await dev.enqueued(fromBlock)).toEqual(new Map(wanted.map((number) => [number, 1])));
    expect([...left.logs.at("error"), ...right.logs.at("error")].join("\n")).toContain(
      "the wallet's key is in use elsewhere; stop the other user",
    );
  });

  it("hears from the contract why it refuses, before a nonce is spent and after", async () => {
    await using on = new AnvilLane(dev, `refused-${name}`);
    const data = taskQueueInterface.encodeFunctionData("claimActivity", [idOf(999_999)]);
    const request = { ...dev.enqueue(0, "refused"), data };
    expect(await on.lane.submit(request)).toMatchObject({
      kind: "refused",
      revert: { name: "UnknownActivity" },
    });
    // A node that cannot simulate lets it through to the chain, which refuses it there.
    on.chain.estimateGas = async () => 200_000n;
    expect(await on.lane.submit({ ...request, key: "reverted" })).toMatchObject({
      kind: "reverted",
      revert: { name: "UnknownActivity" },
      receipt: { succeeded: false },
    });
  });
});
