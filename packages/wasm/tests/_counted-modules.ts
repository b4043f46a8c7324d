import { CALLS, EXCEPTIONS } from "./_counted-calls.ts";
import { ADD_ONE, COUNT_DOWN, type Counted, run, withParam } from "./_counted.ts";

const SWITCH = withParam(`(block $a (block $b (block $c (br_table $a $b $c (local.get 0)))
  (return (i32.const 30))) (drop (i32.const 0)) (return (i32.const 20))) (i32.const 10)`);

const NUMERIC: readonly Counted[] = [
  { name: "i32", text: run("(i32.add (i32.const 1) (i32.const 2))"), value: 3, fuel: 4n },
  {
    name: "i64, f64 and conversions",
    text: run("(i32.trunc_f64_s (f64.add (f64.const 1) (f64.convert_i64_s (i64.const 2))))"),
    value: 3,
    fuel: 6n,
  },
  {
    name: "f32 and comparisons",
    text: run("(f32.lt (f32.sqrt (f32.const 4)) (f32.const 3))"),
    value: 1,
    fuel: 5n,
  },
  { name: "sign extension", text: run("(i32.extend8_s (i32.const 255))"), value: -1, fuel: 3n },
  {
    name: "saturating conversions",
    text: run("(i32.trunc_sat_f32_u (f32.const 1e20))"),
    value: -1,
    fuel: 3n,
  },
  {
    name: "SIMD",
    text: run("(i32x4.extract_lane 2 (i32x4.add (v128.const i32x4 1 2 3 4) (i32x4.splat (i32.const 5))))"),
    value: 8,
    fuel: 6n,
  },
  {
    name: "SIMD in memory, lanes and shuffles",
    text: `(memory 1) ${run(`(v128.store (i32.const 0) (v128.const i8x16 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16))
      (v128.store8_lane 3 (i32.const 0) (v128.load8_lane 3 (i32.const 5) (v128.load (i32.const 0))))
      (i8x16.extract_lane_u 0 (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15
        (v128.load (i32.const 0)) (v128.load32_zero (i32.const 8))))`)}`,
    value: 6,
    fuel: 1n + 3n + 6n + 6n,
  },
];

