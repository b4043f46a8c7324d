import type { Dice } from "../tests/_generate-bytes.ts";

/** Where a section of a module is. */
interface Section {
  readonly id: number;
  /** Its first byte, that of its content, and the one after it. */
  readonly from: number;
  readonly content: number;
  readonly to: number;
}

const HEADER_BYTES = 8;
const CODE_SECTION = 10;

/** Bytes that mean something in many places: lengths, types, prefixes, ends of what LEB128 can say. */
const TELLING = [
  0x00, 0x01, 0x0b, 0x0f, 0x40, 0x41, 0x60, 0x6f, 0x70, 0x7b, 0x7c, 0x7f, 0x80, 0xfc, 0xfd, 0xff,
];

/** Operators that take and give the same, so that one in the place of another stays valid. */
const ALIKE: readonly (readonly [first: number, last: number])[] = [
  [0x46, 0x4f],
  [0x51, 0x5a],
  [0x5b, 0x60],
  [0x61, 0x66],
  [0x67, 0x69],
  [0x6a, 0x78],
  [0x79, 0x7b],
  [0x7c, 0x8a],
  [0x0c, 0x0d],
  [0x28, 0x28],
  [0x2c, 0x2f],
  [0x3a, 0x3b],
  [0x20, 0x24],
];

/** What a mutation starts from: the bytes, and another module to take parts of. */
interface Parents {
  readonly bytes: Uint8Array;
  readonly other: Uint8Array;
  readonly dice: Dice;
}

/** Changes a module once, in a way that the dice decide. */
export function mutate(bytes: Uint8Array, other: Uint8Array, dice: Dice): Uint8Array {
  const mutation = dice.pick(MUTATIONS);
  return mutation({ bytes, other, dice });
}

const MUTATIONS: readonly ((parents: Parents) => Uint8Array)[] = [
  flipBits,
  setTellingByte,
  repeatSlice,
  dropSlice,
  moveSections,
  spliceSection,
  replaceOperators,
  replaceOperators,
  replaceOperators,
  changeConstants,
  changeConstants,
  spliceBody,
  spliceBody,
  padLength,
  insertCustomSection,
];

function flipBits({ bytes, dice }: Parents): Uint8Array {
  const mutant = bytes.slice();
  for (let flips = dice.between(1, 4); flips > 0; flips -= 1) {
    const at = dice.roll(mutant.length);
    mutant[at] = mutant[at]! ^ (1 << dice.roll(8));
  }
  return mutant;
}

function setTellingByte({ bytes, dice }: Parents): Uint8Array {
  const mutant = bytes.slice();
  mutant[dice.roll(mutant.length)] = dice.pick(TELLING);
  return mutant;
}

function repeatSlice({ bytes, dice }: Parents): Uint8Array {
  const from = dice.roll(bytes.length);
  const to = Math.min(bytes.length, from + dice.between(1, 16));
  return join(bytes.subarray(0, to), bytes.subarray(from));
}

function dropSlice({ bytes, dice }: Parents): Uint8Array {
  const from = dice.roll(bytes.length);
  return join(bytes.subarray(0, from), bytes.subarray(from + dice.between(1, 8)));
}

function moveSections({ bytes, dice }: Parents): Uint8Array {
  const sections = readSections(bytes);
  if (sections.length < 2) {
    return bytes;
  }
  const a = dice.roll(sections.length);
  const b = dice.roll(sections.length);
  const parts = sections.map(({ from, to }) => bytes.subarray(from, to));
  [parts[a], parts[b]] = dice.once(3) ? [new Uint8Array(), parts[b]!] : [parts[b]!, parts[a]!];
  return join(bytes.subarray(0, HEADER_BYTES), ...parts);
}

function spliceSection({ bytes, other, dice }: Parents): Uint8Array {
  const sections = readSections(bytes);
  const donor = readSections(other).filter(({ id }) => sections.some((section) => section.id === id));
  if (donor.length === 0) {
    return bytes;
  }
  const taken = dice.pick(donor);
  const parts = sections.map(({ id, from, to }) =>
    id === taken.id ? other.subarray(taken.from, taken.to) : bytes.subarray(from, to),
  );
  return join(bytes.subarray(0, HEADER_BYTES), ...parts);
}

function replaceOperators({ bytes, dice }: Parents): Uint8Array {
  const mutant = bytes.slice();
  const { content, to } = codeOf(bytes);
  for (let tries = 200, left = dice.between(1, 4); tries > 0 && left > 0; tries -= 1) {
    const at = content + dice.roll(Math.max(1, to - content));
    const group = ALIKE.find(([first, last]) => mutant[at]! >= first && mutant[at]! <= last);
    if (group !== undefined) {
      mutant[at] = dice.between(group[0], group[1]);
      left -= 1;
    }
  }
  return mutant;
}

