/** A part as the store has it. */
export interface CompletedPart {
  /** From 1. */
  readonly partNumber: number;
  /** As the store answered its PUT. */
  readonly etag: string;
}

/** An object that a run would like to write in one request. */
export interface UploadAsk {
  readonly kind: "upload";
  /** Path below the run's prefix. */
  readonly name: string;
  readonly mediaType: string;
  readonly sizeBytes: number;
  /** 16 bytes. */
  readonly md5: Uint8Array;
  /** 32 bytes. */
  readonly sha256: Uint8Array;
  /** Only of a worker client that says it brokers storage: earlier ones would not know what the object is. */
  readonly needsBroker?: boolean;
}

export type MultipartAsk =
  | {
      readonly kind: "create";
      readonly name: string;
      readonly mediaType: string;
      /** `undefined`: not known yet. */
      readonly sizeBytes: number | undefined;
      /** 32 bytes; `undefined`: not known yet. */
      readonly sha256: Uint8Array | undefined;
    }
  | {
      readonly kind: "part";
      readonly name: string;
      readonly uploadId: string;
      /** From 1. */
      readonly partNumber: number;
      readonly sizeBytes: number;
      readonly md5: Uint8Array;
    }
  | {
      readonly kind: "complete";
      readonly name: string;
      readonly uploadId: string;
      readonly parts: readonly CompletedPart[];
    };

/** What a run asks its worker client for; plain data, as it may come from another thread. */
export type Ask = UploadAsk | { readonly kind: "download"; readonly objectKey: string } | MultipartAsk;

/** The answer to an {@link Ask}; what it does not concern is empty. */
export interface Grant {
  readonly objectKey: string;
  /** Presigned. */
  readonly url: string;
  /** To be sent with it, exactly. */
  readonly headers: Readonly<Record<string, string>>;
  /** When the URL stops working; 0: not known. */
  readonly expiresAtMs: number;
  readonly uploadId: string;
}

/** An object that was written. */
export interface Written {
  readonly objectKey: string;
  readonly sizeBytes: number;
  /** 32 bytes. */
  readonly sha256: Uint8Array;
}

/** An upload in parts that was begun. */
export interface OpenUpload {
  readonly name: string;
  readonly uploadId: string;
}

/** The worker client does not answer such an {@link Ask}, and is not expected to. */
export class NotBrokeredError extends Error {
  override readonly name = "NotBrokeredError";
}
