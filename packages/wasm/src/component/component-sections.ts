import { WasmError } from "../errors.ts";

/** A name that a component imports or exports at its top, and what kind of thing it is. */
export interface ComponentExtern {
  /** As it is written, such as `wasi:cli/stdin@0.2.3` or `run`. */
  readonly name: string;
  readonly kind: "core module" | "function" | "value" | "type" | "component" | "instance";
}

export interface ComponentOutline {
  readonly imports: readonly ComponentExtern[];
  readonly exports: readonly ComponentExtern[];
  /** The component without its custom sections, and without those of components inside of it. */
  readonly bare: Uint8Array<ArrayBuffer>;
}

const SECTION = { custom: 0, coreModule: 1, component: 4, import: 10, export: 11 } as const;
const HEADER_BYTES = 8;
/** Components inside of components. Nobody nests them by hand, and what composes them goes a few levels deep. */
const DEEPEST = 32;
/**
 * Names of the forms `url=<...>`, `integrity=<...>` and `locked-dep=<...>` may hold any character. All other names of a
 * component are words of letters, digits and hyphens, which whoever decodes the component checks.
 */
const FREE_FORM = /[a-z]{3}=</;

/** Reads numbers and names of the binary format, and says where it ended. */
class Cursor {
  readonly #bytes: Uint8Array;
  offset: number;

  constructor(bytes: Uint8Array, offset: number) {
    this.#bytes = bytes;
    this.offset = offset;
  }

  get isAtEnd(): boolean {
    return this.offset >= this.#bytes.length;
  }

  byte(): number {
    const value = this.#bytes[this.offset];
    if (value === undefined) throw cutOff(this.offset);
    this.offset += 1;
    return value;
  }

  u32(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return checked(value, this.offset);
    }
    throw bad(`a number is too long, at byte ${this.offset}`);
  }

  take(length: number): Uint8Array {
    if (length > this.#bytes.length - this.offset) throw cutOff(this.offset);
    this.offset += length;
    return this.#bytes.subarray(this.offset - length, this.offset);
  }

  name(): string {
    const bytes = this.take(this.u32());
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch (error) {
      throw new WasmError(
        "BAD_MODULE",
        `A name is not UTF-8, at byte ${this.offset}; build the component anew`,
        {
          cause: error,
        },
      );
    }
  }
}

/**
 * Whether bytes are those of a component, and not of a core module: by the layer in the header.
 *
 * @example
 *   if (isComponent(bytes)) return await prepareComponent(bytes, options);
 */
export function isComponent(bytes: Uint8Array): boolean {
  const header = [0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00];
  return bytes.length >= HEADER_BYTES && header.every((byte, index) => bytes[index] === byte);
}

/**
 * Reads what a component says of itself, as far as it must be known before anybody else reads it.
 *
 * @throws {WasmError} `BAD_MODULE` when it is cut off or malformed, `UNSUPPORTED` for names of free form
 */
export function outlineComponent(bytes: Uint8Array): ComponentOutline {
  const imports: ComponentExtern[] = [];
  const exports: ComponentExtern[] = [];
  const bare = strip(bytes, 0, (id, body) => {
    if (id === SECTION.import) imports.push(...readImports(body));
    if (id === SECTION.export) exports.push(...readExports(body));
  });
  return { imports, exports, bare };
}

type OnSection = (id: number, body: Uint8Array) => void;

function strip(bytes: Uint8Array, depth: number, onSection: OnSection): Uint8Array<ArrayBuffer> {
  if (!isComponent(bytes)) throw bad("it does not begin as a component does");
  if (depth > DEEPEST) throw unsupported(`components ${DEEPEST} deep in each other`);
  const kept: Uint8Array[] = [bytes.subarray(0, HEADER_BYTES)];
  const cursor = new Cursor(bytes, HEADER_BYTES);
  while (!cursor.isAtEnd) {
    const id = cursor.byte();
    const body = cursor.take(cursor.u32());
    if (id === SECTION.custom) continue;
    onSection(id, body);
    kept.push(...section(id, id === SECTION.component ? strip(body, depth + 1, () => undefined) : body));
    if (id !== SECTION.coreModule && id !== SECTION.component) refuseFreeForm(body);
  }
  return Uint8Array.from(Buffer.concat(kept));
}

