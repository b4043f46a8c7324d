/** Functions of the sample, and statements of each. */
const FUNCTIONS = 16;
const STATEMENTS = 60;
const DEEPEST = 4;

/** Locals of each function: an i32 parameter, then two i32 and an i64. */
const I32_LOCALS = 3;
const I64_LOCAL = 3;

const I32 = 0x7f;
const I64 = 0x7e;

/**
 * Writes a module of some 60 KB that has a bit of everything that compilers write: nested blocks and loops, branches,
 * loads and stores, direct and indirect calls. Metering it gets V8 to optimize the meter before the first program
 * comes. The same every time.
 */
export function createSampleModule(): Uint8Array {
  const writer = new SampleWriter();
  const bodies = Array.from({ length: FUNCTIONS }, () => writer.body());
  return Uint8Array.from(
    [
      [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
      section(1, vector([[0x60, 1, I32, 1, I32]])),
      section(3, vector(bodies.map(() => [0]))),
      section(4, vector([[0x70, 0, 1]])),
      section(5, vector([[0, 1]])),
      section(6, vector([[I32, 1, 0x41, 0, 0x0b]])),
      section(7, vector([[1, 0x66, 0, 0]])),
      section(9, vector([[0, 0x41, 0, 0x0b, 1, 1]])),
      section(10, vector(bodies.map((body) => [...leb(body.length), ...body]))),
    ].flat(),
  );
}

class SampleWriter {
  #state = 1;

  body(): number[] {
    const locals = [2, I32_LOCALS - 1, I32, 1, I64];
    const code = this.#statements(STATEMENTS, 0);
    return [...locals, ...code, 0x20, 0, 0x0b];
  }

  /** From 0 to below `count`. */
  #pick(count: number): number {
    this.#state = (this.#state * 48_271) % 2_147_483_647;
    return this.#state % count;
  }

  #statements(count: number, depth: number): number[] {
    return Array.from({ length: count }, () => this.#statement(depth)).flat();
  }

  #statement(depth: number): number[] {
    const local = this.#pick(I32_LOCALS);
    const inner = () => this.#statements(1 + this.#pick(3), depth + 1);
    switch (this.#pick(depth < DEEPEST ? 10 : 6)) {
      case 0:
        return [...this.#value(), 0x21, local];
      case 1:
        return [...this.#value(), ...this.#value(), 0x36, 2, ...leb(this.#pick(1000))];
      case 2:
        return [...this.#value(), 0x10, ...leb(this.#pick(FUNCTIONS)), 0x21, local];
      case 3:
        return [...this.#value(), 0x41, 0, 0x11, 0, 0, 0x1a];
      case 4:
        return [0x20, I64_LOCAL, ...this.#value(), 0xad, 0x7c, 0x21, I64_LOCAL];
      case 5:
        return [0x23, 0, ...this.#value(), 0x6a, 0x24, 0];
      case 6:
        return [0x02, 0x40, ...inner(), ...this.#value(), 0x0d, 0, ...inner(), 0x0b];
      case 7:
        return [0x03, 0x40, ...inner(), ...this.#value(), 0x0d, 0, 0x0b];
      case 8:
        return [...this.#value(), 0x04, 0x40, ...inner(), 0x05, ...inner(), 0x0b];
      default:
        return [0x02, 0x40, 0x02, 0x40, ...this.#value(), 0x0e, 1, 0, 1, 0x0b, ...inner(), 0x0b];
    }
  }

  #value(): number[] {
    switch (this.#pick(5)) {
      case 0:
        return [0x41, ...leb(this.#pick(64))];
      case 1:
        return [0x20, 0, 0x28, 2, ...leb(this.#pick(1000))];
      case 2:
        return [0x20, this.#pick(I32_LOCALS), 0x41, 3, 0x74];
      case 3:
        return [0x20, this.#pick(I32_LOCALS), 0x20, 0, 0x48];
      default:
        return [0x20, this.#pick(I32_LOCALS)];
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
