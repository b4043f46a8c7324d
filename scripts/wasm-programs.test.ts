// The benchmark's programs compute what they say: each against the same thing written in JavaScript.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Wasm, type WasmMemory } from "../packages/wasm/src/web-assembly.ts";
import { ROOT } from "./_published.ts";

interface Made {
  readonly programs: readonly { readonly name: string; readonly file: string }[];
  readonly missing: readonly string[];
}

const { stdout, stderr } = spawnSync(process.execPath, [join(ROOT, "scripts", "wasm-programs.ts")], {
  encoding: "utf8",
});
const made = JSON.parse(stdout.trim().split("\n").at(-1) ?? stderr) as Made;
const files = new Map(made.programs.map(({ name, file }) => [name, file]));

interface Program {
  readonly memory: WasmMemory;
  run(n: number): number;
  execute(input: number, length: number): number;
}

function load(name: string): Program {
  const module = new Wasm.Module(readFileSync(files.get(name) ?? ""));
  return new Wasm.Instance(module).exports as unknown as Program;
}

function* random(state: number): Generator<number, never> {
  for (;;) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield state;
  }
}

function sieve(rounds: number): number {
  const isComposite = new Uint8Array(1_000_000);
  let count = 0;
  for (let each = 2; each < isComposite.length; each += 1) {
    if (isComposite[each] === 1) continue;
    count += 1;
    for (let at = each * each; at < isComposite.length; at += each) isComposite[at] = 1;
  }
  return count * rounds;
}

function sha256(pieces: number): number {
  const piece = Uint8Array.from({ length: 65_536 }, (_, at) => at * 31);
  const hash = createHash("sha256");
  for (let round = 0; round < pieces; round += 1) hash.update(piece);
  return hash.digest().readInt32BE(0);
}

function matrix(rounds: number): number {
  const side = 160;
  const numbers = random(7);
  const pairs = Array.from({ length: side * side }, () => [
    (numbers.next().value % 1000) / 1000,
    (numbers.next().value % 1000) / 1000,
  ]);
  const at = (which: 0 | 1, row: number, column: number) => pairs[row * side + column][which];
  const dot = (row: number, column: number) => {
    let sum = 0;
    for (let k = 0; k < side; k += 1) sum += at(0, row, k) * at(1, k, column);
    return sum;
  };
  let sum = 0;
  for (let round = 0; round < rounds; round += 1) {
    pairs[0][0] = round;
    sum += dot(0, round % side) + dot(side - 1, side - 1);
  }
  return Math.trunc(sum * 1000) | 0;
}

function blur(rounds: number): number {
  const side = 512;
  const numbers = random(11);
  const image = Uint8Array.from({ length: side * side }, () => numbers.next().value >>> 24);
  const rows = new Uint8Array(side * side);
  const pass = (from: Uint8Array, to: Uint8Array, step: number) => {
    for (let at = 0; at < side * side; at += 1) {
      const along = step === 1 ? at % side : Math.floor(at / side);
      if (along < 2 || along >= side - 2) continue;
      const sum = from[at - 2 * step] + 4 * from[at - step] + 6 * from[at];
      to[at] = (sum + 4 * from[at + step] + from[at + 2 * step] + 8) >> 4;
    }
  };
  for (let round = 0; round < rounds; round += 1) {
    pass(image, rows, 1);
    pass(rows, image, side);
  }
  return image.reduce((sum, each) => (Math.imul(sum, 31) + each) | 0, 0);
}

/** The document of the program, as JavaScript writes it: both write numbers in the shortest form. */
function json(): number {
  const numbers = random(3);
  const notes = ["plain", 'with "quotes"', "zwölf Bögen", "line\nbreak"];
  const orders = Array.from({ length: 200 }, (_, id) => {
    const cents = numbers.next().value >>> 8;
    const paid = cents % 2 === 0;
    return { id, total: cents / 100, paid, note: notes[cents % 4], lines: [cents % 97, cents % 89, null] };
  });
  const bytes = new TextEncoder().encode(JSON.stringify({ orders }));
  return bytes.reduce((hash, byte) => Math.imul(hash ^ byte, 0x01000193), 0x811c9dc5 | 0);
}

/** Places in the text where some match ends, by trying JavaScript's own machine backwards from each. */
function regex(rounds: number): number {
  const numbers = random(5);
  const letters = "ab01.@-cde mn";
  const text = Array.from({ length: 16_384 }, () => letters[(numbers.next().value >>> 16) % 13]).join("");
  const endsHere = /(?<=([a-e]|[0-9])+(.[a-e0-9]+)*@[a-n]+(-|m)?[0-9]*|(ab|ba)+n)/gs;
  return rounds * text.matchAll(endsHere).toArray().length;
}

function mandelbrot(limit: number): number {
  const iterationsAt = (x: number, y: number) => {
    let [re, im, count] = [0, 0, 0];
    while (count < limit && re * re + im * im <= 4) {
      [re, im] = [re * re - im * im + x, 2 * re * im + y];
      count += 1;
    }
    return count;
  };
  let sum = 0;
  for (let at = 0; at < 160 * 120; at += 1) {
    const count = iterationsAt(((at % 160) - 110) / 50, (Math.floor(at / 160) - 60) / 50);
    sum = (Math.imul(sum, 31) + count) | 0;
  }
  return sum;
}

const REFERENCES: readonly (readonly [name: string, n: number, expected: (n: number) => number])[] = [
  ["fib", 20, () => 6765],
  ["sieve", 2, sieve],
  ["sha256", 3, sha256],
  ["matrix", 3, matrix],
  ["convolve", 2, blur],
  ["json", 2, json],
  ["regex", 2, regex],
  ["mandelbrot", 50, mandelbrot],
];

test("every program is made, or named with what is missing", () => {
  const named = made.missing.join("\n");
  for (const [name] of REFERENCES) expect(files.has(name) || named.includes(`${name}.wasm`), name).toBe(true);
});

describe.each(REFERENCES)("%s", (name, n, expected) => {
  test.skipIf(!files.has(name))("run gives what JavaScript gives, again and again", () => {
    const program = load(name);
    expect([program.run(n), program.run(n)]).toEqual([expected(n), expected(n)]);
  });

  test.skipIf(!files.has(name))("execute takes n as text, and gives the same result as text", () => {
    const program = load(name);
    const input = new TextEncoder().encode(String(n));
    new Uint8Array(program.memory.buffer).set(input);
    const pointer = program.execute(0, input.length);
    const length = new DataView(program.memory.buffer).getUint32(pointer, true);
    const text = new TextDecoder().decode(new Uint8Array(program.memory.buffer, pointer + 4, length));
    expect(text).toBe(String(expected(n) >>> 0));
  });
});
