import { createHash } from "node:crypto";
import { meterModule } from "../src/meter/meter-module.ts";
import {
  type Counters,
  COUNTERS_MODULE,
  type Metered,
  type MeterOptions,
  RESERVED_PREFIX,
} from "../src/meter/meter.ts";
import {
  Wasm,
  type WasmExtern,
  type WasmFunction,
  type WasmGlobal,
  type WasmImports,
  type WasmInstance,
  type WasmModule,
} from "../src/web-assembly.ts";

export const PLACEMENTS = ["every", "plain", "fast"] as const;

/** More than anything here uses. */
export const PLENTY: bigint = 2n ** 60n;

export interface Call {
  readonly name: string;
  readonly args: readonly (number | bigint)[];
}

/** What can be seen of a call from outside. */
export interface Seen {
  /** `returned`, `thrown` for an exception of the module's, or why it trapped. */
  readonly end: string;
  readonly values: readonly string[];
  /** SHA-256 of memories, globals and tables. */
  readonly state: string;
}

export interface Burnt {
  /** Below 0: out of fuel. */
  readonly fuelLeft: bigint;
  readonly fault: number;
  /** Pages that memories grew by. */
  readonly grownPages: number;
}

/** A module that can be run many times. */
export interface Runnable {
  readonly module: WasmModule;
  /** Export that is called first. */
  readonly start: string | undefined;
}

const MOST_PAGES = 65_536;
const LIMITS: MeterOptions["limits"] = { functionBytes: 4 * 1024 * 1024, functions: 100_000 };

export function meter(
  bytes: Uint8Array,
  placement: MeterOptions["placement"],
  options: Partial<MeterOptions> = {},
): Metered {
  return meterModule(bytes, { counters: "own", placement, limits: LIMITS, ...options });
}

export function runnable(bytes: Uint8Array, start?: string): Runnable {
  return { module: new Wasm.Module(bytes), start };
}

/** Instantiates a module as it came, and calls it once. */
export function observePlain({ module }: Runnable, call: Call, imports: WasmImports): Seen {
  let instance: WasmInstance | undefined;
  const end = attempt(() => {
    instance = new Wasm.Instance(module, imports);
    return callExport(instance, call);
  });
  return { ...end, state: stateOf(instance) };
}

export interface Allowance {
  readonly fuel: bigint;
  /** Default 64 MiB: nothing here runs out of it unless it should. */
  readonly stackBytes?: number;
  readonly pages?: number;
  readonly elements?: number;
}

/** The same of a metered module, with its counters set, be they its own or imported. */
export function observeMetered(
  { module, start }: Runnable,
  call: Call,
  { imports, allowance }: { readonly imports: WasmImports; readonly allowance: Allowance },
): Seen & Burnt {
  let counters: Counters | undefined;
  let started: WasmInstance | undefined;
  const end = attempt(() => {
    const shared = newCounters();
    const instance = new Wasm.Instance(module, { ...imports, [COUNTERS_MODULE]: { ...shared } });
    counters = `${RESERVED_PREFIX}fuel` in instance.exports ? countersOf(instance) : shared;
    allow(counters, allowance);
    if (start !== undefined) {
      callExport(instance, { name: start, args: [] });
    }
    started = instance; // where the start section traps, nobody gets to see the instance
    return callExport(instance, call);
  });
  return {
    ...end,
    state: stateOf(started),
    fuelLeft: counters?.fuel.value ?? allowance.fuel,
    fault: counters?.fault.value ?? 0,
    grownPages: counters === undefined ? 0 : (allowance.pages ?? MOST_PAGES) - counters.pages.value,
  };
}

function newCounters(): Counters {
  const count = () => new Wasm.Global({ value: "i32", mutable: true }, 0);
  return {
    fuel: new Wasm.Global({ value: "i64", mutable: true }, 0n),
    stack: count(),
    pages: count(),
    elements: count(),
    fault: count(),
  };
}

function countersOf(instance: WasmInstance): Counters {
  const counter = (name: keyof Counters): WasmExtern | undefined =>
    instance.exports[`${RESERVED_PREFIX}${name}`];
  return {
    fuel: counter("fuel") as Counters["fuel"],
    stack: counter("stack") as Counters["stack"],
    pages: counter("pages") as Counters["pages"],
    elements: counter("elements") as Counters["elements"],
    fault: counter("fault") as Counters["fault"],
  };
}

function allow(counters: Counters, allowance: Allowance): void {
  counters.fuel.value = allowance.fuel;
  counters.stack.value = allowance.stackBytes ?? 64 * 1024 * 1024;
  counters.pages.value = allowance.pages ?? MOST_PAGES;
  counters.elements.value = allowance.elements ?? 10_000_000;
}

function callExport(instance: WasmInstance, { name, args }: Call): unknown {
  return (instance.exports[name] as WasmFunction)(...(args as never[]));
}

function attempt(run: () => unknown): Pick<Seen, "end" | "values"> {
  try {
    const result = run();
    return { end: "returned", values: (Array.isArray(result) ? result : [result]).map(describe) };
  } catch (error) {
    if (error instanceof Error) {
      return { end: `${error.constructor.name}: ${error.message}`, values: [] };
    }
    return { end: "thrown", values: [] };
  }
}

function describe(value: unknown): string {
  if (typeof value === "function") {
    return "function"; // its name is its index, and wrappers have others
  }
  return Object.is(value, -0) ? "-0" : String(value);
}

/** JavaScript has no values of SIMD, and says so by an error. */
function describeGlobal(global: WasmGlobal): string {
  try {
    return describe(global.value);
  } catch (error) {
    if (error instanceof TypeError) {
      return "v128";
    }
    throw error;
  }
}

function stateOf(instance: WasmInstance | undefined): string {
  const hash = createHash("sha256");
  for (const [name, value] of Object.entries(instance?.exports ?? {})) {
    if (name.startsWith(RESERVED_PREFIX) || typeof value === "function") {
      continue;
    }
    hash.update(name);
    if ("buffer" in value) {
      hash.update(new Uint8Array(value.buffer));
    } else if ("length" in value) {
      for (let index = 0; index < value.length; index += 1) {
        hash.update(describe(value.get(index)));
      }
    } else {
      hash.update(describeGlobal(value));
    }
  }
  return hash.digest("hex");
}
