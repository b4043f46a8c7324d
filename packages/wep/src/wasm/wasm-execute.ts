import type { Engine, RunOutcome, RunRequest, SendRequest } from "@subnet-worker/wasm";
import {
  CancelledError,
  defineHandler,
  type Handler,
  type InputValue,
  isInputFile,
  type OutputValue,
  type RunContext,
  TerminalError,
} from "@subnet-worker/wep-sdk";
import type { WasmConfig } from "./wasm-config.ts";
import { failureOf, failureOfError } from "./wasm-failure.ts";
import type { WasmMetrics } from "./wasm-metrics.ts";
import { type FetchModule, WasmPrograms } from "./wasm-programs.ts";
import { parseTask, type WasmTask } from "./wasm-task.ts";

export interface WasmExecuteDeps {
  readonly engine: Engine;
  readonly metrics: WasmMetrics;
  /** `undefined`: modules are not fetched from URLs. */
  readonly fetchModule?: FetchModule | undefined;
  /** `undefined`: programs that want HTTP are refused. */
  readonly send?: SendRequest | undefined;
}

/** What activities call the handler. */
export const WASM_KIND = "wasm.execute";

const MIB = 1_048_576;

type Outputs = Record<string, OutputValue>;
type Ended = Extract<RunOutcome, { readonly kind: "completed" | "guest_error" }>;

/** Makes one output of a run. */
type MakeOutput = (outcome: Ended) => OutputValue;

/** What a result has where no spec says what it is to have. */
const OUTPUTS: Readonly<Record<string, MakeOutput>> = {
  kind: ({ kind }) => kind,
  output: ({ output }) => output,
  exit_code: (outcome) => (outcome.kind === "guest_error" ? outcome.code : 0),
  message: (outcome) => (outcome.kind === "guest_error" ? outcome.message : ""),
  fuel: ({ fuel }) => fuel,
  time_ms: ({ timeMs }) => Math.round(timeMs),
  memory_peak_bytes: ({ memoryBytes }) => memoryBytes,
  host_calls: ({ hostCalls }) => hostCalls,
  stderr: ({ stderr }) => new TextDecoder().decode(stderr),
};

/** What a spec may ask for besides. */
const MORE_OUTPUTS: Readonly<Record<string, MakeOutput>> = {
  output_text: ({ output }) => textOf(output),
  output_type: (outcome) => (outcome.kind === "completed" ? (outcome.outputType ?? "") : ""),
  // Content in the place of an object key is uploaded.
  output_object_key: ({ output }) => output,
};

/**
 * The handler of `wasm.execute` 1.0.0. It runs in the process itself, beside the stream: the programs run on the
 * engine's threads, and what is done here is little.
 */
export function createWasmExecute(config: WasmConfig, deps: WasmExecuteDeps): Handler {
  const { engine, fetchModule } = deps;
  const programs = new WasmPrograms(
    { moduleBytes: config.module.max_mb * MIB, knownBytes: config.cache.memory_mb * MIB },
    { engine, fetchModule },
  );
  const folder: FolderState = { failure: undefined };
  return defineHandler<Record<string, InputValue>, Outputs>({
    kind: WASM_KIND,
    version: "1.0.0",
    class: "cpu",
    run: (inputs, ctx) => execute({ inputs, ctx, config, programs, folder, deps }),
  });
}

/** What the log was told last of the folder of modules. */
interface FolderState {
  failure: string | undefined;
}

interface Execution {
  readonly inputs: Readonly<Record<string, InputValue>>;
  readonly ctx: RunContext;
  readonly config: WasmConfig;
  readonly programs: WasmPrograms;
  readonly folder: FolderState;
  readonly deps: WasmExecuteDeps;
}

