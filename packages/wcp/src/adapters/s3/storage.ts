import type { Readable } from "node:stream";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import type { Clock } from "@subnet-worker/kit";
import {
  type CompletedPart,
  type DownloadTicket,
  type ObjectWish,
  type OpenMultipart,
  type PartWish,
  type StorageBroker,
  StorageError,
  type StoredObject,
  type UploadTicket,
} from "../../storage-ports.ts";
import { createS3Client, type S3ClientOptions } from "./client.ts";
import { encryptionInput } from "./encryption.ts";
import { answerOf, storageErrorOf } from "./errors.ts";
import { listObjects, listOpenMultiparts } from "./lists.ts";
import { mediaTypeOf, metadataInput, Presigner, type PresignOptions } from "./presign.ts";

export type S3StorageOptions = S3ClientOptions & PresignOptions;

/** What one request may delete: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html */
const MOST_DELETES = 1_000;

/** Any store that speaks S3: AWS, R2, MinIO. Tickets are made without asking it. */
export class S3Storage implements StorageBroker, Disposable {
  readonly #options: S3StorageOptions;
  readonly #client: S3Client;
  readonly #presigner: Presigner;

  constructor(options: S3StorageOptions, deps: { readonly clock: Clock }) {
    this.#options = options;
    this.#client = createS3Client(options);
    this.#presigner = new Presigner(options, { client: this.#client, clock: deps.clock });
  }

  [Symbol.dispose](): void {
    this.#client.destroy();
  }

