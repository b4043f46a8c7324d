import { createBackoff } from "@subnet-worker/kit/backoff";
import type { Clock } from "@subnet-worker/kit";

export interface TransferSettings {
  /** Failures in a row, without a byte of progress between them, before giving up. */
  readonly maxFailures: number;
  readonly initialBackoffMs: number;
  readonly maxBackoffMs: number;
  readonly idleTimeoutMs: number;
}

export const DEFAULT_TRANSFER: TransferSettings = {
  maxFailures: 6,
  initialBackoffMs: 250,
  maxBackoffMs: 8_000,
  idleTimeoutMs: 30_000,
};

/** A failure that asking again may overcome. */
export class TransientFailure extends Error {
  override readonly name = "TransientFailure";
  /** What the server asked for; 0: nothing. */
  readonly retryAfterMs: number;

  constructor(message: string, options: ErrorOptions & { readonly retryAfterMs?: number } = {}) {
    super(message, options);
    this.retryAfterMs = options.retryAfterMs ?? 0;
  }
}

/** Counts the failures of one transfer and waits between its attempts. */
export interface TransferRetry {
  /** There was progress: count anew. */
  progressed(): void;
  /** Waits, then resolves true; or false at once when there were too many. @throws the signal's reason */
  waitBeforeRetry(retryAfterMs: number): Promise<boolean>;
}

/** Creates the retry policy of one transfer. */
export function createTransferRetry(
  settings: TransferSettings,
  deps: { readonly clock: Clock; readonly signal: AbortSignal },
): TransferRetry {
  const backoff = createBackoff({ initialMs: settings.initialBackoffMs, maxMs: settings.maxBackoffMs });
  let failures = 0;
  return {
    progressed() {
      failures = 0;
      backoff.reset();
    },
    async waitBeforeRetry(retryAfterMs) {
      failures += 1;
      if (failures >= settings.maxFailures) return false;
      const asked = Math.min(retryAfterMs, settings.maxBackoffMs);
      await deps.clock.sleep(Math.max(backoff.nextMs(), asked), deps.signal);
      deps.signal.throwIfAborted();
      return true;
    },
  };
}

const TRANSIENT_STATUS: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Whether a reply with this status may be different next time. */
export function isTransientStatus(status: number): boolean {
  return TRANSIENT_STATUS.has(status);
}
