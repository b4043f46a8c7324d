import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import type { Clock } from "@subnet-worker/kit";
import type { StorageBroker } from "../../ports.ts";

export interface S3StorageOptions {
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** `host/bucket/key` instead of `bucket.host/key`. */
  readonly forcePathStyle: boolean;
  /** How long a URL works. */
  readonly urlLifetimeMs: number;
}

/** Presigned URLs for any store that speaks S3: AWS, R2, MinIO. Makes no request itself. */
export function createS3Storage(
  options: S3StorageOptions,
  deps: { readonly clock: Clock },
): StorageBroker & Disposable {
  const client = new S3Client({
    endpoint: options.endpoint,
    region: options.region,
    forcePathStyle: options.forcePathStyle,
    credentials: { accessKeyId: options.accessKeyId, secretAccessKey: options.secretAccessKey },
    // The default puts a CRC32 of an empty body into every presigned PUT; R2 and MinIO then refuse the real one.
    requestChecksumCalculation: "WHEN_REQUIRED",
  });
  const expiresIn = Math.max(1, Math.floor(options.urlLifetimeMs / 1_000));
  return {
    downloadUrl: (objectKey) =>
      getSignedUrl(client, new GetObjectCommand({ Bucket: options.bucket, Key: objectKey }), { expiresIn }),
    async uploadTicket(objectKey, wish) {
      const mediaType = wish.mediaType === "" ? "application/octet-stream" : wish.mediaType;
      const command = new PutObjectCommand({
        Bucket: options.bucket,
        Key: objectKey,
        ContentType: mediaType,
        ContentLength: wish.sizeBytes,
      });
      // Type and length are part of the signature: the URL is good for this object and no other.
      const signableHeaders = new Set(["content-type", "content-length"]);
      const url = await getSignedUrl(client, command, { expiresIn, signableHeaders });
      return {
        objectKey,
        url,
        headers: { "content-type": mediaType, "content-length": String(wish.sizeBytes) },
        expiresAtMs: deps.clock.nowMs() + expiresIn * 1_000,
      };
    },
    [Symbol.dispose]: () => client.destroy(),
  };
}
