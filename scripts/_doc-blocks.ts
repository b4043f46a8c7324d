import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./_published.ts";

/** A code block of a page, or of a docstring. */
export interface DocBlock {
  /** Relative to the repository. */
  readonly file: string;
  /** Of its first line of code, from 1. */
  readonly line: number;
  /** `ts`, `sh`, `yaml` and so on; what follows on the fence's line is `flags`. */
  readonly language: string;
  readonly flags: readonly string[];
  readonly code: string;
}

/** Every code block in the pages that are part of the repository. */
export function pageBlocks(): readonly DocBlock[] {
  return tracked("*.md")
    .filter((file) => !file.startsWith("docs/api/") && !file.startsWith(".changeset/"))
    .flatMap((file) => blocksIn(file, readFileSync(join(ROOT, file), "utf8")));
}

/** Every code block in a docstring of a package's sources. */
export function docstringBlocks(): readonly DocBlock[] {
  return tracked("packages/*/src/*.ts")
    .filter((file) => !file.endsWith(".test.ts"))
    .flatMap((file) => blocksIn(file, withoutStars(readFileSync(join(ROOT, file), "utf8"))));
}

/** For messages: where a block is. */
export function placeOf({ file, line }: DocBlock): string {
  return `${file}:${line}`;
}

/**
 * The commands of a shell block, one each, also where `&&` joins them; without comments, and with
 * lines that end in a backslash joined to the next.
 */
export function commandsIn({ code }: DocBlock): readonly string[] {
  return code
    .replaceAll(/\\\n\s*/g, " ")
    .split(/\n|&&/)
    .map((line) => line.replace(/(?:^|\s)#\s.*$/, "").trim())
    .filter((line) => line !== "");
}

/** A command line as a shell splits it; quotes are taken off, nothing is expanded. */
export function wordsOf(command: string): readonly string[] {
  const words = command.matchAll(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g);
  return Array.from(words, ([word]) => word.replaceAll(/["']/g, ""));
}

function tracked(pattern: string): readonly string[] {
  const { stdout, status } = spawnSync(
    "git",
    ["ls-files", "--cached", "--others", "--exclude-standard", pattern],
    {
      cwd: ROOT,
      encoding: "utf8",
    },
  );
  if (status !== 0) throw new Error(`git ls-files ${pattern} failed; this must run in a checkout`);
  return stdout.split("\n").filter((file) => file !== "");
}

function blocksIn(file: string, text: string): DocBlock[] {
  const lines = text.split("\n");
  const blocks: DocBlock[] = [];
  for (let at = 0; at < lines.length; at += 1) {
    const fence = /^(\s*)```(\S*)\s*(.*)$/.exec(lines[at] ?? "");
    if (fence === null) continue;
    const [, indent = "", language = "", flags = ""] = fence;
    const end = lines.findIndex((line, index) => index > at && line.trim() === "```");
    if (end === -1) throw new Error(`${file}:${at + 1}: a code block is never closed`);
    const code = lines
      .slice(at + 1, end)
      .map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line));
    blocks.push({
      file,
      line: at + 2,
      language,
      flags: flags.split(/\s+/).filter((flag) => flag !== ""),
      code: `${code.join("\n")}\n`,
    });
    at = end;
  }
  return blocks;
}

/** Only what stands in docstrings, in its lines. */
function withoutStars(text: string): string {
  return text
    .split("\n")
    .map((line) => /^\s*\*(?!\/) ?(.*)$/.exec(line)?.[1] ?? "")
    .join("\n");
}
