/** Modules that no compiler writes, made as bytes since their text would be too long. */
type Bytes = readonly number[];

/** `(func (export "_start"))` with this body: locals of one type, then code without its `end`. */
export function startModule(
  code: Uint8Array | Bytes,
  locals: { readonly count: number; readonly type: number } = { count: 0, type: 0x7e },
): Uint8Array<ArrayBuffer> {
  const declared = locals.count === 0 ? [0] : [1, ...leb(locals.count), locals.type];
  const body = concat([declared, code, [0x0b]]);
  return concat([
    MAGIC,
    section(1, [1, 0x60, 0, 0]),
    section(3, [1, 0]),
    section(7, [1, 6, ...Buffer.from("_start"), 0, 0]),
    section(10, concat([[1], leb(body.length), body])),
  ]);
}

/** `opening` so many times, one in the other, then as many `end`s. */
export function nested(depth: number, opening: Bytes): Uint8Array<ArrayBuffer> {
  const code = new Uint8Array(depth * (opening.length + 1)).fill(0x0b);
  for (let level = 0; level < depth; level += 1) code.set(opening, level * opening.length);
  return code;
}

/** `piece` so many times, one after the other. */
export function repeated(times: number, piece: Bytes): Uint8Array<ArrayBuffer> {
  const code = new Uint8Array(times * piece.length);
  for (let index = 0; index < times; index += 1) code.set(piece, index * piece.length);
  return code;
}

/** 64 KiB of code that adds. */
const ADDS = repeated(10_922, [0x41, 1, 0x41, 2, 0x6a, 0x1a]);

/** A valid module of so many bytes: functions that all have this code; the first is `_start` and spins. */
export function largeModule(sizeBytes: number, code: Uint8Array = ADDS): Uint8Array<ArrayBuffer> {
  const filler = functionBody(code);
  const spin = functionBody([0x03, 0x40, 0x0c, 0, 0x0b]);
  const count = Math.ceil(sizeBytes / filler.length);
  const bodies = concat([leb(count + 1), spin, ...Array.from({ length: count }, () => filler)]);
  return concat([
    MAGIC,
    section(1, [1, 0x60, 0, 0]),
    section(3, [...leb(count + 1), ...Array.from({ length: count + 1 }, () => 0)]),
    section(7, [1, 6, ...Buffer.from("_start"), 0, 0]),
    section(10, bodies),
  ]);
}

/** Blocks in each other, and in the innermost branches that each may go to the end of any of them. */
export function branchTables(blocks: number, tables: number): Uint8Array<ArrayBuffer> {
  const targets = Array.from({ length: blocks }, (_, label) => leb(label)).flat();
  const table = [0x02, 0x40, 0x41, 0, 0x0e, ...leb(blocks - 1), ...targets, 0x0b];
  return concat([repeated(blocks, [0x02, 0x40]), repeated(tables, table), repeated(blocks, [0x0b])]);
}

/** A command that imports so many functions of the ABI's module, each by a name of its own. */
export function importsModule(names: readonly string[], module: string): Uint8Array<ArrayBuffer> {
  const imports = names.map((name) => [
    ...leb(module.length),
    ...Buffer.from(module),
    ...leb(name.length),
    ...Buffer.from(name),
    0,
    0,
  ]);
  return concat([
    MAGIC,
    section(1, [1, 0x60, 0, 0]),
    section(2, [...leb(names.length), ...imports.flat()]),
    section(3, [1, 0]),
    section(7, [1, 6, ...Buffer.from("_start"), 0, ...leb(names.length)]),
    section(10, concat([[1], functionBody([])])),
  ]);
}

const MAGIC: Bytes = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

function functionBody(code: Uint8Array | Bytes): Uint8Array<ArrayBuffer> {
  return concat([leb(code.length + 2), [0], code, [0x0b]]);
}

function section(id: number, content: Uint8Array | Bytes): Uint8Array<ArrayBuffer> {
  return concat([[id], leb(content.length), content]);
}

function concat(parts: readonly (Uint8Array | Bytes)[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** An unsigned number as the format writes it. */
export function leb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)];
}
