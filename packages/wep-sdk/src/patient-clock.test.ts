import { FakeClock } from "@subnet-worker/testkit";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { patientClock } from "./patient-clock.ts";

describe("a patient clock", () => {
  it("fires short timers on time, and long ones up to 250 ms late", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 900 }),
        fc.integer({ min: 0, max: 20_000 }),
        async (startMs, ms) => {
          const clock = new FakeClock();
          await clock.advance(startMs);
          let firedAtMs: number | undefined;
          patientClock(clock).timer(ms, () => (firedAtMs = clock.monotonicMs()));
          for (let waited = 0; waited < 20_500; waited += 50) await clock.advance(50);
          const lateMs = (firedAtMs ?? Number.NaN) - startMs - ms;
          expect(lateMs).toBeGreaterThanOrEqual(0);
          expect(lateMs).toBeLessThan(ms < 5_000 ? 1 : 251);
        },
      ),
      { numRuns: 50 },
    );
  });

  it("has one timer of the clock for all of its long ones, and none when they are gone", async () => {
    const clock = new FakeClock();
    const patient = patientClock(clock);
    const timers = Array.from({ length: 1_000 }, (_, index) => patient.timer(5_000 + index, () => undefined));
    expect(clock.pendingCount).toBe(1);
    await clock.advance(1_000);
    expect(clock.pendingCount).toBe(1);
    for (const timer of timers) timer[Symbol.dispose]();
    await clock.advance(250);
    expect(clock.pendingCount).toBe(0);
  });

  it("does not fire what was disposed, not even by a timer of the same tick", async () => {
    const clock = new FakeClock();
    const patient = patientClock(clock);
    const fired: string[] = [];
    patient.timer(5_000, () => {
      fired.push("first");
      second[Symbol.dispose]();
      patient.timer(5_000, () => fired.push("third"));
    });
    const second = patient.timer(5_000, () => fired.push("second"));
    patient.timer(6_000, () => fired.push("never"))[Symbol.dispose]();
    await clock.advance(9_999);
    expect(fired).toEqual(["first"]);
    await clock.advance(251);
    expect(fired).toEqual(["first", "third"]);
  });

  it("catches up after the process stood still", async () => {
    let nowMs = 0;
    let due: (() => void) | undefined;
    const clock = {
      nowMs: () => nowMs,
      monotonicMs: () => nowMs,
      sleep: () => Promise.resolve(),
      timer: (_: number, fire: () => void) => {
        due = fire;
        return { [Symbol.dispose]: () => undefined };
      },
    };
    const fired: number[] = [];
    patientClock(clock).timer(5_000, () => fired.push(5_000));
    patientClock(clock).timer(7_000, () => fired.push(7_000));
    nowMs = 3_600_000;
    due?.();
    expect(fired).toEqual([5_000, 7_000]);
  });
});
