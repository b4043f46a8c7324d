import { createHash, randomUUID } from "node:crypto";
import { constants } from "node:fs";
import {
  type FileHandle,
  lstat,
  mkdir,
  open,
  readdir,
  realpath,
  rename,
  rm,
  rmdir,
  stat,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { RESERVED, segmentsOf } from "./keys.ts";
import { ObjectStoreError } from "./object-store-error.ts";

/** What a content was found to be while it was written. */
export interface Written {
  readonly sizeBytes: number;
  /** 16 bytes. */
  readonly md5: Buffer;
}

/** A file that was written beside its place and is not there yet. */
export interface Draft extends Written, AsyncDisposable {
  readonly path: string;
}

const MOST_TRIES = 5;
/** A draft that old belongs to a process that is gone. */
const STALE_MS = 24 * 60 * 60 * 1_000;

/**
 * The folder below which everything is. Keys are paths in it, so that a person can look
 * at the objects; no link is ever followed, neither at the end of a path nor on the way.
 */
export class Disk {
  /** Without links. */
  readonly root: string;
  /** What is not an object: drafts, what is known of objects, parts. */
  readonly own: string;

  private constructor(root: string) {
    this.root = root;
    this.own = join(root, RESERVED);
  }

  /** Makes the folder where it is missing, and throws away drafts of the past. */
  static async open(directory: string, nowMs: number): Promise<Disk> {
    await mkdir(directory, { recursive: true });
    const disk = new Disk(await realpath(directory));
    for (const name of ["drafts", "facts", "uploads"]) await mkdir(join(disk.own, name), { recursive: true });
    const drafts = join(disk.own, "drafts");
    for (const name of await readdir(drafts)) {
      const path = join(drafts, name);
      const { mtimeMs = nowMs } = (await stat(path).catch(missing)) ?? {}; // another process may have placed it
      if (nowMs - mtimeMs > STALE_MS) await rm(path, { force: true });
    }
    return disk;
  }

  /** Where an object is, or would be. @throws {ObjectStoreError} `REFUSED` for what is no key */
  pathOf(objectKey: string): string {
    return join(this.root, ...segmentsOf(objectKey));
  }

  /** Opens an object to read it; `undefined` when there is none. */
  async openToRead(objectKey: string): Promise<FileHandle | undefined> {
    const path = this.pathOf(objectKey);
    if (!(await this.#isOnPath(path, objectKey))) return undefined;
    const file = await openIfThere(path);
    if (file === undefined) return undefined;
    if ((await file.stat()).isFile()) return file;
    await file.close(); // a folder, or a pipe
    return undefined;
  }

  /** Writes a file that has no place yet; disposing removes it unless it was given one. */
  async draft(content: AsyncIterable<Uint8Array> | Readable): Promise<Draft> {
    const path = join(this.own, "drafts", randomUUID());
    const remove = () => rm(path, { force: true });
    try {
      await using file = await open(path, "wx", 0o600);
      const md5 = createHash("md5");
      let sizeBytes = 0;
      for await (const chunk of content as AsyncIterable<Uint8Array>) {
        md5.update(chunk);
        await writeAll(file, chunk);
        sizeBytes += chunk.length;
      }
      await file.datasync();
      return { path, sizeBytes, md5: md5.digest(), [Symbol.asyncDispose]: remove };
    } catch (error) {
      await remove();
      throw error;
    }
  }

  /** Gives a draft its place as an object, whole, over what was there. */
  async place(draftPath: string, objectKey: string): Promise<void> {
    const path = this.pathOf(objectKey);
    for (let tries = 1; ; tries += 1) {
      await this.#makeFolders(objectKey);
      try {
        await rename(draftPath, path);
        return;
      } catch (error) {
        // Somebody removed the last object of that folder, and the folder with it.
        if ((error as NodeJS.ErrnoException).code !== "ENOENT" || tries === MOST_TRIES) throw error;
      }
    }
  }

  /** Removes an object, and folders that hold nothing any more. Harmless when there is none. */
  async remove(objectKey: string): Promise<void> {
    const path = this.pathOf(objectKey);
    if (!(await this.#isOnPath(path, objectKey))) return;
    const entry = await lstat(path).catch(missing);
    if (entry === undefined || entry.isDirectory()) return;
    await rm(path, { force: true });
    for (let folder = dirname(path); folder !== this.root; folder = dirname(folder)) {
      try {
        await rmdir(folder);
      } catch {
        return; // others are in it, or it is gone already
      }
    }
  }

  /** Whether the folders above a path are there and real: a link would lead elsewhere. */
  async #isOnPath(path: string, objectKey: string): Promise<boolean> {
    const folder = dirname(path);
    const real = await realpath(folder).catch(missing);
    if (real === undefined) return false;
    if (real === folder) return true;
    throw linked(objectKey);
  }

  async #makeFolders(objectKey: string): Promise<void> {
    let folder = this.root;
    for (const segment of segmentsOf(objectKey).slice(0, -1)) {
      folder = join(folder, segment);
      try {
        await mkdir(folder);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
        const entry = await lstat(folder);
        if (entry.isSymbolicLink()) throw linked(objectKey);
        if (!entry.isDirectory()) throw error;
      }
    }
  }
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    // Not to wait for a writer where somebody has put a pipe.
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    return missing(error);
  }
}

/** `undefined` for what is not there; any other error goes on. */
export function missing(error: unknown): undefined {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== "ENOENT" && code !== "ENOTDIR") throw error;
  return undefined;
}

function linked(objectKey: string): ObjectStoreError {
  return new ObjectStoreError(
    "REFUSED",
    `${objectKey}: a link is on the way to it, and links are not followed; put the folder itself there`,
  );
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let done = 0; done < chunk.length;) {
    done += (await file.write(chunk, done)).bytesWritten;
  }
}
