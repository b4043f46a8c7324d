import { randomUUID } from "node:crypto";
import { type Clock, createLogger, type Logger, type Service, systemClock } from "@subnet-worker/kit";
import { WepPool } from "./adapters/wep/pool.ts";
import { type Base, composeEvm, type EvmParts } from "./compose-evm.ts";
import type { Config } from "./config.ts";
import { queuePolicies } from "./config-queues.ts";
import { listenControl } from "./control/control-server.ts";
import type { Task } from "./domain/task.ts";
import { Metrics } from "./metrics.ts";
import { listenAdmin, openWalletStore } from "./open.ts";
import { openStorage, storageKind } from "./open-storage.ts";
import { openTracing } from "./open-tracing.ts";
import { openWepTransport } from "./open-wep.ts";
import type { Signer } from "./chain-ports.ts";
import type { Store } from "./ports.ts";
import { Dispatcher } from "./services/dispatcher.ts";
import { LeaseKeeper } from "./services/lease-keeper.ts";
import { Life } from "./services/life.ts";
import { Reconciler } from "./services/reconciler.ts";
import { Runner, type RunnerDeps } from "./services/runner.ts";
import { TaskBook } from "./services/task-book.ts";
import { TaskTraces, withTraceIds } from "./services/task-traces.ts";
import { isRunWanted } from "./services/wanted-run.ts";

/** The composed process. */
export interface App extends AsyncDisposable {
  /** Health, readiness and metrics. */
  readonly adminUrl: string;
  /** Runs until `signal` aborts, then drains. @throws {StartupError} when it may not start */
  run(signal: AbortSignal): Promise<void>;
}

/** What is there before anything is composed, and what a test may swap. */
export interface Parts {
  /** Holds the wallet's key, which nothing else has any more. */
  readonly signer: Signer;
  readonly clock?: Clock;
  readonly logger?: Logger;
  readonly store?: Store;
}

const AGENT = "subnet-worker-wcp/0.1.0";

/**
 * Builds everything and opens the admin port. Nothing runs before {@link App.run}.
 *
 * @throws {StartupError} exit code 78 for what the operator must change, 75 for a port that is taken
 */
