import { Bytes, type Dice } from "./_generate-bytes.ts";
import { LOADS, operatorsThatGive, type SimpleOperator, TYPE, type Type } from "./_generate-operators.ts";

export interface Signature {
  readonly params: readonly Type[];
  readonly results: readonly Type[];
}

/** What generated code may use of its module. */
export interface Surroundings {
  readonly types: readonly Signature[];
  /** Type of each function, imports first. */
  readonly functions: readonly number[];
  readonly importedFunctions: number;
  readonly globals: readonly { readonly type: Type; readonly isMutable: boolean }[];
  /** Globals that code must not set: what it may still do. */
  readonly entriesGlobal: number;
  readonly loopsGlobal: number;
  readonly memories: number;
  /** Table 0 holds functions as slots say, and is not changed. 1 holds functions, 2 what the host gave. */
  readonly slots: readonly number[];
  readonly tags: readonly Signature[];
  readonly dataSegments: number;
  /** Of functions; the last is dropped by nobody. */
  readonly elementSegments: number;
  /** Functions that `ref.func` may name. */
  readonly declared: readonly number[];
  readonly simd: boolean;
  readonly exceptions: boolean;
  readonly tailCalls: boolean;
  /** Some loops and functions have nothing that ends them. */
  readonly isEndless: boolean;
  /** How much code a function has, roughly in operators. */
  readonly size: number;
}

const { i32, i64, f32, f64, v128, funcref, externref } = TYPE;
const INTERESTING = [0n, 1n, -1n, 2n, 7n, 63n, 64n, 127n, 128n, 255n, 65_535n, 2n ** 31n - 1n, -(2n ** 31n)];
/** Type of blocks that take and give nothing. */
export const EMPTY = 0x40;

export interface Label {
  /** What a branch to it must bring. */
  readonly brings: readonly Type[];
  readonly isCatch: boolean;
}

export interface Local {
  readonly type: Type;
  /** Counters of loops are set by nothing else. */
  readonly isFree: boolean;
}

/** Writes code that leaves values, of whatever type is asked for. */
export abstract class ValueGenerator {
  protected readonly dice: Dice;
  protected readonly around: Surroundings;
  protected readonly signature: Signature;
  protected readonly locals: Local[];
  protected readonly labels: Label[] = [];
  protected readonly code: Bytes = new Bytes();
  /** How much may still be written. */
  protected left: number;
  readonly #operators: ReadonlyMap<Type, readonly SimpleOperator[]>;

