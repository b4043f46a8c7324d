// Every code block of the pages and the docstrings: programs are compiled, files are read by what reads
// them, command lines by what takes them. What the guide and README tell to run is run by e2e/.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { parse as parseToml } from "smol-toml";
import { parse as parseYaml } from "yaml";
import { parseSpec, specTypes } from "../packages/activity-spec/src/index.ts";
import { parseCommand as parseDevnet } from "../packages/devnet/src/cli.ts";
import { readSchema, type Section, type Setting } from "../packages/kit/src/config-schema.ts";
import { parseCommand as parseWcp } from "../packages/wcp/src/cli.ts";
import { CONFIG_SCHEMA as WCP_SCHEMA } from "../packages/wcp/src/config.ts";
import { parseCommand as parseWep } from "../packages/wep/src/cli.ts";
import { CONFIG_SCHEMA as WEP_SCHEMA } from "../packages/wep/src/config.ts";
import { commandsIn, type DocBlock, docstringBlocks, pageBlocks, placeOf, wordsOf } from "./_doc-blocks.ts";
import { ROOT } from "./_published.ts";

const pages = pageBlocks();
const of = (language: string) => pages.filter((block) => block.language === language);

describe("TypeScript", () => {
  const folder = join(ROOT, "docs", ".blocks");
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("of pages and docstrings compiles", () => {
    const blocks = [...of("ts"), ...docstringBlocks().filter(({ language }) => language === "ts")];
    expect(blocks.length).toBeGreaterThan(25);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const names = blocks.map((block, index) => {
      const name = `${String(index).padStart(3, "0")}.ts`;
      writeFileSync(join(folder, name), asModule(block));
      return name;
    });
    writeFileSync(join(folder, "words.activity.ts"), typesOfTemplate());
    // The world that a handler in WebAssembly imports.
    const worlds = "../../examples/wasm/typescript/subnet-worker.d.ts";
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(compilerOptions([...names, worlds])));
    const tsc = spawnSync(join(ROOT, "node_modules", ".bin", "tsc"), ["-p", folder], {
      cwd: ROOT,
      encoding: "utf8",
    });
    expect(inPlace(tsc.stdout, blocks)).toBe("");
    expect(tsc.status).toBe(0);
  });

  const runnable = of("ts").filter(({ flags }) => flags.includes("run"));
  test.each(runnable.map((block) => [placeOf(block), block] as const))("%s runs", (place, { code }) => {
    mkdirSync(folder, { recursive: true });
    const file = join(folder, `run-${place.replaceAll(/[^\w]/g, "-")}.ts`);
    writeFileSync(file, code);
    const { status, stderr } = spawnSync(process.execPath, ["--conditions=@subnet-worker/source", file], {
      cwd: ROOT,
      encoding: "utf8",
    });
    expect([status, stderr]).toEqual([0, ""]);
  });
});

/** What `wep init` writes beside the handler that README shows. */
function typesOfTemplate(): string {
  const template = readFileSync(join(ROOT, "packages/wep/templates/spec.yaml.tmpl"), "utf8");
  const spec = template.replaceAll("{{kind}}", "demo.words").replaceAll("{{name}}", "words");
  return specTypes(parseSpec(spec, { fileName: "words.yaml" }), { source: "words.yaml" });
}

/**
 * A block stands for itself, except one with the flag `handler`: that is the inside of a handler, with its
 * `input` and `ctx`. One with the flag `run` is run as well.
 */
function asModule({ code, flags }: DocBlock): string {
  if (!flags.includes("handler")) return `${code}\nexport {};\n`;
  const lines = code.split("\n");
  const imports = lines.filter((line) => line.startsWith("import "));
  // In the place of imports stand empty lines, so that a complaint names the right one.
  const body = lines.map((line) => (line.startsWith("import ") ? "" : line));
  return [
    `async function run(input: any, ctx: import("@subnet-worker/wep-sdk").RunContext) {${body.join("\n")}}`,
    ...imports,
    "export { run };",
    "",
  ].join("\n");
}

function compilerOptions(files: readonly string[]): unknown {
  return {
    extends: "../../tsconfig.base.json",
    compilerOptions: {
      noEmit: true,
      composite: false,
      incremental: false,
      declaration: false,
      declarationMap: false,
      isolatedDeclarations: false,
    },
    files,
  };
}

