// Invariants:
// 1. Every value has one encoding. Tails follow each other without gap or overlap,
//    in order, and nothing is left over; so decoding reads each byte once, and
//    encoding a decoded value gives the same bytes back.
// 2. Nothing is allocated before the bytes it is made from are known to be there.
//    No type is of zero size, so a length is bounded by the bytes that are left.
import { AbiError } from "./abi-error.ts";
import { arraySequence, padded, type Sequence, tupleSequence, WORD_BYTES } from "./abi-layout.ts";
import { type AbiType, asAbiType, formatAbiType } from "./abi-type.ts";
import { type AbiValue, isNarrow } from "./abi-value.ts";
import { type FieldPath, formatPath } from "./field-path.ts";
import { bytesToHex, hexToBytes, isHex } from "./hex.ts";

/**
 * Decodes what Solidity's `abi.encode` makes, and nothing else: offsets that jump,
 * overlap or leave gaps, dirty padding, bools other than 0 and 1, broken UTF-8
 * and left-over bytes are refused.
 *
 * @param data bytes, or 0x-prefixed hex
 * @returns one value for each type, in the form of `toTyped`
 * @throws {AbiError} BAD_DATA naming the place, as in `value[2][0]`; BAD_TYPE
 */
export function decodeAbi(types: readonly (AbiType | string)[], data: Uint8Array | string): AbiValue[] {
  const path = { key: "value" };
  return decodeNamed(types.map(asAbiType), data, (index) => ({ parent: path, key: index }));
}

/** {@link decodeAbi} with the caller's names for the values. */
export function decodeNamed(
  types: readonly AbiType[],
  data: Uint8Array | string,
  pathAt: (index: number) => FieldPath,
): AbiValue[] {
  const decoder = new Decoder(asBytes(data));
  return decoder.all(tupleSequence(types), pathAt);
}

function asBytes(data: Uint8Array | string): Uint8Array {
  if (typeof data !== "string") return data;
  if (!isHex(data))
    throw new AbiError("BAD_DATA", ["the data is not hex; expected 0x and an even number of hex digits"]);
  return hexToBytes(data);
}

// ignoreBOM keeps a leading U+FEFF, which is text like any other here.
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

interface Place {
  readonly start: number;
  readonly pathAt: (index: number) => FieldPath;
}

