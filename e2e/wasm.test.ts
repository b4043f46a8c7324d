// WebAssembly as a task of the chain: from a submission to the result, fuel and all.
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseSpec } from "@subnet-worker/activity-spec";
import {
  type Devnet,
  type FinishedRun,
  type InputValue,
  runWorkflow,
  startDevnet,
} from "@subnet-worker/devnet";
import { afterAll, beforeAll, expect, it } from "vitest";
import wabt from "wabt";
import { LogFile } from "./_logs.ts";
import { COMPILE_CACHE } from "./_process.ts";
import { parseMetrics } from "./_prometheus.ts";

const SPEC_PATH = fileURLToPath(new URL("../activity-specs/wasm.yaml", import.meta.url));
const SPEC = parseSpec(readFileSync(SPEC_PATH, "utf8"), { fileName: SPEC_PATH });

/** Gives back its input with each letter made large. */
const SHOUT = `(module
  (memory (export "memory") 1)
  (func (export "execute") (param $at i32) (param $length i32) (result i32) (local $i i32) (local $byte i32)
    (i32.store (i32.const 1000) (local.get $length))
    (block $done (loop $next
      (br_if $done (i32.eq (local.get $i) (local.get $length)))
      (local.set $byte (i32.load8_u (i32.add (local.get $at) (local.get $i))))
      (if (i32.lt_u (i32.sub (local.get $byte) (i32.const 97)) (i32.const 26))
        (then (local.set $byte (i32.sub (local.get $byte) (i32.const 32)))))
      (i32.store8 (i32.add (i32.const 1004) (local.get $i)) (local.get $byte))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $next)))
    (i32.const 1000)))`;

const SPIN = `(module (memory (export "memory") 1)
  (func (export "execute") (param i32 i32) (result i32) (loop (br 0)) (unreachable)))`;

let dir: string;
let devnet: Devnet;

beforeAll(async () => {
  process.env["NODE_COMPILE_CACHE"] = COMPILE_CACHE; // the devnet passes it on to its children
  dir = mkdtempSync(join(tmpdir(), "e2e-wasm-"));
  const options = { dir: join(dir, "net"), cwd: dir, handlers: [], specs: [SPEC_PATH], wasm: true };
  devnet = await startDevnet(options, { signal: new AbortController().signal });
});

afterAll(async () => {
  await devnet?.[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

async function compile(name: string, source: string) {
  const tool = await wabt();
  const { buffer } = tool.parseWat(name, source).toBinary({});
  const path = join(dir, name);
  writeFileSync(path, buffer);
  return { path, sizeBytes: buffer.length, sha256: `0x${createHash("sha256").update(buffer).digest("hex")}` };
}

async function submit(
  module: Awaited<ReturnType<typeof compile>>,
  values: Readonly<Record<string, unknown>>,
): Promise<FinishedRun> {
  const { path, sizeBytes, sha256 } = module;
  const all = { module_sha256: sha256, input: "0x", args: [], max_fuel: "0", max_memory_mb: 0, ...values };
  const inputs: readonly InputValue[] = [
    { kind: "file", param: "module_object_key", path, sizeBytes },
    ...Object.entries(all).map(([param, value]) => ({ kind: "value" as const, param, value })),
  ];
  return runWorkflow(
    { state: devnet.state, spec: SPEC, inputs, stallMs: 120_000 },
    { signal: new AbortController().signal },
  );
}

function outputsOf(finished: FinishedRun): Record<string, unknown> {
  return Object.fromEntries((finished.outputs[0] ?? []).map(({ name, value }) => [name, value]));
}

function runsOf(kind: string): number {
  const log = devnet.state.processes.find(({ name }) => name === "wep")?.log ?? "";
  return new LogFile(log).lines().filter((line) => line.msg === kind).length;
}

it("settles what a module gives back, and the fuel that it burned, twice the same", async () => {
  const module = await compile("shout.wasm", SHOUT);
  const input = `0x${Buffer.from("from the chain").toString("hex")}`;
  const first = await submit(module, { input, max_fuel: "100000", max_memory_mb: 1 });
  const outputs = outputsOf(first);
  expect(first.run.outcome).toEqual({ kind: "completed" });
  expect(Buffer.from(String(outputs["output"]).slice(2), "hex").toString()).toBe("FROM THE CHAIN");
  expect(outputs).toMatchObject({ stderr: "", memory_peak_bytes: "65536" });
  expect(Number(outputs["fuel"])).toBeGreaterThan(14 * 20);
  expect(outputsOf(await submit(module, { input }))).toEqual(outputs);
});

it("fails for good at the limit of fuel, and says on chain what was used", async () => {
  const before = runsOf("run started");
  const finished = await submit(await compile("spin.wasm", SPIN), { max_fuel: "5000" });
  expect(finished.run.outcome).toMatchObject({
    kind: "failed",
    reason: expect.stringMatching(/\[WASM_OUT_OF_FUEL\].*all of its 5000 fuel.*\(fuel=\d+ time_ms=/),
  });
  expect(runsOf("run started") - before).toBe(1);
});

it("refuses a module that is not the one that was meant, and more fuel than the worker gives", async () => {
  const module = await compile("shout.wasm", SHOUT);
  const other = await submit({ ...module, sha256: `0x${"ab".repeat(32)}` }, {});
  expect(other.run.outcome).toMatchObject({ reason: expect.stringContaining("[WASM_OTHER_MODULE]") });
  const greedy = await submit(module, { max_fuel: "10000000001" });
  expect(greedy.run.outcome).toMatchObject({ reason: expect.stringContaining("wasm.limits.fuel") });
});

it("counts it all in the worker's metrics", async () => {
  const text = await (await fetch(`${devnet.state.wep.healthUrl}/metrics`)).text();
  const values = new Map(parseMetrics(text).map(({ name, labels, value }) => [`${name}{${labels}}`, value]));
  expect(values.get('wep_wasm_runs_total{outcome="completed"}')).toBe(2);
  expect(values.get('wep_wasm_runs_total{outcome="out_of_fuel"}')).toBe(1);
  expect(values.get('wep_wasm_runs_total{outcome="refused"}')).toBe(2);
  expect(values.get("wep_wasm_fuel_total{}")).toBeGreaterThan(5_000);
});
