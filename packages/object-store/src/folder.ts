import { stat } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { Disk, type Draft } from "./disk.ts";
import { FactBook, type Facts } from "./facts.ts";
import { KeyedLock } from "./keyed-lock.ts";
import { ObjectStoreError } from "./object-store-error.ts";
import { walk } from "./walk.ts";
import type { StoredObject } from "./types.ts";

/** An object that is open to be read. */
export interface OpenObject extends AsyncDisposable {
  readonly file: FileHandle;
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
  readonly facts: Facts;
}

/** What is said of an object that is written. */
export interface Description {
  readonly mediaType: string;
  /** 16 bytes; `undefined`: not checked. */
  readonly md5: Uint8Array | undefined;
  /** In hex; empty: none. */
  readonly sha256: string;
}

/** Objects as files of a folder, each there whole or not at all. */
export class Folder {
  readonly disk: Disk;
  readonly #facts: FactBook;
  readonly #lock = new KeyedLock();

  private constructor(disk: Disk) {
    this.disk = disk;
    this.#facts = new FactBook(join(disk.own, "facts"));
  }

  static async open(directory: string, nowMs: number): Promise<Folder> {
    return new Folder(await Disk.open(directory, nowMs));
  }

  /** `undefined` when there is no such object. */
  async openObject(objectKey: string): Promise<OpenObject | undefined> {
    const file = await this.disk.openToRead(objectKey);
    if (file === undefined) return undefined;
    try {
      const stats = await file.stat({ bigint: true });
      return {
        file,
        sizeBytes: Number(stats.size),
        modifiedAtMs: Number(stats.mtimeMs),
        facts: await this.#facts.read(objectKey, stats),
        [Symbol.asyncDispose]: () => file.close(),
      };
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Takes a content in and makes it the object. Resolves with its ETag. */
  async write(
    objectKey: string,
    content: AsyncIterable<Uint8Array> | Readable,
    description: Description,
  ): Promise<string> {
    this.disk.pathOf(objectKey); // before anything is read
    await using draft = await this.disk.draft(content);
    checkMd5(objectKey, draft, description.md5);
    const { mediaType, sha256 } = description;
    const etag = `"${draft.md5.toString("hex")}"`;
    await this.place(objectKey, draft, { mediaType, sha256, etag, uploadId: "" });
    return etag;
  }

  /** Makes a draft the object. */
  async place(objectKey: string, draft: Draft, facts: Facts): Promise<void> {
    // The facts come first: those of a file that is not there yet are not those of the one that is.
    await this.#lock.run(objectKey, async () => {
      await this.#facts.write(objectKey, await stat(draft.path, { bigint: true }), facts);
      await this.disk.place(draft.path, objectKey);
    });
  }

  async remove(objectKey: string): Promise<void> {
    await this.#lock.run(objectKey, async () => {
      await this.disk.remove(objectKey);
      await this.#facts.forget(objectKey);
    });
  }

  /** In the order of their keys. */
  list(prefix: string): AsyncIterable<StoredObject> {
    return walk(this.disk.root, prefix);
  }
}

/** @throws {ObjectStoreError} `REFUSED` when the content is not what was announced */
export function checkMd5(objectKey: string, draft: Draft, md5: Uint8Array | undefined): void {
  if (md5 === undefined || draft.md5.equals(md5)) return;
  throw new BadDigest(objectKey);
}

/** The content came through changed. */
export class BadDigest extends ObjectStoreError {
  constructor(objectKey: string) {
    super("REFUSED", `${objectKey}: the content does not have the MD5 that was announced; send it again`);
  }
}
