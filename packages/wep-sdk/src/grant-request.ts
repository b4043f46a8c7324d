import { TASK_ERROR, type TaskAssignment, type UploadGrant } from "@subnet-worker/protocol";
import { TerminalError } from "./errors.ts";
import type { Attachment } from "./link.ts";

/** An object that a run would like to write. */
export interface UploadWish {
  /** Path below the run's prefix. */
  readonly name: string;
  readonly mediaType: string;
  readonly sizeBytes: number;
}

/**
 * Asks the worker client of a run where to write an object; waits for a stream
 * while there is none.
 *
 * @throws {TerminalError} PERMISSION_DENIED when the run may not write there
 * @throws {TransientFailure} when the stream ends or nobody answers; asking again may help
 */
export async function requestGrant(
  wish: UploadWish,
  run: { readonly assignment: TaskAssignment; readonly attachment: Attachment; readonly signal: AbortSignal },
): Promise<UploadGrant> {
  const { activityId, runId, uploadPrefix } = run.assignment;
  const { name, mediaType } = wish;
  const link = await run.attachment.whenAttached(run.signal);
  if (!link.hasAdditions) {
    throw denied(
      name,
      "the worker client speaks protocol 1.0.0, which brokers no storage; upgrade it to 1.1.0",
    );
  }
  if (uploadPrefix === "") throw denied(name, "the worker client gave this run no place to write");
  const grant = await link.requestUpload(
    { activityId, runId, name, mediaType, sizeBytes: BigInt(wish.sizeBytes) },
    run.signal,
  );
  if (grant.error !== "") throw denied(name, `the worker client refused: ${grant.error}`);
  return grant;
}

function denied(name: string, why: string): TerminalError {
  return new TerminalError(`[PERMISSION_DENIED] upload "${name}": ${why}`, {
    code: TASK_ERROR.PERMISSION_DENIED,
  });
}