export async function compose(config: Config, parts: Parts): Promise<App> {
  await using stack = new AsyncDisposableStack();
  const base = await withTracing(composeBase(config, parts, stack), stack);
  const { clock, logger, metrics, stop } = base;
  const evm = composeEvm(base);
  const work = await composeWork(base, evm, stack);
  const { pool, dispatcher, reconciler } = work;
  const life = new Life(
    { drainMs: config.shutdown.deadline },
    {
      gates: evm.gates,
      dispatcher,
      reconciler,
      services: [...evm.services, ...work.services],
      stop,
      clock,
      logger,
    },
  );
  metrics.observe({
    inflight: () => dispatcher.inflight,
    lane: () => evm.lane.depth(),
    oldestTransactionMs: () => evm.lane.oldestMs(),
    balanceWei: () => evm.housekeeper.balanceWei,
    endpoints: () => evm.rpc.status(),
    weps: () => ({ ...pool.stats(), roundTripMs: pool.roundTripMs }),
    waitingForStorage: () => work.runner.waitingForStorage,
  });
  const notReady = () => [
    ...evm.notReady(),
    ...pool.notReady(),
    ...work.runner.notReady(),
    ...(life.isStopping ? ["the process is stopping"] : []),
  ];
  const admin = stack.use(await listenAdmin(config, { notReady, metrics: metrics.registry }));
  stack.use(await listenControl(config.control.socket, { weps: pool, queues: dispatcher }, { logger }));
  greet(base, admin.url);
  const owned = stack.move(); // had anything above failed, all would be closed
  return {
    adminUrl: admin.url,
    run: (signal) => life.run(signal),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** What takes tasks from offer to settlement, and the pool of WEPs that runs them. */
async function composeWork(base: Base, evm: EvmParts, stack: AsyncDisposableStack) {
  const { config, clock, logger, metrics, signer, store } = base;
  const { source } = evm;
  const transport = stack.use(openWepTransport(config, { clock, logger }));
  metrics.observeCertificate(transport);
  const book = new TaskBook({ store, clock, logger, onState: onStateOf(base) });
  const storage = await openStorage(config, { clock, logger, stack });
  const brokersStorage = storage !== undefined;
  const pool = new WepPool(
    { ...poolOptions(config, signer.address), brokersStorage },
    {
      clock,
      logger,
      connect: transport.connect,
      isWanted: (activityId, runId) => isRunWanted(book.stored(activityId), runId),
      onEvent: (event) => metrics.onWepEvent(event),
      onGrant: (event) => metrics.onGrant(event),
    },
  );
  const runner = composeRunner(base, { source, book, storage });
  const holdClaims = () => [...evm.notReady(), ...runner.notReady()];
  const dispatcher = new Dispatcher(
    { ...dispatcherOptions(config, signer.address), keepsRunIds: brokersStorage },
    { source, executor: pool, runner, book, clock, logger, holdClaims, store },
  );
  const onLeaseLost = (id: string) => pool.cancel(id, "lease_lost");
  const keeper = new LeaseKeeper(
    { heartbeatIntervalMs: config.scheduler.heartbeat_interval, tickMs: 250 },
    { source, book, clock, logger, onLeaseLost },
  );
  const reconciler = new Reconciler(
    { intervalMs: config.scheduler.reconcile_interval, offersPerRound: 200 },
    {
      source,
      book,
      dispatcher,
      clock,
      logger,
      onLeaseLost,
      onRepair: (repair) => metrics.onRepair(repair),
    },
  );
  const intake: Service = { name: "intake", run: (signal) => source.watch(dispatcher, signal) };
  return { pool, dispatcher, reconciler, runner, services: [pool, dispatcher, keeper, reconciler, intake] };
}

function composeRunner(
  { config, clock, logger, metrics, traces }: Base,
  parts: Pick<RunnerDeps, "source" | "book" | "storage">,
): Runner {
  return new Runner(
    {
      verify: config.storage.verify,
      inputPrefixes: config.storage.input_prefixes,
      inputPatienceMs: config.storage.input_patience,
      resultPatienceMs: config.storage.result_patience,
    },
    {
      ...parts,
      clock,
      logger,
      metadataOf: traces?.metadataOf,
      onRefusal: (reason) => metrics.onStorageRefusal(reason),
      onChecked: (verdict) => metrics.onResultChecked(verdict),
      onGivenUp: (what, why) => metrics.onStorageGivenUp(what, why),
    },
  );
}

function composeBase(config: Config, parts: Parts, stack: AsyncDisposableStack): Base {
  const clock = parts.clock ?? systemClock;
  const logger = parts.logger ?? createLogger({ name: "wcp", level: config.log.level });
  const { signer } = parts;
  const store = stack.use(parts.store ?? openWalletStore(config, { wallet: signer.address, clock }));
  const stop = stack.adopt(new AbortController(), (controller) => controller.abort());
  return { config, clock, logger, metrics: new Metrics(), signer, store, stop };
}

/** The same with spans, where they are wanted: nothing of tracing is there otherwise. */
async function withTracing(base: Base, stack: AsyncDisposableStack): Promise<Base> {
  const tracing = await openTracing(base.config, base);
  if (tracing === undefined) return base;
  const traces = new TaskTraces(stack.use(tracing));
  stack.use(traces); // ends its spans before the last are sent
  return { ...base, traces, logger: withTraceIds(base.logger, traces) };
}

function onStateOf({ metrics, traces }: Base): (task: Task) => void {
  if (traces === undefined) return (task) => metrics.onTaskState(task);
  return (task) => {
    metrics.onTaskState(task);
    traces.onState(task);
  };
}

function greet({ config, logger, signer }: Base, admin: string): void {
  const { scheduler, ethereum } = config;
  logger.info(
    {
      admin,
      control: config.control.socket,
      wallet: signer.address,
      chain_id: ethereum.chain_id,
      queues: scheduler.queue_name,
      storage: storageKind(config),
    },
    "wcp listening",
  );
}

function poolOptions({ wep_grpc_endpoint: urls, wep_pool: pool }: Config, identity: string) {
  return {
    urls,
    endpointsFile: pool.endpoints_file,
    dnsIntervalMs: pool.dns_interval,
    instanceId: randomUUID(),
    nodeId: identity,
    agent: AGENT,
    handshakeTimeoutMs: 10_000,
    pingIntervalMs: pool.ping_interval,
    silenceMs: pool.silence,
    lostGraceMs: pool.lost_grace,
  };
}

function dispatcherOptions({ scheduler }: Config, identity: string) {
  return {
    identity,
    maxInflight: scheduler.max_inflight,
    maxOffers: 10_000,
    cooldownMs: scheduler.lost_cooldown,
    queues: queuePolicies(scheduler.queues, scheduler.queue_name),
    tenantMaxInflight: scheduler.tenant_max_inflight,
    retry: {
      maxAttempts: scheduler.max_attempts,
      initialMs: scheduler.retry_initial,
      maxMs: scheduler.retry_max,
    },
  };
}
