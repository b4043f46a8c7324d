/**
 * The task error taxonomy: 1xxx validation, 2xxx execution, 3xxx network,
 * 4xxx system, 5xxx cancellation.
 */
export const TASK_ERROR = {
  NONE: 0,
  INVALID_INPUT: 1001,
  MISSING_REQUIRED_FIELD: 1002,
  INVALID_FORMAT: 1003,
  EXECUTION_FAILED: 2001,
  RESOURCE_UNAVAILABLE: 2002,
  PERMISSION_DENIED: 2003,
  QUOTA_EXCEEDED: 2004,
  NETWORK_ERROR: 3001,
  CONNECTION_TIMEOUT: 3002,
  HTTP_ERROR: 3003,
  INTERNAL_ERROR: 4001,
  SYSTEM_OVERLOAD: 4002,
  CANCELLED_BY_USER: 5001,
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
