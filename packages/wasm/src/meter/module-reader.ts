import { ByteReader } from "./bytes.ts";
import { readConstExpr } from "./const-expr.ts";
import {
  EXTERN,
  type ExternName,
  type FunctionType,
  type GlobalType,
  type IndexReference,
  type ModuleParts,
  SECTION,
  SECTION_RANK,
  type Section,
  type SizeLimits,
  type TableType,
} from "./module-parts.ts";
import { badModule, unsupported } from "./refusals.ts";
import { checkValueType } from "./value-types.ts";

const HEADER_BYTES = 8;
const FUNCTION_TYPE = 0x60;
const VERSION = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

/** Reads a module of WebAssembly 2.0 as far as metering needs it; bodies of functions are only found. */
class ModuleReader extends ByteReader implements ModuleParts {
  readonly sections: Section[] = [];
  readonly types: FunctionType[] = [];
  canonicalTypes: Uint32Array = new Uint32Array();
  readonly imports: (ExternName & { module: string; name: string })[] = [];
  readonly exports: (ExternName & { name: string })[] = [];
  readonly functions: number[] = [];
  readonly tables: TableType[] = [];
  readonly memories: SizeLimits[] = [];
  readonly globals: GlobalType[] = [];
  readonly tags: number[] = [];
  readonly imported: number[] = [0, 0, 0, 0, 0];
  start: number | undefined;
  readonly references: IndexReference[] = [];
  readonly bodyFrom: number[] = [];
  readonly bodyTo: number[] = [];
  readonly #found = (reference: IndexReference): void => {
    this.references.push(reference);
  };

  read(): ModuleParts {
    if (VERSION.some((byte, index) => this.bytes[index] !== byte)) {
      throw badModule("it does not begin as a core module of version 1");
    }
    this.pos = HEADER_BYTES;
    let rank = 0;
    while (this.pos < this.bytes.length) {
      const start = this.pos;
      const id = this.u8();
      const length = this.count();
      const section = { id, start, from: this.pos, to: this.pos + length };
      rank = this.#nextRank(section, rank);
      this.sections.push(section);
      this.end = section.to;
      this.#readSection(id);
      this.expectEnd(`section ${id}`);
      this.end = this.bytes.length;
    }
    if (this.bodyFrom.length !== this.functions.length - (this.imported[EXTERN.function] as number)) {
      throw badModule("it has not as many bodies as functions");
    }
    return this;
  }

  #nextRank({ id, start }: Section, rank: number): number {
    const next = SECTION_RANK[id];
    if (next === undefined) {
      throw unsupported(`a section with the number ${id}`);
    }
    if (id !== SECTION.custom && next <= rank) {
      throw badModule(`section ${id} at byte ${start} is out of order`);
    }
    return id === SECTION.custom ? rank : next;
  }

  #readSection(id: number): void {
    switch (id) {
      case SECTION.type:
        this.#readTypes();
        break;
      case SECTION.import:
        this.#each(() => this.#readImport());
        break;
      case SECTION.function:
        this.#each(() => this.functions.push(this.#typeIndex()));
        break;
      case SECTION.table:
        this.#each(() => this.tables.push(this.#tableType()));
        break;
      case SECTION.memory:
        this.#each(() => this.memories.push(this.#sizeLimits("memory")));
        break;
      case SECTION.tag:
        this.#each(() => this.tags.push(this.#tagType()));
        break;
      case SECTION.global:
        this.#each(() => {
          this.globals.push(this.#globalType());
          readConstExpr(this, this.#found);
        });
        break;
      default:
        this.#readLaterSection(id);
    }
  }

  #readLaterSection(id: number): void {
    switch (id) {
      case SECTION.export:
        this.#each(() => this.#readExport());
        break;
      case SECTION.start:
        this.start = this.u32();
        break;
      case SECTION.element:
        this.#each(() => this.#readElements());
        break;
      case SECTION.code:
        this.#each(() => {
          const length = this.count();
          this.bodyFrom.push(this.pos);
          this.skip(length);
          this.bodyTo.push(this.pos);
        });
        break;
      case SECTION.data:
        this.#each(() => this.#readData());
        break;
      default:
        this.pos = this.end;
    }
  }

  #each(read: () => void): void {
    for (let left = this.count(); left > 0; left--) {
      read();
    }
  }

  #readTypes(): void {
    const byShape = new Map<string, number>();
    const canonical: number[] = [];
    this.#each(() => {
      if (this.u8() !== FUNCTION_TYPE) {
        throw unsupported("types of garbage collection");
      }
      const type = { params: this.#valueTypes(), results: this.#valueTypes() };
      const shape = `${type.params.join()}>${type.results.join()}`;
      const first = byShape.get(shape) ?? this.types.length;
      byShape.set(shape, first);
      canonical.push(first);
      this.types.push(type);
    });
    this.canonicalTypes = Uint32Array.from(canonical);
  }

  #valueTypes(): Uint8Array {
    const length = this.count();
    const from = this.pos;
    for (let left = length; left > 0; left--) {
      checkValueType(this.u8());
    }
    return this.bytes.subarray(from, this.pos);
  }

  #typeIndex(): number {
    const index = this.u32();
    if (index >= this.types.length) {
      throw badModule(`there is no type ${index}`);
    }
    return index;
  }

  #tableType(): TableType {
    const element = this.u8();
    if (element === 0x40) {
      throw unsupported("tables with an initial value (typed function references)");
    }
    return { element: checkValueType(element), ...this.#sizeLimits("table") };
  }

  #sizeLimits(what: "memory" | "table"): SizeLimits {
    const flags = this.u8();
    if (flags > 1) {
      throw unsupported(this.#nameOfFlags(what, flags));
    }
    return { min: this.u32(), max: flags === 1 ? this.u32() : undefined };
  }

  #nameOfFlags(what: string, flags: number): string {
    if ((flags & 8) !== 0) {
      return "pages of another size than 64 KiB";
    }
    return (flags & 4) === 0 ? `a shared ${what} (threads)` : `a ${what} with 64-bit addresses`;
  }

  #globalType(): GlobalType {
    const type = checkValueType(this.u8());
    const mutability = this.u8();
    if (mutability > 1) {
      throw unsupported("shared globals (threads)");
    }
    return { type, isMutable: mutability === 1 };
  }

  #tagType(): number {
    this.u8();
    return this.#typeIndex();
  }

  #readImport(): void {
    const module = this.name();
    const name = this.name();
    const kind = this.u8();
    this.imports.push({ module, name, kind, index: this.#readImported(kind) });
    this.imported[kind] = (this.imported[kind] as number) + 1;
  }

  #readImported(kind: number): number {
    switch (kind) {
      case EXTERN.function:
        return this.functions.push(this.#typeIndex()) - 1;
      case EXTERN.table:
        return this.tables.push(this.#tableType()) - 1;
      case EXTERN.memory:
        return this.memories.push(this.#sizeLimits("memory")) - 1;
      case EXTERN.global:
        return this.globals.push(this.#globalType()) - 1;
      case EXTERN.tag:
        return this.tags.push(this.#tagType()) - 1;
      default:
        throw unsupported(`an import of kind ${kind}`);
    }
  }

  #readExport(): void {
    const name = this.name();
    const kind = this.u8();
    const from = this.pos;
    const index = this.u32();
    this.exports.push({ name, kind, index });
    if (kind === EXTERN.function || kind === EXTERN.global) {
      this.#found({ kind, from, to: this.pos, index });
    } else if (kind > EXTERN.tag) {
      throw unsupported(`an export of kind ${kind}`);
    }
  }

  /** Bits of the flags: 1 passive or declarative, 2 with a table's index (or declarative), 4 expressions. */
  #readElements(): void {
    const flags = this.u32();
    if (flags > 7) {
      throw unsupported(`elements of kind ${flags}`);
    }
    const isActive = (flags & 1) === 0;
    if (isActive && (flags & 2) !== 0) {
      this.u32();
    }
    if (isActive) {
      readConstExpr(this, this.#found);
    }
    const hasExpressions = (flags & 4) !== 0;
    if ((flags & 3) !== 0) {
      this.#elementKind(hasExpressions);
    }
    this.#each(() => {
      if (hasExpressions) {
        readConstExpr(this, this.#found);
        return;
      }
      const from = this.pos;
      const index = this.u32();
      this.#found({ kind: EXTERN.function, from, to: this.pos, index });
    });
  }

  #elementKind(hasExpressions: boolean): void {
    const kind = this.u8();
    if (hasExpressions) {
      checkValueType(kind);
    } else if (kind !== 0) {
      throw unsupported(`elements of kind ${kind}`);
    }
  }

  #readData(): void {
    const flags = this.u32();
    if (flags > 2) {
      throw unsupported(`data of kind ${flags}`);
    }
    if (flags === 2) {
      this.u32();
    }
    if (flags !== 1) {
      readConstExpr(this, this.#found);
    }
    this.skip(this.count());
  }
}

/**
 * Reads a module that V8 has found valid.
 *
 * @throws {WasmError} `UNSUPPORTED` for what is not metered, `BAD_MODULE` for bytes that the format does not allow
 */
export function readModule(bytes: Uint8Array): ModuleParts {
  return new ModuleReader(bytes).read();
}
