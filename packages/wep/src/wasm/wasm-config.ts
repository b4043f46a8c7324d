import type { ConfigSchema } from "@subnet-worker/kit/config";
import { createEgress, EgressError, type EgressPolicy } from "@subnet-worker/kit/egress";
import type { EngineOptions, Limits, ModuleLimits } from "@subnet-worker/wasm";

const KIB = 1_024;
const MIB = 1_024 * KIB;

/** Where a module may come from. */
export const MODULE_SOURCES = ["inline", "object", "url"] as const;
export type ModuleSourceKind = (typeof MODULE_SOURCES)[number];

/** The section `wasm` of the configuration: what an operator lets WebAssembly of others do. */
export interface WasmConfig {
  readonly enabled: boolean;
  /** 0: one per CPU. */
  readonly threads: number;
  /** Of {@link MODULE_SOURCES}; {@link wasmProblems} has looked. */
  readonly sources: readonly string[];
  readonly source_hosts: readonly string[];
  readonly allow_live_world: boolean;
  readonly limits: {
    readonly fuel: number;
    readonly memory_mb: number;
    readonly stack_kb: number;
    readonly table_elements: number;
    readonly time_s: number;
    readonly output_mb: number;
    readonly host_calls: number;
  };
  readonly module: {
    readonly max_mb: number;
    readonly max_functions: number;
    readonly max_function_kb: number;
    readonly compile_s: number;
  };
  readonly cache: {
    readonly memory_mb: number;
    /** Absolute; empty: none. */
    readonly folder: string;
    readonly folder_mb: number;
  };
  readonly http: {
    readonly allowed_hosts: readonly string[];
    readonly ports: readonly number[];
    readonly allow_plaintext: boolean;
    readonly networks: readonly string[];
    readonly timeout_s: number;
    readonly request_mb: number;
    readonly response_mb: number;
  };
}

const positive = (doc: string, value: number) => ({ doc, format: "positive-int", default: value });
const names = (doc: string, value: readonly string[] = []) => ({ doc, format: "list", default: [...value] });
const isAllowed = (doc: string) => ({ doc, format: Boolean, default: false });

/** As the other sections of `config.ts`. */
export const WASM_SCHEMA: ConfigSchema<WasmConfig> = {
  enabled: isAllowed(
    "Serves `wasm.execute`, which runs WebAssembly that whoever asks for the work sends along, within the limits of this section. Off unless you want to run programs of others.",
  ),
  threads: {
    doc: "Threads that run programs; 0 for one per CPU that this process may use.",
    format: "count",
    default: 0,
  },
  sources: names(
    "Where a module may come from: `inline` (in the inputs), `object` (an object in storage that the run may read), `url` (HTTPS, with a SHA-256, from one of `source_hosts`).",
    ["inline", "object"],
  ),
  source_hosts: names(
    "Hosts that modules are fetched from, with `url` among the sources: `modules.example`, or `*.example` for all below it. Addresses of your own network stay out of reach.",
  ),
  allow_live_world: isAllowed(
    "A run may ask for real clocks and real randomness (`world: live`). Without it every run has clocks and randomness that follow from its inputs alone.",
  ),
  limits: {
    fuel: positive(
      "Most fuel of a run, about one for each instruction. All limits are what a run has that asks for no other, and the most that it may ask for.",
      10_000_000_000,
    ),
    memory_mb: positive("Most memory of a run in MiB, all its linear memories together.", 128),
    stack_kb: positive("Most stack of a run in KiB, as the meter counts frames.", 1_024),
    table_elements: positive("Most elements of a run's tables together.", 1_000_000),
    time_s: positive("Longest run in seconds.", 60),
    output_mb: positive("Most that a run may give back, in MiB.", 16),
    host_calls: positive("Most calls of a run out of its sandbox.", 1_000_000),
  },
  module: {
    max_mb: positive("Largest module in MiB.", 64),
    max_functions: positive("Most functions of a module.", 100_000),
    max_function_kb: positive("Largest function of a module in KiB.", 4_096),
    compile_s: positive("Longest that reading, metering and compiling a module may take, in seconds.", 30),
  },
  cache: {
    memory_mb: positive("Compiled programs that are kept in memory, in MiB of their modules.", 256),
    folder: {
      doc: "Folder that metered modules are kept in, so that a restart need not make them again; relative to the configuration file. Whoever can write there decides what runs; a WEP that cannot write there does not start. Empty for none.",
      format: String,
      default: "",
    },
    folder_mb: positive(
      "Most that the folder holds, in MiB; what was not used for longest goes first.",
      1_024,
    ),
  },
  http: {
    allowed_hosts: names(
      "Hosts that programs may send HTTP requests to: `api.example`, or `*.example` for all below it. Empty: programs that want HTTP are refused.",
    ),
    ports: { doc: "Ports of those hosts.", format: "ports", default: [443] },
    allow_plaintext: isAllowed(
      "Requests may go over http:// too, which whoever is on the way can read and change.",
    ),
    networks: names(
      "Networks that requests may reach though they are not public, such as `10.1.0.0/16`; loopback, private and link-local addresses, and those where clouds keep credentials, are refused else.",
    ),
    timeout_s: positive("Longest request in seconds; of a module that is fetched, too.", 30),
    request_mb: positive("Largest body of a request in MiB.", 1),
    response_mb: positive("Largest response in MiB.", 16),
  },
};

