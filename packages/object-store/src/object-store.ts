import type { Readable } from "node:stream";
import type { Folder } from "./folder.ts";
import type { Grant, Signer } from "./grants.ts";
import { fromDisk, ObjectStoreError } from "./object-store-error.ts";
import type {
  CompletedPart,
  DownloadTicket,
  ObjectWish,
  OpenMultipart,
  PartWish,
  StoredObject,
  UploadTicket,
} from "./types.ts";
import { checkPartNumber, type Uploads } from "./uploads.ts";

/**
 * A folder as an object store. Objects are files of the folder, named by their keys;
 * tickets are URLs that work until they expire, for one key and one method, and for
 * exactly the length, type and checksum that were said. Every method rejects with an
 * {@link ObjectStoreError} that names the key.
 */
export interface ObjectStore extends AsyncDisposable {
  /** Where it listens: `http://127.0.0.1:40123`. */
  readonly url: string;
  /** A URL that reads an object, which need not be there yet. */
  downloadTicket(objectKey: string): Promise<DownloadTicket>;
  /** A URL that writes an object, with the headers that must go with the PUT. */
  uploadTicket(objectKey: string, wish: ObjectWish): Promise<UploadTicket>;
  /** Begins an upload in parts; resolves with its id. It survives a restart. */
  createMultipart(objectKey: string, wish: Pick<ObjectWish, "mediaType" | "sha256">): Promise<string>;
  /** A URL that writes one part; parts may be of any size, and come in any order. */
  partTicket(objectKey: string, uploadId: string, part: PartWish): Promise<UploadTicket>;
  /** Makes the object of its parts. Harmless when it was done before. */
  completeMultipart(objectKey: string, uploadId: string, parts: readonly CompletedPart[]): Promise<void>;
  /** Harmless when there is no such upload. */
  abortMultipart(objectKey: string, uploadId: string): Promise<void>;
  /** `undefined`: there is no such object. */
  head(objectKey: string): Promise<StoredObject | undefined>;
  /** The whole object. Rejects with TOO_LARGE above `maxBytes`, and NOT_FOUND. */
  read(objectKey: string, maxBytes: number): Promise<Uint8Array>;
  /** Puts an object there without a URL; as large as it may be, it is never held in memory. */
  write(
    objectKey: string,
    content: Uint8Array | Readable | AsyncIterable<Uint8Array>,
    wish?: Partial<Pick<ObjectWish, "mediaType" | "md5" | "sha256">>,
  ): Promise<void>;
  /** What is below a prefix, in the order of the keys' bytes. An empty prefix: everything. */
  list(prefix: string): AsyncIterable<StoredObject>;
  /** Uploads in parts below a prefix that have not ended. */
  listMultiparts(prefix: string): AsyncIterable<OpenMultipart>;
  /** Harmless for what is not there. */
  remove(objectKeys: readonly string[]): Promise<void>;
}

export interface LocalStoreOptions {
  readonly origin: string;
  readonly urlLifetimeMs: number;
}

export interface LocalStoreDeps {
  readonly folder: Folder;
  readonly uploads: Uploads;
  readonly signer: Signer;
  readonly nowMs: () => number;
}

/** The store without its server. */
export class LocalStore implements Omit<ObjectStore, keyof AsyncDisposable> {
  readonly url: string;
  readonly #urlLifetimeMs: number;
  readonly #folder: Folder;
  readonly #uploads: Uploads;
  readonly #signer: Signer;
  readonly #nowMs: () => number;

  constructor(options: LocalStoreOptions, deps: LocalStoreDeps) {
    this.url = options.origin;
    this.#urlLifetimeMs = options.urlLifetimeMs;
    this.#folder = deps.folder;
    this.#uploads = deps.uploads;
    this.#signer = deps.signer;
    this.#nowMs = deps.nowMs;
  }

  async downloadTicket(objectKey: string): Promise<DownloadTicket> {
    const { url, expiresAtMs } = this.#ticket(objectKey, { method: "GET", headers: {} });
    return { url, expiresAtMs };
  }

  async uploadTicket(objectKey: string, wish: ObjectWish): Promise<UploadTicket> {
    const headers = {
      "content-type": mediaTypeOf(wish.mediaType),
      ...lengthAndMd5(wish),
      ...(hexOf(wish.sha256) === "" ? {} : { "x-amz-meta-sha256": hexOf(wish.sha256) }),
    };
    return this.#ticket(objectKey, { method: "PUT", headers });
  }

