import { randomUUID } from "node:crypto";
import { decodeContractError } from "@subnet-worker/contracts";
import { type Clock, createLogger, type Logger, type Service, systemClock } from "@subnet-worker/kit";
import { ContractCaller } from "./adapters/evm/contract-caller.ts";
import { createEvmGates } from "./adapters/evm/gates.ts";
import { OfferWatcher } from "./adapters/evm/offer-watcher.ts";
import { SpecIndex } from "./adapters/evm/spec-index.ts";
import { EvmTaskSource } from "./adapters/evm/task-source.ts";
import { RpcChain } from "./adapters/rpc/chain.ts";
import { HeadWatcher } from "./adapters/rpc/heads.ts";
import { JsonRpc } from "./adapters/rpc/json-rpc.ts";
import { createS3Storage } from "./adapters/s3/storage.ts";
import { WepPool } from "./adapters/wep/pool.ts";
import type { Config } from "./config.ts";
import type { Revert } from "./domain/intent.ts";
import { Metrics } from "./metrics.ts";
import { listenAdmin, openSigner, openWalletStore, readSpecs } from "./open.ts";
import type { Signer, Store } from "./ports.ts";
import { Dispatcher } from "./services/dispatcher.ts";
import { Gates } from "./services/gates.ts";
import { Lane } from "./services/lane.ts";
import { LeaseKeeper } from "./services/lease-keeper.ts";
import { Life } from "./services/life.ts";
import { Runner } from "./services/runner.ts";
import { TaskBook } from "./services/task-book.ts";

/** The composed process. */
export interface App extends AsyncDisposable {
  /** Health, readiness and metrics. */
  readonly adminUrl: string;
  /** Runs until `signal` aborts, then drains. @throws {StartupError} when it may not start */
  run(signal: AbortSignal): Promise<void>;
}

/** What a test may swap. */
export interface Overrides {
  readonly clock?: Clock;
  readonly logger?: Logger;
  readonly store?: Store;
  readonly signer?: Signer;
}

/** What nearly every part needs. */
interface Base {
  readonly config: Config;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly signer: Signer;
  readonly store: Store;
  /** Aborting it ends everything. */
  readonly stop: AbortController;
}

const AGENT = "subnet-worker-wcp/0.1.0";
const GWEI = 1_000_000_000n;

/**
 * Builds everything and opens the admin port. Nothing runs before {@link App.run}.
 *
 * @throws {StartupError} exit code 78 for what the operator must change, 75 for a port that is taken
 */
