import type { WasmMemory } from "../../web-assembly.ts";

class PointerFault extends Error {
  override readonly name = "PointerFault";
}

/** Thrown by {@link GuestMemory}; one for all, since a guest decides how often it is thrown. */
export const POINTER_FAULT: Error = new PointerFault("a pointer of the guest is outside of its memory");

/**
 * A guest's memory, as the host reads and writes it. Pointers and lengths are taken as they come from the guest, i32
 * with or without sign; every method throws {@link POINTER_FAULT} where what it would touch is outside, and has then
 * touched nothing.
 */
export class GuestMemory {
  #memory: WasmMemory | undefined;
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(this.#bytes.buffer);

  /** From now on `memory` is meant; before, every pointer is outside. */
  bind(memory: WasmMemory | undefined): void {
    this.#memory = memory;
    this.refresh();
  }

  /** To be called when the guest may have grown its memory: growing takes the bytes away from earlier views. */
  refresh(): void {
    const buffer = this.#memory?.buffer;
    if (buffer === undefined || buffer === this.#bytes.buffer) return;
    this.#bytes = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
  }

  get sizeBytes(): number {
    return this.#bytes.length;
  }

  /** The bytes themselves, not a copy. They are not to be held until the guest runs again. */
  range(pointer: number, lengthBytes: number): Uint8Array {
    const begin = this.check(pointer, lengthBytes);
    return this.#bytes.subarray(begin, begin + (lengthBytes >>> 0));
  }

  /** Checks so many bytes, 2^32 or more too, and returns the pointer without sign. */
  check(pointer: number, lengthBytes: number): number {
    const begin = pointer >>> 0;
    const length = lengthBytes < 0 ? lengthBytes >>> 0 : lengthBytes;
    if (begin + length > this.#bytes.length) throw POINTER_FAULT;
    return begin;
  }

  u8(pointer: number): number {
    return this.#view.getUint8(this.check(pointer, 1));
  }

  u16(pointer: number): number {
    return this.#view.getUint16(this.check(pointer, 2), true);
  }

  u32(pointer: number): number {
    return this.#view.getUint32(this.check(pointer, 4), true);
  }

  u64(pointer: number): bigint {
    return this.#view.getBigUint64(this.check(pointer, 8), true);
  }

  setU8(pointer: number, value: number): void {
    this.#view.setUint8(this.check(pointer, 1), value);
  }

  setU16(pointer: number, value: number): void {
    this.#view.setUint16(this.check(pointer, 2), value, true);
  }

  setU32(pointer: number, value: number): void {
    this.#view.setUint32(this.check(pointer, 4), value, true);
  }

  /** What is above 64 bits is cut. */
  setU64(pointer: number, value: bigint): void {
    this.#view.setBigUint64(this.check(pointer, 8), value, true);
  }
}
