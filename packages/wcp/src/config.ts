import { existsSync, readFileSync } from "node:fs";
import { dirname, join, parse as parsePath, resolve } from "node:path";
import {
  ConfigError,
  type ConfigSchema,
  type ConfigSource,
  loadConfig,
  parseDuration,
} from "@subnet-worker/kit/config";
import { LOG_LEVELS, type LogLevel } from "@subnet-worker/kit";
import { isVersionInRange } from "@subnet-worker/protocol";
import { parse, TomlError } from "smol-toml";
import { queueProblems, type QueueSettings } from "./config-queues.ts";
import {
  resolveStoragePaths,
  STORAGE_SCHEMA,
  storageProblems,
  type StorageSettings,
} from "./config-storage.ts";
import { wepProblems } from "./config-wep.ts";

/** The configuration as its file has it; durations are in milliseconds. */
export interface Config extends StorageSettings {
  /** One URL, or several separated by commas. */
  readonly wep_grpc_endpoint: readonly string[];
  readonly wep_pool: {
    readonly endpoints_file: string;
    readonly dns_interval: number;
    readonly lost_grace: number;
    readonly ping_interval: number;
    readonly silence: number;
  };
  readonly wep_tls: {
    readonly ca_file: string;
    readonly cert_file: string;
    readonly key_file: string;
    readonly server_name: string;
    readonly allow_plaintext: boolean;
  };
  readonly ethereum: {
    /** One URL, or several separated by commas. */
    readonly rpc_url: readonly string[];
    readonly ws_url: readonly string[];
    readonly chain_id: number;
    readonly keystore_file: string;
    readonly keystore_password_file: string;
    readonly wallet_private_key: string;
    readonly wallet_address: string;
    readonly workflow_engine_address: string;
    readonly task_queue_address: string;
    readonly multicall3_address: string;
    readonly subnet_control_plane_address: string;
    readonly batch_executor_address: string;
    readonly rpc_timeout: number;
    readonly head_poll_interval: number;
    readonly log_range_blocks: number;
    readonly lookback_blocks: number;
  };
  readonly scheduler: {
    readonly poll_interval: number;
    readonly max_inflight: number;
    readonly queue_name: readonly string[];
    readonly heartbeat_interval: number;
    readonly max_attempts: number;
    readonly retry_initial: number;
    readonly retry_max: number;
    readonly lost_cooldown: number;
    readonly reconcile_interval: number;
    readonly queues: readonly QueueSettings[];
    readonly tenant_max_inflight: number;
  };
  readonly tx_policy: {
    readonly gas_bump_percent: number;
    readonly gas_margin_percent: number;
    readonly max_pending: number;
    readonly resend_after: number;
    readonly bump_after: number;
    readonly max_fee_gwei: number;
    readonly confirmations: number;
    readonly repair_after: number;
    readonly batching: boolean;
    readonly batch_gas_percent: number;
    readonly low_balance_gwei: number;
  };
  readonly protocol: { readonly contract_min: string; readonly contract_max: string };
  readonly specs: { readonly files: readonly string[] };
  readonly db: { readonly path: string; readonly retention: number };
  readonly admin: { readonly host: string; readonly port: number };
  readonly control: { readonly socket: string };
  readonly tracing: { readonly enabled: boolean; readonly endpoint: string; readonly ratio: number };
  readonly log: { readonly level: LogLevel };
  readonly shutdown: { readonly deadline: number };
}

const address = (doc: string) => ({ doc, format: "address", default: "" });
const duration = (doc: string, value: string) => ({ doc, format: "duration", default: parseDuration(value) });
const count = (doc: string, value: number) => ({ doc, format: "count", default: value });
const positive = (doc: string, value: number) => ({ doc, format: "positive-int", default: value });
const text = (doc: string, value: string) => ({ doc, format: String, default: value });
const list = (doc: string, value: string[]) => ({ doc, format: "list", default: value });

