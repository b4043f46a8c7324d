// A field that is renamed in the spec is a type error in the handler, once the types are written again.
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseSpec, specTypes } from "@subnet-worker/activity-spec";
import { afterAll, beforeAll, expect, it } from "vitest";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const TSC = join(HERE, "..", "..", "..", "node_modules", ".bin", "tsc");

const SPEC = `
task_kind: demo.count
task_version: 1.0.0
inputs:
  - { name: text_object_key, type: string }
  - { name: limit, type: uint32 }
outputs:
  - { name: words, type: uint64 }
  - { name: report_object_key, type: string }
`;

const HANDLER = `
import { defineHandler } from "../../src/index.ts";
import { runHandler } from "../../src/testing/index.ts";
import { demoCount } from "./spec.ts";

export const count = defineHandler(demoCount, {
  async run({ text_object_key: text, limit }, ctx) {
    const words = new TextDecoder().decode(await text.bytes()).split(" ").slice(0, limit);
    ctx.log.info({ words: words.length }, "counted");
    return { words: words.length, report_object_key: new TextEncoder().encode(words.join()) };
  },
});

const run = await runHandler(count, { inputs: { text_object_key: "to be", limit: 3 } });
const key: string = run.outputs.report_object_key;
console.log(key);
`;

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(HERE, "_typed-"));
  await writeFile(join(folder, "handler.ts"), HANDLER);
  const compilerOptions = { noEmit: true, composite: false, incremental: false };
  await writeFile(
    join(folder, "tsconfig.json"),
    JSON.stringify({ extends: "../tsconfig.json", compilerOptions, include: ["handler.ts"], references: [] }),
  );
});
afterAll(() => rm(folder, { recursive: true }));

/** What the compiler says of the handler, with the types of a spec. */
async function compiled(spec: string): Promise<string> {
  const module = specTypes(parseSpec(spec, { fileName: "count.yaml" }), { source: "count.yaml" });
  await writeFile(join(folder, "spec.ts"), module.replace("@subnet-worker/wep-sdk", "../../src/index.ts"));
  return await new Promise((resolve) => {
    execFile(TSC, ["-p", folder], (_, stdout) => resolve(stdout));
  });
}

it("compiles with the spec as it is", async () => {
  expect(await compiled(SPEC)).toBe("");
});

it("names an input and an output by the names that they had", async () => {
  const renamed = SPEC.replace("name: limit,", "name: max_words,").replace(
    "name: words,",
    "name: word_count,",
  );
  const said = (await compiled(renamed)).replaceAll("\n", " ");
  expect(said).toMatch(/handler.ts\(7,.*'limit' does not exist/);
  expect(said).toMatch(/handler.ts\(7,.*'word_count' is missing/);
});

it("names a field whose type is another", async () => {
  expect(await compiled(SPEC.replace("words, type: uint64", "words, type: string"))).toMatch(
    /'number' is not assignable to type 'string'/,
  );
});
