import { WasmError } from "../errors.ts";
import type { PoolThread } from "../pool/pool-thread.ts";
import type { Job, Loss } from "../pool/thread-pool.ts";
import type { Compiled, FromCompileThread, ToCompileThread } from "./compile-protocol.ts";

export interface CompileJobOptions {
  readonly timeMs: number;
  /** The folder of the cache could not be used, and the program is metered all the same. */
  readonly onFolderFailure: (message: string) => void;
}

/** A program on its way through a compile thread. */
export class CompileJob implements Job<FromCompileThread> {
  readonly timeMs: number;
  readonly compiled: Promise<Compiled>;
  readonly #message: ToCompileThread;
  readonly #options: CompileJobOptions;
  readonly #settled = Promise.withResolvers<Compiled>();

  constructor(message: ToCompileThread, options: CompileJobOptions) {
    this.#message = message;
    this.#options = options;
    this.timeMs = options.timeMs;
    this.compiled = this.#settled.promise;
  }

  begin(thread: PoolThread): void {
    thread.post(this.#message, []);
  }

  hear(message: FromCompileThread): boolean {
    if (message.kind === "compiled") {
      this.#settled.resolve(message.compiled);
      return true;
    }
    if (message.kind === "failed") {
      const { code, details } = message;
      this.#settled.reject(
        new WasmError(code, message.message.replace(/^\[WASM_[A-Z_]+\] /, ""), { details }),
      );
      return true;
    }
    if (message.kind === "folder_failed") this.#options.onFolderFailure(message.message);
    return false;
  }

  lose(loss: Loss): void {
    this.#settled.reject(errorOfLoss(loss, this.timeMs));
  }
}

function errorOfLoss(loss: Loss, limitMs: number): WasmError {
  switch (loss.kind) {
    case "timed_out":
      return new WasmError(
        "COMPILE_TIMEOUT",
        `The module was not read, metered and compiled within ${limitMs} ms; give a smaller one, or raise moduleLimits.compileMs`,
        { details: { limitMs } },
      );
    case "overgrown":
      return new WasmError(
        "MODULE_TOO_LARGE",
        `Metering the module takes more than ${loss.limitMb} MiB of memory; give a smaller one`,
        { details: { limit: loss.limitMb } },
      );
    case "died":
      return new WasmError(
        "HOST_FAULT",
        `The thread that compiled the module died: ${loss.reason}; try again`,
      );
    case "closed":
    case "cancelled":
      return new WasmError("CLOSED", "The engine is closed; create another");
    default:
      return unreachable(loss);
  }
}

function unreachable(value: never): never {
  throw new Error(`unexpected ${JSON.stringify(value)}`);
}
