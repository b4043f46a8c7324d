import { Bytes } from "./_generate-bytes.ts";
import { STORES, TYPE } from "./_generate-operators.ts";
import { EMPTY, isSameList, type Signature, ValueGenerator } from "./_generate-values.ts";

const { i32, v128, funcref, externref } = TYPE;

/** Writes the body of one function. Whatever it draws is valid, and ends. */
export class CodeGenerator extends ValueGenerator {
  /** The body with its locals, without its length. */
  write(): Bytes {
    this.labels.push({ brings: this.signature.results, isCatch: false });
    this.#guardEntry();
    this.statements(4);
    this.values(this.signature.results, 3);
    this.code.raw(0x0b);
    const locals = this.locals.slice(this.signature.params.length);
    const body = new Bytes();
    return body.vector(locals, ({ type }) => body.u32(1).raw(type)).append(this.code);
  }

  /** A function does nothing once there were too many calls: recursion ends. */
  #guardEntry(): void {
    if (this.around.isEndless && this.dice.once(3)) {
      return;
    }
    const { entriesGlobal } = this.around;
    this.code.raw(0x23).u32(entriesGlobal).raw(0x45, 0x04, EMPTY);
    this.constants(this.signature.results);
    this.code.raw(0x0f, 0x0b);
    this.#decrement(entriesGlobal);
  }

  #decrement(global: number): void {
    this.code.raw(0x23).u32(global).raw(0x41, 1, 0x6b, 0x24).u32(global);
  }

  protected override statements(depth: number): void {
    const count = this.dice.between(1, 4);
    for (let index = 0; index < count && this.left > 0; index += 1) {
      this.#statement(depth);
    }
  }

  #statement(depth: number): void {
    this.left -= 1;
    if (depth <= 0) {
      this.#simpleStatement();
      return;
    }
    const kinds: (() => void)[] = [
      () => this.#simpleStatement(),
      () => this.#simpleStatement(),
      () => this.#ifStatement(depth),
      () => this.#ifStatement(depth),
      () => this.#block(depth),
      () => this.#loop(depth),
      () => this.#loop(depth),
      () => this.#branchIf(depth),
      () => this.#guardedExit(depth),
      () => this.#switch(depth),
      () => this.#callStatement(depth),
      () => this.#callStatement(depth),
      () => this.#bulkStatement(),
    ];
    if (this.around.exceptions) {
      kinds.push(
        () => this.#tryCatch(depth),
        () => this.#tryCatch(depth),
        () => this.#tryDelegate(depth),
      );
    }
    this.dice.pick(kinds)();
  }

  #simpleStatement(): void {
    const kind = this.dice.roll(10);
    if (kind < 5) {
      this.#setLocal();
    } else if (kind < 7) {
      this.#setGlobal();
    } else if (kind < 9) {
      this.#store();
    } else {
      this.value(this.anyType(), 2);
      this.code.raw(0x1a, 0x01);
    }
  }

  #setLocal(): void {
    const free = [...this.locals.keys()].filter((index) => this.locals[index]!.isFree);
    if (free.length === 0) {
      this.code.raw(0x01);
      return;
    }
    const index = this.dice.pick(free);
    this.value(this.locals[index]!.type, 3);
    this.code.raw(0x21).u32(index);
  }

  #setGlobal(): void {
    const { globals, entriesGlobal, loopsGlobal } = this.around;
    const settable = [...globals.keys()].filter(
      (index) => globals[index]!.isMutable && index !== entriesGlobal && index !== loopsGlobal,
    );
    if (settable.length > 0) {
      const index = this.dice.pick(settable);
      this.value(globals[index]!.type, 3);
      this.code.raw(0x24).u32(index);
    }
  }

  #store(): void {
    const op = this.dice.pick(STORES.filter(({ type }) => this.around.simd || type !== v128));
    this.address();
    this.value(op.type, 2);
    this.code.raw(...op.code);
    this.memoryArgument(op.align);
  }

  #ifStatement(depth: number): void {
    this.value(i32, 3);
    this.code.raw(0x04, EMPTY);
    this.labelled({ brings: [], isCatch: false }, () => {
      this.statements(depth - 1);
      if (this.dice.once(2)) {
        this.code.raw(0x05);
        this.statements(depth - 1);
      }
    });
  }

  /** A block, or two branches, of any type that the module has. */
  #block(depth: number): void {
    const isIf = this.dice.once(3);
    const signature = this.dice.once(2)
      ? this.dice.pick(this.around.types)
      : { params: [], results: this.blockResults() };
    const { params, results } = signature;
    const branch = (): void => {
      this.forget(params);
      this.statements(depth - 1);
      this.values(results, 2);
    };
    this.values(params, 2);
    if (isIf) {
      this.value(i32, 2);
    }
    this.code.raw(isIf ? 0x04 : 0x02);
    this.blockType(signature);
    this.labelled({ brings: results, isCatch: false }, () => {
      branch();
      if (isIf) {
        this.code.raw(0x05);
        branch();
      }
    });
    this.forget(results);
  }

  /**
   * A loop counts at its header, where every way around comes by, and all loops together have a budget of their own.
   * Some loops leave at the end, some at the header only, some take a value around.
   */
  #loop(depth: number): void {
    const counter = this.locals.push({ type: i32, isFree: false }) - 1;
    const type = this.dice.once(4) ? this.dice.pick(this.around.types) : { params: [], results: [] };
    const hasBudget = this.dice.once(2);
    this.constant(i32, BigInt(this.dice.roll(hasBudget ? 10 : 5)));
    this.code.raw(0x21).u32(counter);
    this.code.raw(0x02, EMPTY);
    this.labelled({ brings: [], isCatch: false }, () => {
      this.values(type.params, 2);
      this.code.raw(0x03);
      this.blockType(type);
      this.labelled({ brings: type.params, isCatch: false }, () =>
        this.#loopBody({ counter, hasBudget, ...type }, depth),
      );
      this.forget(type.results);
    });
  }

  #loopBody(
    loop: Signature & { readonly counter: number; readonly hasBudget: boolean },
    depth: number,
  ): void {
    const { counter, hasBudget, params: carried, results } = loop;
    this.forget(carried);
    if (!this.around.isEndless || this.dice.once(3)) {
      this.code.raw(0x20).u32(counter).raw(0x45, 0x0d, 1); // none left: out
      this.code.raw(0x20).u32(counter).raw(0x41, 1, 0x6b, 0x21).u32(counter);
    }
    if (hasBudget) {
      this.code.raw(0x23).u32(this.around.loopsGlobal).raw(0x45, 0x0d, 1);
      this.#decrement(this.around.loopsGlobal);
    }
    this.statements(depth - 1);
    const kind = this.dice.roll(4);
    this.values(carried, 2);
    if (kind === 0) {
      this.code.raw(0x0c, 0);
      this.#deadCode();
    } else if (kind < 3) {
      this.value(i32, 2);
      this.code.raw(0x0d, 0);
      this.forget(carried);
      this.values(results, 1);
    } else {
      this.forget(carried);
      this.values(results, 1);
    }
  }

  #branchIf(depth: number): void {
    const label = this.dice.roll(this.labels.length);
    const { brings } = this.labels.at(-1 - label)!;
    this.values(brings, Math.min(depth, 2));
    this.value(i32, 2);
    this.code.raw(0x0d).u32(label);
    this.forget(brings);
  }

  /** Leaves for good, if a condition holds. */
  #guardedExit(depth: number): void {
    this.value(i32, 3);
    this.code.raw(0x04, EMPTY);
    this.labelled({ brings: [], isCatch: false }, () => {
      if (this.dice.once(2)) {
        this.statements(Math.min(depth - 1, 1));
      }
      this.#exit();
      this.#deadCode();
    });
  }

  #exit(): void {
    const kinds: (() => void)[] = [() => this.#branch(), () => this.#branch(), () => this.#return()];
    const { tailCalls, exceptions } = this.around;
    if (tailCalls) {
      kinds.push(
        () => this.#tailCall(),
        () => this.#tailCall(),
      );
    }
    if (exceptions) {
      kinds.push(
        () => this.#throw(),
        () => this.#rethrow(),
      );
    }
    if (this.dice.once(12)) {
      kinds.push(() => this.code.raw(0x00));
    }
    this.dice.pick(kinds)();
  }

  #branch(): void {
    const label = this.dice.roll(this.labels.length);
    this.values(this.labels.at(-1 - label)!.brings, 2);
    this.code.raw(0x0c).u32(label);
  }

  #return(): void {
    this.values(this.signature.results, 2);
    this.code.raw(0x0f);
  }

  #tailCall(): void {
    const fits = (type: number): boolean =>
      isSameList(this.around.types[type]!.results, this.signature.results);
    const direct = [...this.around.functions.keys()].filter((index) => fits(this.around.functions[index]!));
    const slots = [...this.around.slots.keys()].filter((slot) => fits(this.typeOfSlot(slot)));
    if (slots.length > 0 && this.dice.once(2)) {
      const slot = this.dice.pick(slots);
      const type = this.typeOfSlot(slot);
      this.values(this.around.types[type]!.params, 2);
      this.constant(i32, BigInt(slot));
      this.code.raw(0x13).u32(type).u32(0);
    } else if (direct.length > 0) {
      const index = this.dice.pick(direct);
      this.values(this.around.types[this.around.functions[index]!]!.params, 2);
      this.code.raw(0x12).u32(index);
    } else {
      this.#return();
    }
  }

  #throw(): void {
    if (this.around.tags.length === 0) {
      this.#branch();
      return;
    }
    const tag = this.dice.roll(this.around.tags.length);
    this.values(this.around.tags[tag]!.params, 2);
    this.code.raw(0x08).u32(tag);
  }

  #rethrow(): void {
    const label = this.labels.toReversed().findIndex(({ isCatch }) => isCatch);
    if (label < 0) {
      this.#throw();
    } else {
      this.code.raw(0x09).u32(label);
    }
  }

  /** What is not reached has operands of any type. */
  #deadCode(): void {
    const kind = this.dice.roll(8);
    if (kind === 0) {
      this.code.raw(0x6a, 0x1a);
    } else if (kind === 1) {
      this.code.raw(0x1b, 0x1a);
    } else if (kind === 2) {
      this.code.raw(0x03, EMPTY, 0x0c, 0, 0x0b);
    } else if (kind === 3) {
      this.#setLocal();
    } else if (kind === 4) {
      this.code.raw(0x04, EMPTY, 0x01, 0x05, 0x0b);
    } else if (kind === 5) {
      this.code.raw(0x00);
    }
  }

  /** A table of branches out of nested blocks, with some code behind each of them. */
  #switch(depth: number): void {
    const blocks = this.dice.between(1, 3);
    for (let index = 0; index < blocks; index += 1) {
      this.code.raw(0x02, EMPTY);
      this.labels.push({ brings: [], isCatch: false });
    }
    const usable = [...this.labels.keys()].filter((label) => this.labels.at(-1 - label)!.brings.length === 0);
    const targets = Array.from({ length: this.dice.roll(7) }, () => this.dice.pick(usable));
    this.value(i32, 3);
    this.constant(i32, 7n);
    this.code.raw(0x71, 0x0e).vector(targets, (target) => this.code.u32(target));
    this.code.u32(this.dice.pick(usable));
    this.#deadCode();
    for (let index = 0; index < blocks; index += 1) {
      this.labels.pop();
      this.code.raw(0x0b);
      this.statements(depth - 2);
    }
  }

  #callStatement(depth: number): void {
    const type = this.call(Math.min(depth - 1, 2), undefined);
    this.forget(this.around.types[type]!.results);
  }

  #tryCatch(depth: number): void {
    const results = this.blockResults();
    this.code.raw(0x06);
    this.blockType({ params: [], results });
    this.labels.push({ brings: results, isCatch: false });
    this.statements(depth - 1);
    this.values(results, 2);
    this.labels.pop();
    this.labels.push({ brings: results, isCatch: true });
    const tags = [...this.around.tags.keys()].filter(() => this.dice.once(2));
    for (const tag of tags) {
      this.code.raw(0x07).u32(tag);
      this.forget(this.around.tags[tag]!.params);
      this.statements(depth - 2);
      this.values(results, 1);
    }
    if (tags.length === 0 || this.dice.once(2)) {
      this.code.raw(0x19);
      this.statements(depth - 2);
      this.values(results, 1);
    }
    this.labels.pop();
    this.code.raw(0x0b);
    this.forget(results);
  }

  #tryDelegate(depth: number): void {
    this.code.raw(0x06, EMPTY);
    this.labels.push({ brings: [], isCatch: false });
    this.statements(depth - 1);
    this.labels.pop();
    this.code.raw(0x18).u32(this.dice.roll(this.labels.length));
  }

  /** Bulk operators, mostly within bounds, on memories and on tables 1 and 2. */
  #bulkStatement(): void {
    const { memories, dataSegments, elementSegments } = this.around;
    const memory = (): number => this.dice.roll(memories);
    const kinds: (() => void)[] = [
      () => this.sizes([0x7fff, 0xff, 0x3f]).raw(0xfc, 0x0b).u32(memory()),
      () => this.sizes([0x7fff, 0x7fff, 0x3f]).raw(0xfc, 0x0a).u32(memory()).u32(memory()),
      () => this.sizes([3, 3, 1]).raw(0xfc, 0x0e).u32(1).u32(1),
      () => this.sizes([3, 3, 1]).raw(0xfc, 0x0e).u32(1).u32(0),
      () => this.#tableValue(1).raw(0x26).u32(1),
      () => this.#tableValue(2).raw(0x26).u32(2),
      () => this.#tableFill(),
      () => this.#tableGrow(),
    ];
    if (dataSegments > 0) {
      const segment = this.dice.roll(dataSegments);
      kinds.push(() => this.sizes([0x7fff, 7, 7]).raw(0xfc, 0x08).u32(segment).u32(memory()));
      if (this.dice.once(8)) {
        kinds.push(() => this.code.raw(0xfc, 0x09).u32(segment));
      }
    }
    if (elementSegments > 0) {
      const segment = this.dice.roll(elementSegments);
      kinds.push(() => this.sizes([3, 1, 1]).raw(0xfc, 0x0c).u32(segment).u32(1));
      if (this.dice.once(8)) {
        kinds.push(() => this.code.raw(0xfc, 0x0d).u32(segment));
      }
    }
    this.dice.pick(kinds)();
  }

  #tableValue(table: number): Bytes {
    this.sizes([3]);
    this.value(table === 2 ? externref : funcref, 1);
    return this.code;
  }

  #tableFill(): void {
    const table = this.dice.between(1, 2);
    this.#tableValue(table);
    this.sizes([1]).raw(0xfc, 0x11).u32(table);
  }

  #tableGrow(): void {
    const table = this.dice.between(1, 2);
    this.value(table === 2 ? externref : funcref, 1);
    this.sizes([1]).raw(0xfc, 0x0f).u32(table);
    this.forget([i32]);
  }
}
