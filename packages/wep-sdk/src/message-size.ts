import type { MessageInitShape } from "@bufbuild/protobuf";
import { type CompletionSchema, type Envelope, TASK_ERROR } from "@subnet-worker/protocol";

/** More than ids, numbers and tags of one message take on the wire. */
const OVERHEAD_BYTES = 512;
/** UTF-8 of one UTF-16 unit at worst. */
const MOST_BYTES_PER_CHAR = 3;

type CompletionFields = MessageInitShape<typeof CompletionSchema>;

/**
 * What a message takes at most, without encoding it. Only what handlers and peers
 * fill at will is counted; a batch is never asked for.
 */
export function estimateBytes({ msg }: Envelope): number {
  switch (msg.case) {
    case "completion":
      return completionBytes(msg.value);
    case "progress":
      return OVERHEAD_BYTES + textBytes(msg.value.message) + textBytes(msg.value.checkpointRef);
    case "rejection":
      return OVERHEAD_BYTES + textBytes(msg.value.reason);
    case "inventory":
      return OVERHEAD_BYTES * (1 + msg.value.runs.length);
    default:
      return OVERHEAD_BYTES;
  }
}

/** A completion as it can be sent: see {@link limitCompletion}. */
export interface Limits {
  readonly maxBytes: number;
  /** Whether the peer knows error codes. */
  readonly hasAdditions: boolean;
}

/**
 * The completion, or, where it is too large to be sent, a failed one that says so:
 * a peer that refused it would end the stream, and get it again on the next one.
 */
export function limitCompletion(
  completion: CompletionFields,
  { maxBytes, hasAdditions }: Limits,
): CompletionFields {
  const sizeBytes = completionBytes(completion);
  if (sizeBytes <= maxBytes) return completion;
  const { activityId = "", runId = "" } = completion;
  const error =
    `[QUOTA_EXCEEDED] the result takes ${sizeBytes} bytes, and a message at most ${maxBytes}; ` +
    "upload it with ctx.upload() and return its object key";
  const failed = { activityId, runId, status: "ERROR", error };
  return hasAdditions ? { ...failed, errorCode: TASK_ERROR.QUOTA_EXCEEDED } : failed;
}

function completionBytes({ resultInline, error, resultRef }: CompletionFields): number {
  return OVERHEAD_BYTES + (resultInline?.byteLength ?? 0) + textBytes(error) + textBytes(resultRef);
}

function textBytes(text: string | undefined): number {
  return text === undefined ? 0 : text.length * MOST_BYTES_PER_CHAR;
}
