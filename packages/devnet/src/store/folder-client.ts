import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { listenObjectStore, type ObjectStore } from "@subnet-worker/object-store";
import { DevnetError } from "../errors.ts";
import type { ObjectFiles } from "./client.ts";

/** The requester's side where objects are files of a folder: through a store of its own, which knows what a key is. */
export class FolderClient implements ObjectFiles {
  readonly #store: ObjectStore;

  private constructor(store: ObjectStore) {
    this.#store = store;
  }

  static async open(directory: string): Promise<FolderClient> {
    return new FolderClient(await listenObjectStore({ directory }));
  }

  async upload(path: string, key: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await this.#store.write(key, createReadStream(path, { signal }));
  }

  async download(key: string, path: string, signal: AbortSignal): Promise<boolean> {
    const { url } = await this.#store.downloadTicket(key);
    const response = await fetch(url, { signal });
    if (response.status === 404) return false;
    if (!response.ok || response.body === null) {
      throw new DevnetError(
        "STORE_FAILED",
        `The object ${key} could not be read (HTTP ${response.status}); look at the objects folder of the run.`,
      );
    }
    await mkdir(dirname(path), { recursive: true });
    try {
      await pipeline(Readable.fromWeb(response.body), createWriteStream(path), { signal });
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    }
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
  }
}
