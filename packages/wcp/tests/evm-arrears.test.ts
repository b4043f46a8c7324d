import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Arrears } from "../src/adapters/evm/arrears.ts";
import type { LogQuery } from "../src/chain-ports.ts";
import type { OfferSink } from "../src/ports.ts";
import { ACTIVITY, counting, EvmBench, LEASE_S, Sink } from "./_evm-bench.ts";
import { FakeExecutor, SUCCESS } from "./_fake-executor.ts";
import { MemoryDisk } from "./_memory-store.ts";
import { NodeBench } from "./_node-bench.ts";
import { aQueue } from "./_scheduler-world.ts";
import { settle, until } from "./_until.ts";

let bench: EvmBench;

beforeAll(async () => {
  bench = await EvmBench.start();
});
afterAll(() => bench[Symbol.asyncDispose]());

type Watcher = ReturnType<EvmBench["create"]>["offers"];

/** Reads as long as there is more to read at once; how often that was. */
async function sync(watcher: Watcher, sink: OfferSink): Promise<number> {
  await bench.whenHeadIsNewest();
  let looks = 1;
  while (await watcher.syncEvents(sink)) looks += 1;
  return looks;
}

async function enqueue(count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let number = 0; number < count; number += 1) ids.push(await bench.enqueue());
  return ids;
}

describe("activities that were passed over for want of room", () => {
  it("are offered again when there is room, in the order of their blocks, and each once more only", async () => {
    const disk = new MemoryDisk();
    const { chain, calls } = counting(bench.on.chain);
    const { offers } = bench.create({ disk, chain });
    const sink = new Sink();
    await sync(offers, sink);
    sink.offers.length = 0;
    const ids = await enqueue(30);
    sink.room = 2;
    await sync(offers, sink);
    expect(sink.ids).toEqual(ids.slice(0, 2));
    const later = await enqueue(1);
    await sync(offers, sink);
    sink.isFull = true;
    calls.length = 0;
    expect(await sync(offers, sink)).toBe(1);
    expect(calls).toEqual([]);
    sink.isFull = false;
    sink.room = 10;
    await sync(offers, sink);
    expect(sink.ids).toEqual(ids.slice(0, 12));
    sink.room = 100;
    await sync(offers, sink);
    expect(sink.ids).toEqual([...ids, ...later]);
    calls.length = 0;
    await sync(offers, sink);
    expect(calls).toEqual([]);
  });

  it("are offered again by the next process too", async () => {
    const disk = new MemoryDisk();
    const before = bench.create({ disk }).offers;
    await sync(before, new Sink());
    const ids = await enqueue(3);
    const full = new Sink();
    full.room = 1;
    await sync(before, full);
    expect(full.ids).toEqual(ids.slice(0, 1));
    const after = new Sink();
    await sync(bench.create({ disk }).offers, after);
    for (const id of ids.slice(1)) expect(after.ids.filter((each) => each === id)).toEqual([id]);
    const none = new Sink();
    await sync(bench.create({ disk }).offers, none);
    expect(none.ids.filter((id) => ids.includes(id))).toEqual([]);
  });

  it("and were settled by somebody else meanwhile are not offered again", async () => {
    const { offers } = bench.create();
    await sync(offers, new Sink());
    const [gone = "", open = ""] = await enqueue(2);
    const sink = new Sink();
    sink.room = 0;
    await sync(offers, sink);
    const { task } = await bench.claimed(gone);
    await bench.source.complete(task, "0x");
    sink.room = 100;
    await sync(offers, sink);
    expect(sink.ids).toEqual([open]);
  });

  it("hold back nothing newer while their blocks cannot be read", async () => {
    let refusedToBlock = -1;
    const chain = new Proxy(bench.on.chain, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== "function") return value;
        return async (...args: readonly unknown[]): Promise<unknown> => {
          const [query] = args as readonly Partial<LogQuery>[];
          const isRefused = name === "logs" && (query?.fromBlock ?? 0) <= refusedToBlock;
          if (isRefused) throw new Error("history has been pruned");
          return Reflect.apply(value, target, args);
        };
      },
    });
    const { offers } = bench.create({ chain });
    await sync(offers, new Sink());
    const [old = ""] = await enqueue(1);
    const sink = new Sink();
    sink.room = 0;
    await sync(offers, sink);
    const block = await bench.dev.block();
    await bench.dev.rpc("anvil_mine", "0x10"); // near the head the last blocks are read twice
    await sync(offers, sink);
    refusedToBlock = block;
    sink.room = 10;
    const [recent = ""] = await enqueue(1);
    await sync(offers, sink);
    expect(sink.ids).toEqual([recent]);
    refusedToBlock = -1;
    await sync(offers, sink);
    expect(sink.ids).toContain(old);
  });

  it("do not have a sink that still has no room asked over and over", async () => {
    const { offers } = bench.create();
    await sync(offers, new Sink());
    await enqueue(3);
    const sink = new Sink();
    sink.room = 0;
    await sync(offers, sink);
    // It wants some and takes none: what is left of an hour's offers waits for the next block.
    expect(await sync(offers, sink)).toBe(1);
  });
});

