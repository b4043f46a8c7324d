/**
 * Why a devnet command ended.
 *
 * - `BAD_USAGE`: the command line is wrong
 * - `BAD_INPUT`: an input file or value cannot be used
 * - `BAD_SPEC`: the workflow file cannot be used, or the handlers cannot be found
 * - `DIR_IN_USE`: the run directory belongs to another run
 * - `BAD_DIR`: the run directory cannot be made
 * - `NO_PORT`: no free port near the default one
 * - `CHILD_DIED`: a process of the network ended by itself
 * - `NOT_READY`: a process of the network did not become ready in time
 * - `NOT_RUNNING`: there is no devnet to submit to
 * - `STORE_FAILED`: an object of the workflow cannot be read
 * - `STALLED`: the chain showed nothing new about the workflow for too long
 * - `WORKFLOW_FAILED`: the workflow ended as failed on chain
 * - `INTERRUPTED`: Ctrl-C, a signal, or the end of the process that started this one
 */
export type DevnetErrorCode =
  | "BAD_USAGE"
  | "BAD_INPUT"
  | "BAD_SPEC"
  | "DIR_IN_USE"
  | "BAD_DIR"
  | "NO_PORT"
  | "CHILD_DIED"
  | "NOT_READY"
  | "NOT_RUNNING"
  | "STORE_FAILED"
  | "STALLED"
  | "WORKFLOW_FAILED"
  | "INTERRUPTED";

export interface DevnetErrorOptions extends ErrorOptions {
  /** What the process ends with. Default 1. */
  readonly exitCode?: number;
}

/** A devnet command ended for a reason that its user can act on; the message says how. */
export class DevnetError extends Error {
  override readonly name = "DevnetError";
  readonly code: DevnetErrorCode;
  readonly exitCode: number;

  constructor(code: DevnetErrorCode, message: string, options: DevnetErrorOptions = {}) {
    super(`[${code}] ${message}`, options);
    this.code = code;
    this.exitCode = options.exitCode ?? 1;
  }
}

/** What to tell the user of a command that ended with `error`: a defect of this program shows its stack. */
export function textOf(error: unknown): string {
  if (error instanceof DevnetError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** What the process ends with after `error`. */
export function exitCodeOf(error: unknown): number {
  return error instanceof DevnetError ? error.exitCode : 1;
}
