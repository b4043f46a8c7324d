import type { ByteWriter } from "./bytes.ts";
import { VALUE_TYPE } from "./facts.ts";
import { FAULT } from "./meter.ts";

/** Codes of the operators that the meter writes. */
export const CODE = {
  unreachable: 0x00,
  block: 0x02,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  br: 0x0c,
  return: 0x0f,
  call: 0x10,
  callIndirect: 0x11,
  returnCall: 0x12,
  localGet: 0x20,
  localSet: 0x21,
  localTee: 0x22,
  globalGet: 0x23,
  globalSet: 0x24,
  memorySize: 0x3f,
  memoryGrow: 0x40,
  i32Const: 0x41,
  i64Const: 0x42,
  i32Eq: 0x46,
  i32LtS: 0x48,
  i32GtU: 0x4b,
  i32LeU: 0x4d,
  i64LtS: 0x53,
  i32Add: 0x6a,
  i32Sub: 0x6b,
  i64Sub: 0x7d,
  i64ExtendI32U: 0xad,
  refFunc: 0xd2,
  prefixFc: 0xfc,
  tableGrow: 15,
  tableSize: 16,
} as const;

/** Block type without values. */
export const NO_VALUES = 0x40;

/** Fuel that a loop burns before it tells of it; a trap in one is off by at most this. */
export const LOOP_FUEL = 4096;
/** A charge in a loop that an i32 holds together with what the loop keeps. */
const MOST_IN_LOOP = 2 ** 30;

/** Indices of the globals that count. */
export interface CounterGlobals {
  readonly fuel: number;
  readonly stack: number;
  readonly pages: number;
  readonly elements: number;
  readonly fault: number;
}

/** The counters from a first index on, in the order in which they are exported or imported. */
export function countersFrom(first: number): CounterGlobals {
  return { fuel: first, stack: first + 1, pages: first + 2, elements: first + 3, fault: first + 4 };
}

/** Names and types of the counters, in their order. */
export const COUNTER_TYPES: readonly (readonly [name: keyof CounterGlobals, type: number])[] = [
  ["fuel", VALUE_TYPE.i64],
  ["stack", VALUE_TYPE.i32],
  ["pages", VALUE_TYPE.i32],
  ["elements", VALUE_TYPE.i32],
  ["fault", VALUE_TYPE.i32],
];

/** An operator and the index after it. */
export function writeIndexed(code: ByteWriter, operator: number, index: number): void {
  code.indexed(operator, index);
}

/** A constant. */
export function writeConst(code: ByteWriter, operator: number, value: number): void {
  code.u8(operator);
  code.sleb(value);
}

/** If the i64 on the stack is below 0, the run stops. */
const STOP_IF_NEGATIVE = Uint8Array.of(
  CODE.i64Const,
  0,
  CODE.i64LtS,
  CODE.if,
  NO_VALUES,
  CODE.unreachable,
  CODE.end,
);

/** If the local is below 0, stops the run. */
function writeStopIfNegative(code: ByteWriter, local: number): void {
  writeIndexed(code, CODE.localGet, local);
  code.copy(STOP_IF_NEGATIVE, 0, STOP_IF_NEGATIVE.length);
}

/** Burns fuel in the global counter, using an i64 local; stops when there was not enough. */
export function writeCharge(
  code: ByteWriter,
  fuel: number,
  { counters, local }: { readonly counters: CounterGlobals; readonly local: number },
): void {
  writeIndexed(code, CODE.globalGet, counters.fuel);
  writeConst(code, CODE.i64Const, fuel);
  code.u8(CODE.i64Sub);
  writeIndexed(code, CODE.localTee, local);
  writeIndexed(code, CODE.globalSet, counters.fuel);
  writeStopIfNegative(code, local);
}

/** Locals of a loop that keeps account of its fuel: i64, for a moment; i32, what is burnt and not told of yet. */
export interface LoopLocals {
  readonly counters: CounterGlobals;
  readonly local: number;
  readonly burnt: number;
}

