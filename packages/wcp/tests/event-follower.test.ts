import { FakeClock } from "@subnet-worker/testkit";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type EventBatch,
  EventFollower,
  type EventFollowerOptions,
} from "../src/adapters/evm/event-follower.ts";
import type { EventLog } from "../src/chain-ports.ts";
import { bloomOf as bloom, CONTRACT, EventChain, type LogSpec, topic } from "./_event-chain.ts";
import { captureLogs } from "./_logs.ts";
import { MemoryDisk } from "./_memory-store.ts";

const VITAL = topic("enqueued");
const MINOR = topic("claimed");
const OURS = topic("our queue");
const OTHERS = topic("another queue");

/** A log that must not be missed, told apart from others by `name`. */
const vital = (name: string): LogSpec => [VITAL, OURS, topic(name)];
const minor = (name: string): LogSpec => [MINOR, topic(name)];

/** The follower on a chain of its own, with what it reported. */
class FollowerBench {
  readonly chain: EventChain;
  readonly disk: MemoryDisk;
  readonly clock: FakeClock = new FakeClock();
  readonly logs = captureLogs();
  /** Name of each log reported, with the block it was in. */
  readonly seen: string[] = [];
  readonly batches: EventBatch[] = [];
  readonly stop: AbortController = new AbortController();
  readonly follower: EventFollower;
  onTake: () => Promise<void> = async () => undefined;

  constructor(parts: {
    readonly chain?: EventChain;
    readonly disk?: MemoryDisk;
    readonly options?: Partial<EventFollowerOptions>;
  }) {
    this.chain = parts.chain ?? new EventChain();
    this.disk = parts.disk ?? new MemoryDisk();
    this.follower = new EventFollower(
      {
        cursor: "events",
        address: CONTRACT,
        pastTopics: [VITAL, [OURS]],
        liveTopics: [[VITAL, MINOR]],
        vital: [[CONTRACT, VITAL, OURS]],
        minor: [[CONTRACT, MINOR]],
        rangeBlocks: 1_000,
        lookbackBlocks: 100,
        overlapBlocks: 3,
        ...parts.options,
      },
      {
        chain: this.chain,
        heads: this.chain,
        store: this.disk.open(),
        clock: this.clock,
        logger: this.logs.logger,
      },
    );
  }

  /** Reads up to the head. */
  async sync(): Promise<void> {
    let more = true;
    while (more) {
      const syncing = this.follower.sync((batch) => this.#take(batch), this.stop.signal);
      const state = { isDone: false };
      const done = syncing.finally(() => (state.isDone = true));
      done.catch(() => undefined);
      while (!state.isDone) await this.clock.advance(100);
      more = await done;
    }
  }

  async #take(batch: EventBatch): Promise<void> {
    await this.onTake();
    this.batches.push(batch);
    for (const log of batch.logs) this.seen.push(`${log.blockNumber} ${log.topics.at(-1)?.slice(0, 10)}`);
  }

  /** What was asked since this was last called. */
  calls(): string[] {
    return this.chain.calls.splice(0);
  }

  stored() {
    return this.disk.open().cursor("events");
  }
}

const at = (block: number, name: string) => `${block} ${topic(name).slice(0, 10)}`;

