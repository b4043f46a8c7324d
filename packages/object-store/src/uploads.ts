import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { missing } from "./disk.ts";
import { parsed } from "./facts.ts";
import { checkMd5, type Folder } from "./folder.ts";
import { KeyedLock } from "./keyed-lock.ts";
import { ObjectStoreError } from "./object-store-error.ts";
import type { CompletedPart, OpenMultipart } from "./types.ts";

/** As S3 has it. */
export const MOST_PARTS = 10_000;

interface Begun {
  readonly objectKey: string;
  readonly startedAtMs: number;
  readonly mediaType: string;
  /** In hex; empty: none. */
  readonly sha256: string;
}

export interface PartContent {
  readonly partNumber: number;
  readonly content: AsyncIterable<Uint8Array> | Readable;
  readonly md5: Uint8Array | undefined;
}

const UPLOAD_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Uploads in parts: a folder for each, which survives the process. */
export class Uploads {
  readonly #folder: Folder;
  readonly #directory: string;
  readonly #lock = new KeyedLock();

  constructor(folder: Folder) {
    this.#folder = folder;
    this.#directory = join(folder.disk.own, "uploads");
  }

  async begin(begun: Begun): Promise<string> {
    this.#folder.disk.pathOf(begun.objectKey);
    const uploadId = randomUUID();
    const path = this.#pathOf(uploadId);
    await mkdir(path);
    try {
      await writeFile(join(path, "upload.json"), JSON.stringify(begun), { mode: 0o600 });
    } catch (error) {
      await rm(path, { recursive: true, force: true }); // of a full disk, nobody would ever look at it again
      throw error;
    }
    return uploadId;
  }

  /** Takes a part in; the last of a number counts. Resolves with its ETag. */
  async writePart(objectKey: string, uploadId: string, part: PartContent): Promise<string> {
    checkPartNumber(objectKey, part.partNumber);
    await this.#read(objectKey, uploadId);
    await using draft = await this.#folder.disk.draft(part.content);
    checkMd5(objectKey, draft, part.md5);
    const etag = `"${draft.md5.toString("hex")}"`;
    await this.#lock.run(uploadId, async () => {
      await this.#read(objectKey, uploadId); // it may have ended while the part came in
      const path = this.#pathOf(uploadId, String(part.partNumber));
      await rm(`${path}.etag`, { force: true }); // never the ETag of one with the content of another
      await rename(draft.path, path);
      await writeFile(`${path}.etag`, etag, { mode: 0o600 });
    });
    return etag;
  }

  async complete(objectKey: string, uploadId: string, parts: readonly CompletedPart[]): Promise<void> {
    await this.#lock.run(uploadId, async () => {
      const begun = await this.#readIfThere(objectKey, uploadId);
      if (begun === undefined) return this.#checkWasCompleted(objectKey, uploadId);
      const sorted = parts.toSorted((a, b) => a.partNumber - b.partNumber);
      await this.#checkParts(objectKey, uploadId, sorted);
      const paths = sorted.map(({ partNumber }) => this.#pathOf(uploadId, String(partNumber)));
      await using draft = await this.#folder.disk.draft(contentOf(paths));
      const { mediaType, sha256 } = begun;
      await this.#folder.place(objectKey, draft, { mediaType, sha256, etag: etagOf(sorted), uploadId });
      await rm(this.#pathOf(uploadId), { recursive: true, force: true });
    });
  }

  async abort(objectKey: string, uploadId: string): Promise<void> {
    await this.#lock.run(uploadId, async () => {
      if ((await this.#readIfThere(objectKey, uploadId)) === undefined) return;
      await rm(this.#pathOf(uploadId), { recursive: true, force: true });
    });
  }

  async *list(prefix: string): AsyncIterable<OpenMultipart> {
    for (const uploadId of await readdir(this.#directory)) {
      const begun = await this.#anyIfThere(uploadId);
      if (begun?.objectKey.startsWith(prefix) !== true) continue;
      yield { objectKey: begun.objectKey, uploadId, startedAtMs: begun.startedAtMs };
    }
  }

  async #checkParts(objectKey: string, uploadId: string, parts: readonly CompletedPart[]): Promise<void> {
    if (parts.length === 0) {
      throw new ObjectStoreError(
        "REFUSED",
        `${objectKey}: an upload has at least one part; upload one, or abort`,
      );
    }
    for (const [index, { partNumber, etag }] of parts.entries()) {
      checkPartNumber(objectKey, partNumber);
      const path = this.#pathOf(uploadId, String(partNumber));
      const known = await readFile(`${path}.etag`, "utf8").catch(missing);
      const isTwice = parts[index - 1]?.partNumber === partNumber;
      if (isTwice || known !== `"${etag.replaceAll('"', "")}"`) {
        throw new ObjectStoreError(
          "NOT_FOUND",
          `${objectKey}: part ${partNumber} is missing or has another ETag; upload it again`,
        );
      }
    }
  }

  /** The answer to the first completion may have got lost. */
  async #checkWasCompleted(objectKey: string, uploadId: string): Promise<void> {
    await using object = await this.#folder.openObject(objectKey);
    if (object?.facts.uploadId !== uploadId) throw noSuchUpload(objectKey);
  }

  async #read(objectKey: string, uploadId: string): Promise<Begun> {
    const begun = await this.#readIfThere(objectKey, uploadId);
    if (begun === undefined) throw noSuchUpload(objectKey);
    return begun;
  }

  async #readIfThere(objectKey: string, uploadId: string): Promise<Begun | undefined> {
    const begun = await this.#anyIfThere(uploadId);
    return begun?.objectKey === objectKey ? begun : undefined;
  }

  async #anyIfThere(uploadId: string): Promise<Begun | undefined> {
    if (!UPLOAD_ID.test(uploadId)) return undefined; // it becomes a path
    const text = await readFile(this.#pathOf(uploadId, "upload.json"), "utf8").catch(missing);
    return text === undefined ? undefined : (parsed(text) as Begun | undefined);
  }

  #pathOf(uploadId: string, ...names: readonly string[]): string {
    return join(this.#directory, uploadId, ...names);
  }
}

function noSuchUpload(objectKey: string): ObjectStoreError {
  return new ObjectStoreError(
    "NOT_FOUND",
    `${objectKey}: there is no such upload, it was completed or aborted; begin another`,
  );
}

/** @throws {ObjectStoreError} `REFUSED` */
export function checkPartNumber(objectKey: string, partNumber: number): void {
  if (Number.isInteger(partNumber) && partNumber >= 1 && partNumber <= MOST_PARTS) return;
  throw new ObjectStoreError(
    "REFUSED",
    `${objectKey}: parts are numbered from 1 to ${MOST_PARTS}, and ${partNumber} is not; make the parts larger`,
  );
}

async function* contentOf(paths: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const path of paths) yield* createReadStream(path) as AsyncIterable<Uint8Array>;
}

/** As S3 makes it of its parts'. */
function etagOf(parts: readonly CompletedPart[]): string {
  const md5 = createHash("md5");
  for (const { etag } of parts) md5.update(Buffer.from(etag.replaceAll('"', ""), "hex"));
  return `"${md5.digest("hex")}-${parts.length}"`;
}
