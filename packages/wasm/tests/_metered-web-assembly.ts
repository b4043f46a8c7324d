/**
 * To be loaded before a program (`node --import`): whatever WebAssembly the program compiles is metered, with more fuel
 * than it needs. At the end the fuel that all instances used is written to file descriptor 3. `METER_PLACEMENT` says
 * where charges go; without it nothing is metered.
 */
import crypto from "node:crypto";
import { writeSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { meterModule } from "../src/meter/meter-module.ts";
import type { MeterOptions } from "../src/meter/meter.ts";
import {
  Wasm,
  type WasmFunction,
  type WasmGlobal,
  type WasmImports,
  type WasmInstance,
  type WasmModule,
} from "../src/web-assembly.ts";

const PLENTY = 2n ** 62n;
const FUEL_DESCRIPTOR = 3;

makeRepeatable();

const placement = process.env["METER_PLACEMENT"] as MeterOptions["placement"] | undefined;
if (placement !== undefined) meterAll(placement);

/** Randomness and time are the same in all runs: what a program does may depend on the hashes of its tables. */
function makeRepeatable(): void {
  const fill = <T extends NodeJS.ArrayBufferView>(view: T): T => {
    Buffer.from(view.buffer, view.byteOffset, view.byteLength).fill(7);
    return view;
  };
  Object.assign(crypto, {
    randomFillSync: fill,
    randomBytes: (size: number) => Buffer.alloc(size, 7),
  });
  Object.assign(crypto.webcrypto, { getRandomValues: fill });
  Math.random = () => 0.5;
  Date.now = () => 0;
  performance.now = () => 0;
  syncBuiltinESMExports();
}

function meterAll(placement: MeterOptions["placement"]): void {
  const native = { Module: Wasm.Module, Instance: Wasm.Instance };
  const starts = new WeakMap<WasmModule, string>();
  const fuels: WasmGlobal<bigint>[] = [];

  function compile(source: Uint8Array | ArrayBuffer): WasmModule {
    const bytes = source instanceof Uint8Array ? source : new Uint8Array(source);
    const limits = { functionBytes: 2 ** 23, functions: 1_000_000 };
    // Programs of C++ throw through JavaScript, and go on where that catches.
    const metered = meterModule(bytes, { counters: "own", placement, mayCatch: true, limits });
    const module = new native.Module(metered.bytes);
    if (metered.start !== undefined) starts.set(module, metered.start);
    return module;
  }

  function instantiate(module: WasmModule, imports?: WasmImports): WasmInstance {
    const instance = new native.Instance(module, imports);
    const counter = (name: string) => instance.exports[`subnet:meter/${name}`] as WasmGlobal;
    const fuel = counter("fuel") as WasmGlobal<bigint>;
    fuel.value = PLENTY;
    fuels.push(fuel);
    counter("stack").value = 2 ** 29;
    counter("pages").value = 2 ** 15;
    counter("elements").value = 2 ** 24;
    const start = starts.get(module);
    if (start !== undefined) (instance.exports[start] as WasmFunction)();
    return instance;
  }

  Object.assign(Wasm, {
    // eslint-disable-next-line func-names -- called with `new`, which arrow functions cannot be
    Module: Object.assign(function (bytes: Uint8Array) {
      return compile(bytes);
    }, native.Module),
    Instance(module: WasmModule, imports?: WasmImports) {
      return instantiate(module, imports);
    },
    compile: async (bytes: Uint8Array) => compile(bytes),
    instantiate: async (source: Uint8Array | ArrayBuffer | WasmModule, imports?: WasmImports) => {
      if (!(source instanceof Uint8Array || source instanceof ArrayBuffer)) {
        return instantiate(source, imports);
      }
      const module = compile(source);
      return { module, instance: instantiate(module, imports) };
    },
  });

  process.once("exit", () => {
    const used = fuels.reduce((sum, fuel) => sum + (PLENTY - fuel.value), 0n);
    writeSync(FUEL_DESCRIPTOR, `${used}`);
  });
}
