import { AsyncLocalStorage } from "node:async_hooks";
import { randomUUID } from "node:crypto";
import { readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import S3Error from "@20minutes/s3rver/lib/models/error.js";
import FilesystemStore from "@20minutes/s3rver/lib/stores/filesystem.js";

/** Content-MD5 of the PUT that is being answered, which s3rver does not hand to its store; empty: none. */
export const announcedMd5: AsyncLocalStorage<string> = new AsyncLocalStorage();

interface Part {
  readonly number: number;
  /** Without quotes. */
  readonly etag: string;
}

/**
 * s3rver's store, except that it holds to what S3 promises: an object appears whole or not at
 * all, with the MD5 that was announced, and of the parts that were named. s3rver writes in place
 * and asks no questions: an upload cut off half-way, or two runs of one activity at once, would
 * leave an object that is neither.
 */
export class AtomicStore extends FilesystemStore {
  override async putContent(objectPath: string, content: Readable | Buffer): Promise<[number, string]> {
    const partPath = `${objectPath}.${randomUUID()}.part`;
    try {
      const written = await super.putContent(partPath, content);
      const announced = announcedMd5.getStore() ?? "";
      if (announced !== "" && announced !== Buffer.from(written[1], "hex").toString("base64")) {
        throw new S3Error("BadDigest", "The Content-MD5 you specified did not match what we received.");
      }
      await rename(partPath, objectPath);
      return written;
    } catch (error) {
      await rm(partPath, { force: true });
      throw error;
    }
  }

  override async putPart(...args: Parameters<FilesystemStore["putPart"]>): Promise<{ md5: string }> {
    const [bucket, uploadId] = args;
    await this.#checkUpload(bucket, uploadId);
    return super.putPart(...args);
  }

  override async putObjectMultipart(
    bucket: string,
    uploadId: string,
    parts: readonly Part[],
  ): Promise<unknown> {
    await this.#checkUpload(bucket, uploadId);
    for (const { number, etag } of parts) {
      const md5 = await readIfThere(join(this.uploadPath(bucket, uploadId), `${number}.md5`));
      if (md5 !== etag)
        throw new S3Error("InvalidPart", "One or more of the specified parts could not be found.");
    }
    return super.putObjectMultipart(bucket, uploadId, parts);
  }

  /** Everything in one page: s3rver encrypts the token of the next with a cipher that OpenSSL no longer has. */
  override listObjects(
    bucket: string,
    options: Parameters<FilesystemStore["listObjects"]>[1],
  ): Promise<unknown> {
    return super.listObjects(bucket, { ...options, maxKeys: Infinity });
  }

  /** Where the parts of an upload are. */
  uploadPath(bucket: string, uploadId: string): string {
    return join(this.getResourcePath(bucket, undefined, "uploads"), uploadId);
  }

  async #checkUpload(bucket: string, uploadId: string): Promise<void> {
    if ((await readIfThere(join(this.uploadPath(bucket, uploadId), "key"))) !== undefined) return;
    throw new S3Error("NoSuchUpload", "The specified upload does not exist.");
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
