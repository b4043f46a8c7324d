import { randomUUID } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { TASK_ERROR } from "@subnet-worker/protocol/task-error";
import type { UploadBody } from "./context.ts";
import { describe } from "./contract.ts";
import { TerminalError } from "./errors.ts";
import { NotBrokeredError, type Written } from "./grant.ts";
import type { TransferProgress } from "./input-file.ts";
import { type MultipartDeps, uploadInParts } from "./multipart.ts";
import { putPayload } from "./put-object.ts";
import {
  type Content,
  type Digests,
  digestsOf,
  isStreamBody,
  type KnownBody,
  openContent,
} from "./upload-body.ts";
import { type Part, type PartSource, partsOfContent, partSizeOf, StreamParts } from "./upload-parts.ts";

export interface UploadDeps extends MultipartDeps {
  /** Where a stream is kept that cannot be sent in parts. */
  readonly scratchDir: () => Promise<string>;
}

export interface Upload {
  /** Path below the run's prefix. */
  readonly name: string;
  readonly body: UploadBody;
  readonly mediaType: string;
  /** Of the body; `undefined`: no limit. */
  readonly maxBytes?: number | undefined;
  readonly onProgress?: ((progress: TransferProgress) => void) | undefined;
  /** See {@link UploadAsk}. */
  readonly needsBroker?: boolean;
}

/** Writes one object; see `ctx.upload`. */
export async function uploadObject(upload: Upload, deps: UploadDeps): Promise<Written> {
  const { body } = upload;
  if (isStreamBody(body)) return await uploadStream(upload, body, deps);
  checkUpload(upload);
  return await uploadKnown(upload, body, deps);
}

async function uploadKnown(upload: Upload, body: KnownBody, deps: UploadDeps): Promise<Written> {
  await using content = await openContent(body);
  const { sizeBytes } = content;
  const { maxBytes = Infinity } = upload;
  if (sizeBytes > maxBytes) {
    throw new TerminalError(
      `[QUOTA_EXCEEDED] upload "${upload.name}" has ${sizeBytes} bytes and at most ${maxBytes} are allowed`,
      { code: TASK_ERROR.QUOTA_EXCEEDED },
    );
  }
  const { settings, signal } = deps;
  const isLarge = sizeBytes > settings.multipartAboveBytes;
  const partBytes = isLarge ? partSizeOf(sizeBytes, settings.partBytes) : Math.max(1, sizeBytes);
  const digests = await digestsOf(content, { partBytes, signal });
  if (!isLarge) return await putWhole(upload, { content, digests, md5: digests.md5s[0] }, deps);
  try {
    return await putParts(upload, { content, digests, partBytes }, deps);
  } catch (error) {
    if (!(error instanceof NotBrokeredError)) throw error;
    return await putWhole(upload, { content, digests, md5: undefined }, deps);
  }
}

async function putParts(
  upload: Upload,
  whole: { readonly content: Content; readonly digests: Digests; readonly partBytes: number },
  deps: UploadDeps,
): Promise<Written> {
  const { content, digests, partBytes } = whole;
  const { sizeBytes } = content;
  const { sha256 } = digests;
  const objectKey = await uploadInParts(
    {
      name: upload.name,
      mediaType: upload.mediaType,
      sizeBytes,
      sha256,
      parts: partsOfContent(content, digests, partBytes),
      atOnce: deps.settings.partsAtOnce,
      beforeComplete: () => content.checkUnchanged(),
      onPart: counter(upload, sizeBytes),
    },
    deps,
  );
  return { objectKey, sizeBytes, sha256 };
}

async function putWhole(
  upload: Upload,
  whole: { readonly content: Content; readonly digests: Digests; readonly md5: Buffer | undefined },
  deps: UploadDeps,
): Promise<Written> {
  const { name, mediaType, needsBroker = false, onProgress } = upload;
  const { content, digests, md5 } = whole;
  const { sizeBytes } = content;
  const { sha256 } = digests;
  const { objectKey } = await putPayload(
    {
      label: `upload "${name}"`,
      ask: { kind: "upload", name, mediaType, sizeBytes, md5: md5 ?? new Uint8Array(), sha256, needsBroker },
      sizeBytes,
      md5,
      open: () => content.open({ start: 0, end: sizeBytes }),
      beforeRetry: () => content.checkUnchanged(),
    },
    deps,
  );
  await content.checkUnchanged();
  onProgress?.({ doneBytes: sizeBytes, totalBytes: sizeBytes });
  return { objectKey, sizeBytes, sha256 };
}

