import { describe, expect, test } from "vitest";
import {
  ConfigError,
  type ConfigSchema,
  type ConfigSource,
  loadConfig,
  originsOf,
  parseDuration,
} from "./config.ts";

interface Settings {
  readonly endpoints: readonly string[];
  readonly chain: {
    readonly rpc_url: readonly string[];
    readonly ws_url: readonly string[];
    readonly key: string;
    readonly queue: string;
  };
  readonly timing: { readonly poll: number; readonly lease: number };
  readonly limits: {
    readonly slots: number;
    readonly retries: number;
    readonly port: number;
    readonly is_strict: boolean;
  };
  readonly versions: { readonly min: string };
  readonly log: { readonly level: string };
}

const SCHEMA: ConfigSchema<Settings> = {
  endpoints: { format: "list", default: ["http://127.0.0.1:7070"] },
  chain: {
    rpc_url: { format: "http-urls", default: ["http://127.0.0.1:8545"] },
    ws_url: { format: "ws-urls", default: [] },
    key: { format: "non-empty", default: "0xkey", sensitive: true },
    queue: { format: "address", default: `0x${"00".repeat(20)}` },
  },
  timing: { poll: { format: "duration", default: 1_000 }, lease: { format: "duration", default: 60_000 } },
  limits: {
    slots: { format: "positive-int", default: 4 },
    retries: { format: "count", default: 3 },
    port: { format: "port", default: 7070 },
    is_strict: { format: Boolean, default: true },
  },
  versions: { min: { format: "semver", default: "1.0.0" } },
  log: { level: { format: ["info", "debug"], default: "info" } },
};

function load(source: Partial<ConfigSource> = {}): Settings {
  return loadConfig(SCHEMA, {
    file: undefined,
    fileName: "local.toml",
    env: {},
    envPrefix: "WCP",
    ...source,
  });
}

