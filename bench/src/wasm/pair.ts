import {
  type Counters,
  type MeterOptions,
  Wasm,
  type WasmFunction,
  meterModule,
} from "@subnet-worker/wasm/bench-meter";
import type { WasmProgram } from "./programs.ts";

const WARM_UP_MS = 1_500;
const WARM_UP_CALLS = 12;
const ROUNDS = 15;
const PLENTY = 2n ** 62n;
const STACK_BYTES = 2 ** 30;

/** One program in V8, as it is and metered. */
export interface Pair {
  readonly program: WasmProgram;
  /** Best of the rounds, milliseconds. */
  readonly unmeteredMs: number;
  readonly meteredMs: number;
  readonly ratio: number;
  /** Fuel of one call. */
  readonly fuel: bigint;
  readonly bytes: number;
  readonly meteredBytes: number;
}

/** A function `run(n)` in a new instance. */
export interface Callable {
  call(n: number): number;
  /** Fuel that calls used since the last look. */
  readonly takeFuel: () => bigint;
}

const COUNTER_NAMES = ["fuel", "stack", "pages", "elements"] as const;

const METER_OPTIONS: MeterOptions = {
  counters: "own",
  placement: "fast",
  limits: { functionBytes: 2 ** 24, functions: 1_000_000 },
};

/** The program as V8 runs it by itself. */
export function openUnmetered(bytes: Uint8Array): Callable {
  const { exports } = new Wasm.Instance(new Wasm.Module(bytes));
  const run = exports["run"] as WasmFunction as (n: number) => number;
  return { call: run, takeFuel: () => 0n };
}

/** The program metered, with more fuel, stack and memory than it needs. */
export function openMetered(bytes: Uint8Array, options: Partial<MeterOptions> = {}): Callable {
  const metered = meterModule(bytes, { ...METER_OPTIONS, ...options });
  const { exports } = new Wasm.Instance(new Wasm.Module(metered.bytes));
  const counters = Object.fromEntries(
    COUNTER_NAMES.map((name) => [name, exports[`subnet:meter/${name}`]]),
  ) as unknown as Pick<Counters, (typeof COUNTER_NAMES)[number]>;
  const { fuel } = counters;
  const refill = () => {
    const used = PLENTY - fuel.value;
    fuel.value = PLENTY;
    return used;
  };
  refill();
  counters.stack.value = STACK_BYTES;
  counters.pages.value = 2 ** 15;
  counters.elements.value = 2 ** 20;
  const start = metered.start === undefined ? undefined : exports[metered.start];
  if (start !== undefined) (start as () => void)();
  refill();
  const run = exports["run"] as WasmFunction as (n: number) => number;
  return { call: run, takeFuel: refill };
}

function timeMs(callable: Callable, n: number): number {
  const fromMs = performance.now();
  callable.call(n);
  return performance.now() - fromMs;
}

/** Calls until V8 has optimised it: it does so in the background, after some time and calls. */
export function warmUp(callables: readonly Callable[], n: number): void {
  const untilMs = performance.now() + WARM_UP_MS * callables.length;
  for (let calls = 0; calls < WARM_UP_CALLS || performance.now() < untilMs; calls += 1) {
    for (const callable of callables) callable.call(n);
  }
}

/** Milliseconds of the fastest call. What else the machine does only ever adds. */
export function bestMs(callables: readonly Callable[], n: number, rounds: number = ROUNDS): number[] {
  const best = callables.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < rounds; round += 1) {
    // Turn about, so that none is always the first.
    for (let turn = 0; turn < callables.length; turn += 1) {
      const at = (turn + round) % callables.length;
      best[at] = Math.min(best[at]!, timeMs(callables[at]!, n));
    }
  }
  return best;
}

/** Both ways of one program, in turns. */
export function measurePair(program: WasmProgram): Pair {
  const [unmetered, metered] = [openUnmetered(program.bytes), openMetered(program.bytes)];
  const [wanted, got] = [unmetered.call(program.n), metered.call(program.n)];
  if (wanted !== got) throw new Error(`${program.name} metered gives ${got}, not ${wanted}`);
  const fuel = metered.takeFuel();
  const both = [unmetered, metered];
  warmUp(both, program.n);
  const [unmeteredMs, meteredMs] = bestMs(both, program.n) as [number, number];
  const { bytes } = meterModule(program.bytes, METER_OPTIONS);
  return {
    program,
    unmeteredMs,
    meteredMs,
    ratio: meteredMs / unmeteredMs,
    fuel,
    bytes: program.bytes.length,
    meteredBytes: bytes.length,
  };
}