/** `i32.const` and `i64.const` of one byte get another one. */
function changeConstants({ bytes, dice }: Parents): Uint8Array {
  const mutant = bytes.slice();
  const { content, to } = codeOf(bytes);
  for (let tries = 500, left = dice.between(1, 4); tries > 0 && left > 0; tries -= 1) {
    const at = content + dice.roll(Math.max(1, to - content - 1));
    const isConstant = mutant[at] === 0x41 || mutant[at] === 0x42;
    if (isConstant && mutant[at + 1]! < 0x80) {
      mutant[at + 1] = dice.roll(0x80);
      left -= 1;
    }
  }
  return mutant;
}

/** A function gets the body of another one, of this module or of the other. */
function spliceBody({ bytes, other, dice }: Parents): Uint8Array {
  const donor = dice.once(3) ? other : bytes;
  const donated = readBodies(donor);
  const bodies = readBodies(bytes);
  if (bodies.length === 0 || donated.length === 0) {
    return bytes;
  }
  const replaced = dice.roll(bodies.length);
  const taken = dice.pick(donated);
  return withBodies(
    bytes,
    bodies.map(([from, to], index) =>
      index === replaced ? donor.subarray(taken[0], taken[1]) : bytes.subarray(from, to),
    ),
  );
}

/** Lengths may be written with more bytes than they need. */
function padLength({ bytes, dice }: Parents): Uint8Array {
  const sections = readSections(bytes);
  if (sections.length === 0) {
    return bytes;
  }
  const { from, content } = dice.pick(sections);
  const length = bytes.subarray(from + 1, content);
  const padding = dice.between(1, 4);
  const padded = [...length, ...Array.from({ length: padding }, () => 0)];
  for (let at = 0; at < padded.length - 1; at += 1) {
    padded[at] = padded[at]! | 0x80;
  }
  return join(bytes.subarray(0, from + 1), Uint8Array.from(padded), bytes.subarray(content));
}

function insertCustomSection({ bytes, dice }: Parents): Uint8Array {
  const sections = readSections(bytes);
  const at = sections.length === 0 ? HEADER_BYTES : dice.pick(sections).from;
  const name = dice.pick(["name", "x", "producers", ""]);
  const content = Array.from({ length: dice.roll(20) }, () => dice.roll(256));
  const encoded = new TextEncoder().encode(name);
  const section = Uint8Array.of(
    0,
    1 + encoded.length + content.length,
    encoded.length,
    ...encoded,
    ...content,
  );
  return join(bytes.subarray(0, at), section, bytes.subarray(at));
}

/** As many sections as can be read; what is mutated before may be malformed. */
function readSections(bytes: Uint8Array): readonly Section[] {
  const sections: Section[] = [];
  let from = HEADER_BYTES;
  while (from + 1 < bytes.length) {
    const [length, content] = readLength(bytes, from + 1);
    const to = content + length;
    if (to > bytes.length) {
      break;
    }
    sections.push({ id: bytes[from]!, from, content, to });
    from = to;
  }
  return sections;
}

function codeOf(bytes: Uint8Array): Section {
  const code = readSections(bytes).find(({ id }) => id === CODE_SECTION);
  return code ?? { id: CODE_SECTION, from: 0, content: 0, to: bytes.length };
}

function readBodies(bytes: Uint8Array): readonly (readonly [from: number, to: number])[] {
  const code = readSections(bytes).find(({ id }) => id === CODE_SECTION);
  if (code === undefined) {
    return [];
  }
  const bodies: (readonly [number, number])[] = [];
  let [, at] = readLength(bytes, code.content);
  while (at < code.to) {
    const [length, from] = readLength(bytes, at);
    at = from + length;
    if (at > code.to) {
      break;
    }
    bodies.push([from, at]);
  }
  return bodies;
}

function withBodies(bytes: Uint8Array, bodies: readonly Uint8Array[]): Uint8Array {
  const { from, to } = codeOf(bytes);
  const content = join(length(bodies.length), ...bodies.flatMap((body) => [length(body.length), body]));
  return join(
    bytes.subarray(0, from),
    Uint8Array.of(CODE_SECTION),
    length(content.length),
    content,
    bytes.subarray(to),
  );
}

function readLength(bytes: Uint8Array, from: number): readonly [value: number, next: number] {
  let value = 0;
  let at = from;
  for (let shift = 0; shift < 35 && at < bytes.length; shift += 7) {
    const byte = bytes[at]!;
    at += 1;
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) {
      break;
    }
  }
  return [value, at];
}

function length(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest >>>= 7) {
    bytes.push((rest & 0x7f) | 0x80);
  }
  return Uint8Array.from([...bytes, rest]);
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
