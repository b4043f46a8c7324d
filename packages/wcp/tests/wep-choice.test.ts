import { ScriptedWep } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import { type Greeting, greet, heard, PoolBench, WISH } from "./_wep-bench.ts";
import { until } from "./_until.ts";

/** A pool with a WEP for each greeting. */
async function open(...greetings: readonly Greeting["capabilities"][]) {
  const weps = await Promise.all(greetings.map(() => ScriptedWep.listen()));
  const bench = new PoolBench(weps.map(({ url }) => url)).run();
  const streams = await Promise.all(weps.map((wep) => wep.next()));
  for (const [index, stream] of streams.entries()) {
    await greet(stream, { capabilities: greetings[index] ?? {}, instanceId: `wep-${index}` });
  }
  await bench.ready(weps.length);
  const names = new Map(weps.map(({ url }, index) => [url, String.fromCodePoint(65 + index)]));
  return {
    bench,
    weps,
    streams,
    /** Reserves and says where: A, B ... */
    take: (wish: Parameters<typeof bench.pool.reserve>[0] = WISH) =>
      names.get(bench.pool.reserve(wish)?.executor ?? ""),
    async [Symbol.asyncDispose]() {
      await bench.stop();
      for (const wep of weps) await wep[Symbol.asyncDispose]();
    },
  };
}

describe("the choice of a WEP", () => {
  it("goes by the share of slots in use, not by their number", async () => {
    await using pool = await open({ maxConcurrency: 2 }, { maxConcurrency: 8 });
    const taken = Array.from({ length: 10 }, () => pool.take());
    expect(taken.slice(0, 5).filter((name) => name === "A")).toHaveLength(1);
    expect(taken.filter((name) => name === "A")).toHaveLength(2);
  });

  it("goes in turn among those that are equally loaded", async () => {
    await using pool = await open({ maxConcurrency: 2 }, { maxConcurrency: 2 }, { maxConcurrency: 2 });
    const first = new Set(Array.from({ length: 3 }, () => pool.take()));
    expect(first).toEqual(new Set(["A", "B", "C"]));
    const second = new Set(Array.from({ length: 3 }, () => pool.take()));
    expect(second).toEqual(new Set(["A", "B", "C"]));
  });

  it("does not keep to one whose slot is always given back", async () => {
    await using pool = await open({ maxConcurrency: 2 }, { maxConcurrency: 2 });
    const places = new Set<string>();
    for (let turn = 0; turn < 4; turn += 1) {
      using slot = pool.bench.pool.reserve(WISH);
      places.add(slot?.executor ?? "");
    }
    expect(places.size).toBe(2);
  });

  it("leaves out those that lack a tag", async () => {
    await using pool = await open({ maxConcurrency: 9 }, { maxConcurrency: 1, tags: ["gpu"] });
    expect(pool.take({ ...WISH, needs: ["gpu"] })).toBe("B");
    expect(pool.take({ ...WISH, needs: ["gpu"] })).toBeUndefined();
  });

  it("takes the one to avoid only when there is no other", async () => {
    await using pool = await open({ maxConcurrency: 9 }, { maxConcurrency: 1 });
    const avoid = pool.weps[0]?.url;
    expect(pool.take({ ...WISH, avoid })).toBe("B");
    expect(pool.take({ ...WISH, avoid })).toBe("A");
  });

  it("never takes more than a shared WEP says is free", async () => {
    await using pool = await open({ maxConcurrency: 8 });
    const [stream] = pool.streams;
    stream?.send("capacity", { availableSlots: 1 });
    if (stream !== undefined) await heard(stream);
    expect(pool.take()).toBe("A");
    expect(pool.take()).toBeUndefined();
    let told = 0;
    using _listener = pool.bench.pool.onCapacity(() => (told += 1));
    stream?.send("capacity", { availableSlots: 3 });
    await until(() => told === 1);
    expect([pool.take(), pool.take(), pool.take()]).toEqual(["A", "A", undefined]);
  });

  it("does not believe a peer of 1.0.0 that says it once and never again", async () => {
    await using wep = await ScriptedWep.listen();
    await using bench = new PoolBench([wep.url]).run();
    const stream = await wep.next();
    await stream.next("hello");
    stream.send("helloAck", { min: "1.0.0", max: "1.0.0" });
    stream.send("capabilities", { maxConcurrency: 2 });
    stream.send("capacity", { availableSlots: 0 });
    await until(() => bench.pool.stats().slotsFree === 2);
  });
});

