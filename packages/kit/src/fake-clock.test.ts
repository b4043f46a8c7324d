import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { FakeClock } from "./fake-clock.ts";

describe("FakeClock", () => {
  test("stands still until it is advanced", async () => {
    const clock = new FakeClock({ startMs: 5_000 });
    expect([clock.nowMs(), clock.monotonicMs()]).toEqual([5_000, 0]);
    await clock.advance(250);
    expect([clock.nowMs(), clock.monotonicMs()]).toEqual([5_250, 250]);
  });

  test("wakes a sleeper at its time and not before", async () => {
    const clock = new FakeClock();
    let isAwake = false;
    void clock.sleep(100).then(() => (isAwake = true));
    await clock.advance(99);
    expect(isAwake).toBe(false);
    await clock.advance(1);
    expect(isAwake).toBe(true);
    expect(clock.pendingCount).toBe(0);
  });

  test("fires in the order of time, and in the order of setting at the same time", async () => {
    const clock = new FakeClock();
    const events: string[] = [];
    for (const [name, ms] of [
      ["late", 30],
      ["first", 10],
      ["second", 10],
      ["now", 0],
    ] as const) {
      clock.timer(ms, () => events.push(`${name} at ${clock.monotonicMs()}`));
    }
    await clock.advance(30);
    expect(events).toEqual(["now at 0", "first at 10", "second at 10", "late at 30"]);
  });

  test("turns a loop as often as it fits, each turn at its own time", async () => {
    const clock = new FakeClock();
    const turns: number[] = [];
    const stop = new AbortController();
    const loop = (async () => {
      while (!stop.signal.aborted) {
        await clock.sleep(10, stop.signal);
        // Several awaits between two sleeps, as real code has them.
        await Promise.resolve();
        await new Promise((resolve) => process.nextTick(resolve));
        turns.push(clock.monotonicMs());
      }
    })();
    await clock.advance(35);
    expect(turns).toEqual([10, 20, 30]);
    stop.abort();
    await loop;
  });

  test("fires what is set while it advances, if it comes due in time", async () => {
    const clock = new FakeClock();
    const events: string[] = [];
    clock.timer(10, () => {
      clock.timer(5, () => events.push("in time"));
      clock.timer(50, () => events.push("too late"));
    });
    await clock.advance(20);
    expect(events).toEqual(["in time"]);
  });

  test("ends a sleep at once when its signal aborts, and forgets it", async () => {
    const clock = new FakeClock();
    const controller = new AbortController();
    const asleep = clock.sleep(1_000, controller.signal);
    controller.abort();
    await asleep;
    expect(clock.pendingCount).toBe(0);
    await clock.sleep(1_000, controller.signal);
    expect(clock.monotonicMs()).toBe(0);
  });

  test("takes its listener back from the signal", async () => {
    const clock = new FakeClock();
    const { signal } = new AbortController();
    const asleep = clock.sleep(10, signal);
    await clock.advance(10);
    await asleep;
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });

  test("does not fire a timer that was disposed, not even by one due at the same time", async () => {
    const clock = new FakeClock();
    const events: string[] = [];
    clock.timer(10, () => second[Symbol.dispose]());
    const second = clock.timer(10, () => events.push("second"));
    await clock.advance(10);
    expect(events).toEqual([]);
  });

  test("says when somebody waits, so that a test need not guess", async () => {
    const clock = new FakeClock();
    const busy = Promise.withResolvers<void>();
    let isAwake = false;
    const work = busy.promise.then(() => clock.sleep(10)).then(() => (isAwake = true));
    const waiting = clock.whenPending();
    busy.resolve();
    await waiting;
    await clock.advance(10);
    await work;
    expect(isAwake).toBe(true);
  });

  test("takes a negative time, and none, as now", async () => {
    const clock = new FakeClock();
    const both = Promise.all([clock.sleep(-5), clock.sleep(Number.NaN)]);
    await clock.advance(0);
    await both;
    expect(clock.monotonicMs()).toBe(0);
  });

  test("refuses to advance past something that sleeps 0 ms for ever", async () => {
    const clock = new FakeClock();
    const again = () => void clock.timer(0, again);
    again();
    await expect(clock.advance(1)).rejects.toThrow("more than 100000 timers fired within 1 ms");
  });
});
