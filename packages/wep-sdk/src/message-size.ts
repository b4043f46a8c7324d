import type { MessageInitShape } from "@bufbuild/protobuf";
import { type CompletionSchema, type Envelope, TASK_ERROR } from "@subnet-worker/protocol";
import type { Outcome } from "./run-state.ts";

/** More than ids, numbers and tags of one message take on the wire. */
const OVERHEAD_BYTES = 512;
/** Size and digest of a written object, and the tags around them. */
const OBJECT_BYTES = 64;
/** UTF-8 of one UTF-16 unit at worst. */
const MOST_BYTES_PER_CHAR = 3;

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

/**
 * The outcome, or, where its completion would be too large to be sent, a failure that
 * says so: a peer that refused it would end the stream, and get it again on the next.
 */
export function limitOutcome(outcome: Outcome, maxBytes: number): Outcome {
  if (outcome.status !== "SUCCESS") return outcome;
  const { result, resultRef, objects } = outcome;
  const written = objects?.map(({ objectKey }) => ({ objectKey }));
  const sizeBytes = completionBytes({
    resultInline: result,
    ...(resultRef === undefined ? {} : { resultRef }),
    ...(written === undefined ? {} : { objects: written }),
  });
  if (sizeBytes <= maxBytes) return outcome;
  return {
    status: "ERROR",
    code: TASK_ERROR.QUOTA_EXCEEDED,
    message:
      `[QUOTA_EXCEEDED] the result takes ${sizeBytes} bytes, and a message at most ${maxBytes}; ` +
      "upload it with ctx.upload() and return its object key",
    retryable: false,
    retryAfterMs: 0,
  };
}

function completionBytes({
  resultInline,
  error,
  resultRef,
  objects = [],
}: MessageInitShape<typeof CompletionSchema>): number {
  const fieldBytes = (resultInline?.byteLength ?? 0) + textBytes(error) + textBytes(resultRef);
  const objectBytes = objects.reduce((sum, { objectKey }) => sum + OBJECT_BYTES + textBytes(objectKey), 0);
  return OVERHEAD_BYTES + fieldBytes + objectBytes;
}

function textBytes(text: string | undefined): number {
  return text === undefined ? 0 : text.length * MOST_BYTES_PER_CHAR;
}
