import { describe, expect, it } from "vitest";
import type { WasmError } from "../src/errors.ts";
import type { Immediate, Operator } from "../src/meter/operator.ts";
import { OPERATORS } from "../src/meter/operators.ts";
import { Wasm } from "../src/web-assembly.ts";
import { meter, runMetered } from "./_run-metered.ts";

const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
/** All value types, each a parameter of the function under test. */
const TYPES = [0x7f, 0x7e, 0x7d, 0x7c, 0x7b, 0x70, 0x6f];
const V128 = 0x7b;
const DROP = 0x1a;
const END = 0x0b;
const UNREACHABLE = 0x00;

const leb = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...leb(value >> 7)]);
const section = (id: number, ...content: readonly number[]) => [id, ...leb(content.length), ...content];

/** A module with one of everything that an operator may name, and a function with this code. */
function moduleOf(code: readonly number[], params: readonly number[] = TYPES): Uint8Array {
  const body = [0, ...code, END];
  return new Uint8Array([
    ...HEADER,
    ...section(1, 2, 0x60, params.length, ...params, 0, 0x60, 0, 0),
    ...section(3, 2, 0, 1),
    ...section(4, 1, 0x70, 0, 4),
    ...section(5, 1, 0, 1),
    ...section(13, 1, 0, 1),
    ...section(6, 1, 0x7f, 1, 0x41, 0, END),
    ...section(7, 1, 3, ..."run".split("").map((char) => char.charCodeAt(0)), 0, 0),
    ...section(9, 1, 1, 0, 1, 0),
    ...section(12, 1),
    ...section(10, 2, ...leb(body.length), ...body, 2, 0, END),
    ...section(11, 1, 1, 1, 0),
  ]);
}

/** How an operator is written, with an immediate that fits the module. */
function encode(operator: Operator): number[] {
  const code = operator.prefix === 0 ? [operator.code] : [operator.prefix, ...leb(operator.code)];
  // V8 wants the natural alignment at most, which 0 always is.
  const immediates: Partial<Record<Immediate, readonly number[]>> = {
    index: [0],
    indices: [0, 0],
    memarg: [0, 0],
    memarg_lane: [0, 0, 0],
    lane: [0],
    leb: [0],
    "4 bytes": [0, 0, 0, 0],
    "8 bytes": [0, 0, 0, 0, 0, 0, 0, 0],
    "16 bytes": Array.from({ length: 16 }, () => 0),
    types: [1, 0x7f],
    type: [0x70],
  };
  return [...code, ...(immediates[operator.immediate] ?? [])];
}

/** Operands of so many types that V8 accepts; `undefined` when there are none. */
function findOperands(operator: Operator, [pops, pushes]: readonly [number, number]): number[] | undefined {
  const code = encode(operator);
  const drops = Array.from({ length: pushes }, () => DROP);
  for (let choice = 0; choice < TYPES.length ** pops; choice++) {
    const operands = Array.from(
      { length: pops },
      (_, at) => Math.floor(choice / TYPES.length ** at) % TYPES.length,
    );
    const gets = operands.flatMap((local) => [0x20, local]);
    if (Wasm.validate(moduleOf([...gets, ...code, ...drops]))) {
      return gets;
    }
  }
  return undefined;
}

/** Reads of the vector parameter become constants, and those after it move down by one. */
function withoutVectors(gets: readonly number[]): number[] {
  const out: number[] = [];
  for (let at = 1; at < gets.length; at += 2) {
    const local = gets[at] as number;
    if (TYPES[local] === V128) {
      out.push(0xfd, 0x0c, ...Array.from({ length: 16 }, () => 0));
    } else {
      out.push(0x20, local > TYPES.indexOf(V128) ? local - 1 : local);
    }
  }
  return out;
}

const withEffect = OPERATORS.filter(({ effect }) => effect !== undefined);

describe("the table of operators, by V8", () => {
  it("names each code and each name once", () => {
    expect(new Set(OPERATORS.map(({ prefix, code }) => `${prefix} ${code}`)).size).toBe(OPERATORS.length);
    expect(new Set(OPERATORS.map(({ name }) => name)).size).toBe(OPERATORS.length);
    const counts = Map.groupBy(OPERATORS, ({ feature }) => feature);
    expect(Object.fromEntries([...counts].map(([feature, { length }]) => [feature, length]))).toEqual({
      mvp: 172,
      "sign extension": 5,
      "saturating conversions": 8,
      "bulk memory": 7,
      "reference types": 9,
      SIMD: 236,
      "tail calls": 2,
      exceptions: 6,
    });
  });

  it("takes, leaves and costs what it says", () => {
    for (const operator of withEffect) {
      const [pops, pushes] = operator.effect ?? [0, 0];
      const { name } = operator;
      const operands = findOperands(operator, [pops, pushes]);
      expect([name, operands !== undefined]).toEqual([name, true]);
      if (pops > 0) {
        expect([name, findOperands(operator, [pops - 1, pushes])]).toEqual([name, undefined]);
      }
      // A vector is no value of JavaScript: its place as a parameter is taken by a constant, which costs the same.
      const drops = Array.from({ length: pushes }, () => DROP);
      const bytes = moduleOf(
        [...withoutVectors(operands ?? []), ...encode(operator), ...drops],
        TYPES.filter((type) => type !== V128),
      );
      const { fuel } = runMetered(bytes, { placement: "every", args: [0, 0n, 0, 0, null, null] });
      expect([name, fuel]).toEqual([name, BigInt(1 + pops + operator.cost)]);
    }
  });

  it("has the right immediates: what follows is read as code, in what cannot be reached too", () => {
    for (const operator of withEffect) {
      const drops = Array.from({ length: operator.effect?.[1] ?? 0 }, () => DROP);
      const bytes = moduleOf([UNREACHABLE, ...encode(operator), ...drops]);
      expect([operator.name, Wasm.validate(bytes)]).toEqual([operator.name, true]);
      expect(Wasm.validate(meter(bytes).bytes)).toBe(true);
    }
  });
});

describe("operators that are not in the table", () => {
  const known = new Set(OPERATORS.map(({ prefix, code }) => `${prefix} ${code}`));

  it("are refused with one of two codes, whatever V8 thinks of them", () => {
    for (const prefix of [0, 0xfb, 0xfc, 0xfd, 0xfe] as const) {
      for (let code = 0; code < 0x140; code++) {
        if (known.has(`${prefix} ${code}`) || (prefix === 0 && (code > 0xff || code >= 0xfb))) {
          continue;
        }
        const bytes = moduleOf([UNREACHABLE, ...(prefix === 0 ? [code] : [prefix, ...leb(code)]), 0, 0, 0]);
        let error: unknown;
        try {
          meter(bytes);
        } catch (caught) {
          error = caught;
        }
        expect([prefix, code, (error as WasmError | undefined)?.name]).toEqual([prefix, code, "WasmError"]);
        expect(["BAD_MODULE", "UNSUPPORTED"]).toContain((error as WasmError).code);
      }
    }
  });
});
