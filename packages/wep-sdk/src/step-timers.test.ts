import { FakeClock } from "@subnet-worker/testkit";
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { MOST_OWN_TIMERS, StepTimers } from "./step-timers.ts";

const STEP = fc.record({
  ms: fc.integer({ min: 0, max: 100_000 }),
  pauseMs: fc.integer({ min: 0, max: 50 }),
});

it("no signal aborts before its time, nor later than a 32nd of it", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(STEP, { maxLength: 40 }), async (steps) => {
      const clock = new FakeClock();
      const timers = new StepTimers(clock);
      for (let count = 0; count < MOST_OWN_TIMERS; count += 1) timers.after(1_000_000);
      const late: { ms: number; lateMs: number }[] = [];
      for (const { ms, pauseMs } of steps) {
        const startMs = clock.monotonicMs();
        timers.after(ms).addEventListener("abort", () => {
          late.push({ ms, lateMs: clock.monotonicMs() - startMs - ms });
        });
        await clock.advance(pauseMs);
      }
      await clock.advance(110_000);
      expect(late.length).toBe(steps.length);
      expect(late.filter(({ ms, lateMs }) => lateMs < 0 || lateMs > Math.max(1, ms / 32))).toEqual([]);
    }),
    { numRuns: 30 },
  );
});

it("the first have timers of their own and are on time", async () => {
  const clock = new FakeClock();
  await clock.advance(7);
  const timers = new StepTimers(clock);
  const signals = Array.from({ length: MOST_OWN_TIMERS }, () => timers.after(100_003));
  await clock.advance(100_002);
  expect(signals.filter(({ aborted }) => aborted)).toEqual([]);
  await clock.advance(1);
  expect(signals.every(({ aborted }) => aborted)).toBe(true);
});

it("says what a step was given, unless its timer was for steps that were given different times", async () => {
  const clock = new FakeClock();
  const timers = new StepTimers(clock);
  for (let count = 0; count < MOST_OWN_TIMERS; count += 1) timers.after(1_000_000);
  const same = [timers.after(10_000), timers.after(10_000)];
  const different = [timers.after(50_000), timers.after(50_001)];
  expect(clock.pendingCount).toBe(MOST_OWN_TIMERS + 2);
  await clock.advance(60_000);
  const messages = [...same, ...different].map(({ reason }) => String(reason));
  expect(messages.map((message) => /longer than (.*) that/.exec(message)?.[1])).toEqual([
    "the 10000 ms",
    "the 10000 ms",
    "the time",
    "the time",
  ]);
});

it("at the end no timer is left, and nothing fires", async () => {
  const clock = new FakeClock();
  const timers = new StepTimers(clock);
  const signals = Array.from({ length: 2 * MOST_OWN_TIMERS }, () => timers.after(1_000));
  timers.end();
  expect(clock.pendingCount).toBe(0);
  await clock.advance(2_000);
  expect(signals.some(({ aborted }) => aborted)).toBe(false);
});
