import type { Limits } from "../limits.ts";
import { type Counters, FAULT, RESERVED_PREFIX } from "../meter/meter.ts";
import type { ModuleFacts } from "../meter/facts.ts";
import type { RunEnd } from "../outcome.ts";
import { Wasm } from "../web-assembly.ts";

const PAGE_BYTES = 64 * 1024;

// Counters are i32 as the meter reads them: without a sign for pages and elements, with one for the stack.
const MOST_PAGES = 65_536;
const MOST_ELEMENTS = 2 ** 31 - 1;
const MOST_STACK_BYTES = 2 ** 31 - 1;

/**
 * Memories that a run may have, however small. V8 sets 8 GiB of addresses aside for each, and a process has room for
 * 16,000 of them: whoever took all would leave none for the others.
 */
const MOST_MEMORIES = 100;

/** What one run may still use, and has used, over all instances that it has. */
export class RunCounters {
  readonly #limits: Limits;
  readonly #pages: number;
  readonly #elements: number;
  readonly #stackBytes: number;
  #counters: Counters | undefined;
  /** Held back for memories and tables that there are from the start. */
  #takenPages = 0;
  #takenElements = 0;
  #memories = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
    this.#pages = Math.min(Math.floor(limits.memoryBytes / PAGE_BYTES), MOST_PAGES);
    this.#elements = Math.min(limits.tableElements, MOST_ELEMENTS);
    this.#stackBytes = Math.min(limits.stackBytes, MOST_STACK_BYTES);
  }

  get counters(): Counters | undefined {
    return this.#counters;
  }

  /** Fuel that is left; below 0 it has run out. */
  get fuelLeft(): bigint {
    return this.#counters?.fuel.value ?? this.#limits.fuel;
  }

  /** The largest that all memories together have been. */
  get memoryBytes(): number {
    const left = this.#counters?.pages.value ?? this.#pages - this.#takenPages;
    return (this.#pages - left) * PAGE_BYTES;
  }

  get fuelSpent(): bigint {
    const left = this.fuelLeft;
    return left < 0n ? this.#limits.fuel : this.#limits.fuel - left;
  }

  /** Makes counters that several modules import. */
  create(): Counters {
    this.#use({
      fuel: new Wasm.Global({ value: "i64", mutable: true }, 0n),
      stack: new Wasm.Global({ value: "i32", mutable: true }, 0),
      pages: new Wasm.Global({ value: "i32", mutable: true }, 0),
      elements: new Wasm.Global({ value: "i32", mutable: true }, 0),
      fault: new Wasm.Global({ value: "i32", mutable: true }, 0),
    });
    return this.#counters as Counters;
  }

  /** Takes those of the one module that there is. */
  adopt(exports: Readonly<Record<string, unknown>>): void {
    const own = (name: string) => exports[`${RESERVED_PREFIX}${name}`];
    this.#use({
      fuel: own("fuel") as Counters["fuel"],
      stack: own("stack") as Counters["stack"],
      pages: own("pages") as Counters["pages"],
      elements: own("elements") as Counters["elements"],
      fault: own("fault") as Counters["fault"],
    });
  }

  #use(counters: Counters): void {
    this.#counters = counters;
    counters.fuel.value = this.#limits.fuel;
    counters.pages.value = this.#pages - this.#takenPages;
    counters.elements.value = this.#elements - this.#takenElements;
    counters.fault.value = FAULT.none;
    this.resetStack();
  }

  /** To be called before code of a guest is entered when none is open. */
  resetStack(): void {
    if (this.#counters !== undefined) this.#counters.stack.value = this.#stackBytes;
  }

  /** Takes what a module has from the start; says why not when that is more than is left. */
  take(facts: ModuleFacts): RunEnd | undefined {
    this.#memories += facts.memoryCount;
    if (this.#memories > MOST_MEMORIES) {
      const message = `it has ${this.#memories} memories, and a run may have ${MOST_MEMORIES}`;
      return { kind: "trap", reason: "other", message };
    }
    const pagesLeft = this.#counters?.pages.value ?? this.#pages - this.#takenPages;
    const elementsLeft = this.#counters?.elements.value ?? this.#elements - this.#takenElements;
    if (facts.memoryMinPages > pagesLeft) {
      const neededBytes = (this.#pages - pagesLeft + facts.memoryMinPages) * PAGE_BYTES;
      return { kind: "memory_limit", limitBytes: this.#limits.memoryBytes, neededBytes };
    }
    if (facts.tableMinElements > elementsLeft) {
      const neededElements = this.#elements - elementsLeft + facts.tableMinElements;
      return { kind: "table_limit", limitElements: this.#limits.tableElements, neededElements };
    }
    this.#takenPages += facts.memoryMinPages;
    this.#takenElements += facts.tableMinElements;
    if (this.#counters !== undefined) {
      this.#counters.pages.value = pagesLeft - facts.memoryMinPages;
      this.#counters.elements.value = elementsLeft - facts.tableMinElements;
    }
    return undefined;
  }

  burn(fuel: number): void {
    // Whoever charges has counted something of a guest's, and a guest must never get fuel back.
    if (!(fuel >= 0))
      throw new RangeError(`[WASM_HOST_FAULT] a charge of ${fuel} is none; this is a fault of ours`);
    if (this.#counters !== undefined) this.#counters.fuel.value -= BigInt(fuel);
  }

  /** Why the meter stopped the run, if it did. Fuel first: the trap that it shows in may be any. */
  end(): RunEnd | undefined {
    if (this.fuelLeft < 0n) return { kind: "out_of_fuel", limit: this.#limits.fuel };
    const fault = this.#counters?.fault.value ?? FAULT.none;
    if (fault === FAULT.stack) return { kind: "stack_exhausted", limitBytes: this.#limits.stackBytes };
    if (fault === FAULT.hostMemory) {
      return {
        kind: "host_fault",
        message: "the machine has no memory left for the program; run fewer at a time",
      };
    }
    return undefined;
  }
}
