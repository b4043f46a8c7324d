import { randomUUID } from "node:crypto";
import { type Clock, createLogger, type Logger, type Service, systemClock } from "@subnet-worker/kit";
import { createS3Storage } from "./adapters/s3/storage.ts";
import { WepPool } from "./adapters/wep/pool.ts";
import { type Base, composeEvm } from "./compose-evm.ts";
import type { Config } from "./config.ts";
import { Metrics } from "./metrics.ts";
import { listenAdmin, openWalletStore, readSpecs } from "./open.ts";
import type { Signer, Store } from "./ports.ts";
import { Dispatcher } from "./services/dispatcher.ts";
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
  const base = composeBase(config, parts, stack);
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
    balanceWei: () => evm.housekeeper.balanceWei,
    endpoints: () => evm.rpc.status(),
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

function composeBase(config: Config, parts: Parts, stack: AsyncDisposableStack): Base {
  const clock = parts.clock ?? systemClock;
  const logger = parts.logger ?? createLogger({ name: "wcp", level: config.log.level });
  const { signer } = parts;
  const store = stack.use(parts.store ?? openWalletStore(config, { wallet: signer.address, clock }));
  const stop = stack.adopt(new AbortController(), (controller) => controller.abort());
  return { config, clock, logger, metrics: new Metrics(), signer, store, stop };
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
