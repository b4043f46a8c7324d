import { createHash } from "node:crypto";
import { createRegistry } from "@subnet-worker/kit";
import type { RunRequest } from "@subnet-worker/wasm";
import { type RunHandlerOptions, runHandler } from "@subnet-worker/wep-sdk/testing";
import { expect } from "vitest";
import { readConfig } from "../src/config.ts";
import type { WasmConfig } from "../src/wasm/wasm-config.ts";
import { createWasmExecute, type WasmExecuteDeps } from "../src/wasm/wasm-execute.ts";
import { createWasmMetrics } from "../src/wasm/wasm-metrics.ts";
import { FakeEngine } from "./_fake-engine.ts";

export const MODULE = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
export const SHA256 = createHash("sha256").update(MODULE).digest("hex");
export const DEFAULTS = readConfig({ configPath: undefined, handlerModules: [], env: {}, cwd: "/none" }).wasm;

export interface Setup extends Partial<Omit<WasmExecuteDeps, "engine" | "metrics">> {
  readonly engine?: FakeEngine;
  readonly config?: Partial<WasmConfig>;
}

export function setUp({ engine = new FakeEngine(), config = {}, ...deps }: Setup = {}) {
  const registry = createRegistry();
  const metrics = createWasmMetrics(registry, () => engine.stats);
  const handler = createWasmExecute({ ...DEFAULTS, ...config }, { engine, metrics, ...deps });
  const run = (inputs: Record<string, unknown>, options: RunHandlerOptions = {}) =>
    runHandler(handler, { inputs, ...options });
  return { engine, run, metric: (name: string) => metricOf(registry, name) };
}

/** Values of one metric, by the values of its labels. */
async function metricOf(registry: ReturnType<typeof createRegistry>, name: string) {
  const found = await registry.getSingleMetric(name)?.get();
  return Object.fromEntries(
    (found?.values ?? []).map(({ labels, value }) => [Object.values(labels).join(), value] as const),
  );
}

export async function lastRun(inputs: Record<string, unknown>, setup: Setup = {}): Promise<RunRequest> {
  const { engine, run } = setUp(setup);
  const { error } = await run({ module: MODULE, ...inputs });
  expect(error).toBeUndefined();
  return engine.runs.at(-1)!;
}

export async function errorOf(
  inputs: Record<string, unknown>,
  setup: Setup = {},
  options: RunHandlerOptions = {},
) {
  const { engine, run } = setUp(setup);
  const { error } = await run(inputs, options);
  return { ...error!, runs: engine.runs.length };
}
