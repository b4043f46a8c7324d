import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { CALLS } from "./_counted-calls.ts";
import { CLASSES } from "./_counted-modules.ts";
import { meter, runCompiled, runMetered } from "./_run-metered.ts";
import { wat } from "./_wat.ts";

const PLACEMENTS = ["fast", "plain", "every"] as const;

for (const [name, cases] of Object.entries(CLASSES)) {
  describe(`fuel, counted by hand: ${name.toLowerCase()}`, () => {
    for (const { name, text, args, value, fuel, options } of cases) {
      it(`${name}: ${fuel}`, () => {
        const bytes = wat(`(module ${text})`);
        for (const placement of PLACEMENTS) {
          for (const counters of ["own", "imported"] as const) {
            const all = { ...options, placement, counters, args: args ?? [] };
            const how = `${placement} ${counters}`;
            expect([how, runMetered(bytes, all)]).toMatchObject([
              how,
              { end: { kind: "returned", value }, fuel },
            ]);
            expect(runMetered(bytes, { ...all, fuel }).end).toEqual({ kind: "returned", value });
            expect([how, runMetered(bytes, { ...all, fuel: fuel - 1n }).end]).toEqual([
              how,
              { kind: "out_of_fuel" },
            ]);
          }
          const profiled = runMetered(bytes, { ...options, placement, profile: true, args: args ?? [] });
          expect(profiled).toMatchObject({ end: { kind: "returned", value }, fuel });
        }
      });
    }
  });
}

describe("fuel, again", () => {
  const fib = wat(`(module ${CALLS.find(({ name }) => name === "recursion")?.text ?? ""})`);

  it("is the same a hundred times", () => {
    const metered = meter(fib);
    const counts = new Set<bigint>();
    for (let time = 0; time < 100; time++) {
      counts.add(runCompiled(metered, { args: [12] }).fuel);
    }
    expect([...counts]).toEqual([233n * 6n + 232n * 14n]);
  });

  it("is the same on another thread", async () => {
    const source = `
      const { parentPort, workerData } = require("node:worker_threads");
      const { exports } = new WebAssembly.Instance(new WebAssembly.Module(workerData));
      exports["subnet:meter/fuel"].value = 1000000n;
      exports["subnet:meter/stack"].value = 1000000;
      exports.run(12);
      parentPort.postMessage(1000000n - exports["subnet:meter/fuel"].value);`;
    const worker = new Worker(source, { eval: true, workerData: meter(fib).bytes });
    const fuel = await new Promise((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });
    await worker.terminate();
    expect(fuel).toBe(runMetered(fib, { args: [12] }).fuel);
  });
});

describe("running out of fuel", () => {
  const endless = {
    "a loop": '(func (export "run") (loop (br 0)))',
    "a loop of free operators around one that costs": '(func (export "run") (loop (nop) (block) (br 0)))',
    "a loop with calls": '(func $f) (func (export "run") (loop (call $f) (br 0)))',
    "a loop that calls an import":
      '(import "env" "f" (func $f)) (func (export "run") (loop (call $f) (br 0)))',
    "tail calls": '(func $f (export "run") (return_call $f))',
    // The only branches are in the inner loop, and so is all that is charged.
    "a loop without branches around one that is left at once": `(import "env" "f" (func $f)) (func (export "run")
      (param i32) (block $out (loop $outer (block $next (loop $inner (br_if $out (i32.eq (local.get 0) (i32.const 1)))
      (br_if $next (i32.eqz (local.get 0))) (local.set 0 (i32.const 0)) (br $inner))) (call $f) (br $outer))))`,
    "a start section": '(func $f (loop (br 0))) (start $f) (func (export "run"))',
    "a loop over br_table": '(func (export "run") (loop (br_table 0 0 (i32.const 0))))',
    "a loop over catch": '(tag $e) (func (export "run") (loop (try (do (throw $e)) (catch $e)) (br 0)))',
    "a table that grows too much":
      '(table 0 externref) (func (export "run") (drop (table.grow (ref.null extern) (i32.const 999999))))',
    "memory.fill of a gigabyte":
      '(memory 1) (func (export "run") (memory.fill (i32.const 0) (i32.const 0) (i32.const 1073741824)))',
  };
  for (const [name, text] of Object.entries(endless)) {
    it(`stops ${name}`, () => {
      for (const placement of PLACEMENTS) {
        let calls = 0;
        const { end, fuel } = runMetered(wat(`(module ${text})`), {
          placement,
          fuel: 500_000n,
          imports: {
            env: {
              f: () => {
                calls++;
                if (calls > 1_000_000) throw new Error("it goes on");
              },
            },
          },
        });
        expect([placement, end]).toEqual([placement, { kind: "out_of_fuel" }]);
        expect(fuel).toBeGreaterThan(500_000n);
        expect(calls).toBeLessThan(500_000);
      }
    });
  }

  it("a trap in a loop is off by what the loop keeps at most, always the same", () => {
    const bytes = wat(`(module (memory 1) (func (export "run") (local i32) (loop $l
      (drop (i32.load (local.get 0))) (local.set 0 (i32.add (local.get 0) (i32.const 4))) (br $l))))`);
    const counts = PLACEMENTS.map((placement) => runMetered(bytes, { placement }));
    for (const { end } of counts) {
      expect(end).toMatchObject({ kind: "threw", message: "memory access out of bounds" });
    }
    const [fast, , every] = counts;
    expect(Math.abs(Number(fast!.fuel - every!.fuel))).toBeLessThanOrEqual(4096 + 7);
    expect(runMetered(bytes).fuel).toBe(fast!.fuel);
  });
});
