import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { QueueShares } from "./queue-shares.ts";

/** Offers of one queue; how many were admitted. */
function offer(shares: QueueShares, queue: string, count: number): number {
  let admitted = 0;
  for (let index = 0; index < count; index += 1) {
    if (!shares.admits(queue)) continue;
    shares.add(queue);
    admitted += 1;
  }
  return admitted;
}

function take(shares: QueueShares, queue: string, count: number): void {
  for (let index = 0; index < count; index += 1) shares.delete(queue);
}

describe("the room for tasks that wait", () => {
  it("is all for a queue that is alone", () => {
    expect(offer(new QueueShares(100), "a", 200)).toBe(100);
  });

  it("is there for every queue that comes, however much the others hold", () => {
    const shares = new QueueShares(120);
    expect(["a", "b", "c", "d"].map((queue) => offer(shares, queue, 200))).toEqual([120, 60, 40, 30]);
  });

  it("is given to a queue that is refused only when it has much of it again", () => {
    const shares = new QueueShares(100);
    offer(shares, "a", 101);
    take(shares, "a", 49);
    expect(shares.hasRoom("a")).toBe(false);
    expect(offer(shares, "a", 10)).toBe(0);
    take(shares, "a", 1);
    expect(shares.hasRoom("a")).toBe(true);
    expect(offer(shares, "a", 200)).toBe(50);
  });

  it("is given to the others while a queue that fills it holds on to it", () => {
    const shares = new QueueShares(100);
    offer(shares, "paused", 101);
    expect(offer(shares, "live", 80)).toBe(50);
    take(shares, "live", 25);
    expect(shares.hasRoom("live")).toBe(true);
    expect(shares.hasRoom("paused")).toBe(false);
    expect(offer(shares, "live", 80)).toBe(25);
  });

  it("is asked about without being changed", () => {
    const shares = new QueueShares(2);
    offer(shares, "a", 2);
    expect(shares.hasRoom("a")).toBe(false);
    take(shares, "a", 1);
    expect(shares.hasRoom("a")).toBe(true);
  });

  it("holds nothing that was not added", () => {
    expect(() => new QueueShares(1).delete("a")).toThrow("queue a holds nothing");
  });

  it("is never exceeded by more than the queues allow, and never refuses one that holds nothing", () => {
    const queue = fc.constantFrom("a", "b", "c", "d", "e");
    const step = fc.record({ queue, offered: fc.nat(80), taken: fc.nat(80) });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.array(step, { maxLength: 60 }), (most, steps) => {
        const shares = new QueueShares(most);
        const held = new Map<string, number>();
        for (const each of steps) {
          const before = held.get(each.queue) ?? 0;
          const admitted = offer(shares, each.queue, each.offered);
          if (before === 0 && each.offered > 0) expect(admitted).toBeGreaterThan(0);
          const taken = Math.min(each.taken, before + admitted);
          take(shares, each.queue, taken);
          held.set(each.queue, before + admitted - taken);
          const sizes = [...held.values()].filter((size) => size > 0);
          // Whole tasks: a part is rounded up.
          const bound = sizes.reduce((sum, _size, index) => sum + Math.ceil(most / (index + 1)), 0);
          expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(bound);
        }
      }),
    );
  });
});