const STATE: readonly Counted[] = [
  {
    name: "what is free: nop, drop, block, loop, return",
    text: run("(nop) (drop (i32.const 1)) (block (loop (nop))) (return (i32.const 7))"),
    value: 7,
    fuel: 3n,
  },
  { name: "select", text: run("(select (i32.const 1) (i32.const 2) (i32.const 0))"), value: 2, fuel: 5n },
  {
    name: "select of references, ref.null, ref.is_null",
    text: run("(ref.is_null (select (result funcref) (ref.null func) (ref.null func) (i32.const 1)))"),
    value: 1,
    fuel: 6n,
  },
  {
    name: "locals and globals",
    text: `(global $g (mut i32) (i32.const 0)) ${run(
      "(local i32) (local.set 0 (i32.const 5)) (global.set $g (local.tee 0 (local.get 0))) (global.get $g)",
    )}`,
    value: 5,
    fuel: 7n,
  },
  {
    name: "loads and stores",
    text: `(memory 1) ${run("(i32.store (i32.const 0) (i32.const 265)) (i32.load8_u (i32.const 0))")}`,
    value: 9,
    fuel: 6n,
  },
  {
    name: "memory.size and memory.grow",
    text: `(memory 1) ${run("(drop (memory.grow (i32.const 2))) (memory.size)")}`,
    value: 3,
    fuel: 4n,
  },
  {
    name: "memory.fill, copy, init and data.drop, by the byte",
    text: `(memory 1) (data $d "xyz") ${run(`(memory.fill (i32.const 0) (i32.const 7) (i32.const 100))
      (memory.copy (i32.const 200) (i32.const 0) (i32.const 50))
      (memory.init $d (i32.const 300) (i32.const 0) (i32.const 3)) (data.drop $d) (i32.load8_u (i32.const 249))`)}`,
    value: 7,
    fuel: 1n + 104n + 54n + 7n + 1n + 2n,
  },
  {
    name: "tables, by the element",
    text: `(table $t 10 funcref) (elem $e func $f) ${ADD_ONE} ${run(`(table.set $t (i32.const 0) (ref.func $f))
      (drop (table.grow $t (ref.null func) (i32.const 5)))
      (table.fill $t (i32.const 1) (ref.null func) (i32.const 4))
      (table.copy $t $t (i32.const 0) (i32.const 1) (i32.const 2))
      (table.init $t $e (i32.const 0) (i32.const 0) (i32.const 1)) (elem.drop $e)
      (drop (table.get $t (i32.const 0))) (table.size $t)`)}`,
    value: 15,
    fuel: 1n + 3n + 8n + 8n + 6n + 5n + 1n + 2n + 1n,
  },
  {
    name: "ref.func",
    text: `(elem declare func $f) ${ADD_ONE} ${run("(ref.is_null (ref.func $f))")}`,
    value: 0,
    fuel: 3n,
  },
  {
    name: "many memories",
    text: `(memory $a 1) (memory $b 1) ${run(`(i32.store $b (i32.const 0) (i32.const 3))
      (memory.copy $a $b (i32.const 0) (i32.const 0) (i32.const 4)) (i32.load $a (i32.const 0))`)}`,
    value: 3,
    fuel: 1n + 3n + 8n + 2n,
  },
  {
    name: "extended constant expressions cost nothing",
    text: `(global $g i32 (i32.add (i32.const 1) (i32.mul (i32.const 2) (i32.const 3)))) ${run("(global.get $g)")}`,
    value: 7,
    fuel: 2n,
  },
];

