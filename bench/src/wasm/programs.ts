import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { buildSqlite } from "./sqlite/sqlite-module.ts";

const BUILD_SCRIPT = fileURLToPath(new URL("../../../scripts/wasm-programs.ts", import.meta.url));

/** A module that exports `run(n) -> i32` and imports nothing. */
export interface WasmProgram {
  readonly name: string;
  readonly madeBy: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Makes a call of 50 to 200 ms in V8. */
  readonly n: number;
  /** Makes a call of about a second in an interpreter. */
  readonly interpreterN: number;
}

/** What the build script says. */
interface Built {
  readonly programs: readonly { readonly name: string; readonly file: string }[];
  readonly missing: readonly string[];
  readonly path: string;
}

/** Programs, and what was missing to make others. */
export interface WasmPrograms {
  readonly programs: readonly WasmProgram[];
  readonly sqlite: WasmProgram;
}

const SIZES: Readonly<Record<string, Pick<WasmProgram, "madeBy" | "n" | "interpreterN">>> = {
  fib: { madeBy: "C", n: 36, interpreterN: 29 },
  sieve: { madeBy: "C", n: 20, interpreterN: 1 },
  sha256: { madeBy: "C", n: 200, interpreterN: 4 },
  matrix: { madeBy: "C", n: 20, interpreterN: 1 },
  convolve: { madeBy: "C, SIMD", n: 100, interpreterN: 2 },
  json: { madeBy: "Rust", n: 150, interpreterN: 4 },
  regex: { madeBy: "Rust", n: 40, interpreterN: 1 },
  mandelbrot: { madeBy: "AssemblyScript", n: 4_000, interpreterN: 100 },
};

/**
 * Builds all programs, and puts wabt's interpreter on the PATH where the build script found one.
 *
 * @throws {Error} when a compiler is missing
 */
export function buildPrograms(): WasmPrograms {
  const args = ["--conditions=@subnet-worker/source", BUILD_SCRIPT];
  const built = JSON.parse(execFileSync(process.execPath, args).toString()) as Built;
  if (built.missing.length > 0) {
    throw new Error(`compilers are missing: ${built.missing.join(", ")}; install them and run it again`);
  }
  process.env["PATH"] = built.path;
  const programs = built.programs.flatMap(({ name, file }) => {
    const sizes = SIZES[name];
    return sizes === undefined ? [] : [{ name, ...sizes, bytes: new Uint8Array(readFileSync(file)) }];
  });
  const sqlite = { name: "sqlite", madeBy: "C", bytes: buildSqlite(), n: 40_000, interpreterN: 1_000 };
  return { programs: [...programs, sqlite], sqlite };
}