describe("events", () => {
  it("are reported once, in the order of the chain, and the cursor names the block they were read to", async () => {
    const bench = new FollowerBench({});
    bench.chain.mineSilently([vital("a"), vital("b")], [vital("c")]);
    const head = bench.chain.mine(vital("d"));
    await bench.sync();
    expect(bench.seen).toEqual([at(1, "a"), at(1, "b"), at(2, "c"), at(3, "d")]);
    expect(bench.stored()).toEqual({ blockNumber: 3, blockHash: head.hash });
    await bench.sync();
    expect(bench.seen).toHaveLength(4);
  });

  it("fault 36: the same log told twice is reported once, by block hash and index", async () => {
    const bench = new FollowerBench({});
    bench.chain.mine(vital("a"));
    await bench.sync();
    // The overlap has the endpoint tell it again with every range.
    for (const name of ["b", "c", "d"]) {
      bench.chain.mine(vital(name));
      await bench.sync();
    }
    expect(bench.seen).toEqual([at(1, "a"), at(2, "b"), at(3, "c"), at(4, "d")]);
    expect(bench.calls().filter((call) => call.startsWith("logs"))).toEqual([
      "logs 0-1",
      "logs 0-2",
      "logs 0-3",
      "logs 1-4",
    ]);
  });

  it("are read again by the next process only from the cursor on, less the overlap", async () => {
    const disk = new MemoryDisk();
    const chain = new EventChain(50);
    chain.mine(vital("a"));
    await new FollowerBench({ chain, disk }).sync();
    const again = new FollowerBench({ chain, disk });
    chain.mine(vital("b"));
    again.calls();
    await again.sync();
    expect(again.calls()).toEqual(["logs 48-51"]);
    expect(again.seen).toEqual([at(50, "a"), at(51, "b")]);
  });

  it("do not let the cursor pass when they could not be taken, and come again", async () => {
    const bench = new FollowerBench({});
    bench.chain.mine(vital("a"));
    bench.onTake = () => Promise.reject(new Error("disk is full"));
    await expect(bench.sync()).rejects.toThrow("disk is full");
    expect(bench.stored()).toBeUndefined();
    bench.onTake = async () => undefined;
    await bench.sync();
    expect(bench.seen).toEqual([at(1, "a")]);
  });

  it("that an index tells some blocks late are found by the overlap", async () => {
    const bench = new FollowerBench({});
    bench.chain.bloomOf = () => undefined;
    bench.chain.hides = (log) => log.blockNumber === 1;
    bench.chain.mine(vital("a"));
    await bench.sync();
    expect(bench.seen).toEqual([]);
    bench.chain.hides = () => false;
    bench.chain.mine();
    await bench.sync();
    expect(bench.seen).toEqual([at(1, "a")]);
  });
});

describe("a long history", () => {
  it("is read range by range, our queues only, and told as past", async () => {
    const chain = new EventChain(350);
    chain.mineSilently([vital("a"), minor("x"), [VITAL, OTHERS, topic("b")]]);
    for (let block = 0; block < 100; block += 1) chain.mineSilently([]);
    chain.mine(minor("y"));
    const bench = new FollowerBench({ chain, options: { rangeBlocks: 40, lookbackBlocks: 200 } });
    await bench.sync();
    expect(bench.seen).toEqual([at(350, "a"), at(451, "y")]);
    expect(bench.batches.map(({ isPast }) => isPast)).toEqual([true, false]);
    // One call for the logs and one for the hash of each range, and none to look at blooms.
    expect(bench.calls().filter((call) => call.startsWith("block")).length).toBeLessThanOrEqual(12);
  });

  it("fault 31: a range that is refused is asked as the vendor says, or by halves, and nothing is skipped", async () => {
    for (const isHinting of [true, false]) {
      const chain = new EventChain();
      const names = Array.from({ length: 300 }, (_, index) => `log ${index}`);
      chain.mineSilently(...names.map((name) => [vital(name)]));
      chain.announce();
      chain.maxBlocks = 17;
      chain.isHinting = isHinting;
      const bench = new FollowerBench({ chain, options: { lookbackBlocks: 1_000 } });
      await bench.sync();
      expect(bench.seen).toEqual(names.map((name, index) => at(index + 1, name)));
      const refused = bench.calls().filter((call) => call.startsWith("logs") && width(call) > 17);
      // Said once, it is known; by halves it takes log2(301 / 17) of them, and a try at more now and then.
      expect(refused.length).toBeLessThanOrEqual(isHinting ? 2 : 8);
    }
  });

  it("fault 31: a single block that is refused is reported and not skipped", async () => {
    const chain = new EventChain();
    chain.mine(vital("a"));
    chain.maxBlocks = 0;
    const bench = new FollowerBench({ chain });
    await expect(bench.sync()).rejects.toMatchObject({ code: "LOG_RANGE_TOO_WIDE" });
    expect(bench.stored()).toBeUndefined();
    chain.maxBlocks = 10;
    await bench.sync();
    expect(bench.seen).toEqual([at(1, "a")]);
  });
});

