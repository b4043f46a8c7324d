/**
 * Makes the programs of `bench/wasm-programs` for the benchmark, where compilers are there or can be unpacked, and says
 * in one line of JSON what it made: `{"programs": [{"name", "file"}], "missing": [...], "path": "..."}`. `path` is the
 * PATH on which wabt's interpreter is, when it is to be had.
 */
import { join } from "node:path";
import { build, missingTools } from "../examples/wasm/toolchain/build.ts";
import { ASSEMBLYSCRIPT, C_EXECUTE, RUST_EXECUTE } from "../examples/wasm/toolchain/flags.ts";
import type { Recipe } from "../examples/wasm/toolchain/recipe.ts";
import { ROOT } from "./_published.ts";
import { pathWithWasmPrograms } from "./system-programs.ts";

const SOURCES = join(ROOT, "bench", "wasm-programs");
const C_FLAGS = [...C_EXECUTE, "-O3", "-msign-ext", "-mnontrapping-fptoint"];

function c(name: string, ...flags: readonly string[]): Recipe {
  const source = join(SOURCES, `${name}.c`);
  return { kind: "c", tool: "clang", name: `${name}.wasm`, source, flags: [...C_FLAGS, ...flags] };
}

function rust(name: string): Recipe {
  const source = join(SOURCES, `${name}.rs`);
  return { kind: "rust", tool: "rustc", name: `${name}.wasm`, source, flags: RUST_EXECUTE };
}

const RECIPES: readonly Recipe[] = [
  c("fib"),
  c("sieve"),
  c("sha256"),
  c("matrix"),
  c("convolve", "-msimd128"),
  rust("json"),
  rust("regex"),
  {
    kind: "assemblyscript",
    name: "mandelbrot.wasm",
    source: join(SOURCES, "mandelbrot.ts"),
    flags: ASSEMBLYSCRIPT,
  },
];

const path = pathWithWasmPrograms(process.env["PATH"] ?? "");
process.env["PATH"] = path;
const results = await build(RECIPES, join(ROOT, ".cache", "wasm-programs"));
const programs = results
  .filter(({ state }) => state !== "skipped")
  .map(({ name, file }) => ({ name: name.replace(/\.wasm$/, ""), file }));
process.stdout.write(`${JSON.stringify({ programs, missing: missingTools(results), path })}\n`);
