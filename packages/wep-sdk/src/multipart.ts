// One upload in parts.
//
// 1. At most `atOnce` parts are out of their source at any time.
// 2. Each part is asked for, sent and retried by itself.
// 3. The first failure ends them all; what was begun is then given up.
import { TASK_ERROR } from "@subnet-worker/protocol/task-error";
import { TerminalError } from "./errors.ts";
import type { CompletedPart, OpenUpload } from "./grant.ts";
import { type PutDeps, putPayload, retrying } from "./put-object.ts";
import type { Part, PartSource } from "./upload-parts.ts";

export interface MultipartDeps extends PutDeps {
  /** An upload in parts was begun. */
  readonly onBegun: (upload: OpenUpload) => void;
  /** It is an object now, or is to be given up. */
  readonly onOver: (upload: OpenUpload, how: "complete" | "abandoned") => void;
}

export interface PartsUpload {
  readonly name: string;
  readonly mediaType: string;
  /** `undefined`: not known yet; the same of the digest. */
  readonly sizeBytes: number | undefined;
  readonly sha256: Buffer | undefined;
  readonly parts: PartSource;
  /** How many of them may be under way. */
  readonly atOnce: number;
  /** Called before the parts become an object. @throws when they must not */
  readonly beforeComplete: () => Promise<void>;
  /** A part is with the store. */
  readonly onPart: (part: Part) => void;
}

/**
 * Writes an object in parts; resolves with its key.
 *
 * @throws {NotBrokeredError} before a part was taken, where the worker client has no such thing
 */
export async function uploadInParts(upload: PartsUpload, deps: MultipartDeps): Promise<string> {
  const { name, mediaType, sizeBytes, sha256 } = upload;
  const label = `upload "${name}"`;
  const begun = await retrying(
    label,
    () => deps.requestGrant({ kind: "create", name, mediaType, sizeBytes, sha256 }),
    deps,
  );
  const open = { name, uploadId: begun.uploadId };
  deps.onBegun(open);
  try {
    const parts = await sendParts(upload, open, deps);
    await upload.beforeComplete();
    const { objectKey } = await retrying(
      label,
      () => deps.requestGrant({ kind: "complete", ...open, parts }),
      deps,
    );
    deps.onOver(open, "complete");
    return objectKey;
  } catch (error) {
    deps.onOver(open, "abandoned");
    throw error;
  }
}

async function sendParts(
  upload: PartsUpload,
  open: OpenUpload,
  deps: MultipartDeps,
): Promise<readonly CompletedPart[]> {
  const failed = new AbortController();
  const own = { ...deps, signal: AbortSignal.any([deps.signal, failed.signal]) };
  const done: CompletedPart[] = [];
  const work = async () => {
    for (;;) {
      const part = await upload.parts.next();
      own.signal.throwIfAborted();
      if (part === undefined) return;
      done.push(await sendPart(part, open, own));
      upload.onPart(part);
      part.release();
    }
  };
  const workers = Array.from({ length: upload.atOnce }, () =>
    work().catch((error: unknown) => {
      failed.abort(error);
      // Who waits for a part has no signal to look at, and its source may give nothing for hours.
      upload.parts.stop(error);
      throw error;
    }),
  );
  // All of them, so that nothing is under way any more when it is given up.
  const ends = await Promise.allSettled(workers);
  deps.signal.throwIfAborted();
  if (ends.some(({ status }) => status === "rejected")) throw failed.signal.reason;
  return done.sort((a, b) => a.partNumber - b.partNumber);
}

async function sendPart(part: Part, open: OpenUpload, deps: MultipartDeps): Promise<CompletedPart> {
  const { number: partNumber, sizeBytes, md5 } = part;
  const label = `upload "${open.name}", part ${partNumber}`;
  const { etag } = await putPayload(
    {
      label,
      ask: { kind: "part", ...open, partNumber, sizeBytes, md5 },
      sizeBytes,
      md5,
      open: () => part.open(),
      beforeRetry: () => part.checkUnchanged(),
    },
    deps,
  );
  if (etag !== "") return { partNumber, etag };
  throw new TerminalError(
    `[HTTP_ERROR] ${label}: the store gave no ETag for it; a proxy in front of it may have removed it`,
    { code: TASK_ERROR.HTTP_ERROR },
  );
}
