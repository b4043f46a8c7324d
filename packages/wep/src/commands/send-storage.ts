import { type Envelope, envelope, type MultipartRequest, type UploadRequest } from "@subnet-worker/protocol";

/** What is needed of an object store: keys to URLs, and uploads in parts. */
export interface ObjectStore {
  downloadTicket(objectKey: string): Promise<DownloadTicket>;
  uploadTicket(objectKey: string, wish: ObjectWish): Promise<UploadTicket>;
  createMultipart(objectKey: string, wish: Pick<ObjectWish, "mediaType" | "sha256">): Promise<string>;
  partTicket(objectKey: string, uploadId: string, part: PartWish): Promise<UploadTicket>;
  completeMultipart(objectKey: string, uploadId: string, parts: readonly PartDone[]): Promise<void>;
  abortMultipart(objectKey: string, uploadId: string): Promise<void>;
  /** `undefined`: there is no such object. */
  head(objectKey: string): Promise<{ readonly sizeBytes: number } | undefined>;
}

export interface DownloadTicket {
  readonly url: string;
  readonly expiresAtMs: number;
}

export interface UploadTicket extends DownloadTicket {
  readonly headers: Readonly<Record<string, string>>;
}

export interface ObjectWish {
  readonly mediaType: string;
  readonly sizeBytes: number;
  readonly md5?: Uint8Array;
  readonly sha256?: Uint8Array;
}

interface PartWish {
  readonly partNumber: number;
  readonly sizeBytes: number;
  readonly md5?: Uint8Array;
}

interface PartDone {
  readonly partNumber: number;
  readonly etag: string;
}

/** What one run may read besides what it has written, and where it may write. */
export interface RunArea {
  /** Ends in a slash. */
  readonly uploadPrefix: string;
  readonly inputKeys: ReadonlySet<string>;
}

/** A name below the prefix, by the rules of a node: what it refuses is refused here too. */
const SAFE_SEGMENT = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/;
const LONGEST_NAME = 512;

/** Why a request is not granted; the handler sees it. */
class Refusal extends Error {}

/** Answers what one run asks of storage, as a node would. */
export class StorageDesk {
  /** Keys that were granted for writing, in their order. */
  readonly granted: Set<string> = new Set();
  readonly #store: ObjectStore;
  readonly #area: RunArea;

  constructor(store: ObjectStore, area: RunArea) {
    this.#store = store;
    this.#area = area;
  }

  /** The answer to a message, or `undefined` when it asks nothing of storage. Never rejects. */
  async answer({ msg }: Envelope): Promise<Envelope | undefined> {
    switch (msg.case) {
      case "uploadRequest":
        return envelope("uploadGrant", await this.#reply(msg.value, (key) => this.#upload(key, msg.value)));
      case "downloadRequest":
        return envelope("downloadGrant", await settled(msg.value, () => this.#download(msg.value.objectKey)));
      case "multipartRequest":
        return envelope("multipartGrant", await this.#reply(msg.value, (key) => this.#step(key, msg.value)));
      default:
        return undefined;
    }
  }

  #reply<T>(
    request: { readonly requestId: bigint; readonly name: string },
    grant: (objectKey: string) => Promise<T>,
  ) {
    return settled(request, async () => {
      const objectKey = this.#keyOf(request.name);
      return { objectKey, ...(await grant(objectKey)) };
    });
  }

  async #upload(objectKey: string, { mediaType, sizeBytes, md5, sha256 }: UploadRequest) {
    this.granted.add(objectKey);
    return ticketFields(
      await this.#store.uploadTicket(objectKey, {
        mediaType,
        sizeBytes: Number(sizeBytes),
        ...(md5.length === 0 ? {} : { md5 }),
        ...(sha256.length === 0 ? {} : { sha256 }),
      }),
    );
  }

  async #download(objectKey: string) {
    const { inputKeys, uploadPrefix } = this.#area;
    const isOwn = objectKey.startsWith(uploadPrefix) && isName(objectKey.slice(uploadPrefix.length));
    if (!inputKeys.has(objectKey) && !isOwn) {
      throw new Refusal(
        `[OBJECT_KEY_REFUSED] this run may not read ${JSON.stringify(objectKey.slice(0, 200))}; it may read its inputs and what it has written`,
      );
    }
    const { url, expiresAtMs } = await this.#store.downloadTicket(objectKey);
    return { objectKey, url, expiresUnix: toUnix(expiresAtMs) };
  }

  async #step(objectKey: string, { step }: MultipartRequest) {
    const store = this.#store;
    switch (step.case) {
      case "create": {
        const { mediaType, sha256 } = step.value;
        this.granted.add(objectKey);
        const wish = { mediaType, ...(sha256.length === 0 ? {} : { sha256 }) };
        return { uploadId: await store.createMultipart(objectKey, wish) };
      }
      case "part": {
        const { uploadId, partNumber, sizeBytes, md5 } = step.value;
        const part = { partNumber, sizeBytes: Number(sizeBytes), ...(md5.length === 0 ? {} : { md5 }) };
        return { uploadId, ...ticketFields(await store.partTicket(objectKey, uploadId, part)) };
      }
      case "complete":
        await store.completeMultipart(objectKey, step.value.uploadId, step.value.parts);
        return { uploadId: step.value.uploadId };
      case "abort":
        await store.abortMultipart(objectKey, step.value.uploadId);
        return { uploadId: step.value.uploadId };
      default:
        throw new Refusal("[INVALID_REQUEST] this step of an upload in parts is not known here");
    }
  }

  #keyOf(name: string): string {
    if (isName(name)) return `${this.#area.uploadPrefix}${name}`;
    throw new Refusal(
      `[OBJECT_KEY_REFUSED] ${JSON.stringify(name.slice(0, 200))} is not an object name; use letters, digits, ".", "_", "-" and "/" between them, like "images/waveform.png"`,
    );
  }
}

async function settled<T extends object>(
  { requestId }: { readonly requestId: bigint },
  grant: () => Promise<T>,
) {
  try {
    return { requestId, ...(await grant()) };
  } catch (error) {
    // What a node would refuse, and what the store does not allow, stays so; a store that is gone would too.
    return { requestId, error: error instanceof Error ? error.message : String(error), retryable: false };
  }
}

function ticketFields({ url, headers, expiresAtMs }: UploadTicket) {
  return { url, headers: { ...headers }, expiresUnix: toUnix(expiresAtMs) };
}

function toUnix(ms: number): bigint {
  return BigInt(Math.floor(ms / 1_000));
}

function isName(name: string): boolean {
  return name.length <= LONGEST_NAME && name.split("/").every((segment) => SAFE_SEGMENT.test(segment));
}
