import { createLogger, systemClock } from "@subnet-worker/kit";
import { openStore } from "./adapters/sqlite/store.ts";
import { WepPool } from "./adapters/wep/pool.ts";
import { keepHeapSmall } from "./heap-watch.ts";
import { Metrics } from "./metrics.ts";
import type { TaskSource } from "./ports.ts";
import { Dispatcher } from "./services/dispatcher.ts";
import { LeaseKeeper } from "./services/lease-keeper.ts";
import { Runner, RUNNER_DEFAULTS } from "./services/runner.ts";
import { TaskBook } from "./services/task-book.ts";

export type {
  ClaimOutcome,
  HeartbeatOutcome,
  Offer,
  OfferSink,
  RecoveredTask,
  RunResult,
  SettleOutcome,
  Standing,
  TaskInputs,
  TaskSource,
} from "./ports.ts";
export type { Task } from "./domain/task.ts";

export interface BenchNodeOptions {
  readonly wepUrls: readonly string[];
  /** SQLite file. */
  readonly dbPath: string;
  readonly source: TaskSource;
  /** Most tasks claimed and not settling. */
  readonly maxInflight: number;
}

const WALLET = "0x0000000000000000000000000000000000000001";

export interface BenchNode extends AsyncDisposable {
  /** Claims nothing of a queue that was seen before, or again. @throws Error when it was not */
  pause(queue: string, isPaused: boolean): Promise<void>;
}

/**
 * Everything of the node between a network and its WEPs, persistence included, on a network of the caller's:
 * for benchmarks, not published. Runs until it is disposed of, with the heap watched as in `wcp run`; what that
 * gives itself only as it begins (see small-heap.ts), the caller's process has or has not.
 */
export async function openBenchNode(options: BenchNodeOptions): Promise<BenchNode> {
  const { source, maxInflight } = options;
  await using stack = new AsyncDisposableStack();
  const clock = systemClock;
  stack.use(keepHeapSmall(clock));
  const logger = createLogger({ name: "bench", level: "warn" });
  const metrics = new Metrics();
  const store = stack.use(openStore({ path: options.dbPath, chainId: 1n, wallet: WALLET }, { clock }));
  const pool = new WepPool(
    {
      urls: options.wepUrls,
      instanceId: "bench",
      agent: "subnet-worker-bench/0",
      handshakeTimeoutMs: 10_000,
      pingIntervalMs: 2_000,
      silenceMs: 8_000,
    },
    { clock, logger },
  );
  const book = new TaskBook({ store, clock, logger, onState: (task) => metrics.onTaskState(task) });
  const runner = new Runner(RUNNER_DEFAULTS, { source, book, storage: undefined, clock, logger });
  const dispatcher = new Dispatcher(
    {
      identity: WALLET,
      maxInflight,
      maxOffers: 100_000,
      cooldownMs: 30_000,
      retry: { maxAttempts: 3, initialMs: 1_000, maxMs: 60_000 },
    },
    { source, executor: pool, runner, book, clock, logger, holdClaims: () => pool.notReady() },
  );
  const keeper = new LeaseKeeper(
    { heartbeatIntervalMs: 30_000, tickMs: 250 },
    { source, book, clock, logger, onLeaseLost: (id) => pool.cancel(id, "lease_lost") },
  );
  const stop = new AbortController();
  const services = [pool, dispatcher, keeper];
  const running = Promise.all([
    ...services.map((service) => service.run(stop.signal)),
    source.watch(dispatcher, stop.signal),
  ]);
  running.catch(() => undefined); // disposing rejects with it
  stack.defer(async () => {
    stop.abort();
    await running;
  });
  const owned = stack.move();
  return {
    async pause(queue, isPaused) {
      if (!(await dispatcher.pauseQueue(queue, isPaused))) throw new Error(`no queue ${queue} was seen yet`);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