  downloadTicket(objectKey: string): Promise<DownloadTicket> {
    return orStorageError(`a URL to read ${objectKey}`, () => this.#presigner.download(objectKey));
  }

  uploadTicket(objectKey: string, wish: ObjectWish): Promise<UploadTicket> {
    return orStorageError(`a URL to write ${objectKey}`, () => this.#presigner.upload(objectKey, wish));
  }

  partTicket(objectKey: string, uploadId: string, part: PartWish): Promise<UploadTicket> {
    const what = `a URL to write part ${part.partNumber} of ${objectKey}`;
    return orStorageError(what, () => this.#presigner.part(objectKey, uploadId, part));
  }

  async createMultipart(objectKey: string, wish: Pick<ObjectWish, "mediaType" | "sha256">): Promise<string> {
    const command = new CreateMultipartUploadCommand({
      ...this.#at(objectKey),
      ContentType: mediaTypeOf(wish),
      ...metadataInput(wish.sha256),
      ...encryptionInput(this.#options.encryption),
    });
    const what = `beginning an upload of ${objectKey} in parts`;
    const { UploadId: id } = await orStorageError(what, () => this.#client.send(command));
    if (id === undefined) {
      throw new StorageError("UNAVAILABLE", `${what}: the store gave no upload id; try again`);
    }
    return id;
  }

  async completeMultipart(
    objectKey: string,
    uploadId: string,
    parts: readonly CompletedPart[],
  ): Promise<void> {
    const command = new CompleteMultipartUploadCommand({
      ...this.#at(objectKey),
      UploadId: uploadId,
      MultipartUpload: {
        Parts: parts
          .toSorted((a, b) => a.partNumber - b.partNumber)
          .map(({ partNumber, etag }) => ({ PartNumber: partNumber, ETag: etag })),
      },
    });
    try {
      await this.#client.send(command);
    } catch (error) {
      // Either it was completed before, as when the answer got lost, or there never was such an upload.
      if (answerOf(error).code === "NoSuchUpload" && (await this.head(objectKey)) !== undefined) return;
      throw storageErrorOf(error, `completing the upload of ${objectKey} in ${parts.length} parts`);
    }
  }

  async abortMultipart(objectKey: string, uploadId: string): Promise<void> {
    const command = new AbortMultipartUploadCommand({ ...this.#at(objectKey), UploadId: uploadId });
    try {
      await this.#client.send(command);
    } catch (error) {
      if (answerOf(error).code === "NoSuchUpload") return;
      throw storageErrorOf(error, `aborting the upload of ${objectKey}`);
    }
  }

  async head(objectKey: string): Promise<StoredObject | undefined> {
    try {
      const answer = await this.#client.send(new HeadObjectCommand(this.#at(objectKey)));
      return {
        objectKey,
        sizeBytes: answer.ContentLength ?? 0,
        modifiedAtMs: answer.LastModified?.getTime() ?? 0,
        ...sha256Of(answer.Metadata?.["sha256"]),
      };
    } catch (error) {
      // A HEAD has no body, so a store says no more than its status; without the bucket it says the same.
      const { status } = answerOf(error);
      if (status === 404) return undefined;
      const said = status === 400 || status === 403 ? await this.#refusalOf(objectKey) : undefined;
      throw storageErrorOf(said ?? error, `looking at ${objectKey}`);
    }
  }

  /** Why a HEAD was refused, which it cannot say: one byte is asked for. `undefined` when that was given. */
  async #refusalOf(objectKey: string): Promise<unknown> {
    try {
      const answer = await this.#client.send(
        new GetObjectCommand({ ...this.#at(objectKey), Range: "bytes=0-0" }),
      );
      (answer.Body as Readable | undefined)?.destroy();
      return undefined;
    } catch (error) {
      return error;
    }
  }

  async read(objectKey: string, maxBytes: number): Promise<Uint8Array> {
    return orStorageError(`reading ${objectKey}`, async () => {
      const { Body: body, ContentLength: length } = await this.#client.send(
        new GetObjectCommand(this.#at(objectKey)),
      );
      const chunks: Uint8Array[] = [];
      let sizeBytes = 0;
      for await (const chunk of body as AsyncIterable<Uint8Array>) {
        sizeBytes += chunk.length;
        // Leaving the loop destroys the stream, and the connection with it.
        if (sizeBytes > maxBytes || (length ?? 0) > maxBytes) throw tooLarge(objectKey, maxBytes);
        chunks.push(chunk);
      }
      return Buffer.concat(chunks);
    });
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    try {
      yield* listObjects(this.#client, this.#options.bucket, prefix);
    } catch (error) {
      throw storageErrorOf(error, `listing what is under ${prefix}`);
    }
  }

  async *listMultiparts(prefix: string): AsyncIterable<OpenMultipart> {
    try {
      yield* listOpenMultiparts(this.#client, this.#options.bucket, prefix);
    } catch (error) {
      throw storageErrorOf(error, `listing unfinished uploads under ${prefix}`);
    }
  }

  async remove(objectKeys: readonly string[]): Promise<void> {
    for (let start = 0; start < objectKeys.length; start += MOST_DELETES) {
      await this.#removeSome(objectKeys.slice(start, start + MOST_DELETES));
    }
  }

  async #removeSome(objectKeys: readonly string[]): Promise<void> {
    const what = `removing ${objectKeys.length} objects, ${objectKeys[0]} the first`;
    const { Errors: errors = [] } = await orStorageError(what, () =>
      this.#client.send(
        new DeleteObjectsCommand({
          Bucket: this.#options.bucket,
          Delete: { Objects: objectKeys.map((Key) => ({ Key })), Quiet: true },
        }),
      ),
    );
    const failed = errors.find(({ Code }) => Code !== "NoSuchKey");
    if (failed === undefined) return;
    throw storageErrorOf(
      { name: failed.Code, $metadata: { httpStatusCode: failed.Code === "InternalError" ? 500 : 400 } },
      `removing ${failed.Key}`,
    );
  }

  #at(objectKey: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.#options.bucket, Key: objectKey };
  }
}

async function orStorageError<T>(what: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    throw storageErrorOf(error, what);
  }
}

function tooLarge(objectKey: string, maxBytes: number): StorageError {
  return new StorageError(
    "TOO_LARGE",
    `${objectKey} has more than the ${maxBytes} bytes that are read here; make it smaller`,
  );
}

function sha256Of(hex: string | undefined): { readonly sha256?: Uint8Array } {
  return hex !== undefined && /^[0-9a-f]{64}$/i.test(hex) ? { sha256: Buffer.from(hex, "hex") } : {};
}
