import { ScriptedWep } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import { completion, connect, PoolBench, WISH } from "./_wep-bench.ts";
import { settle, until } from "./_until.ts";

describe("capabilities", () => {
  it("limit which kinds are sent, by name and version", async () => {
    await using link = await connect({
      maxConcurrency: 4,
      kinds: [{ kind: WISH.kind, version: WISH.version }],
    });
    const { pool } = link.bench;
    expect(pool.reserve({ kind: WISH.kind, version: "2.0.0" })).toBeUndefined();
    expect(pool.reserve({ kind: "audio.validate", version: "1.0.0" })).toBeUndefined();
    expect(pool.reserve(WISH)).toBeDefined();
  });

  it("may change while the stream is up", async () => {
    await using link = await connect({
      maxConcurrency: 1,
      kinds: [{ kind: "audio.validate", version: "1.0.0" }],
    });
    const { bench, stream } = link;
    let told = 0;
    using _listener = bench.pool.onCapacity(() => {
      told += 1;
    });
    expect(bench.pool.reserve(WISH)).toBeUndefined();
    stream.send("capabilities", { maxConcurrency: 2, kinds: [] });
    await until(() => told === 1);
    expect(bench.pool.reserve(WISH)).toBeDefined();
    expect(bench.pool.reserve(WISH)).toBeDefined();
    expect(bench.pool.reserve(WISH)).toBeUndefined();
  });

  it("of no slots at all are taken as one", async () => {
    await using link = await connect({ maxConcurrency: 0 });
    expect(link.bench.pool.stats().slotsFree).toBe(1);
  });
});

describe("slots", () => {
  it("are as many as the WEP has, and free again when they are given back", async () => {
    await using link = await connect({ maxConcurrency: 2 });
    const { pool } = link.bench;
    let told = 0;
    using _listener = pool.onCapacity(() => {
      told += 1;
    });
    const [first, second] = [pool.reserve(WISH), pool.reserve(WISH)];
    expect(pool.reserve(WISH)).toBeUndefined();
    first?.[Symbol.dispose]();
    first?.[Symbol.dispose]();
    expect(told).toBe(1);
    expect(pool.stats()).toEqual({ connected: 1, slotsInUse: 1, slotsFree: 1 });
    second?.[Symbol.dispose]();
  });

  it("of a WEP that is draining are not used, and its runs go on", async () => {
    await using link = await connect();
    const { bench, wep, stream } = link;
    const run = bench.start();
    await stream.next("assign");
    stream.send("drain", {});
    await until(() => bench.pool.notReady().length === 1);
    expect(bench.pool.notReady()).toEqual([`WEP ${wep.url} is draining`]);
    expect(bench.pool.reserve(WISH)).toBeUndefined();
    stream.send("completion", completion());
    expect(await run.outcome).toMatchObject({ kind: "succeeded" });
    run.slot[Symbol.dispose]();
    expect(bench.pool.stats().slotsFree).toBe(0);
    wep.cut();
    await (await bench.reconnected(wep)).welcome();
    await bench.ready();
    expect(bench.pool.reserve(WISH)).toBeDefined();
  });
});

describe("several WEPs", () => {
  async function two(slots: readonly [number, number]) {
    const weps = [await ScriptedWep.listen(), await ScriptedWep.listen()] as const;
    const bench = new PoolBench(weps.map(({ url }) => url)).run();
    for (const [index, wep] of weps.entries())
      await (await wep.next()).welcome({ maxConcurrency: slots[index] ?? 1 });
    await bench.ready(2);
    return {
      bench,
      weps,
      async [Symbol.asyncDispose]() {
        await bench.stop();
        for (const wep of weps) await wep[Symbol.asyncDispose]();
      },
    };
  }

  it("share the work: the one with most room goes first", async () => {
    await using both = await two([1, 3]);
    const { bench, weps } = both;
    const [left, right] = weps.map(({ url }) => url);
    const taken = Array.from({ length: 4 }, () => bench.pool.reserve(WISH)?.executor);
    expect(taken.slice(0, 2)).toEqual([right, right]);
    expect(new Set(taken)).toEqual(new Set([left, right]));
    expect(bench.pool.reserve(WISH)).toBeUndefined();
  });

  it("are ready as long as one is", async () => {
    await using both = await two([1, 1]);
    const { bench, weps } = both;
    await weps[0][Symbol.asyncDispose]();
    await until(() => bench.pool.stats().connected === 1);
    expect(bench.pool.notReady()).toEqual([]);
    await weps[1][Symbol.asyncDispose]();
    await until(() => bench.pool.notReady().length === 2);
  });

  it("get back the run that was there before, also when all slots there are taken", async () => {
    await using both = await two([1, 5]);
    const { bench, weps } = both;
    const home = weps[0].url;
    const other = bench.pool.reserve({ ...WISH, executor: home });
    expect(bench.pool.reserve({ ...WISH, executor: home })?.executor).toBe(home);
    expect(other?.executor).toBe(home);
    expect(bench.pool.stats().slotsInUse).toBe(2);
  });

  it("do not take over a run while the one that has it may still come back", async () => {
    const [home, other] = [await ScriptedWep.listen(), await ScriptedWep.listen()];
    const { port, url } = home;
    await home[Symbol.asyncDispose]();
    const bench = new PoolBench([url, other.url]).run();
    await (await other.next()).welcome({ maxConcurrency: 5 });
    await bench.ready();
    const wish = { ...WISH, executor: url };
    expect(bench.pool.reserve(wish)).toBeUndefined();
    expect(bench.pool.reserve(WISH)?.executor).toBe(other.url);
    {
      await using back = await ScriptedWep.listen(port);
      await (await bench.reconnected(back)).welcome();
      await bench.ready(2);
      const slot = bench.pool.reserve(wish);
      expect(slot?.executor).toBe(url);
      slot?.[Symbol.dispose]();
    }
    await until(() => bench.pool.stats().connected === 1);
    expect(bench.pool.reserve(wish)).toBeUndefined();
    for (let second = 0; second < 31; second += 1) {
      await bench.clock.advance(1_000);
      await settle(3);
    }
    expect(bench.pool.reserve(wish)?.executor).toBe(other.url);
    await bench.stop();
    await other[Symbol.asyncDispose]();
  });

  it("take over at once from one that is no longer configured", async () => {
    await using both = await two([1, 1]);
    const wish = { ...WISH, executor: "http://gone.example:7070" };
    expect(both.bench.pool.reserve(wish)).toBeDefined();
  });
});
