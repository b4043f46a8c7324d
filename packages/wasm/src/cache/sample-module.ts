/** Functions of the sample, the first of which is imported, and statements of the others. */
const FUNCTIONS = 24;
const STATEMENTS = 150;
const DEEPEST = 4;
/** So many kinds of functions, in turns: by the rest of a function's number. */
const KINDS = 6;
const KIND = { manyLocals: 1, vectors: 2, deep: 3, caller: 4, leaf: 5 };
/** Blocks around all that a deep function does. */
const DEEP_BLOCKS = 80;

/** Locals of each function: an i32 parameter, then i32 ones and last an i64. */
const I32_LOCALS = 3;
const FEW_I32 = I32_LOCALS - 1;
const MANY_I32 = 200;

const I32 = 0x7f;
const I64 = 0x7e;
const EMPTY = 0x40;
const END = 0x0b;
const SIXTEEN = Array.from({ length: 16 }, (_, index) => index);

/**
 * Writes a module of some 60 KB that has a bit of everything that compilers write: nested blocks and loops with values
 * and without, branches, loads and stores, calls of all kinds, floats, vectors, bulk operators. Metering it gets V8 to
 * optimize the meter before the first program comes; what it lacked would make V8 throw that code away at the first
 * program that has it. The same every time.
 */
