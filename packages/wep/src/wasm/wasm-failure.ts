import { type RunOutcome, type Spent, WasmError } from "@subnet-worker/wasm";
import { RetryableError, type TaskErrorName, TerminalError } from "@subnet-worker/wep-sdk";

/** A run that came to nothing. */
export type FailedOutcome = Exclude<RunOutcome, { readonly kind: "completed" | "cancelled" }>;

/** The program's own words in a failure; what it says may be as long as it likes, and the figures must still fit. */
const LONGEST_WORDS = 2_000;

/**
 * How a failed run is told: a code for programs, what happened, what to do, and what the run has used.
 * Only what is the machine's fault may be tried again: a program does the same each time.
 */
export function failureOf(outcome: FailedOutcome): TerminalError | RetryableError {
  const { name, code, problem } = explain(outcome, INPUTS);
  const message = `[WASM_${name}] ${problem} (${figures(outcome)})`;
  return isRetryable(outcome) ? new RetryableError(message, { code }) : new TerminalError(message, { code });
}

/** A component may know that another try helps; a module that is given to a worker has no way to say so. */
function isRetryable(outcome: FailedOutcome): boolean {
  return (
    outcome.kind === "host_fault" || (outcome.kind === "guest_error" && outcome.failure?.isRetryable === true)
  );
}

/** How whoever asks for a run asks for more of something. */
export interface LimitNames {
  readonly fuel: string;
  readonly memory: string;
  readonly stack: string;
  readonly time: string;
  readonly output: string;
  readonly hostCalls: string;
}

const INPUTS: LimitNames = {
  fuel: "max_fuel",
  memory: "max_memory_mb",
  stack: "max_stack_kb",
  time: "max_time_s",
  output: "max_output_mb",
  hostCalls: "max_host_calls",
};

/** What a run has used, for people and programs: `fuel=12 time_ms=3 memory_peak_bytes=65536 host_calls=0`. */
export function figures({ fuel, timeMs, memoryBytes, hostCalls }: Spent): string {
  return `fuel=${fuel} time_ms=${Math.round(timeMs)} memory_peak_bytes=${memoryBytes} host_calls=${hostCalls}`;
}

/** How a module that is not accepted is told; `undefined`: it is no error of the engine. */
export function failureOfError(error: unknown): TerminalError | RetryableError | undefined {
  if (!(error instanceof WasmError)) return undefined;
  const code = ERROR_CODES[error.code];
  const message = `${cut(error.message)} (fuel=0)`;
  return code === "RESOURCE_UNAVAILABLE"
    ? new RetryableError(message, { code, cause: error })
    : new TerminalError(message, { code, cause: error });
}

const ERROR_CODES = {
  BAD_MODULE: "INVALID_FORMAT",
  UNSUPPORTED: "INVALID_INPUT",
  MODULE_TOO_LARGE: "QUOTA_EXCEEDED",
  COMPILE_TIMEOUT: "QUOTA_EXCEEDED",
  BAD_REQUEST: "INVALID_INPUT",
  HOST_FAULT: "RESOURCE_UNAVAILABLE",
  // Another worker may do better.
  CLOSED: "RESOURCE_UNAVAILABLE",
  NOT_INSTALLED: "RESOURCE_UNAVAILABLE",
} as const satisfies Record<WasmError["code"], TaskErrorName>;

/** A failure in words. */
export interface Explanation {
  /** `OUT_OF_FUEL` */
  readonly name: string;
  readonly code: TaskErrorName;
  /** What happened, and what to do where that is known. */
  readonly problem: string;
}

/** Says what happened, and what to do. */
export function explain(outcome: FailedOutcome, names: LimitNames): Explanation {
  switch (outcome.kind) {
    case "guest_error":
    case "trap":
    case "host_fault":
    case "missing_export":
    case "refused_import":
    case "bad_output":
      return ofProgram(outcome);
    default:
      return ofLimit(outcome, names);
  }
}

type OfProgram = Extract<
  FailedOutcome,
  {
    readonly kind: "guest_error" | "trap" | "host_fault" | "missing_export" | "refused_import" | "bad_output";
  }
>;

function ofProgram(outcome: OfProgram): Explanation {
  switch (outcome.kind) {
    case "guest_error": {
      const words = outcome.message === "" ? "" : `: ${cut(outcome.message)}`;
      const own = outcome.failure === undefined ? outcome.code : JSON.stringify(cut(outcome.failure.code));
      return {
        name: "GUEST_ERROR",
        code: "EXECUTION_FAILED",
        problem: `the program failed with code ${own}${words}`,
      };
    }
    case "trap":
      return {
        name: "TRAP",
        code: "EXECUTION_FAILED",
        problem: `the program stopped at a fault of its own (${outcome.reason}): ${cut(outcome.message)}`,
      };
    case "host_fault":
      return {
        name: "HOST_FAULT",
        code: "RESOURCE_UNAVAILABLE",
        problem: `this worker could not run the program to its end: ${cut(outcome.message)}; try again`,
      };
    case "missing_export":
      return { name: "MISSING_EXPORT", code: "INVALID_INPUT", problem: cut(outcome.message) };
    case "refused_import":
      return { name: "REFUSED_IMPORT", code: "PERMISSION_DENIED", problem: cut(outcome.message) };
    case "bad_output":
      return { name: "BAD_OUTPUT", code: "INVALID_FORMAT", problem: cut(outcome.message) };
  }
}

function ofLimit(outcome: Exclude<FailedOutcome, OfProgram>, names: LimitNames): Explanation {
  switch (outcome.kind) {
    case "out_of_fuel":
      return over("OUT_OF_FUEL", `the program burned all of its ${outcome.limit} fuel`, names.fuel);
    case "stack_exhausted":
      return over(
        "STACK_EXHAUSTED",
        `the program called too deep for its ${outcome.limitBytes} bytes of stack`,
        names.stack,
      );
    case "memory_limit":
      return over(
        "MEMORY_LIMIT",
        `the program needs ${outcome.neededBytes} bytes of memory from the start and may have ${outcome.limitBytes}`,
        names.memory,
      );
    case "table_limit":
      return {
        name: "TABLE_LIMIT",
        code: "QUOTA_EXCEEDED",
        problem: `the program needs tables of ${outcome.neededElements} elements and may have ${outcome.limitElements}; make them smaller`,
      };
    case "timed_out":
      return {
        ...over("TIMED_OUT", `the program ran for its ${outcome.limitMs} ms`, names.time),
        code: "CANCELLED_BY_TIMEOUT",
      };
    case "output_too_large":
      return over(
        "OUTPUT_TOO_LARGE",
        `the program gives back ${outcome.actualBytes} bytes and may give ${outcome.limitBytes}`,
        names.output,
      );
    case "too_many_host_calls":
      return over(
        "TOO_MANY_HOST_CALLS",
        `the program called out of its sandbox ${outcome.limit} times`,
        names.hostCalls,
      );
  }
}

function over(name: string, problem: string, input: string): Explanation {
  return {
    name,
    code: "QUOTA_EXCEEDED",
    problem: `${problem}; let it do less, or ask for a higher ${input}`,
  };
}

function cut(text: string): string {
  return text.length <= LONGEST_WORDS ? text : `${text.slice(0, LONGEST_WORDS).toWellFormed()}...`;
}
