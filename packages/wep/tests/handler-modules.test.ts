import { join } from "node:path";
import { StartupError } from "@subnet-worker/kit";
import { describe, expect, it } from "vitest";
import { loadHandlers } from "../src/handler-modules.ts";
import { folderWith, HANDLERS_TS } from "./_wep-process.ts";

const ONE = (kind: string) => `
import { defineHandler } from "SDK";
const one = defineHandler({ kind: "${kind}", version: "1.0.0", run: () => ({}) });
`;

async function failureOf(files: Record<string, string>, ...names: string[]): Promise<StartupError> {
  await using folder = await folderWith(files);
  return await loadHandlers(names.map((name) => join(folder.path, name))).then(
    () => expect.unreachable("the modules were loaded"),
    (error: unknown) => error as StartupError,
  );
}

describe("handler modules", () => {
  it("may export handlers by name, as a list called handlers, or as the default, each counted once", async () => {
    await using folder = await folderWith({
      "named.ts": HANDLERS_TS,
      "list.ts": `${ONE("list")} export const handlers = [one]; export const again = one; export const port = 3;`,
      "default-list.mjs": `${ONE("default-list")} export default [one];`,
      "default.js": `${ONE("default")} export default one;`,
      "package.json": '{"type":"module"}',
    });
    const names = ["named.ts", "list.ts", "default-list.mjs", "default.js"];
    const handlers = await loadHandlers(names.map((name) => join(folder.path, name)));
    expect(handlers.map(({ kind }) => kind).toSorted()).toEqual(
      [
        "default",
        "default-list",
        "demo.block",
        "demo.careless",
        "demo.greet",
        "demo.spin",
        "demo.stubborn",
        "demo.wait",
        "list",
      ].toSorted(),
    );
  });

  it("refuses one name in two files, naming both", async () => {
    const module = `${ONE("same")} export default one;`;
    const error = await failureOf({ "a.ts": module, "b.ts": module }, "a.ts", "b.ts");
    expect(error).toMatchObject({ exitCode: 78 });
    expect(error.message).toMatch(/\[DUPLICATE_HANDLER\] same 1\.0\.0 is defined in .*a\.ts and in .*b\.ts/);
  });

  it("refuses one name twice in a file", async () => {
    const module = `${ONE("same")} export default [one, { ...one }].map((x) => x); export { one };
      export const twin = defineHandler({ kind: "same", version: "1.0.0", run: () => ({}) });`;
    expect((await failureOf({ "a.ts": module }, "a.ts")).message).toMatch(
      /same 1\.0\.0 is defined twice in .*a\.ts/,
    );
  });

  it.each([
    ["is not there", {}, /\[NO_SUCH_MODULE\] .*a\.ts: no such file; paths are relative to/],
    [
      "exports none",
      { "a.ts": "export const x = 1;" },
      /\[NO_HANDLERS\] .*exports no handlers; export what defineHandler\(\)/,
    ],
    ["throws", { "a.ts": 'throw new Error("no model file");' }, /\[BAD_MODULE\] .*no model file; fix it/],
    [
      "imports what is not installed",
      { "a.ts": 'import "not-a-package-at-all";' },
      /install what it imports \(npm install in/,
    ],
  ])("refuses a module that %s, saying what to do", async (_, files, message) => {
    const error = await failureOf(files, "a.ts");
    expect(error).toBeInstanceOf(StartupError);
    expect(error.exitCode).toBe(78);
    expect(error.message).toMatch(message);
  });
});
