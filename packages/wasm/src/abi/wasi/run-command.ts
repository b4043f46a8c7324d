import type { AbiEnd, RunHost, ThreadProgram } from "../../thread/protocol.ts";
import { memoryOf, missingFunction, notCoreModule } from "../core-exports.ts";
import { type CommandCall, COMMAND_OFFERS } from "./functions.ts";
import { GuestMemory } from "./guest-memory.ts";
import { linkImports } from "./link-imports.ts";
import { Stdio } from "./stdio.ts";
import { createArgs, createEnvironment } from "./string-list.ts";

const START = "_start";

/**
 * Runs a command of WASI preview 1: `_start`, with the input as stdin, and stdout as the output. Preview 1 is all
 * there; of what is outside of the run it reaches nothing: no files, no sockets, clocks and randomness of the run's
 * world. A command without `memory` runs, and every pointer that it passes is a fault.
 *
 * An exit code other than 0 is a `guest_error` with what the command wrote to stderr as its message.
 *
 * @throws {WasmError} `BAD_REQUEST` for arguments or an environment that cannot be passed
 */
export function runCommand(program: ThreadProgram, host: RunHost): AbiEnd {
  if (program.kind !== "module") return notCoreModule(START);
  const { facts } = program;
  const missing = missingFunction(facts, START, { params: [], results: [] });
  if (missing !== undefined) return missing;
  const memory = new GuestMemory();
  const call: CommandCall = {
    host,
    memory,
    stdio: new Stdio(host.run.input),
    args: createArgs(host.run.args),
    environment: createEnvironment(host.run.env),
    exit: (code) => host.stop(endOfExit(host, code)),
  };
  const linked = linkImports(facts, COMMAND_OFFERS, { abiName: "a command", call });
  if (linked.kind !== "linked") return linked;
  const exports = host.instantiate(program, linked.imports, (early) => memory.bind(memoryOf(facts, early)));
  (exports[START] as () => void)();
  return { kind: "completed", output: host.output() };
}

function endOfExit(host: RunHost, code: number): AbiEnd {
  const output = host.output();
  if (code === 0) return { kind: "completed", output };
  const message = new TextDecoder().decode(host.stderr()).trimEnd();
  return { kind: "guest_error", code, message, output };
}
