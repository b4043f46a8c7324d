/** Why a module was not accepted, or an engine could not do as it was asked. */
export type WasmErrorCode =
  /** Not WebAssembly, or not valid. */
  | "BAD_MODULE"
  /** Valid, and uses what is not metered; `details.what` names it. */
  | "UNSUPPORTED"
  /** Larger than a limit of the engine; `details` has `limit` and `actual`. */
  | "MODULE_TOO_LARGE"
  /** Reading, metering or compiling took longer than the engine allows. */
  | "COMPILE_TIMEOUT"
  /** An option or a request that makes no sense. */
  | "BAD_REQUEST"
  /** The machine, not the module: the thread that compiled it died. Trying again may help. */
  | "HOST_FAULT"
  /** The engine is closed. */
  | "CLOSED"
  /** A package that only some programs need is not installed; the message says how. */
  | "NOT_INSTALLED";

/** What this package throws. The message starts with the code and says what to do next. */
export class WasmError extends Error {
  override readonly name = "WasmError";
  /** What kind of reason it was. */
  readonly code: WasmErrorCode;
  /** What the code says more about. */
  readonly details: Readonly<Record<string, string | number>>;

  constructor(
    code: WasmErrorCode,
    message: string,
    options: ErrorOptions & { readonly details?: Readonly<Record<string, string | number>> } = {},
  ) {
    super(`[WASM_${code}] ${message}`, options);
    this.code = code;
    this.details = options.details ?? {};
  }
}
