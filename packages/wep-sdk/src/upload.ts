import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Readable } from "node:stream";
import type { Clock } from "@subnet-worker/kit";
import { TASK_ERROR, type TaskAssignment, type UploadGrant } from "@subnet-worker/protocol";
import type { UploadBody, UploadedObject } from "./context.ts";
import { RetryableError, TerminalError } from "./errors.ts";
import { displayUrl, readExcerpt, retryAfterMs, sendHttp } from "./http-request.ts";
import type { Attachment } from "./link.ts";
import { createTransferRetry, TransientFailure, type TransferSettings } from "./transfer-retry.ts";

export interface UploadDeps {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly settings: TransferSettings;
  readonly attachment: Attachment;
}

export interface Upload {
  readonly assignment: TaskAssignment;
  /** Path below the run's prefix. */
  readonly name: string;
  readonly body: UploadBody;
  readonly mediaType: string;
}

/**
 * Writes one object: asks the stream for a presigned URL, then sends the bytes.
 * Each attempt asks anew, because the URL of the last may have expired.
 */
export async function uploadObject(upload: Upload, deps: UploadDeps): Promise<UploadedObject> {
  checkName(upload);
  const content = await contentOf(upload.body);
  const retry = createTransferRetry(deps.settings, deps);
  for (;;) {
    try {
      const grant = await requestGrant(upload, content.sizeBytes, deps);
      await put(upload, { grant, content }, deps);
      return { objectKey: grant.objectKey, sizeBytes: content.sizeBytes };
    } catch (error) {
      deps.signal.throwIfAborted();
      if (!(error instanceof TransientFailure)) throw error;
      if (!(await retry.waitBeforeRetry(error.retryAfterMs))) throw exhausted(upload, error);
    }
  }
}

interface Content {
  readonly sizeBytes: number;
  readonly open: () => Readable;
}

async function contentOf(body: UploadBody): Promise<Content> {
  if (typeof body === "object" && "path" in body) {
    const { size } = await stat(body.path);
    // `end` keeps a file that grows meanwhile to the size that was asked for.
    return {
      sizeBytes: size,
      open: () => (size === 0 ? Readable.from([]) : createReadStream(body.path, { end: size - 1 })),
    };
  }
  const bytes =
    typeof body === "string"
      ? Buffer.from(body, "utf8")
      : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  return { sizeBytes: bytes.byteLength, open: () => Readable.from(slices(bytes)) };
}

function* slices(bytes: Buffer): Generator<Buffer> {
  const sliceBytes = 256 * 1024;
  for (let start = 0; start < bytes.byteLength; start += sliceBytes)
    yield bytes.subarray(start, start + sliceBytes);
}

async function requestGrant(upload: Upload, sizeBytes: number, deps: UploadDeps): Promise<UploadGrant> {
  const { assignment, name, mediaType } = upload;
  const link = await deps.attachment.whenAttached(deps.signal);
  if (!link.hasAdditions) {
    throw denied(
      upload,
      "the worker client speaks protocol 1.0.0, which brokers no storage; upgrade it to 1.1.0",
    );
  }
  if (assignment.uploadPrefix === "")
    throw denied(upload, "the worker client gave this run no place to write");
  const { activityId, runId } = assignment;
  const grant = await link.requestUpload(
    { activityId, runId, name, mediaType, sizeBytes: BigInt(sizeBytes) },
    deps.signal,
  );
  if (grant.error !== "") throw denied(upload, `the worker client refused: ${grant.error}`);
  return grant;
}

async function put(
  upload: Upload,
  { grant, content }: { readonly grant: UploadGrant; readonly content: Content },
  { signal, settings }: UploadDeps,
): Promise<void> {
  const headers = { ...grant.headers, "content-length": String(content.sizeBytes) };
  const reply = await sendHttp({
    method: "PUT",
    url: grant.url,
    headers,
    body: content.open,
    signal,
    idleTimeoutMs: settings.idleTimeoutMs,
  }).catch((error: unknown) => {
    signal.throwIfAborted();
    throw new TransientFailure(`${displayUrl(grant.url)}: ${String(error)}`, { cause: error });
  });
  const status = reply.statusCode ?? 0;
  const excerpt = await readExcerpt(reply);
  if (status >= 200 && status < 300) return;
  const where = `${displayUrl(grant.url)} answered ${status} ${excerpt.slice(0, 300)}`;
  // 400 and 403 too: an expired or half-sent request looks like that, and the next grant is fresh.
  if (status >= 500 || [400, 403, 408, 409, 425, 429].includes(status)) {
    throw new TransientFailure(where, { retryAfterMs: retryAfterMs(reply.headers) });
  }
  throw new TerminalError(`[HTTP_ERROR] upload "${upload.name}": ${where}`, { code: TASK_ERROR.HTTP_ERROR });
}

function checkName(upload: Upload): void {
  const { name } = upload;
  const parts = name.split("/");
  if (name.length > 512 || /[\p{Cc}\\]/u.test(name) || parts.some((part) => ["", ".", ".."].includes(part))) {
    throw new TerminalError(
      `[INVALID_FORMAT] upload name ${JSON.stringify(name)} is not a relative path; use something like "waveform.png"`,
      { code: TASK_ERROR.INVALID_FORMAT },
    );
  }
}

function denied(upload: Upload, why: string): TerminalError {
  return new TerminalError(`[PERMISSION_DENIED] upload "${upload.name}": ${why}`, {
    code: TASK_ERROR.PERMISSION_DENIED,
  });
}

function exhausted(upload: Upload, cause: TransientFailure): RetryableError {
  return new RetryableError(`[NETWORK_ERROR] upload "${upload.name}": gave up: ${cause.message}`, {
    code: TASK_ERROR.NETWORK_ERROR,
    cause,
  });
}
