import type { Clock } from "@subnet-worker/kit";
import { TASK_ERROR } from "@subnet-worker/protocol/task-error";
import { RetryableError } from "./errors.ts";

/** So many have a timer of their own. */
export const MOST_OWN_TIMERS = 100;
/** Of its time, a step may get so much more when it shares its timer: a 32nd. */
const SHARES = 32;

interface Shared {
  readonly over: AbortController;
  /** What all that share it were given; `undefined`: not all the same. */
  givenMs: number | undefined;
}

/**
 * Signals that abort after a time, for the steps of one run.
 *
 * Nobody says when a step is over, and whether a signal is still looked at cannot be known:
 * others may have been made from it, which do not hold it. So none is given up before its time.
 * Where there are many, timers are shared instead: a run has a few thousand at most, however
 * many signals it makes.
 */
export class StepTimers {
  readonly #clock: Clock;
  readonly #timers = new Set<Disposable>();
  /** By when they fire. */
  readonly #shared = new Map<number, Shared>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Aborts after `ms`; where more than {@link MOST_OWN_TIMERS} wait, up to a 32nd of it later, or 1 ms. */
  after(ms: number): AbortSignal {
    return this.#timers.size < MOST_OWN_TIMERS ? this.#own(ms) : this.#share(ms);
  }

  /** None fires any more. */
  end(): void {
    for (const timer of this.#timers) timer[Symbol.dispose]();
    this.#timers.clear();
    this.#shared.clear();
  }

  #own(ms: number): AbortSignal {
    const over = new AbortController();
    this.#arm(ms, () => over.abort(tooLong(ms)));
    return over.signal;
  }

  #share(ms: number): AbortSignal {
    // Powers of two, so that steps of about the same length meet.
    const slotMs = Math.max(1, 2 ** Math.floor(Math.log2(ms / SHARES)));
    const nowMs = this.#clock.monotonicMs();
    const endMs = Math.ceil((nowMs + ms) / slotMs) * slotMs;
    const there = this.#shared.get(endMs);
    if (there !== undefined) {
      if (there.givenMs !== ms) there.givenMs = undefined;
      return there.over.signal;
    }
    const shared: Shared = { over: new AbortController(), givenMs: ms };
    this.#shared.set(endMs, shared);
    this.#arm(endMs - nowMs, () => {
      this.#shared.delete(endMs);
      shared.over.abort(tooLong(shared.givenMs));
    });
    return shared.over.signal;
  }

  #arm(ms: number, fire: () => void): void {
    const timer = this.#clock.timer(ms, () => {
      this.#timers.delete(timer);
      fire();
    });
    this.#timers.add(timer);
  }
}

function tooLong(ms: number | undefined): RetryableError {
  const given = ms === undefined ? "the time" : `the ${ms} ms`;
  return new RetryableError(`[CONNECTION_TIMEOUT] it took longer than ${given} that it was given`, {
    code: TASK_ERROR.CONNECTION_TIMEOUT,
  });
}
