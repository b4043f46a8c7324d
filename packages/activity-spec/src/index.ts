/**
 * Activity specs, and ABI bytes to named values and back: `@subnet-worker/activity-spec`.
 *
 * @module activity-spec
 */
export { decodeAbi } from "./abi-decode.ts";
export { encodeAbi } from "./abi-encode.ts";
export { AbiError, type AbiErrorCode } from "./abi-error.ts";
export { type AbiType, formatAbiType, parseAbiType } from "./abi-type.ts";
export { type AbiValue, type JsonValue, toJson, toTyped } from "./abi-value.ts";
export { bytesToHex, hexToBytes } from "./hex.ts";
export { decodeParams, encodeParams, type ParamType } from "./params.ts";
export { parseSpec, type ParseSpecOptions } from "./parse-spec.ts";
export type { ActivitySpec, Param, RetryLimits, RunLimits, WorkflowSpec } from "./spec.ts";
export { specTypes, type SpecTypesOptions } from "./spec-types.ts";
export { SpecError, type SpecProblem } from "./spec-error.ts";
