// The API reference is what the docstrings say today, and no export is without one.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "./_published.ts";

const DOCS = join(ROOT, "docs");

function pagesIn(folder: string): ReadonlyMap<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".md"),
  );
  return new Map(names.toSorted().map((name) => [name, readFileSync(join(folder, name), "utf8")]));
}

/** Runs typedoc and says what it said, unless all is well. */
function typedoc(...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(join(DOCS, "node_modules", ".bin", "typedoc"), args, {
    cwd: DOCS,
    encoding: "utf8",
  });
  return status === 0 ? "" : stdout + stderr;
}

test("every export of the packages that are not in docs/api has a docstring, too", () => {
  expect(typedoc("--options", "typedoc-others.json")).toBe("");
});

test("docs/api is what typedoc makes of the docstrings; else run: pnpm run docs:api", () => {
  const out = mkdtempSync(join(tmpdir(), "api-"));
  using _ = { [Symbol.dispose]: () => rmSync(out, { recursive: true, force: true }) };
  expect(typedoc("--out", out)).toBe("");
  expect(pagesIn(out)).toEqual(pagesIn(join(DOCS, "api")));
});
