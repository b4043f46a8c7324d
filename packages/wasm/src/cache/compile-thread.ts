import { workerData } from "node:worker_threads";
import { WasmError } from "../errors.ts";
import type { ModuleFacts } from "../meter/facts.ts";
import { DEFAULT_MODULE_LIMITS } from "../limits.ts";
import { meterModule } from "../meter/meter-module.ts";
import type { ThreadProgram } from "../thread/protocol.ts";
import { compileProgram, meterProgram } from "./compile-program.ts";
import type {
  Compiled,
  CompileThreadData,
  FromCompileThread,
  LeaveCompileThread,
  ToCompileThread,
} from "./compile-protocol.ts";
import { ProgramFolder } from "./program-folder.ts";
import { createSampleModule } from "./sample-module.ts";
import { STORED_VERSION } from "./stored-program.ts";

const { port, limits, folder: folderOptions } = workerData as CompileThreadData;

/** How often the sample is metered: until V8 has optimized the meter. */
const WARM_ROUNDS = 60;

const folder = openFolder();

function openFolder(): ProgramFolder | undefined {
  if (folderOptions === undefined) return undefined;
  return withFolder(() => new ProgramFolder(folderOptions));
}

function say(message: FromCompileThread): void {
  port.postMessage(message);
}

/** A folder that fails costs speed, not programs; the engine hears of it. */
function withFolder<T>(use: () => T): T | undefined {
  try {
    return use();
  } catch (error) {
    say({ kind: "folder_failed", message: error instanceof Error ? error.message : String(error) });
    return undefined;
  }
}

async function handle({ bytes, sha256, isProfiled }: ToCompileThread): Promise<void> {
  const key = `${sha256}-${STORED_VERSION}-${limits.functionBytes}-${limits.functions}${isProfiled ? "-profiled" : ""}`;
  const give = (compiled: Compiled) =>
    say({ kind: "compiled", compiled: isProfiled ? compiled : withoutNames(compiled) });
  const found = readCompiled(key);
  if (found !== undefined) {
    give(found);
    return;
  }
  const stored = await meterProgram(bytes, { limits, isProfiled });
  give(compileProgram(stored, "meter"));
  if (folder !== undefined) withFolder(() => folder.write(key, stored));
}

/** The program of the folder; `undefined` when it has none that this version of V8 takes. */
function readCompiled(key: string): Compiled | undefined {
  return withFolder(() => {
    const stored = folder?.read(key);
    if (stored === undefined) return undefined;
    try {
      return compileProgram(stored, "folder");
    } catch (error) {
      folder?.remove(key);
      throw error;
    }
  });
}

/** Names are many, and only a profile looks at them in a thread. */
function withoutNames(compiled: Compiled): Compiled {
  const { program } = compiled;
  const strip = (facts: ModuleFacts): ModuleFacts => ({ ...facts, functionNames: [] });
  if (program.kind === "module") {
    return { ...compiled, program: { ...program, facts: strip(program.facts) } };
  }
  const modules = Array.from(
    program.modules,
    ([name, core]) => [name, { ...core, facts: strip(core.facts) }] as const,
  );
  const stripped: ThreadProgram = { ...program, modules: new Map(modules) };
  return { ...compiled, program: stripped };
}

function failureOf(error: unknown): FromCompileThread {
  if (error instanceof WasmError) {
    const { code, message, details } = error;
    return { kind: "failed", code, message, details };
  }
  throw error;
}

async function serve(message: ToCompileThread): Promise<void> {
  try {
    await handle(message);
  } catch (error) {
    say(failureOf(error));
  }
}

port.on("message", (message: ToCompileThread | LeaveCompileThread) => {
  // It comes after whatever was being written to the folder.
  if ("kind" in message) process.exit();
  // What is no WasmError ends the thread, as a fault of ours must; the engine starts another.
  void serve(message);
});
say({ kind: "ready" });

/** One round at a time, so that a program that comes meanwhile waits for a round at most. */
function warm(sample: Uint8Array, rounds: number): void {
  meterModule(sample, { counters: "own", placement: "fast", limits: DEFAULT_MODULE_LIMITS });
  if (rounds > 1) setImmediate(warm, sample, rounds - 1);
}
setImmediate(() => warm(createSampleModule(), WARM_ROUNDS));
