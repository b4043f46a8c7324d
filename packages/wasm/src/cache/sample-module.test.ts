import { expect, it } from "vitest";
import { DEFAULT_MODULE_LIMITS } from "../limits.ts";
import { meterModule } from "../meter/meter-module.ts";
import { Wasm } from "../web-assembly.ts";
import { createSampleModule } from "./sample-module.ts";

it("is a valid module of some 60 KB, and is metered in every placement", () => {
  const sample = createSampleModule();
  expect(() => new Wasm.Module(sample)).not.toThrow();
  expect(sample.length).toBeGreaterThan(50_000);
  expect(sample.length).toBeLessThan(90_000);
  for (const placement of ["fast", "plain", "every"] as const) {
    const { bytes } = meterModule(sample, { counters: "own", placement, limits: DEFAULT_MODULE_LIMITS });
    expect(Wasm.validate(bytes)).toBe(true);
  }
});

it("is the same every time", () => {
  expect(createSampleModule()).toEqual(createSampleModule());
});
