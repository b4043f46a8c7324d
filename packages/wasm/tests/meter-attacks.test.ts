/** Modules made to get past the meter: what runs is charged, and all placements count the same. */
import { describe, expect, test } from "vitest";
import { FAULT } from "../src/meter/meter.ts";
import type { WasmImports } from "../src/web-assembly.ts";
import { Bytes } from "./_generate-bytes.ts";
import {
  type Call,
  meter,
  observeMetered,
  observePlain,
  PLACEMENTS,
  PLENTY,
  runnable,
} from "./_observe-module.ts";
import { wat } from "./_wat.ts";

const WAYS = [
  ...PLACEMENTS.map((placement) => ({ placement, counters: "own" }) as const),
  { placement: "fast", counters: "imported" },
  { placement: "fast", counters: "own", mayCatch: true },
  { placement: "plain", counters: "imported", mayCatch: true },
] as const;

/** Fields of a module that exports `run` with one parameter, and with what it is called. */
interface Attack {
  readonly name: string;
  readonly text: string;
  readonly args: readonly number[];
}

/** So that what they are called with decides where they go. */
const ARGS = [0, 1, 2, 3, 4, 5, 7, 100] as const;

const IN_LOOPS: readonly Attack[] = [
  {
    name: "a branch with values out of a loop that keeps its fuel in a local",
    text: `(func (export "run") (param i32) (result i32) (local $i i32)
      (block $out (result i32 i32)
        (loop $l
          (br_if $out (local.get $i) (i32.const 9) (i32.gt_u (local.get $i) (i32.const 50)))
          (drop) (drop)
          (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get 0))))
        (i32.const 1) (i32.const 2))
      (i32.add))`,
    args: ARGS,
  },
  {
    name: "a branch with values to a loop's start, from the loop in it",
    text: `(func (export "run") (param i32) (result i32)
      (local.get 0)
      (loop $l (param i32) (result i32)
        (local.set 0)
        (loop $m (br_if $l (i32.sub (local.get 0) (i32.const 1)) (i32.and (local.get 0) (i32.const 1)))
          (drop)
          (br_if $m (i32.and (local.tee 0 (i32.shr_u (local.get 0) (i32.const 1))) (i32.const 6))))
        (local.get 0)))`,
    args: ARGS,
  },
  {
    name: "br_table out of loops, to their starts, with values, and out of the function",
    text: `(func (export "run") (param i32) (result i32) (local $i i32)
      (block $c (result i32) (block $b (result i32)
        (loop $outer (result i32)
          (loop $inner (result i32)
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (block $again
              (br_if $again (i32.lt_u (local.get $i) (i32.const 20)))
              (br_table $b $c 4 $b (local.get $i) (local.get 0)))
            (block $x (block $y (br_table $x $y $inner $outer (i32.rem_u (local.get $i) (i32.const 4))))
              (br_if $inner (i32.lt_u (local.get $i) (i32.const 90)))
              (return (i32.const 77)))
            (br $outer))))
        (i32.add (i32.const 1)))
      (i32.add (i32.const 2)))`,
    args: ARGS,
  },
  {
    name: "returns and traps within loops within loops",
    text: `(memory 1) (func (export "run") (param i32) (result i32) (local $i i32) (local $j i32)
      (loop $a
        (local.set $j (i32.const 0))
        (loop $b
          (if (i32.eq (i32.mul (local.get $i) (local.get $j)) (i32.const 12))
            (then (return (i32.add (local.get $i) (i32.const 1000)))))
          (if (i32.eq (local.get $j) (i32.const 6)) (then (drop (i32.div_u (i32.const 1) (local.get $i)))))
          (br_if $b (i32.lt_u (local.tee $j (i32.add (local.get $j) (i32.const 1))) (local.get 0))))
        (br_if $a (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get 0))))
      (local.get $i))`,
    args: ARGS,
  },
  {
    name: "calls in loops with loops in them, before and after",
    text: `(func $f (param i32) (result i32) (loop $l (result i32)
        (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
        (br_if $l (i32.gt_s (local.get 0) (i32.const 0))) (local.get 0)))
      (func (export "run") (param i32) (result i32) (local $i i32)
        (loop $a
          (loop $x (br_if $x (i32.and (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 3))))
          (if (i32.and (local.get 0) (i32.const 1)) (then (local.set $i (call $f (local.get $i)))))
          (loop $y (br_if $y (i32.and (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 7))))
          (br_if $a (i32.gt_s (local.tee 0 (i32.sub (local.get 0) (i32.const 1))) (i32.const 0))))
        (local.get $i))`,
    args: ARGS,
  },
  {
    name: "an if without else that takes and leaves values, in a loop",
    text: `(func (export "run") (param i32) (result i32) (local $i i32)
      (loop $l (result i32)
        (local.get $i) (local.get 0)
        (i32.and (local.get $i) (i32.const 1))
        (if (param i32 i32) (result i32 i32) (then (i32.add (i32.const 3)) (br_if 0 (i32.const 4))))
        (i32.add) (local.set 0)
        (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 9)))
        (local.get 0)))`,
    args: ARGS,
  },
  {
    name: "memory.grow, and bulk operators on two memories, in loops",
    text: `(memory $a 1 3) (memory $b 1 2) (data $d "abcdefgh") (table $t 4 funcref) (elem $e func $f $f)
      (func $f)
      (func (export "run") (param i32) (result i32) (local $i i32)
        (loop $g (drop (memory.grow $a (local.get 0)))
          (br_if $g (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 5))))
        (loop $l
          (memory.fill $b (local.get $i) (i32.const 7) (local.get 0))
          (memory.copy $a $b (i32.const 3) (i32.const 5) (i32.mul (local.get 0) (i32.const 3)))
          (memory.init $b $d (i32.const 9) (i32.const 0) (i32.and (local.get 0) (i32.const 7)))
          (table.init $t $e (i32.const 0) (i32.const 0) (i32.and (local.get 0) (i32.const 1)))
          (table.copy $t $t (i32.const 0) (i32.const 1) (i32.and (local.get 0) (i32.const 3)))
          (table.fill $t (i32.const 0) (ref.func $f) (i32.and (local.get 0) (i32.const 3)))
          (drop (table.grow $t (ref.null func) (local.get 0)))
          (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 9))))
        (data.drop $d) (elem.drop $e)
        (i32.add (memory.size $a) (table.size $t)))`,
    args: ARGS,
  },
  {
    name: "a loop that is left by falling out of a try, and one around it",
    text: `(tag $t (param i32)) (func $throws (param i32) (throw $t (local.get 0)))
      (func (export "run") (param i32) (result i32) (local $i i32)
        (loop $a
          (try (do (loop $l (try (do (br_if $l (i32.and (i32.const 3)
                 (local.tee $i (i32.add (local.get $i) (i32.const 1)))))) (catch_all (local.set $i (i32.const 99)))))
                 (if (i32.and (local.get 0) (i32.const 1)) (then (call $throws (local.get $i)))))
               (catch $t (local.set $i) (loop $m (br_if $m (i32.and (i32.const 5)
                 (local.tee $i (i32.add (local.get $i) (i32.const 1)))))))
               (catch_all (local.set $i (i32.const 98))))
          (br_if $a (i32.gt_s (local.tee 0 (i32.sub (local.get 0) (i32.const 1))) (i32.const 0))))
        (local.get $i))`,
    args: ARGS,
  },
];

