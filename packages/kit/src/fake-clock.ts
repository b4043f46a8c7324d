import type { Clock } from "./clock.ts";

/** How a {@link FakeClock} begins. */
export interface FakeClockOptions {
  /** What `nowMs` starts at. Default 2025-01-01T00:00:00Z. */
  readonly startMs?: number;
}

/** More than any test needs: what fires more often sleeps 0 ms in a loop, and `advance` would never end. */
const MOST_FIRINGS = 100_000;

interface Timer {
  readonly dueMs: number;
  readonly fire: () => void;
}

/**
 * A clock that stands still until it is told to {@link FakeClock.advance}.
 * `monotonicMs` starts at 0. Timers due at the same time fire in the order in
 * which they were set.
 *
 * @example
 * ```ts
 * import { FakeClock } from "@subnet-worker/kit/fake-clock";
 *
 * const clock = new FakeClock();
 * const woken = clock.sleep(1_000);
 * await clock.advance(1_000);
 * await woken;
 * ```
 */
export class FakeClock implements Clock {
  readonly #startMs: number;
  #elapsedMs = 0;
  readonly #timers = new Set<Timer>();
  readonly #watchers = new Set<() => void>();

  constructor(options: FakeClockOptions = {}) {
    this.#startMs = options.startMs ?? Date.UTC(2025, 0, 1);
  }

  /** Sleepers and timers that wait for their time. */
  get pendingCount(): number {
    return this.#timers.size;
  }

  nowMs(): number {
    return this.#startMs + this.#elapsedMs;
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted === true) {
        resolve();
        return;
      }
      const wake = (): void => {
        timer[Symbol.dispose]();
        signal?.removeEventListener("abort", wake);
        resolve();
      };
      const timer = this.timer(ms, wake);
      signal?.addEventListener("abort", wake, { once: true });
    });
  }

  timer(ms: number, fire: () => void): Disposable {
    // NaN would never come due and hang the test; setTimeout takes it, and less than 0, as 0.
    const timer = { dueMs: this.#elapsedMs + (ms > 0 ? ms : 0), fire };
    this.#timers.add(timer);
    for (const look of this.#watchers) look();
    return { [Symbol.dispose]: () => void this.#timers.delete(timer) };
  }

  /**
   * Lets `ms` pass. Whatever comes due fires at its own time, in order, and the
   * code that waited for it runs as far as it can before the next: so a loop that
   * sleeps 10 ms turns three times in `advance(30)`. Waits for promises, not for
   * sockets or files: await those beside it.
   *
   * @throws when something sleeps 0 ms in a loop
   */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#elapsedMs + ms;
    let firings = 0;
    await settle();
    for (let next = this.#nextDue(untilMs); next !== undefined; next = this.#nextDue(untilMs)) {
      firings += 1;
      if (firings > MOST_FIRINGS) throw new Error(`more than ${MOST_FIRINGS} timers fired within ${ms} ms`);
      this.#elapsedMs = Math.max(this.#elapsedMs, next.dueMs);
      this.#timers.delete(next);
      next.fire();
      await settle();
    }
    this.#elapsedMs = untilMs;
  }

  /** Resolves once at least `count` sleepers and timers wait. Default 1. */
  async whenPending(count = 1): Promise<void> {
    while (this.#timers.size < count) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#watchers.add(resolve);
      await promise;
      this.#watchers.delete(resolve);
    }
  }

  #nextDue(untilMs: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueMs <= untilMs && (next === undefined || timer.dueMs < next.dueMs)) next = timer;
    }
    return next;
  }
}

/** One turn of the event loop: every promise that can settle has done so. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
