import { Counter, Gauge, Histogram, type Registry } from "@subnet-worker/kit";
import type { EngineStats, Spent } from "@subnet-worker/wasm";

export interface WasmMetrics {
  /** A run of the engine ended, however. */
  runEnded(outcome: string, spent: Spent): void;
  /** A module is a program now; 0 ms: it was in memory. */
  prepared(durationMs: number): void;
  /** A run was refused before it began, for its inputs or its module. */
  refused(): void;
}

/** Registers the metrics of `wasm.execute`. */
export function createWasmMetrics(registry: Registry, stats: () => EngineStats): WasmMetrics {
  const registers = [registry];
  const runs = new Counter({
    name: "wep_wasm_runs_total",
    help: "Runs of WebAssembly by how they ended: completed, guest_error, trap, out_of_fuel, timed_out and so on, or refused before they began.",
    labelNames: ["outcome"],
    registers,
  });
  const fuel = new Counter({
    name: "wep_wasm_fuel_total",
    help: "Fuel that runs of WebAssembly have burned.",
    registers,
  });
  const durations = new Histogram({
    name: "wep_wasm_run_duration_seconds",
    help: "Time that a run of WebAssembly had its thread.",
    buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60, 300],
    registers,
  });
  const preparations = new Histogram({
    name: "wep_wasm_prepare_duration_seconds",
    help: "Time to read, meter and compile a module; 0 where it was in memory.",
    buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60],
    registers,
  });
  registerEngine(registers, stats);
  return {
    runEnded(outcome, spent) {
      runs.inc({ outcome });
      fuel.inc(Number(spent.fuel));
      durations.observe(spent.timeMs / 1_000);
    },
    prepared: (durationMs) => preparations.observe(durationMs / 1_000),
    refused: () => runs.inc({ outcome: "refused" }),
  };
}

function registerEngine(registers: Registry[], stats: () => EngineStats): void {
  gauge("wep_wasm_threads_busy", "Threads that run WebAssembly just now.", (now) => now.busyThreads);
  gauge("wep_wasm_runs_waiting", "Runs of WebAssembly that wait for a thread.", (now) => now.waitingRuns);
  gauge(
    "wep_wasm_cache_bytes",
    "Modules of the compiled programs that are kept in memory.",
    (now) => now.memoryBytes,
  );
  gauge(
    "wep_wasm_cache_folder_failing",
    "1 when the folder of metered modules could not be used the last time: they are metered anew.",
    (now) => (now.folderFailure === undefined ? 0 : 1),
  );
  void new Counter({
    name: "wep_wasm_threads_replaced_total",
    help: "Threads that were ended or died and were replaced: a run took longer than it may, or the machine had no memory.",
    registers,
    collect() {
      this.reset();
      this.inc(stats().replacedThreads);
    },
  });
  void new Counter({
    name: "wep_wasm_programs_total",
    help: "Modules asked for, by where they were found: memory, folder, or nowhere (metered anew).",
    labelNames: ["found"],
    registers,
    collect() {
      const { memoryHits, folderHits, misses } = stats();
      this.reset();
      this.inc({ found: "memory" }, memoryHits);
      this.inc({ found: "folder" }, folderHits);
      this.inc({ found: "nowhere" }, misses);
    },
  });

  function gauge(name: string, help: string, read: (stats: EngineStats) => number): void {
    void new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read(stats()));
      },
    });
  }
}