const CALLS: readonly Attack[] = [
  {
    name: "code that is not reached: calls that are handed the stack, tables of branches, growth",
    text: `(type $t (func (param i32) (result i32))) (memory 1) (table 2 funcref) (elem (i32.const 0) $r $r)
      (func $r (param i32) (result i32) (if (result i32) (local.get 0)
        (then (i32.add (call $r (i32.sub (local.get 0) (i32.const 1))) (i32.const 1))) (else (i32.const 0))))
      (func $dead (result i32) (i32.const 4) (return) (call $r) (call $r) (drop)
        (block $x (result i32) (unreachable) (br_table $x $x $x) (loop (result i32) (unreachable) (br_table $x $x $x) (br_if $x)))
        (call_indirect (type $t)) (memory.grow) (memory.fill) (drop (table.size)))
      (func $dead2 (result i32) (block (unreachable)) (call $r (i32.const 1)))
      (func (export "run") (param i32) (result i32)
        (i32.add (call $r (local.get 0)) (i32.add (call $dead)
          (block (result i32) (br 0 (i32.const 2)) (return_call $r) (i32.const 1) (call $dead2) (return_call $r)))))`,
    args: ARGS,
  },
  {
    name: "recursion through a table, through an export, and through a global's ref.func",
    text: `(type $t (func (param i32) (result i32))) (table 3 funcref) (elem (i32.const 0) $f $g)
      (global $ref funcref (ref.func $h))
      (elem declare func $k)
      (func $f (type $t) (if (result i32) (local.get 0)
        (then (call_indirect (type $t) (i32.sub (local.get 0) (i32.const 1)) (i32.and (local.get 0) (i32.const 1))))
        (else (i32.const 5))))
      (func $g (export "g") (type $t)
        (table.set (i32.const 2) (global.get $ref))
        (i32.add (call $f (local.get 0)) (call_indirect (type $t) (local.get 0) (i32.const 2))))
      (func $h (type $t) (table.set (i32.const 2) (ref.func $k)) (drop (ref.func $k))
        (call_indirect (type $t) (local.get 0) (i32.const 2)))
      (func $k (type $t) (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 1))
        (else (call $k (i32.sub (local.get 0) (i32.const 1))))))
      (func (export "run") (param i32) (result i32) (call $g (local.get 0)))`,
    args: [0, 1, 2, 3, 4, 5, 7],
  },
  {
    name: "functions that call the next one twice, and go back on a whim",
    text: `(func $a (param i32) (result i32) (i32.add (call $b (local.get 0)) (call $b (local.get 0))))
      (func $b (param i32) (result i32) (i32.add (call $c (local.get 0)) (call $c (local.get 0))))
      (func $c (param i32) (result i32) (if (result i32) (i32.gt_s (local.get 0) (i32.const 0))
        (then (call $a (i32.sub (local.get 0) (i32.const 1)))) (else (call $d (local.get 0)))))
      (func $d (param i32) (result i32) (block (result i32) (br_table 0 1 0 (local.get 0) (local.get 0))))
      (func (export "run") (param i32) (result i32) (call $a (i32.and (local.get 0) (i32.const 3))))`,
    args: ARGS,
  },
  {
    name: "exceptions out of functions that were paid for",
    text: `(tag $t (param i32)) (tag $u)
      (func $deep (param i32) (result i32) (if (i32.eqz (local.get 0)) (then (throw $t (i32.const 3))))
        (i32.add (call $deep (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))
      (func $maybe (param i32) (result i32) (if (i32.and (local.get 0) (i32.const 1)) (then (throw $u)))
        (i32.const 4) (i32.add (i32.const 5)))
      (func $never (param i32) (throw $t (local.get 0)))
      (func (export "run") (param i32) (result i32)
        (try $x (result i32)
          (do (try (result i32)
            (do (i32.add (call $maybe (local.get 0)) (call $deep (local.get 0))))
            (delegate $x)))
          (catch $u (try $y (result i32) (do (call $never (local.get 0)) (i32.const 1))
            (catch $t (i32.add (i32.const 6))
              (try (param i32) (result i32) (do (br_if $x (local.get 0)) (drop) (rethrow $y))
                (catch_all (i32.const 9))))))
          (catch_all (i32.const 8))))`,
    args: ARGS,
  },
];

