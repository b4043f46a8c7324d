import type { Operator, OperatorGroup } from "./operator.ts";
import { SIMD_GROUPS } from "./operators-simd.ts";

const mvp = { prefix: 0, feature: "mvp" } as const;
const bulk = { prefix: 0xfc, feature: "bulk memory" } as const;
const references = { feature: "reference types" } as const;
const exceptions = { prefix: 0, feature: "exceptions" } as const;
const tails = { prefix: 0, feature: "tail calls" } as const;

const I32_COMPARISONS =
  "i32.eq i32.ne i32.lt_s i32.lt_u i32.gt_s i32.gt_u i32.le_s i32.le_u i32.ge_s i32.ge_u";
const I64_COMPARISONS =
  "i64.eq i64.ne i64.lt_s i64.lt_u i64.gt_s i64.gt_u i64.le_s i64.le_u i64.ge_s i64.ge_u";
const FLOAT_COMPARISONS =
  "f32.eq f32.ne f32.lt f32.gt f32.le f32.ge f64.eq f64.ne f64.lt f64.gt f64.le f64.ge";
const LOADS =
  "i32.load i64.load f32.load f64.load i32.load8_s i32.load8_u i32.load16_s i32.load16_u " +
  "i64.load8_s i64.load8_u i64.load16_s i64.load16_u i64.load32_s i64.load32_u";
const STORES =
  "i32.store i64.store f32.store f64.store i32.store8 i32.store16 i64.store8 i64.store16 i64.store32";
const I32_BINARY =
  "i32.add i32.sub i32.mul i32.div_s i32.div_u i32.rem_s i32.rem_u i32.and i32.or i32.xor " +
  "i32.shl i32.shr_s i32.shr_u i32.rotl i32.rotr";
const CONVERSIONS =
  "i32.wrap_i64 i32.trunc_f32_s i32.trunc_f32_u i32.trunc_f64_s i32.trunc_f64_u i64.extend_i32_s i64.extend_i32_u " +
  "i64.trunc_f32_s i64.trunc_f32_u i64.trunc_f64_s i64.trunc_f64_u f32.convert_i32_s f32.convert_i32_u " +
  "f32.convert_i64_s f32.convert_i64_u f32.demote_f64 f64.convert_i32_s f64.convert_i32_u f64.convert_i64_s " +
  "f64.convert_i64_u f64.promote_f32 i32.reinterpret_f32 i64.reinterpret_f64 f32.reinterpret_i32 f64.reinterpret_i64";

