import convict from "convict";
import { registerFormats } from "./config-formats.ts";
import { readSchema, type Section, type Setting, settingsOf } from "./config-schema.ts";
import { suggest } from "./suggest.ts";

export { parseDuration } from "./config-formats.ts";
export { suggest } from "./suggest.ts";

/** Settings by section: for each a default, a format and what it means. */
export type ConfigSchema<T> = convict.Schema<T>;

/** Everything wrong with a configuration, at once. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly code = "BAD_CONFIG";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(
      `[BAD_CONFIG] ${problems.length} problem${problems.length === 1 ? "" : "s"} in the configuration:` +
        problems.map((problem) => `\n  - ${problem}`).join(""),
    );
    this.problems = problems;
  }
}

/** Where settings come from. */
export interface ConfigSource {
  /** Values by section, as parsed from the file; `undefined` when there is no file. */
  readonly file: unknown;
  /** For messages: where `file` came from. */
  readonly fileName: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `WCP` makes `WCP__SECTION__KEY` override `section.key`. */
  readonly envPrefix: string;
}

registerFormats();

/**
 * Reads a configuration from a parsed file and the environment, which wins.
 * Unknown keys and unknown `PREFIX__` variables are refused, and every problem
 * is listed at once. A setting with `sensitive: true` is refused in the file, and
 * its value is never shown; neither is that of a URL, which may carry a key. Formats beyond convict's own: `duration` (to milliseconds),
 * `non-empty`, `http-urls` (at least one), `ws-urls`, `address`, `semver`, `list`,
 * `ports`, `positive-int`, `count`, `ratio`, `tables`.
 *
 * @returns a deeply frozen object
 * @throws {ConfigError} with all problems
 *
 * @example
 * ```ts
 * import { loadConfig } from "@subnet-worker/kit/config";
 *
 * const config = loadConfig(
 *   { server: { port: { format: "port", default: 7070 } } },
 *   { file: undefined, fileName: "wep.yaml", env: process.env, envPrefix: "WEP" },
 * );
 * ```
 */
export function loadConfig<T>(schema: ConfigSchema<T>, source: ConfigSource): T {
  const reader = new ConfigReader(readSchema(schema, source.envPrefix), source);
  const { file, env } = reader.read();
  const config = convict(withEnv(schema, reader.root) as convict.Schema<T>, { env, args: [] });
  try {
    config.load(file);
    config.validate({ allowed: "strict" });
  } catch (error) {
    reader.addFormatProblems(error);
  }
  if (reader.problems.length > 0) throw new ConfigError(reader.problems);
  return deepFreeze(config.getProperties());
}

/** Where a setting's value comes from. */
export interface SettingOrigin {
  /** `ethereum.rpc_url` */
  readonly path: string;
  /** `WCP__ETHEREUM__RPC_URL` */
  readonly env: string;
  readonly origin: "default" | "file" | "environment";
  readonly isSensitive: boolean;
  /** As in the schema. */
  readonly format: unknown;
}

/** Every setting of a schema in its order, with where {@link loadConfig} takes its value from. */
export function originsOf<T>(schema: ConfigSchema<T>, source: ConfigSource): readonly SettingOrigin[] {
  return settingsOf(readSchema(schema, source.envPrefix)).map(({ path, env, isSensitive, format }) => {
    const origin =
      source.env[env] !== undefined ? "environment" : isInFile(source.file, path) ? "file" : "default";
    return { path, env, origin, isSensitive, format };
  });
}

function isInFile(file: unknown, path: string): boolean {
  let node = file;
  for (const key of path.split(".")) {
    if (typeof node !== "object" || node === null || !Object.hasOwn(node, key)) return false;
    node = (node as Readonly<Record<string, unknown>>)[key];
  }
  return true;
}

/**
 * Sorts out what convict would misread: it turns "no" into true and "70x" into
 * 70, loses its way when a section is a plain value, and takes a bare number for
 * a duration.
 */
class ConfigReader {
  readonly problems: string[] = [];
  readonly root: Section;
  readonly #source: ConfigSource;
  readonly #settings: readonly Setting[];
  readonly #refused = new Set<string>();

  constructor(root: Section, source: ConfigSource) {
    this.root = root;
    this.#source = source;
    this.#settings = settingsOf(root);
  }

