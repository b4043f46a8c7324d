import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { type Engine, type Program, type RunRequest, createEngine } from "@subnet-worker/wasm";
import { Wasm, type WasmFunction, meterModule } from "@subnet-worker/wasm/bench-meter";
import { percentile } from "../report.ts";
import { withMark } from "./module-editor.ts";

const EMPTY_RUNS = 3_000;
/** Until V8 has optimized what takes part, and the thread that compiles is done with what it does at its start. */
const EMPTY_WARM_UP = 5_000;
const COLD_WARM_UP = 500;
const COLD_RUNS = 9;
const THREADS = 2;
const UNDER_WAY = 8;
const RATE_MS = 3_000;
const CACHED_PROGRAMS = 12;
const METER_ROUNDS = 12;
const MIB = 2 ** 20;

/**
 * `(memory 1) (func (export "execute") (param i32 i32) (result i32) i32.const 0)`, and four bytes of 0 in memory: the
 * empty result.
 */
const EMPTY = new Uint8Array([
  0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
  // types: (i32, i32) -> i32; functions: one of it; a memory of one page
  1, 7, 1, 0x60, 2, 0x7f, 0x7f, 1, 0x7f, 3, 2, 1, 0, 5, 3, 1, 0, 1,
  // exports: "memory", "execute"
  7, 20, 2, 6, 0x6d, 0x65, 0x6d, 0x6f, 0x72, 0x79, 2, 0, 7, 0x65, 0x78, 0x65, 0x63, 0x75, 0x74, 0x65, 0, 0,
  // code: i32.const 0
  10, 6, 1, 4, 0, 0x41, 0, 0x0b,
]);

/** Times of one run from call to answer, microseconds. */
export interface RunTimes {
  readonly p50Us: number;
  readonly p99Us: number;
}

async function complete(engine: Engine, program: Program, request: RunRequest = {}): Promise<void> {
  const outcome = await engine.run(program, request);
  if (outcome.kind !== "completed") throw new Error(`a run ended as ${JSON.stringify(outcome.kind)}`);
}

/** A program that does nothing, one run after the other. */
export async function measureEmptyRuns(): Promise<RunTimes> {
  await using engine = createEngine({ threads: THREADS });
  const program = await engine.prepare(EMPTY);
  return await timesOf(() => complete(engine, program));
}

/** A message to an idle thread and its answer, without anything that an engine does: what a run costs at the least. */
export async function measureMessages(): Promise<RunTimes> {
  const echo =
    'const { parentPort } = require("node:worker_threads"); parentPort.on("message", (m) => parentPort.postMessage(m))';
  const worker = new Worker(echo, { eval: true });
  try {
    return await timesOf(async () => {
      worker.postMessage(0);
      await once(worker, "message");
    });
  } finally {
    await worker.terminate();
  }
}

async function timesOf(run: () => Promise<unknown>): Promise<RunTimes> {
  const tookUs: number[] = [];
  for (let count = 0; count < EMPTY_WARM_UP + EMPTY_RUNS; count += 1) {
    const fromMs = performance.now();
    await run();
    if (count >= EMPTY_WARM_UP) tookUs.push((performance.now() - fromMs) * 1_000);
  }
  return { p50Us: percentile(tookUs, 0.5), p99Us: percentile(tookUs, 0.99) };
}

/** Runs per second of a small program on two threads, with a few requests waiting. */
export async function measureRunsPerSecond(small: Uint8Array, input: Uint8Array): Promise<number> {
  await using engine = createEngine({ threads: THREADS });
  const program = await engine.prepare(small);
  const runFor = async (ms: number): Promise<number> => {
    const fromMs = performance.now();
    let runs = 0;
    const client = async () => {
      while (performance.now() - fromMs < ms) {
        await complete(engine, program, { input });
        runs += 1;
      }
    };
    await Promise.all(Array.from({ length: UNDER_WAY }, client));
    return runs / ((performance.now() - fromMs) / 1_000);
  };
  await runFor(RATE_MS / 3);
  // Awaited here: the engine closes when this function returns.
  return await runFor(RATE_MS);
}