  async partTicket(objectKey: string, uploadId: string, part: PartWish): Promise<UploadTicket> {
    checkPartNumber(objectKey, part.partNumber);
    return this.#ticket(objectKey, {
      method: "PUT",
      headers: lengthAndMd5(part),
      part: { uploadId, partNumber: part.partNumber },
    });
  }

  createMultipart(objectKey: string, wish: Pick<ObjectWish, "mediaType" | "sha256">): Promise<string> {
    return orError(`beginning an upload of ${objectKey}`, () =>
      this.#uploads.begin({
        objectKey,
        startedAtMs: this.#nowMs(),
        mediaType: mediaTypeOf(wish.mediaType),
        sha256: hexOf(wish.sha256),
      }),
    );
  }

  completeMultipart(objectKey: string, uploadId: string, parts: readonly CompletedPart[]): Promise<void> {
    return orError(`completing the upload of ${objectKey}`, () =>
      this.#uploads.complete(objectKey, uploadId, parts),
    );
  }

  abortMultipart(objectKey: string, uploadId: string): Promise<void> {
    return orError(`aborting the upload of ${objectKey}`, () => this.#uploads.abort(objectKey, uploadId));
  }

  head(objectKey: string): Promise<StoredObject | undefined> {
    return orError(`looking at ${objectKey}`, async () => {
      await using object = await this.#folder.openObject(objectKey);
      if (object === undefined) return undefined;
      const { sizeBytes, modifiedAtMs, facts } = object;
      const sha256 = facts.sha256 === "" ? {} : { sha256: Buffer.from(facts.sha256, "hex") };
      return { objectKey, sizeBytes, modifiedAtMs, ...sha256 };
    });
  }

  read(objectKey: string, maxBytes: number): Promise<Uint8Array> {
    return orError(`reading ${objectKey}`, async () => {
      await using object = await this.#folder.openObject(objectKey);
      if (object === undefined)
        throw new ObjectStoreError("NOT_FOUND", `${objectKey}: there is no such object`);
      if (object.sizeBytes <= maxBytes) return object.file.readFile();
      throw new ObjectStoreError(
        "TOO_LARGE",
        `${objectKey} has ${object.sizeBytes} bytes, more than the ${maxBytes} that are read here; make it smaller`,
      );
    });
  }

  async write(
    objectKey: string,
    content: Uint8Array | Readable | AsyncIterable<Uint8Array>,
    wish: Partial<Pick<ObjectWish, "mediaType" | "md5" | "sha256">> = {},
  ): Promise<void> {
    await orError(`writing ${objectKey}`, () =>
      this.#folder.write(objectKey, content instanceof Uint8Array ? once(content) : content, {
        mediaType: mediaTypeOf(wish.mediaType ?? ""),
        md5: wish.md5,
        sha256: hexOf(wish.sha256),
      }),
    );
  }

  list(prefix: string): AsyncIterable<StoredObject> {
    return eachOrError(`listing what is under ${prefix}`, this.#folder.list(prefix));
  }

  listMultiparts(prefix: string): AsyncIterable<OpenMultipart> {
    return eachOrError(`listing unfinished uploads under ${prefix}`, this.#uploads.list(prefix));
  }

  async remove(objectKeys: readonly string[]): Promise<void> {
    for (const objectKey of objectKeys) {
      await orError(`removing ${objectKey}`, () => this.#folder.remove(objectKey));
    }
  }

  #ticket(objectKey: string, grant: Omit<Grant, "objectKey" | "expiresAtMs">): UploadTicket {
    this.#folder.disk.pathOf(objectKey); // no URL for what is no key
    const expiresAtMs = this.#nowMs() + this.#urlLifetimeMs;
    const url = this.#signer.sign(this.url, { ...grant, objectKey, expiresAtMs });
    return { objectKey, url, headers: grant.headers, expiresAtMs };
  }
}

function mediaTypeOf(mediaType: string): string {
  return mediaType === "" ? "application/octet-stream" : mediaType;
}

function lengthAndMd5({ sizeBytes, md5 }: Pick<ObjectWish, "sizeBytes" | "md5">): Record<string, string> {
  return {
    "content-length": String(sizeBytes),
    ...(md5 === undefined || md5.length === 0 ? {} : { "content-md5": Buffer.from(md5).toString("base64") }),
  };
}

function hexOf(checksum: Uint8Array | undefined): string {
  return checksum === undefined ? "" : Buffer.from(checksum).toString("hex");
}

async function* once(content: Uint8Array): AsyncGenerator<Uint8Array> {
  yield content;
}

async function orError<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw fromDisk(error, what);
  }
}

async function* eachOrError<T>(what: string, items: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* items;
  } catch (error) {
    throw fromDisk(error, what);
  }
}
