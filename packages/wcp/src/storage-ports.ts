/** What the node needs of storage; ports.ts has the rest. */

/** What an executor says it has written. */
export interface WrittenObject {
  readonly objectKey: string;
  readonly sizeBytes: number;
  /** `undefined`: not known. */
  readonly sha256?: Uint8Array;
}

/** An object that a run would like to write. */
export interface UploadWish {
  /** Path below the run's prefix. */
  readonly name: string;
  readonly mediaType: string;
  readonly sizeBytes: number;
  /** Of the content, 16 bytes: the store refuses what does not match. */
  readonly md5?: Uint8Array;
  /** Of the content, 32 bytes: kept with the object. */
  readonly sha256?: Uint8Array;
}

/** One step of an upload in parts; `name` is the path below the run's prefix. */
export type MultipartStep = { readonly name: string } & (
  | {
      readonly kind: "create";
      readonly mediaType: string;
      /** `undefined`: not known yet. */
      readonly sizeBytes: number | undefined;
      readonly sha256?: Uint8Array;
    }
  | ({ readonly kind: "part"; readonly uploadId: string } & PartWish)
  | { readonly kind: "complete"; readonly uploadId: string; readonly parts: readonly CompletedPart[] }
  | { readonly kind: "abort"; readonly uploadId: string }
);

/** What a step of an upload in parts gives: `uploadId` for a create, `ticket` for a part. */
export interface MultipartAnswer {
  readonly objectKey: string;
  readonly uploadId?: string;
  readonly ticket?: UploadTicket;
}

export interface UploadTicket {
  readonly objectKey: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly expiresAtMs: number;
}

/** A URL that reads one object. */
export interface DownloadTicket {
  readonly url: string;
  readonly expiresAtMs: number;
}

export type ObjectWish = Omit<UploadWish, "name">;

export interface PartWish {
  /** From 1. */
  readonly partNumber: number;
  readonly sizeBytes: number;
  /** Of the part, 16 bytes: the store refuses what does not match. */
  readonly md5?: Uint8Array;
}

export interface CompletedPart {
  readonly partNumber: number;
  /** As the store answered the PUT of the part. */
  readonly etag: string;
}

/** An object as it is stored. */
export interface StoredObject {
  readonly objectKey: string;
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
  /** As it was given at the upload; `undefined` where the store has none, and in lists. */
  readonly sha256?: Uint8Array;
}

/** An upload in parts that was begun and has not ended. */
export interface OpenMultipart {
  readonly objectKey: string;
  readonly uploadId: string;
  readonly startedAtMs: number;
}

/**
 * Object keys to URLs and back. The executor never sees what signs them. Every call
 * may reject with a {@link StorageError}; tickets of S3 are made without asking the store.
 */
export interface StorageBroker {
  downloadTicket(objectKey: string): Promise<DownloadTicket>;
  uploadTicket(objectKey: string, wish: ObjectWish): Promise<UploadTicket>;
  /** Begins an upload in parts; resolves with its id. */
  createMultipart(objectKey: string, wish: Pick<ObjectWish, "mediaType" | "sha256">): Promise<string>;
  partTicket(objectKey: string, uploadId: string, part: PartWish): Promise<UploadTicket>;
  /** Makes the object of its parts. Harmless when it was done before. */
  completeMultipart(objectKey: string, uploadId: string, parts: readonly CompletedPart[]): Promise<void>;
  /** Harmless when there is no such upload. */
  abortMultipart(objectKey: string, uploadId: string): Promise<void>;
  /** `undefined`: there is no such object. */
  head(objectKey: string): Promise<StoredObject | undefined>;
  /** The whole object. Rejects with TOO_LARGE above `maxBytes`, and NOT_FOUND. */
  read(objectKey: string, maxBytes: number): Promise<Uint8Array>;
  list(prefix: string): AsyncIterable<StoredObject>;
  listMultiparts(prefix: string): AsyncIterable<OpenMultipart>;
  /** Harmless for what is not there. */
  remove(objectKeys: readonly string[]): Promise<void>;
}

export type StorageErrorCode =
  /** Nobody answers, or not now: trying again may help. */
  | "UNAVAILABLE"
  /** This node's own credential is wrong, missing or has run out. The operator mends that: nothing is given up for it. */
  | "UNAUTHENTICATED"
  /** The store does not allow it, or does not know how. */
  | "REFUSED"
  | "NOT_FOUND"
  | "TOO_LARGE";

/** Why storage did not do as it was asked. The message names the key and what to do. */
export class StorageError extends Error {
  override readonly name = "StorageError";
  readonly code: StorageErrorCode;

  constructor(code: StorageErrorCode, message: string, options?: ErrorOptions) {
    super(`[STORAGE_${code}] ${message}`, options);
    this.code = code;
  }

  get isRetryable(): boolean {
    return this.code === "UNAVAILABLE" || this.code === "UNAUTHENTICATED";
  }
}
