/** Random numbers that are the same for the same seed (xorshift128). */
export class Dice {
  readonly #state: Uint32Array;

  constructor(seed: number) {
    this.#state = Uint32Array.of(seed >>> 0, 0x9e37_79b9, 0x243f_6a88, 0xb7e1_5162);
    for (let round = 0; round < 20; round += 1) {
      this.bits();
    }
  }

  /** 32 bits. */
  bits(): number {
    const state = this.#state;
    let mixed = state[3]!;
    mixed ^= mixed << 11;
    mixed ^= mixed >>> 8;
    state.copyWithin(1, 0, 3);
    state[0] = mixed ^ state[1]! ^ (state[1]! >>> 19);
    return state[0];
  }

  /** 0 to `sides - 1`. */
  roll(sides: number): number {
    return this.bits() % sides;
  }

  /** True once in so many. */
  once(inRolls: number): boolean {
    return this.roll(inRolls) === 0;
  }

  between(lowest: number, highest: number): number {
    return lowest + this.roll(highest - lowest + 1);
  }

  pick<T>(items: readonly T[]): T {
    if (items.length === 0) {
      throw new RangeError("nothing to pick from");
    }
    return items[this.roll(items.length)]!;
  }
}

/** Appends the binary format to a list of bytes. */
export class Bytes {
  readonly list: number[] = [];

  raw(...bytes: readonly number[]): this {
    for (const byte of bytes) {
      this.list.push(byte);
    }
    return this;
  }

  append(other: Bytes): this {
    return this.raw(...other.list);
  }

  u32(value: number): this {
    let rest = value >>> 0;
    while (rest >= 0x80) {
      this.list.push((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.list.push(rest);
    return this;
  }

  signed(value: bigint): this {
    let rest = value;
    for (;;) {
      const low = Number(rest & 0x7fn);
      rest >>= 7n;
      if ((rest === 0n && low < 0x40) || (rest === -1n && low >= 0x40)) {
        this.list.push(low);
        return this;
      }
      this.list.push(low | 0x80);
    }
  }

  f32(value: number): this {
    return this.raw(...new Uint8Array(Float32Array.of(value).buffer));
  }

  f64(value: number): this {
    return this.raw(...new Uint8Array(Float64Array.of(value).buffer));
  }

  name(text: string): this {
    const encoded = new TextEncoder().encode(text);
    return this.u32(encoded.length).raw(...encoded);
  }

  /** A section, or anything else that begins with its length. */
  sized(content: Bytes): this {
    return this.u32(content.list.length).append(content);
  }

  vector<T>(items: readonly T[], write: (item: T) => unknown): this {
    this.u32(items.length);
    for (const item of items) {
      write(item);
    }
    return this;
  }
}
