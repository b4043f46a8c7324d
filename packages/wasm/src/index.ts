export type { Abi } from "./abi/abi.ts";
export { checkCacheFolder } from "./cache/program-folder.ts";
export { createEngine, type EngineDeps } from "./create-engine.ts";
export type { Clock } from "./clock.ts";
export type {
  Engine,
  EngineOptions,
  EngineStats,
  OutgoingRequest,
  OutgoingResponse,
  Program,
  RunProfile,
  RunRequest,
  SendRequest,
} from "./engine.ts";
export { WasmError, type WasmErrorCode } from "./errors.ts";
export { DEFAULT_LIMITS, DEFAULT_MODULE_LIMITS, type Limits, type ModuleLimits } from "./limits.ts";
export type { ExternFact, FunctionTypeFact, ModuleFacts, ValueTypeName } from "./meter/facts.ts";
export type { Metered, MeterModule, MeterOptions } from "./meter/meter.ts";
export { meterModule } from "./meter/meter-module.ts";
export { type FunctionFuel, renderFlameGraph, topFunctions } from "./profile/flame-graph.ts";
export type { RunEnd, RunOutcome, Spent, TrapReason } from "./outcome.ts";
