import { type Completion, type Envelope, envelope, TASK_ERROR } from "@subnet-worker/protocol";
import type { AssignedInput, Assignment, RunOutcome, UploadTicket } from "../../ports.ts";

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
  });
}

function toDescriptor(input: AssignedInput) {
  const { name, mediaType, abiType } = input;
  if (input.objectKey === undefined) {
    return { name, mediaType, abiType, inlineJson: JSON.stringify(input.value) };
  }
  return { name, mediaType, abiType, ref: input.url ?? input.objectKey, objectKey: input.objectKey };
}

/** What a completion means. A peer without error codes gets the general one. */
export function toRunOutcome(completion: Completion): RunOutcome {
  switch (completion.status) {
    case "SUCCESS":
    case "SKIPPED":
      return {
        kind: "succeeded",
        result: { json: new TextDecoder().decode(completion.resultInline), ref: completion.resultRef },
      };
    case "ERROR": {
      const code = completion.errorCode === 0 ? TASK_ERROR.EXECUTION_FAILED : completion.errorCode;
      return {
        kind: "failed",
        code,
        message: completion.error === "" ? "the handler failed and gave no reason" : completion.error,
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

/** The answer to an upload request. */
export function toGrantMessage(requestId: bigint, answer: UploadTicket | Error): Envelope {
  if (answer instanceof Error) return envelope("uploadGrant", { requestId, error: answer.message });
  return envelope("uploadGrant", {
    requestId,
    objectKey: answer.objectKey,
    url: answer.url,
    headers: { ...answer.headers },
    expiresUnix: BigInt(Math.floor(answer.expiresAtMs / 1_000)),
  });
}
