import type { MessagePort } from "node:worker_threads";
import type { Abi } from "../abi/abi.ts";
import type { WasmErrorCode } from "../errors.ts";
import type { ModuleLimits } from "../limits.ts";
import type { ModuleFacts } from "../meter/facts.ts";
import type { ThreadProgram } from "../thread/protocol.ts";

/** What a compile thread begins with. */
export interface CompileThreadData {
  readonly port: MessagePort;
  readonly limits: ModuleLimits;
  readonly folder: { readonly folder: string; readonly maxBytes: number } | undefined;
}

/** What it is told: compile this. */
export interface ToCompileThread {
  readonly bytes: Uint8Array;
  /** SHA-256 of the bytes, hex. */
  readonly sha256: string;
  readonly isProfiled: boolean;
}

/** What it is told when the engine is closed, and it has nothing to do but what it does besides: end by itself. */
export interface LeaveCompileThread {
  readonly kind: "leave";
}

/** A program that can be run. */
export interface Compiled {
  readonly abi: Abi | undefined;
  /** As threads get it: its facts name functions only where they are profiled. */
  readonly program: ThreadProgram;
  readonly modules: readonly ModuleFacts[];
  /** Where the metered module came from. */
  readonly source: "folder" | "meter";
}

/** What it says. */
export type FromCompileThread =
  | { readonly kind: "ready" }
  | { readonly kind: "compiled"; readonly compiled: Compiled }
  | {
      readonly kind: "failed";
      readonly code: WasmErrorCode;
      readonly message: string;
      readonly details: Readonly<Record<string, string | number>>;
    }
  /** The folder could not be written or read; the program was compiled all the same. */
  | { readonly kind: "folder_failed"; readonly message: string };
