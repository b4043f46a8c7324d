import * as fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { COMMAND_OFFERS } from "../src/abi/wasi/functions.ts";
import { createEngine } from "../src/create-engine.ts";
import type { RunRequest } from "../src/engine.ts";
import { fromText } from "./_programs.ts";

const engine = createEngine({
  threads: 1,
  limits: { fuel: 100_000_000n, outputBytes: 1_000_000, timeMs: 10_000 },
});
afterAll(() => engine[Symbol.asyncDispose]());

const NAMES = [...COMMAND_OFFERS.keys()];

const IMPORTS = NAMES.map((name) => {
  const { params, results } = COMMAND_OFFERS.get(name)!;
  const type = `${params.map((param) => `(param ${param})`).join("")} ${results.map(() => "(result i32)").join("")}`;
  return `(import "wasi_snapshot_preview1" "${name}" (func $${name} ${type}))`;
});

const number = fc.oneof(
  fc.constantFrom(0, 1, 2, 8, 1000, 65_528, 65_535, 65_536, 2 ** 29, 2 ** 31 - 1, -(2 ** 31), -8, -1),
  fc.integer(),
  fc.integer({ min: 0, max: 65_536 }),
  { arbitrary: fc.integer({ min: 0, max: 3 }), weight: 2 },
);

/** Those that read or write memory. */
const BUSY = NAMES.filter((name) => /_get$|^fd_(read|write|close|renumber)$|^poll_/.test(name));

/** Calls with numbers for all arguments, `proc_exit` last since nothing comes after it. */
const calls = fc.array(
  fc.record({
    name: fc.oneof(
      fc.constantFrom(...BUSY),
      fc.constantFrom(...NAMES.filter((name) => name !== "proc_exit")),
    ),
    args: fc.array(number, { minLength: 9, maxLength: 9 }),
  }),
  { minLength: 30, maxLength: 60 },
);

/** Fills memory with numbers that make lists of buffers and subscriptions, makes the calls one after the other, and shows its memory. */
function hostile(made: readonly { readonly name: string; readonly args: readonly number[] }[]): string {
  const code = made.map(({ name, args }) => {
    const { params } = COMMAND_OFFERS.get(name)!;
    return `(drop (call $${name} ${params.map((type, index) => `(${type}.const ${args[index]})`).join(" ")}))`;
  });
  return `(module ${IMPORTS.join("\n")}
    (memory (export "memory") 1)
    (func (export "_start") (local $at i32)
      (loop $fill
        (i32.store (local.get $at) (i32.rem_u (i32.mul (local.get $at) (i32.const 40503)) (i32.const 70000)))
        (br_if $fill (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 4))) (i32.const 65536))))
      ${code.join("\n")}
      (i32.store (i32.const 0) (i32.const 16)) (i32.store (i32.const 4) (i32.const 65520))
      (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))`;
}

async function run(module: string, request: RunRequest = {}) {
  const outcome = await engine.run(await engine.prepare(fromText(module)), { abi: "command", ...request });
  const { timeMs: _timeMs, ...repeatable } = outcome;
  return repeatable;
}

const healthy = hostile([{ name: "random_get", args: [0, 100] }]);

describe("a command that calls everything with anything", () => {
  it("ends in order, twice the same, and the next run is right", async () => {
    const right = await run(healthy);
    expect(right).toMatchObject({ kind: "completed", hostCalls: 2 });
    await fc.assert(
      fc.asyncProperty(calls, async (made) => {
        const request = { input: new Uint8Array(500).fill(1), args: ["x"], env: { A: "b" } };
        const first = await run(hostile(made), request);
        expect(["completed", "out_of_fuel", "output_too_large"]).toContain(first.kind);
        expect(await run(hostile(made), request)).toEqual(first);
        expect(await run(healthy)).toEqual(right);
      }),
      { numRuns: 40 },
    );
  });
});
