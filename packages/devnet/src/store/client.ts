import { createWriteStream } from "node:fs";
import { mkdir, open, rm } from "node:fs/promises";
import { dirname } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { GetObjectCommand, NoSuchKey, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import type { DevnetState } from "../state-file.ts";

const ignore = (): void => {};
const SILENT = { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore };

/** The requester's side of a store: inputs in, outputs out. Whole objects, never held in memory. */
export interface ObjectFiles extends AsyncDisposable {
  /** Puts a file there. */
  upload(path: string, key: string, signal: AbortSignal): Promise<void>;
  /** Fetches an object to a file; its folder is made when missing. False when there is no such object. */
  download(key: string, path: string, signal: AbortSignal): Promise<boolean>;
}

/** The requester's side where the store speaks S3. */
export class StoreClient implements ObjectFiles {
  readonly #bucket: string;
  readonly #client: S3Client;

  constructor(store: DevnetState["store"]) {
    this.#bucket = store.bucket;
    this.#client = new S3Client({
      endpoint: store.endpoint,
      region: store.region,
      forcePathStyle: true,
      credentials: { accessKeyId: store.accessKeyId, secretAccessKey: store.secretAccessKey },
      // By default the SDK prints to the console when an upload is interrupted; the error itself says so.
      logger: SILENT,
      // The store knows no checksum trailers, which is how a stream would carry one.
      requestChecksumCalculation: "WHEN_REQUIRED",
      responseChecksumValidation: "WHEN_REQUIRED",
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.destroy();
  }

  async upload(path: string, key: string, signal: AbortSignal): Promise<void> {
    await using file = await open(path, "r");
    const { size } = await file.stat();
    // The end is fixed here, so that a file that is still growing matches its announced length.
    const body = size === 0 ? "" : file.createReadStream({ end: size - 1, autoClose: false });
    const command = new PutObjectCommand({ Bucket: this.#bucket, Key: key, Body: body, ContentLength: size });
    await this.#client.send(command, { abortSignal: signal });
  }

  async download(key: string, path: string, signal: AbortSignal): Promise<boolean> {
    let body: Readable;
    try {
      const response = await this.#client.send(new GetObjectCommand({ Bucket: this.#bucket, Key: key }), {
        abortSignal: signal,
      });
      body = response.Body as Readable;
    } catch (error) {
      if (error instanceof NoSuchKey) return false;
      throw error;
    }
    await mkdir(dirname(path), { recursive: true });
    try {
      await pipeline(body, createWriteStream(path), { signal });
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    }
    return true;
  }
}
