import { badModule } from "./refusals.ts";

const textDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Reads the binary format within bounds. Every method throws `BAD_MODULE` for bytes that end or encode too much. */
export class ByteReader {
  readonly bytes: Uint8Array;
  /** Where the next byte is read. */
  pos: number;
  /** Where reading ends. */
  end: number;

  constructor(bytes: Uint8Array, pos: number = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.pos = pos;
    this.end = end;
  }

  /** One byte. */
  u8(): number {
    if (this.pos >= this.end) {
      throw badModule(`the module ends within a value at byte ${this.pos}`);
    }
    return this.bytes[this.pos++] as number;
  }

  /** LEB128 of at most 32 bits, unsigned. */
  u32(): number {
    const first = this.bytes[this.pos] as number;
    if (first < 0x80) {
      this.pos++;
      return first;
    }
    return this.#longU32();
  }

  #longU32(): number {
    const at = this.pos;
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.u8();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (shift === 28 && byte > 15) {
          break;
        }
        return value >>> 0;
      }
    }
    throw badModule(`the number at byte ${at} does not fit into 32 bits`);
  }

  /** Steps over a LEB128 of at most 64 bits, signed or not. */
  skipLeb(): void {
    const at = this.pos;
    while (this.u8() >= 0x80) {
      if (this.pos - at >= 10) {
        throw badModule(`the number at byte ${at} does not fit into 64 bits`);
      }
    }
  }

  /** Steps over a LEB128 if it is negative, and says so; bit 6 of its last byte is its sign. */
  skipNegative(): boolean {
    let { pos } = this;
    while ((this.bytes[pos] as number) >= 0x80) {
      pos++;
    }
    const isNegative = ((this.bytes[pos] as number) & 0x40) !== 0;
    this.pos = isNegative ? pos + 1 : this.pos;
    return isNegative;
  }

  /** Steps over bytes. */
  skip(length: number): void {
    if (length > this.end - this.pos) {
      throw badModule(`the module ends within a value at byte ${this.pos}`);
    }
    this.pos += length;
  }

  /** Length of a vector: no longer than the bytes that are left, since each item takes at least one. */
  count(): number {
    const at = this.pos;
    const count = this.u32();
    if (count > this.end - this.pos) {
      throw badModule(`the vector at byte ${at} is longer than what holds it`);
    }
    return count;
  }

  /** A name: UTF-8 with its length. */
  name(): string {
    const length = this.count();
    this.pos += length;
    try {
      return textDecoder.decode(this.bytes.subarray(this.pos - length, this.pos));
    } catch (error) {
      throw badModule(`the name at byte ${this.pos - length} is not UTF-8`, error);
    }
  }

  /** Nothing may be left. */
  expectEnd(what: string): void {
    if (this.pos !== this.end) {
      throw badModule(`${what} ends at byte ${this.pos} and should end at ${this.end}`);
    }
  }
}

/** From here on a copy by V8's own means is faster, though it makes a view. */
const LONG_COPY_BYTES = 128;

