import type { MessagePort } from "node:worker_threads";
import type { Abi } from "../abi/abi.ts";
import type { OutgoingRequest, OutgoingResponse } from "../engine.ts";
import type { Limits } from "../limits.ts";
import type { ModuleFacts } from "../meter/facts.ts";
import type { RunEnd, Spent } from "../outcome.ts";
import type { WasmModule } from "../web-assembly.ts";

/** What a thread runs; compiled code is shared, so sending it costs little. */
export type ThreadProgram =
  | {
      readonly kind: "module";
      readonly module: WasmModule;
      readonly facts: ModuleFacts;
      /** Export that does what the start section did. */
      readonly start: string | undefined;
    }
  | {
      readonly kind: "component";
      /** By the names that {@link glue} asks for them. */
      readonly modules: ReadonlyMap<
        string,
        { readonly module: WasmModule; readonly facts: ModuleFacts; readonly start: string | undefined }
      >;
      /** JavaScript of jco that binds the component to its imports. */
      readonly glue: string;
      /** Instances and functions that it imports, such as `wasi:cli/stdin@0.2.3`. */
      readonly imports: readonly string[];
      readonly exports: readonly string[];
    };

/** One run, as a thread gets it. */
export interface ThreadRun {
  readonly id: number;
  /** Programs are sent to a thread once, then named. */
  readonly programId: number;
  readonly program: ThreadProgram | undefined;
  readonly abi: Abi;
  readonly input: Uint8Array;
  /** Media type of the input. */
  readonly inputType?: string | undefined;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly limits: Limits;
  readonly world:
    | { readonly kind: "seeded"; readonly seed: bigint; readonly startMs: number }
    | { readonly kind: "live" };
  readonly maySend: boolean;
  readonly isProfiled: boolean;
}

/** What a run thread is told. */
export type ToRunThread =
  | {
      readonly kind: "run";
      readonly run: ThreadRun;
      /** Programs that it need not keep any longer. */
      readonly forget: readonly number[];
      /**
       * Milliseconds after which the thread stops the run by itself, and stays; `undefined` where fuel ends first in all
       * likelihood, and the thread is ended otherwise.
       */
      readonly watchMs: number | undefined;
    }
  | {
      /** To a `send` of a run. */
      readonly kind: "answer";
      readonly answer: { readonly response: OutgoingResponse } | { readonly error: string };
    };

/** What a run thread begins with. */
export interface RunThreadData {
  readonly port: MessagePort;
  /** See {@link CELL}. */
  readonly cells: BigInt64Array<SharedArrayBuffer>;
}

/**
 * Cells that a run thread shares with the engine. What a run has used is written at each call out of the sandbox, so
 * that it is known of runs whose thread was ended.
 */
export const CELL = {
  /** Raised by the engine with each answer to a `send`. */
  answers: 0,
  /** Raised by the engine with each progress or log that it took. */
  taken: 1,
  fuel: 2,
  hostCalls: 3,
  memoryBytes: 4,
  count: 5,
} as const;

/** What a thread says of a run. */
export type FromRunThread =
  | { readonly kind: "ready" }
  /** The request makes no sense for the ABI; nothing ran. */
  | { readonly kind: "refused"; readonly id: number; readonly message: string }
  | { readonly kind: "send"; readonly id: number; readonly request: OutgoingRequest }
  | {
      readonly kind: "ended";
      readonly id: number;
      readonly spent: Spent;
      readonly stderr: Uint8Array;
      readonly end: RunEnd;
      readonly foldedStacks?: string;
    }
  | {
      readonly kind: "progress";
      readonly id: number;
      readonly fraction: number | undefined;
      readonly message: string;
    }
  | {
      readonly kind: "log";
      readonly id: number;
      readonly level: "debug" | "info" | "warn" | "error";
      readonly message: string;
    };

/** How an ABI ended, when nothing was thrown. */
export type AbiEnd = Extract<
  RunEnd,
  {
    readonly kind:
      | "completed"
      | "guest_error"
      | "missing_export"
      | "refused_import"
      | "bad_output"
      | "output_too_large";
  }
>;

/** What an ABI has of the run that it serves. Its methods throw {@link StopRun}, which ends the run. */
export interface RunHost {
  readonly run: ThreadRun;
  /**
   * To be called first in whatever the guest can call: counts it, and stops a run that makes too many calls or has no
   * fuel left.
   */
  enter(): void;
  /** Ends the run so, from inside of a call of the guest: throws {@link StopRun}, which a guest cannot catch. */
  stop(end: RunEnd): never;
  /** Burns fuel for work that the host does for the guest, such as bytes copied. */
  charge(fuel: number): void;
  /**
   * Makes an instance with the run's counters, and runs what was its start section. `beforeStart` gets the exports
   * before that: what the start section calls needs the memory.
   */
  instantiate(
    module: { readonly module: WasmModule; readonly facts: ModuleFacts; readonly start: string | undefined },
    imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
    beforeStart?: (exports: Readonly<Record<string, unknown>>) => void,
  ): Readonly<Record<string, unknown>>;
  /** Appends a copy to stdout; a run that writes more than it may is stopped. */
  writeOutput(bytes: Uint8Array): void;
  /** Appends a copy to stderr, cut at the limit. */
  writeStderr(bytes: Uint8Array): void;
  output(): Uint8Array;
  stderr(): Uint8Array;
  /** Nanoseconds since 1970, and since the run began. */
  wallClockNs(): bigint;
  monotonicNs(): bigint;
  /**
   * Passes that much time, nanoseconds: a seeded world's clocks advance at once, in a live one the thread waits. The
   * run's time limit holds either way.
   */
  sleepNs(durationNs: bigint): void;
  randomBytes(length: number): Uint8Array;
  progress(fraction: number | undefined, message: string): void;
  log(level: "debug" | "info" | "warn" | "error", message: string): void;
  /** Waits until the engine's process has the answer. */
  send(request: OutgoingRequest): { readonly response: OutgoingResponse } | { readonly error: string };
}

/** Thrown through a guest to end its run; a guest cannot catch it. */
export interface StopRun {
  readonly end: RunEnd;
}

/** Runs a program once. */
export type RunAbi = (program: ThreadProgram, host: RunHost) => AbiEnd;
