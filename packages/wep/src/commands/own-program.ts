import { existsSync, readFileSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** In this repository programs run from their sources. */
const FROM_SOURCE = "--conditions=@subnet-worker/source";
const IS_SOURCE = import.meta.url.endsWith(".ts");

/** What to start Node with for a `wep` command. */
export function ownProgram(): readonly string[] {
  const main = fileURLToPath(new URL(IS_SOURCE ? "../main.ts" : "../main.js", import.meta.url));
  return IS_SOURCE ? [FROM_SOURCE, main] : [main];
}

/**
 * What to start Node with for a program of another package.
 *
 * @param directory of the project that may have it installed
 * @returns `undefined` where it is not installed
 */
export function installedProgram(
  directory: string,
  { packageName, bin }: { readonly packageName: string; readonly bin: string },
): readonly string[] | undefined {
  const manifest = manifestOf(directory, packageName);
  if (manifest === undefined) return undefined;
  const source = join(dirname(manifest), "src", "main.ts");
  if (IS_SOURCE && existsSync(source)) return [FROM_SOURCE, source];
  const { bin: programs } = JSON.parse(readFileSync(manifest, "utf8")) as { bin?: Record<string, string> };
  const path = programs?.[bin];
  return path === undefined ? undefined : [linkOf(manifest, { bin, path: join(dirname(manifest), path) })];
}

/** The link that npx would run, where there is one: programs tell people how they were called. */
function linkOf(manifest: string, { bin, path }: { readonly bin: string; readonly path: string }): string {
  const at = manifest.lastIndexOf(`${sep}node_modules${sep}`);
  const link = join(manifest.slice(0, at), "node_modules", ".bin", bin);
  return at >= 0 && existsSync(link) && realpathSync(link) === realpathSync(path) ? link : path;
}

function manifestOf(directory: string, packageName: string): string | undefined {
  try {
    return createRequire(join(directory, "package.json")).resolve(`${packageName}/package.json`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}
