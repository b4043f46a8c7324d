import { execFile } from "node:child_process";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { stripTypeScriptTypes } from "node:module";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import type { Recipe } from "./recipe.ts";
import { findTool, type ToolName } from "./tools.ts";

const run = promisify(execFile);

/**
 * Makes the program into a file.
 *
 * @throws when its compiler is missing, or says no: the message has what it said
 */
export async function compile(recipe: Recipe, output: string): Promise<void> {
  await mkdir(dirname(output), { recursive: true });
  // Whoever reads the file while it is made anew has the old one or the new one.
  const unfinished = join(dirname(output), `.${process.pid}-${basename(output)}`);
  try {
    await make(recipe, unfinished);
    await rename(unfinished, output);
  } finally {
    await rm(unfinished, { force: true });
  }
}

function make(recipe: Recipe, output: string): Promise<void> {
  switch (recipe.kind) {
    case "c":
    case "rust":
      return runTool(recipe.tool, [...recipe.flags, "-o", output, recipe.source]);
    case "assemblyscript":
      return compileAssemblyScript(recipe, output);
    case "script-component":
      return componentOfScript(recipe, output);
    case "command-component":
      return componentOfCommand(recipe.source, output);
    case "core-component":
      return componentOfCore(recipe, output);
  }
}

async function runTool(name: ToolName, args: readonly string[]): Promise<void> {
  const tool = findTool(name);
  if (tool === undefined) throw new Error(`${name} is not to be had here`);
  await run(tool.program, [...tool.args, ...args]);
}

async function compileAssemblyScript(
  { source, flags }: Extract<Recipe, { readonly kind: "assemblyscript" }>,
  output: string,
): Promise<void> {
  const { createMemoryStream, main } = await import("assemblyscript/asc");
  const said = createMemoryStream();
  // Names of files are relative to it; others would become part of the module.
  const args = [basename(source), "--baseDir", dirname(source), "--outFile", output, ...flags];
  const { error } = await main(args, {
    stderr: said,
    writeFile: (name, content) => writeFile(name, content),
  });
  if (error !== null) throw new Error(`asc ${basename(source)}: ${error.message}\n${said.toString()}`);
}

async function componentOfScript(
  { source, wit, world }: Extract<Recipe, { readonly kind: "script-component" }>,
  output: string,
): Promise<void> {
  const { componentize } = await import("@bytecodealliance/componentize-js");
  const text = await readFile(source, "utf8");
  const script = source.endsWith(".ts") ? stripTypeScriptTypes(text) : text;
  // Each feature is an import, and HTTP is granted to few. Its types ask for a path of the source, which is text here.
  const options = { worldName: world, disableFeatures: ["http", "fetch-event"] } as Parameters<
    typeof componentize
  >[2];
  // As text: some versions do not find a WIT file that they are given the path of.
  const { component } = await componentize(script, await readFile(wit, "utf8"), options);
  await writeFile(output, component);
}

async function componentOfCommand(core: string, output: string): Promise<void> {
  const { componentNew, preview1AdapterCommandPath } = await import("@bytecodealliance/jco");
  const adapter = await readFile(preview1AdapterCommandPath());
  const component = await componentNew(await readFile(core), [["wasi_snapshot_preview1", adapter]]);
  await writeFile(output, component);
}

async function componentOfCore(
  { source, wit, world }: Extract<Recipe, { readonly kind: "core-component" }>,
  output: string,
): Promise<void> {
  const { componentEmbed, componentNew } = await import("@bytecodealliance/jco");
  const witSource = await readFile(wit, "utf8");
  const embedded = await componentEmbed({ binary: await readFile(source), witSource, world });
  await writeFile(output, await componentNew(embedded, []));
}
