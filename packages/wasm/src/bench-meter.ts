/** For this repository's benchmark alone; not published. */
export { meterModule } from "./meter/meter-module.ts";
export type { Counters, Metered, MeterOptions } from "./meter/meter.ts";
export { Wasm, type WasmFunction } from "./web-assembly.ts";
