import { FakeClock } from "@subnet-worker/kit/fake-clock";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CancelledError, RetryableError, TerminalError } from "./errors.ts";
import { retry, type RetryOptions } from "./retry.ts";

/** Runs to the end on a clock that jumps from wait to wait; tells when each call was made. */
async function observed(fail: (attempt: number) => unknown, options: RetryOptions = {}) {
  const clock = new FakeClock();
  const calledAtMs: number[] = [];
  const state = { isOver: false };
  const outcome = retry(
    (attempt) => {
      calledAtMs.push(clock.monotonicMs());
      const error = fail(attempt);
      if (error !== undefined) throw error;
      return attempt;
    },
    { clock, ...options },
  ).then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  void outcome.then(() => (state.isOver = true));
  while (!state.isOver) await clock.advance(100);
  return { calledAtMs, ...(await outcome) } as { calledAtMs: number[]; value?: number; error?: unknown };
}

describe("retry", () => {
  it("calls again until it succeeds, with growing waits", async () => {
    const { value, calledAtMs } = await observed((attempt) =>
      attempt < 4 ? new Error("not yet") : undefined,
    );
    expect(value).toBe(4);
    const waits = calledAtMs.slice(1).map((ms, index) => ms - (calledAtMs[index] ?? 0));
    for (const [index, waitMs] of waits.entries()) {
      expect(waitMs).toBeGreaterThanOrEqual(250 * 2 ** index);
      expect(waitMs).toBeLessThanOrEqual(500 * 2 ** index);
    }
  });

  it("gives up with the last error after so many calls", async () => {
    const { error, calledAtMs } = await observed((attempt) => new Error(`${attempt}`), { maxAttempts: 3 });
    expect(error).toEqual(new Error("3"));
    expect(calledAtMs).toHaveLength(3);
  });

  it.each([new TerminalError("no use"), new CancelledError("drain", "stopped")])(
    "ends at once with %s",
    async (fatal) => {
      const { error, calledAtMs } = await observed(() => fatal, { retryIf: () => true });
      expect(error).toBe(fatal);
      expect(calledAtMs).toHaveLength(1);
    },
  );

  it("waits as long as a RetryableError asks, also above maxMs", async () => {
    const { calledAtMs } = await observed(
      (attempt) => (attempt === 1 ? new RetryableError("warm up", { retryAfterMs: 5_000 }) : undefined),
      { maxMs: 1_000 },
    );
    expect(calledAtMs).toEqual([0, 5_000]);
  });

  it("waits as it would anyhow after a wish that is no number", async () => {
    const { value } = await observed((attempt) =>
      attempt < 2 ? new RetryableError("later", { retryAfterMs: Number("Wed, 21 Oct") }) : undefined,
    );
    expect(value).toBe(2);
  });

  it("asks retryIf", async () => {
    const { calledAtMs } = await observed((attempt) => (attempt < 3 ? new Error("a") : new RangeError("b")), {
      retryIf: (error) => !(error instanceof RangeError),
    });
    expect(calledAtMs).toHaveLength(3);
  });

  it("begins no wait that would outlast the time that is left", async () => {
    const clock = new FakeClock();
    const work = retry(() => Promise.reject(new RetryableError("later", { retryAfterMs: 1_000 })), {
      clock,
      timeLeftMs: () => 2_500 - clock.monotonicMs(),
    });
    const failed = expect(work).rejects.toThrow("later");
    await clock.advance(2_000);
    await failed;
    expect(clock.monotonicMs()).toBe(2_000);
    expect(clock.pendingCount).toBe(0);
  });

  it("stops waiting with the signal, whose reason it throws", async () => {
    const clock = new FakeClock();
    const controller = new AbortController();
    const work = retry(() => Promise.reject(new Error("down")), { clock, signal: controller.signal });
    const failed = expect(work).rejects.toThrow("stop it");
    await clock.whenPending();
    controller.abort(new Error("stop it"));
    await failed;
    expect(clock.pendingCount).toBe(0);
  });

  it.each([{ maxAttempts: 0 }, { initialMs: -1 }, { maxMs: Number.NaN }, { factor: 0.5 }])(
    "refuses the policy %o",
    async (policy) => {
      await expect(retry(() => 1, policy)).rejects.toThrow(/\[INVALID_OPTION\] retry: /);
    },
  );

  it("never calls more often, and never waits longer than it may", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 0, max: 2_000 }),
        fc.integer({ min: 0, max: 5_000 }),
        async (maxAttempts, initialMs, maxMs) => {
          const { calledAtMs } = await observed(() => new Error("x"), { maxAttempts, initialMs, maxMs });
          expect(calledAtMs).toHaveLength(maxAttempts);
          for (const [index, ms] of calledAtMs.slice(1).entries())
            expect(ms - (calledAtMs[index] ?? 0)).toBeLessThanOrEqual(maxMs);
        },
      ),
      { numRuns: 30 },
    );
  });
});
