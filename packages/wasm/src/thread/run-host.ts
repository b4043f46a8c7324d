import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { COUNTERS_MODULE, PROFILE_TABLE } from "../meter/meter.ts";
import type { RunEnd } from "../outcome.ts";
import { createProfiler, type Profiler } from "../profile/profiler.ts";
import { Wasm, type WasmTable } from "../web-assembly.ts";
import { ByteLog } from "./byte-log.ts";
import { CELL, type FromRunThread, type RunHost, type ThreadRun, type ToRunThread } from "./protocol.ts";
import { RunCounters } from "./run-counters.ts";
import { createWorld, type World } from "./world.ts";

/** What runs of a thread have in common. */
export interface RunHostDeps {
  readonly port: MessagePort;
  readonly cells: BigInt64Array<SharedArrayBuffer>;
  /** See `createUncatchable`. */
  readonly uncatchable: Error;
  readonly isComponent: boolean;
}

type CoreModule = Parameters<RunHost["instantiate"]>[0];
type Exports = Readonly<Record<string, unknown>>;

/** Reports that may be on their way to the engine; then the thread waits, or a loop of them would drown it. */
const MOST_REPORTS = 256;
/** Longer messages are cut. */
const LONGEST_MESSAGE = 16_384;
/** Called by the host while the guest waits for it, so they must leave its stack as it was. */
const ALLOCATOR = /realloc/;

/** The host of one run. */
export class OneRunHost implements RunHost {
  readonly run: ThreadRun;
  readonly counters: RunCounters;
  readonly #deps: RunHostDeps;
  readonly #world: World;
  readonly #stdout = new ByteLog();
  readonly #stderr = new ByteLog();
  #hostCalls = 0;
  #reports = 0n;
  /** Why the host ended the run. Nothing that a guest or its glue does later changes it. */
  #stopped: RunEnd | undefined;
  #profiler: Profiler | undefined;

  constructor(run: ThreadRun, deps: RunHostDeps) {
    this.run = run;
    this.#deps = deps;
    this.counters = new RunCounters(run.limits);
    this.#world = createWorld(run.world);
    if (deps.isComponent) this.counters.create();
  }

  get stopped(): RunEnd | undefined {
    return this.#stopped;
  }

  get hostCalls(): number {
    return this.#hostCalls;
  }

  get foldedStacks(): string | undefined {
    return this.#profiler?.foldedStacks();
  }

