import { mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { expect, it } from "vitest";
import { sourcesOf } from "../src/commands/dev-sources.ts";
import { emptyFolder } from "./_commands.ts";

it("finds what modules import from the project, in all the ways there are", async () => {
  await using folder = await emptyFolder();
  const root = realpathSync(folder.path);
  const files: Readonly<Record<string, string>> = {
    "src/handlers.ts": `
      import a, { b } from "./a.ts";
      import "../side-effect.js";
      import type { T } from './types.ts';
      export * from "./b.mjs";
      import data from "./data.json" with { type: "json" };
      const wasm = new URL("../assets/x.wasm", import.meta.url);
      const late = await import(
        "./late.ts"
      );
      import { readFile } from "node:fs";
      import { z } from "zod";
      import missing from "./missing.ts";
      const text = "./not-imported.ts";
    `,
    "src/a.ts": 'import "./handlers.ts"; import "./deep/c.ts";',
    "src/deep/c.ts": "",
    "src/b.mjs": "",
    "src/types.ts": "",
    "src/late.ts": "",
    "src/not-imported.ts": 'import "./deep/no.ts";',
    "side-effect.js": 'import "./node_modules/zod/index.js";',
    "node_modules/zod/index.js": 'import "./more.js";',
  };
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(root, name, ".."), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  const found = [...sourcesOf([join(root, "src/handlers.ts")])].map((path) => relative(root, path));
  expect(found.toSorted()).toEqual([
    "assets/x.wasm",
    "side-effect.js",
    "src/a.ts",
    "src/b.mjs",
    "src/data.json",
    "src/deep/c.ts",
    "src/handlers.ts",
    "src/late.ts",
    "src/missing.ts",
    "src/types.ts",
  ]);
});
