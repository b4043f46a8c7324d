import { randomBytes, randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, systemClock } from "@subnet-worker/kit";
import { abortable } from "./abortable.ts";
import { setUpChain } from "./chain/setup.ts";
import { wcpConfigToml, wepConfigYaml } from "./node/config-files.ts";
import {
  chainSpec,
  type NodeProcess,
  startNodeProcess,
  storageSpec,
  wcpSpec,
  wepSpec,
} from "./node/launch.ts";
import { DEFAULT_PORTS, type PortReservation, type Ports, reservePorts } from "./ports.ts";
import { acceptReadyz, untilReady } from "./processes/readiness.ts";
import { startReaper } from "./processes/reaper-client.ts";
import { type Child, Supervisor } from "./processes/supervisor.ts";
import { createRunDir, type DevnetState, type DevnetStorage, writeState } from "./state-file.ts";
import { checkHandlers, copySpecs, readWorkflows, type WorkflowFile } from "./workflows.ts";

const HOST = "127.0.0.1";
const CHAIN_ID = 31_337;
const READY_WITHIN_MS = 30_000;

/** What a network is made of. */
export interface DevnetOptions {
  /** Absolute path of the run's directory; made if missing. */
  readonly dir: string;
  /** Where `.devnet/latest` will point to this run. */
  readonly cwd: string;
  /** Absolute paths of modules with handlers, for the WEP. */
  readonly handlers: readonly string[];
  /** A WEP that runs already: none is started. Default: one is, with the handlers. */
  readonly wepUrl?: string;
  /** Absolute paths of activity specs, registered as workflows. */
  readonly specs: readonly string[];
  /** Whether the WEP runs WebAssembly: serves `wasm.execute`. Default false. */
  readonly wasm?: boolean;
  /** How many runs the WEP takes on at once. Default: one per core. */
  readonly slots?: number;
  /**
   * Whether the WCP puts many calls into one transaction, for which it delegates its wallet to the batch
   * executor. Default false.
   */
  readonly batching?: boolean;
  /** Where the WCP keeps objects. Default `s3`. */
  readonly storage?: DevnetStorage["kind"];
  /** Default {@link DEFAULT_PORTS}; one that is taken is replaced by the next free one. */
  readonly ports?: Ports;
}

/** A part of the network that is up. */
export interface DevnetPart {
  readonly name: "chain" | "store" | "wep" | "wcp";
  readonly url: string;
  /** For people. */
  readonly about: string;
  /** Since the start of the network. */
  readonly afterMs: number;
}

/** What {@link startDevnet} needs, and whom it tells. */
export interface DevnetDeps {
  /** Ends the start; afterwards, dispose of the network instead. */
  readonly signal: AbortSignal;
  readonly clock?: Clock;
  /** Told of ports that were taken and were replaced. */
  readonly onPorts?: (replaced: PortReservation["replaced"]) => void;
  /** Told of each part that is up. */
  readonly onPart?: (part: DevnetPart) => void;
}

/** A local network that is up. Disposal ends it: WCP, WEP, object store, chain, in this order. */
export interface Devnet extends AsyncDisposable {
  readonly state: DevnetState;
  /** Aborts when one of its processes has ended by itself, with an error that says which. */
  readonly signal: AbortSignal;
  /** Kills one of the node's processes with SIGKILL, as a crash would. Not one that ran already. */
  kill(name: "wep" | "wcp"): Promise<void>;
  /** Starts it again after {@link kill}, with the same configuration, and waits until it is ready. */
  restart(name: "wep" | "wcp"): Promise<void>;
}

/**
 * Starts a chain with the contracts, an object store, a WEP with handlers and a
 * WCP, each its own process, and registers a workflow for each spec. None of
 * them outlives this process, however it ends.
 *
 * @throws {DevnetError} for everything that its user can do something about
 *
 * @example
 * ```ts
 * import { startDevnet } from "@subnet-worker/devnet";
 *
 * await using devnet = await startDevnet(
 *   { dir: "/tmp/run", cwd: "/tmp", handlers: ["/tmp/handlers.ts"], specs: ["/tmp/spec.yaml"] },
 *   { signal: AbortSignal.timeout(60_000) },
 * );
 * console.log(devnet.state.chain.rpcUrl);
 * ```
 */
