import type { AppendedFunctions, AppendedTypes } from "./appended.ts";
import { ByteWriter } from "./bytes.ts";
import { VALUE_TYPE } from "./facts.ts";
import {
  CODE,
  type CounterGlobals,
  NO_VALUES,
  writeChargeParam,
  writeConst,
  writeFault,
  writeIndexed,
} from "./injected.ts";
import { FAULT } from "./meter.ts";
import { EXTERN, type ModuleParts } from "./module-parts.ts";

const { i32, i64 } = VALUE_TYPE;
/** Largest sizes that V8 allows where a module says nothing. */
const MAX_PAGES = 65_536;
const MAX_ELEMENTS = 10_000_000;

interface Growth {
  /** Locals: the parameter that says by how much, and an i32 for the result. */
  readonly by: number;
  readonly result: number;
  /** Counter of what may still be had. */
  readonly counter: number;
  /** Writes `grow` and `size`. */
  readonly grow: () => void;
  readonly size: () => void;
  /** Largest size that the module allows; `undefined`: another module says. */
  readonly max: number | undefined;
}

/** Functions that the meter adds for what is too long to stand in line. Each is made when it is first asked for. */
export class Helpers {
  readonly #parts: ModuleParts;
  readonly #counters: CounterGlobals;
  readonly #types: AppendedTypes;
  readonly #functions: AppendedFunctions;
  readonly #made = new Map<string, number>();

  constructor(
    parts: ModuleParts,
    counters: CounterGlobals,
    appended: { readonly types: AppendedTypes; readonly functions: AppendedFunctions },
  ) {
    this.#parts = parts;
    this.#counters = counters;
    this.#types = appended.types;
    this.#functions = appended.functions;
  }

  #make(name: string, type: () => number, write: (code: ByteWriter) => void): number {
    const known = this.#made.get(name);
    if (known !== undefined) {
      return known;
    }
    const index = this.#functions.declare(type());
    const code = new ByteWriter();
    write(code);
    code.u8(CODE.end);
    this.#functions.define(index, code.view());
    this.#made.set(name, index);
    return index;
  }

  /** `(n: i32) -> n`: burns n. */
  burn(): number {
    return this.#make(
      "burn",
      () => this.#types.indexOf([i32], [i32]),
      (code) => {
        code.raw(1, 1, i64);
        writeChargeParam(code, 0, { counters: this.#counters, scratch: 1 });
        writeIndexed(code, CODE.localGet, 0);
      },
    );
  }

  /** `memory.grow` that counts pages. */
  memoryGrow(memory: number): number {
    const isImported = memory < (this.#parts.imported[EXTERN.memory] as number);
    return this.#make(
      `memory ${memory}`,
      () => this.#types.indexOf([i32], [i32]),
      (code) => {
        code.raw(1, 1, i32);
        this.#writeGrowth(code, {
          by: 0,
          result: 1,
          counter: this.#counters.pages,
          grow: () => {
            writeIndexed(code, CODE.localGet, 0);
            writeIndexed(code, CODE.memoryGrow, memory);
          },
          size: () => writeIndexed(code, CODE.memorySize, memory),
          max: isImported ? undefined : (this.#parts.memories[memory]?.max ?? MAX_PAGES),
        });
      },
    );
  }

  /** `table.grow` that counts elements, and costs as much. */
  tableGrow(table: number): number {
    const isImported = table < (this.#parts.imported[EXTERN.table] as number);
    const type = this.#parts.tables[table];
    const element = type?.element ?? VALUE_TYPE.funcref;
    return this.#make(
      `table ${table}`,
      () => this.#types.indexOf([element, i32], [i32]),
      (code) => {
        code.raw(2, 1, i64, 1, i32);
        writeChargeParam(code, 1, { counters: this.#counters, scratch: 2 });
        this.#writeGrowth(code, {
          by: 1,
          result: 3,
          counter: this.#counters.elements,
          grow: () => {
            writeIndexed(code, CODE.localGet, 0);
            writeIndexed(code, CODE.localGet, 1);
            code.u8(CODE.prefixFc);
            writeIndexed(code, CODE.tableGrow, table);
          },
          size: () => {
            code.u8(CODE.prefixFc);
            writeIndexed(code, CODE.tableSize, table);
          },
          max: isImported ? undefined : (type?.max ?? MAX_ELEMENTS),
        });
      },
    );
  }

  /** Grows if the counter allows it; a failure that the module does not explain is the host's fault. */
  #writeGrowth(code: ByteWriter, { by, result, counter, grow, size, max }: Growth): void {
    writeIndexed(code, CODE.localGet, by);
    writeIndexed(code, CODE.globalGet, counter);
    code.raw(CODE.i32GtU, CODE.if, NO_VALUES);
    writeConst(code, CODE.i32Const, -1);
    code.raw(CODE.return, CODE.end);
    grow();
    writeIndexed(code, CODE.localTee, result);
    writeConst(code, CODE.i32Const, -1);
    code.raw(CODE.i32Eq, CODE.if, NO_VALUES);
    if (max !== undefined) {
      // The size never passes the maximum, so the difference is no less than 0.
      writeIndexed(code, CODE.localGet, by);
      writeConst(code, CODE.i32Const, max > 0x7fff_ffff ? max - 2 ** 32 : max);
      size();
      code.raw(CODE.i32Sub, CODE.i32LeU, CODE.if, NO_VALUES);
      writeFault(code, this.#counters, FAULT.hostMemory);
      code.u8(CODE.end);
    }
    writeConst(code, CODE.i32Const, -1);
    code.raw(CODE.return, CODE.end);
    writeIndexed(code, CODE.globalGet, counter);
    writeIndexed(code, CODE.localGet, by);
    code.u8(CODE.i32Sub);
    writeIndexed(code, CODE.globalSet, counter);
    writeIndexed(code, CODE.localGet, result);
  }
}
