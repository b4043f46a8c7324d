import { create, toBinary } from "@bufbuild/protobuf";
import {
  type Completion,
  type Envelope,
  envelope,
  EnvelopeSchema,
  type OutputDescriptor,
  OutputDescriptorSchema,
  TASK_ERROR,
  type WrittenObject as WireObject,
} from "@subnet-worker/protocol";
import {
  type AssignedInput,
  type AssignedOutput,
  type Assignment,
  type RunOutcome,
  type RunResult,
  TaskDataError,
} from "../../ports.ts";
import type { WrittenObject } from "../../storage-ports.ts";
import { withoutQueries } from "../../domain/without-urls.ts";
import { MAX_MESSAGE_BYTES } from "./connection.ts";

const UTF8 = new TextDecoder();

const NO_OUTPUTS: OutputDescriptor[] = [];

/** An assignment as it travels. */
export function toAssignMessage(assignment: Assignment): Envelope {
  const { task } = assignment;
  return envelope("assign", {
    activityId: task.id,
    workflowInstanceId: task.workflowInstanceId,
    runId: assignment.runId,
    taskKind: task.kind,
    taskVersion: task.version,
    inputs: assignment.inputs.map(toDescriptor),
    workflowInputs: assignment.workflowInputs.map(toDescriptor),
    uploadPrefix: assignment.uploadPrefix,
    softDeadlineUnix: BigInt(Math.floor(assignment.leaseExpiresAtMs / 1_000)),
    heartbeatIntervalS: assignment.progressIntervalS,
    attempt: assignment.attempt,
    checkpointRef: assignment.checkpointRef ?? "",
    deadlineUnixMs: BigInt(Math.floor(assignment.deadlineMs ?? 0)),
    metadata: assignment.metadata === undefined ? {} : { ...assignment.metadata },
    outputs: assignment.outputs === undefined ? NO_OUTPUTS : toOutputs(assignment.outputs),
    timeoutMs: BigInt(Math.floor(assignment.timeoutMs ?? 0)),
    memoryMb: assignment.memoryMb ?? 0,
    resultByReference: assignment.isResultByReference ?? false,
  });
}

/** More than the fields of an assignment take besides its inputs, each of which may be this long. */
const FRAME_BYTES = 4 * 1024;
/** UTF-8 takes at most this for a UTF-16 unit. */
const MOST_BYTES_PER_UNIT = 3;

/** At least what an assignment takes on the wire; found without writing it. */
export function assignSizeBound({ msg }: Envelope): number {
  if (msg.case !== "assign") return 0;
  const { inputs, workflowInputs, metadata, outputs } = msg.value;
  let units = 0;
  for (const { name, abiType } of outputs) units += name.length + abiType.length + 256;
  for (const list of [inputs, workflowInputs]) {
    for (const { inlineJson, ref, objectKey, name } of list) {
      units += inlineJson.length + ref.length + objectKey.length + name.length + 256;
    }
  }
  for (const [name, value] of Object.entries(metadata)) units += name.length + value.length + 16;
  return FRAME_BYTES + units * MOST_BYTES_PER_UNIT;
}

/** Why an assignment cannot travel, or `undefined`. `sizeBound` as {@link assignSizeBound} has it. */
export function tooLarge(message: Envelope, sizeBound: number): TaskDataError | undefined {
  if (sizeBound <= MAX_MESSAGE_BYTES || message.msg.case !== "assign") return undefined;
  const sizeBytes = toBinary(EnvelopeSchema, message).length;
  if (sizeBytes <= MAX_MESSAGE_BYTES) return undefined;
  return new TaskDataError(
    TASK_ERROR.INVALID_INPUT,
    `[ASSIGNMENT_TOO_LARGE] its inputs take ${sizeBytes} bytes, and one message takes at most ${MAX_MESSAGE_BYTES}; put large values into storage and pass their object keys`,
  );
}

function toDescriptor(input: AssignedInput) {
  const { name, mediaType, abiType } = input;
  if (input.objectKey === undefined) {
    return { name, mediaType, abiType, inlineJson: JSON.stringify(input.value) };
  }
  return {
    name,
    mediaType,
    abiType,
    ref: input.url ?? input.objectKey,
    objectKey: input.objectKey,
    expiresUnix: toUnix(input.urlExpiresAtMs ?? 0),
    maxBytes: BigInt(input.maxBytes ?? 0),
  };
}

/** By the list that they are made of: one for all tasks of a kind. */
const OUTPUTS = new WeakMap<readonly AssignedOutput[], OutputDescriptor[]>();

function toOutputs(outputs: readonly AssignedOutput[]): OutputDescriptor[] {
  const known = OUTPUTS.get(outputs) ?? outputs.map(toOutput);
  OUTPUTS.set(outputs, known);
  return known;
}

function toOutput({ name, abiType, mediaType, isObjectKey, maxBytes }: AssignedOutput): OutputDescriptor {
  return create(OutputDescriptorSchema, {
    name,
    abiType,
    mediaType,
    isObjectKey,
    maxBytes: BigInt(maxBytes ?? 0),
  });
}

function toUnix(ms: number): bigint {
  return BigInt(Math.floor(ms / 1_000));
}

/** What a completion means. A peer without error codes gets the general one. */
export function toRunOutcome(completion: Completion): RunOutcome {
  switch (completion.status) {
    case "SUCCESS":
      return { kind: "succeeded", result: toRunResult(completion) };
    case "SKIPPED":
      return { kind: "succeeded", result: { ...toRunResult(completion), isSkipped: true } };
    case "ERROR": {
      const code = completion.errorCode === 0 ? TASK_ERROR.EXECUTION_FAILED : completion.errorCode;
      return {
        kind: "failed",
        code,
        message: toReason(completion.error) || "the handler failed and gave no reason",
        // The handler's own word: a code that often passes by itself says nothing against a TerminalError.
        retryable: completion.retryable,
        retryAfterMs: Number(completion.retryAfterMs),
      };
    }
    default:
      return {
        kind: "failed",
        code: TASK_ERROR.INTERNAL_ERROR,
        message: `the WEP sent a completion with the status ${JSON.stringify(completion.status)}; it must be SUCCESS, ERROR or SKIPPED`,
        retryable: false,
        retryAfterMs: 0,
      };
  }
}

/** More than anybody reads; what goes to the network is shorter still. */
const LONGEST_REASON = 8_000;

/**
 * What a WEP says for others to read, on the network too, where everybody does: HTTP clients name the URL that
 * failed them, and a presigned one is still good for a while.
 */
export function toReason(text: string): string {
  return withoutQueries(text.length <= LONGEST_REASON ? text : `${text.slice(0, LONGEST_REASON)}…`);
}

function toRunResult(completion: Completion): RunResult {
  const { resultInline, resultRef: ref, resultRefIsOutputs, objects } = completion;
  const result = { json: UTF8.decode(resultInline), ref };
  if (!resultRefIsOutputs && objects.length === 0) return result;
  return { ...result, isRefJson: resultRefIsOutputs, objects: objects.map(toWritten) };
}

function toWritten({ objectKey, sizeBytes, sha256 }: WireObject): WrittenObject {
  const digest = sha256.length === 0 ? {} : { sha256 };
  return { objectKey, sizeBytes: Number(sizeBytes), ...digest };
}
