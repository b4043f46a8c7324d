/**
 * `npm run build`: makes every example into `build/`, those that are not up to date. An example whose compiler is
 * missing is skipped by name.
 */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { build, type Built, missingTools } from "./toolchain/build.ts";
import {
  ASSEMBLYSCRIPT,
  C_COMMAND,
  C_EXECUTE,
  C_HANDLER,
  RUST_COMMAND,
  RUST_EXECUTE,
  RUST_HANDLER,
} from "./toolchain/flags.ts";
import type { Recipe } from "./toolchain/recipe.ts";

/** Where the examples end up. */
const BUILD: string = join(import.meta.dirname, "build");

const HANDLER_WIT = join(
  dirname(createRequire(import.meta.url).resolve("@subnet-worker/wasm/package.json")),
  "wit",
  "subnet-worker.wit",
);

const from = (...path: readonly string[]) => join(import.meta.dirname, ...path);

/** How each example is made. */
const EXAMPLES: readonly Recipe[] = [
  { name: "crc32.wasm", kind: "c", tool: "clang", source: from("c", "crc32.c"), flags: C_EXECUTE },
  {
    name: "word_count.wasm",
    kind: "rust",
    tool: "rustc",
    source: from("rust", "word_count.rs"),
    flags: RUST_EXECUTE,
  },
  {
    name: "statistics.wasm",
    kind: "assemblyscript",
    source: from("assemblyscript", "statistics.ts"),
    flags: ASSEMBLYSCRIPT,
  },
  {
    name: "csv-column.wasm",
    kind: "c",
    tool: "clang-wasi",
    source: from("c", "csv-column.c"),
    flags: C_COMMAND,
  },
  {
    name: "sort_lines.wasm",
    kind: "rust",
    tool: "rustc-wasi",
    source: from("rust", "sort_lines.rs"),
    flags: RUST_COMMAND,
  },
  {
    name: "base64.wasm",
    kind: "assemblyscript",
    source: from("assemblyscript", "base64.ts"),
    flags: ASSEMBLYSCRIPT,
  },
  {
    name: "sort_lines.component.wasm",
    kind: "command-component",
    tool: "rustc-wasi",
    source: join(BUILD, "sort_lines.wasm"),
  },
  {
    name: "csv-column.component.wasm",
    kind: "command-component",
    tool: "clang-wasi",
    source: join(BUILD, "csv-column.wasm"),
  },
  { name: "slug.core.wasm", kind: "c", tool: "clang", source: from("c", "slug.c"), flags: C_HANDLER },
  {
    name: "slug.component.wasm",
    kind: "core-component",
    tool: "clang",
    source: join(BUILD, "slug.core.wasm"),
    wit: HANDLER_WIT,
    world: "handler",
  },
  {
    name: "readings.core.wasm",
    kind: "rust",
    tool: "rustc",
    source: from("rust", "readings.rs"),
    flags: RUST_HANDLER,
  },
  {
    name: "readings.component.wasm",
    kind: "core-component",
    tool: "rustc",
    source: join(BUILD, "readings.core.wasm"),
    wit: HANDLER_WIT,
    world: "handler",
  },
  {
    name: "pretty-json.component.wasm",
    kind: "script-component",
    source: from("javascript", "pretty-json.js"),
    wit: from("javascript", "wit", "program.wit"),
    world: "program",
  },
  {
    name: "invoice.component.wasm",
    kind: "script-component",
    source: from("typescript", "invoice.ts"),
    wit: HANDLER_WIT,
    world: "handler",
  },
];

/** Makes the examples that are not up to date. */
export function buildExamples(): Promise<readonly Built[]> {
  return build(EXAMPLES, BUILD);
}

if (import.meta.main) {
  const results = await buildExamples();
  for (const { state, name } of results) process.stdout.write(`${state.padEnd(9)} ${name}\n`);
  for (const line of missingTools(results)) process.stdout.write(`${line}\n`);
}
