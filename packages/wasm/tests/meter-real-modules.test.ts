// Modules of real toolchains, from 1 KB to 10 MB: they do the same metered as they do unmetered, and burn the same
// fuel wherever the charges are placed.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { meterModule } from "../src/meter/meter-module.ts";
import type { MeterOptions } from "../src/meter/meter.ts";
import { Wasm, type WasmGlobal, type WasmMemory } from "../src/web-assembly.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const PLACEMENTS = ["fast", "plain", "every"] as const;
const PLENTY = 2n ** 62n;

/** Core modules that npm packages bring along, by name: Rust, C++ and JavaScript engines, up to 10 MB. */
const found = globSync(
  "node_modules/.pnpm/@bytecodealliance+*/node_modules/@bytecodealliance/*/{lib,vendor}/*.wasm",
  {
    cwd: ROOT,
  },
)
  .filter((file) => !file.includes("debug"))
  .map((file) => ({ name: basename(file), file: join(ROOT, file) }))
  .filter(({ name }, at, all) => all.findIndex((other) => other.name === name) === at);

interface Programs {
  readonly programs: readonly { readonly name: string; readonly file: string }[];
  readonly missing: readonly string[];
}

function meter(bytes: Uint8Array, placement: MeterOptions["placement"]): Uint8Array<ArrayBuffer> {
  const limits = { functionBytes: 2 ** 23, functions: 1_000_000 };
  return meterModule(bytes, { counters: "own", placement, limits }).bytes;
}

const built = spawnSync(
  process.execPath,
  ["--conditions=@subnet-worker/source", join(ROOT, "scripts/wasm-programs.ts")],
  { encoding: "utf8" },
);
const { programs, missing } = JSON.parse(built.stdout) as Programs;

/** A new instance, with plenty of all but fuel. */
function open(bytes: Uint8Array, fuelLimit: bigint) {
  const { exports } = new Wasm.Instance(new Wasm.Module(bytes));
  const counter = (name: string) => exports[`subnet:meter/${name}`] as WasmGlobal | undefined;
  const fuel = counter("fuel") as WasmGlobal<bigint> | undefined;
  if (fuel !== undefined) {
    fuel.value = fuelLimit;
    counter("stack")!.value = 2 ** 20;
    counter("pages")!.value = 2 ** 10;
    counter("elements")!.value = 2 ** 20;
    (exports["subnet:meter/start"] as (() => void) | undefined)?.();
  }
  return {
    run: exports["run"] as unknown as (n: number) => number,
    memory: exports["memory"] as WasmMemory,
    fuelLeft: () => fuel?.value ?? 0n,
  };
}

/** What `run(n)` gives, a hash of the memory that it leaves behind, and the fuel that it used. */
function run(bytes: Uint8Array, n: number) {
  const program = open(bytes, PLENTY);
  const result = program.run(n);
  const memory = createHash("sha256").update(new Uint8Array(program.memory.buffer)).digest("hex");
  return { seen: { result, memory }, fuel: PLENTY - program.fuelLeft() };
}

/** What is left of the fuel at the end; below 0 it was not enough, whether the code was stopped or just done. */
function fuelLeftOf(bytes: Uint8Array, n: number, fuelLimit: bigint): bigint {
  const program = open(bytes, fuelLimit);
  try {
    program.run(n);
  } catch (error) {
    expect(error).toBeInstanceOf(Wasm.RuntimeError);
    expect(program.fuelLeft()).toBeLessThan(0n);
  }
  return program.fuelLeft();
}

const SMALL_N: Readonly<Record<string, number>> = { fib: 20, regex: 2, mandelbrot: 40, json: 2 };

test("the benchmark's programs are built, or it is said what is missing", () => {
  expect(programs.length + missing.length).toBeGreaterThanOrEqual(8);
});

describe.each(programs)("$name", ({ name, file }) => {
  const bytes = new Uint8Array(readFileSync(file));
  const n = SMALL_N[name] ?? 1;

  test("gives the same and leaves the same memory, with the same fuel in all placements", () => {
    const wanted = run(bytes, n).seen;
    const metered = PLACEMENTS.map((placement) => run(meter(bytes, placement), n));
    expect(metered.map(({ seen }) => seen)).toEqual(PLACEMENTS.map(() => wanted));
    const [fuel] = metered.map((each) => each.fuel) as [bigint];
    expect(fuel).toBeGreaterThan(1_000n);
    expect(metered.map((each) => each.fuel)).toEqual(PLACEMENTS.map(() => fuel));
  });

  test.each(PLACEMENTS)(
    "with %s placement it runs with its fuel, and out of fuel with one less",
    (placement) => {
      const metered = meter(bytes, placement);
      const { fuel } = run(metered, n);
      expect(fuelLeftOf(metered, n, fuel)).toBe(0n);
      expect(fuelLeftOf(metered, n, fuel - 1n)).toBeLessThan(0n);
      expect(fuelLeftOf(metered, n, fuel / 2n)).toBeLessThan(0n);
    },
  );
});

/** What a program printed, and the fuel of all WebAssembly in it. */
function runProgram(script: string, placement: string | undefined, args: readonly string[] = []) {
  const preload = fileURLToPath(new URL("_metered-web-assembly.ts", import.meta.url));
  const file = fileURLToPath(new URL(script, import.meta.url));
  const flags = ["--conditions=@subnet-worker/source", "--stack-size=8000", "--import", preload];
  const child = spawnSync(process.execPath, [...flags, file, ...args], {
    env: { ...process.env, METER_PLACEMENT: placement },
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    encoding: "utf8",
  });
  expect(child.stderr).toBe("");
  return { printed: child.stdout, fuel: child.output[3] };
}

test("there are modules of packages to try", () => {
  expect(found.length).toBeGreaterThanOrEqual(5);
});

describe("compilers that are WebAssembly themselves", () => {
  test("jco parses, prints and transpiles a component", { timeout: 180_000 }, () => {
    expectSame("_real-jco.ts", []);
  });

  test("binaryen optimizes a module", { timeout: 180_000 }, () => {
    const shims = found.find(({ name }) => name === "wasm-tools.core2.wasm");
    expectSame("_real-binaryen.ts", [shims?.file ?? ""]);
  });

  function expectSame(script: string, args: readonly string[]): void {
    const unmetered = runProgram(script, undefined, args);
    expect(unmetered.printed).toContain("{");
    expect(unmetered.fuel).toBe("");
    const metered = PLACEMENTS.map((placement) => runProgram(script, placement, args));
    expect(metered.map(({ printed }) => printed)).toEqual(PLACEMENTS.map(() => unmetered.printed));
    const [fuel] = metered.map((each) => each.fuel) as [string];
    expect(Number(fuel)).toBeGreaterThan(1_000_000);
    expect(metered.map((each) => each.fuel)).toEqual(PLACEMENTS.map(() => fuel));
  }
});

test.each(found)("$name is valid when metered", ({ file }) => {
  const bytes = new Uint8Array(readFileSync(file));
  for (const placement of ["fast", "plain"] as const) {
    expect(Wasm.validate(meter(bytes, placement)), placement).toBe(true);
  }
});
