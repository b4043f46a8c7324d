import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { parseCommand } from "../src/cli.ts";

const DOCS = fileURLToPath(new URL("../../../docs", import.meta.url));
const PAGES = readdirSync(DOCS, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".md"));

/** Lines of code blocks, and code within a line, that call `wep`. */
function commandsIn(page: string): readonly string[] {
  const text = readFileSync(`${DOCS}/${page}`, "utf8");
  const lines = [...text.matchAll(/^ *(wep (?:run|tail)\b[^\n]*)$/gm)].map(([, line = ""]) => line);
  const inline = [...text.matchAll(/`(wep (?:run|tail)\b[^`\n]*)`/g)].map(([, code = ""]) => code);
  return [...lines, ...inline];
}

test.each(PAGES.filter((page) => commandsIn(page).length > 0))("%s: every wep command is one", (page) => {
  for (const command of commandsIn(page)) {
    expect(parseCommand(command.split(" ").slice(1)).kind, command).toBe("command");
  }
});
