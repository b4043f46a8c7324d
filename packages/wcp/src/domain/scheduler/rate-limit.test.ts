import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RateLimit } from "./rate-limit.ts";

/** When something was let through that is asked for at all these times. */
function letThrough(limit: RateLimit, askedAtMs: readonly number[]): number[] {
  return askedAtMs.filter((nowMs) => {
    if (limit.readyAtMs() > nowMs) return false;
    limit.take(nowMs);
    return true;
  });
}

describe("a rate limit", () => {
  it("lets a burst through at once and then one per interval, to the millisecond", () => {
    const limit = new RateLimit(4, 3);
    const everyMs = Array.from({ length: 1_001 }, (_, ms) => [ms, ms, ms, ms]).flat();
    expect(letThrough(limit, everyMs)).toEqual([0, 0, 0, 250, 500, 750, 1_000]);
  });

  it("lets through what the rate makes of an hour, for rates that no interval in milliseconds divides", () => {
    for (const ratePerS of [3, 7, 0.3, 999, 33.3]) {
      const limit = new RateLimit(ratePerS, 1);
      let nowMs = 0;
      let count = 0;
      for (;;) {
        nowMs = Math.max(0, limit.readyAtMs());
        if (nowMs >= 3_600_000 - 0.001) break;
        limit.take(nowMs);
        count += 1;
      }
      expect(count).toBe(Math.ceil(3_600 * ratePerS));
    }
  });

  it("never lets more through than a burst and the rate, in any span of time", () => {
    const asked = fc
      .array(fc.double({ min: 0, max: 300, noNaN: true }), { maxLength: 300 })
      .map((gapsMs) => gapsMs.map((_gap, index) => gapsMs.slice(0, index + 1).reduce((a, b) => a + b)));
    fc.assert(
      fc.property(
        asked,
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 10 }),
        (times, rate, burst) => {
          const through = letThrough(new RateLimit(rate, burst), times);
          for (const [index, fromMs] of through.entries()) {
            for (const [further, toMs] of through.slice(index).entries()) {
              expect(further + 1).toBeLessThanOrEqual(burst + (rate * (toMs - fromMs)) / 1_000 + 1e-6);
            }
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  it("that begins empty lets the first through after an interval, and a burst when it had time to fill", () => {
    const limit = new RateLimit(4, 3, 1_000);
    expect(limit.tokens(1_000)).toBe(0);
    expect(letThrough(limit, [1_000, 1_249, 1_250, 1_250, 1_500])).toEqual([1_250, 1_500]);
    const rested = new RateLimit(4, 3, 1_000);
    expect(letThrough(rested, Array<number>(5).fill(10_000))).toHaveLength(3);
  });

  it("that follows another and begins empty lets no more through with it than one alone", () => {
    const life = fc.record({
      lengthMs: fc.integer({ min: 0, max: 2_000 }),
      gapMs: fc.integer({ min: 1, max: 100 }),
    });
    fc.assert(
      fc.property(
        fc.array(life, { maxLength: 20 }),
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 30 }),
        (lives, rate, burst) => {
          const through: number[] = [];
          let nowMs = 0;
          for (const { lengthMs, gapMs } of lives) {
            const limit = new RateLimit(rate, burst, nowMs);
            const asked = Array.from(
              { length: Math.floor(lengthMs / gapMs) },
              (_, index) => nowMs + index * gapMs,
            );
            through.push(
              ...letThrough(
                limit,
                asked.flatMap((atMs) => [atMs, atMs]),
              ),
            );
            nowMs += lengthMs;
          }
          expect(through.length).toBeLessThanOrEqual((rate * nowMs) / 1_000 + 1e-6);
        },
      ),
      { numRuns: 100 },
    );
  });

  it("keeps no more for later than a burst", () => {
    const limit = new RateLimit(10, 5);
    for (let count = 0; count < 5; count += 1) limit.take(0);
    expect(limit.tokens(0)).toBe(0);
    expect(limit.tokens(199)).toBe(1);
    expect(limit.tokens(200)).toBe(2);
    expect(limit.tokens(1_000_000)).toBe(5);
    expect(letThrough(limit, Array<number>(10).fill(1_000_000))).toHaveLength(5);
  });
});
