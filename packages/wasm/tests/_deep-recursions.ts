import { wat } from "./_wat.ts";

/** Endless recursions, each made to have large frames in a compiler, and to weigh little. */
export const DEEP_RECURSIONS: readonly { readonly name: string; readonly bytes: () => Uint8Array }[] = [
  { name: "plain", bytes: () => recursion({}) },
  { name: "3,000 locals that are used", bytes: () => recursion({ locals: 3000 }) },
  { name: "1,000 operands below the call", bytes: () => recursion({ operands: 1000 }) },
  { name: "900 vectors below the call", bytes: () => recursion({ operands: 900, type: "v128" }) },
  {
    name: "locals and operands, vectors",
    bytes: () => recursion({ locals: 500, operands: 400, type: "v128" }),
  },
  { name: "through a table", bytes: () => recursion({ isIndirect: true, operands: 50 }) },
  { name: "values that are computed before and after the call", bytes: () => kept(400, "i64") },
  { name: "many such values", bytes: () => kept(2500, "i32") },
  { name: "such values, vectors", bytes: () => kept(400, "v128") },
  { name: "such values in functions that are put in place of calls", bytes: () => inlined() },
];

type Type = "i32" | "i64" | "v128";

const ADD = { i32: "i32.add", i64: "i64.add", v128: "i64x2.add" } as const;

function recursion(parts: {
  readonly locals?: number;
  readonly operands?: number;
  readonly type?: Type;
  readonly isIndirect?: boolean;
}): Uint8Array {
  const { locals = 0, operands = 0, type = "i64", isIndirect = false } = parts;
  const each = (count: number, piece: (index: number) => string) =>
    Array.from({ length: count }, (_, i) => piece(i)).join("\n");
  const add = ADD[type];
  const call = isIndirect ? `(call_indirect (param ${type}) (result ${type}) (i32.const 0))` : "(call $f)";
  return wat(`(module
    (table 1 funcref) (elem (i32.const 0) $f)
    (func $f (param ${type}) (result ${type}) ${each(locals, () => `(local ${type})`)}
      ${each(locals, (i) => `(local.set ${i + 1} (${add} (local.get ${i}) (local.get 0)))`)}
      ${each(operands, () => `(${add} (local.get 0) (local.get ${locals}))`)}
      local.get ${locals} ${call}
      ${each(operands, () => add)}
      ${each(locals, (i) => `local.get ${i + 1} ${add}`)})
    (func (export "_start") (drop (call $f ${zero(type)}))))`);
}

function zero(type: Type): string {
  return type === "v128" ? "(v128.const i64x2 1 2)" : `(${type}.const 1)`;
}

/**
 * Products, put together in another way after the call than before: an optimizing compiler computes each product once,
 * and keeps it through the call.
 */
function computed(count: number, type: Type, when: "before" | "after"): string {
  const constant = (i: number) =>
    type === "v128" ? `(i64x2.splat (i64.const ${i}))` : `(${type}.const ${i})`;
  const multiply = type === "v128" ? "i64x2.mul" : `${type}.mul`;
  const xor = type === "v128" ? "v128.xor" : `${type}.xor`;
  const combine = when === "before" ? xor : ADD[type];
  const one = (i: number) => `local.get 0 ${constant(i + 3)} ${multiply} ${combine}`;
  return Array.from({ length: count }, (_, i) => one(i)).join("\n");
}

function kept(count: number, type: Type): Uint8Array {
  return wat(`(module (global $g (mut ${type}) ${zero(type)})
    (func $f (param ${type})
      local.get 0 ${computed(count, type, "before")} global.set $g
      (call $f (${ADD[type]} (local.get 0) (global.get $g)))
      local.get 0 ${computed(count, type, "after")} global.set $g)
    (func (export "_start") (call $f ${zero(type)})))`);
}

function inlined(): Uint8Array {
  const calls = (when: "before" | "after") =>
    Array.from(
      { length: 40 },
      (_, i) => `(global.set $g (call $${when} (i64.add (local.get 0) (i64.const ${i}))))`,
    ).join("\n");
  const piece = (when: "before" | "after") =>
    `(func $${when} (param i64) (result i64) local.get 0 ${computed(30, "i64", when)})`;
  return wat(`(module (global $g (mut i64) (i64.const 1)) ${piece("before")} ${piece("after")}
    (func $f (param i64)
      ${calls("before")}
      (call $f (i64.add (local.get 0) (global.get $g)))
      ${calls("after")})
    (func (export "_start") (call $f (i64.const 1))))`);
}
