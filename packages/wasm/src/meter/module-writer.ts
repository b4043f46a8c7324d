import type { AppendedFunctions, AppendedTypes } from "./appended.ts";
import { ByteReader, ByteWriter } from "./bytes.ts";
import { VALUE_TYPE } from "./facts.ts";
import { CODE, COUNTER_TYPES, type CounterGlobals } from "./injected.ts";
import { COUNTERS_MODULE, PROFILE_TABLE, RESERVED_PREFIX } from "./meter.ts";
import {
  EXTERN,
  type IndexReference,
  type ModuleParts,
  SECTION,
  SECTION_RANK,
  type Section,
} from "./module-parts.ts";

/** Export that does what the start section did. */
export const START_EXPORT: string = `${RESERVED_PREFIX}start`;

/** What a metered module has that the original had not. */
export interface Additions {
  readonly counters: CounterGlobals;
  readonly hasOwnCounters: boolean;
  readonly globalShift: number;
  readonly types: AppendedTypes;
  readonly functions: AppendedFunctions;
  /** Index of the type of each own function that has another now, else -1. */
  readonly twins: Int32Array;
  /** By own function: the function that stands in for it where it is named, or 0. */
  readonly wrappers: Uint32Array;
  /** Own bodies with their sizes. */
  readonly bodies: ByteWriter;
  /** Index of the table that profiling calls through. */
  readonly profileTable: number | undefined;
}

/** Sections that may have to be made where the original has none, in their order. */
const MADE = [
  SECTION.type,
  SECTION.import,
  SECTION.function,
  SECTION.table,
  SECTION.global,
  SECTION.export,
  SECTION.code,
];

const HAS_REFERENCES: ReadonlySet<number> = new Set([SECTION.element, SECTION.data]);

/** Writes a metered module: what is not metered is copied as it is. */
export class ModuleWriter {
  readonly #parts: ModuleParts;
  readonly #additions: Additions;
  readonly #out: ByteWriter;
  readonly #content = new ByteWriter(4096);
  #nextReference = 0;

  constructor(parts: ModuleParts, additions: Additions) {
    this.#parts = parts;
    this.#additions = additions;
    this.#out = new ByteWriter(parts.bytes.length * 2 + 4096);
  }

  write(): Uint8Array<ArrayBuffer> {
    const { bytes, sections } = this.#parts;
    this.#out.copy(bytes, 0, 8);
    let made = 0;
    const makeBefore = (rank: number): void => {
      for (; made < MADE.length; made++) {
        const id = MADE[made] as number;
        if ((SECTION_RANK[id] as number) >= rank) {
          return;
        }
        this.#writeSection(id, undefined);
      }
    };
    for (const section of sections) {
      if (section.id !== SECTION.custom) {
        makeBefore(SECTION_RANK[section.id] as number);
      }
      if (section.id === MADE[made]) {
        made++;
      }
      this.#writeSection(section.id, section);
    }
    makeBefore(Number.POSITIVE_INFINITY);
    return this.#out.view().slice();
  }

