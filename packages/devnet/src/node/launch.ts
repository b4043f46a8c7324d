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

/** What keeps the objects, where that is a process of its own: in a folder that the WCP serves it is not. */
export function storageSpec(state: DevnetState): ChildSpec | undefined {
  const { storage } = state;
  switch (storage.kind) {
    case "s3":
      return storeSpec(state);
    case "subnet-api":
      return {
        name: "store",
        command: process.execPath,
        args: ownEntryPoint("storage-broker"),
        env: {
          DEVNET_BROKER_HOST: HOST,
          DEVNET_BROKER_STORE_PORT: String(state.ports.store),
          DEVNET_BROKER_API_PORT: String(state.ports.storageApi),
          DEVNET_BROKER_DIRECTORY: storage.directory,
          DEVNET_BROKER_TOKEN: storage.token,
        },
        drainMs: 2_000,
      };
    case "folder":
      return undefined;
    default:
      throw storage satisfies never;
  }
}

/** The object store. Its credentials come by environment, never as arguments, which everybody can list. */
function storeSpec(state: DevnetState): ChildSpec {
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
    ...storageCredentials(state),
  };
  return {
    name: "wcp",
    command: process.execPath,
    args: [...packageEntryPoint("@subnet-worker/wcp", "wcp"), "run", "--config", state.wcp.configPath],
    env,
    drainMs: 8_000,
  };
}

function storageCredentials({ storage, store }: DevnetState): Environment {
  if (storage.kind === "subnet-api") return { WCP__SUBNET_API__TOKEN: storage.token };
  if (storage.kind === "folder") return {};
  return {
    WCP__STORAGE__ACCESS_KEY_ID: store.accessKeyId,
    WCP__STORAGE__SECRET_ACCESS_KEY: store.secretAccessKey,
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
