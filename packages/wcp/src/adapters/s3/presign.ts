import { GetObjectCommand, PutObjectCommand, type S3Client, UploadPartCommand } from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import type { Clock } from "@subnet-worker/kit";
import type { DownloadTicket, ObjectWish, PartWish, UploadTicket } from "../../storage-ports.ts";
import { type Encryption, encryptionHeaders, encryptionInput } from "./encryption.ts";

/** SigV4 knows nothing longer: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html */
const LONGEST_LIFETIME_S = 7 * 24 * 60 * 60;

export interface PresignOptions {
  readonly bucket: string;
  readonly urlLifetimeMs: number;
  readonly encryption: Encryption;
}

/**
 * Presigned URLs, made without asking the store. Whatever is said of an object is
 * signed as a header, never hidden in the query: so the URL is good for this object,
 * type, length and checksum and no other, and every store understands it.
 */
export class Presigner {
  readonly #options: PresignOptions;
  readonly #client: S3Client;
  readonly #clock: Clock;
  readonly #lifetimeS: number;

  constructor(options: PresignOptions, deps: { readonly client: S3Client; readonly clock: Clock }) {
    this.#options = options;
    this.#client = deps.client;
    this.#clock = deps.clock;
    this.#lifetimeS = Math.min(LONGEST_LIFETIME_S, Math.max(1, Math.floor(options.urlLifetimeMs / 1_000)));
  }

  async download(objectKey: string): Promise<DownloadTicket> {
    const command = new GetObjectCommand({ Bucket: this.#options.bucket, Key: objectKey });
    const { expiresAtMs, ...times } = this.#times();
    return { url: await getSignedUrl(this.#client, command, times), expiresAtMs };
  }

  async upload(objectKey: string, wish: ObjectWish): Promise<UploadTicket> {
    const { bucket, encryption } = this.#options;
    const headers = {
      "content-type": mediaTypeOf(wish),
      "content-length": String(wish.sizeBytes),
      ...md5Header(wish.md5),
      ...(isGiven(wish.sha256) ? { [SHA256_HEADER]: hexOf(wish.sha256) } : {}),
      ...encryptionHeaders(encryption),
    };
    const command = new PutObjectCommand({
      Bucket: bucket,
      Key: objectKey,
      ContentType: headers["content-type"],
      ContentLength: wish.sizeBytes,
      ...md5Input(wish.md5),
      ...metadataInput(wish.sha256),
      ...encryptionInput(encryption),
    });
    return this.#ticket(objectKey, headers, (options) => getSignedUrl(this.#client, command, options));
  }

  async part(objectKey: string, uploadId: string, part: PartWish): Promise<UploadTicket> {
    // Encryption is said once, when the upload begins; a part that says it again is refused.
    const headers = { "content-length": String(part.sizeBytes), ...md5Header(part.md5) };
    const command = new UploadPartCommand({
      Bucket: this.#options.bucket,
      Key: objectKey,
      UploadId: uploadId,
      PartNumber: part.partNumber,
      ContentLength: part.sizeBytes,
      ...md5Input(part.md5),
    });
    return this.#ticket(objectKey, headers, (options) => getSignedUrl(this.#client, command, options));
  }

  async #ticket(
    objectKey: string,
    headers: Readonly<Record<string, string>>,
    sign: (options: Parameters<typeof getSignedUrl>[2]) => Promise<string>,
  ): Promise<UploadTicket> {
    const { expiresAtMs, ...times } = this.#times();
    const names = new Set(Object.keys(headers));
    const url = await sign({ ...times, signableHeaders: names, unhoistableHeaders: names });
    return { objectKey, url, headers, expiresAtMs };
  }

  /** A signature counts whole seconds: the ticket ends with the URL, not after it. */
  #times() {
    const seconds = Math.floor(this.#clock.nowMs() / 1_000);
    return {
      signingDate: new Date(seconds * 1_000),
      expiresIn: this.#lifetimeS,
      expiresAtMs: (seconds + this.#lifetimeS) * 1_000,
    };
  }
}

const SHA256_HEADER = "x-amz-meta-sha256";

export function mediaTypeOf({ mediaType }: Pick<ObjectWish, "mediaType">): string {
  return mediaType === "" ? "application/octet-stream" : mediaType;
}

/** What keeps a checksum with its object: nothing where there is none. */
export function metadataInput(sha256: Uint8Array | undefined): { readonly Metadata?: { sha256: string } } {
  return isGiven(sha256) ? { Metadata: { sha256: hexOf(sha256) } } : {};
}

function md5Input(md5: Uint8Array | undefined): { readonly ContentMD5?: string } {
  return isGiven(md5) ? { ContentMD5: base64Of(md5) } : {};
}

function md5Header(md5: Uint8Array | undefined): Readonly<Record<string, string>> {
  return isGiven(md5) ? { "content-md5": base64Of(md5) } : {};
}

function isGiven(checksum: Uint8Array | undefined): checksum is Uint8Array {
  return checksum !== undefined && checksum.length > 0;
}

const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const base64Of = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
