import { type Clock, systemClock } from "@subnet-worker/kit";

/** The machine's clock, `factor` times as fast. */
export function fastClock(factor: number): Clock {
  return {
    nowMs: () => systemClock.nowMs() * factor,
    monotonicMs: () => systemClock.monotonicMs() * factor,
    sleep: (ms, signal) => systemClock.sleep(ms / factor, signal),
    timer: (ms, fire) => systemClock.timer(ms / factor, fire),
  };
}
