/** The only source of time of this package, besides what a guest's clock reads. */
export interface Clock {
  /** Milliseconds from an arbitrary start; never goes back. */
  monotonicMs(): number;
  /** Calls `fire` once after `ms`, unless disposed first. Does not keep the process alive. */
  timer(ms: number, fire: () => void): Disposable;
}

// setTimeout counts in a signed 32-bit integer and fires at once beyond it.
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The machine's clock. */
export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  timer: (ms, fire) => {
    const timeout = setTimeout(fire, Math.min(ms, LONGEST_TIMER_MS));
    timeout.unref();
    return { [Symbol.dispose]: () => clearTimeout(timeout) };
  },
};
