export interface RetryPolicy {
  /** Runs of one task before it fails for good. At least 1. */
  readonly maxAttempts: number;
  readonly initialMs: number;
  readonly maxMs: number;
}

export interface RunFailure {
  readonly code: number;
  readonly message: string;
  readonly retryable: boolean;
  /** The handler's own wish; 0 means none. */
  readonly retryAfterMs: number;
}

export type RetryDecision = { readonly kind: "retry"; readonly delayMs: number } | { readonly kind: "fail" };

const MOST_DOUBLINGS = 60;

/** Whether a failed run is run again, and when. `attempt` is 1 for the first. */
export function decideRetry(failure: RunFailure, attempt: number, policy: RetryPolicy): RetryDecision {
  if (!failure.retryable || attempt >= policy.maxAttempts) return { kind: "fail" };
  // Beyond 2^1023 it is infinite, and infinity times a pause of 0 is not a number.
  const growth = 2 ** Math.min(attempt - 1, MOST_DOUBLINGS);
  const delayMs = Math.min(policy.initialMs * growth, policy.maxMs);
  return { kind: "retry", delayMs: Math.max(delayMs, failure.retryAfterMs) };
}

const MOST_OF_ONE = 300;

/** What the network is told of a task that failed: why each of its attempts did. */
export function tellFailures(failures: readonly string[]): string {
  const [first, ...more] = failures;
  if (more.length === 0) return first ?? "";
  return failures
    .map((failure, index) => `attempt ${index + 1}: ${failure.slice(0, MOST_OF_ONE)}`)
    .join("; ");
}
