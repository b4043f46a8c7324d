import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { MeterOptions } from "../src/meter/meter.ts";
import { Dice } from "../tests/_generate-bytes.ts";
import { generateModule } from "../tests/_generate-module.ts";
import { mutate } from "./mutations.ts";

/** One module to be tried. The same campaign, number and real modules give the same. */
export interface FuzzCase {
  readonly number: number;
  readonly origin: "generated" | "mutated";
  readonly bytes: Uint8Array;
  readonly options: FuzzOptions;
}

/** How it is metered, and a seed for what its functions are called with. */
export interface FuzzOptions {
  readonly placement: MeterOptions["placement"];
  readonly counters: MeterOptions["counters"];
  readonly callSeed: number;
}

/** Larger ones take too long for the few cases that they would make. */
const MAX_REAL_BYTES = 300_000;

/** Modules of real toolchains, where the examples and the benchmark's programs have been built. */
export function readRealModules(root: string): readonly Uint8Array[] {
  const files = globSync(["examples/wasm/build/*.wasm", ".cache/wasm-programs/*.wasm"], { cwd: root }).sort();
  return files
    .map((file) => new Uint8Array(readFileSync(join(root, file))))
    .filter((bytes) => bytes[4] === 1 && bytes[6] === 0 && bytes.length <= MAX_REAL_BYTES);
}

export function makeCase(seed: number, number: number, real: readonly Uint8Array[]): FuzzCase {
  const dice = new Dice(Math.imul(seed, 0x0100_0193) ^ Math.imul(number + 1, 0x9e37_79b1));
  const options: FuzzOptions = {
    placement: dice.pick(["fast", "fast", "fast", "fast", "plain", "every"]),
    counters: dice.once(4) ? "imported" : "own",
    callSeed: dice.bits(),
  };
  if (dice.once(3)) {
    return { number, origin: "generated", bytes: generateModule(dice.bits(), dice.once(2)).bytes, options };
  }
  const draw = (): Uint8Array =>
    real.length > 0 && dice.once(4) ? dice.pick(real) : generateModule(dice.bits()).bytes;
  let bytes = draw();
  const other = draw();
  for (let changes = dice.between(1, 3); changes > 0; changes -= 1) {
    bytes = mutate(bytes, other, dice);
  }
  return { number, origin: "mutated", bytes, options };
}
