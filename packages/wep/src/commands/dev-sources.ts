import { existsSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";

/** Relative modules and files that a source names: imports of all forms, and `new URL("./x", ...)`. */
const NAMED = /(?:\bfrom|\bimport|\bnew\s+URL)\s*\(?\s*["'](\.{1,2}\/[^"'\n]+)["']/g;
const SOURCE = /\.[cm]?[jt]s$/;

/**
 * Modules and all that they import from the project, directly or not; packages are left
 * out. What is named and not there is among them: it may come.
 *
 * @param modules absolute paths
 */
export function sourcesOf(modules: readonly string[]): ReadonlySet<string> {
  const found = new Set<string>();
  const waiting = [...modules];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (found.has(path) || path.includes("/node_modules/")) continue;
    found.add(path);
    if (!SOURCE.test(path) || !existsSync(path)) continue;
    for (const [, name = ""] of readFileSync(path, "utf8").matchAll(NAMED)) {
      waiting.push(resolve(dirname(path), name));
    }
  }
  return found;
}
