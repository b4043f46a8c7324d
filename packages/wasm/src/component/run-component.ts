import { WasmError } from "../errors.ts";
import type { AbiEnd, RunHost, ThreadProgram } from "../thread/protocol.ts";
import { Wasm, type WasmImports, type WasmModule } from "../web-assembly.ts";
import { type CoreModule, evaluateGlue } from "./glue.ts";
import { GuestHost } from "./guest-host.ts";
import { MemoryWatch } from "./memory-watch.ts";
import { toEnd, toValue } from "./value.ts";
import { hostInterfaces } from "./wasi/interfaces.ts";

type ComponentProgram = Extract<ThreadProgram, { readonly kind: "component" }>;
type Exports = Readonly<Record<string, unknown>>;

const HTTP = /^wasi:http\//;
const CLI_RUN = "wasi:cli/run";
const HANDLER_RUN = "run";

/** A failure that a component tells is cut to that: it goes into logs and over the network, whatever the output may be. */
const CODE_CHARS = 256;
const MESSAGE_CHARS = 8_192;

/**
 * Runs a component that exports `wasi:cli/run`. Its stdin is the input, its stdout the output. `run` that gives an
 * error, and an exit code that is not 0, are a `guest_error` with what it wrote to stderr as the message.
 *
 * All of its core modules count in the same fuel, and share the limits of memory.
 *
 * @throws what the guest threw or the host stopped it by
 */
export function runCli(program: ThreadProgram, host: RunHost): AbiEnd {
  return start(program, host, {
    isExport: (name) => /^wasi:cli\/run@0\.2\.\d+$/.test(name),
    missing: CLI_RUN,
    call: (exports) => callCli(exports, host),
  });
}

/**
 * Runs a component of the world `subnet:worker/handler`. Its failure is a `guest_error` with the code 1, its own code in
 * `failure`. What it prints goes to stderr.
 *
 * @throws {WasmError} `BAD_REQUEST` for an input that is said to be text and is not UTF-8
 * @throws what the guest threw or the host stopped it by
 */
export function runHandler(program: ThreadProgram, host: RunHost): AbiEnd {
  const { input, inputType, limits } = host.run;
  const value = toValue(input, inputType);
  if (value === undefined) {
    throw new WasmError(
      "BAD_REQUEST",
      `The input is said to be ${inputType}, and is not UTF-8; send it as bytes`,
    );
  }
  return start(program, host, {
    isExport: (name) => name === HANDLER_RUN,
    missing: HANDLER_RUN,
    call: (exports) =>
      toEnd((exports[HANDLER_RUN] as (input: unknown) => unknown)(value), limits.outputBytes),
  });
}

interface World {
  /** Whether a name is that of the export that is called. */
  readonly isExport: (name: string) => boolean;
  readonly missing: string;
  readonly call: (exports: Exports) => AbiEnd;
}

function start(program: ThreadProgram, host: RunHost, world: World): AbiEnd {
  if (program.kind !== "component" || !program.exports.some(world.isExport)) {
    const what = program.kind === "component" ? "The component" : "A core module, which is no component,";
    return {
      kind: "missing_export",
      name: world.missing,
      message: `${what} does not export ${world.missing}`,
    };
  }
  const refused = program.imports.find((name) => HTTP.test(name));
  if (refused !== undefined && !host.run.maySend) {
    const message = `The component imports ${refused}, and this run may not send requests; grant it, or build it without`;
    return { kind: "refused_import", name: refused, message };
  }
  const guest = new GuestHost(host);
  try {
    return world.call(instantiate(program, host, guest));
  } catch (error) {
    if (guest.thrown !== undefined) throw guest.thrown.error;
    return endOf(error, host);
  }
}

