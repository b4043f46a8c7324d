import { createBackoff } from "@subnet-worker/kit/backoff";
import type { Clock } from "@subnet-worker/kit";

/** How objects are read and written; every size in bytes. */
export interface TransferSettings {
  /** Failures in a row, without a byte of progress between them, before giving up; but see `patienceMs`. Default 6. */
  readonly maxFailures: number;
  /**
   * While nobody answers, or answers that it cannot at present, a transfer goes on for at least so long after the
   * first failure since its last progress, whatever the failures: what was computed is worth more than the time.
   * Default 300_000.
   */
  readonly patienceMs: number;
  /** Before the second attempt; doubles with each further one. Default 250. */
  readonly initialBackoffMs: number;
  /** Longest wait between attempts, also where the store asks for more. Default 8_000. */
  readonly maxBackoffMs: number;
  /** A connection on which no byte moves for so long is given up. Default 30_000. */
  readonly idleTimeoutMs: number;
  /** Larger bodies are uploaded in parts, where the worker client brokers that. Default 32 MiB. */
  readonly multipartAboveBytes: number;
  /** Smallest part but the last; S3 takes none below 5 MiB. Default 8 MiB. */
  readonly partBytes: number;
  /** Parts of one upload under way at once; of a stream, two at most. Default 3. */
  readonly partsAtOnce: number;
  /** Reads of an object that arrives damaged, before giving up. Default 3. */
  readonly maxReads: number;
  /** A larger result travels by reference. Default 3 MiB, below the 4 MiB that gRPC peers accept. */
  readonly maxInlineResultBytes: number;
}

const MIB = 1_024 * 1_024;

export const DEFAULT_TRANSFER: TransferSettings = {
  maxFailures: 6,
  patienceMs: 300_000,
  initialBackoffMs: 250,
  maxBackoffMs: 8_000,
  idleTimeoutMs: 30_000,
  multipartAboveBytes: 32 * MIB,
  partBytes: 8 * MIB,
  partsAtOnce: 3,
  maxReads: 3,
  maxInlineResultBytes: 3 * MIB,
};

/** A failure that asking again may overcome. */
export class TransientFailure extends Error {
  override readonly name = "TransientFailure";
  /** What the server asked for; 0: nothing. */
  readonly retryAfterMs: number;
  /** Somebody answered, and meant this request: no time will change that, though another request may. */
  readonly isRefusal: boolean;

  constructor(message: string, options: TransientFailureOptions = {}) {
    super(message, options);
    this.retryAfterMs = options.retryAfterMs ?? 0;
    this.isRefusal = options.isRefusal ?? false;
  }
}

/** What is known of a failure. */
interface TransientFailureOptions extends ErrorOptions {
  /** Default 0. */
  readonly retryAfterMs?: number;
  /** Default false. */
  readonly isRefusal?: boolean;
}

/** Counts the failures of one transfer and waits between its attempts. */
export interface TransferRetry {
  /** There was progress: count anew. */
  progressed(): void;
  /** Waits, then resolves true; or false at once when there were too many for too long. @throws the signal's reason */
  waitBeforeRetry(failure: Pick<TransientFailure, "retryAfterMs" | "isRefusal">): Promise<boolean>;
}

/** What waiting between attempts takes. */
export interface RetryDeps {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly settings: TransferSettings;
}

/** Creates the retry policy of one transfer. */
export function createTransferRetry({ clock, signal, settings }: RetryDeps): TransferRetry {
  const backoff = createBackoff({ initialMs: settings.initialBackoffMs, maxMs: settings.maxBackoffMs });
  let failures = 0;
  /** Apart: those of an outage before are no reason to take the first refusal for the last word. */
  let refusals = 0;
  /** Of the first failure, and not of the last progress: an attempt may take long before it fails. */
  let failingSinceMs: number | undefined;
  const isOver = (isRefusal: boolean) => {
    if (isRefusal) return refusals >= settings.maxFailures;
    failingSinceMs ??= clock.monotonicMs();
    const isPatient = clock.monotonicMs() - failingSinceMs < settings.patienceMs;
    return failures >= settings.maxFailures && !isPatient;
  };
  return {
    progressed() {
      failures = 0;
      refusals = 0;
      failingSinceMs = undefined;
      backoff.reset();
    },
    async waitBeforeRetry({ retryAfterMs, isRefusal }) {
      failures += 1;
      if (isRefusal) refusals += 1;
      if (isOver(isRefusal)) return false;
      const asked = Math.min(retryAfterMs, settings.maxBackoffMs);
      await clock.sleep(Math.max(backoff.nextMs(), asked), signal);
      signal.throwIfAborted();
      return true;
    },
  };
}

const TRANSIENT_STATUS: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Whether a reply with this status may be different next time. */
export function isTransientStatus(status: number): boolean {
  return TRANSIENT_STATUS.has(status);
}