const CORE_GROUPS: readonly OperatorGroup[] = [
  { ...mvp, from: 0x00, immediate: "none", cost: 0, names: "unreachable" },
  { ...mvp, from: 0x01, immediate: "none", effect: [0, 0], cost: 0, names: "nop" },
  { ...mvp, from: 0x02, immediate: "block", cost: 0, names: "block loop" },
  { ...mvp, from: 0x04, immediate: "block", names: "if" },
  { ...mvp, from: 0x05, immediate: "none", cost: 0, names: "else" },
  { ...exceptions, from: 0x06, immediate: "block", cost: 0, names: "try" },
  { ...exceptions, from: 0x07, immediate: "index", cost: 0, names: "catch" },
  { ...exceptions, from: 0x08, immediate: "index", names: "throw" },
  { ...exceptions, from: 0x09, immediate: "label", names: "rethrow" },
  { ...mvp, from: 0x0b, immediate: "none", cost: 0, names: "end" },
  { ...mvp, from: 0x0c, immediate: "label", names: "br br_if" },
  { ...mvp, from: 0x0e, immediate: "labels", names: "br_table" },
  { ...mvp, from: 0x0f, immediate: "none", cost: 0, names: "return" },
  { ...mvp, from: 0x10, immediate: "index", names: "call" },
  { ...mvp, from: 0x11, immediate: "indices", names: "call_indirect" },
  { ...tails, from: 0x12, immediate: "index", names: "return_call" },
  { ...tails, from: 0x13, immediate: "indices", names: "return_call_indirect" },
  { ...exceptions, from: 0x18, immediate: "label", cost: 0, names: "delegate" },
  { ...exceptions, from: 0x19, immediate: "none", cost: 0, names: "catch_all" },
  { ...mvp, from: 0x1a, immediate: "none", effect: [1, 0], cost: 0, names: "drop" },
  { ...mvp, from: 0x1b, immediate: "none", effect: [3, 1], names: "select" },
  { ...references, prefix: 0, from: 0x1c, immediate: "types", effect: [3, 1], names: "select_t" },
  { ...mvp, from: 0x20, immediate: "index", effect: [0, 1], names: "local.get" },
  { ...mvp, from: 0x21, immediate: "index", effect: [1, 0], names: "local.set" },
  { ...mvp, from: 0x22, immediate: "index", effect: [1, 1], names: "local.tee" },
  { ...mvp, from: 0x23, immediate: "index", effect: [0, 1], names: "global.get" },
  { ...mvp, from: 0x24, immediate: "index", effect: [1, 0], names: "global.set" },
  { ...references, prefix: 0, from: 0x25, immediate: "index", effect: [1, 1], names: "table.get" },
  { ...references, prefix: 0, from: 0x26, immediate: "index", effect: [2, 0], names: "table.set" },
  { ...mvp, from: 0x28, immediate: "memarg", effect: [1, 1], names: LOADS },
  { ...mvp, from: 0x36, immediate: "memarg", effect: [2, 0], names: STORES },
  { ...mvp, from: 0x3f, immediate: "index", effect: [0, 1], names: "memory.size" },
  { ...mvp, from: 0x40, immediate: "index", effect: [1, 1], names: "memory.grow" },
  { ...mvp, from: 0x41, immediate: "leb", effect: [0, 1], names: "i32.const i64.const" },
  { ...mvp, from: 0x43, immediate: "4 bytes", effect: [0, 1], names: "f32.const" },
  { ...mvp, from: 0x44, immediate: "8 bytes", effect: [0, 1], names: "f64.const" },
  { ...mvp, from: 0x45, immediate: "none", effect: [1, 1], names: "i32.eqz" },
  { ...mvp, from: 0x46, immediate: "none", effect: [2, 1], names: I32_COMPARISONS },
  { ...mvp, from: 0x50, immediate: "none", effect: [1, 1], names: "i64.eqz" },
  { ...mvp, from: 0x51, immediate: "none", effect: [2, 1], names: I64_COMPARISONS },
  { ...mvp, from: 0x5b, immediate: "none", effect: [2, 1], names: FLOAT_COMPARISONS },
  { ...mvp, from: 0x67, immediate: "none", effect: [1, 1], names: "i32.clz i32.ctz i32.popcnt" },
  { ...mvp, from: 0x6a, immediate: "none", effect: [2, 1], names: I32_BINARY },
  { ...mvp, from: 0x79, immediate: "none", effect: [1, 1], names: "i64.clz i64.ctz i64.popcnt" },
  { ...mvp, from: 0x7c, immediate: "none", effect: [2, 1], names: I32_BINARY.replaceAll("i32", "i64") },
  {
    ...mvp,
    from: 0x8b,
    immediate: "none",
    effect: [1, 1],
    names: "f32.abs f32.neg f32.ceil f32.floor f32.trunc f32.nearest f32.sqrt",
  },
  {
    ...mvp,
    from: 0x92,
    immediate: "none",
    effect: [2, 1],
    names: "f32.add f32.sub f32.mul f32.div f32.min f32.max f32.copysign",
  },
  {
    ...mvp,
    from: 0x99,
    immediate: "none",
    effect: [1, 1],
    names: "f64.abs f64.neg f64.ceil f64.floor f64.trunc f64.nearest f64.sqrt",
  },
  {
    ...mvp,
    from: 0xa0,
    immediate: "none",
    effect: [2, 1],
    names: "f64.add f64.sub f64.mul f64.div f64.min f64.max f64.copysign",
  },
  { ...mvp, from: 0xa7, immediate: "none", effect: [1, 1], names: CONVERSIONS },
  {
    prefix: 0,
    feature: "sign extension",
    from: 0xc0,
    immediate: "none",
    effect: [1, 1],
    names: "i32.extend8_s i32.extend16_s i64.extend8_s i64.extend16_s i64.extend32_s",
  },
  { ...references, prefix: 0, from: 0xd0, immediate: "type", effect: [0, 1], names: "ref.null" },
  { ...references, prefix: 0, from: 0xd1, immediate: "none", effect: [1, 1], names: "ref.is_null" },
  { ...references, prefix: 0, from: 0xd2, immediate: "index", effect: [0, 1], names: "ref.func" },
  {
    prefix: 0xfc,
    feature: "saturating conversions",
    from: 0,
    immediate: "none",
    effect: [1, 1],
    names:
      "i32.trunc_sat_f32_s i32.trunc_sat_f32_u i32.trunc_sat_f64_s i32.trunc_sat_f64_u " +
      "i64.trunc_sat_f32_s i64.trunc_sat_f32_u i64.trunc_sat_f64_s i64.trunc_sat_f64_u",
  },
  { ...bulk, from: 8, immediate: "indices", effect: [3, 0], names: "memory.init" },
  { ...bulk, from: 9, immediate: "index", effect: [0, 0], names: "data.drop" },
  { ...bulk, from: 10, immediate: "indices", effect: [3, 0], names: "memory.copy" },
  { ...bulk, from: 11, immediate: "index", effect: [3, 0], names: "memory.fill" },
  { ...bulk, from: 12, immediate: "indices", effect: [3, 0], names: "table.init" },
  { ...bulk, from: 13, immediate: "index", effect: [0, 0], names: "elem.drop" },
  { ...bulk, from: 14, immediate: "indices", effect: [3, 0], names: "table.copy" },
  { ...references, prefix: 0xfc, from: 15, immediate: "index", effect: [2, 1], names: "table.grow" },
  { ...references, prefix: 0xfc, from: 16, immediate: "index", effect: [0, 1], names: "table.size" },
  { ...references, prefix: 0xfc, from: 17, immediate: "index", effect: [3, 0], names: "table.fill" },
];

function* operatorsOf(groups: readonly OperatorGroup[]): Generator<Operator> {
  for (const { from, names, cost, ...rest } of groups) {
    for (const [index, name] of names.split(" ").entries()) {
      yield { ...rest, name, code: from + index, cost: cost ?? 1 };
    }
  }
}

/** Every operator that is metered. What is not here is refused. */
export const OPERATORS: readonly Operator[] = [...operatorsOf([...CORE_GROUPS, ...SIMD_GROUPS])];