function observeWays(attack: Attack, imports: WasmImports = {}) {
  const bytes = wat(`(module ${attack.text})`);
  const original = runnable(bytes);
  const ways = WAYS.map(({ placement, ...options }) => {
    const metered = meter(bytes, placement, options);
    return runnable(metered.bytes, metered.start);
  });
  return attack.args.map((arg) => {
    const call: Call = { name: "run", args: [arg] };
    const expected = observePlain(original, call, imports);
    const at = (fuel: bigint) =>
      ways.map((way) => observeMetered(way, call, { imports, allowance: { fuel } }));
    const seen = at(PLENTY).map(({ fuelLeft, end, values, state }) => ({
      burnt: PLENTY - fuelLeft,
      rest: { end, values, state },
    }));
    return { arg, expected, seen, at };
  });
}

describe("code made to be counted wrong", () => {
  test.each([...IN_LOOPS, ...CALLS])("$name", (attack) => {
    let returned = 0;
    for (const { arg, expected, seen, at } of observeWays(attack)) {
      expect({ arg, seen: seen.map(({ rest }) => rest) }).toEqual({ arg, seen: seen.map(() => expected) });
      if (expected.end !== "returned") {
        continue;
      }
      returned += 1;
      const [every] = seen;
      expect({ arg, burnt: seen.map(({ burnt }) => burnt) }).toEqual({
        arg,
        burnt: seen.map(() => every!.burnt),
      });
      const enough = at(every!.burnt).map(({ end, fuelLeft }) => ({ end, fuelLeft }));
      expect({ arg, enough }).toEqual({ arg, enough: enough.map(() => ({ end: "returned", fuelLeft: 0n })) });
      const short = at(every!.burnt - 1n).map(({ fuelLeft }) => fuelLeft < 0n);
      expect({ arg, short }).toEqual({ arg, short: short.map(() => true) });
    }
    expect(returned).toBeGreaterThan(0);
  });
});