export async function startDevnet(options: DevnetOptions, deps: DevnetDeps): Promise<Devnet> {
  const files = await readWorkflows(options.specs);
  await checkHandlers(options.handlers);
  await createRunDir(options.dir);
  const workflows = await copySpecs(files, join(options.dir, "specs"));

  await using stack = new AsyncDisposableStack();
  await using reservation = await reservePorts(options.ports ?? DEFAULT_PORTS);
  const ofWep = options.wepUrl === undefined ? [] : ["wep", "wepHealth"];
  const ofStorage = STORAGE_PORTS.filter(([, kinds]) => !kinds.includes(options.storage ?? "s3"));
  const unused = [...ofWep, ...ofStorage.map(([name]) => name)];
  deps.onPorts?.(reservation.replaced.filter(({ name }) => !unused.includes(name)));
  const reaper = stack.use(await startReaper(randomUUID()));
  const supervisor = new Supervisor({ logDir: join(options.dir, "logs") }, { reaper, ...deps });
  const startup = openStartup(supervisor, deps);
  const draft = draftState(options, reservation.ports, workflows);

  // Started together, since none of them needs another to start; each is waited for where it is needed.
  const chain = stack.use(await supervisor.start(chainSpec(draft)));
  const storage = storageSpec(draft);
  const store = storage === undefined ? undefined : stack.use(await supervisor.start(storage));
  const wep = options.wepUrl === undefined ? stack.use(await startWep(startup, draft, options)) : undefined;

  const { state, walletPrivateKey } = await prepareChain(startup, draft, workflows);
  if (store !== undefined) {
    await startup.ready("store", state.store.endpoint, async () => true);
    startup.report({ name: "store", ...describeStore(state) });
  }
  await wep?.ready();
  const kinds = workflows.flatMap(({ spec }) => spec.activities.map(({ kind }) => kind));
  startup.report({ name: "wep", url: state.wep.endpoint, about: kinds.join(", ") });

  const wcp = stack.use(
    await startWcp(startup, { state, workflows, walletPrivateKey, batching: options.batching ?? false }),
  );
  await wcp.ready();
  startup.report({ name: "wcp", url: state.wcp.adminUrl, about: `worker ${state.chain.worker}` });

  const stateNow = () => withProcesses(state, [chain, store, wep?.current, wcp.current]);
  await writeState(stateNow(), options.cwd);
  const nodes = { wep, wcp };
  const owned = stack.move();
  return {
    get state() {
      return stateNow();
    },
    signal: supervisor.signal,
    kill: async (name) => nodes[name]?.kill(),
    restart: async (name) => {
      await nodes[name]?.restart();
      await writeState(stateNow(), options.cwd);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

interface Startup {
  readonly supervisor: Supervisor;
  readonly signal: AbortSignal;
  ready(name: string, url: string, accept?: (response: Response) => Promise<true | string>): Promise<void>;
  report(part: Omit<DevnetPart, "afterMs">): void;
}

function openStartup(supervisor: Supervisor, deps: DevnetDeps): Startup {
  const { clock = systemClock } = deps;
  const startedMs = clock.monotonicMs();
  const signal = AbortSignal.any([deps.signal, supervisor.signal]);
  return {
    supervisor,
    signal,
    ready: (name, url, accept = acceptReadyz) =>
      untilReady(
        { name, url, accept, withinMs: READY_WITHIN_MS, logPath: supervisor.logPath(name) },
        { signal, clock },
      ),
    report: (part) => deps.onPart?.({ ...part, afterMs: clock.monotonicMs() - startedMs }),
  };
}

/** All that can be said before anything runs; the chain's addresses are missing. */
function draftState(options: DevnetOptions, ports: Ports, workflows: readonly WorkflowFile[]): DevnetState {
  const { dir } = options;
  const at = (port: number) => `${HOST}:${port}`;
  return {
    pid: process.pid,
    startedAt: new Date().toISOString(),
    dir,
    ports,
    chain: {
      rpcUrl: `http://${at(ports.chain)}`,
      wsUrl: `ws://${at(ports.chain)}`,
      chainId: CHAIN_ID,
      taskQueue: "",
      workflowEngine: "",
      subnetControlPlane: "",
      multicall3: "",
      batchExecutor: "",
      requester: "",
      worker: "",
    },
    storage: draftStorage(options, `http://${at(ports.storageApi)}`),
    store: {
      endpoint: `http://${at(ports.store)}`,
      region: "us-east-1",
      bucket: "devnet",
      accessKeyId: randomBytes(10).toString("hex"),
      secretAccessKey: randomBytes(20).toString("hex"),
    },
    wep: {
      endpoint: options.wepUrl ?? `http://${at(ports.wep)}`,
      healthUrl: `http://${at(ports.wepHealth)}`,
      configPath: join(dir, "wep.yaml"),
    },
    wcp: { adminUrl: `http://${at(ports.wcpAdmin)}`, configPath: join(dir, "wcp.toml") },
    processes: [],
    workflows: workflows.map(({ spec, path }) => ({ workflow: spec.workflow, specPath: path })),
  };
}

/** Ports that only some kinds of storage listen on. */
const STORAGE_PORTS: readonly (readonly [keyof Ports, readonly DevnetStorage["kind"][]])[] = [
  ["store", ["s3", "subnet-api"]],
  ["storageApi", ["subnet-api"]],
];

function draftStorage({ dir, storage = "s3" }: DevnetOptions, apiUrl: string): DevnetStorage {
  const directory = join(dir, "objects");
  switch (storage) {
    case "s3":
      return { kind: storage };
    case "subnet-api":
      return { kind: storage, endpoint: apiUrl, token: randomBytes(20).toString("hex"), directory };
    case "folder":
      return { kind: storage, directory };
    default:
      throw storage satisfies never;
  }
}

/** For people. */
function describeStore({ storage, store }: DevnetState): Pick<DevnetPart, "url" | "about"> {
  return storage.kind === "subnet-api"
    ? { url: storage.endpoint, about: "storage broker over gRPC, before a folder" }
    : { url: store.endpoint, about: `S3, bucket ${store.bucket}` };
}

async function startWep(
  startup: Startup,
  state: DevnetState,
  { handlers, slots, wasm = false }: DevnetOptions,
): Promise<NodeProcess> {
  await writeFile(state.wep.configPath, wepConfigYaml(state.ports, { handlers, slots, wasm }));
  const ready = () => startup.ready("wep", `${state.wep.healthUrl}/readyz`);
  return startNodeProcess(wepSpec(state), { supervisor: startup.supervisor, ready });
}

interface PreparedChain {
  readonly state: DevnetState;
  readonly walletPrivateKey: string;
}

async function prepareChain(
  startup: Startup,
  draft: DevnetState,
  workflows: readonly WorkflowFile[],
): Promise<PreparedChain> {
  const { rpcUrl, chainId } = draft.chain;
  await startup.ready("chain", rpcUrl, async () => true);
  const { contracts, worker, requester } = await abortable(
    startup.signal,
    setUpChain({ rpcUrl, chainId, workflows: workflows.map(({ spec }) => spec) }),
  );
  startup.report({ name: "chain", url: rpcUrl, about: `anvil, chain ${chainId}, contracts deployed` });
  const { taskQueue, workflowEngine, subnetControlPlane, multicall3, batchExecutor } = contracts;
  const addresses = {
    taskQueue,
    workflowEngine,
    subnetControlPlane,
    multicall3,
    batchExecutor,
    requester,
    worker: worker.address,
  };
  return {
    state: { ...draft, chain: { ...draft.chain, ...addresses } },
    walletPrivateKey: worker.privateKey,
  };
}

async function startWcp(
  startup: Startup,
  options: PreparedChain & { readonly workflows: readonly WorkflowFile[]; readonly batching: boolean },
): Promise<NodeProcess> {
  const { state, workflows, walletPrivateKey, batching } = options;
  const queues = [...new Set(workflows.flatMap(({ spec }) => spec.activities.map(({ queue }) => queue)))];
  await writeFile(
    state.wcp.configPath,
    wcpConfigToml(state, { queues, dbPath: join(state.dir, "wcp.sqlite"), batching }),
  );
  const ready = () => startup.ready("wcp", `${state.wcp.adminUrl}/readyz`);
  return startNodeProcess(wcpSpec(state, walletPrivateKey), { supervisor: startup.supervisor, ready });
}

function withProcesses(state: DevnetState, children: readonly (Child | undefined)[]): DevnetState {
  const running = children.filter((child) => child !== undefined);
  return { ...state, processes: running.map(({ name, pid, logPath }) => ({ name, pid, log: logPath })) };
}
