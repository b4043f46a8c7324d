import type { Immediate } from "./operator.ts";
import { OPERATORS } from "./operators.ts";

/** How the scanner steps over an operator. Up to `memarg`: straight code, which it steps over in one go. */
export const ACTION = {
  /** Nothing follows. */
  plain: 0,
  leb: 1,
  /** A local's index. */
  local: 2,
  memarg: 3,
  twoLebs: 4,
  /** {@link SKIP_BYTES} follow. */
  bytes: 5,
  memargLane: 6,
  types: 7,
  /** Read by its own code. */
  own: 8,
  refused: 9,
} as const;

const CODES = 1024;

/** Where operators with a prefix begin in the tables below. */
export const PREFIX_BASE: Readonly<Record<0 | 0xfc | 0xfd, number>> = { 0: 0, 0xfc: 256, 0xfd: 512 };

/** Codes of operators that the scanner reads itself. */
export const OP = {
  unreachable: 0x00,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  try: 0x06,
  catch: 0x07,
  throw: 0x08,
  rethrow: 0x09,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  brTable: 0x0e,
  return: 0x0f,
  call: 0x10,
  callIndirect: 0x11,
  returnCall: 0x12,
  returnCallIndirect: 0x13,
  delegate: 0x18,
  catchAll: 0x19,
  localGet: 0x20,
  localTee: 0x22,
  globalGet: 0x23,
  globalSet: 0x24,
  memoryGrow: 0x40,
  refFunc: 0xd2,
  // After 0xfc, from 256 on.
  memoryFill: 0x10b,
  tableGrow: 0x10f,
  tableFill: 0x111,
} as const;

/** Operators that the scanner reads itself, for what they do to control, calls or counters. */
const OWN = new Set([
  ..."unreachable block loop if else try catch throw rethrow end br br_if br_table return call call_indirect".split(
    " ",
  ),
  ..."return_call return_call_indirect delegate catch_all global.get".split(" "),
  ..."global.set memory.grow ref.func memory.init memory.copy memory.fill table.init table.copy".split(" "),
  ..."table.grow table.fill".split(" "),
]);

const ACTIONS: Readonly<Record<Immediate, number>> = {
  none: ACTION.plain,
  block: ACTION.own,
  label: ACTION.own,
  labels: ACTION.own,
  index: ACTION.leb,
  indices: ACTION.twoLebs,
  memarg: ACTION.memarg,
  memarg_lane: ACTION.memargLane,
  lane: ACTION.bytes,
  leb: ACTION.leb,
  "4 bytes": ACTION.bytes,
  "8 bytes": ACTION.bytes,
  "16 bytes": ACTION.bytes,
  types: ACTION.types,
  type: ACTION.bytes,
};

const BYTES: Partial<Readonly<Record<Immediate, number>>> = {
  lane: 1,
  type: 1,
  "4 bytes": 4,
  "8 bytes": 8,
  "16 bytes": 16,
};

/** How to step over each, by its code (with {@link PREFIX_BASE}). */
export const ACTION_OF: Uint8Array = new Uint8Array(CODES).fill(ACTION.refused);
/** Fuel of each. */
export const COST_OF: Uint8Array = new Uint8Array(CODES);
/** Operands that it leaves, less those that it takes; 0 where types decide. */
export const HEIGHT_OF: Int8Array = new Int8Array(CODES);
/** Bytes of its immediate, where {@link ACTION} says so. */
export const SKIP_BYTES: Uint8Array = new Uint8Array(CODES);

for (const operator of OPERATORS) {
  const code = PREFIX_BASE[operator.prefix] + operator.code;
  ACTION_OF[code] = OWN.has(operator.name) ? ACTION.own : ACTIONS[operator.immediate];
  if (operator.name.startsWith("local.")) {
    ACTION_OF[code] = ACTION.local;
  }
  COST_OF[code] = operator.cost;
  const [pops, pushes] = operator.effect ?? [0, 0];
  HEIGHT_OF[code] = pushes - pops;
  SKIP_BYTES[code] = BYTES[operator.immediate] ?? 0;
}

/** {@link ACTION_OF}, {@link COST_OF} and {@link HEIGHT_OF} in one number, for operators without a prefix. */
export const STRAIGHT: Int16Array = new Int16Array(256);
/** Bits of {@link STRAIGHT} that are the action. */
export const STRAIGHT_ACTION = 15;
/** Where the bit of the cost is. */
export const STRAIGHT_COST_SHIFT = 4;
/** Where the change of the height begins. */
export const STRAIGHT_HEIGHT_SHIFT = 5;

for (let code = 0; code < STRAIGHT.length; code++) {
  STRAIGHT[code] =
    (ACTION_OF[code] as number) |
    ((COST_OF[code] as number) << STRAIGHT_COST_SHIFT) |
    ((HEIGHT_OF[code] as number) << STRAIGHT_HEIGHT_SHIFT);
}

const REFUSED_PREFIXES: ReadonlyMap<number, string> = new Map([
  [0xfb, "garbage collection"],
  [0xfe, "atomics (threads)"],
]);

/** What an operator that is not in the tables belongs to. */
export function nameOfRefused(prefix: number, code: number): string {
  if (prefix === 0xfd && code >= 0x100) {
    return "relaxed SIMD";
  }
  const byPrefix = REFUSED_PREFIXES.get(prefix);
  if (byPrefix !== undefined) {
    return byPrefix;
  }
  if (prefix === 0) {
    return nameOfCore(code);
  }
  return `the operator 0x${prefix.toString(16)} 0x${code.toString(16)}`;
}

function nameOfCore(code: number): string {
  if (code === 0x0a || code === 0x1f) {
    return "exceptions with references (try_table, throw_ref)";
  }
  if (code === 0x14 || code === 0x15 || (code >= 0xd3 && code <= 0xd6)) {
    return "typed function references";
  }
  if (code >= 0xe0 && code <= 0xe6) {
    return "stack switching";
  }
  return `the operator 0x${code.toString(16)}`;
}
