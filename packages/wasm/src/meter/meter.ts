import type { ModuleLimits } from "../limits.ts";
import type { WasmGlobal } from "../web-assembly.ts";
import type { ModuleFacts } from "./facts.ts";

/**
 * Globals that a metered module counts in, by the names of their exports, or of their imports from
 * {@link COUNTERS_MODULE}.
 */
export interface Counters {
  /** i64: fuel left. Below 0: out of fuel. */
  readonly fuel: WasmGlobal<bigint>;
  /** i32: bytes of stack left. */
  readonly stack: WasmGlobal<number>;
  /** i32: pages of 64 KiB that memories may still grow by. The host subtracts what they have from the start. */
  readonly pages: WasmGlobal<number>;
  /** i32: elements that tables may still grow by. */
  readonly elements: WasmGlobal<number>;
  /** i32: 0, or why the meter stopped the run: {@link FAULT}. Out of fuel shows in `fuel`. */
  readonly fault: WasmGlobal<number>;
}

/** Values of {@link Counters.fault}. */
export const FAULT = { none: 0, stack: 1, hostMemory: 2 } as const;

/** Module that counters are imported from; a module that imports from it itself is refused. */
export const COUNTERS_MODULE = "subnet:meter";

/** Exports of metered modules begin with it; a module that has one of its own is refused. */
export const RESERVED_PREFIX = "subnet:meter/";

/** How a module is metered. */
/** How a module is to be metered. */
export interface MeterOptions {
  /**
   * Whether the module has counters of its own, exported as `subnet:meter/fuel` and so on, or imports them from
   * {@link COUNTERS_MODULE}: the core modules of a component count in the same.
   */
  readonly counters: "own" | "imported";
  /**
   * Where charges go. `fast`: as few as possible on paths that run often. `plain`: one in every basic block, nothing
   * ahead. `every`: one for every operator, to check the others by. All count the same.
   */
  readonly placement: "fast" | "plain" | "every";
  /** Calls to {@link PROFILE_TABLE} at entries and exits of functions; with `plain` placement. Default false. */
  readonly profile?: boolean;
  /** Something that shares the run's stack can catch exceptions: nothing is charged ahead of a call. Default: own. */
  readonly mayCatch?: boolean;
  readonly limits: Pick<ModuleLimits, "functionBytes" | "functions">;
}

/** Export of a table of two functions (i32) -> (): enter and leave a function, by its index. */
export const PROFILE_TABLE = "subnet:meter/profile";

/** A module that counts. */
/** A module that counts. */
export interface Metered {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly facts: ModuleFacts;
  /** Name of the export that does what the start section did; `undefined` when there was none. */
  readonly start: string | undefined;
}

/** Meters a core module. */
export type MeterModule = (bytes: Uint8Array, options: MeterOptions) => Metered;
