import type { Immediate, OperatorGroup } from "./operator.ts";

type Effect = readonly [pops: number, pushes: number];

function simd(from: number, names: string, effect: Effect): OperatorGroup {
  return { prefix: 0xfd, feature: "SIMD", from, immediate: "none", effect, names };
}

function withImmediate(immediate: Immediate, group: OperatorGroup): OperatorGroup {
  return { ...group, immediate };
}

/** All that begin with the shape, such as `i8x16.`. */
function of(shape: string, names: string): string {
  return names
    .split(" ")
    .map((name) => `${shape}.${name}`)
    .join(" ");
}

const UNARY: Effect = [1, 1];
const BINARY: Effect = [2, 1];
const INTEGER_COMPARISONS = "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u";
const FLOAT_COMPARISONS = "eq ne lt gt le ge";
const SHIFTS_AND_SUMS = "shl shr_s shr_u add add_sat_s add_sat_u sub sub_sat_s sub_sat_u";
const FLOAT_BINARY = "add sub mul div min max pmin pmax";

function extensions(shape: string, from: string): string {
  return of(shape, `extend_low_${from}_s extend_high_${from}_s extend_low_${from}_u extend_high_${from}_u`);
}

function products(shape: string, from: string): string {
  return of(shape, `extmul_low_${from}_s extmul_high_${from}_s extmul_low_${from}_u extmul_high_${from}_u`);
}

