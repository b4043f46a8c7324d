import { AbiError, decodeParams, type Param } from "@subnet-worker/activity-spec";
import type { Activity } from "@subnet-worker/contracts";
import type { Task } from "../../domain/task.ts";
import { TaskDataError, type TaskInput, type TaskInputs } from "../../ports.ts";
import type { IndexedActivity } from "./spec-index.ts";

const INVALID_INPUT = 1001;

/** Of the object that a parameter names, or of its value. */
export function mediaTypeOf({ mediaType, isObjectKey }: Param): string {
  return mediaType ?? (isObjectKey ? "application/octet-stream" : "application/json");
}

/**
 * Named inputs of the bytes that the chain has.
 *
 * @param what for messages: `input of audio_preprocess`
 * @throws {TaskDataError} INVALID_INPUT when they are not what the parameters say
 */
function decodeInputs(params: readonly Param[], data: string, what: string): TaskInput[] {
  if (params.length === 0) return [];
  try {
    const values = decodeParams(params, data);
    return params.map((param) => {
      const value = values[param.name];
      const input = { name: param.name, abiType: param.type, mediaType: mediaTypeOf(param), value };
      if (!param.isObjectKey || typeof value !== "string") return input;
      const { maxBytes } = param;
      return { ...input, objectKey: value, ...(maxBytes === undefined ? {} : { maxBytes }) };
    });
  } catch (error) {
    if (!(error instanceof AbiError)) throw error;
    throw new TaskDataError(INVALID_INPUT, `the ${what} is not what its spec says: ${error.message}`, {
      cause: error,
    });
  }
}

/** Where and when an activity is read. */
export interface ReadingPlace {
  /** The contract whose activities are steps of their workflows. */
  readonly workflowEngine: string;
  readonly nowMs: number;
  /** Unix seconds; `undefined` before the first head. */
  readonly chainNowS: number | undefined;
}

/**
 * What an activity is to work on.
 *
 * @throws {TaskDataError} INVALID_INPUT when its data is not what its spec says
 */
export function readInputs(
  task: Pick<Task, "workflowInstanceId">,
  from: { readonly activity: Activity; readonly indexed: IndexedActivity; readonly at: ReadingPlace },
): TaskInputs {
  const { activity, at } = from;
  const { spec, workflowInputs } = from.indexed;
  return {
    inputs: decodeInputs(spec.inputs, activity.inputData, `input of ${spec.id}`),
    workflowInputs:
      task.workflowInstanceId === ""
        ? []
        : decodeInputs(workflowInputs, activity.initData, `workflow input of ${spec.id}`),
    // Anybody may enqueue under the id of a workflow that is not theirs.
    isInWorkflow: activity.requester.toLowerCase() === at.workflowEngine.toLowerCase(),
    deadlineMs: specDeadlineMs(spec.deadlineMs, { createdAtS: Number(activity.createdAt), ...at }),
  };
}

/** In this machine's time; `undefined` when the spec has none. `createdAtS`: when it was enqueued, by the chain. */
export function specDeadlineMs(
  deadlineMs: number | undefined,
  {
    createdAtS,
    nowMs,
    chainNowS = createdAtS,
  }: Pick<ReadingPlace, "nowMs" | "chainNowS"> & { readonly createdAtS: number },
): number | undefined {
  if (deadlineMs === undefined) return undefined;
  return nowMs - (chainNowS - createdAtS) * 1_000 + deadlineMs;
}
