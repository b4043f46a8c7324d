import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { compile } from "./compile.ts";
import { type Recipe, toolOf } from "./recipe.ts";
import { findTool, TOOLS, type ToolName } from "./tools.ts";

/** What has become of a program. */
export interface Built {
  readonly name: string;
  /** Absolute; there only when {@link state} is not `skipped`. */
  readonly file: string;
  readonly state: "made" | "unchanged" | "skipped";
  /** The compiler that is missing. */
  readonly missing?: ToolName;
}

/** What makes components and AssemblyScript: another version may make something else. */
const PACKAGES = ["assemblyscript", "@bytecodealliance/componentize-js", "@bytecodealliance/jco"] as const;

/**
 * Makes each program that is not there yet or not up to date, one after the other, into a folder. A program whose
 * compiler is missing is skipped.
 *
 * @param recipes a program made from another's output comes after it
 * @throws what a compiler says against a program
 */
export async function build(recipes: readonly Recipe[], folder: string): Promise<readonly Built[]> {
  const results: Built[] = [];
  for (const recipe of recipes) results.push(await buildOne(recipe, join(folder, recipe.name)));
  return results;
}

async function buildOne(recipe: Recipe, file: string): Promise<Built> {
  const { name } = recipe;
  const missing = toolOf(recipe);
  if (missing !== undefined && findTool(missing) === undefined)
    return { name, file, state: "skipped", missing };
  const key = keyOf(recipe);
  const keyFile = join(dirname(file), ".keys", name);
  if (existsSync(file) && existsSync(keyFile) && readFileSync(keyFile, "utf8") === key) {
    return { name, file, state: "unchanged" };
  }
  await compile(recipe, file);
  await mkdir(dirname(keyFile), { recursive: true });
  await writeFile(keyFile, key);
  return { name, file, state: "made" };
}

/** Changes with whatever the program is made from: the recipe, the compilers, this code, and the files. */
function keyOf(recipe: Recipe): string {
  const tool = toolOf(recipe);
  const hash = createHash("sha256");
  hash.update(JSON.stringify([recipe, PACKAGES.map(versionOf), tool === undefined ? "" : findTool(tool)]));
  for (const file of [...filesOf(recipe), ...filesIn(import.meta.dirname)]) {
    hash.update(file).update("\0").update(readFileSync(file)).update("\0");
  }
  return hash.digest("hex");
}

function filesOf(recipe: Recipe): readonly string[] {
  switch (recipe.kind) {
    case "c":
    case "rust":
    case "assemblyscript":
      // It may include what lies beside it.
      return filesIn(dirname(recipe.source));
    case "script-component":
    case "core-component":
      return [recipe.source, recipe.wit];
    case "command-component":
      return [recipe.source];
  }
}

function filesIn(folder: string): readonly string[] {
  return readdirSync(folder)
    .sort()
    .map((name) => join(folder, name))
    .filter((file) => statSync(file).isFile());
}

function versionOf(name: string): string {
  // Not all of them let their package.json be imported.
  const folders = createRequire(import.meta.url).resolve.paths(name) ?? [];
  const manifest = folders
    .map((folder) => join(folder, name, "package.json"))
    .find((file) => existsSync(file));
  if (manifest === undefined) throw new Error(`${name} is not installed; run npx -y pnpm@12.21.0 install`);
  return (JSON.parse(readFileSync(manifest, "utf8")) as { readonly version: string }).version;
}

/** One line for each compiler that is missing, with the programs that are skipped for it and how to get it. */
export function missingTools(results: readonly Built[]): readonly string[] {
  const skipped = Map.groupBy(
    results.filter(({ missing }) => missing !== undefined),
    ({ missing }) => missing as ToolName,
  );
  return Array.from(skipped, ([tool, programs]) => {
    const { what, debian } = TOOLS[tool];
    return `no ${what}: skipped ${programs.map(({ name }) => name).join(", ")} (Debian: apt-get install ${debian})`;
  });
}
