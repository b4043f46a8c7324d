import { parseSpec } from "@subnet-worker/activity-spec";
import { createDeferred } from "@subnet-worker/testkit";
import { getBytes } from "ethers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Bloom } from "../src/adapters/evm/event-bloom.ts";
import type { LogQuery } from "../src/chain-ports.ts";
import { idOf } from "./_builders.ts";
import { ACTIVITY, counting, EvmBench, LEASE_S, Sink, WORKER } from "./_evm-bench.ts";
import { MemoryDisk } from "./_memory-store.ts";
import { until } from "./_until.ts";

let bench: EvmBench;

beforeAll(async () => {
  bench = await EvmBench.start();
});
afterAll(() => bench[Symbol.asyncDispose]());

type Watcher = ReturnType<EvmBench["create"]>["offers"];

/** Reads events up to the newest block. */
async function sync(watcher: Watcher, sink: Sink): Promise<void> {
  await bench.whenHeadIsNewest();
  let more = true;
  while (more) more = await watcher.syncEvents(sink);
}

/** Keeps the database's word for what was offered, as the book does. */
async function remember(disk: MemoryDisk, sink: Sink): Promise<void> {
  using store = disk.open();
  for (const offer of sink.offers) {
    if (store.task(offer.id) === undefined) {
      await store.saveTask({ ...offer, round: 1, state: { kind: "offered" } }, "new");
    }
  }
}

describe("the events of a queue", () => {
  it("tell what is offered, who takes it, and when it is to be had again", async () => {
    const disk = new MemoryDisk();
    const { offers } = bench.create({ disk });
    const sink = new Sink();
    await sync(offers, sink);
    const [first, second, third] = [await bench.enqueue(), await bench.enqueue(), await bench.enqueue()];
    await sync(offers, sink);
    expect(sink.ids.slice(-3)).toEqual([first, second, third]);
    await remember(disk, sink);
    const rival = await bench.rival();
    await bench.queueCall(rival, "claimActivity", [first]);
    await bench.queueCall(bench.dev.contracts.owner, "withdrawActivity", [second]);
    await sync(offers, sink);
    expect(sink.left.map((line) => line.toLowerCase())).toEqual([
      `${first} ${rival}`.toLowerCase(),
      `${second} nobody`,
    ]);
    await bench.passChainTime(LEASE_S + 1);
    await bench.queueCall(rival, "releaseExpired", [first]);
    await sync(offers, sink);
    expect(sink.ids.at(-1)).toBe(first);
    expect(sink.offers.at(-1)).toMatchObject({ queue: ACTIVITY.queue, kind: ACTIVITY.kind });
  });

  it("that are long over cost a few calls after the database was deleted, and no claim of what is gone", async () => {
    const settled: string[] = [];
    for (let number = 0; number < 60; number += 1) settled.push(await bench.enqueue());
    await Promise.all(
      settled.map(async (id) => {
        const { task } = await bench.claimed(id);
        await bench.source.complete(task, "0x");
      }),
    );
    const rival = await bench.rival();
    const [taken, open] = [await bench.enqueue(), await bench.enqueue()];
    await bench.queueCall(rival, "claimActivity", [taken]);
    await bench.dev.rpc("anvil_mine", "0x64");
    const { chain, calls } = counting(bench.on.chain);
    const sink = new Sink();
    await sync(bench.create({ chain }).offers, sink);
    expect(sink.ids).toContain(open);
    expect(sink.ids).not.toContain(taken);
    for (const id of settled) expect(sink.ids).not.toContain(id);
    const blocks = (await bench.dev.block()) + 1;
    // Per range of 20 blocks its logs, a hash, and two reads in bulk; never one per activity.
    expect(calls.length).toBeLessThan((blocks / 20) * 4 + 8);
  });

  it("are not asked for while the chain is quiet", async () => {
    const { chain, calls } = counting(bench.on.chain);
    const { offers } = bench.create({ chain });
    const sink = new Sink();
    await sync(offers, sink);
    await bench.enqueue();
    await sync(offers, sink);
    calls.length = 0;
    for (let block = 0; block < 30; block += 1) {
      await bench.dev.rpc("evm_mine");
      await sync(offers, sink);
    }
    // Nothing where heads come with their blooms, and the block where they do not.
    expect(calls.filter((call) => call !== "block")).toEqual([]);
    expect(calls.length).toBeLessThanOrEqual(30);
    await bench.enqueue();
    await sync(offers, sink);
    expect(calls.filter((call) => call !== "block")).toEqual(["logs"]);
  });
});

