import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DevnetState } from "@subnet-worker/devnet";
import { subnetControlPlaneInterface } from "@subnet-worker/contracts";
import { Wallet } from "ethers";
import { AnvilRemote } from "./_anvil.ts";
import { programArgs, startProcess, type TestProcess } from "./_process.ts";
import { until } from "./_until.ts";

type Scalar = string | number | boolean | readonly string[];

/** A configuration as its file has it. */
export interface WcpConfig {
  readonly [section: string]: Scalar | Readonly<Record<string, Scalar>>;
}

export interface TestWallet {
  readonly address: string;
  readonly privateKey: string;
}

/** What a chain must be known by to configure a WCP for it. */
export type ChainFacts = Omit<DevnetState["chain"], "requester" | "worker" | "wsUrl"> & {
  readonly wsUrl?: string;
};

/** A wallet with funds, registered as a worker unless told otherwise. */
export async function fundedWallet(
  chain: ChainFacts,
  options: { readonly registered?: boolean } = {},
): Promise<TestWallet> {
  const { address, privateKey } = Wallet.createRandom();
  const wallet = { address, privateKey };
  await new AnvilRemote(chain.rpcUrl).rpc("anvil_setBalance", [address, "0x3635c9adc5dea00000"]);
  if (options.registered !== false) await registerWorker(chain, wallet);
  return wallet;
}

export async function registerWorker(chain: ChainFacts, { address }: TestWallet): Promise<void> {
  const anvil = new AnvilRemote(chain.rpcUrl);
  const data = subnetControlPlaneInterface.encodeFunctionData("registerWorker", [16]);
  await anvil.rpc("anvil_impersonateAccount", [address]);
  await anvil.send({ from: address, to: chain.subnetControlPlane, data });
  await anvil.rpc("anvil_stopImpersonatingAccount", [address]);
}

/** A configuration that works, for a test to spoil. The key is not in it. */
export function wcpConfig(chain: ChainFacts, wepEndpoint: string, specPath: string): WcpConfig {
  return {
    wep_grpc_endpoint: wepEndpoint,
    ethereum: {
      rpc_url: chain.rpcUrl,
      ws_url: chain.wsUrl ?? "",
      chain_id: chain.chainId,
      task_queue_address: chain.taskQueue,
      workflow_engine_address: chain.workflowEngine,
      subnet_control_plane_address: chain.subnetControlPlane,
      multicall3_address: chain.multicall3,
      head_poll_interval: "100ms",
    },
    scheduler: { queue_name: ["audio/1.0.0/processing", "audio/1.0.0/validation"], poll_interval: "200ms" },
    // Blocks come with transactions only: nothing would ever be one deep.
    tx_policy: { confirmations: 0 },
    specs: { files: [specPath] },
    db: { path: "wcp.sqlite" },
    admin: { port: 0 },
  };
}

/** `changes` laid over `config`, section by section; a value of `undefined` takes a setting away. */
export function configWith(
  config: WcpConfig,
  changes: Readonly<Record<string, Scalar | Readonly<Record<string, Scalar | undefined>>>>,
): WcpConfig {
  const merged: Record<string, WcpConfig[string]> = { ...config };
  for (const [name, change] of Object.entries(changes)) {
    const before = merged[name];
    merged[name] = isSection(change) ? without({ ...(isSection(before) ? before : {}), ...change }) : change;
  }
  return merged;
}

function without(section: Readonly<Record<string, Scalar | undefined>>): Record<string, Scalar> {
  const kept = Object.entries(section).filter((entry): entry is [string, Scalar] => entry[1] !== undefined);
  return Object.fromEntries(kept);
}

function isSection<T>(
  value: Scalar | Readonly<Record<string, T>> | undefined,
): value is Readonly<Record<string, T>> {
  return typeof value === "object" && !Array.isArray(value);
}

/** Strings, numbers, booleans and lists of strings are written alike in JSON and TOML. */
function toToml(config: WcpConfig): string {
  const line = ([key, value]: readonly [string, unknown]) => `${key} = ${JSON.stringify(value)}`;
  const entries = Object.entries(config);
  const top = entries.filter(([, value]) => !isSection(value)).map(line);
  const sections = entries.flatMap(([name, value]) =>
    isSection(value) ? ["", `[${name}]`, ...Object.entries(value).map(line)] : [],
  );
  return [...top, ...sections, ""].join("\n");
}

export interface WcpOptions {
  /** Under which a folder for this WCP is made. */
  readonly dir: string;
  readonly config: WcpConfig;
  readonly env: Readonly<Record<string, string>>;
}

/** A WCP's folder and how to run it, as often as wanted. */
export interface WcpHome {
  readonly dir: string;
  readonly configPath: string;
  start(env?: Readonly<Record<string, string>>): Promise<WcpProcess>;
}

export interface WcpProcess extends TestProcess {
  /** Waits until it says where. */
  adminUrl(): Promise<string>;
  /** What `/readyz` gives now: no reasons when it is ready. */
  reasons(): Promise<readonly string[]>;
  untilReady(): Promise<void>;
}

/** Test chains share an id, and some tests a wallet: each WCP has its own place for the lock on the key. */
function lockIn(dir: string): Readonly<Record<string, string>> {
  return { SUBNET_WORKER_LOCK_DIR: join(dir, "locks") };
}

/** Writes the configuration; starts nothing yet. */
export function makeWcp(options: WcpOptions): WcpHome {
  const dir = mkdtempSync(join(options.dir, "wcp-"));
  const configPath = join(dir, "wcp.toml");
  writeFileSync(configPath, toToml(options.config));
  return {
    dir,
    configPath,
    start: (env = {}) =>
      startWcp(["run", "--config", configPath], {
        cwd: dir,
        env: { ...lockIn(dir), ...options.env, ...env },
      }),
  };
}

/** Runs `wcp` with these arguments. */
export async function startWcp(
  args: readonly string[],
  options: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
): Promise<WcpProcess> {
  const wcp = await startProcess({
    command: process.execPath,
    args: [...programArgs("wcp"), ...args],
    ...options,
  });
  const adminUrl = async () => {
    const line = await wcp.find("the WCP to listen", ({ msg }) => msg === "wcp listening");
    return String(line["admin"]);
  };
  const reasons = async () => {
    const response = await fetch(`${await adminUrl()}/readyz`);
    const body = (await response.json()) as { readonly ready: boolean; readonly reasons: readonly string[] };
    if (body.ready !== response.ok || body.ready !== (body.reasons.length === 0)) {
      throw new Error(`/readyz contradicts itself: ${response.status} ${JSON.stringify(body)}`);
    }
    return body.reasons;
  };
  return {
    ...wcp,
    adminUrl,
    reasons,
    async untilReady() {
      await until("the WCP to be ready", async () => (await reasons()).length === 0, {
        instead: () => wcp.stdout().slice(-4_000),
      });
    },
  };
}
