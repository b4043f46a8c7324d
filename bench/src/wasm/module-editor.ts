/** A section of a module: its number, and its bytes without header. */
interface Section {
  readonly id: number;
  readonly bytes: Uint8Array;
}

const HEADER_BYTES = 8;
const FUNCTION_TYPE = 0x60;
const I32 = 0x7f;
const SECTION = { custom: 0, type: 1, import: 2, function: 3, export: 7, code: 10 } as const;
const OPCODE = { end: 0x0b, call: 0x10, i32Const: 0x41 } as const;

/** Reads numbers and bytes one after the other. */
class Reader {
  readonly bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  u32(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.bytes[this.at] ?? 0;
      this.at += 1;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }

  take(length: number): Uint8Array {
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  text(): string {
    return Buffer.from(this.take(this.u32())).toString();
  }
}

function u32(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value >>> 0; ; rest >>>= 7) {
    if (rest < 0x80) return [...bytes, rest];
    bytes.push((rest & 0x7f) | 0x80);
  }
}

function i32(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value | 0; ; rest >>= 7) {
    if (rest >= -0x40 && rest < 0x40) return [...bytes, rest & 0x7f];
    bytes.push((rest & 0x7f) | 0x80);
  }
}

function parseSections(bytes: Uint8Array): Section[] {
  const reader = new Reader(bytes, HEADER_BYTES);
  const sections: Section[] = [];
  while (reader.at < bytes.length) {
    const id = reader.take(1)[0]!;
    sections.push({ id, bytes: reader.take(reader.u32()) });
  }
  return sections;
}

function writeSections(sections: readonly Section[]): Uint8Array<ArrayBuffer> {
  const header = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  const parts = sections.flatMap(({ id, bytes }) => [Buffer.from([id, ...u32(bytes.length)]), bytes]);
  return new Uint8Array(Buffer.concat([Buffer.from(header), ...parts]));
}

/** The section with one more entry at its end. */
function append(section: Section, entry: readonly number[]): Section {
  const reader = new Reader(section.bytes);
  const count = reader.u32();
  const rest = section.bytes.subarray(reader.at);
  return { id: section.id, bytes: Buffer.concat([Buffer.from(u32(count + 1)), rest, Buffer.from(entry)]) };
}

function countOf(section: Section): number {
  return new Reader(section.bytes).u32();
}

function findExport(section: Section, wanted: string): number {
  const reader = new Reader(section.bytes);
  for (let left = reader.u32(); left > 0; left -= 1) {
    const name = reader.text();
    const kind = reader.take(1)[0];
    const index = reader.u32();
    if (kind === 0 && name === wanted) return index;
  }
  throw new Error(`the module exports no function ${wanted}`);
}

/**
 * The module with one export alone, `bench() -> i32`: what interpreters can call from their command line. It calls
 * `run(n)`, or does nothing for `undefined`. The module must import no function.
 */
export function withEntry(bytes: Uint8Array, n: number | undefined): Uint8Array<ArrayBuffer> {
  const sections = parseSections(bytes).filter(({ id }) => id !== SECTION.custom);
  const byId = new Map(sections.map((section) => [section.id, section]));
  const [types, functions, exported] = [SECTION.type, SECTION.function, SECTION.export].map((id) =>
    byId.get(id)!,
  );
  if (byId.has(SECTION.import)) throw new Error("a module that imports nothing is needed");
  const code =
    n === undefined
      ? [OPCODE.i32Const, 0]
      : [OPCODE.i32Const, ...i32(n), OPCODE.call, ...u32(findExport(exported!, "run"))];
  const body = [0, ...code, OPCODE.end];
  const name = [...Buffer.from("bench")];
  const replaced = new Map<number, Section>([
    [SECTION.type, append(types!, [FUNCTION_TYPE, 0, 1, I32])],
    [SECTION.function, append(functions!, u32(countOf(types!)))],
    [
      SECTION.export,
      { id: SECTION.export, bytes: Buffer.from([1, name.length, ...name, 0, ...u32(countOf(functions!))]) },
    ],
    [SECTION.code, append(byId.get(SECTION.code)!, [...u32(body.length), ...body])],
  ]);
  return writeSections(sections.map((section) => replaced.get(section.id) ?? section));
}

/** The module with a custom section at its end, so that no cache knows it. */
export function withMark(bytes: Uint8Array, mark: string): Uint8Array<ArrayBuffer> {
  const content = Buffer.concat([Buffer.from([4]), Buffer.from("mark"), Buffer.from(mark)]);
  return writeSections([...parseSections(bytes), { id: SECTION.custom, bytes: content }]);
}
