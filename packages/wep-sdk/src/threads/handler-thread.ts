// One thread with the handlers of the modules, seen from the process.
//
// 1. A run is settled once: by its result, by the end of its thread, or by the run
//    itself, which then has it taken off the thread (forceOut).
// 2. What a thread had said when it ended is heard first.
// 3. A thread takes nothing new once a run was taken off it: the handler may still be
//    at work there. It ends when its other runs have, or at once when it is blocked.
import { randomUUID } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from "node:worker_threads";
import { type Clock, type Logger, relayLine } from "@subnet-worker/kit";
import { type CancelReason, WepError } from "../errors.ts";
import type { Execution, RunHost } from "../execution.ts";
import type { MetricPort } from "../handler-metrics.ts";
import { removeDir } from "../scratch-dir.ts";
import type { HandlerInfo } from "../server-options.ts";
import type { TransferSettings } from "../transfer-retry.ts";
import { returnedBefore } from "../transfers.ts";
import { Backlog } from "./backlog.ts";
import { crashOutcome, isOutOfMemory, lossOf, type ThreadEnd, type ThreadLoss } from "./crash.ts";
import { threadExecArgv } from "./exec-argv.ts";
import { type FromThread, portable, type ThreadData, type ToThread } from "./messages.ts";
import type { MemoryExcess, MemoryUse, WatchedThread } from "./memory-watch.ts";
import { packError } from "./port-error.ts";

export interface HandlerThreadOptions {
  /** Absolute paths. */
  readonly modules: readonly string[];
  /** What the thread was given, in MiB; `undefined`: nobody has said. */
  readonly memoryMb: number | undefined;
  /** V8's own limit of its heap. */
  readonly heapLimitMb: number;
  readonly transfer: TransferSettings;
  readonly progressIntervalMs: number;
}

export interface HandlerThreadDeps {
  readonly clock: Clock;
  readonly log: Logger;
  /** A run of this thread is over. */
  readonly onFree: (thread: HandlerThread) => void;
  /** The thread takes nothing new. Called once. */
  readonly onClosed: (thread: HandlerThread) => void;
  /** The thread ended by force, or by itself. Called at most once. */
  readonly onLost: (loss: ThreadLoss) => void;
}

const IS_SOURCE = import.meta.url.endsWith(".ts");
const MAIN = new URL(IS_SOURCE ? "./thread-main.ts" : "./thread-main.js", import.meta.url);

/** Timers that are still there when a thread has had nothing to do for so long were forgotten. */
const LEFTOVERS_MS = 15_000;
/** More than this many are too many to wait. */
const MOST_TIMERS_LEFT = 20;

/** A thread that does not answer for so long is blocked. */
const BLOCKED_MS = 1_000;

export class HandlerThread implements WatchedThread {
  /** The handlers it has, once it has loaded them. @throws {WepError} when it cannot */
  readonly ready: Promise<readonly HandlerInfo[]>;
  /** Resolves when the thread is no more. */
  readonly ended: Promise<void>;
  /** Name of the handler it ran last, which may have left something behind that it can use again. */
  lastHandler: string | undefined;
  /** What its run may take, in MiB, where it has the thread to itself and its activity says. */
  ownBoundMb: number | undefined;
  readonly #options: HandlerThreadOptions;
  readonly #deps: HandlerThreadDeps;
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #scratchPrefix = join(tmpdir(), `wep-run-${randomUUID()}-`);
  readonly #runs = new Map<number, RunHost>();
  readonly #ready = Promise.withResolvers<readonly HandlerInfo[]>();
  /** Runs whose scratch directories nobody else removes. */
  readonly #orphans: number[] = [];
  /** Where its handlers' measurements go. */
  #metrics: MetricPort | undefined;
  readonly #backlog = new Backlog();
  #lastRun = 0;
  #end: ThreadEnd | undefined;
  #isReady = false;
  #isClosed = false;
  #pingTimer: Disposable | undefined;
  #leftoverTimer: Disposable | undefined;

