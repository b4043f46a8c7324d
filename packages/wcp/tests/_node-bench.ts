import { FakeClock } from "@subnet-worker/testkit";
import type { Task, TaskState } from "../src/domain/task.ts";
import type { Store } from "../src/ports.ts";
import type { StorageBroker } from "../src/storage-ports.ts";
import { Dispatcher, type DispatcherOptions } from "../src/services/dispatcher.ts";
import { LeaseKeeper } from "../src/services/lease-keeper.ts";
import { Reconciler, type Repair } from "../src/services/reconciler.ts";
import { Runner, RUNNER_DEFAULTS, type RunnerOptions } from "../src/services/runner.ts";
import { TaskBook } from "../src/services/task-book.ts";
import { anOffer, idOf } from "./_builders.ts";
import { FakeExecutor } from "./_fake-executor.ts";
import { FakeSource } from "./_fake-source.ts";
import { FakeStorage } from "./_fake-storage.ts";
import { captureLogs, type Logs } from "./_logs.ts";
import { MemoryDisk } from "./_memory-store.ts";
import { settle, until } from "./_until.ts";

export interface NodeParts {
  readonly disk: MemoryDisk;
  readonly clock: FakeClock;
  readonly executor: FakeExecutor;
  readonly source: FakeSource;
  /** Default a {@link FakeStorage}; `undefined` for a node that brokers none. */
  readonly storage: StorageBroker | undefined;
  readonly runner: Partial<RunnerOptions>;
}

/** Longer than what other tests let pass. */
export const RECONCILE_MS = 600_000;

export const DISPATCHER_OPTIONS: DispatcherOptions = {
  // Under this name the first eight tasks are claimed in the order of their numbers.
  identity: "worker-119414",
  maxInflight: 8,
  maxOffers: 100,
  cooldownMs: 30_000,
  retry: { maxAttempts: 3, initialMs: 1_000, maxMs: 60_000 },
};

/** The node without its adapters: everything between a network and a pool of executors. */
export class NodeBench implements AsyncDisposable {
  readonly disk: MemoryDisk;
  readonly clock: FakeClock;
  readonly executor: FakeExecutor;
  readonly source: FakeSource;
  readonly storage: FakeStorage;
  readonly runner: Runner;
  /** Why objects were refused, in order. */
  readonly refusals: string[] = [];
  /** What results came to that were held against storage, in order. */
  readonly verdicts: string[] = [];
  /** `input patience`: who waited for storage for as long as he may, in order. */
  readonly givenUp: string[] = [];
  readonly logs: Logs = captureLogs();
  readonly book: TaskBook;
  readonly dispatcher: Dispatcher;
  readonly keeper: LeaseKeeper;
  readonly reconciler: Reconciler;
  /** What the reconciler put right, in order. */
  readonly repairs: Repair[] = [];
  /** `1 claiming`: every state entered, in order. */
  readonly states: string[] = [];
  /** Why nothing may be claimed at present, besides what the source has to say. */
  heldBy: readonly string[] = [];
  readonly #stop = new AbortController();
  readonly #store: Store;
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: Partial<DispatcherOptions> = {}, parts: Partial<NodeParts> = {}) {
    this.disk = parts.disk ?? new MemoryDisk();
    this.clock = parts.clock ?? new FakeClock();
    this.executor = parts.executor ?? new FakeExecutor(4);
    this.source = parts.source ?? new FakeSource(this.clock);
    this.#store = this.disk.open();
    const { clock, source, executor } = this;
    const { logger } = this.logs;
    const onState = ({ id, state }: Task) =>
      void this.states.push(`${id.replace(/^0x0*/, "")} ${state.kind}`);
    this.book = new TaskBook({ store: this.#store, clock, logger, onState });
    const { book } = this;
    this.storage = new FakeStorage({ clock });
    const storage = "storage" in parts ? parts.storage : this.storage;
    this.runner = new Runner(
      { ...RUNNER_DEFAULTS, ...parts.runner },
      {
        source,
        book,
        storage,
        clock,
        logger,
        onRefusal: (reason) => void this.refusals.push(reason),
        onChecked: (verdict) => void this.verdicts.push(verdict),
        onGivenUp: (what, why) => void this.givenUp.push(`${what} ${why}`),
      },
    );
    const { runner } = this;
    this.dispatcher = new Dispatcher(
      { ...DISPATCHER_OPTIONS, ...options },
      {
        source,
        executor,
        runner,
        book,
        clock,
        logger,
        holdClaims: () => [...this.heldBy, ...source.notReady(), ...runner.notReady()],
        store: this.#store,
      },
    );
    this.reconciler = new Reconciler(
      { intervalMs: RECONCILE_MS, offersPerRound: 3 },
      {
        source,
        book,
        dispatcher: this.dispatcher,
        clock,
        logger,
        onLeaseLost: (id) => executor.cancel(id, "lease_lost"),
        onRepair: (repair) => void this.repairs.push(repair),
      },
    );
    this.keeper = new LeaseKeeper(
      { heartbeatIntervalMs: 10_000, tickMs: 250 },
      { source, book, clock, logger, onLeaseLost: (id) => executor.cancel(id, "lease_lost") },
    );
  }

  static async start(...args: ConstructorParameters<typeof NodeBench>): Promise<NodeBench> {
    const bench = new NodeBench(...args);
    bench.run();
    await settle();
    return bench;
  }

  run(): void {
    const { signal } = this.#stop;
    this.#running = Promise.all([
      this.dispatcher.run(signal),
      this.keeper.run(signal),
      this.reconciler.run(signal),
    ]);
    this.#running.catch(() => undefined); // `stop` rejects with it
  }

  /** Offers task `number`. */
  offer(number = 1): Promise<boolean> {
    return this.dispatcher.offer(anOffer({ id: idOf(number) }));
  }

  /** The stored state of task `number`. */
  stored(number = 1): TaskState | undefined {
    return this.#store.task(idOf(number))?.state;
  }

  /** Resolves once task `number` is stored in this state. */
  whenStored(kind: TaskState["kind"], number = 1): Promise<void> {
    return until(() => this.stored(number)?.kind === kind);
  }

  /** States that task `number` went through. */
  statesOf(number = 1): string[] {
    return this.states
      .filter((line) => line.startsWith(`${number} `))
      .map((line) => line.slice(`${number} `.length));
  }

  /** Lets time pass in steps, so that what waits for the disk in one is done before the next. */
  async pass(ms: number): Promise<void> {
    for (let passedMs = 0; passedMs < ms; passedMs += 250) {
      await this.clock.advance(250);
      await settle(4);
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    this.#store[Symbol.dispose]();
  }
}

/** A disk that holds a task in this state, as an earlier process left it. */
export async function diskWith(state: TaskState, overrides: Partial<Task> = {}): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  using store = disk.open();
  await store.saveTask({ ...anOffer(), round: 1, state, ...overrides }, "new");
  return disk;
}