/** How long a program takes from bytes to the end of its first run, milliseconds. */
export interface ColdTimes {
  /** It is in no cache. */
  readonly newMs: number;
  /** The highest of them. */
  readonly worstMs: number;
  /** Reading, metering and compiling alone. */
  readonly prepareMs: number;
  /** Another engine left it on disk. */
  readonly fromDiskMs: number;
  /** V8 alone takes, on this thread, for compiling the module as it is and calling it once. */
  readonly unmeteredMs: number;
}

/** A module of about 1 MB, never seen before, and then seen by another engine, with the engine's threads up. */
export async function measureCold(bytes: Uint8Array, input: Uint8Array): Promise<ColdTimes> {
  const folder = mkdtempSync(join(tmpdir(), "bench-wasm-cache-"));
  try {
    const fresh = await firstRuns({ bytes, input, folder });
    const known = await firstRuns({ bytes, input, folder });
    const middle = (samples: readonly number[]) => percentile(samples, 0.5);
    return {
      newMs: middle(fresh.wholeMs),
      worstMs: Math.max(...fresh.wholeMs),
      prepareMs: middle(fresh.prepareMs),
      fromDiskMs: middle(known.prepareMs),
      unmeteredMs: middle(firstCalls(bytes, input)),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

interface Cold {
  readonly bytes: Uint8Array;
  readonly input: Uint8Array;
  readonly folder: string;
}

async function firstRuns({ bytes, input, folder }: Cold) {
  await using engine = createEngine({ threads: THREADS, cache: { folder } });
  const empty = await engine.prepare(EMPTY);
  for (let run = 0; run < COLD_WARM_UP; run += 1) await complete(engine, empty);
  // The reader of modules is warm in a node that has seen some.
  await engine.prepare(withMark(bytes, "warm"));
  const [wholeMs, prepareMs]: [number[], number[]] = [[], []];
  for (let run = 0; run < COLD_RUNS; run += 1) {
    const marked = withMark(bytes, `run ${run}`);
    const fromMs = performance.now();
    const program = await engine.prepare(marked);
    prepareMs.push(performance.now() - fromMs);
    await complete(engine, program, { input });
    wholeMs.push(performance.now() - fromMs);
  }
  return { wholeMs, prepareMs };
}

/** V8 knows modules by their bytes, so each is another one. */
function firstCalls(bytes: Uint8Array, input: Uint8Array): readonly number[] {
  return Array.from({ length: COLD_RUNS }, (_, run) => {
    const marked = withMark(bytes, `unmetered ${run}`);
    const fromMs = performance.now();
    const { exports } = new Wasm.Instance(new Wasm.Module(marked));
    const { buffer } = exports["memory"] as { readonly buffer: ArrayBuffer };
    new Uint8Array(buffer).set(input);
    const execute = exports["execute"] as WasmFunction as (pointer: number, bytes: number) => number;
    execute(0, input.length);
    return performance.now() - fromMs;
  });
}

/** What the process grows by for each program that is held compiled and has run once, bytes. */
export async function measureProgramMemory(bytes: Uint8Array, input: Uint8Array): Promise<number> {
  await using engine = createEngine({ threads: THREADS, cache: { memoryBytes: 2 ** 32 } });
  const hold = async (mark: string) => {
    const program = await engine.prepare(withMark(bytes, mark));
    await complete(engine, program, { input });
    return program;
  };
  const held = [await hold("first"), await hold("second")];
  const before = process.memoryUsage().rss;
  for (let count = 0; count < CACHED_PROGRAMS; count += 1) held.push(await hold(`program ${count}`));
  const grown = process.memoryUsage().rss - before;
  return grown / (held.length - 2);
}

/** The meter by itself, warm, MiB per second of the module. */
export function measureMetering(bytes: Uint8Array): number {
  let bestMs = Number.POSITIVE_INFINITY;
  for (let round = 0; round < METER_ROUNDS; round += 1) {
    const fromMs = performance.now();
    meterModule(bytes, {
      counters: "own",
      placement: "fast",
      limits: { functionBytes: 2 ** 24, functions: 1_000_000 },
    });
    bestMs = Math.min(bestMs, performance.now() - fromMs);
  }
  return bytes.length / MIB / (bestMs / 1_000);
}
