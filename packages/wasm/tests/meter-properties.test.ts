/** Generated modules do the same metered as they do unmetered, and all placements count the same. */
import { Worker } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { FAULT, type MeterOptions } from "../src/meter/meter.ts";
import { generatedImports, generateModule, type GeneratedModule } from "./_generate-module.ts";
import { observeGenerated } from "./_observe-generated.ts";
import {
  type Allowance,
  type Call,
  meter,
  observeMetered,
  observePlain,
  PLACEMENTS,
  PLENTY,
  type Runnable,
  runnable,
} from "./_observe-module.ts";
import { wat } from "./_wat.ts";

/** A failing module is named by its seed: `generateModule(seed)` gives it again. */
const SEEDS = Array.from({ length: 150 }, (_, seed) => seed);

const OUT_OF_FUEL = "RuntimeError: unreachable";

function meteredBy(
  generated: GeneratedModule,
  placement: (typeof PLACEMENTS)[number],
  options: Partial<MeterOptions> = {},
): Runnable {
  const { bytes, start } = meter(generated.bytes, placement, options);
  return runnable(bytes, start);
}

/** `allowance`: fuel, or more. */
function observe(module: Runnable, call: Call, allowance: bigint | Allowance) {
  const {
    fuelLeft,
    fault,
    grownPages: _,
    ...seen
  } = observeMetered(module, call, {
    imports: generatedImports(),
    allowance: typeof allowance === "bigint" ? { fuel: allowance } : allowance,
  });
  return { seen, fuelLeft, fault };
}

describe("generated modules", () => {
  test("do the same wherever charges are placed, and unmetered", () => {
    let returned = 0;
    for (const seed of SEEDS) {
      const generated = generateModule(seed);
      const original = runnable(generated.bytes);
      const metered = PLACEMENTS.map((placement) => meteredBy(generated, placement));
      for (const call of generated.calls) {
        const expected = observePlain(original, call, generatedImports());
        const seen = metered.map((module) => observe(module, call, PLENTY).seen);
        expect({ seed, call: call.name, seen }).toEqual({
          seed,
          call: call.name,
          seen: PLACEMENTS.map(() => expected),
        });
        returned += expected.end === "returned" ? 1 : 0;
      }
    }
    expect(returned).toBeGreaterThan(SEEDS.length);
  });

  test("burn the same in every placement when they return; that much is enough, and one less is not", () => {
    let most = 0n;
    for (const seed of SEEDS) {
      const generated = generateModule(seed);
      const metered = PLACEMENTS.map((placement) => meteredBy(generated, placement));
      for (const call of generated.calls) {
        const runs = metered.map((module) => observe(module, call, PLENTY));
        if (runs[0]!.seen.end !== "returned") {
          continue;
        }
        const burnt = PLENTY - runs[0]!.fuelLeft;
        const at = { seed, call: call.name };
        expect({ ...at, burnt: runs.map(({ fuelLeft }) => PLENTY - fuelLeft) }).toEqual({
          ...at,
          burnt: PLACEMENTS.map(() => burnt),
        });
        for (const [index, module] of metered.entries()) {
          const placement = PLACEMENTS[index]!;
          const enough = observe(module, call, burnt);
          expect({ ...at, placement, ...enough }).toEqual({
            ...at,
            placement,
            ...runs[index]!,
            fuelLeft: 0n,
          });
          const short = observe(module, call, burnt - 1n);
          // A loop that keeps its fuel in a local tells of it a little later, at the end at the latest.
          const ends = placement === "fast" ? [OUT_OF_FUEL, "returned"] : [OUT_OF_FUEL];
          const isStopped = short.fuelLeft < 0n && ends.includes(short.seen.end);
          expect({ ...at, placement, ...short, isStopped }).toMatchObject({ isStopped: true });
        }
        most = burnt > most ? burnt : most;
      }
    }
    expect(most).toBeGreaterThan(10_000n);
  });

  test("with counters that are imported, and where others may catch, they do and burn the same", () => {
    let burntAtAll = 0;
    for (const seed of SEEDS) {
      const generated = generateModule(seed);
      const own = meteredBy(generated, "fast");
      const others = [
        meteredBy(generated, "fast", { counters: "imported" }),
        meteredBy(generated, "fast", { counters: "imported", mayCatch: true }),
        meteredBy(generated, "plain", { counters: "imported" }),
      ];
      for (const call of generated.calls) {
        const { seen, fuelLeft } = observe(own, call, PLENTY);
        const runs = others.map((module) => observe(module, call, PLENTY));
        expect({ seed, seen: runs.map((run) => run.seen) }).toEqual({ seed, seen: others.map(() => seen) });
        if (seen.end === "returned") {
          burntAtAll += 1;
          expect({ seed, left: runs.map((run) => run.fuelLeft) }).toEqual({
            seed,
            left: others.map(() => fuelLeft),
          });
        }
      }
    }
    expect(burntAtAll).toBeGreaterThan(100);
  });

  test("run out of stack at the same place wherever charges are placed", () => {
    let exhausted = 0;
    for (const seed of SEEDS) {
      const generated = generateModule(seed);
      const metered = PLACEMENTS.map((placement) => meteredBy(generated, placement));
      for (const call of generated.calls) {
        const runs = metered.map((module) => observe(module, call, { fuel: PLENTY, stackBytes: 4000 }));
        const seen = runs.map((run) => ({ ...run.seen, fault: run.fault }));
        expect({ seed, seen }).toEqual({ seed, seen: PLACEMENTS.map(() => seen[0]) });
        exhausted += seen[0]!.fault === FAULT.stack ? 1 : 0;
      }
    }
    expect(exhausted).toBeGreaterThan(20);
  });

  test("do and burn the same again, and on another thread", async () => {
    const seeds = SEEDS.slice(0, 40);
    const worker = new Worker(new URL("_observe-generated.ts", import.meta.url), {
      execArgv: ["--conditions=@subnet-worker/source"],
      workerData: { seeds },
    });
    const here = seeds.map(observeGenerated);
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    worker.once("message", resolve);
    worker.once("error", reject);
    expect(await promise).toEqual(here);
    expect(seeds.map(observeGenerated)).toEqual(here);
    await worker.terminate();
  });
});

