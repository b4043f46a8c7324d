import type { Clock } from "@subnet-worker/kit";
import { describe, expect, it } from "vitest";
import { Liveness } from "./liveness.ts";

/** A clock whose timers fire when the test says, however late that is. */
class LateClock implements Clock {
  atMs = 0;
  readonly timers: (() => void)[] = [];

  nowMs(): number {
    return this.atMs;
  }

  monotonicMs(): number {
    return this.atMs;
  }

  sleep(): Promise<void> {
    return Promise.reject(new Error("nobody sleeps here"));
  }

  timer(_ms: number, fire: () => void): Disposable {
    this.timers.push(fire);
    return { [Symbol.dispose]: () => void this.timers.splice(this.timers.indexOf(fire), 1) };
  }

  /** Fires what is armed, at this time. */
  fireAt(atMs: number): void {
    this.atMs = atMs;
    for (const fire of this.timers.splice(0)) fire();
  }
}

function watch(): { clock: LateClock; liveness: Liveness; events: string[] } {
  const clock = new LateClock();
  const events: string[] = [];
  const liveness = new Liveness(
    { pingIntervalMs: 2_000, silenceMs: 7_000 },
    {
      clock,
      ping: () => events.push("ping"),
      onSilent: (silentMs) => events.push(`silent for ${silentMs}`),
    },
  );
  return { clock, liveness, events };
}

describe("liveness", () => {
  it("pings until a peer was silent for too long, which it says once", () => {
    const { clock, events } = watch();
    for (const atMs of [2_000, 4_000, 6_000, 8_000, 10_000]) clock.fireAt(atMs);
    expect(events).toEqual(["ping", "ping", "ping", "silent for 8000"]);
  });

  it("counts from the last sign of life", () => {
    const { clock, liveness, events } = watch();
    for (const atMs of [2_000, 4_000]) clock.fireAt(atMs);
    liveness.seen();
    for (const atMs of [6_000, 8_000, 10_000, 12_000]) clock.fireAt(atMs);
    expect(events).toEqual(["ping", "ping", "ping", "ping", "ping", "silent for 8000"]);
  });

  it("does not hold against a peer that this thread was too busy to hear it", () => {
    const { clock, events } = watch();
    clock.fireAt(2_000);
    clock.fireAt(62_000);
    expect(events).toEqual(["ping", "ping"]);
    for (const atMs of [64_000, 66_000, 68_000]) clock.fireAt(atMs);
    expect(events).toEqual(["ping", "ping", "ping", "silent for 8000"]);
  });

  it("fires nothing more once disposed", () => {
    const { clock, liveness, events } = watch();
    liveness[Symbol.dispose]();
    clock.fireAt(2_000);
    expect(events).toEqual([]);
  });
});