function instantiate(program: ComponentProgram, host: RunHost, guest: GuestHost): Exports {
  const watch = new MemoryWatch(guest);
  const byModule = new Map<WasmModule, CoreModule>();
  const getCore = (name: string): WasmModule => {
    const core = program.modules.get(name);
    if (core === undefined) throw new Error(`the glue asks for the core module ${name}, which there is not`);
    byModule.set(core.module, core);
    return core.module;
  };
  const instantiateCore = (module: WasmModule, imports: WasmImports = {}) => {
    const core = byModule.get(module);
    if (core === undefined) throw new Error("the glue makes an instance of a module that is not its own");
    return { exports: watch.watched(host.instantiate(core, watch.unwatched(imports))) };
  };
  const onDecode = (sizeBytes: number) => watch.copies(sizeBytes);
  return evaluateGlue(program, onDecode)(getCore, refusing(hostInterfaces(guest), guest), instantiateCore);
}

/** A component may import a function of an interface that the interface does not have. */
function refusing(
  interfaces: Readonly<Record<string, object>>,
  guest: GuestHost,
): Readonly<Record<string, object>> {
  const refuse = (face: string) => ({
    get(target: object, name: string | symbol): unknown {
      if (typeof name === "symbol" || Object.hasOwn(target, name)) return Reflect.get(target, name);
      const message = `The component imports ${name} of ${face}, which there is not; build it without`;
      return guest.stop({ kind: "refused_import", name: `${face}#${name}`, message });
    },
  });
  return Object.fromEntries(
    Object.entries(interfaces).map(([face, items]) => [face, new Proxy(items, refuse(face))]),
  );
}

function callCli(exports: Exports, host: RunHost): AbiEnd {
  const name = Object.keys(exports).find((key) => key.startsWith(`${CLI_RUN}@`));
  const { run } = exports[name ?? ""] as { readonly run: () => unknown };
  run();
  return { kind: "completed", output: host.output() };
}

/** What jco writes into the errors of V8's traps in the place of V8's words. */
const V8_WORDS: ReadonlyMap<string, string> = new Map([
  ["wasm trap: wasm `unreachable` instruction executed", "unreachable"],
  ["wasm trap: out of bounds memory access", "memory access out of bounds"],
  ["wasm trap: integer divide by zero", "divide by zero"],
  ["wasm trap: integer overflow", "divide result unrepresentable"],
  ["wasm trap: invalid conversion to integer", "float unrepresentable in integer range"],
  ["wasm trap: undefined element: out of bounds table access", "table index is out of bounds"],
  ["wasm trap: indirect call type mismatch", "function signature mismatch"],
]);

/** The end that an error of the glue means. Those of the guest and of V8 are thrown on, for the engine to read. */
function endOf(error: unknown, host: RunHost): AbiEnd {
  if (error instanceof Wasm.RuntimeError) error.message = V8_WORDS.get(error.message) ?? error.message;
  if (error instanceof Wasm.RuntimeError || error instanceof Wasm.Exception) throw error;
  const { name, message } = error as Error;
  // The glue has a RangeError of its own context.
  if (name === "RangeError" && message.startsWith("Maximum call stack")) throw new RangeError(message);
  const isFailure = Object.hasOwn(error as object, "payload");
  if (isFailure) return failed((error as { readonly payload: unknown }).payload, host);
  return { kind: "bad_output", message: `The component breaks the rules of its interfaces: ${message}` };
}

/** What the glue throws when the export gives an error. */
function failed(payload: unknown, host: RunHost): AbiEnd {
  if (host.run.abi === "cli") {
    const message = new TextDecoder().decode(host.stderr());
    return { kind: "guest_error", code: 1, message, output: host.output() };
  }
  if (!isFailureRecord(payload))
    return { kind: "bad_output", message: "run failed with no failure of subnet:worker/types" };
  const failure = { code: payload.code.slice(0, CODE_CHARS), isRetryable: payload.retryable };
  const message = payload.message.slice(0, MESSAGE_CHARS);
  return { kind: "guest_error", code: 1, message, failure, output: host.output() };
}

function isFailureRecord(
  payload: unknown,
): payload is { readonly code: string; readonly message: string; readonly retryable: boolean } {
  if (typeof payload !== "object" || payload === null) return false;
  const { code, message, retryable } = payload as Readonly<Record<string, unknown>>;
  return typeof code === "string" && typeof message === "string" && typeof retryable === "boolean";
}