  constructor(dice: Dice, around: Surroundings, signature: Signature) {
    this.dice = dice;
    this.around = around;
    this.signature = signature;
    this.left = around.size;
    const extra = Array.from({ length: dice.roll(6) }, () => this.anyType());
    this.locals = [...signature.params, ...extra].map((type) => ({ type, isFree: true }));
    this.#operators = new Map(
      [i32, i64, f32, f64, v128].map((type) => [type, operatorsThatGive(type, { simd: around.simd })]),
    );
  }

  /** Some values need statements inside of blocks. */
  protected abstract statements(depth: number): void;

  protected anyType(): Type {
    const types: Type[] = [i32, i32, i32, i64, i64, f32, f64];
    if (this.around.simd) {
      types.push(v128);
    }
    return this.dice.once(12) ? this.dice.pick([funcref, externref]) : this.dice.pick(types);
  }

  protected values(types: readonly Type[], depth: number): void {
    for (const type of types) {
      this.value(type, depth);
    }
  }

  protected value(type: Type, depth: number): void {
    this.left -= 1;
    if (depth <= 0 || this.left <= 0 || this.dice.once(4)) {
      this.leaf(type);
      return;
    }
    const kind = this.dice.roll(12);
    if (kind < 7) {
      this.#operator(type, depth);
    } else if (kind === 7) {
      this.#blockValue(type, depth);
    } else if (kind === 8) {
      this.#ifValue(type, depth);
    } else if (kind === 9) {
      this.#callValue(type, depth);
    } else if (kind === 10) {
      this.#select(type, depth);
    } else {
      this.#load(type, depth);
    }
  }

  #operator(type: Type, depth: number): void {
    const known = this.#operators.get(type);
    if (type === i32 && this.dice.once(8)) {
      this.#sizeValue();
      return;
    }
    if (known === undefined) {
      this.leaf(type);
      return;
    }
    const op = this.dice.pick(known);
    if (op.mayTrap && !this.dice.once(10)) {
      this.leaf(type);
      return;
    }
    this.values(op.takes, depth - 1);
    this.code.raw(...op.code);
  }

  #sizeValue(): void {
    const kind = this.dice.roll(6);
    if (kind === 0) {
      this.code.raw(0x3f).u32(this.dice.roll(this.around.memories));
    } else if (kind === 1) {
      this.constant(i32, BigInt(this.dice.roll(3)));
      this.code.raw(0x40).u32(this.dice.roll(this.around.memories));
    } else if (kind === 2) {
      this.code.raw(0xfc, 0x10).u32(this.dice.roll(3));
    } else if (kind === 3) {
      this.leaf(this.dice.once(2) ? funcref : externref);
      this.code.raw(0xd1);
    } else if (kind === 4) {
      this.sizes([3]).raw(0x25).u32(this.dice.between(1, 2)).raw(0xd1);
    } else if (this.around.simd) {
      this.value(v128, 1);
      this.code.raw(0xfd, 0x1b, this.dice.roll(4));
    } else {
      this.leaf(i32);
    }
  }

  #blockValue(type: Type, depth: number): void {
    this.code.raw(0x02);
    this.blockType({ params: [], results: [type] });
    this.labelled({ brings: [type], isCatch: false }, () => {
      if (this.dice.once(3)) {
        this.statements(Math.min(depth - 1, 1));
      }
      this.value(type, depth - 1);
      if (this.dice.once(3)) {
        this.value(i32, depth - 1);
        this.code.raw(0x0d, 0);
      }
    });
  }

  #ifValue(type: Type, depth: number): void {
    this.value(i32, depth - 1);
    this.code.raw(0x04);
    this.blockType({ params: [], results: [type] });
    this.labelled({ brings: [type], isCatch: false }, () => {
      this.value(type, depth - 1);
      this.code.raw(0x05);
      this.value(type, depth - 1);
    });
  }

  #callValue(type: Type, depth: number): void {
    const { types, functions } = this.around;
    const isKnown = functions.some((index) => isSameList(types[index]!.results, [type]));
    if (isKnown && this.dice.once(2)) {
      this.call(depth - 1, [type]);
    } else {
      this.leaf(type);
    }
  }

  #select(type: Type, depth: number): void {
    this.value(type, depth - 1);
    this.value(type, depth - 1);
    this.value(i32, depth - 1);
    if (type === funcref || type === externref || this.dice.once(3)) {
      this.code.raw(0x1c, 1, type);
    } else {
      this.code.raw(0x1b);
    }
  }

  #load(type: Type, depth: number): void {
    const loads = LOADS.filter((op) => op.type === type);
    if (loads.length === 0 || depth <= 1) {
      this.leaf(type);
      return;
    }
    const op = this.dice.pick(loads);
    this.address();
    this.code.raw(...op.code);
    this.memoryArgument(op.align);
  }

  protected leaf(type: Type): void {
    const locals = [...this.locals.keys()].filter((index) => this.locals[index]!.type === type);
    const globals = [...this.around.globals.keys()].filter(
      (index) => this.around.globals[index]!.type === type,
    );
    const kind = this.dice.roll(3);
    if (kind === 0 && locals.length > 0) {
      this.code.raw(0x20).u32(this.dice.pick(locals));
    } else if (kind === 1 && globals.length > 0) {
      this.code.raw(0x23).u32(this.dice.pick(globals));
    } else {
      this.constants([type]);
    }
  }

  protected constants(types: readonly Type[]): void {
    for (const type of types) {
      if (type === f32) {
        this.code.raw(0x43).f32(this.dice.roll(200) / 8 - 10);
      } else if (type === f64) {
        this.code.raw(0x44).f64(this.dice.roll(2000) / 16 - 60);
      } else if (type === v128) {
        this.code.raw(0xfd, 0x0c, ...Array.from({ length: 16 }, () => this.dice.roll(256)));
      } else if (type === funcref || type === externref) {
        this.#reference(type);
      } else {
        this.constant(type, this.dice.once(3) ? BigInt(this.dice.bits() | 0) : this.dice.pick(INTERESTING));
      }
    }
  }

  #reference(type: Type): void {
    const { declared } = this.around;
    if (type === funcref && declared.length > 0 && this.dice.once(2)) {
      this.code.raw(0xd2).u32(this.dice.pick(declared));
    } else {
      this.code.raw(0xd0, type);
    }
  }

  protected constant(type: Type, value: bigint): void {
    this.code.raw(type === i32 ? 0x41 : 0x42).signed(value);
  }

  /** Calls something that gives `results`, or anything; says of what type it was. */
  protected call(depth: number, results: readonly Type[] | undefined): number {
    const { types, functions, slots } = this.around;
    const fits = (type: number): boolean =>
      results === undefined || isSameList(types[type]!.results, results);
    const direct = [...functions.keys()].filter((index) => fits(functions[index]!));
    const indirect = [...slots.keys()].filter((slot) => fits(this.typeOfSlot(slot)));
    if (indirect.length > 0 && this.dice.once(3)) {
      const slot = this.dice.pick(indirect);
      const type = this.typeOfSlot(slot);
      this.values(types[type]!.params, depth);
      if (this.dice.once(30)) {
        this.value(i32, 1);
      } else {
        this.constant(i32, BigInt(slot));
      }
      this.code.raw(0x11).u32(type).u32(0);
      return type;
    }
    // The first function throws in some modules.
    const index = direct[0] === 0 && this.dice.once(4) ? 0 : this.dice.pick(direct);
    this.values(types[functions[index]!]!.params, depth);
    this.code.raw(0x10).u32(index);
    return functions[index]!;
  }

  /** Three numbers, masked, so that they are rarely out of bounds. */
  protected sizes(masks: readonly number[]): Bytes {
    for (const mask of masks) {
      this.value(i32, 1);
      if (!this.dice.once(100)) {
        this.constant(i32, BigInt(mask));
        this.code.raw(0x71);
      }
    }
    return this.code;
  }

  /** Mostly within the memory's first page. */
  protected address(): void {
    this.value(i32, 2);
    if (!this.dice.once(60)) {
      this.constant(i32, 0x7ff8n);
      this.code.raw(0x71);
    }
  }

  protected memoryArgument(align: number): void {
    const offset = this.dice.once(80) ? this.dice.bits() : this.dice.roll(64);
    const memory = this.dice.roll(this.around.memories);
    const alignment = this.dice.between(0, align);
    if (memory === 0) {
      this.code.u32(alignment);
    } else {
      this.code.u32(alignment | 0x40).u32(memory);
    }
    this.code.u32(offset);
  }

  /** Opens something with a label, writes what is in it, and closes it. */
  protected labelled(label: Label, inside: () => void): void {
    this.labels.push(label);
    inside();
    this.labels.pop();
    this.code.raw(0x0b);
  }

  protected blockType(signature: Signature): void {
    const { params, results } = signature;
    const index = this.around.types.findIndex((type) => isSame(type, signature));
    if (params.length === 0 && results.length === 0) {
      this.code.raw(EMPTY);
    } else if (params.length === 0 && results.length === 1 && (index < 0 || this.dice.once(2))) {
      this.code.raw(results[0]!);
    } else {
      this.code.signed(BigInt(index));
    }
  }

  /** Types that a block may give: none, one, or what a type of the module says. */
  protected blockResults(): readonly Type[] {
    const kind = this.dice.roll(4);
    if (kind < 2) {
      return [];
    }
    const known = this.around.types.filter(({ params }) => params.length === 0);
    return kind === 2 || known.length === 0 ? [this.anyType()] : this.dice.pick(known).results;
  }

  /** Drops values, or keeps them in locals. */
  protected forget(types: readonly Type[]): void {
    for (const type of types.toReversed()) {
      const fitting = [...this.locals.keys()].filter(
        (index) => this.locals[index]!.isFree && this.locals[index]!.type === type,
      );
      if (fitting.length > 0 && this.dice.once(2)) {
        this.code.raw(0x21).u32(this.dice.pick(fitting));
      } else {
        this.code.raw(0x1a);
      }
    }
  }

  protected typeOfSlot(slot: number): number {
    return this.around.functions[this.around.slots[slot]!]!;
  }
}

export function isSameList(a: readonly Type[], b: readonly Type[]): boolean {
  return a.length === b.length && a.every((type, index) => type === b[index]);
}

function isSame(a: Signature, b: Signature): boolean {
  return isSameList(a.params, b.params) && isSameList(a.results, b.results);
}
