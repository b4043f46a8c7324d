// The threads of a server. A thread is free for one run of class cpu or gpu, or for
// many of class io at the same time; when it is empty it is free for either again.
//
// 1. Only so many threads load the modules at the same time: more would make each later
//    than the cores can. A run beyond that waits for whichever thread is there first.
// 2. While a run waits, no thread is idle that it could have.
import { availableParallelism } from "node:os";
import type { Clock, Logger } from "@subnet-worker/kit";
import { TASK_ERROR } from "@subnet-worker/protocol";
import { type Execution, type Executor, broughtBy, type RunHost } from "../execution.ts";
import { defineHandler, type Handler } from "../handler.ts";
import { handlerName } from "../handler-registry.ts";
import { outcomeOfError } from "../results.ts";
import { RetryableError } from "../errors.ts";
import type { HandlerInfo } from "../server-options.ts";
import type { TransferSettings } from "../transfer-retry.ts";
import { crashOutcome, THREAD_LOSSES, type ThreadLoss } from "./crash.ts";
import { HandlerThread } from "./handler-thread.ts";
import { MemoryWatch, type ThreadMemory, threadMemory } from "./memory-watch.ts";
import { WaitingRun } from "./waiting-run.ts";

/** How handlers in threads are run. */
export interface ThreadOptions {
  /**
   * What one thread may take, in MiB: its heap, and heap and buffers together; a run that
   * needs more ends as crashed. What is garbage cannot be told from the rest at once, so
   * a thread may have somewhat more for a moment, and 64 MiB of buffers on top. What an
   * addon allocates does not count.
   * Default: Node's own limit for the heap, and 60 % of the memory of the machine or its
   * control group for both.
   */
  readonly memoryMb?: number;
  /** Threads kept for the next run; those that a whole minute does not need end, except one. Default: one per slot that is not of class io. */
  readonly maxIdle?: number;
  /** Runs of class io that share a thread. Default 64. */
  readonly ioRunsPerThread?: number;
}

export interface ThreadPoolOptions extends ThreadOptions {
  /** Absolute paths. */
  readonly modules: readonly string[];
  readonly transfer: TransferSettings;
  readonly progressIntervalMs: number;
  /** Threads that may load the modules at the same time. Default: one per core. */
  readonly maxStarting?: number;
}

export interface ThreadPoolDeps {
  readonly clock: Clock;
  readonly log: Logger;
}

const IDLE_MS = 60_000;

/** Loads modules into threads and runs their handlers there. Disposing it ends them all. */
export class ThreadPool implements Executor, AsyncDisposable {
  readonly #options: ThreadPoolOptions;
  readonly #deps: ThreadPoolDeps;
  readonly #threads = new Set<HandlerThread>();
  /** The one that was busy last is at the end, and taken first. */
  readonly #idle: HandlerThread[] = [];
  /** Threads with runs of class io and room for more. */
  readonly #shared = new Set<HandlerThread>();
  /** Threads that have not loaded the modules yet. */
  readonly #starting = new Set<HandlerThread>();
  readonly #maxStarting: number;
  readonly #perThread: ThreadMemory;
  readonly #memory: MemoryWatch;
  readonly #waitingAlone = new Set<WaitingRun>();
  readonly #waitingShared = new Set<WaitingRun>();
  readonly #losses = new Map<ThreadLoss, number>(THREAD_LOSSES.map((loss) => [loss, 0]));
  #handlers: readonly Handler[] = [];
  #trimming: Disposable | undefined;
  /** The fewest that were idle since threads were last trimmed: so many were not needed. */
  #fewestIdle = 0;
  #isClosed = false;

