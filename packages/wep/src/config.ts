import { existsSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { LOG_LEVELS, type LogLevel } from "@subnet-worker/kit";
import { ConfigError, type ConfigSchema, loadConfig } from "@subnet-worker/kit/config";
import { parse } from "yaml";
import { WASM_SCHEMA, type WasmConfig, wasmProblems } from "./wasm/wasm-config.ts";

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
    /** Slots; 0: none of this class. All 0: no classes. */
    readonly classes: { readonly cpu: number; readonly gpu: number; readonly io: number };
    readonly isolation: "thread" | "none";
    /** 0: Node's own limit. */
    readonly thread_memory_mb: number;
    /** 0: no limit. */
    readonly handler_timeout_s: number;
    readonly graceful_shutdown_s: number;
  };
  /** Absolute paths. */
  readonly handlers: { readonly modules: readonly string[] };
  readonly specs: {
    readonly strict_specs: boolean;
    readonly list: readonly SpecEntry[];
  };
  readonly wasm: WasmConfig;
  readonly logging: { readonly level: LogLevel; readonly json: boolean };
  readonly tracing: { readonly enabled: boolean; readonly endpoint: string; readonly ratio: number };
  readonly protocol: { readonly proto_min: string; readonly proto_max: string };
}

/** Where a handler's inputs and outputs are written down. */
export interface SpecEntry {
  readonly kind: string;
  readonly version: string;
  /** Absolute. */
  readonly path: string;
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

const slots = (doc: string) => ({ doc, format: "count", default: 0 });
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
      doc: "Address that serves /healthz, /readyz, /metrics and, to readers on this machine, /tail.",
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
    classes: {
      cpu: slots(
        "Slots for handlers of class cpu. With any class set, each has slots of its own, and max_concurrency is their sum.",
      ),
      gpu: slots("Slots for handlers of class gpu."),
      io: slots("Slots for handlers of class io, which share threads."),
    },
    isolation: {
      doc: "`thread`: handlers run in threads, so that one that blocks holds nothing up and one that does not stop is ended. `none`: in the process, for modules that cannot be loaded in threads; they must not block.",
      format: ["thread", "none"],
      default: "thread",
    },
    thread_memory_mb: {
      doc: "What one thread may take in MiB, heap and buffers together; a run that needs more fails and may be tried again. An activity's `limits.memory_mb` may ask for less. 0 for Node's own limit of the heap, and 60 % of the machine's memory, or its control group's, for both.",
      format: "count",
      default: 0,
    },
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
  specs: {
    strict_specs: {
      doc: "Refuses to start when a handler has no spec, or a spec no handler.",
      format: Boolean,
      default: false,
    },
    list: {
      doc: "Activity specs of the handlers, checked at the start: tables of `kind`, `version` and `path`, which is relative to the configuration file.",
      format: "tables",
      default: [],
    },
  },
  wasm: WASM_SCHEMA,
  logging: {
    level: { doc: "Log level.", format: [...LOG_LEVELS], default: "info" },
    json: {
      doc: "`true`: JSON lines. `false`: lines for people.",
      format: Boolean,
      default: true,
    },
  },
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
  const problems = [
    ...tlsProblems(raw.server.tls),
    ...specProblems(raw.specs.list),
    ...wasmProblems(raw.wasm),
  ];
  if (problems.length > 0) throw new ConfigError(problems);
  const { max_concurrency: concurrency } = raw.runtime;
  return {
    ...raw,
    server: { ...raw.server, tls: withAbsolutePaths(raw.server.tls, dirname(path)) },
    runtime: { ...raw.runtime, max_concurrency: concurrency === "auto" ? "auto" : Number(concurrency) },
    handlers: { modules: [...new Set(modules)] },
    wasm: { ...raw.wasm, cache: cacheBeside(raw.wasm.cache, dirname(path)) },
    specs: {
      ...raw.specs,
      list: raw.specs.list.map((spec) => ({ ...spec, path: resolve(dirname(path), spec.path) })),
    },
  };
}

const TLS_FILES = ["cert_file", "key_file", "ca_cert_file"] as const;

function tlsProblems(tls: Config["server"]["tls"]): readonly string[] {
  return TLS_FILES.filter((name) => tls.enabled && tls[name] === "").map(
    (name) => `server.tls.${name}: is required when server.tls.enabled is true; wcp tls init makes all three`,
  );
}

const SPEC_KEYS = ["kind", "version", "path"] as const;

function specProblems(list: readonly SpecEntry[]): readonly string[] {
  return list.flatMap((spec, index) => {
    const where = `specs.list[${index}]`;
    const missing = SPEC_KEYS.filter((key) => typeof spec[key] !== "string" || spec[key] === "").map(
      (key) =>
        `${where}.${key}: is required and must be text; write {kind: audio.preprocess, version: "1.0.0", path: audio.yaml}`,
    );
    const unknown = Object.keys(spec).filter((key) => !SPEC_KEYS.some((known) => known === key));
    return [
      ...missing,
      ...unknown.map((key) => `${where}.${key}: no such setting; there are ${SPEC_KEYS.join(", ")}`),
    ];
  });
}

function withAbsolutePaths(tls: Config["server"]["tls"], base: string): Config["server"]["tls"] {
  const absolute = TLS_FILES.map((name) => [name, tls[name] === "" ? "" : resolve(base, tls[name])] as const);
  return { ...tls, ...Object.fromEntries(absolute) };
}

function cacheBeside(cache: WasmConfig["cache"], base: string): WasmConfig["cache"] {
  return cache.folder === "" ? cache : { ...cache, folder: resolve(base, cache.folder) };
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
