import { rename, rm, writeFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import type { Clock } from "@subnet-worker/kit";
import type { InputDescriptor } from "@subnet-worker/protocol";
import { TASK_ERROR } from "@subnet-worker/protocol/task-error";
import { isRetryableError, isTerminalError, RetryableError, TerminalError } from "./errors.ts";
import { displayUrl, isHttpUrl, readExcerpt, retryAfterMs, sendHttp } from "./http-request.ts";
import { createInputFile, DEFAULT_MAX_BYTES, type InputFile } from "./input-file.ts";
import {
  createTransferRetry,
  isTransientStatus,
  TransientFailure,
  type TransferSettings,
} from "./transfer-retry.ts";

export interface DownloadDeps {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly settings: TransferSettings;
}

/** The file behind a reference of an assignment. */
export function openInputFile(descriptor: InputDescriptor, deps: DownloadDeps): InputFile {
  const { name, mediaType, ref } = descriptor;
  const objectKey = descriptor.objectKey !== "" ? descriptor.objectKey : isHttpUrl(ref) ? undefined : ref;
  const source: Source = { label: labelOf(name, objectKey, ref), url: ref };
  const content = (maxBytes = Infinity) => download(source, maxBytes, deps);
  return createInputFile({
    name,
    mediaType,
    objectKey,
    url: ref,
    stream: () => ReadableStream.from(content()),
    bytes: ({ maxBytes = DEFAULT_MAX_BYTES } = {}) => collect(content(maxBytes)),
    saveTo: (path) => save(content(), { path, label: source.label }),
  });
}

interface Source {
  /** For messages: which input, which key. */
  readonly label: string;
  readonly url: string;
}

/** What the first reply said about the object; later ones must agree. */
interface Identity {
  readonly etag: string | undefined;
  readonly totalBytes: number | undefined;
}

/** How far one download has come, over all its attempts. */
interface Place {
  doneBytes: number;
  identity: Identity | undefined;
}

/**
 * Yields the object from its start and resumes where a connection broke off.
 * Ranges are not part of a presigned URL's signature, so one URL serves all attempts.
 */
async function* download(source: Source, maxBytes: number, deps: DownloadDeps): AsyncGenerator<Uint8Array> {
  if (!isHttpUrl(source.url)) {
    throw new TerminalError(
      `[INVALID_INPUT] ${source.label} arrived without a URL: its worker client brokers no storage; ` +
        `configure storage there, or pass the content inline`,
      { code: TASK_ERROR.INVALID_INPUT },
    );
  }
  const retry = createTransferRetry(deps.settings, deps);
  const place: Place = { doneBytes: 0, identity: undefined };
  for (;;) {
    try {
      for await (const chunk of readFrom(place, source, deps)) {
        checkSize(source, Math.max(place.doneBytes, place.identity?.totalBytes ?? 0), maxBytes);
        retry.progressed();
        yield chunk;
      }
      return;
    } catch (error) {
      deps.signal.throwIfAborted();
      if (isTerminalError(error) || isRetryableError(error)) throw error;
      const wishMs = error instanceof TransientFailure ? error.retryAfterMs : 0;
      if (!(await retry.waitBeforeRetry(wishMs))) throw exhausted(source, place.doneBytes, error);
    }
  }
}

/** One attempt: what is there from `place` on, which it moves along. */
async function* readFrom(place: Place, source: Source, deps: DownloadDeps): AsyncGenerator<Uint8Array> {
  const reply = await open(source, place.doneBytes, deps);
  try {
    place.identity = checkIdentity(source, place.identity, identityOf(reply, place.doneBytes));
    // A server that ignores ranges sends everything again.
    let skipBytes = reply.statusCode === 206 ? 0 : place.doneBytes;
    for await (const chunk of reply as AsyncIterable<Buffer>) {
      const fresh = chunk.subarray(Math.min(skipBytes, chunk.byteLength));
      skipBytes -= chunk.byteLength - fresh.byteLength;
      place.doneBytes += fresh.byteLength;
      if (fresh.byteLength > 0) yield fresh;
    }
  } finally {
    reply.destroy();
  }
}

async function collect(content: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk);
  const { buffer, byteOffset, byteLength } = Buffer.concat(chunks);
  return new Uint8Array(buffer, byteOffset, byteLength);
}

async function open(source: Source, fromBytes: number, deps: DownloadDeps): Promise<IncomingMessage> {
  const { signal, settings } = deps;
  const headers: Record<string, string> = { "accept-encoding": "identity" };
  if (fromBytes > 0) headers["range"] = `bytes=${fromBytes}-`;
  const reply = await sendHttp({
    method: "GET",
    url: source.url,
    headers,
    signal,
    idleTimeoutMs: settings.idleTimeoutMs,
  });
  if (reply.statusCode === 200 || reply.statusCode === 206) return reply;
  throw refusal(source, reply, await readExcerpt(reply));
}