class Decoder {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** Start of the next tail: everything before it has been read or belongs to a head. */
  #cursor = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  all(sequence: Sequence, pathAt: (index: number) => FieldPath): AbiValue[] {
    if (this.#bytes.length < sequence.headBytes) {
      throw new AbiError("BAD_DATA", [
        `the data has ${this.#bytes.length} bytes, too few for ${sequence.count} values: ` +
          `they take ${sequence.headBytes} or more; compare the parameters with the contract's`,
      ]);
    }
    this.#cursor = sequence.headBytes;
    const values = this.#sequence(sequence, { start: 0, pathAt });
    const left = this.#bytes.length - this.#cursor;
    if (left > 0) {
      throw new AbiError("BAD_DATA", [
        `${left} bytes are left over after the last value; compare the parameters with the contract's`,
      ]);
    }
    return values;
  }

  #sequence(sequence: Sequence, { start, pathAt }: Place): AbiValue[] {
    const values: AbiValue[] = [];
    let head = start;
    for (let index = 0; index < sequence.count; index++) {
      const slot = sequence.slotAt(index);
      const path = pathAt(index);
      if (slot.isDynamic) {
        this.#expectOffset(head, this.#cursor - start, path);
        values.push(this.#tail(slot.type, path));
      } else {
        values.push(this.#inPlace(slot.type, head, path));
      }
      head += slot.headBytes;
    }
    return values;
  }

  #tail(type: AbiType, path: FieldPath): AbiValue {
    switch (type.kind) {
      case "string":
        return this.#text(this.#blob(path), path);
      case "bytes":
        return new Uint8Array(this.#blob(path));
      case "list":
        return this.#items(arraySequence(type.item, this.#length(path)), path);
      default:
        return this.#items(sequenceOf(type), path);
    }
  }

  #items(sequence: Sequence, path: FieldPath): AbiValue[] {
    const start = this.#take(sequence.headBytes, path);
    return this.#sequence(sequence, { start, pathAt: (index) => ({ parent: path, key: index }) });
  }

  #inPlace(type: AbiType, at: number, path: FieldPath): AbiValue {
    switch (type.kind) {
      case "uint":
      case "int":
        return this.#integer(type, at, path);
      case "bool": {
        const word = this.#word(at);
        if (word > 1n) this.#refuse(path, "a bool must be 0 or 1");
        return word === 1n;
      }
      case "address":
        this.#expectZeros(at, at + 12, path);
        return bytesToHex(this.#bytes.subarray(at + 12, at + WORD_BYTES));
      case "fixed-bytes":
        this.#expectZeros(at + type.sizeBytes, at + WORD_BYTES, path);
        return new Uint8Array(this.#bytes.subarray(at, at + type.sizeBytes));
      default:
        return this.#sequence(sequenceOf(type), {
          start: at,
          pathAt: (index) => ({ parent: path, key: index }),
        });
    }
  }

  #integer(type: AbiType & { bits: number }, at: number, path: FieldPath): number | bigint {
    const word = this.#word(at);
    const value = type.kind === "uint" ? BigInt.asUintN(type.bits, word) : BigInt.asIntN(type.bits, word);
    if (BigInt.asUintN(256, value) !== word) {
      this.#refuse(path, `the number does not fit ${formatAbiType(type)}: the bits above it are dirty`);
    }
    return isNarrow(type.bits) ? Number(value) : value;
  }

  /** Bytes with their length before them. A view, not a copy. */
  #blob(path: FieldPath): Uint8Array {
    const length = this.#length(path);
    const start = this.#take(padded(length), path);
    this.#expectZeros(start + length, start + padded(length), path);
    return this.#bytes.subarray(start, start + length);
  }

  #text(bytes: Uint8Array, path: FieldPath): string {
    try {
      return UTF8.decode(bytes);
    } catch {
      return this.#refuse(path, "the text is not valid UTF-8");
    }
  }

  #length(path: FieldPath): number {
    const length = this.#word(this.#take(WORD_BYTES, path));
    // Each item and each byte takes at least one byte of what is left.
    if (length > BigInt(this.#bytes.length - this.#cursor)) {
      this.#refuse(
        path,
        `its length of ${length} exceeds the ${this.#bytes.length - this.#cursor} bytes that are left`,
      );
    }
    return Number(length);
  }

  /** Takes the next bytes of the tail and says where they start. */
  #take(sizeBytes: number, path: FieldPath): number {
    const left = this.#bytes.length - this.#cursor;
    if (sizeBytes > left) this.#refuse(path, `it takes ${sizeBytes} bytes, but only ${left} are left`);
    const start = this.#cursor;
    this.#cursor += sizeBytes;
    return start;
  }

  #expectOffset(at: number, expected: number, path: FieldPath): void {
    const offset = this.#word(at);
    if (offset !== BigInt(expected)) {
      this.#refuse(path, `its offset is ${offset}, where abi.encode writes ${expected}`);
    }
  }

  #expectZeros(from: number, to: number, path: FieldPath): void {
    for (let at = from; at < to; at++) {
      if (this.#bytes[at] !== 0) this.#refuse(path, "its padding is not zero");
    }
  }

  #word(at: number): bigint {
    let word = 0n;
    for (let part = 0; part < 4; part++) word = (word << 64n) | this.#view.getBigUint64(at + part * 8);
    return word;
  }

  #refuse(path: FieldPath, what: string): never {
    throw new AbiError("BAD_DATA", [
      `${formatPath(path)}: ${what}; compare the parameter's type with the contract's`,
    ]);
  }
}

function sequenceOf(type: AbiType): Sequence {
  if (type.kind === "tuple") return tupleSequence(type.items);
  if (type.kind === "array") return arraySequence(type.item, type.length);
  throw new RangeError(`${type.kind} has no items`);
}