  /** What of the file and the environment convict may see. */
  read(): { readonly file: object; readonly env: Record<string, string> } {
    const env: Record<string, string> = {};
    const byName = new Map(this.#settings.map((setting) => [setting.env, setting]));
    for (const [name, value] of Object.entries(this.#source.env)) {
      if (!name.startsWith(`${this.#source.envPrefix}__`) || value === undefined) continue;
      const setting = byName.get(name);
      if (setting === undefined)
        this.problems.push(`${name}: no such setting; ${this.#remedy(name, [...byName.keys()], "__")}`);
      else if (this.#isReadable(setting, value)) env[name] = value;
    }
    return { file: this.#section(this.root, this.#source.file ?? {}) ?? {}, env };
  }

  /** convict's own list of problems, less those known already. */
  addFormatProblems(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    const byPath = new Map(this.#settings.map((setting) => [setting.path, setting]));
    for (const line of message.split("\n")) {
      const setting = byPath.get(line.split(":", 1)[0] ?? "");
      if (setting === undefined) this.problems.push(line);
      else if (!this.#refused.has(setting.path)) {
        this.problems.push(`${hidesValue(setting) ? withoutValue(line) : line} ${this.#where(setting)}`);
      }
    }
  }

  #section(section: Section, value: unknown): object | undefined {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      const what = section.path === "" ? "it" : section.path;
      this.problems.push(
        `${what}: must hold settings, like ${settingsOf(section)[0]?.path} (in ${this.#source.fileName})`,
      );
      for (const { path } of settingsOf(section)) this.#refused.add(path);
      return undefined;
    }
    const kept: [string, unknown][] = [];
    for (const [key, child] of Object.entries(value)) {
      const node = section.children.get(key);
      const value = node === undefined ? this.#unknown(section, key) : this.#child(node, child);
      if (value !== undefined) kept.push([key, value]);
    }
    return Object.fromEntries(kept);
  }

  #child(node: Section | Setting, value: unknown): unknown {
    if (node.kind === "section") return this.#section(node, value);
    if (node.isSensitive && value !== "") {
      this.problems.push(
        `${node.path}: is a secret and must not stand in ${this.#source.fileName}, from where it gets into backups and repositories; take it out and set ${node.env} in the environment`,
      );
      this.#refused.add(node.path);
      return undefined;
    }
    return this.#isReadable(node, value) ? value : undefined;
  }

  #unknown(section: Section, key: string): undefined {
    const path = section.path === "" ? key : `${section.path}.${key}`;
    const sections = [...this.root.children.values()].map((child) => child.path);
    const known = new Set([...sections, ...this.#settings.map((setting) => setting.path)]);
    this.problems.push(
      `${path}: no such setting (in ${this.#source.fileName}); ${this.#remedy(path, [...known], ".")}`,
    );
  }

  #remedy(name: string, known: readonly string[], separator: string): string {
    const near = suggest(name, known, separator);
    return near === undefined ? "remove it" : `did you mean ${near}?`;
  }

  #isReadable(setting: Setting, value: unknown): boolean {
    const problem = misreadBy(setting.format, value);
    if (problem === undefined) return true;
    const shown = hidesValue(setting) ? "" : `: value was ${JSON.stringify(value)}`;
    if (!this.#refused.has(setting.path)) {
      this.problems.push(`${setting.path}: ${problem}${shown} ${this.#where(setting)}`);
    }
    this.#refused.add(setting.path);
    return false;
  }

  #where({ path, env, isSensitive }: Setting): string {
    // A secret in a file ends up in backups and repositories.
    if (isSensitive) return `(set ${env} in the environment)`;
    return `(set ${path} in ${this.#source.fileName}, or ${env})`;
  }
}

/** Hosted endpoints carry their key in the URL, a mistyped one too. */
function hidesValue({ isSensitive, format }: Setting): boolean {
  return isSensitive || format === "http-urls" || format === "ws-urls";
}

function withoutValue(line: string): string {
  return line.replace(/: value was .*$/s, "");
}

const BOOLEANS: readonly unknown[] = [Boolean, "Boolean", "boolean"];
const NUMBERS: readonly unknown[] = [Number, "Number", "number", "port", "nat", "int", "integer"];

/** Why convict would misread a value, or undefined when it would not. */
function misreadBy(format: unknown, value: unknown): string | undefined {
  if (format === "duration" && typeof value === "number") {
    return 'must be a duration with a unit, like "250ms", "1s" or "3h"';
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date)) {
    return "must be one value, not a section";
  }
  if (typeof value !== "string") return undefined;
  if (BOOLEANS.includes(format) && !/^(?:true|false)$/i.test(value)) return "must be true or false";
  if (NUMBERS.includes(format) && !/^-?\d+(?:\.\d+)?$/.test(value)) return "must be a number";
  return undefined;
}

/** The schema with the name of its environment variable at each setting. */
function withEnv(node: unknown, tree: Section | Setting): unknown {
  if (tree.kind === "section") {
    const children = Object.entries(node as object).map(([key, child]: [string, unknown]) => {
      const below = tree.children.get(key);
      return [key, below === undefined ? child : withEnv(child, below)];
    });
    return Object.fromEntries(children) as unknown;
  }
  const isBare = typeof node !== "object" || node === null || !("default" in node);
  return isBare ? { default: node, env: tree.env } : { ...node, env: tree.env };
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null) {
    for (const child of Object.values(value)) deepFreeze(child);
    Object.freeze(value);
  }
  return value;
}
