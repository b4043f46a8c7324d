import { stat } from "node:fs/promises";
import type { InputDescriptor } from "@subnet-worker/protocol";
import { isRetryableError } from "./errors.ts";
import type { Ask, Grant } from "./grant.ts";
import { displayUrl, isHttpUrl } from "./http-request.ts";
import { createInputFile, DEFAULT_MAX_BYTES, type InputFile, type ReadOptions } from "./input-file.ts";
import { DamagedError, ObjectRead, type SizeBound } from "./object-read.ts";
import { ObjectUrl } from "./object-url.ts";
import { partialPath, removePartial, writeRest } from "./save-file.ts";
import type { RetryDeps } from "./transfer-retry.ts";

export interface DownloadDeps extends RetryDeps {
  /** @throws {NotBrokeredError} where nobody answers it */
  readonly requestGrant: (ask: Ask) => Promise<Grant>;
  /** Files of which a part is there, to be gone on with or removed when the run is over. */
  readonly partialFiles: Set<string>;
}

/** The file behind a reference of an assignment. */
export function openInputFile(descriptor: InputDescriptor, deps: DownloadDeps): InputFile {
  const { name, mediaType, ref } = descriptor;
  const objectKey = descriptor.objectKey !== "" ? descriptor.objectKey : isHttpUrl(ref) ? undefined : ref;
  const label =
    objectKey === undefined
      ? `input "${name}" at ${displayUrl(ref)}`
      : `input "${name}", object "${objectKey}"`;
  const url = new ObjectUrl(
    { label, objectKey, url: ref, expiresAtMs: Number(descriptor.expiresUnix) * 1_000 },
    deps,
  );
  return openFile({ name, mediaType, objectKey }, { url, maxBytes: Number(descriptor.maxBytes) }, deps);
}

/** An object that is no input: something that a run of the same activity has written. */
export function openObject(objectKey: string, deps: DownloadDeps): InputFile {
  const url = new ObjectUrl({ label: `object "${objectKey}"`, objectKey, url: "", expiresAtMs: 0 }, deps);
  return openFile({ name: objectKey, mediaType: "", objectKey }, { url, maxBytes: 0 }, deps);
}

interface Origin {
  readonly url: ObjectUrl;
  /** As the spec has it; 0: no limit. */
  readonly maxBytes: number;
}

function openFile(
  facts: Pick<InputFile, "name" | "mediaType" | "objectKey">,
  { url, maxBytes }: Origin,
  deps: DownloadDeps,
): InputFile {
  const bounds: SizeBound[] =
    maxBytes === 0 ? [] : [{ maxBytes, advice: `the activity's spec allows at most ${maxBytes}` }];
  const newRead = (more: readonly SizeBound[] = []) => new ObjectRead(url, [...bounds, ...more], deps);
  /** Reads that a failure has interrupted, by the file that they are for. */
  let interrupted: Map<string, ObjectRead> | undefined;
  return createInputFile({
    ...facts,
    get url() {
      return url.last;
    },
    stream: (options) => ReadableStream.from(observed(newRead(), options)),
    bytes: ({ maxBytes: most = DEFAULT_MAX_BYTES, ...options } = {}) => {
      const advice = `at most ${most} are read into memory; use stream() or saveTo(), or raise maxBytes`;
      const once = () => collect(observed(newRead([{ maxBytes: most, advice }]), options));
      return untilWhole(once, deps.settings.maxReads);
    },
    saveTo(path, options) {
      interrupted ??= new Map();
      const reads = interrupted;
      const { label } = url;
      const save = () => saveOnce({ path, label, reads, newRead, options }, deps);
      return untilWhole(save, deps.settings.maxReads);
    },
  });
}

/** Reads again what arrived damaged. */
async function untilWhole<T>(read: () => Promise<T>, maxReads: number): Promise<T> {
  for (let reads = 1; ; reads += 1) {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof DamagedError) || reads >= maxReads) throw error;
    }
  }
}

async function* observed(read: ObjectRead, { onProgress }: ReadOptions = {}): AsyncGenerator<Uint8Array> {
  for await (const chunk of read.chunks()) {
    onProgress?.({ doneBytes: read.doneBytes, totalBytes: read.totalBytes });
    yield chunk;
  }
}

async function collect(content: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk);
  const { buffer, byteOffset, byteLength } = Buffer.concat(chunks);
  return new Uint8Array(buffer, byteOffset, byteLength);
}

interface Saving {
  readonly path: string;
  readonly label: string;
  readonly reads: Map<string, ObjectRead>;
  readonly newRead: () => ObjectRead;
  readonly options: ReadOptions | undefined;
}

async function saveOnce(saving: Saving, deps: DownloadDeps): Promise<{ readonly sizeBytes: number }> {
  const { path, label, reads, options } = saving;
  const read = await readFor(saving);
  reads.delete(path);
  deps.partialFiles.add(path);
  try {
    await writeRest(observed(read, options), { path, fromBytes: read.doneBytes, label });
  } catch (error) {
    if (isResumable(error, deps.signal)) reads.set(path, read);
    else {
      await removePartial(path);
      deps.partialFiles.delete(path);
    }
    throw error;
  }
  deps.partialFiles.delete(path);
  return { sizeBytes: read.doneBytes };
}

/** The interrupted read of this file, as long as what it has read is still there. */
async function readFor({ path, reads, newRead }: Saving): Promise<ObjectRead> {
  const read = reads.get(path);
  if (read === undefined) return newRead();
  const partial = await stat(partialPath(path)).catch(() => undefined);
  return partial?.size === read.doneBytes ? read : newRead();
}

function isResumable(error: unknown, signal: AbortSignal): boolean {
  return isRetryableError(error) && !(error instanceof DamagedError) && !signal.aborted;
}
