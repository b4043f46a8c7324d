import { VALUE_TYPE } from "../src/meter/facts.ts";

/** Value types of generated code, by their bytes. */
export const TYPE = VALUE_TYPE;

export type Type = (typeof TYPE)[keyof typeof TYPE];

/** An operator that only takes operands and gives one value. */
export interface SimpleOperator {
  readonly code: readonly number[];
  readonly takes: readonly Type[];
  readonly gives: Type;
  /** Divides, or converts what may not fit: used less often. */
  readonly mayTrap: boolean;
}

const { i32, i64, f32, f64, v128 } = TYPE;

interface Group {
  readonly prefix?: number;
  /** First and last code. */
  readonly codes: readonly [first: number, last: number];
  readonly takes: readonly Type[];
  readonly gives: Type;
  readonly mayTrap?: boolean;
}

/**
 * Not here: what shows the bits of a NaN (`reinterpret`, `copysign`, lanes of floats), which may differ from one
 * compiler to the other.
 */
const GROUPS: readonly Group[] = [
  { codes: [0x45, 0x45], takes: [i32], gives: i32 },
  { codes: [0x46, 0x4f], takes: [i32, i32], gives: i32 },
  { codes: [0x50, 0x50], takes: [i64], gives: i32 },
  { codes: [0x51, 0x5a], takes: [i64, i64], gives: i32 },
  { codes: [0x5b, 0x60], takes: [f32, f32], gives: i32 },
  { codes: [0x61, 0x66], takes: [f64, f64], gives: i32 },
  { codes: [0x67, 0x69], takes: [i32], gives: i32 },
  { codes: [0x6a, 0x6c], takes: [i32, i32], gives: i32 },
  { codes: [0x6d, 0x70], takes: [i32, i32], gives: i32, mayTrap: true },
  { codes: [0x71, 0x78], takes: [i32, i32], gives: i32 },
  { codes: [0x79, 0x7b], takes: [i64], gives: i64 },
  { codes: [0x7c, 0x7e], takes: [i64, i64], gives: i64 },
  { codes: [0x7f, 0x82], takes: [i64, i64], gives: i64, mayTrap: true },
  { codes: [0x83, 0x8a], takes: [i64, i64], gives: i64 },
  { codes: [0x8b, 0x91], takes: [f32], gives: f32 },
  { codes: [0x92, 0x97], takes: [f32, f32], gives: f32 },
  { codes: [0x99, 0x9f], takes: [f64], gives: f64 },
  { codes: [0xa0, 0xa5], takes: [f64, f64], gives: f64 },
  { codes: [0xa7, 0xa7], takes: [i64], gives: i32 },
  { codes: [0xa8, 0xa9], takes: [f32], gives: i32, mayTrap: true },
  { codes: [0xaa, 0xab], takes: [f64], gives: i32, mayTrap: true },
  { codes: [0xac, 0xad], takes: [i32], gives: i64 },
  { codes: [0xae, 0xaf], takes: [f32], gives: i64, mayTrap: true },
  { codes: [0xb0, 0xb1], takes: [f64], gives: i64, mayTrap: true },
  { codes: [0xb2, 0xb3], takes: [i32], gives: f32 },
  { codes: [0xb4, 0xb5], takes: [i64], gives: f32 },
  { codes: [0xb6, 0xb6], takes: [f64], gives: f32 },
  { codes: [0xb7, 0xb8], takes: [i32], gives: f64 },
  { codes: [0xb9, 0xba], takes: [i64], gives: f64 },
  { codes: [0xbb, 0xbb], takes: [f32], gives: f64 },
  { codes: [0xbe, 0xbe], takes: [i32], gives: f32 },
  { codes: [0xbf, 0xbf], takes: [i64], gives: f64 },
  { codes: [0xc0, 0xc1], takes: [i32], gives: i32 },
  { codes: [0xc2, 0xc4], takes: [i64], gives: i64 },
  { prefix: 0xfc, codes: [0x00, 0x01], takes: [f32], gives: i32 },
  { prefix: 0xfc, codes: [0x02, 0x03], takes: [f64], gives: i32 },
  { prefix: 0xfc, codes: [0x04, 0x05], takes: [f32], gives: i64 },
  { prefix: 0xfc, codes: [0x06, 0x07], takes: [f64], gives: i64 },
  { prefix: 0xfd, codes: [0x0e, 0x0e], takes: [v128, v128], gives: v128 },
  { prefix: 0xfd, codes: [0x0f, 0x11], takes: [i32], gives: v128 },
  { prefix: 0xfd, codes: [0x12, 0x12], takes: [i64], gives: v128 },
  { prefix: 0xfd, codes: [0x23, 0x4c], takes: [v128, v128], gives: v128 },
  { prefix: 0xfd, codes: [0x4d, 0x4d], takes: [v128], gives: v128 },
  { prefix: 0xfd, codes: [0x4e, 0x51], takes: [v128, v128], gives: v128 },
  { prefix: 0xfd, codes: [0x52, 0x52], takes: [v128, v128, v128], gives: v128 },
  { prefix: 0xfd, codes: [0x53, 0x53], takes: [v128], gives: i32 },
  { prefix: 0xfd, codes: [0x63, 0x64], takes: [v128], gives: i32 },
  { prefix: 0xfd, codes: [0x6b, 0x6d], takes: [v128, i32], gives: v128 },
  { prefix: 0xfd, codes: [0x6e, 0x73], takes: [v128, v128], gives: v128 },
  { prefix: 0xfd, codes: [0xae, 0xae], takes: [v128, v128], gives: v128 },
  { prefix: 0xfd, codes: [0xb5, 0xba], takes: [v128, v128], gives: v128 },
  { prefix: 0xfd, codes: [0xd5, 0xdf], takes: [v128, v128], gives: v128 },
];