  constructor(options: HandlerThreadOptions, deps: HandlerThreadDeps) {
    this.#options = options;
    this.#deps = deps;
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#worker = new Worker(MAIN, {
      name: "wep handlers",
      workerData: this.#data(port2),
      transferList: [port2],
      execArgv: threadExecArgv(process.execArgv, { isSource: IS_SOURCE }),
      resourceLimits: { maxOldGenerationSizeMb: options.heapLimitMb },
    });
    this.ready = this.#ready.promise;
    // Whoever waits for it is told; a run that was given to the thread is, too.
    this.ready.catch(() => undefined);
    const ended = Promise.withResolvers<void>();
    this.ended = ended.promise;
    this.#port.on("message", (message: FromThread) => this.#take(message));
    this.#worker.once("error", (error) => (this.#end ??= { kind: "exception", error }));
    this.#worker.once("exit", (exitCode) => {
      this.#drain();
      this.#end ??= { kind: "exit", exitCode };
      void this.#bury(this.#end).then(ended.resolve);
    });
  }

  get runCount(): number {
    return this.#runs.size;
  }

  /** Whether it takes nothing new. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Whether it had loaded its modules. */
  get wasReady(): boolean {
    return this.#isReady;
  }

  execute(host: RunHost): Execution {
    const run = ++this.#lastRun;
    this.#leftoverTimer?.[Symbol.dispose]();
    this.#runs.set(run, host);
    const { assignment, transfer } = portable(host.assignment);
    const { endsAtMs } = host;
    this.#metrics = host.metrics;
    this.#port.postMessage({ kind: "run", run, assignment, endsAtMs } satisfies ToThread, transfer);
    return new ThreadExecution(this, run);
  }

  stop(run: number, reason: CancelReason): void {
    if (this.#runs.has(run)) this.#post({ kind: "stop", run, reason });
  }

  /** Takes a run off the thread, whatever its handler does; see 3. */
  forceOut(run: number): void {
    this.#drain();
    if (!this.#runs.delete(run)) return;
    this.#orphans.push(run);
    this.#close();
    if (this.#runs.size === 0) void this.end("a handler on it ignored its signal");
    else this.#endIfBlocked();
  }

  /** Ends the thread; runs it still has are told why. Resolves when it is no more. */
  async end(why: string): Promise<void> {
    this.#end ??= { kind: "ended", why };
    this.#close();
    await this.#worker.terminate();
    await this.ended;
  }

  async measureMemory(): Promise<MemoryUse | undefined> {
    try {
      // Answered by the thread's V8, also while a handler blocks it.
      const { used_heap_size: heapBytes, external_memory: externalBytes } =
        await this.#worker.getHeapStatistics();
      return { heapBytes, externalBytes };
    } catch (error) {
      if ((error as { code?: unknown }).code === "ERR_WORKER_NOT_RUNNING") return undefined;
      throw error;
    }
  }

  endForMemory(excess: MemoryExcess): void {
    this.#end ??= { kind: "memory", excess };
    this.#close();
    void this.#worker.terminate();
  }

  #data(port: MessagePort): ThreadData {
    const { modules, transfer, progressIntervalMs } = this.#options;
    const { log } = this.#deps;
    // The bindings that pino tells leave the process out.
    const fields = { pid: process.pid, ...log.bindings() };
    const scratchPrefix = this.#scratchPrefix;
    return {
      port,
      modules,
      transfer,
      progressIntervalMs,
      scratchPrefix,
      backlog: this.#backlog.shared,
      log: { level: log.level, fields },
    };
  }

  #take(message: FromThread): void {
    switch (message.kind) {
      case "settled":
        return this.#settled(message);
      case "progress":
        return this.#progress(message);
      case "ask":
        return void this.#ask(message);
      case "measured":
        return this.#measured(message);
      case "abandon":
        return this.#runs.get(message.run)?.abandonUpload(message.upload);
      case "log":
        this.#backlog.hear("log");
        return relayLine(this.#deps.log, message.line);
      case "pong":
        this.#pingTimer?.[Symbol.dispose]();
        return this.#answered(message);
      case "ready":
        this.#isReady = true;
        // The server keeps the process alive; until there is one, its first thread does.
        this.#worker.unref();
        this.#port.unref();
        return this.#ready.resolve(message.handlers);
      case "unusable":
        this.#ready.reject(new WepError(message.code, stripCode(message.message)));
        this.#end = { kind: "unusable", message: message.message };
        return void this.end("unusable");
      default:
        return message satisfies never;
    }
  }

  #settled({ run, outcome, timersLeft }: Extract<FromThread, { kind: "settled" }>): void {
    const host = this.#runs.get(run);
    if (host === undefined) return;
    this.#runs.delete(run);
    if (timersLeft > MOST_TIMERS_LEFT) this.#retire(timersLeft);
    else if (timersLeft > 0) this.#askForTimersLater();
    this.#deps.onFree(this);
    if (this.#isClosed && this.#runs.size === 0) void this.end("its last run is over");
    host.settle(outcome);
  }

  /** Pools of connections and the like leave timers for some seconds, which is no leak. */
  #askForTimersLater(): void {
    this.#leftoverTimer?.[Symbol.dispose]();
    this.#leftoverTimer = this.#deps.clock.timer(LEFTOVERS_MS, () => {
      if (this.#runs.size === 0 && !this.#isClosed) this.#post({ kind: "ping" });
    });
  }

  #answered({ timersLeft }: Extract<FromThread, { kind: "pong" }>): void {
    if (timersLeft === 0 || this.#runs.size > 0 || this.#isClosed) return;
    this.#retire(timersLeft);
    void this.end("handlers have left timers behind");
  }

  /** What a handler has left behind fires into the runs after it, and adds up. */
  #retire(timersLeft: number): void {
    this.#deps.log.warn(
      { handler: this.lastHandler, timers: timersLeft },
      "handler left timers behind: its thread is replaced; clear them in a finally, or unref() what is to stay",
    );
    this.#close();
  }

  #measured({ measurements }: Extract<FromThread, { kind: "measured" }>): void {
    for (const measurement of measurements) this.#metrics?.sink(measurement);
    this.#backlog.hear("measured");
  }

  #progress({ run, news }: Extract<FromThread, { kind: "progress" }>): void {
    const taken = this.#runs.get(run)?.report(news);
    void taken?.then(() => this.#post({ kind: "progressed", run }));
  }

  async #ask({ run, ask, what }: Extract<FromThread, { kind: "ask" }>): Promise<void> {
    const host = this.#runs.get(run);
    try {
      // What a handler has left behind asks on, and would wait for ever.
      if (host === undefined) throw returnedBefore();
      this.#post({ kind: "granted", ask, grant: await host.requestGrant(what) });
    } catch (error) {
      this.#post({ kind: "refused", ask, error: packError(error) });
    }
  }

  #post(message: ToThread): void {
    this.#port.postMessage(message);
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#deps.onClosed(this);
  }

  #endIfBlocked(): void {
    this.#pingTimer?.[Symbol.dispose]();
    this.#pingTimer = this.#deps.clock.timer(BLOCKED_MS, () => {
      void this.end("another of its runs blocked it and was ended by force");
    });
    this.#post({ kind: "ping" });
  }

  /** Hears what the thread has said and the event loop has not brought yet. */
  #drain(): void {
    for (;;) {
      const next = receiveMessageOnPort(this.#port);
      if (next === undefined) return;
      this.#take(next.message as FromThread);
    }
  }

  async #bury(end: ThreadEnd): Promise<void> {
    this.#pingTimer?.[Symbol.dispose]();
    this.#leftoverTimer?.[Symbol.dispose]();
    this.#port.close();
    this.#ready.reject(new WepError("BAD_MODULE", neverReady(end, this.#options.modules).message));
    const why = this.#isReady || end.kind === "ended" ? end : neverReady(end, this.#options.modules);
    const runs = [...this.#runs];
    const wasForced = this.#orphans.length > 0;
    const isShared = runs.length > 1 || wasForced;
    const loss = lossOf(why, { wasForced });
    if (loss !== undefined) this.#deps.onLost(loss);
    this.#runs.clear();
    this.#close();
    if (end.kind !== "ended" && this.#isReady)
      this.#deps.log.error(logFields(end, runs.length), "handler thread died");
    const { memoryMb } = this.#options;
    for (const [run, host] of runs) {
      this.#orphans.push(run);
      host.settle(crashOutcome(why, { isShared, memoryMb }));
    }
    await Promise.all(this.#orphans.map((run) => this.#removeScratch(run)));
  }

  async #removeScratch(run: number): Promise<void> {
    const path = `${this.#scratchPrefix}${run}`;
    try {
      await removeDir(path);
    } catch (error) {
      this.#deps.log.warn({ err: error, path }, "scratch directory could not be removed; remove it by hand");
    }
  }
}

