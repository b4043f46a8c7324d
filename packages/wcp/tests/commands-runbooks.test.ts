import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parseCommand } from "../src/cli.ts";

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

const RUNBOOKS = at("../../../docs/runbooks");
const PAGES = readdirSync(RUNBOOKS).filter((name) => name.endsWith(".md"));
const textOf = (page: string) => readFileSync(`${RUNBOOKS}/${page}`, "utf8");

/** Everything both processes can say, with whatever is filled in left as it stands in the source. */
const SOURCES = ["../src", "../../kit/src", "../../wep-sdk/src", "../../wep/src"]
  .flatMap((folder) => {
    const names = readdirSync(at(folder), { recursive: true, encoding: "utf8" });
    return names.map((name) => `${folder}/${name}`);
  })
  .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
  .map((name) => readFileSync(at(name), "utf8"))
  .join("\n");

const codeIn = (text: string) => [...text.matchAll(/`([^`\n]+)`/g)].map(([, code = ""]) => code);

function commandsIn(text: string): readonly string[] {
  const lines = [...text.matchAll(/^ *(wcp [^\n]+)$/gm)].map(([, line = ""]) => line);
  return [...lines, ...codeIn(text).filter((code) => /^wcp [a-z]/.test(code))];
}

/** What the page says the log or `/readyz` will say; in a table of reasons, what begins a row. */
function quotesIn(text: string): readonly string[] {
  return text
    .split("\n")
    .flatMap((line) => {
      if (/\b(Log|Readyz)\b|\blog says\b|At the start:/.test(line)) return codeIn(line);
      return codeIn(/^\| (`[^`]+`) \|/.exec(line)?.[1] ?? "");
    })
    .filter((code) => code.includes(" ") && !code.startsWith("wcp "));
}

describe("the runbooks", () => {
  it.each(PAGES)("%s: every command is one", (page) => {
    const commands = commandsIn(textOf(page));
    expect(commands.length).toBeGreaterThan(0);
    for (const command of commands) {
      expect(parseCommand(command.split(" ").slice(1)), command).toMatchObject({ kind: "command" });
    }
  });

  it.each(PAGES.filter((page) => page !== "README.md"))(
    "%s: what it quotes is what the node says",
    (page) => {
      const quotes = quotesIn(textOf(page));
      expect(quotes.length).toBeGreaterThan(0);
      for (const quote of quotes) expect(SOURCES.includes(quote), quote).toBe(true);
    },
  );

  it.each(PAGES)("%s: every metric and setting exists", (page) => {
    const codes = codeIn(textOf(page));
    for (const metric of codes.filter((code) => /^(wcp_|wep_wasm_)/.test(code))) {
      expect(SOURCES.includes(`"${metric.replace(/\{.*/, "")}"`), metric).toBe(true);
    }
    const settings = codes.filter((code) =>
      /^(tx_policy|scheduler|ethereum|db|admin|storage|wep_pool|wep_tls|control|tracing)\.[a-z_]+$/.test(
        code,
      ),
    );
    const reference = readFileSync(at("../../../docs/configuration.md"), "utf8");
    for (const setting of settings) {
      const name = `WCP__${setting.replace(".", "__").toUpperCase()}`;
      expect(reference.includes(`\`${name}\``), setting).toBe(true);
    }
    // `wasm.limits` names a section.
    for (const setting of codes.filter((code) => /^wasm(\.[a-z_]+)+$/.test(code))) {
      const name = `WEP__${setting.replaceAll(".", "__").toUpperCase()}`;
      expect(reference.includes(`\`${name}`), setting).toBe(true);
    }
  });

  it("are all in the index, and each has the same four parts", () => {
    const index = textOf("README.md");
    for (const page of PAGES.filter((name) => name !== "README.md")) {
      expect(index).toContain(`](${page})`);
      const heads = [...textOf(page).matchAll(/^## (.+)$/gm)].map(([, head]) => head);
      expect(heads).toEqual([
        "How you notice",
        "What the node does by itself",
        "What you do",
        "How you know it is over",
      ]);
    }
  });

  it("are where the node's own messages send the reader", () => {
    const named = [...SOURCES.matchAll(/docs\/runbooks\/([a-z-]+\.md)/g)].map(([, page]) => page);
    expect(named.length).toBeGreaterThan(0);
    for (const page of named) expect(PAGES).toContain(page);
  });
});