/** Appends to bytes that grow. */
export class ByteWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  /** Bytes written. */
  length = 0;

  constructor(capacityBytes: number = 256) {
    this.#bytes = new Uint8Array(capacityBytes);
  }

  #reserve(more: number): Uint8Array<ArrayBuffer> {
    if (this.length + more > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.length + more, this.#bytes.length * 2));
      larger.set(this.#bytes.subarray(0, this.length));
      this.#bytes = larger;
    }
    return this.#bytes;
  }

  /** One byte. */
  u8(value: number): void {
    const bytes = this.#reserve(1);
    bytes[this.length++] = value;
  }

  /** An operator and the LEB128 after it, unsigned; up to 32 bits. */
  indexed(operator: number, index: number): void {
    const bytes = this.#reserve(6);
    bytes[this.length++] = operator;
    if (index < 0x80) {
      bytes[this.length++] = index;
    } else {
      this.u32(index);
    }
  }

  /** Bytes as they are. */
  raw(...values: readonly number[]): void {
    const bytes = this.#reserve(values.length);
    for (const value of values) {
      bytes[this.length++] = value;
    }
  }

  /** LEB128, unsigned; up to 32 bits. */
  u32(value: number): void {
    const bytes = this.#reserve(5);
    let rest = value;
    while (rest >= 0x80) {
      bytes[this.length++] = (rest & 0x7f) | 0x80;
      rest = Math.floor(rest / 128);
    }
    bytes[this.length++] = rest;
  }

  /** LEB128, signed; an integer that a number holds exactly. */
  sleb(value: number): void {
    const bytes = this.#reserve(10);
    let rest = value;
    while (rest < -64 || rest > 63) {
      const low = ((rest % 128) + 128) % 128;
      bytes[this.length++] = low | 0x80;
      rest = (rest - low) / 128;
    }
    bytes[this.length++] = rest & 0x7f;
  }

  /** A name: UTF-8 with its length. */
  name(text: string): void {
    const encoded = new TextEncoder().encode(text);
    this.u32(encoded.length);
    this.copy(encoded, 0, encoded.length);
  }

  /** Part of other bytes. */
  copy(source: Uint8Array, from: number, to: number): void {
    const length = to - from;
    const bytes = this.#reserve(length);
    const start = this.length;
    this.length = start + length;
    if (length < LONG_COPY_BYTES) {
      for (let index = 0; index < length; index++) {
        bytes[start + index] = source[from + index] as number;
      }
      return;
    }
    bytes.set(source.subarray(from, to), start);
  }

  /** All of another writer's bytes. */
  append(other: ByteWriter): void {
    this.copy(other.#bytes, 0, other.length);
  }

  /** What was written; valid until more is. */
  view(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.length);
  }

  /** Forgets what was written, and keeps the space. */
  clear(): void {
    this.length = 0;
  }
}

/** Numbers that grow; flat, since there are as many as operators in a module. */
export class NumberList {
  values: Int32Array<ArrayBuffer>;
  length = 0;

  constructor(capacity: number = 64) {
    this.values = new Int32Array(capacity);
  }

  /** Appends, and says where. */
  push(value: number): number {
    if (this.length === this.values.length) {
      this.#grow(1);
    }
    this.values[this.length] = value;
    return this.length++;
  }

  /** Makes room for `more` after the end. */
  reserve(more: number): void {
    if (this.length + more > this.values.length) {
      this.#grow(more);
    }
  }

  #grow(more: number): void {
    const larger = new Int32Array(Math.max(this.length + more, this.values.length * 2));
    larger.set(this.values.subarray(0, this.length));
    this.values = larger;
  }

  /** The number at an index below {@link length}. */
  at(index: number): number {
    return this.values[index] as number;
  }
}

const POOL_BYTES = 16 * 1024;
const NONE = new Uint32Array();

/** Small arrays as views of large ones: a module has thousands of functions, and a buffer for each would cost more. */
export class ArrayPool {
  #buffer = new ArrayBuffer(POOL_BYTES);
  #used = 0;

  #take(bytes: number): number {
    if (this.#used + bytes > this.#buffer.byteLength) {
      this.#buffer = new ArrayBuffer(Math.max(POOL_BYTES, bytes));
      this.#used = 0;
    }
    const at = this.#used;
    this.#used += Math.ceil(bytes / 4) * 4;
    return at;
  }

  /** A copy of a list. */
  uint32(list: NumberList): Uint32Array {
    if (list.length === 0) {
      return NONE;
    }
    const at = this.#take(list.length * 4);
    return fill(new Uint32Array(this.#buffer, at, list.length), list);
  }

  /** A copy of a list. */
  int32(list: NumberList): Int32Array {
    const at = this.#take(list.length * 4);
    return fill(new Int32Array(this.#buffer, at, list.length), list);
  }

  /** A copy of a list of bytes. */
  uint8(list: NumberList): Uint8Array {
    const at = this.#take(list.length);
    return fill(new Uint8Array(this.#buffer, at, list.length), list);
  }
}

function fill<T extends Uint32Array | Int32Array | Uint8Array>(array: T, { values, length }: NumberList): T {
  for (let index = 0; index < length; index++) {
    array[index] = values[index] as number;
  }
  return array;
}
