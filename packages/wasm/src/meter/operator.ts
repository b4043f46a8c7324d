/** What follows an operator's code. */
export type Immediate =
  | "none"
  /** Block type; label; labels; index of a type and a table: read by the scanner itself. */
  | "block"
  | "label"
  | "labels"
  | "index"
  | "indices"
  | "memarg"
  /** One byte each: memarg and lane, lane. */
  | "memarg_lane"
  | "lane"
  /** LEB128, signed. */
  | "leb"
  | "4 bytes"
  | "8 bytes"
  | "16 bytes"
  | "types"
  | "type";

/** Part of WebAssembly that an operator came with. */
export type Feature =
  | "mvp"
  | "sign extension"
  | "saturating conversions"
  | "bulk memory"
  | "reference types"
  | "SIMD"
  | "tail calls"
  | "exceptions";

/** Operators with consecutive codes that are alike. */
export interface OperatorGroup {
  /** 0 for none, 0xfc, 0xfd. */
  readonly prefix: 0 | 0xfc | 0xfd;
  /** Code of the first name, after the prefix. */
  readonly from: number;
  readonly feature: Feature;
  readonly immediate: Immediate;
  /** Operands that it takes and leaves. Left out where the types of a module decide. */
  readonly effect?: readonly [pops: number, pushes: number];
  /** What it costs; 1 when left out. */
  readonly cost?: 0;
  /** By spaces, one for each code. */
  readonly names: string;
}

/** One operator as the meter knows it. */
export interface Operator extends Omit<OperatorGroup, "from" | "names" | "cost"> {
  readonly name: string;
  /** After the prefix. */
  readonly code: number;
  readonly cost: 0 | 1;
}
