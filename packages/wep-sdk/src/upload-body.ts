import { createHash } from "node:crypto";
import { constants, type FileHandle, open } from "node:fs/promises";
import { TASK_ERROR } from "@subnet-worker/protocol/task-error";
import type { UploadBody } from "./context.ts";
import { TerminalError } from "./errors.ts";

const SLICE_BYTES = 256 * 1_024;

/** From its first byte up to the one before `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** Bytes whose number is known and that can be read again. */
export interface Content extends AsyncDisposable {
  readonly sizeBytes: number;
  /** Its chunks last until the next one is asked for. */
  open(range: ByteRange): AsyncIterable<Buffer> | Iterable<Buffer>;
  /** @throws {TerminalError} INVALID_INPUT when they are not any more what they were at first */
  checkUnchanged(): Promise<void>;
}

export interface Digests {
  /** Of all of it. */
  readonly sha256: Buffer;
  /** Of its parts, in their order; of no bytes at all, one. */
  readonly md5s: readonly Buffer[];
}

export type KnownBody = Uint8Array | string | { readonly path: string };

/** Whether the bytes come by and by, and their number is not known. */
export function isStreamBody(body: UploadBody): body is Exclude<UploadBody, KnownBody> {
  if (typeof body !== "object" || (body as unknown) === null || body instanceof Uint8Array) return false;
  return Symbol.asyncIterator in body;
}

/** Opens a body. @throws {TerminalError} INVALID_INPUT when there is no such file */
export async function openContent(body: KnownBody): Promise<Content> {
  if (typeof body === "object" && "path" in body) return openFileContent(body.path);
  return contentOf(typeof body === "string" ? Buffer.from(body, "utf8") : body);
}

/** Bytes in memory. */
export function contentOf(bytes: Uint8Array): Content {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    sizeBytes: buffer.byteLength,
    open: ({ start, end }) => slices(buffer.subarray(start, end)),
    checkUnchanged: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** SHA-256 of the whole, and MD5 of each part of `partBytes`. @throws the signal's reason */
export async function digestsOf(
  content: Content,
  { partBytes, signal }: { readonly partBytes: number; readonly signal: AbortSignal },
): Promise<Digests> {
  const whole = createHash("sha256");
  const md5s: Buffer[] = [];
  const { sizeBytes } = content;
  for (let start = 0; start < sizeBytes || md5s.length === 0; start += partBytes) {
    const part = createHash("md5");
    const range = { start, end: Math.min(start + partBytes, sizeBytes) };
    for await (const chunk of content.open(range)) {
      // A file of a terabyte takes an hour, its run may be over by then.
      signal.throwIfAborted();
      whole.update(chunk);
      part.update(chunk);
    }
    md5s.push(part.digest());
  }
  return { sha256: whole.digest(), md5s };
}

function* slices(bytes: Buffer): Generator<Buffer> {
  for (let start = 0; start < bytes.byteLength; start += SLICE_BYTES)
    yield bytes.subarray(start, start + SLICE_BYTES);
}

interface OpenFile {
  readonly path: string;
  readonly file: FileHandle;
}

async function* bytesOf({ path, file }: OpenFile, { start, end }: ByteRange): AsyncGenerator<Buffer> {
  const slice = Buffer.allocUnsafeSlow(Math.min(SLICE_BYTES, end - start));
  for (let position = start; position < end;) {
    const { bytesRead } = await file.read(slice, 0, Math.min(SLICE_BYTES, end - position), position);
    if (bytesRead === 0) throw changed(path);
    position += bytesRead;
    yield slice.subarray(0, bytesRead);
  }
}

async function openFileContent(path: string): Promise<Content> {
  const file = await openFile(path);
  const before = await file.stat({ bigint: true });
  return {
    sizeBytes: Number(before.size),
    // Not createReadStream: it makes a buffer for each slice, and closes its file whatever it was told.
    open: (range) => bytesOf({ path, file }, range),
    async checkUnchanged() {
      const now = await file.stat({ bigint: true });
      if (now.size === before.size && now.mtimeNs === before.mtimeNs) return;
      throw changed(path);
    },
    [Symbol.asyncDispose]: () => file.close(),
  };
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    // A pipe that nobody writes to would hold one of the few threads that files have in this process.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = await file.stat();
    if (stats.isFile()) return file;
    await file.close();
  } catch (cause) {
    throw unreadable(path, String(cause), cause);
  }
  throw unreadable(path, "it is no regular file");
}

function changed(path: string): TerminalError {
  return new TerminalError(
    `[INVALID_INPUT] file ${path} was changed while it was uploaded; close it first, or upload a copy`,
    { code: TASK_ERROR.INVALID_INPUT },
  );
}

function unreadable(path: string, why: string, cause?: unknown): TerminalError {
  return new TerminalError(`[INVALID_INPUT] file ${path} cannot be uploaded: ${why}`, {
    code: TASK_ERROR.INVALID_INPUT,
    cause,
  });
}
