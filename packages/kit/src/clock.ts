/** The only source of time. Everything that waits or reads the time takes one of these. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  nowMs(): number;
  /** Milliseconds from an arbitrary start; never goes back. For durations. */
  monotonicMs(): number;
  /** Resolves after `ms`, or at once when `signal` aborts: look at the signal afterwards. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `fire` once after `ms`, unless disposed first. Does not keep the process alive. */
  timer(ms: number, fire: () => void): Disposable;
}

// setTimeout counts in a signed 32-bit integer and fires at once beyond it.
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The machine's clock. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted === true) {
        resolve();
        return;
      }
      const done = () => {
        clearTimeout(timeout);
        signal?.removeEventListener("abort", done);
        resolve();
      };
      const timeout = setTimeout(done, Math.min(ms, LONGEST_TIMER_MS));
      signal?.addEventListener("abort", done, { once: true });
    }),
  timer: (ms, fire) => {
    const timeout = setTimeout(fire, Math.min(ms, LONGEST_TIMER_MS));
    timeout.unref();
    return { [Symbol.dispose]: () => clearTimeout(timeout) };
  },
};