/** Every setting, with what it means and its default. `docs/configuration.md` is generated from it. */
export const CONFIG_SCHEMA: ConfigSchema<Config> = {
  wep_grpc_endpoint: list("URL of the WEP, or several: http://host:port.", ["http://127.0.0.1:7070"]),
  wep_pool: {
    endpoints_file: text(
      "File with more WEPs, one URL per line, read again when it changes; relative to the configuration file.",
      "",
    ),
    dns_interval: duration(
      "Host names of WEPs are resolved again this often; every address is a WEP. 0 to leave names to each connection.",
      "30s",
    ),
    lost_grace: duration(
      "A WEP that is out of reach for longer has lost its runs: they go on elsewhere, from their last checkpoints.",
      "30s",
    ),
    ping_interval: duration("Between pings of a WEP.", "2s"),
    silence: duration("A WEP that says nothing for this long is disconnected and dialled again.", "6s"),
  },
  wep_tls: {
    ca_file: text(
      "Certificates of the authorities that WEPs at https:// addresses are verified against (PEM); relative to the configuration file. Made by `wcp tls init`.",
      "",
    ),
    cert_file: text("This node's certificate for WEPs (PEM).", ""),
    key_file: text("The key of that certificate (PEM).", ""),
    server_name: text(
      "Name that the WEPs' certificates must have; empty for the host name of each endpoint.",
      "",
    ),
    allow_plaintext: {
      doc: "Speaks http:// also with WEPs on other hosts: whoever is on the way can read and change the work.",
      format: Boolean,
      default: false,
    },
  },
  ethereum: {
    rpc_url: {
      doc: "JSON-RPC endpoint, or several: the node changes over when one fails, and sends transactions to all.",
      format: "http-urls",
      default: [],
    },
    ws_url: {
      doc: "Websocket endpoint, or several, for pushed heads; empty to poll.",
      format: "ws-urls",
      default: [],
    },
    chain_id: positive("The chain this wallet works on; an endpoint of another chain is refused.", 0),
    keystore_file: text(
      "The wallet's key as an encrypted JSON keystore (v3); relative to the configuration file. Made by `wcp keys new` or `wcp keys import`.",
      "",
    ),
    keystore_password_file: text(
      "File whose first line is the keystore's password; relative to the configuration file.",
      "",
    ),
    wallet_private_key: {
      doc: "The wallet's key, 64 hex digits, where there is no keystore. Set it in the environment, never in the file.",
      format: String,
      default: "",
      sensitive: true,
    },
    wallet_address: text("If set, the key must belong to this address.", ""),
    workflow_engine_address: address("WorkflowEngine contract."),
    task_queue_address: address("TaskQueue contract."),
    multicall3_address: {
      doc: "Multicall3 contract.",
      format: "address",
      default: "0xcA11bde05977b3631167028862bE2a173976CA11",
    },
    subnet_control_plane_address: address("SubnetControlPlane contract."),
    batch_executor_address: text(
      "BatchExecutor contract that tx_policy.batching delegates the wallet to.",
      "",
    ),
    rpc_timeout: duration("An RPC request without an answer for this long is tried again.", "10s"),
    head_poll_interval: duration("Between polls for a new block, when none is pushed.", "1s"),
    log_range_blocks: positive("Blocks per eth_getLogs.", 1_000),
    lookback_blocks: count("How many blocks back the very first start looks for activities.", 5_000),
  },
  subnet_api: STORAGE_SCHEMA.subnet_api,
  scheduler: {
    poll_interval: duration("Between calls of pollActivity, the fallback for events.", "1s"),
    max_inflight: positive("Most activities claimed and not yet settled.", 16),
    queue_name: list("Queues to work for, as <workflow>/<version>/<worker class>.", []),
    heartbeat_interval: duration("New progress is reported on chain at most this often.", "30s"),
    max_attempts: positive("Runs of one activity that fails with a retryable error.", 3),
    retry_initial: duration("Before the second run; doubles with each further one.", "1s"),
    retry_max: duration("Longest wait between runs.", "1m"),
    lost_cooldown: duration("An activity lost to another worker is not tried again before this.", "30s"),
    reconcile_interval: duration("Between comparisons of what the database and the chain say is ours.", "1m"),
    queues: {
      doc: "Queues that differ from the others: a list of tables with `name` and any of `weight` (1), `priority` (0), `max_inflight`, `rate_per_s`, `burst` and `paused`; in the environment as JSON.",
      format: "tables",
      default: [],
    },
    tenant_max_inflight: count("Most activities of one requester at once; 0 for no limit.", 0),
  },
  tx_policy: {
    gas_bump_percent: positive("Raise of both fees per replacement; at least 10.", 15),
    gas_margin_percent: count("Added to every gas estimate.", 30),
    max_pending: positive("Most transactions in flight at once.", 64),
    resend_after: duration("A transaction not mined for this long is sent again.", "12s"),
    bump_after: duration("A transaction not mined for this long is replaced with higher fees.", "48s"),
    max_fee_gwei: count("No transaction pays more per gas than this; 0 for no limit.", 0),
    confirmations: count(
      "Blocks on top of a transaction's own before its effect counts as final; 0 where the chain has instant finality.",
      2,
    ),
    repair_after: duration(
      "A nonce that the chain waits for and that nothing of ours is under way for is filled after this.",
      "30s",
    ),
    batching: {
      doc: "Puts many claims, heartbeats and completions into one transaction, through an EIP-7702 delegation of the wallet to ethereum.batch_executor_address.",
      format: Boolean,
      default: false,
    },
    batch_gas_percent: positive("Most gas of one batch, in percent of the block gas limit.", 95),
    low_balance_gwei: count(
      "Below this balance the node warns; 0 to warn only when the next transaction cannot be paid.",
      0,
    ),
  },
  protocol: {
    contract_min: {
      doc: "Lowest contract version this node works with.",
      format: "semver",
      default: "0.2.0",
    },
    contract_max: {
      doc: "Highest contract version this node works with.",
      format: "semver",
      default: "0.2.0",
    },
  },
  storage: STORAGE_SCHEMA.storage,
  specs: { files: list("Workflow files; relative to the configuration file.", []) },
  db: {
    path: text("SQLite file; relative to the configuration file.", "wcp.db"),
    retention: duration("Activities and transactions that ended longer ago than this are forgotten.", "7d"),
  },
  admin: {
    host: text("Where health and metrics are served.", "127.0.0.1"),
    port: { doc: "0 picks a free one.", format: "port", default: 7080 },
  },
  control: {
    socket: text(
      "Unix socket that `wcp wep` and `wcp queue` speak through; relative to the configuration file. Empty: beside the database, with its name: wcp.sock for wcp.db.",
      "",
    ),
  },
  tracing: {
    enabled: { doc: "Sends OpenTelemetry spans of every task.", format: Boolean, default: false },
    endpoint: text("OTLP/HTTP endpoint for spans.", "http://127.0.0.1:4318/v1/traces"),
    ratio: { doc: "Share of tasks that are traced, 0 to 1.", format: "ratio", default: 1 },
  },
  log: { level: { doc: "Log level.", format: [...LOG_LEVELS], default: "info" } },
  shutdown: {
    deadline: duration("After the first signal: how long activities under way may take to settle.", "30s"),
  },
};