function problemsOf(source: Partial<ConfigSource>): readonly string[] {
  try {
    load(source);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe("loadConfig", () => {
  test("answers the defaults where nothing is set", () => {
    expect(load()).toMatchObject({
      endpoints: ["http://127.0.0.1:7070"],
      timing: { poll: 1_000 },
      limits: { slots: 4, is_strict: true },
    });
  });

  test("takes values from the file, durations with their unit", () => {
    const file = {
      endpoints: ["http://a:1", "http://b:2"],
      timing: { poll: "1.5s", lease: "3h" },
      limits: { slots: 16, is_strict: false, port: 0 },
      chain: { ws_url: ["wss://node/x"] },
    };
    expect(load({ file })).toMatchObject({ ...file, timing: { poll: 1_500, lease: 10_800_000 } });
  });

  test("lets the environment win over the file, each value in its type", () => {
    const file = {
      timing: { poll: "5s" },
      limits: { slots: 2, port: 1, is_strict: true },
      endpoints: ["http://file"],
    };
    const env = {
      WCP__TIMING__POLL: "250ms",
      WCP__LIMITS__SLOTS: "8",
      WCP__LIMITS__PORT: "9000",
      WCP__LIMITS__IS_STRICT: "FALSE",
      WCP__LIMITS__RETRIES: "0",
      WCP__ENDPOINTS: "http://a:1, http://b:2,",
      WCP__CHAIN__KEY: undefined,
      OTHER__TIMING__POLL: "x",
      PATH: "/bin",
    };
    expect(load({ file, env })).toMatchObject({
      timing: { poll: 250 },
      limits: { slots: 8, port: 9_000, is_strict: false, retries: 0 },
      endpoints: ["http://a:1", "http://b:2"],
      chain: { key: "0xkey" },
    });
  });

  test("answers something that cannot be changed", () => {
    const config = load();
    expect(() => Object.assign(config.timing, { poll: 1 })).toThrow(TypeError);
    expect(() => (config.endpoints as string[]).push("x")).toThrow(TypeError);
    expect(() => Object.assign(config, { extra: 1 })).toThrow(TypeError);
  });

  test("does not remember one load in the next", () => {
    load({ file: { endpoints: ["http://a:1"] }, env: { WCP__LIMITS__SLOTS: "9" } });
    expect(load()).toMatchObject({ endpoints: ["http://127.0.0.1:7070"], limits: { slots: 4 } });
  });
});

describe("a problem says what to do", () => {
  test.each<[what: string, source: Partial<ConfigSource>, problem: string]>([
    [
      "a key with a typo",
      { file: { timing: { pol: "1s" } } },
      "timing.pol: no such setting (in local.toml); did you mean timing.poll?",
    ],
    [
      "a section with a typo",
      { file: { timming: { poll: "1s" } } },
      "timming: no such setting (in local.toml); did you mean timing?",
    ],
    [
      "a key like no other",
      { file: { timing: { frobnicate: 1 } } },
      "timing.frobnicate: no such setting (in local.toml); remove it",
    ],
    [
      "a variable with a typo",
      { env: { WCP__TIMING__POL: "1s" } },
      "WCP__TIMING__POL: no such setting; did you mean WCP__TIMING__POLL?",
    ],
    ["a variable like no other", { env: { WCP__X: "1s" } }, "WCP__X: no such setting; remove it"],
    [
      "a duration without a unit in a variable",
      { env: { WCP__TIMING__POLL: "5" } },
      'timing.poll: "5" is not a duration; write a number and a unit, like "250ms", "1s", "10m" or "3h": value was "5" (set timing.poll in local.toml, or WCP__TIMING__POLL)',
    ],
    [
      "a duration without a unit in the file",
      { file: { timing: { poll: 5 } } },
      'timing.poll: must be a duration with a unit, like "250ms", "1s" or "3h": value was 5 (set timing.poll in local.toml, or WCP__TIMING__POLL)',
    ],
    [
      "a boolean that is none",
      { env: { WCP__LIMITS__IS_STRICT: "no" } },
      'limits.is_strict: must be true or false: value was "no" (set limits.is_strict in local.toml, or WCP__LIMITS__IS_STRICT)',
    ],
    [
      "a boolean that is none in the file",
      { file: { limits: { is_strict: "flase" } } },
      "limits.is_strict: must be true or false",
    ],
    [
      "a number in a boolean's place",
      { file: { limits: { is_strict: 1 } } },
      "limits.is_strict: must be of type Boolean",
    ],
    [
      "a port with more behind it",
      { env: { WCP__LIMITS__PORT: "70x" } },
      'limits.port: must be a number: value was "70x"',
    ],
    [
      "a port out of range",
      { env: { WCP__LIMITS__PORT: "65536" } },
      "limits.port: ports must be within range 0 - 65535",
    ],
    [
      "a count that is empty",
      { env: { WCP__LIMITS__RETRIES: "" } },
      "limits.retries: must be a whole number of at least 0",
    ],
    [
      "a count in hex",
      { env: { WCP__LIMITS__RETRIES: "0x10" } },
      "limits.retries: must be a whole number of at least 0",
    ],
    ["zero slots", { file: { limits: { slots: 0 } } }, "limits.slots: must be a whole number of at least 1"],
    [
      "half a slot",
      { file: { limits: { slots: 0.5 } } },
      "limits.slots: must be a whole number of at least 1",
    ],
    [
      "a URL without its scheme",
      { file: { chain: { rpc_url: "localhost:8545" } } },
      "chain.rpc_url: must be a URL that starts with http:// or https://",
    ],
    [
      "an http URL for a websocket",
      { file: { chain: { ws_url: "http://a" } } },
      "chain.ws_url: must be a URL that starts with ws:// or wss://",
    ],
    [
      "a short address",
      { file: { chain: { queue: "0x12" } } },
      "chain.queue: must be an address: 0x and 40 hex digits",
    ],
    ["half a version", { file: { versions: { min: "1.0" } } }, "versions.min: must be a version like 1.2.3"],
    [
      "one of another choice",
      { file: { log: { level: "loud" } } },
      'log.level: must be one of the possible values: ["info","debug"]',
    ],
    ["a list of numbers", { file: { endpoints: [1] } }, "endpoints: must be a list of strings"],
    [
      "a value for a section",
      { file: { timing: "1s" } },
      "timing: must hold settings, like timing.poll (in local.toml)",
    ],
    [
      "a section for a value",
      { file: { timing: { poll: { every: "1s" } } } },
      "timing.poll: must be one value, not a section",
    ],
    ["a list for the file", { file: [1] }, "it: must hold settings, like endpoints (in local.toml)"],
    [
      "a secret in the file",
      { file: { chain: { key: "0xabc" } } },
      "chain.key: is a secret and must not stand in local.toml, from where it gets into backups and repositories; take it out and set WCP__CHAIN__KEY in the environment",
    ],
    [
      "an empty required value",
      { env: { WCP__CHAIN__KEY: "" } },
      "chain.key: is required and must not be empty (set WCP__CHAIN__KEY in the environment)",
    ],
  ])("%s", (...[, source, problem]) => {
    const [first, ...others] = problemsOf(source);
    expect(others).toEqual([]);
    expect(first).toContain(problem);
  });

  test("and all come at once, each once", () => {
    const file = {
      timing: "often",
      limits: { slots: -1, is_strict: "maybe" },
      chain: { rpc_url: "x", extra: 1 },
      nonsense: { a: 1, b: 2 },
    };
    const env = {
      WCP__LIMITS__IS_STRICT: "perhaps",
      WCP__LIMITS__PORT: "-1",
      WCP__TIMING__POLL: "1",
      WCP__NOPE: "",
    };
    expect(problemsOf({ file, env }).map((problem) => problem.split(":", 1)[0])).toEqual([
      "limits.is_strict",
      "WCP__NOPE",
      "timing",
      "chain.extra",
      "nonsense",
      "chain.rpc_url",
      "limits.slots",
      "limits.port",
    ]);
    expect(() => load({ file, env })).toThrow(
      "[BAD_CONFIG] 8 problems in the configuration:\n  - limits.is_strict: ",
    );
  });
});

test.each<[what: string, source: (secret: string) => Partial<ConfigSource>]>([
  ["in the file", (secret) => ({ file: { chain: { key: secret } } })],
  [
    "in the URL of an endpoint that is mistyped",
    (secret) => ({ env: { WCP__CHAIN__RPC_URL: `htp://node/${secret}` } }),
  ],
  ["in a URL that is a section", (secret) => ({ file: { chain: { rpc_url: { url: secret } } } })],
  ["of the wrong type in the file", (secret) => ({ file: { chain: { key: [secret] } } })],
  ["as a section in the file", (secret) => ({ file: { chain: { key: { [`k`]: secret } } } })],
  ["under a key with a typo", (secret) => ({ file: { chain: { kee: secret } } })],
  ["in a variable with a typo", (secret) => ({ env: { WCP__CHAIN__KEE: secret } })],
  ["beside another problem", (secret) => ({ env: { WCP__CHAIN__KEY: secret, WCP__LIMITS__PORT: "x" } })],
])("a secret %s does not show in the message", (...[, source]) => {
  const secret = "0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318";
  const problems = problemsOf(source(secret));
  expect(problems).toHaveLength(1);
  expect(problems.join("\n")).not.toContain(secret);
});

test("names that lead to every object's prototype are unknown settings like any other", () => {
  const file: unknown = JSON.parse(
    '{"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 1}}}',
  );
  expect(problemsOf({ file })).toHaveLength(2);
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
});

test("every setting is told with where its value comes from", () => {
  const source = {
    file: { limits: { slots: 2 }, timing: { poll: "1s" } },
    fileName: "local.toml",
    env: { WCP__TIMING__POLL: "2s", OTHER: "x" },
    envPrefix: "WCP",
  };
  const origins = new Map(originsOf(SCHEMA, source).map((setting) => [setting.path, setting]));
  expect(origins.get("limits.slots")?.origin).toBe("file");
  expect(origins.get("timing.poll")).toMatchObject({ origin: "environment", env: "WCP__TIMING__POLL" });
  expect(origins.get("timing.lease")?.origin).toBe("default");
  expect(origins.get("chain.key")).toMatchObject({ origin: "default", isSensitive: true });
});

describe("parseDuration", () => {
  test.each([
    ["0s", 0],
    ["250ms", 250],
    ["1s", 1_000],
    ["1.5s", 1_500],
    ["10m", 600_000],
    ["3h", 10_800_000],
    ["1d", 86_400_000],
    [" 5s ", 5_000],
    ["0.1ms", 0],
  ])("reads %j as %d ms", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each(["", "5", "s", "-1s", "1 s", "1S", "1s2m", "1e3s", ".5s", "∞s", "1w"])("refuses %j", (text) => {
    expect(() => parseDuration(text)).toThrow(RangeError);
    expect(() => parseDuration(text)).toThrow(`"${text}" is not a duration; write a number and a unit`);
  });
});
