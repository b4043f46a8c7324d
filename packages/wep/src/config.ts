import { existsSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { LOG_LEVELS, type LogLevel } from "@subnet-worker/kit";
import { ConfigError, type ConfigSchema, loadConfig } from "@subnet-worker/kit/config";
import { parse } from "yaml";

/** Settings of a WEP, under the names of its configuration file. */
export interface Config {
  readonly server: {
    readonly host: string;
    readonly port: number;
    /** Absolute paths. */
    readonly tls: {
      readonly enabled: boolean;
      readonly cert_file: string;
      readonly key_file: string;
      readonly ca_cert_file: string;
      readonly client_names: readonly string[];
    };
    readonly allow_plaintext: boolean;
  };
  readonly health: { readonly host: string; readonly port: number };
  readonly runtime: {
    readonly max_concurrency: number | "auto";
    readonly tags: readonly string[];
    /** 0: no limit. */
    readonly handler_timeout_s: number;
    readonly graceful_shutdown_s: number;
  };
  /** Absolute paths. */
  readonly handlers: { readonly modules: readonly string[] };
  readonly logging: { readonly level: LogLevel };
  readonly tracing: { readonly enabled: boolean; readonly endpoint: string; readonly ratio: number };
  readonly protocol: { readonly proto_min: string; readonly proto_max: string };
}

export interface ConfigInput {
  /** `undefined`: `wep.yaml` in `cwd`, if there is one. */
  readonly configPath: string | undefined;
  /** Modules from the command line, relative to `cwd`. */
  readonly handlerModules: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

/** As the file has it: numbers in the environment are text. */
type Raw = Omit<Config, "runtime"> & {
  readonly runtime: Omit<Config["runtime"], "max_concurrency"> & {
    readonly max_concurrency: number | string;
  };
};

const file = (doc: string) => ({ doc, format: String, default: "" });

/** Every setting, with what it means and its default. `docs/configuration.md` is generated from it. */
export const CONFIG_SCHEMA: ConfigSchema<Raw> = {
  server: {
    host: { doc: "Address the gRPC server listens on.", format: "non-empty", default: "127.0.0.1" },
    port: { doc: "Its port; 0 picks a free one.", format: "port", default: 7070 },
    tls: {
      enabled: {
        doc: "Mutual TLS 1.3; the files are read again when they change. `wcp tls init` makes them.",
        format: Boolean,
        default: false,
      },
      cert_file: file("This WEP's certificate (PEM); relative to the configuration file."),
      key_file: file("The key of that certificate (PEM)."),
      ca_cert_file: file("Certificates of the authorities that WCPs are verified against (PEM)."),
      client_names: {
        doc: "Names of which a WCP's certificate must have one; empty for any that the authorities signed.",
        format: "list",
        default: [],
      },
    },
    allow_plaintext: {
      doc: "Serves without TLS on addresses that other hosts reach: any of them can send work here and read it.",
      format: Boolean,
      default: false,
    },
  },
  health: {
    host: {
      doc: "Address that serves /healthz, /readyz and /metrics.",
      format: "non-empty",
      default: "127.0.0.1",
    },
    port: { doc: "Its port; 0 picks a free one.", format: "port", default: 7071 },
  },
  runtime: {
    max_concurrency: {
      doc: "Most runs at once; `auto` for one per CPU that this process may use.",
      format: checkConcurrency,
      default: "auto",
    },
    tags: { doc: "Told to the WCP with the capabilities.", format: "list", default: [] },
    handler_timeout_s: {
      doc: "Seconds after which a handler is told to stop; 0 for no limit.",
      format: "count",
      default: 600,
    },
    graceful_shutdown_s: {
      doc: "Seconds that runs under way may go on after the first signal.",
      format: "count",
      default: 15,
    },
  },
  handlers: {
    modules: {
      doc: "Modules that export handlers; relative to the configuration file.",
      format: "list",
      default: [],
    },
  },
  logging: { level: { doc: "Log level.", format: [...LOG_LEVELS], default: "info" } },
  tracing: {
    enabled: {
      doc: "Sends an OpenTelemetry span of every run, as part of the trace that its WCP began.",
      format: Boolean,
      default: false,
    },
    endpoint: {
      doc: "OTLP/HTTP endpoint for spans.",
      format: "non-empty",
      default: "http://127.0.0.1:4318/v1/traces",
    },
    ratio: {
      doc: "Share of runs that are traced, 0 to 1, where the WCP has not decided.",
      format: "ratio",
      default: 1,
    },
  },
  protocol: {
    proto_min: { doc: "Lowest protocol version offered to a WCP.", format: "semver", default: "1.0.0" },
    proto_max: { doc: "Highest protocol version offered to a WCP.", format: "semver", default: "1.1.0" },
  },
};

/**
 * Reads the configuration: YAML, then `WEP__*` variables, which win. Module paths
 * are relative to the file that names them, or to `cwd`.
 *
 * @throws {ConfigError} with every problem
 */
export function readConfig({ configPath, handlerModules, env, cwd }: ConfigInput): Config {
  const path = resolve(cwd, configPath ?? "wep.yaml");
  const isThere = existsSync(path);
  if (configPath !== undefined && !isThere) {
    throw new ConfigError([`${path}: no such file; create it or leave --config out`]);
  }
  const file = isThere ? parseYaml(path) : undefined;
  const raw = loadConfig(CONFIG_SCHEMA, { file, fileName: path, env, envPrefix: "WEP" });
  const base = env["WEP__HANDLERS__MODULES"] === undefined ? dirname(path) : cwd;
  const modules = [
    ...raw.handlers.modules.map((module) => resolve(base, module)),
    ...handlerModules.map((module) => resolve(cwd, module)),
  ];
  const problems = tlsProblems(raw.server.tls);
  if (problems.length > 0) throw new ConfigError(problems);
  const { max_concurrency: concurrency } = raw.runtime;
  return {
    ...raw,
    server: { ...raw.server, tls: withAbsolutePaths(raw.server.tls, dirname(path)) },
    runtime: { ...raw.runtime, max_concurrency: concurrency === "auto" ? "auto" : Number(concurrency) },
    handlers: { modules: [...new Set(modules)] },
  };
}

const TLS_FILES = ["cert_file", "key_file", "ca_cert_file"] as const;

function tlsProblems(tls: Config["server"]["tls"]): readonly string[] {
  return TLS_FILES.filter((name) => tls.enabled && tls[name] === "").map(
    (name) => `server.tls.${name}: is required when server.tls.enabled is true; wcp tls init makes all three`,
  );
}

function withAbsolutePaths(tls: Config["server"]["tls"], base: string): Config["server"]["tls"] {
  const absolute = TLS_FILES.map((name) => [name, tls[name] === "" ? "" : resolve(base, tls[name])] as const);
  return { ...tls, ...Object.fromEntries(absolute) };
}

function parseYaml(path: string): unknown {
  try {
    // An empty file is no settings, not a null one.
    return (parse(readFileSync(path, "utf8")) as unknown) ?? undefined;
  } catch (error) {
    throw new ConfigError([
      `${path}: cannot be read as YAML: ${error instanceof Error ? error.message : String(error)}`,
    ]);
  }
}

function checkConcurrency(value: unknown): void {
  if (value === "auto") return;
  const count = typeof value === "string" ? Number(value) : value;
  if (!Number.isSafeInteger(count) || (count as number) < 1) {
    throw new Error('must be "auto" or a whole number of at least 1');
  }
}
