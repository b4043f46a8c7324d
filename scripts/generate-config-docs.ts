/**
 * Writes the tables of docs/configuration.md from the schemas that the processes read.
 *
 *   node --conditions=@subnet-worker/source scripts/generate-config-docs.ts           writes them
 *   node --conditions=@subnet-worker/source scripts/generate-config-docs.ts --check   exits with 1 when they are out of date
 */
import { readFileSync, writeFileSync } from "node:fs";
import { readSchema, type Section, type Setting } from "../packages/kit/src/config-schema.ts";
import { CONFIG_SCHEMA as WCP_SCHEMA } from "../packages/wcp/src/config.ts";
import { CONFIG_SCHEMA as WEP_SCHEMA } from "../packages/wep/src/config.ts";

const PAGE = new URL("../docs/configuration.md", import.meta.url);

/** What the schema says beyond what convict needs. */
interface Described {
  readonly doc?: string;
  readonly default?: unknown;
}

const FORMATS: Readonly<Record<string, string>> = {
  "positive-int": "whole number from 1",
  count: "whole number from 0",
  "http-urls": "http(s) URL, or a list of such",
  "ws-urls": "ws(s) URL, or a list of such",
  "non-empty": "text",
  semver: "version",
  list: "list",
  ports: "list of ports",
};

const UNITS_MS: readonly (readonly [number, string])[] = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "m"],
  [1_000, "s"],
  [1, "ms"],
];

function tables(schema: unknown, envPrefix: string): string {
  const root = readSchema(schema, envPrefix);
  const { top = [], ...sections } = Object.groupBy(root.children.values(), (child) =>
    child.kind === "setting" ? "top" : child.path,
  );
  const lines = top.length === 0 ? [] : ["At the top of the file:", "", ...table(top, schema), ""];
  for (const [path, found = []] of Object.entries(sections)) {
    lines.push(`\`${path}\``, "", ...found.flatMap((section) => table(settingsIn(section), schema)), "");
  }
  return lines.join("\n");
}

function settingsIn(node: Section | Setting): (Section | Setting)[] {
  return node.kind === "setting" ? [node] : [...node.children.values()].flatMap(settingsIn);
}

function table(settings: readonly (Section | Setting)[], schema: unknown): string[] {
  return [
    "| Setting | Meaning | Form | Default | Environment |",
    "|---|---|---|---|---|",
    ...settings.filter((node) => node.kind === "setting").map((setting) => row(setting, schema)),
  ];
}

function row(setting: Setting, schema: unknown): string {
  const described = setting.path
    .split(".")
    .reduce((node, key) => (node as Record<string, unknown>)[key], schema) as Described;
  if (described.doc === undefined) throw new Error(`${setting.path} has no doc in its schema; write one`);
  const key = setting.path.slice(setting.path.indexOf(".") + 1);
  const meaning = setting.isSensitive ? `${described.doc} Never shown.` : described.doc;
  const cells = [
    `\`${key}\``,
    meaning,
    formOf(setting),
    defaultOf(setting, described.default),
    `\`${setting.env}\``,
  ];
  return `| ${cells.map((cell) => cell.replaceAll(/[|<]/g, "\\$&")).join(" | ")} |`;
}

function formOf({ format }: Setting): string {
  if (Array.isArray(format)) {
    return format.map((value) => (value === "" ? "empty" : `\`${String(value)}\``)).join(", ");
  }
  if (format === String) return "text";
  if (format === Boolean) return "`true`, `false`";
  if (typeof format === "function") return "`auto` or a whole number from 1";
  const name = String(format);
  return FORMATS[name] ?? name;
}

function defaultOf({ format }: Setting, value: unknown): string {
  const isMissing = value === "" && ["address", "non-empty"].includes(String(format));
  if (isMissing || format === "http-urls" || (value === 0 && format === "positive-int"))
    return "**required**";
  if (value === "" || (Array.isArray(value) && value.length === 0)) return "none";
  if (format === "duration") return `\`${durationText(value as number)}\``;
  return `\`${Array.isArray(value) ? value.join(",") : String(value)}\``;
}

function durationText(valueMs: number): string {
  const [unitMs, unit] = UNITS_MS.find(([each]) => valueMs >= each && valueMs % each === 0) ?? [1, "ms"];
  return `${valueMs / unitMs}${unit}`;
}

function replaceBetween(page: string, name: string, text: string): string {
  const [start, end] = [`<!-- ${name}: generated -->`, `<!-- ${name}: end -->`];
  const [from, to] = [page.indexOf(start), page.indexOf(end)];
  if (from === -1 || to === -1) throw new Error(`docs/configuration.md must hold "${start}" and "${end}"`);
  return `${page.slice(0, from + start.length)}\n\n${text}\n${page.slice(to)}`;
}

const before = readFileSync(PAGE, "utf8");
const withWcp = replaceBetween(before, "wcp", tables(WCP_SCHEMA, "WCP"));
const after = replaceBetween(withWcp, "wep", tables(WEP_SCHEMA, "WEP"));
if (!process.argv.includes("--check")) {
  writeFileSync(PAGE, after);
} else if (before !== after) {
  process.stderr.write(
    "docs/configuration.md is out of date: run node --conditions=@subnet-worker/source scripts/generate-config-docs.ts\n",
  );
  process.exitCode = 1;
}
