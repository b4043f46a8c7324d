import type { DevnetState } from "../state-file.ts";

type Scalar = string | number | boolean | readonly string[];
type Section = Readonly<Record<string, Scalar>>;

/** The WCP's configuration for a devnet. Keys and credentials come by environment instead. */
export function wcpConfigToml(
  state: DevnetState,
  extra: { readonly queues: readonly string[]; readonly dbPath: string; readonly batching: boolean },
): string {
  const { chain } = state;
  const sections: Readonly<Record<string, Section>> = {
    ethereum: {
      rpc_url: chain.rpcUrl,
      ws_url: chain.wsUrl,
      chain_id: chain.chainId,
      wallet_address: chain.worker,
      task_queue_address: chain.taskQueue,
      workflow_engine_address: chain.workflowEngine,
      subnet_control_plane_address: chain.subnetControlPlane,
      multicall3_address: chain.multicall3,
      batch_executor_address: chain.batchExecutor,
    },
    scheduler: {
      queue_name: extra.queues,
      poll_interval: "1s",
      max_inflight: MAX_INFLIGHT,
      // Often, so that a person sees progress on chain; gas costs nothing here.
      heartbeat_interval: "500ms",
    },
    // Nothing that anvil mined is taken back.
    tx_policy: { gas_bump_percent: 15, confirmations: 0, batching: extra.batching },
    protocol: { contract_min: "0.2.0", contract_max: "0.2.0" },
    ...storageSections(state),
    specs: { files: state.workflows.map(({ specPath }) => specPath) },
    db: { path: extra.dbPath },
    admin: { host: "127.0.0.1", port: state.ports.wcpAdmin },
    log: { level: "info" },
  };
  return [
    `wep_grpc_endpoint = ${JSON.stringify(state.wep.endpoint)}`,
    ...Object.entries(sections).flatMap(([name, section]) => ["", `[${name}]`, ...linesOf(section, " = ")]),
    "",
  ].join("\n");
}

function storageSections({ storage, store }: DevnetState): Readonly<Record<string, Section>> {
  if (storage.kind === "subnet-api") return { subnet_api: { grpc_endpoint: storage.endpoint } };
  if (storage.kind === "folder") return { storage: { folder: storage.directory } };
  const { endpoint, region, bucket } = store;
  return { storage: { endpoint, region, bucket, force_path_style: true } };
}

/** How many activities the devnet's worker may hold at once. */
export const MAX_INFLIGHT = 64;

/** The WEP's configuration for a devnet. */
export function wepConfigYaml(
  ports: DevnetState["ports"],
  options: {
    readonly handlers: readonly string[];
    readonly slots: number | undefined;
    readonly wasm: boolean;
  },
): string {
  const sections: Readonly<Record<string, Section>> = {
    server: { host: "127.0.0.1", port: ports.wep },
    health: { port: ports.wepHealth },
    runtime: { max_concurrency: options.slots ?? "auto" },
    handlers: { modules: options.handlers },
    wasm: { enabled: options.wasm },
  };
  return Object.entries(sections)
    .flatMap(([name, section]) => [`${name}:`, ...linesOf(section, ": ").map((line) => `  ${line}`)])
    .concat("")
    .join("\n");
}

// Strings, numbers, booleans and lists of strings are written alike in JSON, TOML and YAML.
function linesOf(section: Section, separator: string): string[] {
  return Object.entries(section).map(([key, value]) => `${key}${separator}${JSON.stringify(value)}`);
}