/** A module of these types and functions, `[type, code without end]`; all are in a table, and the last is `run`. */
function moduleOf(
  types: readonly (readonly [params: number, results: number])[],
  functions: readonly (readonly [type: number, code: readonly number[]])[],
): Uint8Array<ArrayBuffer> {
  const i32s = (to: Bytes, count: number) => to.u32(count).raw(...Array.from({ length: count }, () => 0x7f));
  const module = new Bytes().raw(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
  const section = (id: number, write: (to: Bytes) => unknown): void => {
    const content = new Bytes();
    write(content);
    module.raw(id).u32(content.list.length);
    for (const byte of content.list) module.raw(byte);
  };
  section(1, (to) => to.vector(types, ([params, results]) => i32s(i32s(to.raw(0x60), params), results)));
  section(3, (to) => to.vector(functions, ([type]) => to.u32(type)));
  section(4, (to) => to.raw(1, 0x70, 0).u32(functions.length));
  section(7, (to) =>
    to
      .raw(1)
      .name("run")
      .raw(0)
      .u32(functions.length - 1),
  );
  section(9, (to) => to.raw(1, 0, 0x41, 0, 0x0b).vector([...functions.keys()], (index) => to.u32(index)));
  section(10, (to) =>
    to.vector(functions, ([, code]) =>
      to
        .u32(code.length + 2)
        .raw(0)
        .raw(...code, 0x0b),
    ),
  );
  return Uint8Array.from(module.list);
}

describe("bytes that can be read in two ways", () => {
  test("a block's type of no values that looks like the number of a type with 1,000 parameters", () => {
    const types = Array.from({ length: 16_321 }, (_, type) => [type === 16_320 ? 1000 : 0, 0] as const);
    const operands = Array.from({ length: 200 }, () => [0x41, 1]).flat();
    const drops = Array.from({ length: 200 }, () => 0x1a);
    const runs = [[0x40], [0xc0, 0x7f], [0xc0, 0xff, 0xff, 0xff, 0x7f]].map((noValues) => {
      const code = [0x02, ...noValues, 0x0b, ...operands, 0x10, 0, ...drops];
      const { bytes } = meter(moduleOf(types, [[0, code]]), "fast");
      return observeMetered(
        runnable(bytes),
        { name: "run", args: [] },
        { imports: {}, allowance: { fuel: PLENTY, stackBytes: 1 << 18 } },
      );
    });
    expect(runs.map(({ fault, fuelLeft }) => ({ fault, fuelLeft }))).toEqual(
      runs.map(() => ({ fault: FAULT.stack, fuelLeft: runs[0]!.fuelLeft })),
    );
  });
});

describe("modules that would be many times as large", () => {
  test("functions with many parameters that all need a wrapper", () => {
    const many = Array.from({ length: 10_000 }, () => [0, [0x10, 0, 0x10, 1]] as const);
    const types = [
      [999, 0],
      [0, 999],
    ] as const;
    // The first gives what the others want; each calls it, and itself.
    const functions = [
      [1, [0x00]] as const,
      ...many.map((_, own) => [0, [0x10, 0, 0x10, ...lebOf(own + 1)]] as const),
    ];
    expect(() => meter(moduleOf(types, functions), "fast")).toThrow(/MODULE_TOO_LARGE.*wrappers/);
  });
});

function lebOf(value: number): readonly number[] {
  return new Bytes().u32(value).list;
}

describe("costs beyond what numbers hold", () => {
  /** 70 functions that call the next one twice: what the first costs has 22 digits. */
  const doubling = (levels: number): string =>
    Array.from(
      { length: levels },
      (_, level) => `(func $f${level} (call $f${level + 1}) (call $f${level + 1}))`,
    ).join("") + `(func $f${levels} (drop (i32.const 1))) (func (export "run") (call $f0))`;
  const run = { name: "run", args: [] };

  test.each(PLACEMENTS)(
    "functions that call the next one twice, 70 deep, run out of fuel (%s)",
    (placement) => {
      const { bytes } = meter(wat(`(module ${doubling(70)})`), placement);
      const { fuelLeft, end } = observeMetered(runnable(bytes), run, {
        imports: {},
        allowance: { fuel: 5_000_000n },
      });
      expect(end).toBe("RuntimeError: unreachable");
      expect(fuelLeft).toBeLessThan(0n);
      expect(fuelLeft).toBeGreaterThan(-(2n ** 21n));
    },
  );

  test("functions that call the next one twice cost the same however much is paid ahead", () => {
    const bytes = wat(`(module ${doubling(20)})`);
    // Each entry is 1, each of its two calls 1, and the last has a constant.
    const cost = 2n + 3n * (2n ** 20n - 1n) + 2n * 2n ** 20n;
    for (const { placement, ...options } of WAYS) {
      const module = runnable(meter(bytes, placement, options).bytes);
      const left = [cost, cost - 1n].map(
        (fuel) => observeMetered(module, run, { imports: {}, allowance: { fuel } }).fuelLeft,
      );
      expect({ placement, left: [left[0], left[1]! < 0n] }).toEqual({ placement, left: [0n, true] });
    }
  });

  test("a way out of a loop that costs more than an i32 holds", () => {
    const calls = 2100;
    // The loop knows how many of them it will come to: each has 2^20 paid ahead.
    const bytes =
      wat(`(module ${doubling(18).replace(/\(func \(export.*$/, "")} (func (export "run") (param i32)
      (block $dear (block $cheap
        (loop $l
          (br_if $dear (i32.eq (local.get 0) (i32.const 1)))
          (br_if $cheap (i32.eq (local.get 0) (i32.const 2)))
          (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 3))))))
        (return))
      ${"(call $f0)".repeat(calls)}))`);
    const { bytes: metered } = meter(bytes, "fast");
    const burn = (arg: number, fuel: bigint): bigint =>
      observeMetered(runnable(metered), { name: "run", args: [arg] }, { imports: {}, allowance: { fuel } })
        .fuelLeft;
    expect([burn(5, 22n), burn(5, 21n) < 0n]).toEqual([0n, true]);
    const cost = 18n + BigInt(calls) * (1n + 3n * (2n ** 18n - 1n) + 2n * 2n ** 18n);
    expect([burn(4, cost), burn(4, 2n ** 31n) < -2n]).toEqual([0n, true]);
  });

  test.each(["memory.fill", "memory.copy"])("%s of 4 GiB less one costs that, and no less", (operator) => {
    const bytes = wat(`(module (memory 1) (func (export "run")
      (${operator} (i32.const 0) (i32.const 0) (i32.const -1))))`);
    const cost = 2n ** 32n - 1n + 5n;
    for (const { placement, ...options } of WAYS) {
      const module = runnable(meter(bytes, placement, options).bytes);
      const runs = [cost, cost - 1n, 2n ** 63n - 1n].map((fuel) =>
        observeMetered(module, run, { imports: {}, allowance: { fuel } }),
      );
      expect(runs.map(({ end }) => end)).toEqual([
        "RuntimeError: memory access out of bounds",
        "RuntimeError: unreachable",
        "RuntimeError: memory access out of bounds",
      ]);
      expect(runs.map(({ fuelLeft }) => fuelLeft)).toEqual([0n, -1n, 2n ** 63n - 1n - cost]);
    }
  });
});

describe("the end of the fuel", () => {
  test("loops one after the other do not each go on for a while without", () => {
    const loop = `(local.set $i (i32.const 800)) (loop $l
      (br_if $l (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))`;
    const bytes = wat(`(module (func (export "run") (local $i i32) ${loop.repeat(2000)}))`);
    // More than what is charged ahead of the first loop.
    const fuel = 30_000n;
    for (const { placement, ...options } of WAYS) {
      const module = runnable(meter(bytes, placement, options).bytes);
      const { fuelLeft } = observeMetered(
        module,
        { name: "run", args: [] },
        { imports: {}, allowance: { fuel } },
      );
      expect(fuelLeft).toBeLessThan(0n);
      expect(fuelLeft).toBeGreaterThanOrEqual(-4200n);
    }
  });
});
