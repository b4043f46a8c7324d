import type { FunctionTypeFact, ModuleFacts } from "../src/meter/facts.ts";
import { type CommandCall, COMMAND_OFFERS } from "../src/abi/wasi/functions.ts";
import { GuestMemory } from "../src/abi/wasi/guest-memory.ts";
import { linkImports, WASI_MODULE } from "../src/abi/wasi/link-imports.ts";
import { Stdio } from "../src/abi/wasi/stdio.ts";
import { createArgs, createEnvironment } from "../src/abi/wasi/string-list.ts";
import type { RunEnd } from "../src/outcome.ts";
import type { RunHost, StopRun, ThreadRun } from "../src/thread/protocol.ts";
import { Wasm } from "../src/web-assembly.ts";
import { DEFAULT_LIMITS } from "../src/limits.ts";

/** What the host of these tests throws to end a run. */
export class Stopped extends Error implements StopRun {
  readonly end: RunEnd;

  constructor(end: RunEnd) {
    super(end.kind);
    this.end = end;
  }
}

/** A host in memory, in a seeded world, which shows what an ABI did with it. */
export interface TestHost extends RunHost {
  readonly seen: {
    entered: number;
    fuel: number;
    nowNs: bigint;
    slept: bigint[];
    readonly stdout: number[];
    readonly stderr: number[];
  };
}

export function createTestHost(run: Partial<ThreadRun> = {}): TestHost {
  const seen: TestHost["seen"] = { entered: 0, fuel: 0, nowNs: 0n, slept: [], stdout: [], stderr: [] };
  const limits = { ...DEFAULT_LIMITS, ...run.limits };
  let random = 1;
  const readNs = (): bigint => {
    seen.nowNs += 1000n;
    return seen.nowNs;
  };
  const stop = (end: RunEnd): never => {
    throw new Stopped(end);
  };
  return {
    seen,
    run: { ...DEFAULT_RUN, ...run, limits },
    stop,
    enter() {
      seen.entered += 1;
      if (seen.entered > limits.hostCalls) stop({ kind: "too_many_host_calls", limit: limits.hostCalls });
    },
    charge(fuel) {
      if (!Number.isSafeInteger(fuel) || fuel < 0) throw new Error(`charged ${fuel}`);
      seen.fuel += fuel;
      if (BigInt(seen.fuel) > limits.fuel) stop({ kind: "out_of_fuel", limit: limits.fuel });
    },
    writeOutput(bytes) {
      const actualBytes = seen.stdout.length + bytes.length;
      const limitBytes = limits.outputBytes;
      if (actualBytes > limitBytes) stop({ kind: "output_too_large", limitBytes, actualBytes });
      for (const byte of bytes) seen.stdout.push(byte);
    },
    writeStderr(bytes) {
      for (const byte of bytes.subarray(0, limits.stderrBytes - seen.stderr.length)) seen.stderr.push(byte);
    },
    output: () => Uint8Array.from(seen.stdout),
    stderr: () => Uint8Array.from(seen.stderr),
    wallClockNs: () => readNs() + 1_000_000_000n,
    monotonicNs: readNs,
    sleepNs(durationNs) {
      seen.slept.push(durationNs);
      seen.nowNs += durationNs;
    },
    randomBytes(length) {
      return Uint8Array.from({ length }, () => (random = (random * 48_271) % 2_147_483_647) & 0xff);
    },
    instantiate() {
      throw new Error("these tests call the functions themselves");
    },
    progress: () => undefined,
    log: () => undefined,
    send: () => ({ error: "not granted" }),
  };
}

const DEFAULT_RUN: ThreadRun = {
  id: 1,
  programId: 1,
  program: undefined,
  abi: "command",
  input: new Uint8Array(),
  args: [],
  env: {},
  limits: DEFAULT_LIMITS,
  world: { kind: "seeded", seed: 0n, startMs: 0 },
  maySend: false,
  isProfiled: false,
};

/** Facts of a module that imports these functions of WASI and nothing else. */
export function factsOfImports(imports: Readonly<Record<string, FunctionTypeFact>>): ModuleFacts {
  return {
    imports: Object.entries(imports).map(([name, type]) => ({
      module: WASI_MODULE,
      name,
      type: { kind: "function", ...type },
    })),
    exports: [],
    functionCount: 0,
    memoryCount: 0,
    memoryMinPages: 0,
    tableMinElements: 0,
    hasStart: false,
    functionNames: [],
    bytes: 0,
    meteredBytes: 0,
  };
}

/** The functions of a command, with a memory of their own, called as a guest would. */
export interface WasiGuest {
  readonly host: TestHost;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Numbers become i32 as WebAssembly hands them over: with a sign. */
  call(name: string, ...args: readonly (number | bigint)[]): number;
}

export function createWasiGuest(run: Partial<ThreadRun> = {}, pages = 1): WasiGuest {
  const host = createTestHost(run);
  const wasmMemory = new Wasm.Memory({ initial: pages });
  const memory = new GuestMemory();
  memory.bind(wasmMemory);
  const call: CommandCall = {
    host,
    memory,
    stdio: new Stdio(host.run.input),
    args: createArgs(host.run.args),
    environment: createEnvironment(host.run.env),
    exit: (code) => host.stop({ kind: "guest_error", code, message: "", output: new Uint8Array() }),
  };
  const facts = factsOfImports(Object.fromEntries(COMMAND_OFFERS));
  const linked = linkImports(facts, COMMAND_OFFERS, { abiName: "a command", call });
  if (linked.kind !== "linked") throw new Error(linked.message);
  const functions = linked.imports[WASI_MODULE] as Record<string, (...args: unknown[]) => number>;
  return {
    host,
    bytes: new Uint8Array(wasmMemory.buffer),
    view: new DataView(wasmMemory.buffer),
    call: (name, ...args) =>
      functions[name]!(...args.map((arg) => (typeof arg === "bigint" ? BigInt.asIntN(64, arg) : arg | 0))),
  };
}
