import { createHash } from "node:crypto";
import type { RunPlan, RunResult, TaskInput } from "../src/ports.ts";
import type { FakeRun } from "./_fake-executor.ts";
import { idOf } from "./_builders.ts";
import { NodeBench } from "./_node-bench.ts";

export const KEYED: TaskInput = {
  name: "audio",
  abiType: "string",
  mediaType: "audio/wav",
  value: "in/song.wav",
  objectKey: "in/song.wav",
};
export const OUTPUT = { name: "out", abiType: "string", mediaType: "audio/wav", isObjectKey: true };
export const PLAN: RunPlan = { outputs: [OUTPUT], isResultByReference: false, retry: {} };
export const WORKFLOW = idOf(900);

export function sha256(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

/** A node with one run under way, of a spec whose only output is an object. */
export async function running(
  plan: RunPlan = PLAN,
): Promise<{ readonly node: NodeBench; readonly run: FakeRun }> {
  const node = await NodeBench.start();
  node.source.spec = plan;
  node.source.onInputs = async () => ({ inputs: [KEYED], workflowInputs: [] });
  await node.offer();
  return { node, run: await node.executor.nextRun() };
}

export function succeed(run: FakeRun, values: Record<string, unknown>, more: Partial<RunResult> = {}): void {
  run.end.resolve({ kind: "succeeded", result: { json: JSON.stringify(values), ref: "", ...more } });
}
