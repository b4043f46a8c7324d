import type { Abi } from "./abi/abi.ts";
import type { Limits, ModuleLimits } from "./limits.ts";
import type { ModuleFacts } from "./meter/facts.ts";
import type { RunOutcome } from "./outcome.ts";

/** A request of a program that may call out, as `wasi:http` sends it. */
export interface OutgoingRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array;
}

/** What came back: the whole response, whatever its status. */
export interface OutgoingResponse {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array;
}

/**
 * Sends a program's request. Whoever passes it decides what a program may reach; this package opens no connection.
 * A rejection reaches the program as an error of HTTP.
 */
export type SendRequest = (request: OutgoingRequest, signal: AbortSignal) => Promise<OutgoingResponse>;

/** One run of a program. */
export interface RunRequest {
  /** For `execute` and `handler` the input, for commands stdin. Default: nothing. */
  readonly input?: Uint8Array;
  /**
   * Media type of the input, for components of the world `handler`: `application/json` and `+json` reach them as JSON,
   * `text/` as text, which must be UTF-8, all others as bytes. Default: `application/octet-stream`.
   */
  readonly inputType?: string | undefined;
  /** How it is called. Default: what {@link Program.abi} guesses. */
  readonly abi?: Abi;
  /** Arguments of a command, without its name. Default: none. */
  readonly args?: readonly string[];
  /** The whole environment of a command. Default: empty. */
  readonly env?: Readonly<Record<string, string>>;
  /** What differs from the engine's. Each is capped by the engine's. */
  readonly limits?: Partial<Limits>;
  /**
   * Where clocks begin and randomness comes from. With `seeded`, the default, two runs of the same program with the
   * same input are the same on every machine: clocks begin at `startMs` (default 0) and advance by one microsecond
   * each time they are read; randomness comes from `seed` (default 0).
   */
  readonly world?:
    | { readonly kind: "seeded"; readonly seed?: bigint; readonly startMs?: number }
    | { readonly kind: "live" };
  /** Grants `wasi:http`. Default: a program that imports it is refused. */
  readonly send?: SendRequest;
  /** What a program of the world `handler` reports. */
  readonly onProgress?: (fraction: number | undefined, message: string) => void;
  /** What it writes to the log. */
  readonly onLog?: (level: "debug" | "info" | "warn" | "error", message: string) => void;
  /** Ends the run as `cancelled`. */
  readonly signal?: AbortSignal;
  /** Fuel by function: {@link RunProfile}. Runs somewhat slower, and burns the same. Default false. */
  readonly profile?: boolean;
}

/** Fuel by call path. */
export interface RunProfile {
  /** One line for every path, outermost first, names by `;`, then a space and the fuel of the last itself. */
  readonly foldedStacks: string;
}

/** A program that is metered and compiled. Cheap to hold while the engine's caches hold it. */
export interface Program {
  /** SHA-256 of the bytes that were given, hex. */
  readonly sha256: string;
  /** What its imports and exports say that it is; `undefined` when they say nothing. */
  readonly abi: Abi | undefined;
  /** Core modules: one, or those of the component. */
  readonly modules: readonly ModuleFacts[];
  /** Reading, metering and compiling, milliseconds; 0 when it came from the cache in memory. */
  readonly prepareMs: number;
}

/** What an engine has; everything may be left out. */
export interface EngineOptions {
  /** Threads that run programs. Default: one for each core. */
  readonly threads?: number;
  /** What runs may use at most, and use when they do not say. Default: {@link DEFAULT_LIMITS}. */
  readonly limits?: Partial<Limits>;
  /** Default: {@link DEFAULT_MODULE_LIMITS}. */
  readonly moduleLimits?: Partial<ModuleLimits>;
  readonly cache?: {
    /** Programs held compiled in memory, by the bytes of their metered modules. Default 256 MiB. */
    readonly memoryBytes?: number;
    /** Folder for metered modules. Default: none is written. */
    readonly folder?: string;
    /** What the folder may hold, bytes; the longest unused go first. Default 1 GiB. */
    readonly folderBytes?: number;
  };
}

/** What an engine has done since it began, and what it holds now; for metrics. */
export interface EngineStats {
  /** Threads that have a run just now. */
  readonly busyThreads: number;
  /** Runs that wait for a thread. */
  readonly waitingRuns: number;
  /** Threads that were ended or died, and were replaced: of runs, and of compiling. */
  readonly replacedThreads: number;
  /** Programs that were asked for and were in memory. */
  readonly memoryHits: number;
  /** Programs whose metered modules were in the folder. */
  readonly folderHits: number;
  /** Programs that were metered. */
  readonly misses: number;
  /** Bytes of the programs in memory: as they were given, and metered. */
  readonly memoryBytes: number;
  /** Why the cache's folder could not be used the last time; such programs are metered anew. */
  readonly folderFailure: string | undefined;
}

/** Runs programs. One per process is enough. */
export interface Engine extends AsyncDisposable {
  /** As things are at this moment; cheap. */
  readonly stats: EngineStats;
  /**
   * Reads, meters and compiles, off the calling thread. The same bytes again are taken from the cache.
   *
   * @throws {WasmError} `BAD_MODULE`, `UNSUPPORTED`, `MODULE_TOO_LARGE`, `COMPILE_TIMEOUT`, `NOT_INSTALLED`, `CLOSED`
   */
  prepare(bytes: Uint8Array, signal?: AbortSignal): Promise<Program>;
  /**
   * Runs it once, in a new instance. What the program does wrong is an outcome, never a rejection.
   *
   * @throws {WasmError} `BAD_REQUEST` for a request that makes no sense, `CLOSED`
   */
  run(program: Program, request?: RunRequest): Promise<RunOutcome & { readonly profile?: RunProfile }>;
}
