import { type Envelope, envelope, TASK_ERROR, type TaskAssignment } from "@subnet-worker/protocol";
import { TerminalError } from "./errors.ts";
import { type Ask, type Grant, NotBrokeredError, type OpenUpload } from "./grant.ts";
import type { WireGrant } from "./grant-desk.ts";
import type { Attachment, Link } from "./link.ts";
import { TransientFailure } from "./transfer-retry.ts";

type RunIds = Pick<TaskAssignment, "activityId" | "runId">;

export interface AskingRun {
  readonly assignment: TaskAssignment;
  readonly attachment: Attachment;
  readonly signal: AbortSignal;
}

/**
 * Asks the worker client of a run for a URL, or a step of an upload in parts; waits
 * for a stream while there is none.
 *
 * @throws {NotBrokeredError} when the worker client knows nothing of such asks
 * @throws {TerminalError} PERMISSION_DENIED when the run may not read or write that
 * @throws {TransientFailure} when the stream ends, nobody answers, or asking again may help
 */
export async function requestGrant(ask: Ask, run: AskingRun): Promise<Grant> {
  const { activityId, runId } = run.assignment;
  const link = await run.attachment.whenAttached(run.signal);
  checkAsk(ask, link, run.assignment);
  const grant = await link.request((requestId) => toEnvelope(ask, { activityId, runId }, requestId), {
    signal: run.signal,
    isSlow: ask.kind === "complete",
  });
  if (grant.error === "") return toGrant(grant);
  if (grant.retryable) throw new TransientFailure(`the worker client answered: ${grant.error}`);
  throw denied(ask, `the worker client refused: ${grant.error}`);
}

/** Gives up an upload in parts, as far as a worker client is there to be told. */
export function abandonUpload({ name, uploadId }: OpenUpload, run: Omit<AskingRun, "signal">): void {
  const { activityId, runId } = run.assignment;
  const { link } = run.attachment;
  if (link?.brokersStorage !== true) return;
  link.tell((requestId) =>
    envelope("multipartRequest", {
      activityId,
      runId,
      requestId,
      name,
      step: { case: "abort", value: { uploadId } },
    }),
  );
}

/** A URL whose life has so short a rest is renewed before it is used. */
const SHORTEST_REST_MS = 30_000;
const SHORTEST_REST_SHARE = 0.05;

/**
 * Whether a URL that was obtained at one time and expires at another is better renewed
 * before it is used. What had expired when it came was not told by our clock: then the
 * store has the last word.
 */
export function isStale(
  { obtainedAtMs, expiresAtMs }: { readonly obtainedAtMs: number; readonly expiresAtMs: number },
  nowMs: number,
): boolean {
  const lifeMs = expiresAtMs - obtainedAtMs;
  if (expiresAtMs === 0 || lifeMs <= 0) return false;
  return expiresAtMs - nowMs <= Math.min(SHORTEST_REST_MS, lifeMs * SHORTEST_REST_SHARE);
}

function checkAsk(ask: Ask, link: Link, { uploadPrefix }: TaskAssignment): void {
  const isUpload = ask.kind === "upload";
  if (!link.hasAdditions && isUpload && ask.needsBroker !== true) {
    throw denied(
      ask,
      "the worker client speaks protocol 1.0.0, which brokers no storage; upgrade it to 1.1.0",
    );
  }
  if (!link.brokersStorage && !(isUpload && ask.needsBroker !== true)) {
    throw new NotBrokeredError(
      "the worker client brokers no storage; configure storage there, or upgrade it",
    );
  }
  if (ask.kind !== "download" && uploadPrefix === "") {
    throw denied(ask, "the worker client gave this run no place to write");
  }
}

function toEnvelope(ask: Ask, ids: RunIds, requestId: bigint): Envelope {
  switch (ask.kind) {
    case "upload": {
      const { name, mediaType, sizeBytes, md5, sha256 } = ask;
      const wish = { name, mediaType, sizeBytes: BigInt(sizeBytes), md5, sha256 };
      return envelope("uploadRequest", { ...ids, requestId, ...wish });
    }
    case "download":
      return envelope("downloadRequest", { ...ids, requestId, objectKey: ask.objectKey });
    case "create": {
      const { name, mediaType, sizeBytes = 0, sha256 = NO_BYTES } = ask;
      const value = { mediaType, sizeBytes: BigInt(sizeBytes), sha256 };
      return envelope("multipartRequest", { ...ids, requestId, name, step: { case: "create", value } });
    }
    case "part": {
      const { name, uploadId, partNumber, sizeBytes, md5 } = ask;
      const value = { uploadId, partNumber, sizeBytes: BigInt(sizeBytes), md5 };
      return envelope("multipartRequest", { ...ids, requestId, name, step: { case: "part", value } });
    }
    case "complete": {
      const { name, uploadId, parts } = ask;
      const value = { uploadId, parts: [...parts] };
      return envelope("multipartRequest", { ...ids, requestId, name, step: { case: "complete", value } });
    }
    default:
      return ask satisfies never;
  }
}

const NO_BYTES = new Uint8Array();

function toGrant(grant: WireGrant): Grant {
  const { objectKey } = grant;
  const headers = "headers" in grant ? { ...grant.headers } : {};
  const uploadId = "uploadId" in grant ? grant.uploadId : "";
  return { objectKey, url: grant.url, headers, expiresAtMs: Number(grant.expiresUnix) * 1_000, uploadId };
}

function denied(ask: Ask, why: string): TerminalError {
  const what = ask.kind === "download" ? `download of "${ask.objectKey}"` : `upload "${ask.name}"`;
  return new TerminalError(`[PERMISSION_DENIED] ${what}: ${why}`, { code: TASK_ERROR.PERMISSION_DENIED });
}
