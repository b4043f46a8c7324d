/** Times that differ by less are the same: sums of fractions of milliseconds are not exact. */
const SAME_MS = 1e-6;

/**
 * A token bucket, kept as the time at which it would be full again: the virtual scheduling form of the
 * generic cell rate algorithm (ITU-T I.371). In any span of time it lets through at most `burst` and
 * `ratePerS` times the span. That holds over several buckets after each other too, as processes that are
 * restarted have them, when all but the first begin empty: none was ever emptier than that.
 */
export class RateLimit {
  readonly ratePerS: number;
  readonly burst: number;
  readonly #intervalMs: number;
  #fullAtMs: number;

  /** `emptyAtMs`: when it was empty; by default it begins full. */
  constructor(ratePerS: number, burst: number, emptyAtMs: number = Number.NEGATIVE_INFINITY) {
    this.ratePerS = ratePerS;
    this.burst = burst;
    this.#intervalMs = 1_000 / ratePerS;
    this.#fullAtMs = emptyAtMs + burst * this.#intervalMs;
  }

  /** When there is a token: now or before, or later. */
  readyAtMs(): number {
    return this.#fullAtMs - (this.burst - 1) * this.#intervalMs - SAME_MS;
  }

  /** Takes a token; the caller has checked that there is one. */
  take(nowMs: number): void {
    this.#fullAtMs = Math.max(this.#fullAtMs, nowMs) + this.#intervalMs;
  }

  /** How many could be let through at once. */
  tokens(nowMs: number): number {
    const missingMs = Math.max(0, this.#fullAtMs - nowMs - SAME_MS);
    return Math.floor(this.burst - missingMs / this.#intervalMs);
  }
}