/** Functions that end with a call of each other, a million times: `f(n)` gives 7. */
const TAIL_CALLS = {
  "of itself": `
    (func $f (export "f") (param i32) (result i32)
      (if (i32.eqz (local.get 0)) (then (return (i32.const 7))))
      (return_call $f (i32.sub (local.get 0) (i32.const 1))))`,
  "of another": `
    (func $f (export "f") (param i32) (result i32)
      (if (i32.eqz (local.get 0)) (then (return (i32.const 7))))
      (return_call $g (i32.sub (local.get 0) (i32.const 1))))
    (func $g (param i32) (result i32) (return_call $f (local.get 0)))`,
  "through a table": `
    (type $t (func (param i32) (result i32)))
    (table 2 funcref) (elem (i32.const 0) $f $g)
    (func $f (export "f") (type $t)
      (if (i32.eqz (local.get 0)) (then (return (i32.const 7))))
      (return_call_indirect (type $t) (i32.sub (local.get 0) (i32.const 1)) (i32.const 1)))
    (func $g (type $t) (return_call $f (local.get 0)))`,
} as const;

describe("tail calls", () => {
  const cases = Object.entries(TAIL_CALLS).flatMap(([name, text]) =>
    (["own", "imported"] as const).map((counters) => ({ name, text, counters })),
  );

  test.each(cases)("$name take no stack, however many ($counters counters)", ({ text, counters }) => {
    const runs = PLACEMENTS.map((placement) => {
      const { bytes } = meter(wat(`(module ${text})`), placement, { counters });
      const allowance = { fuel: PLENTY, stackBytes: 1024 };
      return observeMetered(runnable(bytes), { name: "f", args: [1_000_000] }, { imports: {}, allowance });
    });
    expect(runs.map(({ end, values, fault }) => [end, ...values, fault])).toEqual(
      PLACEMENTS.map(() => ["returned", "7", FAULT.none]),
    );
    expect(new Set(runs.map(({ fuelLeft }) => fuelLeft)).size).toBe(1);
  });
});
