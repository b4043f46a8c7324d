import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { type FinishedRun, type InputValue, runWorkflow } from "@subnet-worker/devnet";
import { AUDIO_SPEC, type Network } from "./_network.ts";
import type { ChainEvent } from "./_anvil.ts";

/** A workflow instance on its way. */
export interface Submitted {
  /** Resolves when the chain has started it. */
  readonly started: Promise<string>;
  readonly finished: Promise<FinishedRun>;
}

const STALL_MS = 120_000;

/** Starts `audio/1.0.0` on a recording. Its outcome must be awaited. */
export function submitRecording(network: Network, path: string): Submitted {
  const { size: sizeBytes } = statSync(path);
  return submit(network, { kind: "file", param: "audio_object_key", path, sizeBytes });
}

/** Starts `audio/1.0.0` on an object that may not exist. */
export function submitKey(network: Network, objectKey: string): Submitted {
  return submit(network, { kind: "value", param: "audio_object_key", value: objectKey });
}

function submit(network: Network, input: InputValue): Submitted {
  const started = Promise.withResolvers<string>();
  const finished = runWorkflow(
    { state: network.state, spec: AUDIO_SPEC, inputs: [input], stallMs: STALL_MS },
    { signal: new AbortController().signal, onStarted: ({ instance }) => started.resolve(instance) },
  );
  // Whoever awaits either of the two gets the reason.
  finished.catch((error: unknown) => started.reject(error));
  started.promise.catch(() => undefined);
  return { started: started.promise, finished };
}

/** What the chain and the WEP say about one activity. */
export interface ActivityRecord {
  readonly step: string;
  /** How often each event happened. */
  readonly claimed: number;
  readonly completed: number;
  readonly failed: number;
  readonly expired: number;
  /** How often a WEP began to run its handler. */
  readonly handlerRuns: number;
}

/** By step, in order. */
export async function recordsOf(network: Network, finished: FinishedRun): Promise<readonly ActivityRecord[]> {
  const events = await network.chain.events(network.state.chain);
  const runs = network.logs.wep.lines().filter(({ msg }) => msg === "run started");
  return finished.spec.activities.map(({ id }, index) => {
    const step = finished.run.steps[index];
    const activityIds = step !== undefined && "activityIds" in step ? step.activityIds : [];
    const count = (name: string) =>
      events.filter((event) => event.name === name && activityIds.includes(activityIdOf(event))).length;
    return {
      step: id,
      claimed: count("ActivityClaimed"),
      completed: count("ActivityCompleted"),
      failed: count("ActivityFailed"),
      expired: count("ActivityExpired"),
      handlerRuns: runs.filter((line) => activityIds.includes(line.activity_id ?? "")).length,
    };
  });
}

/** How often the workflow engine said so about the instance. */
export async function countOf(network: Network, name: string, instance: string): Promise<number> {
  const events = await network.chain.events(network.state.chain);
  return events.filter((event) => event.name === name && event.args["instance"] === instance).length;
}

function activityIdOf({ args }: ChainEvent): string {
  return String(args["activityId"]);
}

/** Everything a run produced that another run on the same input must produce as well: values, and the files' SHA-256. */
export function productOf({ outputs }: FinishedRun): unknown {
  return outputs.map((step) =>
    step.map(({ name, value, file }) => ({
      name,
      product: file === undefined ? value : createHash("sha256").update(readFileSync(file)).digest("hex"),
    })),
  );
}
