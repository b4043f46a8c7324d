import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decideRetry, type RetryPolicy, type RunFailure } from "./retry.ts";

const policy: RetryPolicy = { maxAttempts: 3, initialMs: 1_000, maxMs: 10_000 };
const failure: RunFailure = { code: 2002, message: "busy", retryable: true, retryAfterMs: 0 };

describe("a failed run", () => {
  it("is never run again when the handler said that it cannot help", () => {
    expect(decideRetry({ ...failure, retryable: false }, 1, policy)).toEqual({ kind: "fail" });
  });

  it("is run again until the last attempt, which fails for good", () => {
    expect([1, 2, 3, 4].map((attempt) => decideRetry(failure, attempt, policy).kind)).toEqual([
      "retry",
      "retry",
      "fail",
      "fail",
    ]);
  });

  it("waits twice as long each time, up to the longest wait", () => {
    const patient = { ...policy, maxAttempts: 10 };
    const delays = [1, 2, 3, 4, 5, 6].map((attempt) => decideRetry(failure, attempt, patient));
    expect(delays).toEqual(
      [1_000, 2_000, 4_000, 8_000, 10_000, 10_000].map((delayMs) => ({ kind: "retry", delayMs })),
    );
  });

  it("without a pause has none either after a thousand attempts", () => {
    const impatient = { maxAttempts: 5_000, initialMs: 0, maxMs: 10 };
    expect(decideRetry(failure, 2_000, impatient)).toEqual({ kind: "retry", delayMs: 0 });
  });

  it("waits at least as long as the handler asked", () => {
    expect(decideRetry({ ...failure, retryAfterMs: 60_000 }, 1, policy)).toEqual({
      kind: "retry",
      delayMs: 60_000,
    });
    expect(decideRetry({ ...failure, retryAfterMs: 10 }, 1, policy)).toEqual({
      kind: "retry",
      delayMs: 1_000,
    });
  });

  it("has a finite pause and a bounded number of attempts under every policy", () => {
    fc.assert(
      fc.property(
        fc.record({ maxAttempts: fc.integer({ min: 1, max: 2_000 }), initialMs: fc.nat(), maxMs: fc.nat() }),
        fc.integer({ min: 1, max: 3_000 }),
        (any, attempt) => {
          const decision = decideRetry(failure, attempt, any);
          expect(decision.kind).toBe(attempt < any.maxAttempts ? "retry" : "fail");
          if (decision.kind !== "retry") return;
          expect(Number.isFinite(decision.delayMs)).toBe(true);
          expect(decision.delayMs).toBeLessThanOrEqual(any.maxMs);
        },
      ),
    );
  });
});