/** What is wrong with the section beyond what its formats say. */
export function wasmProblems(config: WasmConfig): readonly string[] {
  const { sources, source_hosts: hosts } = config;
  const unknown = sources.filter((source) => !MODULE_SOURCES.some((known) => known === source));
  return [
    ...unknown.map((source) => `wasm.sources: there is no "${source}"; use ${MODULE_SOURCES.join(", ")}`),
    ...(sources.includes("url") && hosts.length === 0
      ? ["wasm.source_hosts: names no host, and wasm.sources has url; name the hosts or take url out"]
      : []),
    ...tooMuch(config),
    ...policyProblems("wasm.source_hosts", modulePolicyOf(config)),
    ...policyProblems("wasm.http", httpPolicyOf(config)),
  ];
}

/** What can only be a mistake, or what no machine has; the engine would find out when it starts, or the machine. */
function tooMuch({ threads, limits, module, cache }: WasmConfig): readonly string[] {
  const rows: readonly (readonly [setting: string, value: number, most: number])[] = [
    // All are started at once, and each takes tens of MiB.
    ["threads", threads, 256],
    ["limits.memory_mb", limits.memory_mb, 65_536],
    // Of V8's stack, a run's is a fraction; threads cannot have more.
    ["limits.stack_kb", limits.stack_kb, 16_384],
    ["limits.time_s", limits.time_s, 31_536_000],
    ["limits.output_mb", limits.output_mb, 65_536],
    // V8 takes no larger ones.
    ["module.max_mb", module.max_mb, 1_024],
    ["module.compile_s", module.compile_s, 86_400],
    ["cache.memory_mb", cache.memory_mb, 1_048_576],
    ["cache.folder_mb", cache.folder_mb, 1_073_741_824],
  ];
  return rows
    .filter(([, value, most]) => value > most)
    .map(([setting, , most]) => `wasm.${setting}: must be at most ${most}`);
}

/** The engine that the section describes. */
export function engineOptionsOf(config: WasmConfig): EngineOptions {
  const { threads, cache } = config;
  return {
    ...(threads === 0 ? {} : { threads }),
    limits: limitsOf(config),
    moduleLimits: moduleLimitsOf(config),
    cache: {
      memoryBytes: cache.memory_mb * MIB,
      folderBytes: cache.folder_mb * MIB,
      ...(cache.folder === "" ? {} : { folder: cache.folder }),
    },
  };
}

/** What runs may use at most. */
export function limitsOf({ limits }: Pick<WasmConfig, "limits">): Omit<Limits, "stderrBytes"> {
  return {
    fuel: BigInt(limits.fuel),
    memoryBytes: limits.memory_mb * MIB,
    stackBytes: limits.stack_kb * KIB,
    tableElements: limits.table_elements,
    timeMs: limits.time_s * 1_000,
    outputBytes: limits.output_mb * MIB,
    hostCalls: limits.host_calls,
  };
}

function moduleLimitsOf({ module }: WasmConfig): ModuleLimits {
  return {
    moduleBytes: module.max_mb * MIB,
    functions: module.max_functions,
    functionBytes: module.max_function_kb * KIB,
    compileMs: module.compile_s * 1_000,
  };
}

/** What modules may be fetched from. Addresses that are not public are never among it. */
export function modulePolicyOf({ source_hosts: hosts, module, http }: WasmConfig): EgressPolicy {
  return {
    hosts,
    methods: ["GET"],
    requestBytes: 0,
    responseBytes: module.max_mb * MIB,
    timeMs: http.timeout_s * 1_000,
  };
}

/** What programs may send HTTP requests to. */
export function httpPolicyOf({ http }: WasmConfig): EgressPolicy {
  return {
    hosts: http.allowed_hosts,
    ports: http.ports,
    schemes: http.allow_plaintext ? ["https", "http"] : ["https"],
    networks: http.networks,
    requestBytes: http.request_mb * MIB,
    responseBytes: http.response_mb * MIB,
    timeMs: http.timeout_s * 1_000,
  };
}

function policyProblems(setting: string, policy: EgressPolicy): readonly string[] {
  try {
    createEgress({ policy });
    return [];
  } catch (error) {
    if (!(error instanceof EgressError)) throw error;
    return [`${setting}: ${error.message}`];
  }
}