/** The operators of fixed-width SIMD. Those of relaxed SIMD, from 0x100, are not deterministic. */
export const SIMD_GROUPS: readonly OperatorGroup[] = [
  withImmediate(
    "memarg",
    simd(0x00, of("v128", "load load8x8_s load8x8_u load16x4_s load16x4_u load32x2_s load32x2_u"), UNARY),
  ),
  withImmediate(
    "memarg",
    simd(0x07, of("v128", "load8_splat load16_splat load32_splat load64_splat"), UNARY),
  ),
  withImmediate("memarg", simd(0x0b, "v128.store", [2, 0])),
  withImmediate("16 bytes", simd(0x0c, "v128.const", [0, 1])),
  withImmediate("16 bytes", simd(0x0d, "i8x16.shuffle", BINARY)),
  simd(0x0e, "i8x16.swizzle", BINARY),
  simd(0x0f, "i8x16.splat i16x8.splat i32x4.splat i64x2.splat f32x4.splat f64x2.splat", UNARY),
  withImmediate("lane", simd(0x15, of("i8x16", "extract_lane_s extract_lane_u"), UNARY)),
  withImmediate("lane", simd(0x17, "i8x16.replace_lane", BINARY)),
  withImmediate("lane", simd(0x18, of("i16x8", "extract_lane_s extract_lane_u"), UNARY)),
  withImmediate("lane", simd(0x1a, "i16x8.replace_lane", BINARY)),
  withImmediate("lane", simd(0x1b, "i32x4.extract_lane", UNARY)),
  withImmediate("lane", simd(0x1c, "i32x4.replace_lane", BINARY)),
  withImmediate("lane", simd(0x1d, "i64x2.extract_lane", UNARY)),
  withImmediate("lane", simd(0x1e, "i64x2.replace_lane", BINARY)),
  withImmediate("lane", simd(0x1f, "f32x4.extract_lane", UNARY)),
  withImmediate("lane", simd(0x20, "f32x4.replace_lane", BINARY)),
  withImmediate("lane", simd(0x21, "f64x2.extract_lane", UNARY)),
  withImmediate("lane", simd(0x22, "f64x2.replace_lane", BINARY)),
  simd(0x23, of("i8x16", INTEGER_COMPARISONS), BINARY),
  simd(0x2d, of("i16x8", INTEGER_COMPARISONS), BINARY),
  simd(0x37, of("i32x4", INTEGER_COMPARISONS), BINARY),
  simd(0x41, of("f32x4", FLOAT_COMPARISONS), BINARY),
  simd(0x47, of("f64x2", FLOAT_COMPARISONS), BINARY),
  simd(0x4d, "v128.not", UNARY),
  simd(0x4e, of("v128", "and andnot or xor"), BINARY),
  simd(0x52, "v128.bitselect", [3, 1]),
  simd(0x53, "v128.any_true", UNARY),
  withImmediate(
    "memarg_lane",
    simd(0x54, of("v128", "load8_lane load16_lane load32_lane load64_lane"), BINARY),
  ),
  withImmediate(
    "memarg_lane",
    simd(0x58, of("v128", "store8_lane store16_lane store32_lane store64_lane"), [2, 0]),
  ),
  withImmediate("memarg", simd(0x5c, of("v128", "load32_zero load64_zero"), UNARY)),
  simd(0x5e, "f32x4.demote_f64x2_zero f64x2.promote_low_f32x4", UNARY),
  simd(0x60, of("i8x16", "abs neg popcnt all_true bitmask"), UNARY),
  simd(0x65, of("i8x16", "narrow_i16x8_s narrow_i16x8_u"), BINARY),
  simd(0x67, of("f32x4", "ceil floor trunc nearest"), UNARY),
  simd(0x6b, of("i8x16", SHIFTS_AND_SUMS), BINARY),
  simd(0x74, of("f64x2", "ceil floor"), UNARY),
  simd(0x76, of("i8x16", "min_s min_u max_s max_u"), BINARY),
  simd(0x7a, "f64x2.trunc", UNARY),
  simd(0x7b, "i8x16.avgr_u", BINARY),
  simd(0x7c, of("i16x8", "extadd_pairwise_i8x16_s extadd_pairwise_i8x16_u"), UNARY),
  simd(0x7e, of("i32x4", "extadd_pairwise_i16x8_s extadd_pairwise_i16x8_u"), UNARY),
  simd(0x80, of("i16x8", "abs neg"), UNARY),
  simd(0x82, "i16x8.q15mulr_sat_s", BINARY),
  simd(0x83, of("i16x8", "all_true bitmask"), UNARY),
  simd(0x85, of("i16x8", "narrow_i32x4_s narrow_i32x4_u"), BINARY),
  simd(0x87, extensions("i16x8", "i8x16"), UNARY),
  simd(0x8b, of("i16x8", SHIFTS_AND_SUMS), BINARY),
  simd(0x94, "f64x2.nearest", UNARY),
  simd(0x95, of("i16x8", "mul min_s min_u max_s max_u"), BINARY),
  simd(0x9b, "i16x8.avgr_u", BINARY),
  simd(0x9c, products("i16x8", "i8x16"), BINARY),
  simd(0xa0, of("i32x4", "abs neg"), UNARY),
  simd(0xa3, of("i32x4", "all_true bitmask"), UNARY),
  simd(0xa7, extensions("i32x4", "i16x8"), UNARY),
  simd(0xab, of("i32x4", "shl shr_s shr_u add"), BINARY),
  simd(0xb1, "i32x4.sub", BINARY),
  simd(0xb5, of("i32x4", "mul min_s min_u max_s max_u dot_i16x8_s"), BINARY),
  simd(0xbc, products("i32x4", "i16x8"), BINARY),
  simd(0xc0, of("i64x2", "abs neg"), UNARY),
  simd(0xc3, of("i64x2", "all_true bitmask"), UNARY),
  simd(0xc7, extensions("i64x2", "i32x4"), UNARY),
  simd(0xcb, of("i64x2", "shl shr_s shr_u add"), BINARY),
  simd(0xd1, "i64x2.sub", BINARY),
  simd(0xd5, of("i64x2", "mul eq ne lt_s gt_s le_s ge_s"), BINARY),
  simd(0xdc, products("i64x2", "i32x4"), BINARY),
  simd(0xe0, of("f32x4", "abs neg"), UNARY),
  simd(0xe3, "f32x4.sqrt", UNARY),
  simd(0xe4, of("f32x4", FLOAT_BINARY), BINARY),
  simd(0xec, of("f64x2", "abs neg"), UNARY),
  simd(0xef, "f64x2.sqrt", UNARY),
  simd(0xf0, of("f64x2", FLOAT_BINARY), BINARY),
  simd(0xf8, of("i32x4", "trunc_sat_f32x4_s trunc_sat_f32x4_u"), UNARY),
  simd(0xfa, of("f32x4", "convert_i32x4_s convert_i32x4_u"), UNARY),
  simd(0xfc, of("i32x4", "trunc_sat_f64x2_s_zero trunc_sat_f64x2_u_zero"), UNARY),
  simd(0xfe, of("f64x2", "convert_low_i32x4_s convert_low_i32x4_u"), UNARY),
];