function section(id: number, body: Uint8Array): readonly Uint8Array[] {
  const head = [id];
  let rest = body.length;
  while (rest >= 0x80) {
    head.push((rest % 0x80) + 0x80);
    rest = Math.floor(rest / 0x80);
  }
  return [Uint8Array.from([...head, rest]), body];
}

function refuseFreeForm(body: Uint8Array): void {
  const found = FREE_FORM.exec(Buffer.from(body.buffer, body.byteOffset, body.length).toString("latin1"));
  if (found !== null) throw unsupported("names of the forms url=<...>, integrity=<...> and the like");
}

function readImports(body: Uint8Array): readonly ComponentExtern[] {
  const cursor = new Cursor(body, 0);
  const found: ComponentExtern[] = [];
  for (let left = cursor.u32(); left > 0; left -= 1) {
    const name = readExternName(cursor);
    found.push({ name, kind: readExternType(cursor) });
  }
  return found;
}

const SORTS = new Map<number, ComponentExtern["kind"]>([
  [0x00, "core module"],
  [0x01, "function"],
  [0x02, "value"],
  [0x03, "type"],
  [0x04, "component"],
  [0x05, "instance"],
]);
const CORE_MODULE_SORT = 0x11;

function readExports(body: Uint8Array): readonly ComponentExtern[] {
  const cursor = new Cursor(body, 0);
  const found: ComponentExtern[] = [];
  for (let left = cursor.u32(); left > 0; left -= 1) {
    const name = readExternName(cursor);
    const sort = cursor.byte();
    // A core sort is two bytes; only modules can be exported.
    if (sort === 0x00 && cursor.byte() !== CORE_MODULE_SORT)
      throw bad("it exports what no component exports");
    cursor.u32();
    if (cursor.byte() === 0x01) readExternType(cursor);
    found.push({ name, kind: kindOf(sort) });
  }
  return found;
}

function readExternName(cursor: Cursor): string {
  const form = cursor.byte();
  // 0 and 1 are the same, by versions of the format; 2 has options behind it.
  if (form > 0x01) throw unsupported(`a name of an import or export of the form ${form}`);
  return cursor.name();
}

function readExternType(cursor: Cursor): ComponentExtern["kind"] {
  const sort = cursor.byte();
  const kind = kindOf(sort);
  if (kind === "core module" && cursor.byte() !== CORE_MODULE_SORT) {
    throw bad("it imports what no component imports");
  }
  if (kind === "value") throw unsupported("values as imports and exports");
  // A type is either equal to another one, by index, or a new resource.
  if (kind === "type" && cursor.byte() === 0x01) return kind;
  cursor.u32();
  return kind;
}

function kindOf(sort: number): ComponentExtern["kind"] {
  const kind = SORTS.get(sort);
  if (kind === undefined) throw bad(`it has an import or export of the unknown kind ${sort}`);
  return kind;
}

function checked(value: number, offset: number): number {
  if (value > 0xffffffff) throw bad(`a number is too large, at byte ${offset}`);
  return value;
}

function cutOff(offset: number): WasmError {
  return bad(`it is cut off at byte ${offset}`);
}

function bad(what: string): WasmError {
  return new WasmError("BAD_MODULE", `The component is malformed: ${what}; build it anew`);
}

function unsupported(what: string): WasmError {
  return new WasmError(
    "UNSUPPORTED",
    `The component uses ${what}, which is not supported; build it without`,
    {
      details: { what },
    },
  );
}
