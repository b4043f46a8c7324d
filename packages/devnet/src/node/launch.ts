import { join } from "node:path";
import { anvilBinary } from "../processes/anvil-binary.ts";
import type { Environment } from "../processes/child-env.ts";
import { ownEntryPoint, packageEntryPoint } from "../processes/entry-point.ts";
import type { Child, ChildSpec, Supervisor } from "../processes/supervisor.ts";
import type { DevnetState } from "../state-file.ts";

const HOST = "127.0.0.1";

/** The chain: anvil, which mines every transaction at once. */
export function chainSpec(state: DevnetState): ChildSpec {
  const { chainId } = state.chain;
  return {
    name: "chain",
    command: anvilBinary(),
    args: [
      "--host",
      HOST,
      "--port",
      String(state.ports.chain),
      "--chain-id",
      String(chainId),
      "--color",
      "never",
      "--quiet",
    ],
    env: {},
    drainMs: 2_000,
  };
}

/** The object store. Its credentials come by environment, never as arguments, which everybody can list. */
export function storeSpec(state: DevnetState): ChildSpec {
  return {
    name: "store",
    command: process.execPath,
    args: ownEntryPoint("object-store"),
    env: {
      DEVNET_STORE_HOST: HOST,
      DEVNET_STORE_PORT: String(state.ports.store),
      DEVNET_STORE_DIRECTORY: join(state.dir, "objects"),
      DEVNET_STORE_BUCKET: state.store.bucket,
      DEVNET_STORE_ACCESS_KEY_ID: state.store.accessKeyId,
      DEVNET_STORE_SECRET_ACCESS_KEY: state.store.secretAccessKey,
    },
    drainMs: 2_000,
  };
}

/** The process that runs partner code: it gets no key and no credential, in whatever form. */
export function wepSpec(state: DevnetState): ChildSpec {
  return {
    name: "wep",
    command: process.execPath,
    args: [...packageEntryPoint("@subnet-worker/wep", "wep"), "run", "--config", state.wep.configPath],
    env: {},
    drainMs: 5_000,
  };
}

/** The process that holds the keys. */
export function wcpSpec(state: DevnetState, walletPrivateKey: string): ChildSpec {
  const env: Environment = {
    // Every devnet has the same chain id and wallet, and a chain of its own.
    SUBNET_WORKER_LOCK_DIR: join(state.dir, "locks"),
    WCP__ETHEREUM__WALLET_PRIVATE_KEY: walletPrivateKey,
    WCP__STORAGE__ACCESS_KEY_ID: state.store.accessKeyId,
    WCP__STORAGE__SECRET_ACCESS_KEY: state.store.secretAccessKey,
  };
  return {
    name: "wcp",
    command: process.execPath,
    args: [...packageEntryPoint("@subnet-worker/wcp", "wcp"), "run", "--config", state.wcp.configPath],
    env,
    drainMs: 8_000,
  };
}

/** A process of the node that can be killed and started again. */
export interface NodeProcess extends AsyncDisposable {
  readonly current: Child;
  /** Kills it as a crash would. */
  kill(): Promise<void>;
  /** Starts it again, and waits until it is ready. */
  restart(): Promise<void>;
  /** Resolves when it is ready. */
  ready(): Promise<void>;
}

/** Starts a process of the node. It may not be ready yet. */
export async function startNodeProcess(
  spec: ChildSpec,
  deps: { readonly supervisor: Supervisor; readonly ready: () => Promise<void> },
): Promise<NodeProcess> {
  let current = await deps.supervisor.start(spec);
  return {
    get current() {
      return current;
    },
    kill: () => current.kill(),
    async restart() {
      current = await deps.supervisor.start(spec);
      await deps.ready();
    },
    ready: deps.ready,
    [Symbol.asyncDispose]: () => current[Symbol.asyncDispose](),
  };
}