  enter(): void {
    const { limits } = this.run;
    this.#hostCalls += 1;
    this.#tell();
    if (this.#stopped !== undefined) throw this.#deps.uncatchable;
    if (this.#hostCalls > limits.hostCalls) {
      this.#hostCalls = limits.hostCalls;
      this.stop({ kind: "too_many_host_calls", limit: limits.hostCalls });
    }
    this.#checkFuel();
  }

  stop(end: RunEnd): never {
    this.#stopped ??= end;
    throw this.#deps.uncatchable;
  }

  charge(fuel: number): void {
    this.counters.burn(fuel);
    this.#checkFuel();
  }

  instantiate(
    { module, facts, start }: CoreModule,
    imports: Readonly<Record<string, Exports>>,
    beforeStart?: (exports: Exports) => void,
  ): Exports {
    const refused = this.counters.take(facts);
    if (refused !== undefined) this.stop(refused);
    const { counters } = this.counters;
    const shared = counters === undefined ? imports : { ...imports, [COUNTERS_MODULE]: { ...counters } };
    const { exports } = new Wasm.Instance(module, shared);
    if (counters === undefined) this.counters.adopt(exports);
    this.#profile(exports, facts);
    const guarded = this.#deps.isComponent ? this.#guardAllocators(exports) : exports;
    beforeStart?.(guarded);
    if (start !== undefined) {
      (exports[start] as () => void)();
      this.counters.resetStack();
    }
    return guarded;
  }

  writeOutput(bytes: Uint8Array): void {
    const { outputBytes } = this.run.limits;
    const actualBytes = this.#stdout.length + bytes.length;
    if (actualBytes > outputBytes) {
      this.stop({ kind: "output_too_large", limitBytes: outputBytes, actualBytes });
    }
    this.#stdout.append(bytes);
  }

  writeStderr(bytes: Uint8Array): void {
    const room = this.run.limits.stderrBytes - this.#stderr.length;
    if (room > 0) this.#stderr.append(bytes.subarray(0, room));
  }

  output(): Uint8Array<ArrayBuffer> {
    return this.#stdout.bytes();
  }

  stderr(): Uint8Array<ArrayBuffer> {
    return this.#stderr.bytes();
  }

  wallClockNs(): bigint {
    return this.#world.wallClockNs();
  }

  monotonicNs(): bigint {
    return this.#world.monotonicNs();
  }

  sleepNs(durationNs: bigint): void {
    this.#world.sleepNs(durationNs);
  }

  randomBytes(length: number): Uint8Array {
    return this.#world.randomBytes(length);
  }

  progress(fraction: number | undefined, message: string): void {
    this.#report({ kind: "progress", id: this.run.id, fraction, message: message.slice(0, LONGEST_MESSAGE) });
  }

  log(level: "debug" | "info" | "warn" | "error", message: string): void {
    this.#report({ kind: "log", id: this.run.id, level, message: message.slice(0, LONGEST_MESSAGE) });
  }

  send(request: Parameters<RunHost["send"]>[0]): ReturnType<RunHost["send"]> {
    if (!this.run.maySend) return { error: "this run may not send requests" };
    const { cells, port } = this.#deps;
    const seen = Atomics.load(cells, CELL.answers);
    this.#say({ kind: "send", id: this.run.id, request });
    Atomics.wait(cells, CELL.answers, seen);
    const received = receiveMessageOnPort(port)?.message as ToRunThread | undefined;
    if (received?.kind !== "answer") throw new Error("the engine woke a thread without an answer");
    return received.answer;
  }

  #say(message: FromRunThread): void {
    this.#deps.port.postMessage(message);
  }

  #report(message: FromRunThread): void {
    this.#say(message);
    this.#reports += 1n;
    const { cells } = this.#deps;
    for (;;) {
      const taken = Atomics.load(cells, CELL.taken);
      if (this.#reports - taken < MOST_REPORTS) return;
      Atomics.wait(cells, CELL.taken, taken);
    }
  }

  /** Leaves word of what was used until now, for when the thread is ended. */
  #tell(): void {
    const { cells } = this.#deps;
    cells[CELL.fuel] = this.counters.fuelSpent;
    cells[CELL.hostCalls] = BigInt(this.#hostCalls);
    cells[CELL.memoryBytes] = BigInt(this.counters.memoryBytes);
  }

  #checkFuel(): void {
    if (this.counters.fuelLeft < 0n) {
      this.stop({ kind: "out_of_fuel", limit: this.run.limits.fuel });
    }
  }

  #profile(exports: Exports, facts: CoreModule["facts"]): void {
    const { counters } = this.counters;
    if (!this.run.isProfiled || counters === undefined) return;
    this.#profiler ??= createProfiler(counters.fuel);
    this.#profiler.attach({ table: exports[PROFILE_TABLE] as WasmTable, facts });
  }

  #guardAllocators(exports: Exports): Exports {
    const { counters } = this.counters;
    const guarded: Record<string, unknown> = Object.assign(Object.create(null) as object, exports);
    for (const [name, value] of Object.entries(exports)) {
      if (counters === undefined || typeof value !== "function" || !ALLOCATOR.test(name)) continue;
      const allocate = value as (...args: readonly unknown[]) => unknown;
      guarded[name] = (...args: readonly unknown[]) => {
        const left = counters.stack.value;
        const result = allocate(...args);
        counters.stack.value = left;
        return result;
      };
    }
    return guarded;
  }
}
