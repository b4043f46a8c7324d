// docs/wasm.md is done as it is written: its files are made, its commands run, and what they print is compared.
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findTool, type ToolName } from "../examples/wasm/toolchain/tools.ts";
import { DEFAULT_LIMITS, DEFAULT_MODULE_LIMITS } from "../packages/wasm/src/limits.ts";
import { OPERATORS } from "../packages/wasm/src/meter/operators.ts";
import { WASM_INPUTS } from "../packages/wep/src/wasm/wasm-task.ts";
import { type DocBlock, pageBlocks } from "./_doc-blocks.ts";
import { ROOT } from "./_published.ts";

const PAGE = "docs/wasm.md";

/** What is done in one place of the page. */
interface Section {
  readonly title: string;
  readonly blocks: readonly DocBlock[];
}

const TEXT = readFileSync(join(ROOT, PAGE), "utf8");

/** Where something new begins, with a title where it may be something to do. */
const HEADINGS = TEXT.split("\n").flatMap((line, index) => {
  const [, level, title = ""] = /^(##|###) (.*)$/.exec(line) ?? [];
  return level === undefined ? [] : [{ line: index + 1, title, isSection: level === "###" }];
});

const SECTIONS: readonly Section[] = HEADINGS.map(({ line, title, isSection }, index) => {
  const end = HEADINGS[index + 1]?.line ?? Infinity;
  const blocks = pageBlocks().filter((each) => each.file === PAGE && each.line > line && each.line < end);
  return { title, blocks: isSection ? blocks : [] };
}).filter(({ blocks }) => blocks.some(({ language }) => language === "sh"));

const COMPILERS: readonly (readonly [command: RegExp, tool: ToolName])[] = [
  [/^clang --target=wasm32-unknown-unknown /m, "clang"],
  [/^clang --target=wasm32-wasi /m, "clang-wasi"],
  [/^rustc --target wasm32-unknown-unknown /m, "rustc"],
  [/^rustc --target wasm32-wasi /m, "rustc-wasi"],
];

const commandsOf = ({ blocks }: Section) =>
  blocks.flatMap(({ language, code }) => (language === "sh" ? [code] : [])).join("");

/** Those for which there is a compiler, and what sections before them have made. */
function doable(): ReadonlySet<string> {
  const titles = new Set<string>();
  const missing = new Set<string>();
  for (const section of SECTIONS) {
    const commands = commandsOf(section);
    const hasCompiler = COMPILERS.every(([command, tool]) => {
      const args = findTool(tool)?.args.join(" ");
      return !command.test(commands) || (args !== undefined && commands.includes(args));
    });
    const all = section.blocks.map(({ code }) => code).join("");
    if (hasCompiler && ![...missing].some((file) => all.includes(`"${file}"`))) titles.add(section.title);
    else for (const [, file = ""] of commands.matchAll(/ -o (\S+)/g)) missing.add(file);
  }
  return titles;
}

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "wasm-page-"));
  const modules = join(ROOT, "examples", "wasm", "node_modules");
  symlinkSync(modules, join(folder, "node_modules"));
  // What the page says to put beside the program.
  copyFileSync(join(ROOT, "examples", "wasm", "rust", "subnet_worker.rs"), join(folder, "subnet_worker.rs"));
  mkdirSync(join(folder, "bin"));
  const wep = `exec '${process.execPath}' --conditions=@subnet-worker/source '${ROOT}/packages/wep/src/main.ts' "$@"`;
  const npx = [
    'program="$1"; shift',
    `[ "$program" = wep ] && ${wep}`,
    `exec '${modules}/.bin/'"$program" "$@"`,
  ];
  script("npx", npx);
  const rustc = findTool("rustc-wasi")?.program ?? findTool("rustc")?.program;
  if (rustc !== undefined) script("rustc", [`exec '${rustc}' "$@"`]);
});

function script(name: string, lines: readonly string[]): void {
  writeFileSync(join(folder, "bin", name), ["#!/bin/sh", ...lines, ""].join("\n"), { mode: 0o755 });
}

afterAll(() => rmSync(folder, { recursive: true }));

function sh(code: string): string {
  const path = [join(folder, "bin"), dirname(process.execPath), process.env["PATH"] ?? ""].join(delimiter);
  const env = { ...process.env, PATH: path };
  const { status, stdout, stderr } = spawnSync("sh", ["-ec", code], { cwd: folder, encoding: "utf8", env });
  expect([status, status === 0 ? "" : stderr], code).toEqual([0, ""]);
  return stdout;
}

