/** Modules made to get past the meter: what runs is charged, and all placements count the same. */
import { describe, expect, test } from "vitest";
import { FAULT } from "../src/meter/meter.ts";
import { Wasm, type WasmImports } from "../src/web-assembly.ts";
import { type Attack, CALLS, IN_LOOPS } from "./_attacks.ts";
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

describe("names", () => {
  test("with the mark of a byte order are those that V8 reads", () => {
    const bytes = wat(`(module (import "\\ef\\bb\\bfenv" "f" (func))
      (func (export "run")) (func (export "\\ef\\bb\\bfrun")))`);
    const { facts } = meter(bytes, "fast");
    const module = new Wasm.Module(bytes);
    expect(facts.exports.map(({ name }) => name)).toEqual(
      Wasm.Module.exports(module).map(({ name }) => name),
    );
    expect(facts.imports[0]!.module).toBe("\uFEFFenv");
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
          (br_if $dear (i32.eq (local.get 0) (i32.const 100)))
          (br_if $cheap (i32.eq (local.get 0) (i32.const 2)))
          (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 3))))))
        (return))
      ${"(call $f0)".repeat(calls)}))`);
    const { bytes: metered } = meter(bytes, "fast");
    const burn = (arg: number, fuel: bigint): bigint =>
      observeMetered(runnable(metered), { name: "run", args: [arg] }, { imports: {}, allowance: { fuel } })
        .fuelLeft;
    expect([burn(5, 30n), burn(5, 29n) < 0n]).toEqual([0n, true]);
    const cost = 22n + BigInt(calls) * (1n + 3n * (2n ** 18n - 1n) + 2n * 2n ** 18n);
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

  test("a loop that tells of its fuel at every turn, since it may be left there, looks at what is left", () => {
    const bytes = wat(`(module (func (export "run") (local $i i32)
      (local.set $i (i32.const 1000000))
      (block $out (loop $l
        (local.set $i (i32.sub (local.get $i) (i32.const 1)))
        (br_table $l $out (i32.eqz (local.get $i)))))))`);
    for (const { placement, ...options } of WAYS) {
      const module = runnable(meter(bytes, placement, options).bytes);
      const { fuelLeft } = observeMetered(
        module,
        { name: "run", args: [] },
        { imports: {}, allowance: { fuel: 30_000n } },
      );
      expect(fuelLeft).toBeLessThan(0n);
      expect(fuelLeft).toBeGreaterThanOrEqual(-4200n);
    }
  });
});
