import {
  COUNTERS_MODULE,
  FAULT,
  type Metered,
  type MeterOptions,
  PROFILE_TABLE,
  RESERVED_PREFIX,
} from "../src/meter/meter.ts";
import { meterModule } from "../src/meter/meter-module.ts";
import { DEFAULT_LIMITS, DEFAULT_MODULE_LIMITS } from "../src/limits.ts";
import {
  Wasm,
  type WasmFunction,
  type WasmGlobal,
  type WasmImports,
  type WasmInstance,
  type WasmTable,
} from "../src/web-assembly.ts";
import { wat } from "./_wat.ts";

/** How a run of one export ended: like the engine's outcomes, as far as a meter knows. */
export type MeteredEnd =
  | { readonly kind: "returned"; readonly value: unknown }
  | { readonly kind: "out_of_fuel" }
  | { readonly kind: "stack_exhausted" }
  | { readonly kind: "host_memory" }
  /** V8's own error, such as a trap, or what an import threw. */
  | { readonly kind: "threw"; readonly message: string };

export interface MeteredRun {
  readonly end: MeteredEnd;
  /** Fuel burnt, more than the limit when it ran out. */
  readonly fuel: bigint;
  readonly instance: WasmInstance | undefined;
}

/** How it is metered and run. */
export interface RunMeteredOptions extends Partial<Omit<MeterOptions, "limits">> {
  /** Export to call. Default `run`; `undefined` only makes the instance. */
  readonly entry?: string | undefined;
  readonly args?: readonly unknown[];
  readonly imports?: WasmImports;
  /** Default: as the engine's. */
  readonly fuel?: bigint;
  readonly stackBytes?: number;
  /** Pages and elements that may be added to those from the start. Default: as the engine's. */
  readonly pages?: number;
  readonly elements?: number;
  /** Called at entries (true) and exits of functions of a module that is metered for profiles. */
  readonly onProfile?: (functionIndex: number, isEntry: boolean) => void;
}

/** Meters with the limits of the engine. */
export function meter(bytes: Uint8Array, options: Partial<Omit<MeterOptions, "limits">> = {}): Metered {
  return meterModule(bytes, {
    counters: "own",
    placement: "fast",
    limits: DEFAULT_MODULE_LIMITS,
    ...options,
  });
}

interface Counting {
  readonly fuel: WasmGlobal<bigint>;
  readonly stack: WasmGlobal<number>;
  readonly pages: WasmGlobal<number>;
  readonly elements: WasmGlobal<number>;
  readonly fault: WasmGlobal<number>;
}

function makeCounters(): Counting {
  const i32 = (): WasmGlobal<number> => new Wasm.Global({ value: "i32", mutable: true }, 0);
  return {
    fuel: new Wasm.Global({ value: "i64", mutable: true }, 0n),
    stack: i32(),
    pages: i32(),
    elements: i32(),
    fault: i32(),
  };
}

function exportedCounters({ exports }: WasmInstance): Counting {
  const counter = (name: string): never => exports[`${RESERVED_PREFIX}${name}`] as never;
  return {
    fuel: counter("fuel"),
    stack: counter("stack"),
    pages: counter("pages"),
    elements: counter("elements"),
    fault: counter("fault"),
  };
}

/** A module that exports what it imports: a table takes no function of JavaScript as it is. */
const PROFILE_MODULE = wat(`(module
  (func (export "e") (import "a" "e") (param i32))
  (func (export "l") (import "a" "l") (param i32)))`);

function attachProfile(instance: WasmInstance, { onProfile }: RunMeteredOptions): void {
  const a = {
    e: (index: number) => onProfile?.(index, true),
    l: (index: number) => onProfile?.(index, false),
  };
  const { exports } = new Wasm.Instance(new Wasm.Module(PROFILE_MODULE), { a });
  const table = instance.exports[PROFILE_TABLE] as WasmTable;
  table.set(0, exports["e"]);
  table.set(1, exports["l"]);
}

function endOf(counters: Counting, action: () => unknown): MeteredEnd {
  let end: MeteredEnd;
  try {
    end = { kind: "returned", value: action() };
  } catch (error) {
    end = { kind: "threw", message: error instanceof Error ? error.message : String(error) };
  }
  if (counters.fuel.value < 0n) {
    return { kind: "out_of_fuel" };
  }
  if (counters.fault.value === FAULT.stack) {
    return { kind: "stack_exhausted" };
  }
  return counters.fault.value === FAULT.hostMemory ? { kind: "host_memory" } : end;
}

/** Makes an instance of a metered module, runs what was its start section, and calls one export. */
export function runCompiled(metered: Metered, options: RunMeteredOptions = {}): MeteredRun {
  const { fuel = DEFAULT_LIMITS.fuel, stackBytes = DEFAULT_LIMITS.stackBytes, args = [] } = options;
  const imported = makeCounters();
  const module = new Wasm.Module(metered.bytes);
  const instance = new Wasm.Instance(module, {
    ...options.imports,
    ...(options.counters === "imported" ? { [COUNTERS_MODULE]: { ...imported } } : {}),
  });
  const counters = options.counters === "imported" ? imported : exportedCounters(instance);
  counters.fuel.value = fuel;
  counters.stack.value = stackBytes;
  counters.pages.value = options.pages ?? 2048 - metered.facts.memoryMinPages;
  counters.elements.value = options.elements ?? DEFAULT_LIMITS.tableElements - metered.facts.tableMinElements;
  if (options.profile === true) {
    attachProfile(instance, options);
  }
  const end = endOf(counters, () => {
    if (metered.start !== undefined) {
      (instance.exports[metered.start] as WasmFunction)();
    }
    const entry = "entry" in options ? options.entry : "run";
    return entry === undefined
      ? undefined
      : (instance.exports[entry] as (...values: readonly unknown[]) => unknown)(...args);
  });
  return { end, fuel: fuel - counters.fuel.value, instance };
}

/** Meters a core module, and runs one export. */
export function runMetered(bytes: Uint8Array, options: RunMeteredOptions = {}): MeteredRun {
  const { counters = "own", placement = "fast", profile = false, mayCatch } = options;
  const metered = meter(bytes, {
    counters,
    placement,
    profile,
    ...(mayCatch === undefined ? {} : { mayCatch }),
  });
  return runCompiled(metered, { ...options, counters });
}
