import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** What to run a Node program with: `process.execPath` and these arguments. */
export type EntryPoint = readonly string[];

const FROM_SOURCE = "--conditions=@subnet-worker/source";

/**
 * Finds the program of another package of this project: its TypeScript source
 * in the workspace, its `bin` once installed.
 *
 * @throws when the package is not installed or has no such bin
 */
export function packageEntryPoint(packageName: string, binName: string): EntryPoint {
  const manifest = fileURLToPath(import.meta.resolve(`${packageName}/package.json`));
  const root = dirname(manifest);
  const source = join(root, "src", "main.ts");
  if (existsSync(source)) return [FROM_SOURCE, source];
  const { bin } = JSON.parse(readFileSync(manifest, "utf8")) as { bin?: Record<string, string> };
  const path = bin?.[binName];
  if (path === undefined)
    throw new Error(`${packageName} at ${root} has no bin "${binName}"; install it again`);
  return [join(root, path)];
}

/** A program of this package, by its path below `src` without the extension. */
export function ownEntryPoint(modulePath: string): EntryPoint {
  const isSource = import.meta.url.endsWith(".ts");
  const path = fileURLToPath(new URL(`../${modulePath}${isSource ? ".ts" : ".js"}`, import.meta.url));
  return isSource ? [FROM_SOURCE, path] : [path];
}
