import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { build, missingTools } from "../toolchain/build.ts";
import { C_EXECUTE } from "../toolchain/flags.ts";
import type { Recipe } from "../toolchain/recipe.ts";
import { findTool } from "../toolchain/tools.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "toolchain-"));
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

function program(name: string, script: string): void {
  writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

function recipeOf(code: string): Recipe {
  const source = join(folder, "answer.c");
  writeFileSync(source, code);
  return { kind: "c", tool: "clang", name: "answer.wasm", source, flags: C_EXECUTE };
}

const ANSWER = '__attribute__((export_name("execute"))) void *execute(void) { return (void *)-1; }';

describe("a compiler", () => {
  test("that is nowhere on the PATH is not found", () => {
    expect(findTool("clang", folder)).toBeUndefined();
    expect(findTool("rustc", folder)).toBeUndefined();
  });

  test("that cannot make WebAssembly is not found", () => {
    program("clang", 'case "$1" in --version) echo clang 1;; *) echo wasm-ld;; esac');
    expect(findTool("clang", folder)).toBeUndefined();
    program("rustc", 'case "$1" in --version) echo rustc 1;; *) echo /nowhere;; esac');
    expect(findTool("rustc", folder)).toBeUndefined();
  });

  test("that hides one with the target is passed over", () => {
    program("rustc", "echo 'no such target' >&2; exit 1");
    const hidden = join(folder, "hidden");
    mkdirSync(hidden);
    program(join("hidden", "rustc"), `case "$1" in --version) echo rustc 1;; *) echo '${hidden}';; esac`);
    expect(findTool("rustc", [folder, hidden].join(delimiter))?.program).toBe(join(hidden, "rustc"));
  });

  test("is asked for the target by the name that it knows", () => {
    const answer = `[ "$4" = wasm32-wasip1 ] && echo '${folder}'`;
    program("rustc", `if [ "$1" = --version ]; then echo rustc 1.99.0; else ${answer}; fi`);
    expect(findTool("rustc-wasi", folder)?.args).toEqual(["--target", "wasm32-wasip1"]);
  });
});

describe("a program", () => {
  test("whose compiler is missing is skipped, and it is said how to get it", async () => {
    vi.stubEnv("PATH", folder);
    const results = await build([recipeOf(ANSWER)], join(folder, "build"));
    expect(results).toMatchObject([{ name: "answer.wasm", state: "skipped", missing: "clang" }]);
    expect(missingTools(results)).toEqual([
      "no clang and wasm-ld: skipped answer.wasm (Debian: apt-get install clang lld)",
    ]);
  });

  test.skipIf(findTool("clang") === undefined)("is made anew only when it would become another", async () => {
    const target = join(folder, "build");
    const recipe = recipeOf(ANSWER);
    const stateOf = async (each: Recipe) => (await build([each], target))[0]?.state;
    expect(await stateOf(recipe)).toBe("made");
    const bytes = readFileSync(join(target, "answer.wasm"));
    expect(await stateOf(recipe)).toBe("unchanged");
    const other = recipeOf(ANSWER.replace("-1", "-2"));
    expect(await stateOf(other)).toBe("made");
    expect(readFileSync(join(target, "answer.wasm")).equals(bytes)).toBe(false);
    expect(await stateOf({ ...other, flags: [...C_EXECUTE, "-g"] } as Recipe)).toBe("made");
    expect(await stateOf(other)).toBe("made");
    expect(await stateOf(other)).toBe("unchanged");
    rmSync(join(target, "answer.wasm"));
    expect(await stateOf(other)).toBe("made");
  });

  test.skipIf(findTool("clang") === undefined)(
    "that does not compile ends with what its compiler said",
    async () => {
      await expect(
        build([recipeOf("int main() { return missing; }")], join(folder, "build")),
      ).rejects.toThrow(/answer\.c:1:21: error: use of undeclared identifier 'missing'/);
    },
  );

  test("in AssemblyScript that does not compile ends with what its compiler said", async () => {
    const source = join(folder, "wrong.ts");
    writeFileSync(source, "export function execute(): i32 { return missing; }");
    const recipe: Recipe = { kind: "assemblyscript", name: "wrong.wasm", source, flags: [] };
    await expect(build([recipe], join(folder, "build"))).rejects.toThrow(/Cannot find name 'missing'/);
  });
});