const CONTROL: readonly Counted[] = [
  ...(
    [
      [1, 1, 4n],
      [0, 2, 6n],
    ] as const
  ).map(([arg, value, fuel]) => ({
    name: `if and else, with ${arg}`,
    text: withParam(
      "(if (result i32) (local.get 0) (then (i32.const 1)) (else (i32.add (i32.const 1) (i32.const 1))))",
    ),
    args: [arg],
    value,
    fuel,
  })),
  ...(
    [
      [1, 6n],
      [0, 4n],
    ] as const
  ).map(([arg, fuel]) => ({
    name: `if without else, with ${arg}`,
    text: `(global $g (mut i32) (i32.const 0)) ${withParam(
      "(if (local.get 0) (then (global.set $g (i32.const 1)))) (i32.const 9)",
    )}`,
    args: [arg],
    value: 9,
    fuel,
  })),
  {
    name: "a way around an if that costs more",
    text: withParam("(block $b (if (local.get 0) (then (br $b))) (local.set 0 (i32.const 4))) (local.get 0)"),
    args: [0],
    value: 4,
    fuel: 6n,
  },
  {
    name: "a loop",
    text: withParam(
      `(loop $l (local.set 1 (i32.add (local.get 1) (local.get 0))) ${COUNT_DOWN}) (local.get 1)`,
      "(local i32)",
    ),
    args: [10],
    value: 55,
    fuel: 1n + 10n * 9n + 1n,
  },
  {
    name: "loops in loops",
    text: withParam(
      `(loop $o (local.set 1 (i32.const 3))
        (loop $i (br_if $i (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))
        (br_if $o (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 1)`,
      "(local i32)",
    ),
    args: [4],
    value: 0,
    fuel: 1n + 4n * 22n + 1n,
  },
  {
    name: "a loop around one that calls",
    text: `(func $f (export "f")) ${withParam(
      `(loop $o (local.set 1 (i32.const 3))
        (loop $i (call $f) (br_if $i (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))
        (br_if $o (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 1)`,
      "(local i32)",
    )}`,
    args: [4],
    value: 0,
    fuel: 1n + 4n * (2n + 3n * 7n + 5n) + 1n,
  },
  {
    name: "br_if to a loop with a value, which has none at its end",
    text: withParam(`(i32.const 10) (loop $l (param i32)
      (i32.const 1) (i32.sub) (local.tee 0) (local.get 0) (br_if $l) (drop)) (local.get 0)`),
    args: [0],
    value: 0,
    fuel: 1n + 1n + 10n * 5n + 1n,
  },
  {
    name: "a loop that is left by a branch",
    text: withParam(`(block $out (loop $l
      (br_if $out (i32.eq (local.get 0) (i32.const 7)))
      (if (i32.eqz (local.get 0)) (then (return (i32.const 1))))
      (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br $l))) (i32.const 2)`),
    args: [9],
    value: 2,
    // Twice around: 4 + 3 + 4 + 1. Then 4 and the constant.
    fuel: 1n + 2n * 12n + 4n + 1n,
  },
  {
    name: "a loop that is left by a return",
    text: withParam(`(block $out (loop $l
      (br_if $out (i32.eq (local.get 0) (i32.const 7)))
      (if (i32.eqz (local.get 0)) (then (return (i32.const 1))))
      (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br $l))) (i32.const 2)`),
    args: [2],
    value: 1,
    fuel: 1n + 2n * 12n + 7n + 1n,
  },
  ...(
    [
      [1, 8, 6n],
      [0, 9, 5n],
    ] as const
  ).map(([arg, value, fuel]) => ({
    name: `br_if with a value, with ${arg}`,
    text: withParam(`(i32.add (i32.const 1) (block $b (result i32)
      (drop (br_if $b (i32.const 7) (local.get 0))) (return (i32.const 9))))`),
    args: [arg],
    value,
    // The constant before the block is one of them on both ways.
    fuel: fuel + (arg === 0 ? 1n : 0n),
  })),
  {
    name: "br_if with a value out of a loop that keeps its fuel",
    text: withParam(`(block $out (result i32) (loop $l
      (drop (br_if $out (i32.const 3) (i32.eqz (local.get 0))))
      (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br $l)) (unreachable))`),
    args: [5],
    value: 3,
    // The condition 4, the rest 5.
    fuel: 1n + 5n * 9n + 4n,
  },
  ...(
    [
      [0, 10, 4n],
      [1, 20, 5n],
      [2, 30, 4n],
      [-1, 30, 4n],
    ] as const
  ).map(([arg, value, fuel]) => ({ name: `br_table, with ${arg}`, text: SWITCH, args: [arg], value, fuel })),
  {
    name: "br_table to a loop and out of it",
    text: withParam(
      "(block $out (loop $l (br_table $out $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))) (i32.const 1)",
    ),
    args: [3],
    value: 1,
    fuel: 1n + 3n * 5n + 1n,
  },
  {
    name: "br_table that may return",
    text: '(func (export "run") (param i32) (block $b (br_table $b 1 (local.get 0))))',
    args: [0],
    value: undefined,
    fuel: 3n,
  },
  {
    name: "code that cannot be reached",
    text: run(`(return (i32.const 1)) (block (result i32) (loop (br 0)) (if (i32.const 1) (then (nop)))
      (br_table 0 0 (i32.const 0) (i32.const 1)))`),
    value: 1,
    fuel: 2n,
  },
  {
    name: "values of blocks and loops",
    text: withParam(`(i32.const 10) (loop $l (param i32) (result i32)
      (i32.const 1) (i32.sub) (local.tee 0) (local.get 0) (br_if $l))`),
    args: [0],
    value: 0,
    fuel: 1n + 1n + 10n * 5n,
  },
];

/** By class of operator. */
export const CLASSES: Readonly<Record<string, readonly Counted[]>> = {
  NUMERIC,
  STATE,
  CONTROL,
  CALLS,
  EXCEPTIONS,
};