describe("a claim", () => {
  it("is won once the events of its block were taken, so that the next ones know of rivals", async () => {
    const held = createDeferred();
    const gate = { isClosed: false };
    const { chain } = counting(bench.on.chain);
    const slow = new Proxy(chain, {
      get: (target, name): unknown =>
        name !== "logs"
          ? Reflect.get(target, name)
          : async (query: LogQuery) => {
              if (gate.isClosed) await held.promise;
              return target.logs(query);
            },
    });
    const { evm, offers } = bench.create({ chain: slow });
    const sink = new Sink();
    const stop = new AbortController();
    const watching = offers.watch(sink, stop.signal);
    const id = await bench.enqueue();
    await until(() => sink.ids.includes(id));
    gate.isClosed = true;
    let isWon = false;
    const claim = evm.claim(bench.taskOf(id)).then(() => (isWon = true));
    await until(async () => (await bench.source.inspect([id]))[0]?.kind === "held");
    expect(isWon).toBe(false);
    held.resolve();
    await claim;
    expect(sink.left.map((line) => line.toLowerCase())).toContain(`${id} ${WORKER}`.toLowerCase());
    stop.abort();
    await watching;
  });
});

describe("a reorganisation on anvil", () => {
  it("has offers of blocks that are gone refused when they are claimed, and found again when they reappear", async () => {
    const { offers } = bench.create();
    const sink = new Sink();
    await sync(offers, sink);
    const orphan = await bench.enqueue();
    await bench.dev.rpc("evm_mine");
    await sync(offers, sink);
    expect(sink.ids.at(-1)).toBe(orphan);
    // The last two blocks are replaced by empty ones.
    await bench.dev.rpc("anvil_reorg", 2, []);
    await sync(offers, sink);
    expect(await bench.source.claim(bench.taskOf(orphan))).toMatchObject({ kind: "refused" });
    sink.offers.length = 0;
    // The same transaction again gives the activity the same id: ids count up.
    expect(await bench.enqueue()).toBe(orphan);
    await sync(offers, sink);
    expect(sink.ids).toContain(orphan);
    expect(await bench.source.claim(bench.taskOf(orphan))).toMatchObject({ kind: "won" });
  });

  it("that takes a claim back has it lost, which the network says when it is asked", async () => {
    const id = await bench.enqueue();
    const { task } = await bench.claimed(id);
    expect((await bench.source.inspect([id]))[0]).toMatchObject({ kind: "held" });
    const rival = await bench.rival();
    await bench.passChainTime(LEASE_S + 1);
    await bench.queueCall(rival, "claimActivity", [id]);
    expect((await bench.source.inspect([id]))[0]).toMatchObject({ kind: "taken" });
    expect(await bench.source.heartbeat(task, 10)).toMatchObject({ kind: "lost" });
  });
});

describe("a chain that is cut short on anvil", () => {
  it("is followed once it has grown again", async () => {
    const { offers } = bench.create();
    const sink = new Sink();
    await bench.enqueue();
    await bench.dev.rpc("anvil_mine", "0x3");
    await sync(offers, sink);
    await bench.dev.rpc("anvil_rollback", 3);
    const later = await bench.enqueue();
    await bench.dev.rpc("anvil_mine", "0x5");
    await sync(offers, sink);
    expect(sink.ids).toContain(later);
  });
});

describe("what the wallet holds, of a type that only its queue tells", () => {
  it("is identified by the event that it came with", async () => {
    const spec = parseSpec(
      `
name: other
version: audio/1.0.0
description: The one kind of activity in its queue.
activities:
  - id: another_name
    kind: audio.preprocess
    name: Preprocess
    description: Prepares.
    worker: processing
    input_params: []
    output_params: []
`,
      { fileName: "other.yaml" },
    );
    const id = await bench.enqueue({ activityType: `0x${"a7".repeat(20)}` });
    await bench.claimed(id);
    const held = await bench.create({ spec }).evm.recover();
    expect(held.find(({ offer }) => offer.id === id)).toMatchObject({ offer: { queue: ACTIVITY.queue } });
    // Not found while the endpoint tells no events, and no reason to fall over.
    const mute = counting(bench.on.chain).chain;
    const chain = new Proxy(mute, {
      get: (target, name): unknown =>
        name === "logs" ? () => Promise.reject(new Error("no logs here")) : Reflect.get(target, name),
    });
    const unknown = await bench.create({ spec, chain }).evm.recover();
    expect(unknown.map(({ offer }) => offer.id)).not.toContain(id);
  });
});

describe("a bloom of anvil's", () => {
  it("has every log of its block and little else", async () => {
    await bench.enqueue({ workflowInstanceId: idOf(77) });
    const block = (await bench.dev.rpc("eth_getBlockByNumber", "latest", false)) as {
      readonly logsBloom: string;
      readonly number: string;
    };
    const logs = (await bench.dev.rpc("eth_getLogs", {
      fromBlock: block.number,
      toBlock: block.number,
    })) as readonly { readonly address: string; readonly topics: readonly string[] }[];
    const bloom = new Bloom(block.logsBloom);
    expect(logs.length).toBeGreaterThan(0);
    for (const { address, topics } of logs) expect(bloom.mayContain([address, ...topics])).toBe(true);
    expect(getBytes(block.logsBloom)).toHaveLength(256);
    const strangers = Array.from({ length: 1_000 }, (_, index) => idOf(1_000_000 + index));
    expect(strangers.filter((topic) => bloom.mayContain([topic]))).toEqual([]);
  });
});
