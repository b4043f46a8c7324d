import { WasmError } from "../errors.ts";
import { ByteReader } from "./bytes.ts";
import type { ExternFact, FunctionTypeFact, ModuleFacts } from "./facts.ts";
import {
  EXTERN,
  type ExternName,
  type FunctionType,
  type ModuleParts,
  SECTION,
  type SizeLimits,
  typeOfFunction,
} from "./module-parts.ts";
import { nameOfValueType } from "./value-types.ts";

const FUNCTION_NAMES = 1;

const typeFacts = new WeakMap<FunctionType, FunctionTypeFact>();

/** One for all that have a type: a hostile module gives the same thousand parameters to each of its imports. */
function typeFact(type: FunctionType): FunctionTypeFact {
  let fact = typeFacts.get(type);
  if (fact === undefined) {
    fact = { params: [...type.params].map(nameOfValueType), results: [...type.results].map(nameOfValueType) };
    typeFacts.set(type, fact);
  }
  return fact;
}

function externFact(parts: ModuleParts, { kind, index }: ExternName): ExternFact {
  switch (kind) {
    case EXTERN.function:
      return { kind: "function", ...typeFact(typeOfFunction(parts, index)) };
    case EXTERN.table: {
      const { element, min, max } = parts.tables[index] as ModuleParts["tables"][number];
      return { kind: "table", element: nameOfValueType(element), min, max };
    }
    case EXTERN.memory: {
      const { min, max } = parts.memories[index] as SizeLimits;
      return { kind: "memory", min, max };
    }
    case EXTERN.global: {
      const { type, isMutable } = parts.globals[index] as ModuleParts["globals"][number];
      return { kind: "global", type: nameOfValueType(type), isMutable };
    }
    default:
      return { kind: "tag", ...typeFact(parts.types[parts.tags[index] as number] as FunctionType) };
  }
}

function total(sizes: readonly SizeLimits[], imported: number): number {
  return sizes.slice(imported).reduce((sum, { min }) => sum + min, 0);
}

/** Reads names of functions. What is malformed names nothing: custom sections do not make a module invalid. */
function readFunctionNames(parts: ModuleParts): (string | undefined)[] {
  const names: (string | undefined)[] = [];
  for (const { id, from, to } of parts.sections) {
    if (id !== SECTION.custom) {
      continue;
    }
    try {
      const reader = new ByteReader(parts.bytes, from, to);
      if (reader.name() === "name") {
        readNameSection(reader, { names, functions: parts.functions.length });
      }
    } catch (error) {
      // The names that were read before it stay.
      if (!(error instanceof WasmError)) {
        throw error;
      }
    }
  }
  return names;
}

interface NamesFound {
  readonly names: (string | undefined)[];
  readonly functions: number;
}

function readNameSection(reader: ByteReader, found: NamesFound): void {
  while (reader.pos < reader.end) {
    const kind = reader.u8();
    const next = reader.count() + reader.pos;
    if (kind === FUNCTION_NAMES) {
      readNames(reader, found);
    }
    reader.pos = next;
  }
}

function readNames(reader: ByteReader, { names, functions }: NamesFound): void {
  for (let left = reader.count(); left > 0; left--) {
    const index = reader.u32();
    const name = reader.name();
    if (index < functions) {
      names[index] = name;
    }
  }
}

/** What a module says of itself. */
export function moduleFacts(parts: ModuleParts, meteredBytes: number): ModuleFacts {
  return {
    imports: parts.imports.map(({ module, name, ...extern }) => ({
      module,
      name,
      type: externFact(parts, extern),
    })),
    exports: parts.exports.map(({ name, ...extern }) => ({ name, type: externFact(parts, extern) })),
    functionCount: parts.functions.length - (parts.imported[EXTERN.function] as number),
    memoryCount: parts.memories.length - (parts.imported[EXTERN.memory] as number),
    memoryMinPages: total(parts.memories, parts.imported[EXTERN.memory] as number),
    tableMinElements: total(parts.tables, parts.imported[EXTERN.table] as number),
    hasStart: parts.start !== undefined,
    functionNames: readFunctionNames(parts),
    bytes: parts.bytes.length,
    meteredBytes,
  };
}
