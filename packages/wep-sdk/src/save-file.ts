import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { TASK_ERROR } from "@subnet-worker/protocol/task-error";
import { RetryableError } from "./errors.ts";

/** So much is written at once. */
const WRITE_BYTES = 1_024 * 1_024;

const OUT_OF_ROOM: ReadonlySet<unknown> = new Set(["ENOSPC", "EDQUOT", "EMFILE", "ENFILE"]);

/** Where a file is until it is complete. */
export function partialPath(path: string): string {
  return `${path}.part`;
}

/**
 * Appends to the partial file of `path`, after its first `fromBytes`, and gives it its
 * name when all is there. What came before a failure is in the partial file.
 *
 * @throws {RetryableError} RESOURCE_UNAVAILABLE when there is no room for it
 */
export async function writeRest(
  content: AsyncIterable<Uint8Array>,
  { path, fromBytes, label }: { readonly path: string; readonly fromBytes: number; readonly label: string },
): Promise<void> {
  const partial = partialPath(path);
  try {
    await using file = await open(partial, fromBytes === 0 ? "w" : "r+");
    await file.truncate(fromBytes);
    await append(file, content, fromBytes);
  } catch (error) {
    if (!OUT_OF_ROOM.has((error as { code?: unknown }).code)) throw error;
    throw new RetryableError(
      `[RESOURCE_UNAVAILABLE] ${label}: this worker has no room for it: ${String(error)}`,
      { code: TASK_ERROR.RESOURCE_UNAVAILABLE, cause: error },
    );
  }
  await rename(partial, path);
}

/** Removes the partial file of `path`, if there is one. */
export async function removePartial(path: string): Promise<void> {
  await rm(partialPath(path), { force: true });
}

async function append(
  file: FileHandle,
  content: AsyncIterable<Uint8Array>,
  fromBytes: number,
): Promise<void> {
  let position = fromBytes;
  let waiting: Uint8Array[] = [];
  let waitingBytes = 0;
  const flush = async () => {
    const [chunks, sizeBytes] = [waiting, waitingBytes];
    waiting = [];
    waitingBytes = 0;
    // Not put together first: that would be once more as much memory.
    const { bytesWritten } = await file.writev(chunks, position);
    position += bytesWritten;
    if (bytesWritten < sizeBytes) {
      position = await writeAll(file, Buffer.concat(chunks).subarray(bytesWritten), position);
    }
  };
  try {
    for await (const chunk of content) {
      waiting.push(chunk);
      waitingBytes += chunk.byteLength;
      if (waitingBytes >= WRITE_BYTES) await flush();
    }
  } finally {
    // Also after a failure: what was read is not read again.
    if (waitingBytes > 0) await flush();
  }
}

/** Resolves with the place behind it. */
async function writeAll(file: FileHandle, bytes: Uint8Array, fromBytes: number): Promise<number> {
  let position = fromBytes;
  for (let done = 0; done < bytes.byteLength;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.byteLength - done, position);
    done += bytesWritten;
    position += bytesWritten;
  }
  return position;
}
