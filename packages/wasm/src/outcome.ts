/** What a run used, however it ended. */
export interface Spent {
  /**
   * Operators, by the cost model of the meter. Exact for runs that return. At a trap or an exit inside of calls it
   * includes the straight code that was charged ahead, the same on every machine. Of a run whose thread had to be
   * ended (`cancelled`, `host_fault`, and `timed_out` where fuel was to end it first) it is what was burned by the last
   * call out of the sandbox; so are memory and calls.
   */
  readonly fuel: bigint;
  /** Time of the thread, milliseconds. */
  readonly timeMs: number;
  /** All linear memories together at their largest, bytes. Memories never shrink. */
  readonly memoryBytes: number;
  /** Calls out of the sandbox. */
  readonly hostCalls: number;
}

/** Why code of a guest stopped by itself, as WebAssembly names it. */
export type TrapReason =
  | "unreachable"
  | "memory_out_of_bounds"
  | "table_out_of_bounds"
  | "divide_by_zero"
  | "integer_overflow"
  | "invalid_conversion"
  | "indirect_call_mismatch"
  | "uncaught_exception"
  | "other";

/** What only runs of a kind of program have. */
interface Streams {
  /** What a command wrote to stderr, cut at the limit. Empty for other programs. */
  readonly stderr: Uint8Array;
}

/** How a run ended. Every arm has what it used. */
export type RunOutcome = Spent & Streams & RunEnd;

/** The part of {@link RunOutcome} that says how it ended. */
export type RunEnd =
  | {
      readonly kind: "completed";
      readonly output: Uint8Array;
      /** Media type, which only components of the world `handler` say. */
      readonly outputType?: string;
    }
  /**
   * The program says that it failed: an exit code that is not 0, a negative result of `execute`, the error of a
   * component.
   */
  | {
      readonly kind: "guest_error";
      /** Exit code, or the negative number that `execute` returned; 1 for components. */
      readonly code: number;
      /** What the program said; empty when it said nothing. */
      readonly message: string;
      /** What a component of the world `handler` says of it besides: its own code, and whether to try again. */
      readonly failure?: { readonly code: string; readonly isRetryable: boolean };
      /** What a command had written to stdout. */
      readonly output: Uint8Array;
    }
  | { readonly kind: "trap"; readonly reason: TrapReason; readonly message: string }
  | { readonly kind: "out_of_fuel"; readonly limit: bigint }
  | { readonly kind: "stack_exhausted"; readonly limitBytes: number }
  /** It needs more from the start than it may have. Growth beyond fails in the program, as WebAssembly says. */
  | { readonly kind: "memory_limit"; readonly limitBytes: number; readonly neededBytes: number }
  | { readonly kind: "table_limit"; readonly limitElements: number; readonly neededElements: number }
  | { readonly kind: "timed_out"; readonly limitMs: number }
  | { readonly kind: "output_too_large"; readonly limitBytes: number; readonly actualBytes: number }
  | { readonly kind: "too_many_host_calls"; readonly limit: number }
  /** It lacks what the ABI asks for; `name` is the export, or the import that is not granted. */
  | { readonly kind: "missing_export"; readonly name: string; readonly message: string }
  | { readonly kind: "refused_import"; readonly name: string; readonly message: string }
  /** It gives back what the ABI does not allow: a pointer outside of memory, text that is not UTF-8. */
  | { readonly kind: "bad_output"; readonly message: string }
  | { readonly kind: "cancelled" }
  /** The machine, not the program: no memory for it, a thread that died. Trying again may help. */
  | { readonly kind: "host_fault"; readonly message: string };
