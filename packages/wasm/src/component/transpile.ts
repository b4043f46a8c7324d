import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { WasmError } from "../errors.ts";
import type { FromJcoThread, JcoThreadData } from "./jco-thread.ts";

/** What jco makes of a component. */
export interface Transpiled {
  /** JavaScript, an ES module without imports that exports `instantiate`. */
  readonly glue: string;
  /** Core modules, by the names that the JavaScript asks for them. */
  readonly cores: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
}

const IS_SOURCE = import.meta.url.endsWith(".ts");
const MAIN = new URL(IS_SOURCE ? "./jco-thread.ts" : "./jco-thread.js", import.meta.url);

/** JavaScript of the largest components that are known has less than one MiB. */
const GLUE_BYTES = 16 * 1024 * 1024;
/** Of jco's own objects; its memory is outside of it, and capped in the thread. */
const HEAP_MB = 1024;

/** Longer texts of jco are cut: they quote the component. */
const LONGEST_REASON = 400;

/**
 * Has jco take a component apart, in a thread of its own: what a hostile component makes jco panic at, leaves jco
 * unable to work on, and its memory never shrinks.
 *
 * @throws {WasmError} `BAD_MODULE` when jco cannot read it, `MODULE_TOO_LARGE` when its types are, `NOT_INSTALLED`
 *   without jco
 */
export async function transpile(component: Uint8Array): Promise<Transpiled> {
  const workerData: JcoThreadData = { component };
  const worker = new Worker(MAIN, {
    name: "wasm components",
    workerData,
    env: {},
    execArgv: [],
    argv: [],
    // Where jco panics it says so at length; the message of its error says it too.
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    stdout: true,
    stderr: true,
  });
  try {
    const answer = await Promise.race([
      once(worker, "message").then(([message]) => message as FromJcoThread),
      once(worker, "exit").then(([code]): FromJcoThread => ({
        kind: "failed",
        message: `its thread ended: ${code}`,
      })),
    ]);
    return read(answer);
  } catch (error) {
    if (error instanceof WasmError) throw error;
    throw unreadable(String(error), error);
  } finally {
    await worker.terminate();
  }
}

function read(answer: FromJcoThread): Transpiled {
  if (answer.kind === "not_installed") {
    throw new WasmError(
      "NOT_INSTALLED",
      "Components need @bytecodealliance/jco, which is not installed; run: npm install @bytecodealliance/jco@^1.35.0",
    );
  }
  if (answer.kind === "failed") {
    // No fault of the component: the machine had no memory for jco itself.
    if (answer.message.includes("Cannot allocate Wasm memory")) {
      throw new WasmError("HOST_FAULT", "There was no memory to take the component apart; try again");
    }
    throw unreadable(answer.message, undefined);
  }
  const cores = new Map<string, Uint8Array<ArrayBuffer>>();
  for (const [name, bytes] of Object.entries(answer.files)) {
    if (name.endsWith(".wasm")) cores.set(name, Uint8Array.from(bytes));
  }
  const glue = answer.files["component.js"];
  if (glue === undefined) throw unreadable("jco made no JavaScript of it", undefined);
  if (glue.length > GLUE_BYTES) {
    throw new WasmError(
      "MODULE_TOO_LARGE",
      `The types of the component make ${glue.length} bytes of JavaScript, ${GLUE_BYTES} are allowed; use simpler types`,
      { details: { limit: GLUE_BYTES, actual: glue.length } },
    );
  }
  return { glue: new TextDecoder().decode(glue), cores };
}

function unreadable(reason: string, cause: unknown): WasmError {
  const short = reason.length > LONGEST_REASON ? `${reason.slice(0, LONGEST_REASON)}...` : reason;
  return new WasmError("BAD_MODULE", `The component cannot be read: ${short}; build it anew`, { cause });
}