function refusal(source: Source, reply: IncomingMessage, body: string): Error {
  const status = reply.statusCode ?? 0;
  const where = `${displayUrl(source.url)} answered ${status}${reasonIn(body)}`;
  if (isTransientStatus(status))
    return new TransientFailure(where, { retryAfterMs: retryAfterMs(reply.headers) });
  if (status === 404 || status === 410) {
    return new TerminalError(`[INVALID_INPUT] ${source.label}: no such object; ${where}`, {
      code: TASK_ERROR.INVALID_INPUT,
    });
  }
  if (/expired/i.test(body)) {
    // A new assignment carries a new URL.
    return new RetryableError(
      `[PERMISSION_DENIED] ${source.label}: its presigned URL has expired before it was read; ${where}`,
      { code: TASK_ERROR.PERMISSION_DENIED },
    );
  }
  if (status === 401 || status === 403) {
    return new TerminalError(
      `[PERMISSION_DENIED] ${source.label}: access refused, or no such object where storage hides that; ${where}`,
      { code: TASK_ERROR.PERMISSION_DENIED },
    );
  }
  return new TerminalError(`[HTTP_ERROR] ${source.label}: ${where}`, { code: TASK_ERROR.HTTP_ERROR });
}

/** The code an S3 error document gives, in brackets; empty when there is none. */
function reasonIn(body: string): string {
  const code = /<Code>([^<]{1,80})<\/Code>/.exec(body)?.[1];
  return code === undefined ? "" : ` (${code})`;
}

function identityOf(reply: IncomingMessage, fromBytes: number): Identity {
  const { etag } = reply.headers;
  if (reply.statusCode === 206) {
    const match = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(reply.headers["content-range"] ?? "");
    if (Number(match?.[1]) !== fromBytes) {
      throw new TransientFailure(
        `asked for bytes from ${fromBytes}, was given "${reply.headers["content-range"]}"`,
      );
    }
    return { etag, totalBytes: match?.[2] === "*" ? undefined : Number(match?.[2]) };
  }
  const length = reply.headers["content-length"];
  return { etag, totalBytes: length === undefined ? undefined : Number(length) };
}

function checkIdentity(source: Source, before: Identity | undefined, now: Identity): Identity {
  if (before === undefined) return now;
  if (before.etag !== now.etag || before.totalBytes !== now.totalBytes) {
    throw new RetryableError(
      `[RESOURCE_UNAVAILABLE] ${source.label}: the object was replaced while it was read`,
      {
        code: TASK_ERROR.RESOURCE_UNAVAILABLE,
      },
    );
  }
  return before;
}

function checkSize(source: Source, sizeBytes: number, maxBytes: number): void {
  if (sizeBytes <= maxBytes) return;
  throw new TerminalError(
    `[QUOTA_EXCEEDED] ${source.label} has ${sizeBytes} bytes or more and at most ${maxBytes} are read into memory; ` +
      `use stream() or saveTo(), or raise maxBytes`,
    { code: TASK_ERROR.QUOTA_EXCEEDED },
  );
}

function exhausted(source: Source, doneBytes: number, cause: unknown): RetryableError {
  const detail = cause instanceof Error ? cause.message : String(cause);
  return new RetryableError(
    `[NETWORK_ERROR] ${source.label}: gave up after ${doneBytes} bytes from ${displayUrl(source.url)}: ${detail}`,
    { code: TASK_ERROR.NETWORK_ERROR, cause },
  );
}

const OUT_OF_ROOM: ReadonlySet<unknown> = new Set(["ENOSPC", "EDQUOT", "EMFILE", "ENFILE"]);

async function save(
  content: AsyncIterable<Uint8Array>,
  { path, label }: { readonly path: string; readonly label: string },
): Promise<{ readonly sizeBytes: number }> {
  const partial = `${path}.part`;
  let sizeBytes = 0;
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of content) {
      sizeBytes += chunk.byteLength;
      yield chunk;
    }
  }
  try {
    await writeFile(partial, counted());
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    if (!OUT_OF_ROOM.has((error as { code?: unknown }).code)) throw error;
    throw new RetryableError(
      `[RESOURCE_UNAVAILABLE] ${label}: this worker has no room for it: ${String(error)}`,
      {
        code: TASK_ERROR.RESOURCE_UNAVAILABLE,
        cause: error,
      },
    );
  }
  return { sizeBytes };
}

function labelOf(name: string, objectKey: string | undefined, ref: string): string {
  return objectKey === undefined
    ? `input "${name}" at ${displayUrl(ref)}`
    : `input "${name}", object "${objectKey}"`;
}