export function createSampleModule(): Uint8Array {
  const writer = new SampleWriter();
  const bodies = Array.from({ length: FUNCTIONS - 1 }, (_, index) => writer.body(index));
  return Uint8Array.from(
    [
      [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
      section(1, vector([[0x60, 1, I32, 1, I32]])),
      section(2, vector([[1, 0x6d, 1, 0x66, 0, 0]])),
      section(3, vector(bodies.map(() => [0]))),
      section(4, vector([[0x70, 0, 1]])),
      section(5, vector([[0, 1]])),
      section(6, vector([[I32, 1, 0x41, 0, END]])),
      section(7, vector([[1, 0x66, 0, 1]])),
      section(9, vector([[0, 0x41, 0, END, 1, 1]])),
      section(10, vector(bodies.map((body) => [...leb(body.length), ...body]))),
    ].flat(),
  );
}

class SampleWriter {
  #state = 1;
  #i64Local = 0;
  #hasVectors = false;
  readonly #straight: readonly (() => number[])[] = [
    () => [...this.#value(), ...this.#set()],
    () => [...this.#value(), ...this.#set()],
    () => [...this.#value(), ...this.#value(), 0x36, 2, ...leb(this.#pick(1000))],
    () => [...this.#value(), ...this.#value(), 0x36, 2, ...leb(this.#pick(1000))],
    () => [...this.#value(), 0x10, ...leb(this.#pick(FUNCTIONS)), ...this.#set()],
    () => [...this.#value(), 0x10, ...leb(this.#pick(FUNCTIONS)), ...this.#set()],
    () => [...this.#value(), 0x10, 0x81, 0x80, 0x80, 0x80, 0, ...this.#set()],
    () => [...this.#value(), 0x41, 0, 0x11, 0, 0, 0x1a],
    () => [0x20, ...leb(this.#i64Local), ...this.#value(), 0xad, 0x7c, 0x21, ...leb(this.#i64Local)],
    () => [0x23, 0, ...this.#value(), 0x6a, 0x24, 0],
    () => [...this.#threeValues(), 0x1b, ...this.#set()],
    () => [...this.#threeValues(), 0x1c, 1, I32, ...this.#set()],
    () => [0x43, 0, 0, 0x80, 0x3f, 0x1a, 0x44, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0xfc, 2, ...this.#set()],
    () => [0x42, ...leb(this.#pick(1000)), 0x21, ...leb(this.#i64Local)],
    () => (this.#hasVectors ? this.#vectors() : this.#rare()),
  ];
  readonly #nested: readonly (() => number[])[] = [
    () => [0x02, EMPTY, ...this.#inner(), ...this.#value(), 0x0d, 0, ...this.#inner(), END],
    () => [0x02, EMPTY, ...this.#inner(), 0x0c, 0, END],
    () => [0x02, I32, ...this.#value(), ...this.#value(), 0x0d, 0, END, ...this.#set()],
    () => [...this.#value(), 0x02, 0, ...this.#value(), 0x6a, END, ...this.#set()],
    () => [0x03, EMPTY, ...this.#inner(), ...this.#value(), 0x0d, 0, END],
    () => [0x03, EMPTY, ...this.#value(), 0x0d, 1, ...this.#inner(), 0x0c, 0, END],
    () => [...this.#value(), 0x04, EMPTY, ...this.#inner(), 0x05, ...this.#inner(), END],
    () => [...this.#value(), 0x04, EMPTY, ...this.#inner(), END],
    () => [...this.#value(), 0x04, I32, ...this.#value(), 0x05, ...this.#value(), END, ...this.#set()],
    () => [...this.#value(), 0x04, EMPTY, ...this.#value(), 0x0f, END],
    () => [...this.#value(), 0x04, EMPTY, ...this.#inner(), 0x00, END],
    () => [0x02, EMPTY, 0x02, EMPTY, ...this.#value(), 0x0e, 1, 0, 1, END, ...this.#inner(), END],
    () => [0x02, EMPTY, 0x03, EMPTY, ...this.#value(), 0x0e, 2, 0, 1, 0, 1, END, END],
  ];
  #depth = 0;

  body(index: number): number[] {
    const kind = index % KINDS;
    // Neither has locals; the one is called, and all that it costs is charged elsewhere.
    if (kind === KIND.leaf) return [0, 0x20, 0, END];
    if (kind === KIND.caller) return [0, 0x20, 0, 0x10, 1, END];
    const added = kind === KIND.manyLocals ? MANY_I32 : FEW_I32;
    this.#i64Local = added + 1;
    this.#hasVectors = kind === KIND.vectors;
    // In a block, so that a branch out of what is outermost has a target without values.
    const blocks = kind === KIND.deep ? DEEP_BLOCKS : 1;
    const begin = Array.from({ length: blocks }, () => [0x02, EMPTY]).flat();
    const end = Array.from({ length: blocks }, () => END);
    const code = [...begin, ...this.#statements(STATEMENTS), ...end];
    return [2, ...leb(added), I32, 1, I64, ...code, 0x20, 0, END];
  }

  /** From 0 to below `count`. */
  #pick(count: number): number {
    this.#state = (this.#state * 48_271) % 2_147_483_647;
    return this.#state % count;
  }

  #statements(count: number): number[] {
    return Array.from({ length: count }, () => this.#statement()).flat();
  }

  #inner(): number[] {
    this.#depth += 1;
    const code = this.#statements(1 + this.#pick(3));
    this.#depth -= 1;
    return code;
  }

  #statement(): number[] {
    const isNested = this.#depth < DEEPEST && this.#pick(5) < 2;
    const kinds = isNested ? this.#nested : this.#straight;
    return (kinds[this.#pick(kinds.length)] as () => number[])();
  }

  /** What most functions do not do. */
  #rare(): number[] {
    const kinds: readonly (readonly number[])[] = [
      [...this.#value(), 0x40, 0, 0x1a],
      [0x3f, 0, 0x1a],
      [...this.#threeValues(), 0xfc, 10, 0, 0],
      [...this.#threeValues(), 0xfc, 11, 0],
      [0xd2, 1, 0x1a],
      [0xd0, 0x70, ...this.#value(), 0xfc, 15, 0, 0x1a],
    ];
    return [...(kinds[this.#pick(kinds.length)] as readonly number[])];
  }

  #vectors(): number[] {
    const splat = [...this.#value(), 0xfd, 0, 4, ...leb(1000), ...this.#value(), 0xfd, 17, 0xfd, 0xae, 1];
    const added = [...splat, 0xfd, 12, ...SIXTEEN, 0xfd, 0xae, 1];
    return [...added, ...splat, 0xfd, 13, ...SIXTEEN, 0xfd, 27, 0, ...this.#set()];
  }

  #threeValues(): number[] {
    return [...this.#value(), ...this.#value(), ...this.#value()];
  }

  /** An i32 goes into a local. */
  #set(): number[] {
    return [0x21, ...leb(this.#local())];
  }

  #local(): number {
    return this.#pick(this.#pick(4) === 0 ? this.#i64Local : I32_LOCALS);
  }

  #value(): number[] {
    switch (this.#pick(6)) {
      case 0:
        return [0x41, ...leb(this.#pick(64))];
      case 1:
        return [0x20, 0, 0x28, 2, ...leb(this.#pick(1000))];
      case 2:
        return [0x20, ...leb(this.#local()), 0x41, 3, 0x74];
      case 3:
        return [0x20, ...leb(this.#local()), 0x20, 0, 0x48];
      case 4:
        return [0x20, 0, 0x41, ...leb(1000 + this.#pick(5000)), 0x6a];
      default:
        return [0x20, ...leb(this.#local())];
    }
  }
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...leb(content.length), ...content];
}

function vector(items: readonly (readonly number[])[]): number[] {
  return [...leb(items.length), ...items.flat()];
}

function leb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)];
}
