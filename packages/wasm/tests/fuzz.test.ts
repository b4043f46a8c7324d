import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { replayCase, runCampaign } from "../fuzz/campaign.ts";
import { type FuzzCase, makeCase } from "../fuzz/cases.ts";
import { type CaseReport, checkCase } from "../fuzz/check-case.ts";
import { keepCase } from "../fuzz/keep-case.ts";
import { meterModule } from "../src/meter/meter-module.ts";
import type { MeterModule } from "../src/meter/meter.ts";
import { generateModule } from "./_generate-module.ts";

const ROOT = resolve(import.meta.dirname, "../../..");
const METER_URL = new URL("../src/meter/meter-module.ts", import.meta.url).href;
const MAIN = resolve(import.meta.dirname, "../fuzz/main.ts");

function generatedCase(number: number): FuzzCase {
  const options = { placement: "fast", counters: "own", callSeed: number } as const;
  return { number, origin: "generated", bytes: generateModule(number).bytes, options };
}

function problemsWith(meter: MeterModule, cases: number): readonly string[] {
  return Array.from({ length: cases }, (_, number) => checkCase(generatedCase(number), meter)).flatMap(
    ({ problems }) => problems.map(({ kind }) => kind),
  );
}

describe("fuzzing the meter", () => {
  test("a short campaign finds nothing, and comes to all that it looks at", () => {
    const args = [
      "--conditions=@subnet-worker/source",
      MAIN,
      "--cases",
      "300",
      "--threads",
      "1",
      "--seed",
      "7",
    ];
    const { stdout, status } = spawnSync(process.execPath, args, { encoding: "utf8" });
    const last = stdout.trim().split("\n").at(-1) ?? "";
    const { name, metrics } = JSON.parse(last) as { name: string; metrics: Record<string, number> };
    expect({ status, name }).toEqual({ status: 0, name: "fuzz-wasm" });
    expect(metrics).toMatchObject({
      modules: 300,
      seed: 7,
      crashes: 0,
      hangs: 0,
      unmetered: 0,
      mismatches: 0,
    });
    expect(metrics["accepted"]).toBeGreaterThan(100);
    expect(metrics["compared"]).toBeGreaterThan(100);
    expect(metrics["out_of_fuel"]).toBeGreaterThan(0);
  });

  test("the same seed and number are the same case", () => {
    const numbers = Array.from({ length: 30 }, (_, number) => number);
    const real = [generateModule(99).bytes];
    expect(numbers.map((number) => makeCase(3, number, real))).toEqual(
      numbers.map((number) => makeCase(3, number, real)),
    );
    expect(makeCase(3, 0, real).bytes).not.toEqual(makeCase(4, 0, real).bytes);
  });

  test("a meter that throws what is no WasmError has crashed", () => {
    const crashes: MeterModule = () => {
      throw new TypeError("undefined is not a function");
    };
    expect(problemsWith(crashes, 1)).toEqual(["crash"]);
  });

  test("a meter that makes what V8 does not take is found", () => {
    const breaks: MeterModule = (bytes, options) => {
      const metered = meterModule(bytes, options);
      return { ...metered, bytes: metered.bytes.slice(0, -1) };
    };
    expect(problemsWith(breaks, 1)).toEqual(["invalid_output"]);
  });

  test("a meter that changes what a module does is found", () => {
    const changes: MeterModule = (bytes, options) => {
      const module = bytes.slice();
      const data = module.length - 1; // of the segment that is in memory from the start
      module[data] = module[data]! ^ 1;
      return meterModule(module, options);
    };
    expect(new Set(problemsWith(changes, 3))).toEqual(new Set(["mismatch"]));
  });

  test("a meter that charges too little is found", () => {
    const cheapens: MeterModule = (bytes, options) => {
      const metered = meterModule(bytes, options);
      // i64.const and i64.sub around what a charge takes, where one byte holds it.
      const at = metered.bytes.findIndex(
        (byte, index, { [index + 1]: fuel = 0, [index + 2]: after }) =>
          byte === 0x42 && fuel > 1 && fuel < 64 && after === 0x7d,
      );
      if (options.placement === "fast" && at >= 0) metered.bytes[at + 1]! -= 1;
      return metered;
    };
    const kinds = new Set(problemsWith(cheapens, 10));
    expect(kinds).toEqual(new Set(["unmetered"]));
  });

  test("a case that is kept is the same case when it is tried again", async () => {
    const folder = mkdtempSync(join(tmpdir(), "fuzz-"));
    const options = { seed: 5, real: [], folder };
    for (const number of [0, 1, 2, 3]) {
      const first = checkCase(makeCase(5, number, []), meterModule);
      const again = await replayCase(keepCase(first, options), METER_URL);
      expect(again).toEqual(first);
    }
    rmSync(folder, { recursive: true });
  });

  test("a module that does not stop is found, and the campaign goes on behind it", async () => {
    const reports: CaseReport[] = [];
    const meterUrl = new URL("_spinning-meter.ts", import.meta.url).href;
    await runCampaign(
      { seed: 1, timeMs: 60_000, cases: 2, threads: 1, hangMs: 1_000, root: ROOT, meterUrl },
      (report) => reports.push(report),
    );
    expect(reports.map(({ number, problems }) => [number, ...problems.map(({ kind }) => kind)])).toEqual([
      [0, "hang"],
      [1, "hang"],
    ]);
  });
});