describe("fault 32: an answer without logs", () => {
  it("that the bloom contradicts does not let the cursor pass before another answer has them", async () => {
    const bench = new FollowerBench({});
    bench.chain.hides = (_log, asked) => asked <= 3;
    bench.chain.mine(vital("a"));
    await bench.sync();
    expect(bench.seen).toEqual([at(1, "a")]);
    expect(bench.calls()).toEqual(["logs 0-1", "logs 1-1", "logs 1-1", "logs 1-1"]);
    expect(bench.logs.at("warn")).toEqual([]);
  });

  it("is believed when it is given often enough, with a warning, and the log is taken when it comes late", async () => {
    const bench = new FollowerBench({});
    bench.chain.hides = () => true;
    bench.chain.mine(vital("a"));
    await bench.sync();
    expect(bench.calls()).toHaveLength(6);
    expect(bench.logs.at("warn")).toEqual([expect.stringContaining("bloom") as string]);
    bench.chain.hides = () => false;
    bench.chain.mine();
    await bench.sync();
    expect(bench.seen).toEqual([at(1, "a")]);
  });

  it("is asked for once more where the bloom is so full that it proves little, without a word", async () => {
    const bench = new FollowerBench({});
    const full = Array.from({ length: 700 }, (_, index) => topic(`noise ${index}`));
    const noise = [{ address: CONTRACT, topics: full } as unknown as EventLog];
    bench.chain.bloomOf = (logs) =>
      bloom([...logs, ...noise, { address: CONTRACT, topics: [VITAL, OURS] } as unknown as EventLog]);
    bench.chain.mine();
    await bench.sync();
    expect(bench.calls()).toEqual(["logs 0-1", "logs 1-1"]);
    expect(bench.logs.at("warn")).toEqual([]);
  });

  it("is believed at once where blooms are of no use: none, empty ones, or full ones", async () => {
    const fills: (string | undefined)[] = [undefined, `0x${"00".repeat(256)}`, `0x${"ff".repeat(256)}`];
    for (const fill of fills) {
      const bench = new FollowerBench({});
      bench.chain.bloomOf = () => fill;
      bench.chain.mine(vital("a"));
      await bench.sync();
      bench.chain.mine();
      bench.calls();
      await bench.sync();
      expect(bench.calls().filter((call) => call.startsWith("logs"))).toEqual(["logs 0-2"]);
    }
  });

  it("is checked against the block itself where the head came without its bloom", async () => {
    const bench = new FollowerBench({});
    bench.chain.hasBloomInHead = false;
    bench.chain.hides = (_log, asked) => asked === 1;
    bench.chain.mine(vital("a"));
    await bench.sync();
    expect(bench.calls()).toEqual(["logs 0-1", "block 1", "logs 1-1"]);
    expect(bench.seen).toEqual([at(1, "a")]);
  });
});

describe("a quiet chain", () => {
  it("costs no call per block once its blooms have proved right, and nothing is missed after it", async () => {
    const bench = new FollowerBench({});
    bench.chain.mine(vital("a"));
    await bench.sync();
    bench.calls();
    for (let block = 0; block < 100; block += 1) {
      bench.chain.mine([VITAL, OTHERS, topic("not ours")]);
      await bench.sync();
    }
    expect(bench.calls()).toEqual([]);
    bench.chain.mine(minor("x"), vital("b"));
    await bench.sync();
    // Those of other queues come with a range that was asked for anyway; whoever takes them sorts them out.
    const noise = topic("not ours").slice(0, 10);
    expect(bench.seen.filter((log) => !log.endsWith(noise))).toEqual([
      at(1, "a"),
      at(102, "x"),
      at(102, "b"),
    ]);
    // Stored now and then, so that a restart does not read it all again.
    expect(bench.stored()?.blockNumber).toBe(102);
  });

  it("whose heads come without blooms costs one call per block", async () => {
    const bench = new FollowerBench({});
    bench.chain.mine(vital("a"));
    await bench.sync();
    bench.chain.hasBloomInHead = false;
    bench.calls();
    bench.chain.mine();
    await bench.sync();
    bench.chain.mine(vital("b"));
    await bench.sync();
    expect(bench.calls()).toEqual(["block 2", "block 3", "logs 0-3"]);
    expect(bench.seen).toEqual([at(1, "a"), at(3, "b")]);
  });

  it("whose blooms have proved wrong is asked at every block", async () => {
    const bench = new FollowerBench({});
    bench.chain.bloomOf = () => `0x${"00".repeat(256)}`;
    bench.chain.mine(vital("a"));
    await bench.sync();
    bench.calls();
    bench.chain.mine(vital("b"));
    await bench.sync();
    expect(bench.seen).toEqual([at(1, "a"), at(2, "b")]);
  });
});

