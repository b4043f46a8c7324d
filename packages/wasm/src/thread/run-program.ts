import { Script } from "node:vm";
import { runExecute } from "../abi/execute.ts";
import { runCommand } from "../abi/wasi/run-command.ts";
import type { Abi } from "../abi/abi.ts";
import { runCli, runHandler } from "../component/run-component.ts";
import { WasmError } from "../errors.ts";
import type { RunEnd } from "../outcome.ts";
import { endOfError } from "./classify-end.ts";
import type { FromRunThread, RunAbi, ThreadProgram, ThreadRun } from "./protocol.ts";
import { OneRunHost, type RunHostDeps } from "./run-host.ts";

const ABIS: Readonly<Record<Abi, RunAbi>> = {
  execute: runExecute,
  command: runCommand,
  cli: runCli,
  handler: runHandler,
};

/** What it takes to run a program in a thread. */
export interface RunOptions {
  readonly run: ThreadRun;
  readonly program: ThreadProgram;
  /** See {@link ToRunThread}. */
  readonly watchMs: number | undefined;
  readonly deps: Omit<RunHostDeps, "isComponent">;
}

/** Runs a program once; says how it ended. Nothing that a guest does makes it throw. */
export function runProgram({ run, program, watchMs, deps }: RunOptions): FromRunThread {
  const beganMs = performance.now();
  const host = new OneRunHost(run, { ...deps, isComponent: program.kind === "component" });
  let end: RunEnd;
  try {
    const runAbi = () => ABIS[run.abi](program, host);
    const ended = watchMs === undefined ? runAbi() : runWatched(runAbi, watchMs);
    end = host.counters.end() ?? host.stopped ?? ended;
  } catch (error) {
    if (error instanceof WasmError && error.code === "BAD_REQUEST") {
      return { kind: "refused", id: run.id, message: error.message };
    }
    end = isTimeUp(error)
      ? { kind: "timed_out", limitMs: run.limits.timeMs }
      : (host.counters.end() ?? host.stopped ?? endOfError(error, run.limits.stackBytes));
  }
  const spent = {
    fuel: host.counters.fuelSpent,
    timeMs: performance.now() - beganMs,
    memoryBytes: host.counters.memoryBytes,
    hostCalls: host.hostCalls,
  };
  const { foldedStacks } = host;
  const ended = { kind: "ended", id: run.id, spent, stderr: host.stderr(), end } as const;
  return foldedStacks === undefined ? ended : { ...ended, foldedStacks };
}

let watched: (() => unknown) | undefined;
(globalThis as Record<string, unknown>)["subnetWorkerRun"] = () => watched?.();
const WATCHED = new Script("subnetWorkerRun()", { filename: "run.js" });

/**
 * Runs what V8 stops after that time. The thread lives on, so that what the run has used can be read. It takes a thread
 * of the system for the time, which costs more than a short run.
 */
function runWatched<T>(run: () => T, timeoutMs: number): T {
  watched = run;
  try {
    return WATCHED.runInThisContext({ timeout: timeoutMs }) as T;
  } finally {
    watched = undefined;
  }
}

function isTimeUp(error: unknown): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === "ERR_SCRIPT_EXECUTION_TIMEOUT";
}
