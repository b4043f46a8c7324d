import { randomUUID } from "node:crypto";
import { rename, rm } from "node:fs/promises";
import type { Readable } from "node:stream";
import FilesystemStore from "@20minutes/s3rver/lib/stores/filesystem.js";

/**
 * s3rver's store, except that an object appears whole or not at all, as S3
 * promises. s3rver writes in place: an upload cut off half-way, or two runs of
 * one activity at once, would leave an object that is neither.
 */
export class AtomicStore extends FilesystemStore {
  override async putContent(objectPath: string, content: Readable | Buffer): Promise<[number, string]> {
    const partPath = `${objectPath}.${randomUUID()}.part`;
    try {
      const written = await super.putContent(partPath, content);
      await rename(partPath, objectPath);
      return written;
    } catch (error) {
      await rm(partPath, { force: true });
      throw error;
    }
  }
}
