import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { systemClock } from "./clock.ts";

const HOUR_MS = 3_600_000;

function activeTimers(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
}

describe("systemClock.sleep", () => {
  test("lasts as long as it says", async () => {
    const startMs = systemClock.monotonicMs();
    await systemClock.sleep(30);
    // Timers count whole milliseconds of a clock of their own, so one may be missing.
    expect(systemClock.monotonicMs() - startMs).toBeGreaterThanOrEqual(29);
  });

  test("ends at once when the signal aborts, and leaves no timer and no listener", async () => {
    const timersBefore = activeTimers();
    const controller = new AbortController();
    const asleep = systemClock.sleep(HOUR_MS, controller.signal);
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(1);
    controller.abort();
    await asleep;
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
    expect(activeTimers()).toBe(timersBefore);
  });

  test("does not begin when the signal has aborted", async () => {
    await systemClock.sleep(HOUR_MS, AbortSignal.abort());
  });

  test("takes its listener back when the time is over", async () => {
    const { signal } = new AbortController();
    await systemClock.sleep(1, signal);
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });

  test("of longer than a timer can count does not end at once", async () => {
    const controller = new AbortController();
    let isAwake = false;
    const asleep = systemClock.sleep(2 ** 40, controller.signal).then(() => (isAwake = true));
    await systemClock.sleep(20);
    expect(isAwake).toBe(false);
    controller.abort();
    await asleep;
  });
});

describe("systemClock.timer", () => {
  test("fires once", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    let count = 0;
    using _timer = systemClock.timer(1, () => {
      count += 1;
      resolve();
    });
    // The timer does not keep the process alive, so something else must.
    await Promise.all([promise, systemClock.sleep(20)]);
    expect(count).toBe(1);
  });

  test("does not fire once disposed", async () => {
    let hasFired = false;
    systemClock.timer(1, () => (hasFired = true))[Symbol.dispose]();
    await systemClock.sleep(20);
    expect(hasFired).toBe(false);
  });

  test("does not keep the process alive", () => {
    const before = activeTimers();
    using _timer = systemClock.timer(HOUR_MS, () => undefined);
    expect(activeTimers()).toBe(before);
  });
});

test("systemClock.nowMs is the time of day, monotonicMs never goes back", () => {
  expect(Math.abs(systemClock.nowMs() - Date.now())).toBeLessThan(1_000);
  const first = systemClock.monotonicMs();
  expect(systemClock.monotonicMs()).toBeGreaterThanOrEqual(first);
});
