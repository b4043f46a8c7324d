import type { AbiType } from "./abi-type.ts";

export const WORD_BYTES = 32;

/** One place in an array or tuple. */
export interface Slot {
  readonly type: AbiType;
  /** Whether the value sits behind an offset. */
  readonly isDynamic: boolean;
  /** Bytes the value takes where it stands: itself when static, else its offset. Never 0. */
  readonly headBytes: number;
}

/** Arrays and tuples, seen as one thing: so many items, each in its slot. */
export interface Sequence {
  readonly count: number;
  readonly headBytes: number;
  slotAt(index: number): Slot;
}

export function tupleSequence(types: readonly AbiType[]): Sequence {
  const slots = types.map(slotOf);
  return {
    count: slots.length,
    headBytes: slots.reduce((sum, slot) => sum + slot.headBytes, 0),
    slotAt: (index) => slots[index] ?? outOfRange(index),
  };
}

export function arraySequence(item: AbiType, count: number): Sequence {
  const slot = slotOf(item);
  return { count, headBytes: count * slot.headBytes, slotAt: () => slot };
}

function slotOf(type: AbiType): Slot {
  const dynamic = isDynamic(type);
  return { type, isDynamic: dynamic, headBytes: dynamic ? WORD_BYTES : staticBytes(type) };
}

function outOfRange(index: number): never {
  throw new RangeError(`no item ${index}`);
}

export function isDynamic(type: AbiType): boolean {
  switch (type.kind) {
    case "string":
    case "bytes":
    case "list":
      return true;
    case "array":
      return isDynamic(type.item);
    case "tuple":
      return type.items.some(isDynamic);
    default:
      return false;
  }
}

function staticBytes(type: AbiType): number {
  if (type.kind === "array") return type.length * staticBytes(type.item);
  if (type.kind === "tuple") return type.items.reduce((sum, item) => sum + staticBytes(item), 0);
  return WORD_BYTES;
}

/** Bytes rounded up to whole words. */
export function padded(sizeBytes: number): number {
  return Math.ceil(sizeBytes / WORD_BYTES) * WORD_BYTES;
}
