/**
 * The task error taxonomy: 1xxx validation, 2xxx execution, 3xxx network,
 * 4xxx system, 5xxx cancellation.
 */
export const TASK_ERROR = {
  /** No error. */
  NONE: 0,
  /** An input is not what it should be. */
  INVALID_INPUT: 1001,
  /** Something that is required is not there. */
  MISSING_REQUIRED_FIELD: 1002,
  /** Something has a form that cannot be read, or that cannot travel. */
  INVALID_FORMAT: 1003,
  /** The work failed, for no reason that is listed here. */
  EXECUTION_FAILED: 2001,
  /** Something that the work needs is not there just now: memory, a model, room on disk. */
  RESOURCE_UNAVAILABLE: 2002,
  /** The run may not do that. */
  PERMISSION_DENIED: 2003,
  /** More than is allowed: too large, too long, too many. */
  QUOTA_EXCEEDED: 2004,
  /** Somebody could not be reached. */
  NETWORK_ERROR: 3001,
  /** Somebody did not answer in time. */
  CONNECTION_TIMEOUT: 3002,
  /** Somebody answered with an error. */
  HTTP_ERROR: 3003,
  /** A fault of the worker itself. */
  INTERNAL_ERROR: 4001,
  /** The worker has too much to do. */
  SYSTEM_OVERLOAD: 4002,
  /** Stopped by who asked for it, or since nobody wants it any more. */
  CANCELLED_BY_USER: 5001,
  /** Stopped since its time was over. */
  CANCELLED_BY_TIMEOUT: 5002,
} as const;

/** Name of a code of {@link TASK_ERROR}. */
export type TaskErrorName = keyof typeof TASK_ERROR;
/** A number of {@link TASK_ERROR}. */
export type TaskErrorCode = (typeof TASK_ERROR)[TaskErrorName];

const NAMES = new Map<number, TaskErrorName>(
  Object.entries(TASK_ERROR).map(([name, code]) => [code, name as TaskErrorName]),
);

const RETRYABLE: ReadonlySet<number> = new Set([
  TASK_ERROR.RESOURCE_UNAVAILABLE,
  TASK_ERROR.NETWORK_ERROR,
  TASK_ERROR.CONNECTION_TIMEOUT,
  TASK_ERROR.SYSTEM_OVERLOAD,
]);

/** Upper-case name of a code, or `UNKNOWN_ERROR` for a number that is none. */
export function taskErrorName(code: number): TaskErrorName | "UNKNOWN_ERROR" {
  return NAMES.get(code) ?? "UNKNOWN_ERROR";
}

/** Whether a failure with this code may succeed when run again, absent a more specific word from the handler. */
export function isTaskErrorRetryable(code: number): boolean {
  return RETRYABLE.has(code);
}