  #writeSection(id: number, section: Section | undefined): void {
    this.#content.clear();
    const isChanged = this.#writeContent(id, section);
    if (id === SECTION.start) {
      return;
    }
    if (!isChanged) {
      if (section !== undefined) {
        this.#out.copy(this.#parts.bytes, section.start, section.to);
      }
      return;
    }
    this.#out.u8(id);
    this.#out.u32(this.#content.length);
    this.#out.append(this.#content);
  }

  /** Whether the section differs from the original. */
  #writeContent(id: number, section: Section | undefined): boolean {
    const { types, functions, hasOwnCounters, profileTable } = this.#additions;
    switch (id) {
      case SECTION.type:
        return this.#writeMore(section, types.count, () => this.#copyAll(types.encoded()));
      case SECTION.import:
        return this.#writeMore(section, hasOwnCounters ? 0 : COUNTER_TYPES.length, () =>
          this.#writeImports(),
        );
      case SECTION.function:
        return this.#writeFunctions(section);
      case SECTION.table:
        return this.#writeMore(section, profileTable === undefined ? 0 : 1, () =>
          this.#content.raw(VALUE_TYPE.funcref, 1, 2, 2),
        );
      case SECTION.global:
        return this.#writeMore(section, hasOwnCounters ? COUNTER_TYPES.length : 0, () =>
          this.#writeGlobals(),
        );
      case SECTION.export:
        return this.#writeExports(section);
      case SECTION.code:
        return this.#writeCode(section, functions);
      default:
        return HAS_REFERENCES.has(id) && this.#writeMore(section, 0, () => undefined);
    }
  }

  #copyAll(bytes: Uint8Array): void {
    this.#content.copy(bytes, 0, bytes.length);
  }

  /** A vector with more at its end, and with the indices that things have now. */
  #writeMore(section: Section | undefined, more: number, write: () => void): boolean {
    const content = this.#content;
    let isMoved = false;
    if (section === undefined) {
      content.u32(more);
    } else {
      const reader = new ByteReader(this.#parts.bytes, section.from, section.to);
      content.u32(reader.u32() + more);
      isMoved = this.#copyMoved(reader.pos, section.to);
    }
    if (more > 0) {
      write();
    }
    return isMoved || more > 0;
  }

  /** Copies bytes with the indices that functions and globals have now. */
  #copyMoved(from: number, to: number): boolean {
    const { references, bytes } = this.#parts;
    let at = from;
    let isMoved = false;
    for (; this.#nextReference < references.length; this.#nextReference++) {
      const reference = references[this.#nextReference] as IndexReference;
      if (reference.from >= to) {
        break;
      }
      const index = this.#moved(reference);
      if (reference.from >= from && index !== reference.index) {
        this.#content.copy(bytes, at, reference.from);
        this.#content.u32(index);
        at = reference.to;
        isMoved = true;
      }
    }
    this.#content.copy(bytes, at, to);
    return isMoved;
  }

  #moved({ kind, index }: Pick<IndexReference, "kind" | "index">): number {
    const imported = this.#parts.imported[kind] as number;
    if (index < imported) {
      return index;
    }
    if (kind === EXTERN.global) {
      return index + this.#additions.globalShift;
    }
    const wrapper = this.#additions.wrappers[index - imported] as number;
    return wrapper > 0 ? wrapper : index;
  }

  #writeImports(): void {
    for (const [name, type] of COUNTER_TYPES) {
      this.#content.name(COUNTERS_MODULE);
      this.#content.name(name);
      this.#content.raw(EXTERN.global, type, 1);
    }
  }

  #writeGlobals(): void {
    for (const [, type] of COUNTER_TYPES) {
      this.#content.raw(type, 1, type === VALUE_TYPE.i64 ? CODE.i64Const : CODE.i32Const, 0, CODE.end);
    }
  }

  #writeFunctions(section: Section | undefined): boolean {
    const { functions, twins } = this.#additions;
    const imported = this.#parts.imported[EXTERN.function] as number;
    const isChanged = functions.types.length > 0 || twins.some((twin) => twin >= 0);
    if (!isChanged) {
      return false;
    }
    const { types } = functions;
    this.#content.u32(this.#parts.functions.length - imported + types.length);
    if (section !== undefined) {
      for (let own = 0; own < twins.length; own++) {
        const twin = twins[own] as number;
        this.#content.u32(twin >= 0 ? twin : (this.#parts.functions[own + imported] as number));
      }
    }
    for (const type of types) {
      this.#content.u32(type);
    }
    return true;
  }

  #writeExports(section: Section | undefined): boolean {
    const { counters, hasOwnCounters, profileTable } = this.#additions;
    const { start } = this.#parts;
    const added: (readonly [name: string, kind: number, index: number])[] = [];
    if (hasOwnCounters) {
      for (const [name] of COUNTER_TYPES) {
        added.push([`${RESERVED_PREFIX}${name}`, EXTERN.global, counters[name]]);
      }
    }
    if (profileTable !== undefined) {
      added.push([PROFILE_TABLE, EXTERN.table, profileTable]);
    }
    if (start !== undefined) {
      added.push([START_EXPORT, EXTERN.function, this.#moved({ kind: EXTERN.function, index: start })]);
    }
    return this.#writeMore(section, added.length, () => {
      for (const [name, kind, index] of added) {
        this.#content.name(name);
        this.#content.u8(kind);
        this.#content.u32(index);
      }
    });
  }

  #writeCode(section: Section | undefined, functions: AppendedFunctions): boolean {
    const own = this.#parts.bodyFrom.length;
    if (section === undefined && functions.types.length === 0) {
      return false;
    }
    this.#content.u32(own + functions.types.length);
    this.#content.append(this.#additions.bodies);
    functions.writeTo(this.#content);
    return true;
  }
}