async function uploadStream(
  upload: Upload,
  stream: AsyncIterable<Uint8Array>,
  deps: UploadDeps,
): Promise<Written> {
  const { settings, signal } = deps;
  const parts = new StreamParts(stream, {
    label: `upload "${upload.name}"`,
    partBytes: settings.partBytes,
    maxBytes: upload.maxBytes ?? Infinity,
  });
  const stop = () => parts.stop(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    signal.throwIfAborted();
    checkUpload(upload);
    return await uploadCut(upload, parts, deps);
  } catch (error) {
    parts.stop(error);
    throw error;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** What fits into one part goes in one request. */
async function uploadCut(upload: Upload, parts: StreamParts, deps: UploadDeps): Promise<Written> {
  const first = await parts.next();
  if (first !== undefined && parts.hasEnded) {
    const content = contentOfPart(first);
    const digests = { sha256: parts.sha256(), md5s: [first.md5] };
    return await putWhole(upload, { content, digests, md5: first.md5 }, deps);
  }
  let isFirst = true;
  const next = () => {
    if (!isFirst) return parts.next();
    isFirst = false;
    return Promise.resolve(first);
  };
  try {
    const { name, mediaType } = upload;
    const objectKey = await uploadInParts(
      {
        name,
        mediaType,
        sizeBytes: undefined,
        sha256: undefined,
        parts: { next, stop: (reason) => parts.stop(reason) },
        // One is filled while the other is sent; each is in memory.
        atOnce: Math.min(2, deps.settings.partsAtOnce),
        beforeComplete: () => Promise.resolve(),
        onPart: counter(upload, undefined),
      },
      deps,
    );
    parts.finish();
    return { objectKey, sizeBytes: parts.sizeBytes, sha256: parts.sha256() };
  } catch (error) {
    // What was taken from the stream does not come again: the rest alone would be another object.
    if (!(error instanceof NotBrokeredError) || !isFirst) throw error;
    return await uploadSpooled(upload, { next, sha256: () => parts.sha256() }, deps);
  }
}

/** Keeps a stream on disk first: its length must be known before it can be sent. */
async function uploadSpooled(
  upload: Upload,
  stream: Pick<PartSource, "next"> & { sha256(): Buffer },
  deps: UploadDeps,
): Promise<Written> {
  const path = join(await deps.scratchDir(), `upload-${randomUUID()}`);
  async function* bytes(): AsyncGenerator<Buffer> {
    for (let part = await stream.next(); part !== undefined; part = await stream.next()) {
      yield* part.open();
      part.release();
    }
  }
  try {
    await writeFile(path, bytes(), { signal: deps.signal });
    await using content = await openContent({ path });
    const digests = { sha256: stream.sha256(), md5s: [] };
    return await putWhole(upload, { content, digests, md5: undefined }, deps);
  } finally {
    await rm(path, { force: true });
  }
}

function contentOfPart(part: Part): Content {
  return {
    sizeBytes: part.sizeBytes,
    open: () => part.open(),
    checkUnchanged: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function counter({ onProgress }: Upload, totalBytes: number | undefined): (part: Part) => void {
  let doneBytes = 0;
  return ({ sizeBytes }) => {
    doneBytes += sizeBytes;
    onProgress?.({ doneBytes, totalBytes });
  };
}

/** Handlers in JavaScript may give anything. */
function checkUpload({ name, body, mediaType }: Upload): void {
  if (!isRelativePath(name)) {
    throw invalid(
      `upload name ${JSON.stringify(name)} is not a relative path; use something like "waveform.png"`,
    );
  }
  if (!isStreamBody(body) && !isKnownBody(body)) {
    throw invalid(
      `upload "${name}": its body is ${describe(body)}; give text, a Uint8Array, { path }, or a stream of Uint8Array`,
    );
  }
  if (typeof mediaType === "string" && /^[\x20-\x7e]{1,255}$/.test(mediaType)) return;
  const given = describe(mediaType);
  throw invalid(`upload "${name}": its mediaType is ${given}; give it as in { mediaType: "image/png" }`);
}

function isRelativePath(name: unknown): name is string {
  if (typeof name !== "string" || name.length > 512 || /[\p{Cc}\\]/u.test(name)) return false;
  return !name.split("/").some((part) => ["", ".", ".."].includes(part));
}

function isKnownBody(body: unknown): body is KnownBody {
  if (typeof body === "string" || body instanceof Uint8Array) return true;
  return typeof body === "object" && body !== null && typeof (body as { path?: unknown }).path === "string";
}

function invalid(message: string): TerminalError {
  return new TerminalError(`[INVALID_FORMAT] ${message}`, { code: TASK_ERROR.INVALID_FORMAT });
}
