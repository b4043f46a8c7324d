import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Readable } from "node:stream";
import type { Clock } from "@subnet-worker/kit";
import type { UploadGrant } from "@subnet-worker/protocol";
import { TASK_ERROR } from "@subnet-worker/protocol/task-error";
import type { UploadBody, UploadedObject } from "./context.ts";
import { RetryableError, TerminalError } from "./errors.ts";
import type { UploadWish } from "./grant-request.ts";
import { displayUrl, readExcerpt, retryAfterMs, sendHttp } from "./http-request.ts";
import { createTransferRetry, TransientFailure, type TransferSettings } from "./transfer-retry.ts";

export interface UploadDeps {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly settings: TransferSettings;
  /** Where to write an object; throws a TransientFailure when asking again may help. */
  readonly requestGrant: (wish: UploadWish) => Promise<UploadGrant>;
}

export interface Upload {
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
      const { name, mediaType } = upload;
      const grant = await deps.requestGrant({ name, mediaType, sizeBytes: content.sizeBytes });
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

function exhausted(upload: Upload, cause: TransientFailure): RetryableError {
  return new RetryableError(`[NETWORK_ERROR] upload "${upload.name}": gave up: ${cause.message}`, {
    code: TASK_ERROR.NETWORK_ERROR,
    cause,
  });
}
