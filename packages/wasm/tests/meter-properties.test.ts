/** Generated modules do the same metered as they do unmetered, and all placements count the same. */
import { describe, expect, test } from "vitest";
import { generatedImports, generateModule, type GeneratedModule } from "./_generate-module.ts";
import {
  meter,
  observeMetered,
  observePlain,
  PLACEMENTS,
  PLENTY,
  type Runnable,
  runnable,
  type Seen,
} from "./_observe-module.ts";

/** A failing module is named by its seed: `generateModule(seed)` gives it again. */
const SEEDS = Array.from({ length: 400 }, (_, seed) => seed);

const OUT_OF_FUEL = "RuntimeError: unreachable";

function meteredBy(generated: GeneratedModule, placement: (typeof PLACEMENTS)[number]): Runnable {
  const { bytes, start } = meter(generated.bytes, placement);
  return runnable(bytes, start);
}

function observe(module: Runnable, call: GeneratedModule["calls"][number], fuel: bigint) {
  const { fuelLeft, fault, ...seen } = observeMetered(module, call, {
    imports: generatedImports(),
    allowance: { fuel },
  });
  return { seen: seen satisfies Seen, fuelLeft, fault };
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
});