describe("activities whose leases ran out while there was no room", () => {
  it("are offered again when there is", async () => {
    const disk = new MemoryDisk();
    const { offers } = bench.create({ disk });
    await sync(offers, new Sink());
    const [id = ""] = await enqueue(1);
    const sink = new Sink();
    await sync(offers, sink);
    using store = disk.open();
    for (const offer of sink.offers) {
      await store.saveTask({ ...offer, round: 1, state: { kind: "lost", reason: "another has it" } }, "new");
    }
    const rival = await bench.rival();
    await bench.queueCall(rival, "claimActivity", [id]);
    await bench.passChainTime(LEASE_S + 1);
    await bench.queueCall(rival, "releaseExpired", [id]);
    const full = new Sink();
    full.room = 0;
    await sync(offers, full);
    expect(full.ids).toEqual([]);
    full.room = 10;
    await sync(offers, full);
    expect(full.ids).toEqual([id]);
  });
});

describe("a queue of the chain that was paused for long", () => {
  it("holds its part of the backlog, and all of it is done once it goes on", async () => {
    const { offers } = bench.create();
    await sync(offers, new Sink());
    const queues = [aQueue(ACTIVITY.queue, { isPaused: true })];
    const executor = new FakeExecutor(4);
    await using node = await NodeBench.start({ queues, maxOffers: 4 }, { executor });
    const first = await enqueue(3);
    await sync(offers, node.dispatcher);
    const ids = [...first, ...(await enqueue(9))];
    await sync(offers, node.dispatcher);
    const waiting = () => node.dispatcher.queues().find(({ name }) => name === ACTIVITY.queue)?.waiting;
    expect(waiting()).toBe(4);
    expect(node.book.get(ids.at(-1) ?? "")).toBeUndefined();
    await node.dispatcher.pauseQueue(ACTIVITY.queue, false);
    for (let ended = 0; ended < ids.length; ended += 1) {
      (await executor.nextRun()).end.resolve(SUCCESS);
      await settle();
      await sync(offers, node.dispatcher);
    }
    await until(() => node.dispatcher.inflight === 0);
    for (const id of ids) expect(node.book.stored(id)?.state.kind).toBe("done");
    expect(node.source.count("claim")).toBe(ids.length);
  });
});

describe("the arrears of a queue", () => {
  it("are written when they begin or move, not with every offer that is passed over", async () => {
    const store = new MemoryDisk().open();
    const written: number[] = [];
    const counted: ConstructorParameters<typeof Arrears>[1]["store"] = {
      cursor: (name) => store.cursor(name),
      saveCursor: async (name, cursor) => {
        written.push(cursor.blockNumber);
        await store.saveCursor(name, cursor);
      },
    };
    const arrears = new Arrears([ACTIVITY.queue], { store: counted });
    for (const block of [50, 51, 52, 50, 40, 60]) await arrears.note(ACTIVITY.queue, block);
    expect(arrears.all()).toEqual([[ACTIVITY.queue, 40]]);
    expect(new Arrears([ACTIVITY.queue], { store }).all()).toEqual([[ACTIVITY.queue, 40]]);
    await arrears.set(ACTIVITY.queue, undefined);
    await arrears.set(ACTIVITY.queue, undefined);
    expect(written).toEqual([50, 40, -1]);
    expect(new Arrears([ACTIVITY.queue], { store }).all()).toEqual([]);
  });
});
