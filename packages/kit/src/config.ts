import convict from "convict";

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

export interface ConfigSource {
  /** Values by section, as parsed from the file; `undefined` when there is no file. */
  readonly file: unknown;
  /** For messages: where `file` came from. */
  readonly fileName: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `WCP` makes `WCP__SECTION__KEY` override `section.key`. */
  readonly envPrefix: string;
}

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Reads a duration with its unit, `250ms`, `1.5s`, `10m`, `3h` or `1d`, as milliseconds.
 *
 * @throws {RangeError} when there is no unit or the text is something else
 */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text.trim());
  const unit = UNITS_MS[match?.[2] ?? ""];
  if (match === null || unit === undefined) {
    throw new RangeError(`"${text}" is not a duration; write a number and a unit, like "250ms", "1s", "10m" or "3h"`);
  }
  return Math.round(Number(match[1]) * unit);
}

function coerced(parse: (text: string) => unknown): (value: unknown) => unknown {
  return (value) => {
    if (typeof value !== "string") return value;
    try {
      return parse(value);
    } catch {
      return value; // stays a string, which `validate` then refuses with a full message
    }
  };
}

function refuse(message: string): never {
  throw new Error(message);
}

convict.addFormats({
  duration: {
    coerce: coerced(parseDuration),
    validate(value: unknown) {
      if (typeof value === "string") parseDuration(value);
      if (typeof value !== "number" || !Number.isFinite(value) || value < 0) {
        refuse('must be a duration with a unit, like "250ms", "1s" or "3h"');
      }
    },
  },
  "non-empty": {
    validate(value: unknown) {
      if (typeof value !== "string" || value === "") refuse("is required and must not be empty");
    },
  },
  "http-url": {
    validate(value: unknown) {
      const protocol = typeof value === "string" && URL.canParse(value) ? new URL(value).protocol : "";
      if (protocol !== "http:" && protocol !== "https:") refuse("must be a URL that starts with http:// or https://");
    },
  },
  "ws-url": {
    validate(value: unknown) {
      if (value === "") return;
      const protocol = typeof value === "string" && URL.canParse(value) ? new URL(value).protocol : "";
      if (protocol !== "ws:" && protocol !== "wss:") refuse("must be a URL that starts with ws:// or wss://");
    },
  },
  address: {
    validate(value: unknown) {
      if (typeof value !== "string" || !/^0x[0-9a-fA-F]{40}$/.test(value)) {
        refuse("must be an address: 0x and 40 hex digits");
      }
    },
  },
  semver: {
    validate(value: unknown) {
      if (typeof value !== "string" || !/^\d+\.\d+\.\d+$/.test(value)) refuse("must be a version like 1.2.3");
    },
  },
  list: {
    coerce: coerced((text) => text.split(",").map((part) => part.trim()).filter((part) => part !== "")),
    validate(value: unknown) {
      if (!Array.isArray(value) || value.some((item) => typeof item !== "string")) {
        refuse("must be a list of strings (in the environment: separated by commas)");
      }
    },
  },
  "positive-int": {
    coerce: coerced(Number),
    validate(value: unknown) {
      if (!Number.isSafeInteger(value) || (value as number) < 1) refuse("must be a whole number of at least 1");
    },
  },
  count: {
    coerce: coerced(Number),
    validate(value: unknown) {
      if (!Number.isSafeInteger(value) || (value as number) < 0) refuse("must be a whole number of at least 0");
    },
  },
});

/**
 * Reads a configuration from a parsed file and the environment, which wins.
 * Unknown keys and unknown `PREFIX__` variables are refused, and every problem
 * is listed at once. Formats beyond convict's own: `duration` (to milliseconds),
 * `non-empty`, `http-url`, `ws-url` (or empty), `address`, `semver`, `list`,
 * `positive-int`, `count`.
 *
 * @returns a deeply frozen object
 * @throws {ConfigError} with all problems
 */
export function loadConfig<T>(schema: ConfigSchema<T>, source: ConfigSource): T {
  const leaves = new Map<string, string>();
  const withEnv = addEnv(schema, { prefix: source.envPrefix, path: [], leaves }) as convict.Schema<T>;
  const problems: string[] = [];
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(source.env)) {
    if (!name.startsWith(`${source.envPrefix}__`) || value === undefined) continue;
    if (leaves.has(name)) env[name] = value;
    else problems.push(`${name}: no such setting; ${suggest(name, [...leaves.keys()])}`);
  }
  const config = convict(withEnv, { env, args: [] });
  try {
    if (source.file !== undefined) config.load(source.file as object);
    config.validate({ allowed: "strict" });
  } catch (error) {
    problems.push(...describe(error, source, leaves));
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return deepFreeze(config.getProperties());
}

interface EnvWalk {
  readonly prefix: string;
  readonly path: readonly string[];
  /** Environment variable name to dotted path; filled by the walk. */
  readonly leaves: Map<string, string>;
}

function addEnv(node: unknown, walk: EnvWalk): unknown {
  if (typeof node !== "object" || node === null || Array.isArray(node)) return node;
  if ("default" in node) {
    const env = [walk.prefix, ...walk.path].join("__").toUpperCase();
    walk.leaves.set(env, walk.path.join("."));
    return { ...node, env };
  }
  return Object.fromEntries(
    Object.entries(node).map(([key, child]) => [key, addEnv(child, { ...walk, path: [...walk.path, key] })]),
  );
}

function describe(error: unknown, source: ConfigSource, leaves: ReadonlyMap<string, string>): string[] {
  const message = error instanceof Error ? error.message : String(error);
  const envOf = new Map([...leaves].map(([env, path]) => [path, env]));
  return message.split("\n").map((line) => {
    const undeclared = /^configuration param '(.+)' not declared in the schema$/.exec(line)?.[1];
    if (undeclared !== undefined) {
      return `${undeclared}: no such setting (in ${source.fileName}); ${suggest(undeclared, [...leaves.values()])}`;
    }
    const path = line.split(":", 1)[0] ?? "";
    const env = envOf.get(path);
    return env === undefined ? line : `${line} (set ${path} in ${source.fileName}, or ${env})`;
  });
}

/** Says which known name is nearest, by shared letter pairs. */
function suggest(name: string, known: readonly string[]): string {
  const pairs = (text: string) => new Set(Array.from({ length: text.length - 1 }, (_, i) => text.slice(i, i + 2).toLowerCase()));
  const wanted = pairs(name);
  const score = (other: string) => {
    const have = pairs(other);
    return (2 * wanted.intersection(have).size) / (wanted.size + have.size);
  };
  const best = known.toSorted((a, b) => score(b) - score(a))[0];
  return best !== undefined && score(best) > 0.5 ? `did you mean ${best}?` : "remove it";
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null) {
    for (const child of Object.values(value)) deepFreeze(child);
    Object.freeze(value);
  }
  return value;
}