/** What the compiler says, with the places in the pages. */
function inPlace(said: string, blocks: readonly DocBlock[]): string {
  return said.replaceAll(/^docs\/\.blocks\/(\d+)\.ts\((\d+),/gm, (_, index: string, line: string) => {
    const block = blocks[Number(index)];
    return block === undefined ? "" : `${block.file}:${block.line + Number(line) - 1}(`;
  });
}

test("programs for WebAssembly stand where scripts/wasm-page.test.ts makes and runs them", () => {
  const programs = ["c", "rust", "assemblyscript", "js"].flatMap(of);
  expect(programs.length).toBeGreaterThan(5);
  for (const block of programs) {
    expect([block.file, block.flags.length], placeOf(block)).toEqual(["docs/wasm.md", 1]);
  }
});

describe("files", () => {
  test.each(of("json").map((block) => [placeOf(block), block] as const))("%s is JSON", (_, { code }) => {
    expect(() => JSON.parse(code) as unknown).not.toThrow();
  });

  test.each(of("yaml").map((block) => [placeOf(block), block] as const))(
    "%s is what it looks like",
    (_, block) => {
      const content = parseYaml(block.code) as Readonly<Record<string, unknown>>;
      if ("activities" in content || "task_kind" in content) {
        expect(parseSpec(block.code, { fileName: block.file }).activities.length).toBeGreaterThan(0);
      } else if (Object.keys(content).some((key) => key in WEP_SCHEMA)) {
        expect(unknownKeys(content, readSchema(WEP_SCHEMA, "WEP"))).toEqual([]);
      } else {
        // Alert rules, which e2e/alerts.test.ts has promtool run, and files of other programs.
        expect(Object.keys(content)).not.toEqual([]);
      }
    },
  );

  test.each(of("toml").map((block) => [placeOf(block), block] as const))(
    "%s is a WCP's configuration",
    (_, { code }) => {
      expect(unknownKeys(parseToml(code), readSchema(WCP_SCHEMA, "WCP"))).toEqual([]);
    },
  );
});

function unknownKeys(
  content: Readonly<Record<string, unknown>>,
  section: Section | Setting,
): readonly string[] {
  if (section.kind === "setting") return [];
  return Object.entries(content).flatMap(([key, value]) => {
    const child = section.children.get(key);
    if (child === undefined) return [`${section.path}.${key}`];
    return child.kind === "setting" ? [] : unknownKeys(value as Readonly<Record<string, unknown>>, child);
  });
}

/** Programs of ours: each throws on a command line that it would not take. */
const OURS: Readonly<Record<string, (argv: readonly string[]) => unknown>> = {
  wep: parseWep,
  wcp: parseWcp,
  "subnet-devnet": parseDevnet,
};

/** Programs of others, which the pages tell to use. */
const OTHERS = new Set([
  "apt-get",
  "cd",
  "clang",
  "curl",
  "docker",
  "echo",
  "git",
  "mkdir",
  "mv",
  "node",
  "printf",
  "python3",
  "rm",
  "rustc",
  "tsc",
]);

describe("commands", () => {
  const commands = of("sh").flatMap((block) =>
    commandsIn(block).map((command) => [placeOf(block), command, block] as const),
  );

  test("there are some", () => {
    expect(commands.length).toBeGreaterThan(60);
  });

  test.each(commands)("%s: %s", (_, command, block) => {
    expect(() => check(command, block)).not.toThrow();
  });
});

function check(command: string, block: DocBlock): void {
  // A pipe's and a redirection's first part is the command; what follows are files and other programs.
  const [words = []] = splitAt(wordsOf(command), ["|", ">", ">>", "<", "&", ";"]);
  const [program = "", ...args] = words.filter((word) => !/^[A-Z][A-Z0-9_]*=/.test(word));
  if (program === "npx") return checkNpx(args, block);
  if (program === "npm" || program === "pnpm") return checkScript(args, block);
  if (program in OURS) return void OURS[program]?.(args.map(withoutPlaceholder));
  if (OTHERS.has(program)) return;
  if (program.includes("/") && existsSync(join(ROOT, block.file, "..", program))) return;
  throw new Error(`${program}: what is it? Name it in scripts/doc-blocks.test.ts`);
}

function checkNpx(args: readonly string[], block: DocBlock): void {
  const [program = "", ...rest] = args.filter((word) => word !== "-y");
  if (program.startsWith("pnpm@")) return checkScript(rest, block);
  const ours = OURS[program];
  if (ours !== undefined) return void ours(rest.map(withoutPlaceholder));
  if (program === "tsc" || program === "asc") return;
  throw new Error(`npx ${program}: what is it? Name it in scripts/doc-blocks.test.ts`);
}

const BUILT_IN = new Set(["install", "init", "pkg", "exec", "test", "start", "create", "add"]);

/** A script of the repository, or of the project that `wep init` makes. */
function checkScript(args: readonly string[], { file }: DocBlock): void {
  const words = args.filter((word) => !word.startsWith("-") && word !== "run");
  const [script = ""] = words;
  if (BUILT_IN.has(script)) return;
  const manifests = [
    "package.json",
    join(file, "..", "package.json"),
    "packages/wep/templates/package.json.tmpl",
  ];
  const scripts = manifests.flatMap((path) => scriptsIn(join(ROOT, path)));
  if (!scripts.includes(script)) throw new Error(`there is no script ${script}`);
}

function scriptsIn(path: string): readonly string[] {
  if (!existsSync(path)) return [];
  const { scripts = {} } = JSON.parse(readFileSync(path, "utf8")) as { scripts?: Record<string, string> };
  return Object.keys(scripts);
}

function splitAt(words: readonly string[], separators: readonly string[]): readonly (readonly string[])[] {
  const at = words.findIndex((word) => separators.includes(word));
  return at === -1 ? [words] : [words.slice(0, at), words.slice(at + 1)];
}

/** `<id>` stands for something that the reader has. */
function withoutPlaceholder(word: string): string {
  return word.replace(/^<(.+)>$/, "$1");
}
