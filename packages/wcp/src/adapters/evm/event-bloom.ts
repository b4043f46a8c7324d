import { getBytes, keccak256 } from "ethers";

const BITS = 2_048;
/** Bits that one address or topic sets. */
const BITS_EACH = 3;
/** Fuller than this it says nothing: every log would be in it. */
const FULLEST = 0.95;

/** A log's address and the topics that are known of it: all of them are in the bloom of its block. */
export type LogTraits = readonly string[];

/**
 * The bloom of a block's logs. It has false positives and no false negatives: what is not in it is not
 * in the block, on chains that fill it at all.
 */
export class Bloom {
  readonly #bytes: Uint8Array;
  /** Share of bits that are set. */
  readonly fill: number;

  constructor(hex: string) {
    this.#bytes = getBytes(hex);
    let set = 0;
    for (const byte of this.#bytes) for (let bits = byte; bits !== 0; bits &= bits - 1) set += 1;
    this.fill = set / BITS;
  }

  get isUseful(): boolean {
    return this.fill < FULLEST;
  }

  mayContain(traits: LogTraits): boolean {
    return traits.every((trait) => bitsOf(trait).every((bit) => this.#has(bit)));
  }

  /** How likely it is that traits which no log of the block has are in it all the same. */
  falsePositiveRate(traits: LogTraits): number {
    return this.fill ** (BITS_EACH * traits.length);
  }

  #has(bit: number): boolean {
    const byte = this.#bytes[this.#bytes.length - 1 - (bit >> 3)] ?? 0;
    return (byte & (1 << (bit & 7))) !== 0;
  }
}

/** Traits are few and asked for with every block. */
const known = new Map<string, readonly number[]>();

function bitsOf(trait: string): readonly number[] {
  const cached = known.get(trait);
  if (cached !== undefined) return cached;
  const hash = getBytes(keccak256(trait));
  const bits = [0, 2, 4].map((at) => (((hash[at] ?? 0) << 8) | (hash[at + 1] ?? 0)) & (BITS - 1));
  if (known.size < 1_000) known.set(trait, bits);
  return bits;
}
