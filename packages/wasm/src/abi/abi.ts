/** How a program is called. `execute` and `command` are core modules, the others components. */
export type Abi =
  /** `execute(input_ptr, input_len) -> ptr`, and at most five imports of WASI. */
  | "execute"
  /** A command of WASI preview 1: `_start`, stdin, stdout. */
  | "command"
  /** A component that exports `wasi:cli/run`. */
  | "cli"
  /** A component of the world `subnet:worker/handler`. */
  | "handler";