  private constructor(options: ThreadPoolOptions, deps: ThreadPoolDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#maxStarting = options.maxStarting ?? availableParallelism();
    this.#perThread = threadMemory(options.memoryMb);
    this.#memory = new MemoryWatch(
      { perThread: this.#perThread },
      { clock: deps.clock, threads: this.#threads },
    );
  }

  /** Starts the first thread. @throws {WepError} when a module cannot be loaded or has no handlers */
  static async open(options: ThreadPoolOptions, deps: ThreadPoolDeps): Promise<ThreadPool> {
    const pool = new ThreadPool(options, deps);
    try {
      const infos = await pool.#spawn().ready;
      pool.#handlers = infos.map((info) => broughtBy(pool, nameplateOf(info)));
      return pool;
    } catch (error) {
      await pool[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** One for each that the modules export; their code is in the threads alone. */
  get handlers(): readonly Handler[] {
    return this.#handlers;
  }

  /** Threads there are, and those of them that have nothing to do. */
  get counts(): { readonly all: number; readonly idle: number } {
    return { all: this.#threads.size, idle: this.#idle.length };
  }

  /** Threads that were ended by force or died, since the beginning. */
  get losses(): ReadonlyMap<ThreadLoss, number> {
    return this.#losses;
  }

  execute(handler: Handler, host: RunHost): Execution {
    return this.#begin(handler, host) ?? this.#wait(handler, host);
  }

  /** `undefined`: the run has to wait for a thread. */
  #begin(handler: Handler, host: RunHost): Execution | undefined {
    try {
      const thread = handler.class === "io" ? this.#takeShared() : this.#takeIdle(handlerName(handler));
      if (thread === undefined) return undefined;
      thread.lastHandler = handlerName(handler);
      const { memoryMb } = host.assignment;
      thread.ownBoundMb = handler.class !== "io" && memoryMb > 0 ? memoryMb : undefined;
      this.#memory.wake();
      return thread.execute(host);
    } catch (error) {
      host.log.error({ err: error }, "no thread could be started");
      const reason = `[RESOURCE_UNAVAILABLE] this worker could start no thread: ${String(error)}; run it elsewhere`;
      host.settle(outcomeOfError(new RetryableError(reason, { code: TASK_ERROR.RESOURCE_UNAVAILABLE })));
      return NEVER_STARTED;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#trimming?.[Symbol.dispose]();
    this.#memory[Symbol.dispose]();
    const why = "the worker is shutting down";
    const { memoryMb } = this.#options;
    for (const run of [...this.#waitingShared, ...this.#waitingAlone])
      run.host.settle(crashOutcome({ kind: "ended", why }, { isShared: false, memoryMb }));
    this.#waitingShared.clear();
    this.#waitingAlone.clear();
    await Promise.all([...this.#threads].map((thread) => thread.end(why)));
  }

  #wait(handler: Handler, host: RunHost): Execution {
    const queue = handler.class === "io" ? this.#waitingShared : this.#waitingAlone;
    const run = new WaitingRun(handler, { host, leave: () => void queue.delete(run) });
    queue.add(run);
    return run;
  }

  /** See 2. Those that share come first: one thread is enough for many of them. */
  #serveWaiting(): void {
    for (const queue of [this.#waitingShared, this.#waitingAlone]) {
      for (const run of queue) {
        const execution = this.#isClosed ? undefined : this.#begin(run.handler, run.host);
        if (execution === undefined) break;
        queue.delete(run);
        run.begin(execution);
      }
    }
  }

  #takeIdle(name: string): HandlerThread | undefined {
    const index = this.#idle.findLastIndex((thread) => thread.lastHandler === name);
    const warm = index === -1 ? this.#idle.pop() : this.#idle.splice(index, 1)[0];
    this.#fewestIdle = Math.min(this.#fewestIdle, this.#idle.length);
    if (warm !== undefined) return warm;
    if (this.#starting.size >= this.#maxStarting) return undefined;
    const thread = this.#spawn();
    this.#idle.splice(this.#idle.indexOf(thread), 1);
    return thread;
  }

  #takeShared(): HandlerThread | undefined {
    const [open] = this.#shared;
    const thread = open ?? this.#takeIdle("");
    if (thread === undefined) return undefined;
    const { ioRunsPerThread = 64 } = this.#options;
    if (thread.runCount + 1 >= ioRunsPerThread) this.#shared.delete(thread);
    else this.#shared.add(thread);
    return thread;
  }

  /** Starts a thread, idle at first. */
  #spawn(): HandlerThread {
    const { modules, memoryMb, transfer, progressIntervalMs } = this.#options;
    const thread = new HandlerThread(
      { modules, memoryMb, heapLimitMb: this.#perThread.heapLimitMb, transfer, progressIntervalMs },
      {
        ...this.#deps,
        onFree: (freed) => this.#freed(freed),
        onClosed: (closed) => this.#closed(closed),
        onLost: (loss) => void this.#losses.set(loss, (this.#losses.get(loss) ?? 0) + 1),
      },
    );
    this.#threads.add(thread);
    this.#idle.push(thread);
    this.#starting.add(thread);
    const started = () => {
      this.#starting.delete(thread);
      this.#serveWaiting();
    };
    void thread.ready.then(started, started);
    void thread.ended.then(() => this.#threads.delete(thread));
    return thread;
  }

  #freed(thread: HandlerThread): void {
    if (!this.#threads.has(thread) || thread.isClosed) return;
    if (thread.runCount > 0) {
      // Only runs of class io have company.
      this.#shared.add(thread);
      if (this.#waitingShared.size > 0) this.#serveWaiting();
      return;
    }
    this.#shared.delete(thread);
    this.#idle.push(thread);
    if (this.#waitingShared.size + this.#waitingAlone.size > 0) this.#serveWaiting();
    this.#trim(this.#options.maxIdle ?? 1);
    if (this.#idle.length > 1 && this.#trimming === undefined) this.#trimLater();
  }

  #closed(thread: HandlerThread): void {
    this.#shared.delete(thread);
    const index = this.#idle.indexOf(thread);
    if (index !== -1) this.#idle.splice(index, 1);
    // One stays warm, unless threads cannot even be started, or enough are on their way; see 1 and 2.
    const isRoom = this.#starting.size < this.#maxStarting;
    if (!this.#isClosed && this.#idle.length === 0 && isRoom && thread.wasReady) this.#spawn();
  }

  /** Ends those that have been idle longest. */
  #trim(keep: number): void {
    const excess = this.#idle.slice(0, Math.max(0, this.#idle.length - Math.max(1, keep)));
    for (const thread of excess) void thread.end("there is nothing to do");
  }

  #trimLater(): void {
    this.#fewestIdle = this.#idle.length;
    this.#trimming = this.#deps.clock.timer(IDLE_MS, () => {
      this.#trim(this.#idle.length - this.#fewestIdle);
      this.#trimming = undefined;
      if (this.#idle.length > 1) this.#trimLater();
    });
  }
}

const NEVER_STARTED: Execution = { canTerminate: false, stop: () => undefined, terminate: () => undefined };

/** What the process knows of a handler whose code is in threads: {@link ThreadPool.execute} has its runs. */
function nameplateOf({ kind, version, class: workClass }: HandlerInfo): Handler {
  return defineHandler<unknown, unknown>({
    kind,
    version,
    class: workClass,
    run: () => {
      throw new Error(`${kind} ${version} runs in a thread`);
    },
  });
}
