import { VALUE_TYPE, type ValueTypeName } from "./facts.ts";
import type { FunctionType } from "./module-parts.ts";
import { unsupported } from "./refusals.ts";

const NAMES = new Map(
  Object.entries(VALUE_TYPE).map(([name, byte]) => [byte as number, name as ValueTypeName]),
);

/** What types that are not metered belong to, by their first byte. */
const REFUSED: ReadonlyMap<number, string> = new Map([
  [0x69, "references to exceptions (exnref)"],
  [0x74, "references to exceptions (exnref)"],
  [0x68, "stack switching"],
  [0x75, "stack switching"],
  [0x67, "string references"],
  [0x63, "typed function references"],
  [0x64, "typed function references"],
]);

/** Name of a value type that {@link checkValueType} has passed. */
export function nameOfValueType(byte: number): ValueTypeName {
  return NAMES.get(byte) as ValueTypeName;
}

/** Refuses a value type that is not of WebAssembly 2.0. */
export function checkValueType(byte: number): number {
  if (!NAMES.has(byte)) {
    throw unsupported(REFUSED.get(byte) ?? `types of garbage collection (0x${byte.toString(16)})`);
  }
  return byte;
}

/** A vector, whose slot on the stack is twice as large. */
export const V128: number = VALUE_TYPE.v128;

/** Whether a function of the type gets or gives a vector. */
export function hasVectors({ params, results }: FunctionType): boolean {
  return params.includes(V128) || results.includes(V128);
}
