import type { ByteReader, ByteWriter } from "./bytes.ts";
import { VALUE_TYPE } from "./facts.ts";
import { tooLargeOnceMetered } from "./refusals.ts";

/** What V8 allows one function. */
const MAX_LOCALS = 50_000;

type Group = [count: number, type: number];

/**
 * The locals of one body, with those that the meter adds when they are first asked for. The stack that is left, where
 * it is passed, comes in the place of the first local, which moves behind all others: so only what names that one
 * must be rewritten.
 */
export class BodyLocals {
  readonly #groups: Group[] = [];
  readonly #added: number[] = [];
  readonly #firstAdded: number;
  readonly #carriesStack: boolean;
  #fuelLocal = -1;
  #burntLocal = -1;
  #conditionLocal = -1;
  /** Where the code begins. */
  readonly end: number;

  /** Reads the locals at the start of a body. */
  constructor(reader: ByteReader, params: number, carriesStack: boolean) {
    let locals = 0;
    for (let left = reader.u32(); left > 0; left--) {
      const count = reader.u32();
      locals += count;
      this.#groups.push([count, reader.u8()]);
    }
    this.end = reader.pos;
    this.#carriesStack = carriesStack;
    this.#firstAdded = params + locals + (carriesStack ? 1 : 0);
  }

  #add(type: number): number {
    return this.#firstAdded + this.#added.push(type) - 1;
  }

  /** Index that the first local has when the stack is passed. */
  get movedFirst(): number {
    return this.#firstAdded - 1;
  }

  /** i64: fuel, for a moment. */
  fuel(): number {
    this.#fuelLocal = this.#fuelLocal < 0 ? this.#add(VALUE_TYPE.i64) : this.#fuelLocal;
    return this.#fuelLocal;
  }

  /** i32: what a loop has burnt and not told of. */
  burnt(): number {
    this.#burntLocal = this.#burntLocal < 0 ? this.#add(VALUE_TYPE.i32) : this.#burntLocal;
    return this.#burntLocal;
  }

  /** i32: condition of a branch. */
  condition(): number {
    this.#conditionLocal = this.#conditionLocal < 0 ? this.#add(VALUE_TYPE.i32) : this.#conditionLocal;
    return this.#conditionLocal;
  }

  /**
   * Writes what comes before the code.
   *
   * @throws {WasmError} `UNSUPPORTED` when they are more than V8 allows
   */
  write(header: ByteWriter): void {
    const groups = this.#groups;
    const total = this.#firstAdded + this.#added.length;
    if (total > MAX_LOCALS) {
      throw tooLargeOnceMetered(`${total} locals`, MAX_LOCALS);
    }
    const first = groups.find(([count]) => count > 0);
    if (this.#carriesStack && first !== undefined) {
      first[0]--;
      append(groups, first[1]);
    }
    for (const type of this.#added) {
      append(groups, type);
    }
    header.u32(groups.length);
    for (const [count, type] of groups) {
      header.u32(count);
      header.u8(type);
    }
  }
}

function append(groups: Group[], type: number): void {
  const last = groups.at(-1);
  if (last?.[1] === type) {
    last[0]++;
  } else {
    groups.push([1, type]);
  }
}
