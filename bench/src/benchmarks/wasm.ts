import type { Benchmark, Report, Row } from "../benchmark.ts";
import { round } from "../report.ts";
import {
  type ColdTimes,
  type RunTimes,
  measureCold,
  measureEmptyRuns,
  measureMessages,
  measureMetering,
  measureProgramMemory,
  measureRunsPerSecond,
} from "../wasm/engine-figures.ts";
import { type OverInterpreter, interpreterVersion, measureOverInterpreter } from "../wasm/interpreter.ts";
import { type Pair, measurePair } from "../wasm/pair.ts";
import { buildPrograms } from "../wasm/programs.ts";

const MIB = 2 ** 20;
const LIMITS = { geomean: 1.35, worst: 2, interpreter: 10, emptyUs: 300, coldMs: 60 };

/** Programs of real toolchains in V8 with the meter and without it, and the engine around them. */
export const benchmark: Benchmark = {
  about:
    "WebAssembly metered against unmetered V8 and an interpreter; warm, cold and repeated runs of the engine",
  run,
};

interface Engine {
  readonly empty: RunTimes;
  readonly message: RunTimes;
  readonly cold: ColdTimes;
  readonly runsPerS: number;
  readonly bytesPerProgram: number;
}

interface Measured {
  readonly pairs: readonly Pair[];
  readonly over: readonly (OverInterpreter & { readonly name: string })[];
  readonly interpreter: string;
  readonly engine: Engine;
  readonly meteringMibPerS: number;
  readonly coldBytes: number;
}

async function run(): Promise<Report> {
  const { programs, sqlite } = buildPrograms();
  const interpreter = interpreterVersion();
  if (interpreter === undefined)
    throw new Error("wasm-interp is missing; install Debian's wabt and run it again");
  const rowInput = new Uint8Array(10);
  // The engine first: code that the other parts made V8 optimise would be in the way of its memory and time.
  const engine = {
    empty: await measureEmptyRuns(),
    message: await measureMessages(),
    runsPerS: await measureRunsPerSecond(
      programs.find(({ name }) => name === "fib")!.bytes,
      Buffer.from("10"),
    ),
    cold: await measureCold(sqlite.bytes, rowInput),
    bytesPerProgram: await measureProgramMemory(sqlite.bytes, rowInput),
  };
  const meteringMibPerS = measureMetering(sqlite.bytes);
  const pairs = programs.map(measurePair);
  const over = programs.map((program) => ({ name: program.name, ...measureOverInterpreter(program) }));
  return toReport({ pairs, over, interpreter, engine, meteringMibPerS, coldBytes: sqlite.bytes.length });
}

function geomean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

function toReport(measured: Measured): Report {
  const { pairs, over, engine } = measured;
  const ratios = pairs.map(({ ratio }) => ratio);
  const [overall, worst] = [geomean(ratios), Math.max(...ratios)];
  const overInterpreter = geomean(over.map(({ ratio }) => ratio));
  return {
    rows: [
      ...pairs.map(pairRow),
      {
        what: "metered over unmetered, geometric mean",
        value: `${round(overall, 3)}`,
        beside: `limit ${LIMITS.geomean}; ${pairs.length} programs`,
      },
      { what: "metered over unmetered, worst", value: `${round(worst, 3)}`, beside: `limit ${LIMITS.worst}` },
      ...over.map(overRow),
      {
        what: "over the interpreter, geometric mean",
        value: `${round(overInterpreter, 0)} times`,
        beside: `limit ${LIMITS.interpreter} times; ${measured.interpreter}`,
      },
      ...engineRows(measured),
    ],
    metrics: {
      metered_over_unmetered_geomean: round(overall, 4),
      metered_over_unmetered_worst: round(worst, 4),
      over_interpreter_geomean: round(overInterpreter, 1),
      warm_empty_us: round(engine.empty.p50Us, 1),
      cold_1mb_ms: round(engine.cold.newMs, 2),
      runs_per_s: round(engine.runsPerS, 0),
    },
  };
}

function pairRow({ program, ratio, unmeteredMs, meteredMs, fuel, bytes, meteredBytes }: Pair): Row {
  const fuelPerNs = Number(fuel) / meteredMs / 1e6;
  return {
    what: `${program.name} (${program.madeBy}), metered over unmetered`,
    value: `${round(ratio, 3)}`,
    beside: `${round(meteredMs, 1)} ms, ${round(unmeteredMs, 1)} ms; ${round(fuelPerNs, 1)} fuel/ns; code ${round(meteredBytes / bytes, 2)} times`,
  };
}

function overRow({
  name,
  ratio,
  interpretedMs,
  meteredMs,
}: OverInterpreter & { readonly name: string }): Row {
  return {
    what: `${name}, over the interpreter`,
    value: `${round(ratio, 0)} times`,
    beside: `${round(meteredMs, 2)} ms, ${round(interpretedMs, 0)} ms`,
  };
}

function engineRows({ engine, meteringMibPerS, coldBytes }: Measured): Row[] {
  const { empty, message, cold, runsPerS, bytesPerProgram } = engine;
  const size = `SQLite, ${round(coldBytes / MIB, 2)} MiB`;
  return [
    {
      what: "warm run of an empty program, p50",
      value: `${round(empty.p50Us, 0)} µs`,
      beside: `limit ${LIMITS.emptyUs} µs`,
    },
    {
      what: "the same, p99",
      value: `${round(empty.p99Us, 0)} µs`,
      beside: `a message to a thread and back: p50 ${round(message.p50Us, 0)} µs, p99 ${round(message.p99Us, 0)} µs`,
    },
    {
      what: "runs per second, fib(10), two threads",
      value: `${round(runsPerS, 0)}`,
      beside: "8 requests at a time",
    },
    {
      what: "a new module of 1 MB, bytes to the end of its first run",
      value: `${round(cold.newMs, 1)} ms`,
      beside: `limit ${LIMITS.coldMs} ms; ${size}; slowest ${round(cold.worstMs, 1)} ms`,
    },
    {
      what: "the same module in V8 alone, unmetered, compiled and called once",
      value: `${round(cold.unmeteredMs, 1)} ms`,
      beside: `the engine takes ${round(cold.newMs / cold.unmeteredMs, 1)} times as long`,
    },
    {
      what: "of the engine's, reading, metering, compiling",
      value: `${round(cold.prepareMs, 1)} ms`,
      beside: "",
    },
    {
      what: "the same from the cache on disk",
      value: `${round(cold.fromDiskMs, 1)} ms`,
      beside: "another engine metered it",
    },
    {
      what: "memory of a program that is held compiled",
      value: `${round(bytesPerProgram / MIB, 1)} MiB`,
      beside: `${size}, once run`,
    },
    { what: "the meter alone, warm", value: `${round(meteringMibPerS, 0)} MiB/s`, beside: size },
  ];
}
