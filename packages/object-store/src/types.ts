/** A URL that reads one object. */
export interface DownloadTicket {
  readonly url: string;
  readonly expiresAtMs: number;
}

/** A URL that writes one object, or one part of it, and what must go with the PUT. */
export interface UploadTicket {
  readonly objectKey: string;
  readonly url: string;
  /** Headers of the PUT, exactly. */
  readonly headers: Readonly<Record<string, string>>;
  readonly expiresAtMs: number;
}

/** What is to be written. */
export interface ObjectWish {
  /** Empty for `application/octet-stream`. */
  readonly mediaType: string;
  readonly sizeBytes: number;
  /** Of the content, 16 bytes: what does not match is refused. */
  readonly md5?: Uint8Array;
  /** Of the content, 32 bytes: kept with the object, not checked. */
  readonly sha256?: Uint8Array;
}

/** A part of an object that is to be written. */
export interface PartWish {
  /** From 1 to 10,000. */
  readonly partNumber: number;
  readonly sizeBytes: number;
  /** Of the part, 16 bytes: what does not match is refused. */
  readonly md5?: Uint8Array;
}

/** A part that was written. */
export interface CompletedPart {
  readonly partNumber: number;
  /** As the PUT of the part was answered. */
  readonly etag: string;
}

/** An object as it is stored. */
export interface StoredObject {
  readonly objectKey: string;
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
  /** As it was given at the upload; `undefined` where none was, and in lists. */
  readonly sha256?: Uint8Array;
}

/** An upload in parts that was begun and has not ended. */
export interface OpenMultipart {
  readonly objectKey: string;
  readonly uploadId: string;
  readonly startedAtMs: number;
}
