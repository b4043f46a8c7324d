import { ByteWriter } from "./bytes.ts";
import type { FunctionType, ModuleParts } from "./module-parts.ts";

/** Types that are appended to a module's own, each once. */
export class AppendedTypes {
  readonly #first: number;
  readonly #indices = new Map<string, number>();
  readonly #writer = new ByteWriter();

  constructor(parts: ModuleParts) {
    this.#first = parts.types.length;
  }

  /** How many there are. */
  get count(): number {
    return this.#indices.size;
  }

  /** Index of a type. */
  indexOf(params: readonly number[], results: readonly number[]): number {
    const shape = `${params.join()}>${results.join()}`;
    const known = this.#indices.get(shape);
    if (known !== undefined) {
      return known;
    }
    const index = this.#first + this.#indices.size;
    this.#indices.set(shape, index);
    this.#writer.u8(0x60);
    for (const values of [params, results]) {
      this.#writer.u32(values.length);
      this.#writer.raw(...values);
    }
    return index;
  }

  /** Index of a type with one more parameter. */
  twinOf(type: FunctionType, parameter: number): number {
    return this.indexOf([...type.params, parameter], [...type.results]);
  }

  /** Their part of the type section. */
  encoded(): Uint8Array {
    return this.#writer.view();
  }
}

/** Functions that are appended to a module's own: no index of another moves. */
export class AppendedFunctions {
  readonly #first: number;
  readonly #types: number[] = [];
  readonly #bodies: (Uint8Array | undefined)[] = [];

  constructor(parts: ModuleParts) {
    this.#first = parts.functions.length;
  }

  /** Indices of their types, in their order. */
  get types(): readonly number[] {
    return this.#types;
  }

  /** Takes the next index; the body is to be {@link define}d. */
  declare(type: number): number {
    this.#bodies.push(undefined);
    return this.#first + this.#types.push(type) - 1;
  }

  /** Says what a declared function does: locals and code, with the last `end`. */
  define(index: number, body: Uint8Array): void {
    this.#bodies[index - this.#first] = body.slice();
  }

  /** Their part of the code section. */
  writeTo(writer: ByteWriter): void {
    for (const body of this.#bodies) {
      const bytes = body ?? new Uint8Array();
      writer.u32(bytes.length);
      writer.copy(bytes, 0, bytes.length);
    }
  }
}