async function execute(execution: Execution): Promise<Outputs> {
  const { ctx, deps } = execution;
  const { task, run } = await begin(execution);
  const outcome = await run();
  deps.metrics.runEnded(outcome.kind, outcome);
  if (outcome.kind === "completed" || (outcome.kind === "guest_error" && !task.failsWithGuest)) {
    return outputsOf(outcome, ctx.outputs);
  }
  if (outcome.kind !== "cancelled") throw failureOf(outcome);
  ctx.signal.throwIfAborted();
  throw new CancelledError("requested", "the run was ended with the engine");
}

/** Everything that can refuse a run: nothing is burned before it. */
async function begin(execution: Execution) {
  const { inputs, ctx, config, programs, deps } = execution;
  try {
    makersOf(ctx.outputs);
    const task = parseTask(inputs, config);
    const input = isInputFile(task.input)
      ? await task.input.bytes({ maxBytes: config.limits.memory_mb * MIB })
      : task.input;
    const program = await programs.get(task.module, ctx.signal);
    deps.metrics.prepared(program.prepareMs);
    tellFolder(execution);
    const request = requestOf(task, input, execution);
    return { task, run: () => deps.engine.run(program, request).catch(rethrow) };
  } catch (error) {
    // A run that was stopped was not refused.
    if (!ctx.signal.aborted) deps.metrics.refused();
    return rethrow(error);
  }
}

function tellFolder({ folder, ctx, deps }: Execution): void {
  const { folderFailure: failure } = deps.engine.stats;
  if (failure === folder.failure) return;
  folder.failure = failure;
  if (failure !== undefined) {
    ctx.log.warn({ failure }, "wasm.cache.folder cannot be used; modules are metered anew (check its disk)");
  }
}

function rethrow(error: unknown): never {
  throw failureOfError(error) ?? error;
}

function requestOf(task: WasmTask, input: Uint8Array, { ctx, deps: { send } }: Execution): RunRequest {
  return {
    ...task.request,
    input,
    signal: ctx.signal,
    onLog: relayLog(ctx),
    onProgress(fraction, message) {
      // It never rejects.
      void ctx.progress(fraction === undefined ? Number.NaN : fraction * 100, message);
    },
    ...(send === undefined ? {} : { send }),
  };
}

/** Lines of one run that reach the log, and how long they may be: a program may write a million. */
const MOST_LINES = 1_000;
const LONGEST_LINE = 4_096;

function relayLog({ log }: RunContext): NonNullable<RunRequest["onLog"]> {
  let lines = 0;
  return (level, message) => {
    lines += 1;
    if (lines <= MOST_LINES) log[level]({ wasm: true }, message.slice(0, LONGEST_LINE).toWellFormed());
    else if (lines === MOST_LINES + 1)
      log.warn(`the program logs more than ${MOST_LINES} lines; the rest is left out`);
  };
}

function outputsOf(outcome: Ended, declared: readonly string[]): Outputs {
  return Object.fromEntries([...makersOf(declared)].map(([name, make]) => [name, make(outcome)]));
}

/** @throws {TerminalError} for an output that there is not, before anything is run */
function makersOf(declared: readonly string[]): ReadonlyMap<string, MakeOutput> {
  const all: Readonly<Record<string, MakeOutput>> = { ...OUTPUTS, ...MORE_OUTPUTS };
  const names = declared.length === 0 ? Object.keys(OUTPUTS) : declared;
  return new Map(
    names.map((name) => {
      const make = Object.hasOwn(all, name) ? all[name] : undefined;
      if (make !== undefined) return [name, make];
      throw new TerminalError(
        `[WASM_BAD_REQUEST] the activity's spec wants an output "${name}"; wasm.execute has ${Object.keys(all).join(", ")}; correct the spec`,
        { code: "INVALID_FORMAT" },
      );
    }),
  );
}

function textOf(output: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(output);
  } catch (error) {
    throw new TerminalError(
      "[WASM_BAD_OUTPUT] the program's output is no UTF-8, and the spec wants it as output_text; declare output, or write text",
      { code: "INVALID_FORMAT", cause: error },
    );
  }
}