/**
 * A loop that keeps account begins, or goes on after it told of all. Without the check, a loop around it whose every
 * charge is in here would go on without fuel, as nothing is checked when it is left.
 */
export function writeLoopStart(code: ByteWriter, locals: LoopLocals): void {
  writeLoopReset(code, locals);
  writeIndexed(code, CODE.globalGet, locals.counters.fuel);
  code.copy(STOP_IF_NEGATIVE, 0, STOP_IF_NEGATIVE.length);
}

/** Nothing is burnt that the counter does not know. */
function writeLoopReset(code: ByteWriter, { burnt }: LoopLocals): void {
  code.raw(CODE.i32Const, 0);
  writeIndexed(code, CODE.localSet, burnt);
}

/** The fuel that is left without as much as an i32 local says. */
function writeFuelLess(code: ByteWriter, counters: CounterGlobals, amount: number): void {
  writeIndexed(code, CODE.globalGet, counters.fuel);
  writeIndexed(code, CODE.localGet, amount);
  code.raw(CODE.i64ExtendI32U, CODE.i64Sub);
}

/** Tells the counter of what a loop has burnt; the loop is left. */
export function writeLoopStore(code: ByteWriter, { counters, burnt }: LoopLocals): void {
  writeFuelLess(code, counters, burnt);
  writeIndexed(code, CODE.globalSet, counters.fuel);
}

/**
 * Burns fuel in a local, and tells the counter of it once that is much. That stands in line though it is seldom run:
 * with a call in it, V8 would keep the loop's values in memory.
 */
export function writeLoopCharge(code: ByteWriter, fuel: number, locals: LoopLocals): void {
  const { counters, local, burnt } = locals;
  if (fuel > MOST_IN_LOOP) {
    writeCharge(code, fuel, { counters, local });
    return;
  }
  writeIndexed(code, CODE.localGet, burnt);
  writeConst(code, CODE.i32Const, fuel);
  code.u8(CODE.i32Add);
  writeIndexed(code, CODE.localTee, burnt);
  writeConst(code, CODE.i32Const, LOOP_FUEL);
  code.raw(CODE.i32GtU, CODE.if, NO_VALUES);
  writeFuelLess(code, counters, burnt);
  writeIndexed(code, CODE.localTee, local);
  writeIndexed(code, CODE.globalSet, counters.fuel);
  writeLoopReset(code, locals);
  writeStopIfNegative(code, local);
  code.u8(CODE.end);
}

/** Burns as much fuel as the i32 in local 0, using i64 local `scratch`. */
export function writeChargeParam(
  code: ByteWriter,
  param: number,
  { counters, scratch }: { readonly counters: CounterGlobals; readonly scratch: number },
): void {
  writeFuelLess(code, counters, param);
  writeIndexed(code, CODE.localTee, scratch);
  writeIndexed(code, CODE.globalSet, counters.fuel);
  writeStopIfNegative(code, scratch);
}

/** Stops the run with a fault. */
export function writeFault(code: ByteWriter, counters: CounterGlobals, fault: number): void {
  writeConst(code, CODE.i32Const, fault);
  writeIndexed(code, CODE.globalSet, counters.fault);
  code.u8(CODE.unreachable);
}

/** Takes bytes from the stack that is left (a local); stops when it is not enough. */
export function writeStackCheck(
  code: ByteWriter,
  bytes: number,
  { counters, left }: { readonly counters: CounterGlobals; readonly left: number },
): void {
  writeIndexed(code, CODE.localGet, left);
  writeConst(code, CODE.i32Const, bytes);
  code.u8(CODE.i32Sub);
  writeIndexed(code, CODE.localTee, left);
  code.raw(CODE.i32Const, 0, CODE.i32LtS, CODE.if, NO_VALUES);
  writeFault(code, counters, FAULT.stack);
  code.u8(CODE.end);
}