/** A run on a thread. */
class ThreadExecution implements Execution {
  readonly canTerminate = true;
  readonly #thread: HandlerThread;
  readonly #run: number;

  constructor(thread: HandlerThread, run: number) {
    this.#thread = thread;
    this.#run = run;
  }

  stop(reason: CancelReason): void {
    this.#thread.stop(this.#run, reason);
  }

  terminate(): void {
    this.#thread.forceOut(this.#run);
  }
}

function logFields(end: ThreadEnd, runs: number): Readonly<Record<string, unknown>> {
  switch (end.kind) {
    case "exception":
      return isOutOfMemory(end.error) ? { why: "out of memory", runs } : { err: end.error, runs };
    case "memory": {
      const { usedMb, boundMb } = end.excess;
      return { why: "out of memory", used_mb: usedMb, bound_mb: boundMb, runs };
    }
    case "exit":
      return { why: `process.exit(${end.exitCode})`, runs };
    case "unusable":
    case "ended":
      return { why: end.kind, runs };
    default:
      return end satisfies never;
  }
}

/** What ended a thread before it had loaded its modules is not the doing of its runs. */
function neverReady(end: ThreadEnd, modules: readonly string[]): ThreadEnd & { readonly kind: "unusable" } {
  if (end.kind === "unusable") return end;
  const why =
    end.kind === "exception"
      ? String(end.error)
      : end.kind === "exit"
        ? `process.exit(${end.exitCode})`
        : end.kind === "memory"
          ? `it took ${end.excess.usedMb} MB`
          : end.why;
  const message = `${modules.join(", ")} ended the thread while they were imported: ${why}; fix it and start again`;
  return { kind: "unusable", message };
}

/** WepError writes the code itself. */
function stripCode(message: string): string {
  return message.replace(/^\[\w+\] /, "");
}
