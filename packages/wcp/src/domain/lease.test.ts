import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { heartbeatDueAtMs, progressIntervalS } from "./lease.ts";

const lease = fc
  .record({ startMs: fc.nat(2 ** 40), durationMs: fc.integer({ min: 1_000, max: 2 ** 32 }) })
  .map(({ startMs, durationMs }) => ({ expiresAtMs: startMs + durationMs, durationMs }));

describe("a heartbeat", () => {
  it("is due after a third of the lease, so that two more can be missed before it ends", () => {
    const fresh = { expiresAtMs: 100_000, durationMs: 90_000 };
    expect(heartbeatDueAtMs(fresh, Number.POSITIVE_INFINITY)).toBe(40_000);
  });

  it("is due sooner when the interval for news is shorter, and never later", () => {
    const fresh = { expiresAtMs: 100_000, durationMs: 90_000 };
    expect(heartbeatDueAtMs(fresh, 5_000)).toBe(15_000);
    expect(heartbeatDueAtMs(fresh, 80_000)).toBe(40_000);
  });

  it("is always due after the lease began and with two thirds of it left", () => {
    fc.assert(
      fc.property(lease, fc.nat(2 ** 33), (held, intervalMs) => {
        const dueAtMs = heartbeatDueAtMs(held, intervalMs);
        expect(dueAtMs).toBeGreaterThanOrEqual(held.expiresAtMs - held.durationMs);
        expect(held.expiresAtMs - dueAtMs).toBeGreaterThanOrEqual((held.durationMs * 2) / 3 - 1);
      }),
    );
  });

  it("is overdue when the lease was found late in its life", () => {
    const nearlyOver = { expiresAtMs: 1_000, durationMs: 90_000 };
    expect(heartbeatDueAtMs(nearlyOver, Number.POSITIVE_INFINITY)).toBeLessThan(0);
  });
});

describe("the interval asked of the executor", () => {
  it("is a whole number from 1 to 30 seconds, and twice within each heartbeat where the lease allows", () => {
    fc.assert(
      fc.property(lease, (held) => {
        const seconds = progressIntervalS(held);
        expect(Number.isInteger(seconds) && seconds >= 1 && seconds <= 30).toBe(true);
        if (held.durationMs >= 6_000) expect(seconds * 2_000).toBeLessThanOrEqual(held.durationMs / 3);
      }),
    );
  });
});