export async function compose(config: Config, overrides: Overrides = {}): Promise<App> {
  await using stack = new AsyncDisposableStack();
  const base = composeBase(config, overrides, stack);
  const { clock, logger, metrics, stop, store } = base;
  const evm = composeEvm(base);
  const pool = new WepPool(
    {
      urls: config.wep_grpc_endpoint,
      instanceId: randomUUID(),
      agent: AGENT,
      handshakeTimeoutMs: 10_000,
      pingIntervalMs: 5_000,
      silenceMs: 15_000,
    },
    { clock, logger },
  );
  const storage = composeStorage(base, stack);
  const book = new TaskBook({ store, clock, logger, onState: (task) => metrics.onTaskState(task) });
  const { source } = evm;
  const runner = new Runner({ source, book, storage, logger });
  const dispatcher = new Dispatcher(dispatcherOptions(config), {
    source,
    executor: pool,
    runner,
    book,
    clock,
    logger,
    holdClaims: () => evm.notReady().length > 0,
  });
  const keeper = new LeaseKeeper(
    { heartbeatIntervalMs: config.scheduler.heartbeat_interval, tickMs: 250 },
    { source, book, clock, logger, onLeaseLost: (id) => pool.cancel(id, "lease_lost") },
  );
  const intake: Service = { name: "intake", run: (signal) => source.watch(dispatcher, signal) };
  const services = [...evm.services, pool, dispatcher, keeper, intake];
  const life = new Life(
    { drainMs: config.shutdown.deadline },
    { gates: evm.gates, dispatcher, services, stop, clock, logger },
  );
  metrics.observe({
    inflight: () => dispatcher.inflight,
    lane: () => evm.lane.depth(),
    weps: () => pool.stats(),
  });
  const notReady = () => [
    ...evm.notReady(),
    ...pool.notReady(),
    ...(life.isStopping ? ["the process is stopping"] : []),
  ];
  const admin = stack.use(await listenAdmin(config, { notReady, metrics: metrics.registry }));
  greet(base, admin.url);
  const owned = stack.move(); // had anything above failed, all would be closed
  return {
    adminUrl: admin.url,
    run: (signal) => life.run(signal),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function composeBase(config: Config, overrides: Overrides, stack: AsyncDisposableStack): Base {
  const clock = overrides.clock ?? systemClock;
  const logger = overrides.logger ?? createLogger({ name: "wcp", level: config.log.level });
  const signer = overrides.signer ?? openSigner(config);
  const store = stack.use(overrides.store ?? openWalletStore(config, { wallet: signer.address, clock }));
  const stop = stack.adopt(new AbortController(), (controller) => controller.abort());
  return { config, clock, logger, metrics: new Metrics(), signer, store, stop };
}

function composeEvm(base: Base) {
  const { config, clock, logger, metrics, signer, store, stop } = base;
  const { ethereum, scheduler } = config;
  const rpc = new JsonRpc(
    { url: ethereum.rpc_url, timeoutMs: ethereum.rpc_timeout, batchSize: 100 },
    { clock, logger, signal: stop.signal, onCall: (method, outcome) => metrics.onRpcCall(method, outcome) },
  );
  const chain = new RpcChain({ rpc, decodeRevert });
  const heads = new HeadWatcher(
    { wsUrl: ethereum.ws_url, pollIntervalMs: ethereum.head_poll_interval, staleAfterMs: 15_000 },
    { rpc, clock, logger },
  );
  const onOutcome = (intent: Parameters<Metrics["onIntent"]>[0]) => metrics.onIntent(intent, clock.nowMs());
  const lane = new Lane(laneOptions(config), { chain, heads, signer, store, clock, logger, onOutcome });
  const specs = new SpecIndex(readSpecs(config));
  const taskQueue = ethereum.task_queue_address;
  const caller = new ContractCaller({ chain, wallet: signer.address, taskQueue });
  const watcher = new OfferWatcher(
    {
      source: "evm",
      taskQueue,
      queues: scheduler.queue_name,
      pollIntervalMs: scheduler.poll_interval,
      logRangeBlocks: ethereum.log_range_blocks,
      lookbackBlocks: ethereum.lookback_blocks,
    },
    { chain, heads, caller, specs, store, clock, logger },
  );
  const source = new EvmTaskSource(
    { name: "evm", wallet: signer.address, taskQueue, workflowEngine: ethereum.workflow_engine_address },
    { lane, heads, caller, watcher, specs, clock, logger },
  );
  const probe = async () => BigInt((await rpc.once("eth_chainId", [])) as string);
  const gates = new Gates(
    { retryMs: 1_000, recheckMs: 30_000 },
    { gates: createEvmGates(gateOptions(config, signer.address), { chain, probe }), clock, logger },
  );
  const services: readonly Service[] = [gates, heads, lane];
  const notReady = () => [
    ...gates.notReady(),
    ...(rpc.failure === undefined ? [] : [`the RPC endpoint does not answer: ${rpc.failure}`]),
    ...lane.notReady(),
  ];
  return { gates, lane, source, services, notReady };
}

function composeStorage({ config: { storage }, clock }: Base, stack: AsyncDisposableStack) {
  if (storage.bucket === "") return undefined;
  const options = {
    endpoint: storage.endpoint,
    region: storage.region,
    bucket: storage.bucket,
    accessKeyId: storage.access_key_id,
    secretAccessKey: storage.secret_access_key,
    forcePathStyle: storage.force_path_style,
    urlLifetimeMs: storage.url_lifetime,
  };
  return stack.use(createS3Storage(options, { clock }));
}

function greet({ config, logger, signer }: Base, admin: string): void {
  const { scheduler, ethereum } = config;
  logger.info(
    { admin, wallet: signer.address, chain_id: ethereum.chain_id, queues: scheduler.queue_name },
    "wcp listening",
  );
  if (config.subnet_api.grpc_endpoint !== "") {
    logger.warn(
      "subnet_api.grpc_endpoint is set, but this version brokers storage through [storage] only; it is not used",
    );
  }
}

function dispatcherOptions({ scheduler }: Config) {
  return {
    maxInflight: scheduler.max_inflight,
    maxOffers: 10_000,
    cooldownMs: scheduler.lost_cooldown,
    retry: {
      maxAttempts: scheduler.max_attempts,
      initialMs: scheduler.retry_initial,
      maxMs: scheduler.retry_max,
    },
  };
}

function laneOptions({ tx_policy: policy }: Config) {
  return {
    maxPending: policy.max_pending,
    gasBumpPercent: policy.gas_bump_percent,
    gasMarginPercent: policy.gas_margin_percent,
    resendAfterMs: policy.resend_after,
    bumpAfterMs: policy.bump_after,
    maxFeePerGasWei: BigInt(policy.max_fee_gwei) * GWEI,
  };
}

function gateOptions({ ethereum, protocol }: Config, wallet: string) {
  return {
    chainId: BigInt(ethereum.chain_id),
    wallet,
    contracts: {
      task_queue_address: ethereum.task_queue_address,
      workflow_engine_address: ethereum.workflow_engine_address,
      subnet_control_plane_address: ethereum.subnet_control_plane_address,
      multicall3_address: ethereum.multicall3_address,
    },
    subnetControlPlane: ethereum.subnet_control_plane_address,
    contractVersions: { min: protocol.contract_min, max: protocol.contract_max },
  };
}

function decodeRevert(data: string): Revert {
  const known = decodeContractError(data);
  if (known !== undefined) return { name: known.name, message: known.message };
  return {
    name: "",
    message:
      data === "0x"
        ? "the contract refused without a reason"
        : `the contract refused with ${data.slice(0, 74)}`,
  };
}
