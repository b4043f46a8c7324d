import { createHash } from "node:crypto";
import type { Abi } from "./abi/abi.ts";
import { checkRequest } from "./check-request.ts";
import { CompileJob } from "./cache/compile-job.ts";
import type { Compiled, FromCompileThread } from "./cache/compile-protocol.ts";
import { MemoryCache } from "./cache/memory-cache.ts";
import { type Clock, systemClock } from "./clock.ts";
import { capLimits, type ResolvedOptions, resolveOptions } from "./engine-options.ts";
import type { Engine, EngineOptions, EngineStats, Program, RunProfile, RunRequest } from "./engine.ts";
import { WasmError } from "./errors.ts";
import type { RunOutcome } from "./outcome.ts";
import { RunJob } from "./pool/run-job.ts";
import { ThreadPool } from "./pool/thread-pool.ts";
import type { FromRunThread, ThreadRun } from "./thread/protocol.ts";

const IS_SOURCE = import.meta.url.endsWith(".ts");
const RUN_MAIN = new URL(IS_SOURCE ? "./thread/thread-main.ts" : "./thread/thread-main.js", import.meta.url);
const COMPILE_MAIN = new URL(
  IS_SOURCE ? "./cache/compile-thread.ts" : "./cache/compile-thread.js",
  import.meta.url,
);

const MIB = 1024 * 1024;

/** What a program that was given out may still take to be written to the folder when the engine is closed. */
const LAST_WRITE_MS = 5_000;

/** Two, so that a module that takes long does not hold up all others. */
const COMPILE_THREADS = 2;
const COMPILE_HEAP_MB = 2048;
/** Of the host's own objects; memories of guests are outside of it. */
const RUN_HEAP_MB = 512;

/**
 * V8's frames against what the meter says that they weigh. Frames of the optimizing compiler hold what it keeps of a
 * whole body, and of what it puts in place of calls. Pages of the stack that are not used take no memory.
 */
const STACK_FACTOR = 128;
const STACK_RESERVE_MB = 2;

/** A larger module is hashed by pieces of this size, between which other work goes on. */
const HASH_PIECE_BYTES = 4 * MIB;

/** Of its time; a program whose last run took less is taken to be quick. */
const QUICK_SHARE = 0.1;

/** Of a run that nothing was done for. */
const CANCELLED: RunOutcome = {
  kind: "cancelled",
  fuel: 0n,
  timeMs: 0,
  memoryBytes: 0,
  hostCalls: 0,
  stderr: new Uint8Array(),
};

/** What an engine takes its time from. */
export interface EngineDeps {
  /** Default: the machine's. */
  readonly clock?: Clock;
}

/**
 * Creates an engine: threads that run programs, threads that compile them, and caches.
 *
 * An engine that nothing waits for does not keep the process alive. Disposing of it ends runs that are under way as
 * `cancelled`, refuses what comes later with `CLOSED`, and waits until its threads are gone; what is being written to
 * the cache's folder is written first, for five seconds at most.
 *
 * @throws {WasmError} `BAD_REQUEST` for an option that makes no sense
 * @example
 *   await using engine = createEngine({ limits: { fuel: 1_000_000n } });
 *   const program = await engine.prepare(await readFile("program.wasm"));
 *   const outcome = await engine.run(program, { input: new TextEncoder().encode("hello") });
 *   if (outcome.kind === "completed") console.log(outcome.output, outcome.fuel);
 */
export function createEngine(options: EngineOptions = {}, deps: EngineDeps = {}): Engine {
  return new ThreadedEngine(resolveOptions(options), deps.clock ?? systemClock);
}

/** What the engine keeps of a program. */
interface Prepared {
  readonly id: number;
  readonly sha256: string;
  readonly compiled: Compiled;
  /** As given: profiles are metered from it. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

class ThreadedEngine implements Engine {
  readonly #options: ResolvedOptions;
  readonly #clock: Clock;
  readonly #runners: ThreadPool<FromRunThread>;
  readonly #compilers: ThreadPool<FromCompileThread>;
  readonly #cache: MemoryCache<Prepared>;
  /** What {@link Program}s stand for. */
  readonly #prepared = new WeakMap<Program, Prepared>();
  /** Whose last run took a small share of its time. The thread need not watch the time of the next. */
  readonly #quick = new WeakSet<Prepared>();
  readonly #counts = { memoryHits: 0, folderHits: 0, misses: 0 };
  #folderFailure: string | undefined;
  #nextProgramId = 1;
  #nextRunId = 1;
  #isClosed = false;