describe("a reorganisation", () => {
  it("has the new blocks read, and what reappears in them reported again", async () => {
    const bench = new FollowerBench({});
    for (const name of ["a", "b", "c"]) {
      bench.chain.mine(vital(name));
      await bench.sync();
    }
    bench.seen.length = 0;
    bench.chain.reorg(2, [[vital("c")], [vital("b")], [vital("d")]]);
    await bench.sync();
    expect(bench.seen).toEqual([at(2, "c"), at(3, "b"), at(4, "d")]);
    expect(bench.stored()).toMatchObject({ blockNumber: 4, blockHash: bench.chain.latest()?.hash });
  });

  it("of the same length is noticed by the hash", async () => {
    const bench = new FollowerBench({});
    bench.chain.mine(vital("a"));
    await bench.sync();
    bench.chain.reorg(1, [[vital("b")]]);
    await bench.sync();
    expect(bench.seen).toEqual([at(1, "a"), at(1, "b")]);
  });

  it("while the process was down is found from the stored cursor", async () => {
    const disk = new MemoryDisk();
    const chain = new EventChain(200);
    chain.mine(vital("a"));
    await new FollowerBench({ chain, disk }).sync();
    chain.reorg(3, [[], [vital("a")], [vital("b")], []]);
    const again = new FollowerBench({ chain, disk });
    await again.sync();
    expect(again.seen).toEqual([at(199, "a"), at(200, "b")]);
  });

  it("is followed no further back than the lookback", async () => {
    const bench = new FollowerBench({ options: { lookbackBlocks: 5 } });
    for (let block = 0; block < 20; block += 1) bench.chain.mineSilently([]);
    bench.chain.mine(vital("a"));
    await bench.sync();
    bench.chain.reorg(
      15,
      Array.from({ length: 16 }, (_, index) => [vital(`new ${index}`)]),
    );
    await bench.sync();
    expect(bench.seen.length).toBeGreaterThanOrEqual(6);
    expect(bench.seen.at(-1)).toBe(at(22, "new 15"));
  });

  it("fault 30: a head that goes backwards is no reorganisation unless its hash proves one", async () => {
    const bench = new FollowerBench({});
    for (const name of ["a", "b", "c"]) {
      bench.chain.mine(vital(name));
      await bench.sync();
    }
    bench.calls();
    bench.chain.announce(2);
    await bench.sync();
    expect(bench.calls()).toEqual([]);
    // Nor is it one for a process that has just started and knows no hash to compare with.
    const { chain, disk } = bench;
    await new FollowerBench({ chain, disk }).sync();
    expect(bench.calls()).toEqual([]);
    // The same height, and another block: the chain was cut short and grows anew.
    bench.chain.reorg(2, [[vital("d")]]);
    await bench.sync();
    expect(bench.seen.at(-1)).toBe(at(2, "d"));
    expect(bench.stored()?.blockNumber).toBe(2);
  });

  it("never loses a log that is on the chain in the end, whatever happened on the way", async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("mine" as const), logs: fc.integer({ min: 0, max: 2 }) }),
      fc.record({ kind: fc.constant("silent" as const), logs: fc.integer({ min: 0, max: 2 }) }),
      fc.record({ kind: fc.constant("reorg" as const), logs: fc.integer({ min: 1, max: 4 }) }),
      fc.record({ kind: fc.constant("restart" as const), logs: fc.constant(0) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.boolean(), async (steps, hasBloom) => {
        const chain = new EventChain();
        chain.hasBloomInHead = hasBloom;
        const disk = new MemoryDisk();
        let bench = new FollowerBench({ chain, disk, options: { rangeBlocks: 4 } });
        const seen: string[] = [];
        let serial = 0;
        const some = (count: number) => Array.from({ length: count }, () => vital(`${(serial += 1)}`));
        for (const { kind, logs } of steps) {
          if (kind === "mine") chain.mine(...some(logs));
          else if (kind === "silent") chain.mineSilently(some(logs));
          else if (kind === "reorg") {
            const depth = Math.min(logs, chain.height);
            if (depth > 0) chain.reorg(depth, [...some(depth).map((log) => [log]), []]);
          } else {
            seen.push(...bench.seen);
            bench = new FollowerBench({ chain, disk, options: { rangeBlocks: 4 } });
          }
          if (kind !== "silent") await bench.sync();
        }
        chain.mine();
        await bench.sync();
        seen.push(...bench.seen);
        const all = await chain.logs({
          address: CONTRACT,
          topics: [VITAL],
          fromBlock: 0,
          toBlock: chain.height,
        });
        for (const log of all)
          expect(seen).toContain(`${log.blockNumber} ${log.topics.at(-1)?.slice(0, 10)}`);
      }),
      { numRuns: 100 },
    );
  });
});

function width(call: string): number {
  const [from, to] = call.replace("logs ", "").split("-").map(Number);
  return (to ?? 0) - (from ?? 0) + 1;
}
