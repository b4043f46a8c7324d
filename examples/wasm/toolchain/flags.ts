/** C without a library, for `execute`: the first MiB stays free for the input, which is put at address 0. */
export const C_EXECUTE: readonly string[] = [
  "-O2",
  "-nostdlib",
  "-mbulk-memory",
  "-Wl,--no-entry",
  "-Wl,--global-base=1048576",
];

/** A command in C; most of its bytes would be debugging information of the C library. */
export const C_COMMAND: readonly string[] = ["-O2", "-mbulk-memory", "-Wl,--strip-debug"];

/**
 * Rust without WASI, for `execute`. The stack comes first in memory and grows down from 1 MiB, so the input lies
 * where the stack would end.
 */
export const RUST_EXECUTE: readonly string[] = [
  "--edition=2021",
  "--crate-type=cdylib",
  "-Copt-level=3",
  "-Cpanic=abort",
  "-Cstrip=debuginfo",
];

/** A command in Rust. */
export const RUST_COMMAND: readonly string[] = ["--edition=2021", "-Copt-level=3", "-Cstrip=debuginfo"];

/**
 * AssemblyScript: the first MiB stays free for the input of `execute`, and nothing is imported but what the program
 * declares; its `abort` would be an import.
 */
export const ASSEMBLYSCRIPT: readonly string[] = [
  "--optimizeLevel",
  "3",
  "--memoryBase",
  "1048576",
  "--use",
  "abort=",
];

/** C without a library that follows the canonical ABI: a component's host allocates where the input goes. */
export const C_HANDLER: readonly string[] = ["-O2", "-nostdlib", "-mbulk-memory", "-Wl,--no-entry"];

/** Rust without WASI that follows the canonical ABI. */
export const RUST_HANDLER: readonly string[] = [...RUST_EXECUTE];
