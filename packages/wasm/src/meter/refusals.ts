import { WasmError } from "../errors.ts";

/** The bytes are not what the format allows. */
export function badModule(problem: string, cause?: unknown): WasmError {
  return new WasmError("BAD_MODULE", `${problem}; compile it again, or check that it was copied whole`, {
    cause,
  });
}

/** It is valid, and uses something that is not metered. */
export function unsupported(what: string): WasmError {
  return new WasmError(
    "UNSUPPORTED",
    `the module uses ${what}, which is not metered; compile it without, for WebAssembly 2.0`,
    { details: { what } },
  );
}

/** The engine's own limits for one function are reached only after metering. */
export function tooLargeOnceMetered(what: string, limit: number): WasmError {
  return new WasmError(
    "UNSUPPORTED",
    `a function has ${what} once it is metered, and V8 allows ${limit}; split the function`,
    { details: { what, limit } },
  );
}

/** Larger than the limit that whoever runs the engine has set. */
export function tooLarge(what: string, limit: number, actual: number): WasmError {
  return new WasmError(
    "MODULE_TOO_LARGE",
    `${what}: ${actual}, and at most ${limit} are allowed; make the module smaller, or raise the engine's limit`,
    { details: { what, limit, actual } },
  );
}

/** More of something than the engine takes, whatever limits are set. */
export function tooComplex(what: string, limit: number, actual: number): WasmError {
  return new WasmError(
    "MODULE_TOO_LARGE",
    `${what}: ${actual}, and the engine takes at most ${limit}, whatever its limits are set to; split it`,
    { details: { what, limit, actual } },
  );
}
