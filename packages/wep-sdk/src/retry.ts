import { createBackoff } from "@subnet-worker/kit/backoff";
import { type Clock, systemClock } from "@subnet-worker/kit/clock";
import { isCancelledError, isRetryableError, isTerminalError, WepError } from "./errors.ts";

/** When and how often something is tried again. */
export interface RetryPolicy {
  /** Calls in all, the first among them. Default 5. */
  readonly maxAttempts?: number;
  /** Wait before the second call; it doubles with each further one, and half of it is random. Default 500. */
  readonly initialMs?: number;
  /** No wait is longer, except what a `RetryableError` asks for. Default 30_000. */
  readonly maxMs?: number;
  /** Growth of the wait per call. Default 2. */
  readonly factor?: number;
  /**
   * Whether an error is worth another call. Not asked for a `TerminalError` and a
   * `CancelledError`, which never are. Default: every other is.
   */
  readonly retryIf?: (error: unknown) => boolean;
}

/** What {@link retry} takes besides the policy. */
export interface RetryOptions extends RetryPolicy {
  /** Ends the waiting: what it aborts with is thrown. Default none. */
  readonly signal?: AbortSignal;
  /** Milliseconds that are left. A wait that would not end before is not begun. Default no bound. */
  readonly timeLeftMs?: () => number;
  /** Default the machine's. */
  readonly clock?: Clock;
}

/**
 * Calls `work` until it succeeds, with growing waits between the calls. A `TerminalError`
 * and a `CancelledError` end it at once; a `RetryableError` is waited for as long as it asks.
 * `ctx.retry` is the same, bound to the run's signal and time.
 *
 * @param work is given the number of the call, from 1
 * @returns what `work` returned
 * @throws what `work` threw last, when it is not worth another call, there were enough of them, or no time is left
 * @throws the signal's reason once that has aborted
 * @throws {WepError} INVALID_OPTION for a policy that is none
 * @example
 * ```ts
 * import { retry, RetryableError } from "@subnet-worker/wep-sdk";
 *
 * const answer = await retry(
 *   async () => {
 *     const reply = await fetch("https://example.com/api");
 *     if (reply.status === 429) throw new RetryableError("too many requests", { retryAfterMs: 2_000 });
 *     return await reply.text();
 *   },
 *   { maxAttempts: 3 },
 * );
 * console.log(answer.length);
 * ```
 */
export async function retry<T>(
  work: (attempt: number) => Promise<T> | T,
  options: RetryOptions = {},
): Promise<T> {
  const { signal, clock = systemClock } = options;
  const plan = planOf(options);
  for (let attempt = 1; ; attempt += 1) {
    signal?.throwIfAborted();
    try {
      return await work(attempt);
    } catch (error) {
      const waitMs = signal?.aborted === true ? undefined : plan.waitMs(error, attempt);
      if (waitMs === undefined) throw error;
      await clock.sleep(waitMs, signal);
    }
  }
}

interface RetryPlan {
  /** How long to wait after this error of this call; `undefined`: it is the last. */
  waitMs(error: unknown, attempt: number): number | undefined;
}

function planOf(options: RetryOptions): RetryPlan {
  const { maxAttempts = 5, initialMs = 500, maxMs = 30_000, factor = 2 } = options;
  const { timeLeftMs = () => Infinity } = options;
  checkPolicy({ maxAttempts, initialMs, maxMs, factor });
  const backoff = createBackoff({ initialMs, maxMs, factor });
  return {
    waitMs(error, attempt) {
      if (attempt >= maxAttempts || !isWorthIt(error, options)) return undefined;
      const askedMs = isRetryableError(error) ? (error.retryAfterMs ?? 0) : 0;
      // What is no number, as of a Retry-After header that is a date, asks for nothing.
      const waitMs = Math.max(backoff.nextMs(), Number.isNaN(askedMs) ? 0 : askedMs);
      return waitMs < timeLeftMs() ? waitMs : undefined;
    },
  };
}

function isWorthIt(error: unknown, { retryIf = () => true }: RetryPolicy): boolean {
  return !isTerminalError(error) && !isCancelledError(error) && retryIf(error);
}

function checkPolicy(policy: Required<Omit<RetryPolicy, "retryIf">>): void {
  const { maxAttempts, initialMs, maxMs, factor } = policy;
  if (!(maxAttempts >= 1)) throw refuse(`maxAttempts is ${maxAttempts}; it must be at least 1`);
  if (!(initialMs >= 0) || !(maxMs >= 0)) {
    throw refuse(`initialMs is ${initialMs} and maxMs ${maxMs}; they must be 0 or more`);
  }
  if (!(factor >= 1)) throw refuse(`factor is ${factor}; it must be at least 1`);
}

function refuse(why: string): WepError {
  return new WepError("INVALID_OPTION", `retry: ${why}`);
}
