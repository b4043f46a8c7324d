/** How long to wait between attempts. */
export interface BackoffOptions {
  /** First delay. */
  readonly initialMs: number;
  /** No delay exceeds this. */
  readonly maxMs: number;
  /** Growth per step. Default 2. */
  readonly factor?: number;
  /** Share of each delay that is random, 0 to 1. Default 0.5: a delay of 100 becomes 50 to 100. */
  readonly jitter?: number;
  /** Uniform in [0, 1). Default `Math.random`. */
  readonly random?: () => number;
}

/** Growing delays with jitter, for one thing that is being retried. */
export interface Backoff {
  /** The next delay in milliseconds. */
  nextMs(): number;
  /** Starts over from `initialMs`. */
  reset(): void;
}

/**
 * Creates exponential backoff with jitter.
 *
 * @example
 * ```ts
 * import { createBackoff, systemClock } from "@subnet-worker/kit";
 *
 * const backoff = createBackoff({ initialMs: 100, maxMs: 5_000 });
 * await systemClock.sleep(backoff.nextMs());
 * ```
 */
export function createBackoff(options: BackoffOptions): Backoff {
  const { initialMs, maxMs, factor = 2, jitter = 0.5, random = Math.random } = options;
  const first = Math.min(initialMs, maxMs);
  let base = first;
  return {
    nextMs() {
      const delay = base;
      base = Math.min(base * factor, maxMs);
      return Math.round(delay * (1 - jitter * random()));
    },
    reset() {
      base = first;
    },
  };
}
