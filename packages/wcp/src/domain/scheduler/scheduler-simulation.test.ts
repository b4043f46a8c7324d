import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { aQueue, SchedulerWorld } from "../../../tests/_scheduler-world.ts";

/** Numbers in [0, 1) that are the same for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The largest relative deviation of a share from its weight. */
function unfairness(
  shares: Readonly<Record<string, number>>,
  weights: Readonly<Record<string, number>>,
): number {
  const sum = (values: readonly number[]) => values.reduce((all, value) => all + value, 0);
  const [starts, weight] = [sum(Object.values(shares)), sum(Object.values(weights))];
  return Math.max(
    ...Object.entries(weights).map(([name, own]) =>
      Math.abs((shares[name] ?? 0) / starts / (own / weight) - 1),
    ),
  );
}

const aMix = fc
  .record({
    weights: fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 2, maxLength: 20 }),
    slots: fc.integer({ min: 1, max: 64 }),
    seed: fc.integer(),
  })
  .map(({ weights, ...rest }) => ({
    ...rest,
    weights: Object.fromEntries(weights.map((weight, index) => [`q${index}`, weight / 2])),
  }));

describe("over thousands of tasks", () => {
  it("queues that always have work get their weights' shares, within 5 %, whatever the mix", () => {
    fc.assert(
      fc.property(aMix, ({ weights, slots, seed }) => {
        const random = randomFrom(seed);
        const names = Object.keys(weights);
        const queues = names.map((name) => aQueue(name, { weight: weights[name] ?? 1 }));
        const world = new SchedulerWorld({ queues, slots: { work: slots } });
        let serial = 0;
        const put = (queue: string) => {
          serial += 1;
          world.put(`${serial}`, { queue, tenant: `t${serial % 3}`, dueMs: random() });
        };
        for (const name of names) for (let count = 0; count < 5; count += 1) put(name);
        // So many that one task more or less is below 2 % of the smallest share.
        const all = Object.values(weights);
        const starts = (50 * all.reduce((sum, weight) => sum + weight, 0)) / Math.min(...all);
        while (world.started.length < starts) {
          for (let [id] = world.fill(1); id !== undefined; [id] = world.fill(1)) put(world.of(id).task.queue);
          const { running } = world;
          world.end(running[Math.floor(random() * running.length)] ?? "");
        }
        const shares = world.shares(({ task }) => task.queue);
        expect(unfairness(shares, weights)).toBeLessThan(0.05);
      }),
      { numRuns: 40 },
    );
  });

  it("queues share by their weights also while some of them are paused, full or limited now and then", () => {
    const random = randomFrom(7);
    const weights: Record<string, number> = { a: 1, b: 2, c: 4 };
    const world = new SchedulerWorld({
      queues: Object.entries(weights).map(([name, weight]) => aQueue(name, { weight })),
      slots: { work: 8 },
    });
    let serial = 0;
    const put = (queue: string) => world.put(`${(serial += 1)}`, { queue });
    for (const name of ["a", "b", "c"]) for (let count = 0; count < 20; count += 1) put(name);
    const run = (starts: number) => {
      const from = world.started.length;
      while (world.started.length < from + starts) {
        for (const id of world.fill()) put(world.of(id).task.queue);
        const { running } = world;
        world.end(running[Math.floor(random() * running.length)] ?? "");
      }
      return world.shares(({ task }) => task.queue, from);
    };
    for (let round = 0; round < 20; round += 1) {
      world.scheduler.setPaused("c", true);
      expect(unfairness(run(300), { a: 1, b: 2 })).toBeLessThan(0.05);
      world.scheduler.setPaused("c", false);
      expect(unfairness(run(700), weights)).toBeLessThan(0.05);
    }
  });

  it("queues share by their weights also when one kind of slots is scarce and becomes free out of turn", () => {
    const random = randomFrom(5);
    const weights = Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`q${index}`, 1 + index]));
    const queues = Object.entries(weights).map(([name, weight]) => aQueue(name, { weight }));
    const world = new SchedulerWorld({ queues, slots: { cpu: 28, gpu: 4 } });
    let serial = 0;
    const put = (queue: string) => {
      serial += 1;
      world.put(`${serial}`, { queue, kind: random() < 0.1 ? "gpu" : "cpu", tenant: `t${serial % 7}` });
    };
    for (const name of Object.keys(weights)) for (let count = 0; count < 50; count += 1) put(name);
    while (world.started.length < 10_000) {
      for (let [id] = world.fill(1); id !== undefined; [id] = world.fill(1)) put(world.of(id).task.queue);
      const { running } = world;
      world.end(running[Math.floor(random() * running.length)] ?? "");
    }
    const shares = world.shares(({ task }) => task.queue, 1_000);
    expect(unfairness(shares, weights)).toBeLessThan(0.05);
  });

  it("nobody starves: each queue and tenant is served again before the others had much more than their share", () => {
    const random = randomFrom(11);
    const queues = Array.from({ length: 20 }, (_, index) => aQueue(`q${index}`, { weight: 1 + (index % 5) }));
    const world = new SchedulerWorld({ queues, slots: { work: 4 } });
    let serial = 0;
    const put = (queue: string, tenant: string) =>
      world.put(`${(serial += 1)}`, { queue, tenant, priority: Math.floor(random() * 5), dueMs: serial });
    for (const { name } of queues) for (let number = 0; number < 10; number += 1) put(name, `t${number}`);
    const lastAt = new Map<string, number>();
    let longestWait = 0;
    while (world.started.length < 20_000) {
      for (const id of world.fill()) {
        const { queue, traits } = world.of(id).task;
        const tenant = traits?.tenant ?? "";
        const key = `${queue} ${tenant}`;
        longestWait = Math.max(longestWait, serial - (lastAt.get(key) ?? serial));
        lastAt.set(key, serial);
        put(queue, tenant);
      }
      world.end(world.running[0] ?? "");
    }
    expect(lastAt.size).toBe(200);
    // The lightest queue has 1 of 60, and each of its 10 tenants a tenth of that: every 600 starts, or twice that.
    expect(longestWait).toBeLessThan(1_200);
  });

  it("tenants of a queue have equal shares, within 5 %, however much each has waiting", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 60, max: 2_000 }), { minLength: 2, maxLength: 8 }), (counts) => {
        const world = new SchedulerWorld();
        for (const [index, count] of counts.entries()) {
          for (let number = 0; number < count; number += 1) {
            const kind = number % 2 === 0 ? "work" : "other";
            world.put(`${index}-${number}`, { tenant: `t${index}`, kind, dueMs: number });
          }
        }
        const least = Math.min(...counts);
        world.fill(least * counts.length);
        const equal = Object.fromEntries(counts.map((_count, index) => [`t${index}`, 1]));
        expect(
          unfairness(
            world.shares(({ task }) => task.traits?.tenant ?? ""),
            equal,
          ),
        ).toBeLessThan(0.05);
      }),
      { numRuns: 40 },
    );
  });

  it("rates are kept to the task over an hour, and slots that they leave go to others", () => {
    const rates: Record<string, number> = { slow: 0.5, middling: 3, fast: 7 };
    const queues = Object.entries(rates).map(([name, perS]) =>
      aQueue(name, { priority: 1, rate: { perS, burst: 5 } }),
    );
    const world = new SchedulerWorld({ queues: [...queues, aQueue("rest")] });
    let serial = 0;
    const put = (queue: string) => world.put(`${(serial += 1)}`, { queue });
    for (const name of [...Object.keys(rates), "rest"]) for (let count = 0; count < 10; count += 1) put(name);
    const counts: Record<string, number> = {};
    for (;;) {
      // What is limited goes first, as long as it may.
      for (let queue = ""; queue !== "rest";) {
        const [id = ""] = world.fill(1);
        ({ queue } = world.of(id).task);
        counts[queue] = (counts[queue] ?? 0) + 1;
        world.end(id);
        put(queue);
      }
      const nextMs = world.scheduler.nextTokenAtMs(world.nowMs);
      if (nextMs === undefined || nextMs >= 3_599_999) break;
      expect(nextMs).toBeGreaterThan(world.nowMs);
      world.nowMs = nextMs;
    }
    // A burst at the start, and one with each interval after it.
    for (const [name, perS] of Object.entries(rates)) {
      expect(counts[name]).toBe(5 + Math.ceil(3_599.999 * perS) - 1);
    }
    expect(counts["rest"]).toBeGreaterThan(10_000);
  });

  it("deadlines are met where they can be: what waits is started in their order", () => {
    const random = randomFrom(3);
    const world = new SchedulerWorld({ slots: { work: 4 } });
    const late: string[] = [];
    // Four slots do 40 tasks of 100 ms per second; 3,600 tasks fit well into 100 s.
    for (let number = 0; number < 3_600; number += 1) {
      world.put(`${number}`, { deadlineMs: 5_000 + random() * 95_000, dueMs: random() });
    }
    const endsAtMs = new Map<string, number>();
    while (world.started.length < 3_600 || endsAtMs.size > 0) {
      for (const id of world.fill()) endsAtMs.set(id, world.nowMs + 100);
      expect(world.scheduler.dropPast(world.nowMs)).toEqual([]);
      const nextMs = Math.min(...endsAtMs.values());
      world.nowMs = nextMs;
      for (const [id, atMs] of endsAtMs) {
        if (atMs !== nextMs) continue;
        endsAtMs.delete(id);
        world.end(id);
        if (nextMs > (world.of(id).deadlineMs ?? 0)) late.push(id);
      }
    }
    expect(late).toEqual([]);
  });
});
