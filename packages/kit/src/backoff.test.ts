import { describe, expect, test } from "vitest";
import { createBackoff } from "./backoff.ts";

function delays(count: number, options: Parameters<typeof createBackoff>[0]): number[] {
  const backoff = createBackoff(options);
  return Array.from({ length: count }, () => backoff.nextMs());
}

describe("createBackoff", () => {
  test("doubles up to the longest delay and stays there", () => {
    expect(delays(6, { initialMs: 100, maxMs: 1_000, jitter: 0 })).toEqual([
      100, 200, 400, 800, 1_000, 1_000,
    ]);
  });

  test("grows by the factor given", () => {
    expect(delays(3, { initialMs: 10, maxMs: 1_000, factor: 3, jitter: 0 })).toEqual([10, 30, 90]);
  });

  test("takes off up to the share of jitter, and never more", () => {
    expect(delays(2, { initialMs: 100, maxMs: 1_000, random: () => 0 })).toEqual([100, 200]);
    expect(delays(2, { initialMs: 100, maxMs: 1_000, random: () => 1 - Number.EPSILON })).toEqual([50, 100]);
    expect(delays(1, { initialMs: 100, maxMs: 1_000, jitter: 1, random: () => 0.75 })).toEqual([25]);
  });

  test("stays within its bounds with real randomness", () => {
    for (const [step, delay] of delays(50, { initialMs: 64, maxMs: 1_024 }).entries()) {
      const base = Math.min(64 * 2 ** step, 1_024);
      expect(delay).toBeGreaterThanOrEqual(base / 2);
      expect(delay).toBeLessThanOrEqual(base);
    }
  });

  test("does not exceed the longest delay even with the first", () => {
    expect(delays(2, { initialMs: 500, maxMs: 100, jitter: 0 })).toEqual([100, 100]);
  });

  test("starts over after a reset", () => {
    const backoff = createBackoff({ initialMs: 100, maxMs: 1_000, jitter: 0 });
    backoff.nextMs();
    backoff.nextMs();
    backoff.reset();
    expect(backoff.nextMs()).toBe(100);
  });
});
