import { AbiError } from "./abi-error.ts";
import { arraySequence, isDynamic, padded, type Sequence, tupleSequence, WORD_BYTES } from "./abi-layout.ts";
import { type AbiType, asAbiType } from "./abi-type.ts";
import { type AbiValue, typedAt } from "./abi-value.ts";
import { hexToBytes } from "./hex.ts";

/**
 * Encodes values as Solidity's `abi.encode` does.
 *
 * @param values one for each type, in any form that `toTyped` accepts
 * @throws {AbiError} BAD_VALUE naming the place, as in `value[2][0]`; BAD_TYPE
 *
 * @example
 * ```ts
 * import { bytesToHex, encodeAbi } from "@subnet-worker/activity-spec";
 *
 * bytesToHex(encodeAbi(["uint8", "string"], [1, "key"]));
 * ```
 */
export function encodeAbi(types: readonly (AbiType | string)[], values: readonly unknown[]): Uint8Array {
  if (types.length !== values.length) {
    throw new AbiError("BAD_VALUE", [`expected ${types.length} values, got ${values.length}`]);
  }
  const parsed = types.map(asAbiType);
  const path = { key: "value" };
  return encodeTyped(
    parsed,
    parsed.map((type, index) => typedAt(type, values[index], { parent: path, key: index })),
  );
}

/** Encodes values that are known to fit their types. */
export function encodeTyped(types: readonly AbiType[], values: readonly AbiValue[]): Uint8Array {
  const sequence = tupleSequence(types);
  const encoder = new Encoder(sizeOfSequence(sequence, values));
  encoder.sequence(sequence, values, encoder.reserve(sequence.headBytes));
  return encoder.bytes;
}

const UTF8 = new TextEncoder();

/**
 * Writes into a buffer of the exact size. Heads go where the caller says; tails
 * go to the cursor, in order, which is the one layout that `abi.encode` makes.
 */
class Encoder {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  #cursor = 0;

  constructor(sizeBytes: number) {
    this.bytes = new Uint8Array(sizeBytes);
    this.#view = new DataView(this.bytes.buffer);
  }

  /** Takes the next bytes of the tail and says where they start. */
  reserve(sizeBytes: number): number {
    const start = this.#cursor;
    this.#cursor += sizeBytes;
    return start;
  }

  sequence(sequence: Sequence, values: readonly AbiValue[], start: number): void {
    let head = start;
    values.forEach((value, index) => {
      const slot = sequence.slotAt(index);
      if (slot.isDynamic) {
        this.#word(head, BigInt(this.#cursor - start));
        this.#tail(slot.type, value);
      } else {
        this.#inPlace(slot.type, value, head);
      }
      head += slot.headBytes;
    });
  }

  #tail(type: AbiType, value: AbiValue): void {
    if (type.kind === "string" || type.kind === "bytes") {
      const bytes = typeof value === "string" ? UTF8.encode(value) : (value as Uint8Array);
      this.#word(this.reserve(WORD_BYTES), BigInt(bytes.length));
      this.bytes.set(bytes, this.reserve(padded(bytes.length)));
      return;
    }
    const items = value as readonly AbiValue[];
    if (type.kind === "list") this.#word(this.reserve(WORD_BYTES), BigInt(items.length));
    const sequence = sequenceOf(type, items.length);
    this.sequence(sequence, items, this.reserve(sequence.headBytes));
  }

  #inPlace(type: AbiType, value: AbiValue, at: number): void {
    if (typeof value === "boolean") this.#word(at, value ? 1n : 0n);
    else if (typeof value === "number" || typeof value === "bigint") this.#word(at, BigInt(value));
    else if (typeof value === "string") this.bytes.set(hexToBytes(value), at + 12); // an address, right-aligned
    else if (value instanceof Uint8Array) this.bytes.set(value, at);
    else this.sequence(sequenceOf(type, value.length), value, at);
  }

  /** Two's complement for negative numbers. */
  #word(at: number, value: bigint): void {
    for (let part = 3; part >= 0; part--) {
      this.#view.setBigUint64(at + part * 8, BigInt.asUintN(64, value >> BigInt((3 - part) * 64)));
    }
  }
}

function sequenceOf(type: AbiType, count: number): Sequence {
  if (type.kind === "tuple") return tupleSequence(type.items);
  if (type.kind === "list" || type.kind === "array") return arraySequence(type.item, count);
  throw new RangeError(`${type.kind} has no items`);
}

function sizeOfSequence(sequence: Sequence, values: readonly AbiValue[]): number {
  return values.reduce<number>((sum, value, index) => {
    const slot = sequence.slotAt(index);
    return slot.isDynamic ? sum + tailBytes(slot.type, value) : sum;
  }, sequence.headBytes);
}

function tailBytes(type: AbiType, value: AbiValue): number {
  if (typeof value === "string") return WORD_BYTES + padded(Buffer.byteLength(value));
  if (value instanceof Uint8Array) return WORD_BYTES + padded(value.length);
  if (typeof value !== "object" || !isDynamic(type)) throw new RangeError(`${type.kind} has no tail`);
  return (type.kind === "list" ? WORD_BYTES : 0) + sizeOfSequence(sequenceOf(type, value.length), value);
}
