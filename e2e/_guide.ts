import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const README = fileURLToPath(new URL("../README.md", import.meta.url));

/** A code block and the prose since the one before it. */
export interface CodeBlock {
  readonly language: string;
  readonly code: string;
  readonly before: string;
}

/**
 * The code blocks of a README section, in their order.
 *
 * @throws when there is no such section
 */
export function readmeBlocks(title: string): readonly CodeBlock[] {
  const section = readFileSync(README, "utf8")
    .split(/^(?=## )/m)
    .find((part) => part.startsWith(`## ${title}\n`));
  if (section === undefined) throw new Error(`README.md has no section "${title}"`);
  return Array.from(
    section.matchAll(/(.*?)^```(\w+)\n(.*?)^```$/gms),
    ([, before = "", language = "", code = ""]) => ({
      language,
      code,
      before,
    }),
  );
}

/** The name of the file that a block is the content of: the last one in backticks before it. */
export function fileNameOf(block: CodeBlock): string {
  const name = /^\*\*\d+\.\*\* `([^`]+)`/m.exec(block.before)?.[1];
  if (name === undefined) throw new Error(`README.md does not say which file this is:\n${block.code}`);
  return name;
}

/** The commands of shell blocks, one each, also where `&&` joins them. */
export function commandsOf(blocks: readonly CodeBlock[]): readonly string[] {
  return blocks
    .filter(({ language }) => language === "sh")
    .flatMap(({ code }) => code.split(/\n|&&/))
    .map((command) => command.trim())
    .filter((command) => command !== "");
}
