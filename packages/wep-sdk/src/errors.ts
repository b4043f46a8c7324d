import { TASK_ERROR, type TaskErrorCode } from "@subnet-worker/protocol/task-error";

// Brands live on well-known symbols, so that an error made by one installed copy
// of this package is recognised by another.
const TERMINAL = Symbol.for("subnet-worker.wep-sdk.TerminalError");
const RETRYABLE = Symbol.for("subnet-worker.wep-sdk.RetryableError");
const CANCELLED = Symbol.for("subnet-worker.wep-sdk.CancelledError");

/** Name of a code of {@link TASK_ERROR}. */
export type TaskErrorName = keyof typeof TASK_ERROR;

/** What a {@link TerminalError} may say besides its message. */
export interface TerminalErrorOptions {
  /** A code of {@link TASK_ERROR} or its name. Default `EXECUTION_FAILED`. */
  readonly code?: TaskErrorCode | TaskErrorName;
  /** What it comes from; it is logged and does not travel. */
  readonly cause?: unknown;
}

/** What a {@link RetryableError} may say besides its message. */
export interface RetryableErrorOptions extends TerminalErrorOptions {
  /** Do not try again sooner than this. `undefined` leaves it to the worker client. */
  readonly retryAfterMs?: number;
}

/**
 * Ends a run for good: running it again cannot help. The message reaches whoever
 * asked for the work, so say what is wrong with what they sent.
 *
 * @example
 * ```ts
 * import { TASK_ERROR, TerminalError } from "@subnet-worker/wep-sdk";
 *
 * throw new TerminalError("not a WAV file: no RIFF header", { code: TASK_ERROR.INVALID_FORMAT });
 * ```
 */
export class TerminalError extends Error {
  override readonly name = "TerminalError";
  static {
    brand(this.prototype, TERMINAL);
  }
  /** Numeric code of {@link TASK_ERROR}. */
  readonly code: TaskErrorCode;

  constructor(message: string, options: TerminalErrorOptions = {}) {
    super(message, causeOf(options));
    this.code = codeOf(options);
  }
}

/**
 * Ends a run that may succeed when it is run again, here or elsewhere.
 *
 * @example
 * ```ts
 * import { RetryableError } from "@subnet-worker/wep-sdk";
 *
 * throw new RetryableError("the model server is warming up", { retryAfterMs: 30_000 });
 * ```
 */
export class RetryableError extends Error {
  override readonly name = "RetryableError";
  static {
    brand(this.prototype, RETRYABLE);
  }
  /** Numeric code of {@link TASK_ERROR}. */
  readonly code: TaskErrorCode;
  /** Wish of the handler; `undefined` means none. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options: RetryableErrorOptions = {}) {
    super(message, causeOf(options));
    this.code = codeOf(options);
    this.retryAfterMs = options.retryAfterMs;
  }
}

/**
 * Why a run was stopped:
 *
 * - `requested`: somebody asked; nobody wants the result
 * - `deadline`: its time is over, that of the handler, of the activity's spec or of who asked for it
 * - `lease_lost`: the network gave the activity to another worker
 * - `drain`: this process is stopping; the activity is run again elsewhere, from its last checkpoint
 * - `superseded`: a newer run of the same activity arrived
 * - `disconnected`: its worker client gave it up
 */
export type CancelReason = "requested" | "deadline" | "lease_lost" | "drain" | "superseded" | "disconnected";

/** The reason of a run's aborted signal. Let it propagate: the run then counts as cancelled. */
export class CancelledError extends Error {
  override readonly name = "CancelledError";
  static {
    brand(this.prototype, CANCELLED);
  }
  /** Why. */
  readonly reason: CancelReason;

  constructor(reason: CancelReason, message: string) {
    super(`[CANCELLED] ${message}`);
    this.reason = reason;
  }
}

/** Whether `value` is a {@link TerminalError}, of this or another installed copy. */
export function isTerminalError(value: unknown): value is TerminalError {
  return isBranded(value, TERMINAL);
}

/** Whether `value` is a {@link RetryableError}, of this or another installed copy. */
export function isRetryableError(value: unknown): value is RetryableError {
  return isBranded(value, RETRYABLE);
}

/** Whether `value` is a {@link CancelledError}, of this or another installed copy. */
export function isCancelledError(value: unknown): value is CancelledError {
  return isBranded(value, CANCELLED);
}

/** What a {@link WepError} is about. */
export type WepErrorCode =
  | "INVALID_HANDLER"
  | "DUPLICATE_HANDLER"
  | "INVALID_OPTION"
  | "NO_SUCH_MODULE"
  | "BAD_MODULE"
  | "NO_HANDLERS"
  | "NO_RUN"
  | "INVALID_METRIC"
  | "INVALID_CHECKPOINT"
  | "ADDRESS_IN_USE"
  | "ADDRESS_UNUSABLE"
  | "ILLEGAL_TRANSITION";

/** A fault in how the SDK is used or set up, as opposed to a failed run. */
export class WepError extends Error {
  override readonly name = "WepError";
  /** What kind of fault; the message begins with it. */
  readonly code: WepErrorCode;

  constructor(code: WepErrorCode, message: string, options?: ErrorOptions) {
    super(`[${code}] ${message}`, options);
    this.code = code;
  }
}

function brand(prototype: object, symbol: symbol): void {
  Object.defineProperty(prototype, symbol, { value: true });
}

function isBranded(value: unknown, symbol: symbol): boolean {
  return typeof value === "object" && value !== null && (value as Record<symbol, unknown>)[symbol] === true;
}

function codeOf({ code = TASK_ERROR.EXECUTION_FAILED }: TerminalErrorOptions): TaskErrorCode {
  return typeof code === "string" ? TASK_ERROR[code] : code;
}

function causeOf(options: TerminalErrorOptions): ErrorOptions | undefined {
  return options.cause === undefined ? undefined : { cause: options.cause };
}