  constructor(options: ResolvedOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    this.#cache = new MemoryCache(options.memoryCacheBytes);
    const { limits, moduleLimits, folder, threads } = options;
    const stackMb = STACK_RESERVE_MB + Math.ceil((limits.stackBytes * STACK_FACTOR) / MIB);
    this.#runners = new ThreadPool(
      {
        size: threads,
        eager: threads,
        thread: { main: RUN_MAIN, name: "wasm run", stackMb, heapMb: RUN_HEAP_MB, data: {} },
      },
      clock,
    );
    this.#compilers = new ThreadPool(
      {
        size: COMPILE_THREADS,
        eager: 1,
        leaveMs: folder === undefined ? undefined : LAST_WRITE_MS,
        thread: {
          main: COMPILE_MAIN,
          name: "wasm compile",
          stackMb: undefined,
          heapMb: COMPILE_HEAP_MB,
          data: { limits: moduleLimits, folder },
        },
        onStray: (message) => {
          if (message.kind === "folder_failed") this.#folderFailure = message.message;
        },
      },
      clock,
    );
  }

  get stats(): EngineStats {
    return {
      busyThreads: this.#runners.busy,
      waitingRuns: this.#runners.waiting,
      replacedThreads: this.#runners.replaced + this.#compilers.replaced,
      ...this.#counts,
      memoryBytes: this.#cache.sizeBytes,
      folderFailure: this.#folderFailure,
    };
  }

  async prepare(bytes: Uint8Array, signal?: AbortSignal): Promise<Program> {
    this.#checkOpen();
    signal?.throwIfAborted();
    if (!(bytes instanceof Uint8Array)) {
      throw new WasmError("BAD_REQUEST", "The module is not a Uint8Array; give its bytes");
    }
    const { moduleBytes } = this.#options.moduleLimits;
    if (bytes.length > moduleBytes) {
      throw new WasmError(
        "MODULE_TOO_LARGE",
        `The module has ${bytes.length} bytes, and ${moduleBytes} are allowed; give a smaller one, or raise moduleLimits.moduleBytes`,
        { details: { limit: moduleBytes, actual: bytes.length } },
      );
    }
    const beganMs = this.#clock.monotonicMs();
    // The caller may change its bytes while they are looked at.
    const own = new Uint8Array(bytes);
    const sha256 = await hash(own);
    const held = this.#cache.get(sha256);
    if (held !== undefined) {
      this.#counts.memoryHits += 1;
      return this.#programOf(held, 0);
    }
    const prepared = await this.#prepare({ sha256, bytes: own, isProfiled: false }, signal);
    return this.#programOf(prepared, this.#clock.monotonicMs() - beganMs);
  }

  async run(
    program: Program,
    request: RunRequest = {},
  ): Promise<RunOutcome & { readonly profile?: RunProfile }> {
    this.#checkOpen();
    const held = this.#prepared.get(program);
    if (held === undefined) {
      throw new WasmError("BAD_REQUEST", "The program is of another engine; prepare it with this one");
    }
    checkRequest(request);
    const limits = capLimits(request.limits, this.#options.limits);
    const abi = this.#abiOf(program, request);
    const isProfiled = request.profile === true;
    const prepared = isProfiled ? await this.#prepareProfiled(held, request.signal) : held;
    if (prepared === undefined) return CANCELLED;
    const job = new RunJob(
      {
        run: {
          id: this.#nextRunId++,
          programId: prepared.id,
          abi,
          args: [...(request.args ?? [])],
          env: { ...request.env },
          limits,
          world: worldOf(request),
          maySend: request.send !== undefined,
          isProfiled,
          inputType: request.inputType,
        },
        input: request.input ?? new Uint8Array(),
        program: prepared.compiled.program,
        programBytes: sizeOf(prepared),
        isKnownQuick: this.#quick.has(prepared),
        // All threads together keep no more than the cache may hold.
        keptBytes: this.#options.memoryCacheBytes / this.#options.threads,
        request,
        clock: this.#clock,
      },
      (lost) => this.#runners.cancel(lost),
    );
    const outcome = await this.#await(job, request.signal);
    if (outcome.timeMs < limits.timeMs * QUICK_SHARE) this.#quick.add(prepared);
    else this.#quick.delete(prepared);
    return outcome;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    await Promise.all([this.#runners[Symbol.asyncDispose](), this.#compilers[Symbol.asyncDispose]()]);
  }

  async #await(job: RunJob, signal: AbortSignal | undefined): ReturnType<Engine["run"]> {
    const cancel = () => this.#runners.cancel(job);
    if (signal?.aborted === true) job.lose({ kind: "cancelled" }, undefined);
    else this.#runners.submit(job);
    if (signal === undefined) return job.outcome;
    signal.addEventListener("abort", cancel, { once: true });
    try {
      return await job.outcome;
    } finally {
      signal.removeEventListener("abort", cancel);
    }
  }

  #prepare(
    wanted: {
      readonly sha256: string;
      readonly bytes: Uint8Array<ArrayBuffer>;
      readonly isProfiled: boolean;
    },
    signal: AbortSignal | undefined,
  ): Promise<Prepared> {
    const { sha256, bytes, isProfiled } = wanted;
    const key = isProfiled ? `${sha256} profiled` : sha256;
    const held = this.#cache.get(key);
    if (held !== undefined) return Promise.resolve(held);
    const make = async (ended: AbortSignal): Promise<Prepared> => {
      const job = new CompileJob(
        { bytes, sha256, isProfiled },
        {
          timeMs: this.#options.moduleLimits.compileMs,
          onFolderFailure: (message) => (this.#folderFailure = message),
        },
      );
      this.#compilers.submit(job);
      ended.addEventListener("abort", () => this.#compilers.cancel(job), { once: true });
      const compiled = await job.compiled;
      this.#counts[compiled.source === "folder" ? "folderHits" : "misses"] += 1;
      return { id: this.#nextProgramId++, sha256, compiled, bytes };
    };
    return this.#cache.make(key, { make, sizeOf }, signal);
  }

  /** `undefined`: the run was cancelled before its program was ready. */
  async #prepareProfiled(
    { sha256, bytes }: Prepared,
    signal: AbortSignal | undefined,
  ): Promise<Prepared | undefined> {
    try {
      return await this.#prepare({ sha256, bytes, isProfiled: true }, signal);
    } catch (error) {
      if (signal?.aborted === true) return undefined;
      throw error;
    }
  }

  #programOf(prepared: Prepared, prepareMs: number): Program {
    const { sha256, compiled } = prepared;
    const program: Program = { sha256, abi: compiled.abi, modules: compiled.modules, prepareMs };
    this.#prepared.set(program, prepared);
    return program;
  }

  #abiOf(program: Program, request: RunRequest): Abi {
    const abi = request.abi ?? program.abi;
    if (abi === undefined) {
      throw new WasmError(
        "BAD_REQUEST",
        "The program does not show how it is called: it exports neither execute nor _start, nor what a component exports; say which ABI it has, or build it for one",
      );
    }
    return abi;
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new WasmError("CLOSED", "The engine is closed; create another");
  }
}

function sizeOf({ bytes, compiled }: Prepared): number {
  return compiled.modules.reduce((sum, { meteredBytes }) => sum + meteredBytes, bytes.length);
}

function worldOf({ world = { kind: "seeded" } }: RunRequest): ThreadRun["world"] {
  if (world.kind === "live") return world;
  const { seed = 0n, startMs = 0 } = world;
  if (typeof seed !== "bigint" || !Number.isFinite(startMs)) {
    throw new WasmError(
      "BAD_REQUEST",
      "A seeded world needs a bigint as seed and a number as startMs; give those",
    );
  }
  return { kind: "seeded", seed, startMs };
}

async function hash(bytes: Uint8Array): Promise<string> {
  const digest = createHash("sha256");
  for (let begin = 0; begin < bytes.length; begin += HASH_PIECE_BYTES) {
    if (begin > 0) await new Promise<void>((resolve) => setImmediate(resolve));
    digest.update(bytes.subarray(begin, begin + HASH_PIECE_BYTES));
  }
  return digest.digest("hex");
}
