import { randomBytes } from "node:crypto";
import { extname } from "node:path";
import type { ActivitySpec } from "@subnet-worker/activity-spec";
import type { Clock } from "@subnet-worker/kit";
import { putObject } from "./object-transfer.ts";
import type { SendInput } from "./send-inputs.ts";
import type { ObjectStore } from "./send-storage.ts";
import type { AssignInit } from "./send-stream.ts";

/** No node renews a lease here; the run is told of one that outlives it. */
const LEASE_MS = 24 * 3_600_000;
/** Progress is wanted as soon as it comes. */
const PROGRESS_INTERVAL_S = 1;

/** Names of one run, as a network would give them. */
export interface RunNames {
  readonly activityId: string;
  readonly workflowInstanceId: string;
  readonly runId: string;
  /** Ends in a slash. */
  readonly uploadPrefix: string;
  /** Where its input objects are; ends in a slash. */
  readonly inputFolder: string;
}

export function newRunNames(): RunNames {
  const [activity = "", workflow = ""] = [randomBytes(32), randomBytes(32)].map((id) => id.toString("hex"));
  const runId = randomBytes(4).toString("hex");
  return {
    activityId: `0x${activity}`,
    workflowInstanceId: `0x${workflow}`,
    runId,
    uploadPrefix: `runs/${workflow.slice(0, 16)}/${activity.slice(0, 16)}/${runId}/`,
    inputFolder: `inputs/${activity.slice(0, 16)}/`,
  };
}

/** The key that an input file is uploaded to. */
export function inputKey(names: RunNames, { name, path }: SendInput & { readonly kind: "file" }): string {
  const extension = /^\.\w{1,10}$/.exec(extname(path))?.[0].toLowerCase() ?? "";
  return `${names.inputFolder}${name.replaceAll(/[^\w-]/g, "_")}${extension}`;
}

export interface SendPlan {
  readonly names: RunNames;
  readonly kind: string;
  readonly version: string;
  readonly activity: ActivitySpec | undefined;
  readonly inputs: readonly SendInput[];
}

/** Uploads the input files, and makes the assignment as a node would. */
export async function prepareAssignment(
  plan: SendPlan,
  { store, clock }: { readonly store: ObjectStore; readonly clock: Clock },
): Promise<AssignInit> {
  const { names, activity } = plan;
  const inputs = [];
  for (const input of plan.inputs) {
    inputs.push(input.kind === "file" ? await uploadInput(input, names, store) : valueInput(input));
  }
  return {
    activityId: names.activityId,
    workflowInstanceId: names.workflowInstanceId,
    runId: names.runId,
    taskKind: plan.kind,
    taskVersion: plan.version,
    inputs,
    uploadPrefix: names.uploadPrefix,
    softDeadlineUnix: BigInt(Math.floor((clock.nowMs() + LEASE_MS) / 1_000)),
    heartbeatIntervalS: PROGRESS_INTERVAL_S,
    attempt: 1,
    outputs: (activity?.outputs ?? []).map(({ name, type, isObjectKey, mediaType = "", maxBytes = 0 }) => ({
      name,
      abiType: type,
      mediaType,
      isObjectKey,
      maxBytes: BigInt(maxBytes),
    })),
    timeoutMs: BigInt(activity?.limits.timeoutMs ?? 0),
    memoryMb: activity?.limits.memoryMb ?? 0,
    resultByReference: activity?.result === "reference",
  };
}

function valueInput({ name, mediaType, abiType, value }: SendInput & { readonly kind: "value" }) {
  return { name, mediaType, abiType, inlineJson: JSON.stringify(value) };
}

async function uploadInput(
  input: SendInput & { readonly kind: "file" },
  names: RunNames,
  store: ObjectStore,
) {
  const { name, mediaType, abiType, path, sizeBytes, maxBytes = 0 } = input;
  const objectKey = inputKey(names, input);
  await putObject(path, sizeBytes, await store.uploadTicket(objectKey, { mediaType, sizeBytes }));
  const { url, expiresAtMs } = await store.downloadTicket(objectKey);
  return {
    name,
    mediaType,
    abiType,
    ref: url,
    objectKey,
    expiresUnix: BigInt(Math.floor(expiresAtMs / 1_000)),
    maxBytes: BigInt(maxBytes),
  };
}