describe(PAGE, () => {
  const possible = doable();

  test("has every way to write a module", () => {
    expect(SECTIONS.map(({ title }) => title)).toEqual([
      "execute in C",
      "execute in Rust",
      "execute in AssemblyScript",
      "command in C",
      "command in Rust",
      "cli from a command",
      "handler in TypeScript",
      "handler in Rust",
    ]);
  });

  for (const { title, blocks } of SECTIONS) {
    test.skipIf(!possible.has(title))(
      `${title}: what is written is what happens`,
      { timeout: 300_000 },
      () => {
        let printed = "";
        let comparisons = 0;
        for (const { language, flags, code } of blocks) {
          if (language === "sh") printed = sh(code);
          else if (language === "text") {
            expect(printed.trimEnd()).toBe(code.trimEnd());
            comparisons += 1;
          } else writeFileSync(join(folder, flags[0] ?? ""), code);
        }
        expect(comparisons).toBe(1);
      },
    );
  }
});

/** The row of a table of the page, by what its first cell begins with. */
function row(first: string): readonly string[] {
  const line = TEXT.split("\n").find((each) => each.startsWith(`| ${first}`)) ?? "";
  return line.split("|").map((cell) => cell.trim());
}

describe("what the page says", () => {
  test("operators that cost nothing are those that cost nothing", () => {
    const [, cell = "", fuel] = row("`nop`");
    expect(fuel).toBe("0");
    const named = Array.from(cell.matchAll(/`([^`]+)`/g), ([, name]) => name).sort();
    expect(named).toEqual(OPERATORS.flatMap(({ cost, name }) => (cost === 0 ? [name] : [])).sort());
  });

  test("limits are the defaults", () => {
    const count = (value: bigint | number) => value.toLocaleString("en-US");
    const mib = (bytes: number) => `${bytes / 2 ** 20} MiB`;
    const limits = DEFAULT_LIMITS;
    expect(row("fuel |")[2]).toBe(count(limits.fuel));
    expect(row("time |")[2]).toBe(`${limits.timeMs / 1000} s`);
    expect(row("memory,")[2]).toBe(mib(limits.memoryBytes));
    expect(row("tables,")[2]).toBe(`${count(limits.tableElements)} elements`);
    expect(row("stack |")[2]).toBe(mib(limits.stackBytes));
    expect(row("size of the output")[2]).toBe(mib(limits.outputBytes));
    expect(row("stderr |")[2]).toBe(mib(limits.stderrBytes));
    expect(row("calls out")[2]).toBe(count(limits.hostCalls));
    const { moduleBytes, functionBytes, functions, compileMs } = DEFAULT_MODULE_LIMITS;
    expect(row("size of the program")[2]).toBe(
      `${mib(moduleBytes)}, functions of ${mib(functionBytes)}, ${count(functions)} functions`,
    );
    expect(row("time to")[2]).toBe(`${compileMs / 1000} s`);
  });

  test("inputs and outputs of wasm.execute are those that there are", () => {
    const [, inputs = "", outputs = ""] =
      /^\| input \|[^]*?\n((?:\|.*\n)+)\n\| output \|.*\n((?:\|.*\n)+)/m.exec(TEXT) ?? [];
    const named = (table: string) =>
      table
        .split("\n")
        .flatMap((line) =>
          Array.from((line.split("|")[1] ?? "").matchAll(/`(\w+)`/g), ([, name = ""]) => name),
        )
        .sort();
    expect(named(inputs)).toEqual([...WASM_INPUTS].sort());
    const source = readFileSync(join(ROOT, "packages", "wep", "src", "wasm", "wasm-execute.ts"), "utf8");
    const makers = Array.from(source.matchAll(/^  (\w+): \(.*\) =>/gm), ([, name = ""]) => name);
    expect(makers.length).toBeGreaterThan(9);
    expect(named(outputs)).toEqual(makers.sort());
  });

  test("outcomes are all that there are", () => {
    const source = readFileSync(join(ROOT, "packages", "wasm", "src", "outcome.ts"), "utf8");
    for (const [, kind = ""] of source.matchAll(/readonly kind: "(\w+)"/g))
      expect(TEXT).toContain(`\`${kind}\``);
  });

  test("the function of the world is the one of its WIT", () => {
    const wit = readFileSync(join(ROOT, "packages", "wasm", "wit", "subnet-worker.wit"), "utf8");
    const [block] = pageBlocks().filter(({ file, language }) => file === PAGE && language === "wit");
    expect(wit).toContain(`export ${block?.code.trim()};`);
  });
});
