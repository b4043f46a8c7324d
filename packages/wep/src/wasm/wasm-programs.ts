import type { Engine, Program } from "@subnet-worker/wasm";
import { TerminalError } from "@subnet-worker/wep-sdk";
import { refused } from "./wasm-inputs.ts";
import type { ModuleSource } from "./wasm-task.ts";

/** Gets a module from a URL. @throws {TerminalError | RetryableError} */
export type FetchModule = (url: string, signal: AbortSignal) => Promise<Uint8Array>;

export interface WasmProgramsOptions {
  /** Largest module. */
  readonly moduleBytes: number;
  /** Programs that are found again without reading their modules, by the bytes of those. */
  readonly knownBytes: number;
}

export interface WasmProgramsDeps {
  readonly engine: Engine;
  /** `undefined`: modules are not fetched. */
  readonly fetchModule: FetchModule | undefined;
}

/** Turns a run's module into a program: reads it, holds it against its SHA-256, has it prepared. */
export class WasmPrograms {
  readonly #options: WasmProgramsOptions;
  readonly #deps: WasmProgramsDeps;
  /** By where it is and its SHA-256, the longest unused first: nothing is downloaded to run it again. */
  readonly #known = new Map<string, Program>();
  #knownBytes = 0;

  constructor(options: WasmProgramsOptions, deps: WasmProgramsDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /**
   * @throws {TerminalError | RetryableError} when the module cannot be had or is not the one that was meant
   * @throws {WasmError} when it is not accepted
   */
  async get(source: ModuleSource, signal: AbortSignal): Promise<Program> {
    const name = nameOf(source);
    const known = name === undefined ? undefined : this.#known.get(name);
    if (name !== undefined && known !== undefined) return this.#keep(name, known);
    const bytes = await this.#read(source, signal);
    if (source.sha256 !== undefined) await checkSha256(bytes, source.sha256);
    const program = await this.#deps.engine.prepare(bytes, signal);
    return name === undefined ? program : this.#keep(name, program);
  }

  async #read(source: ModuleSource, signal: AbortSignal): Promise<Uint8Array> {
    if (source.kind === "inline") return source.bytes;
    if (source.kind === "object") return await source.file.bytes({ maxBytes: this.#options.moduleBytes });
    const { fetchModule } = this.#deps;
    if (fetchModule === undefined) {
      throw refused(
        "PERMISSION_DENIED",
        "this node fetches no modules; send the module with the run, or as an object",
      );
    }
    return await fetchModule(source.url, signal);
  }

  #keep(name: string, program: Program): Program {
    this.#drop(name);
    this.#known.set(name, program);
    this.#knownBytes += sizeOf(program);
    for (const oldest of this.#known.keys()) {
      if (this.#knownBytes <= this.#options.knownBytes) break;
      this.#drop(oldest);
    }
    return program;
  }

  #drop(name: string): void {
    const program = this.#known.get(name);
    if (program === undefined) return;
    this.#known.delete(name);
    this.#knownBytes -= sizeOf(program);
  }
}

/** A program keeps its module and its code alive, also when the engine's cache has let go of it. */
function sizeOf({ modules }: Program): number {
  return modules.reduce((sum, { bytes, meteredBytes }) => sum + bytes + meteredBytes, 0);
}

/**
 * What a module is known by. The place is part of it: who may not read an object must not run it because its
 * SHA-256 is known.
 */
function nameOf(source: ModuleSource): string | undefined {
  if (source.kind === "inline" || source.sha256 === undefined) return undefined;
  const place = source.kind === "url" ? source.url : source.file.objectKey;
  return place === undefined ? undefined : JSON.stringify([source.kind, place, source.sha256]);
}

/** Off this thread, which is the stream's: a large module takes a while. */
async function checkSha256(bytes: Uint8Array, expected: string): Promise<void> {
  const digest = await crypto.subtle.digest("SHA-256", Uint8Array.from(bytes));
  const actual = Buffer.from(digest).toString("hex");
  if (actual === expected) return;
  throw new TerminalError(
    `[WASM_OTHER_MODULE] the module's SHA-256 is ${actual}, and ${expected} was asked for; send the right module, or correct module_sha256`,
    { code: "INVALID_INPUT" },
  );
}
