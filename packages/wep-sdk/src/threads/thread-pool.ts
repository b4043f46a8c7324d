// The threads of a server. A thread is free for one run of class cpu or gpu, or for
// many of class io at the same time; when it is empty it is free for either again.
import type { Clock, Logger } from "@subnet-worker/kit";
import { TASK_ERROR } from "@subnet-worker/protocol";
import { type Execution, type Executor, broughtBy, type RunHost } from "../execution.ts";
import { defineHandler, type Handler } from "../handler.ts";
import { handlerName } from "../handler-registry.ts";
import { outcomeOfError } from "../results.ts";
import { RetryableError } from "../errors.ts";
import type { HandlerInfo } from "../server-options.ts";
import type { TransferSettings } from "../transfer-retry.ts";
import { HandlerThread } from "./handler-thread.ts";

/** How handlers in threads are run. */
export interface ThreadOptions {
  /**
   * Heap of one thread in MiB; a run that needs more ends as crashed. Buffers do not
   * count, and an array that grows without end may still take the process with it
   * (nodejs/node#47224). Default: Node's own limit.
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
  #handlers: readonly Handler[] = [];
  #trimming: Disposable | undefined;
  /** The fewest that were idle since threads were last trimmed: so many were not needed. */
  #fewestIdle = 0;
  #isClosed = false;

  private constructor(options: ThreadPoolOptions, deps: ThreadPoolDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** Starts the first thread. @throws {WepError} when a module cannot be loaded or has no handlers */
  static async open(options: ThreadPoolOptions, deps: ThreadPoolDeps): Promise<ThreadPool> {
    const pool = new ThreadPool(options, deps);
    try {
      const infos = await pool.#spawn().ready;
      pool.#handlers = infos.map((info) => broughtBy(pool, stub(info)));
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

  execute(handler: Handler, host: RunHost): Execution {
    try {
      const thread = handler.class === "io" ? this.#takeShared() : this.#takeIdle(handlerName(handler));
      thread.lastHandler = handlerName(handler);
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
    await Promise.all([...this.#threads].map((thread) => thread.end("the worker is shutting down")));
  }

  #takeIdle(name: string): HandlerThread {
    const index = this.#idle.findLastIndex((thread) => thread.lastHandler === name);
    const warm = index === -1 ? this.#idle.pop() : this.#idle.splice(index, 1)[0];
    this.#fewestIdle = Math.min(this.#fewestIdle, this.#idle.length);
    if (warm !== undefined) return warm;
    const thread = this.#spawn();
    this.#idle.splice(this.#idle.indexOf(thread), 1);
    return thread;
  }

  #takeShared(): HandlerThread {
    const [open] = this.#shared;
    const thread = open ?? this.#takeIdle("");
    const { ioRunsPerThread = 64 } = this.#options;
    if (thread.runCount + 1 >= ioRunsPerThread) this.#shared.delete(thread);
    else this.#shared.add(thread);
    return thread;
  }

  /** Starts a thread, idle at first. */
  #spawn(): HandlerThread {
    const { modules, memoryMb, transfer, progressIntervalMs } = this.#options;
    const thread = new HandlerThread(
      { modules, memoryMb, transfer, progressIntervalMs },
      {
        ...this.#deps,
        onFree: (freed) => this.#freed(freed),
        onClosed: (closed) => this.#closed(closed),
      },
    );
    this.#threads.add(thread);
    this.#idle.push(thread);
    void thread.ended.then(() => this.#threads.delete(thread));
    return thread;
  }

  #freed(thread: HandlerThread): void {
    if (!this.#threads.has(thread) || thread.isClosed) return;
    if (thread.runCount > 0) {
      // Only runs of class io have company.
      this.#shared.add(thread);
      return;
    }
    this.#shared.delete(thread);
    this.#idle.push(thread);
    this.#trim(this.#options.maxIdle ?? 1);
    if (this.#idle.length > 1 && this.#trimming === undefined) this.#trimLater();
  }

  #closed(thread: HandlerThread): void {
    this.#shared.delete(thread);
    const index = this.#idle.indexOf(thread);
    if (index !== -1) this.#idle.splice(index, 1);
    // One stays warm, unless threads cannot even be started.
    if (!this.#isClosed && this.#idle.length === 0 && thread.wasReady) this.#spawn();
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

/** A handler in name: its runs never come here. */
function stub({ kind, version, class: workClass }: HandlerInfo): Handler {
  return defineHandler<unknown, unknown>({
    kind,
    version,
    class: workClass,
    run: () => {
      throw new Error(`${kind} ${version} runs in a thread`);
    },
  });
}