export interface ConfigLocation {
  /** The file; `undefined` for `configs/{ENVIRONMENT}.toml`, where ENVIRONMENT defaults to `local`. */
  readonly file: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

/** A configuration before it is checked. */
export interface ConfigInput extends ConfigSource {
  /** Whether there is a file at all. */
  readonly exists: boolean;
}

/**
 * Finds and parses `configs/{ENVIRONMENT}.toml`, or the file given.
 *
 * @throws {ConfigError} when a file that was asked for is not there, or is not TOML
 */
export function locateConfig({ file, env, cwd }: ConfigLocation): ConfigInput {
  const path = resolve(cwd, file ?? `configs/${env["ENVIRONMENT"] ?? "local"}.toml`);
  const isRequired = file !== undefined || env["ENVIRONMENT"] !== undefined;
  if (!existsSync(path) && isRequired) {
    throw new ConfigError([
      `${path} does not exist; give another file with --config, or set ENVIRONMENT to the name of a file in configs/`,
    ]);
  }
  const exists = existsSync(path);
  return { file: exists ? parseToml(path) : undefined, fileName: path, env, envPrefix: "WCP", exists };
}

/**
 * Reads `configs/{ENVIRONMENT}.toml`, or the file given, and `WCP__SECTION__KEY`
 * from the environment, which wins. Relative paths in it become absolute.
 *
 * @throws {ConfigError} with everything that is wrong
 */
export function readConfig(location: ConfigLocation): Config {
  const input = locateConfig(location);
  const config = loadConfig(CONFIG_SCHEMA, input);
  const problems = crossCheck(config);
  if (problems.length > 0) throw new ConfigError(problems);
  const base = dirname(input.fileName);
  const db = { ...config.db, path: resolve(base, config.db.path) };
  const { wep_pool: pool, wep_tls: tls } = config;
  return {
    ...config,
    ...resolveStoragePaths(base, config),
    wep_pool: { ...pool, endpoints_file: resolveIfSet(base, pool.endpoints_file) },
    wep_tls: {
      ...tls,
      ca_file: resolveIfSet(base, tls.ca_file),
      cert_file: resolveIfSet(base, tls.cert_file),
      key_file: resolveIfSet(base, tls.key_file),
    },
    specs: { files: config.specs.files.map((name) => resolve(base, name)) },
    db,
    control: {
      socket:
        resolveIfSet(base, config.control.socket) ||
        join(dirname(db.path), `${parsePath(db.path).name}.sock`),
    },
    ethereum: {
      ...config.ethereum,
      keystore_file: resolveIfSet(base, config.ethereum.keystore_file),
      keystore_password_file: resolveIfSet(base, config.ethereum.keystore_password_file),
    },
  };
}

function resolveIfSet(base: string, name: string): string {
  return name === "" ? "" : resolve(base, name);
}

function parseToml(path: string): unknown {
  try {
    const values = parse(readFileSync(path, "utf8")) as Record<string, unknown>;
    // Lists that hold one thing are often written as that thing.
    return asLists(values);
  } catch (error) {
    throw new ConfigError([`${path} is not valid TOML${placeIn(error)}`]);
  }
}

/** Where and what, without the lines around it that the parser quotes: they may hold a key. */
function placeIn(error: unknown): string {
  if (!(error instanceof Error)) return `: ${String(error)}`;
  const what = error.message.split("\n", 1)[0] ?? "";
  return error instanceof TomlError ? `, at ${error.line}:${error.column}: ${what}` : `: ${what}`;
}

function asLists(values: Record<string, unknown>): Record<string, unknown> {
  const wrap = (value: unknown) =>
    typeof value === "string" ? [value].filter((item) => item !== "") : value;
  const within = (section: string, key: string) => {
    const table = values[section];
    return isTable(table) && key in table ? { [key]: wrap(table[key]) } : {};
  };
  const { wep_grpc_endpoint: endpoint, ethereum, scheduler } = values;
  return {
    ...values,
    ...(endpoint === undefined ? {} : { wep_grpc_endpoint: wrap(endpoint) }),
    ...(isTable(ethereum)
      ? { ethereum: { ...ethereum, ...within("ethereum", "rpc_url"), ...within("ethereum", "ws_url") } }
      : {}),
    ...(isTable(scheduler) ? { scheduler: { ...scheduler, ...within("scheduler", "queue_name") } } : {}),
  };
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function negotiable(min: string, max: string): boolean {
  return isVersionInRange(min, { min: "0.0.0", max });
}

/** What no single setting shows. */
function crossCheck(config: Config): string[] {
  const problems: string[] = [];
  const { ethereum, scheduler, tx_policy: policy } = config;
  const require = (holds: boolean, problem: string) => {
    if (!holds) problems.push(problem);
  };
  const { contract_min: min, contract_max: max } = config.protocol;
  require(negotiable(
    min,
    max,
  ), `protocol.contract_min (${min}) is above protocol.contract_max (${max}); exchange them`);
  require(scheduler.queue_name.length >
    0, "scheduler.queue_name: name at least one queue, like audio/1.0.0/processing");
  require(config.specs.files.length >
    0, "specs.files: name at least one workflow file; without it no activity can be understood");
  require(config.wep_grpc_endpoint.length >
    0, "wep_grpc_endpoint: name at least one WEP, like http://127.0.0.1:7070");
  for (const url of config.wep_grpc_endpoint) {
    require(URL.canParse(url) &&
      /^https?:$/.test(
        new URL(url).protocol,
      ), `wep_grpc_endpoint: "${url}" is not a URL; write it like http://127.0.0.1:7070`);
  }
  require(!policy.batching ||
    /^0x[0-9a-fA-F]{40}$/.test(
      ethereum.batch_executor_address,
    ), "tx_policy.batching: needs ethereum.batch_executor_address, the contract that the wallet is to delegate to");
  require(policy.gas_bump_percent >=
    10, "tx_policy.gas_bump_percent: must be at least 10; nodes refuse a smaller replacement");
  require(ethereum.wallet_address === "" ||
    /^0x[0-9a-fA-F]{40}$/.test(
      ethereum.wallet_address,
    ), "ethereum.wallet_address: must be an address, 0x and 40 hex digits, or empty");
  problems.push(
    ...queueProblems(scheduler.queues, scheduler.queue_name),
    ...wepProblems(config),
    ...storageProblems(config),
  );
  return problems;
}