describe("what the operator does", () => {
  it("is told of each WEP: what it is, what it can, and what it runs", async () => {
    await using pool = await open({
      tags: ["eu"],
      classes: [{ name: "gpu", maxConcurrency: 2, tags: ["gpu"] }],
      kinds: [{ kind: WISH.kind, version: WISH.version, class: "gpu" }],
    });
    const { bench, streams, weps } = pool;
    const run = bench.start();
    await streams[0]?.next("assign");
    streams[0]?.send("progress", { activityId: "", runId: "run-1", percent: 30 });
    await until(() => run.progress.length === 1);
    await bench.clock.advance(5_000);
    await until(() => bench.pool.executors()[0]?.roundTripMs !== undefined);
    expect(bench.pool.executors()).toEqual([
      {
        url: weps[0]?.url,
        state: "ready",
        origin: "config",
        reason: "",
        version: "1.1.0",
        agent: "scripted/1",
        instanceId: "wep-0",
        sinceMs: 5_000,
        classes: [{ name: "gpu", slots: 2, free: 1, tags: ["eu", "gpu"] }],
        kinds: [`${WISH.kind} ${WISH.version}`],
        runs: [{ taskId: expect.any(String) as string, runId: "run-1", percent: 30, forMs: 5_000 }],
        roundTripMs: 0,
      },
    ]);
  });

  it("is told why a WEP is not ready, and since when", async () => {
    await using pool = await open({ maxConcurrency: 1 });
    const { bench, weps } = pool;
    await weps[0]?.[Symbol.asyncDispose]();
    await until(() => bench.pool.stats().connected === 0);
    await bench.clock.advance(2_000);
    const [view] = bench.pool.executors();
    expect(view).toMatchObject({ state: "away", sinceMs: 2_000, classes: [], kinds: [] });
    expect(view?.reason).toContain(`WEP ${weps[0]?.url}`);
  });

  it("draining takes a WEP out of use, and back", async () => {
    await using pool = await open({ maxConcurrency: 2 });
    const { bench, weps } = pool;
    const url = weps[0]?.url ?? "";
    expect(bench.pool.setDraining(`${url}/`, true)).toBe(true);
    expect(pool.take()).toBeUndefined();
    expect(bench.pool.executors()[0]?.state).toBe("draining");
    expect(bench.pool.notReady()).toEqual([`WEP ${url} is drained by the operator`]);
    let told = 0;
    using _listener = bench.pool.onCapacity(() => (told += 1));
    expect(bench.pool.setDraining(url, false)).toBe(true);
    expect(told).toBe(1);
    expect(pool.take()).toBe("A");
    expect(bench.pool.setDraining("http://elsewhere:1", true)).toBe(false);
  });

  it("draining outlives a reconnect", async () => {
    await using pool = await open({ maxConcurrency: 2 });
    const { bench, weps } = pool;
    const [wep] = weps;
    if (wep === undefined) throw new Error("no WEP");
    bench.pool.setDraining(wep.url, true);
    wep.cut();
    await greet(await bench.reconnected(wep));
    await bench.ready();
    expect(pool.take()).toBeUndefined();
  });

  it("a ping tells the round trip, or why there is none", async () => {
    await using pool = await open({ maxConcurrency: 1 });
    const { bench, weps, streams } = pool;
    const url = weps[0]?.url ?? "";
    expect(await bench.pool.ping(url)).toBe(0);
    const [stream] = streams;
    if (stream !== undefined) stream.answersPings = false;
    const pinged = bench.pool.ping(url);
    await stream?.next("ping");
    weps[0]?.cut();
    await expect(pinged).rejects.toThrow(`WEP ${url} gives no answer: the connection was lost`);
    await until(() => bench.pool.stats().connected === 0);
    await expect(bench.pool.ping(url)).rejects.toThrow(`WEP ${url} gives no answer: `);
    await expect(bench.pool.ping("http://x:1")).rejects.toThrow(
      `there is no WEP http://x:1; those in the pool are: ${url}`,
    );
  });
});