function leb(value: number): readonly number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, value >> 7];
}

function* operators(): Generator<SimpleOperator> {
  for (const { prefix, codes, takes, gives, mayTrap } of GROUPS) {
    for (let code = codes[0]; code <= codes[1]; code += 1) {
      yield {
        code: prefix === undefined ? [code] : [prefix, ...leb(code)],
        takes,
        gives,
        mayTrap: mayTrap ?? false,
      };
    }
  }
}

const ALL = [...operators()];

/** By the type that they give; with SIMD or without. */
export function operatorsThatGive(
  type: Type,
  options: { readonly simd: boolean },
): readonly SimpleOperator[] {
  return ALL.filter((op) => op.gives === type && (options.simd || !op.takes.includes(v128)));
}

export interface MemoryOperator {
  readonly code: readonly number[];
  readonly type: Type;
  /** Base 2 logarithm of its width. */
  readonly align: number;
}

function memoryOperators(
  first: number,
  rows: readonly (readonly [Type, number])[],
): readonly MemoryOperator[] {
  return rows.map(([type, align], index) => ({ code: [first + index], type, align }));
}

export const LOADS: readonly MemoryOperator[] = [
  ...memoryOperators(0x28, [
    [i32, 2],
    [i64, 3],
    [f32, 2],
    [f64, 3],
    [i32, 0],
    [i32, 0],
    [i32, 1],
    [i32, 1],
    [i64, 0],
    [i64, 0],
    [i64, 1],
    [i64, 1],
    [i64, 2],
    [i64, 2],
  ]),
  { code: [0xfd, 0x00], type: v128, align: 4 },
  { code: [0xfd, 0x07], type: v128, align: 0 },
  { code: [0xfd, 0x5d], type: v128, align: 3 },
];

/** Floats are stored as integers only: their bytes would show what kind of NaN it is. */
export const STORES: readonly MemoryOperator[] = [
  { code: [0x36], type: i32, align: 2 },
  { code: [0x37], type: i64, align: 3 },
  { code: [0x3a], type: i32, align: 0 },
  { code: [0x3b], type: i32, align: 1 },
  { code: [0x3c], type: i64, align: 0 },
  { code: [0x3d], type: i64, align: 1 },
  { code: [0x3e], type: i64, align: 2 },
  { code: [0xfd, 0x0b], type: v128, align: 4 },
];
