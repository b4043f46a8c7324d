import type { RunEnd, TrapReason } from "../outcome.ts";
import { Wasm } from "../web-assembly.ts";

/** What V8 says of traps: how its messages begin, or what is in them. In this order. */
const REASONS: readonly (readonly [words: RegExp, reason: TrapReason])[] = [
  [/^unreachable/, "unreachable"],
  [
    /^memory access out of bounds|data segment .*out of bounds|^operation does not support unaligned/,
    "memory_out_of_bounds",
  ],
  [
    /^table index is out of bounds|^table .*out of bounds|element segment .*out of bounds/,
    "table_out_of_bounds",
  ],
  [/^(divide|remainder) by zero/, "divide_by_zero"],
  [/^divide result unrepresentable/, "integer_overflow"],
  [/^float unrepresentable/, "invalid_conversion"],
  [
    /^null function or function signature|^function signature mismatch|^indirect call/,
    "indirect_call_mismatch",
  ],
];

/** A reading of why code of a guest stopped, from what it threw. */
export function endOfError(error: unknown, stackBytes: number): RunEnd {
  if (error instanceof Wasm.RuntimeError) {
    const { message } = error;
    const reason = REASONS.find(([words]) => words.test(message))?.[1] ?? "other";
    return { kind: "trap", reason, message };
  }
  if (error instanceof Wasm.Exception) {
    const message = "an exception that nothing catches";
    return { kind: "trap", reason: "uncaught_exception", message };
  }
  if (error instanceof RangeError && error.message.startsWith("Maximum call stack")) {
    return { kind: "stack_exhausted", limitBytes: stackBytes };
  }
  if (error instanceof Wasm.LinkError) {
    return { kind: "refused_import", name: importIn(error.message), message: error.message };
  }
  // Whatever else is thrown comes from the host: a memory that could not be had, or a fault of ours.
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { kind: "host_fault", message };
}

/** `WebAssembly.Instance(): Import #0 "env" "memory": ...` */
function importIn(message: string): string {
  const [, module, name] = /Import #\d+ "(.*?)" "(.*?)"/.exec(message) ?? [];
  return module === undefined ? "" : `${module}.${name ?? ""}`;
}
