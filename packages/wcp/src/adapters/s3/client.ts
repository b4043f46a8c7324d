import { createHash } from "node:crypto";
import { S3Client } from "@aws-sdk/client-s3";

export interface S3ClientOptions {
  readonly endpoint: string;
  /** `auto` for R2. */
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of temporary credentials; empty for lasting ones. */
  readonly sessionToken: string;
  /** `host/bucket/key` instead of `bucket.host/key`. */
  readonly forcePathStyle: boolean;
  /** A request of this process without an answer for this long has failed. */
  readonly requestTimeoutMs: number;
}

const MOST_ATTEMPTS = 3;
const ignore = (): void => {};
const SILENT = { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore };

/**
 * A client that any store which speaks S3 understands: AWS, R2, MinIO, s3rver. It sends nothing that
 * R2 lists as not implemented (https://developers.cloudflare.com/r2/api/s3/api/): no ACL, no tags, no
 * checksum trailers, no expected owner.
 */
export function createS3Client(options: S3ClientOptions): S3Client {
  const client = new S3Client({
    endpoint: options.endpoint,
    region: options.region,
    forcePathStyle: options.forcePathStyle,
    credentials: {
      accessKeyId: options.accessKeyId,
      secretAccessKey: options.secretAccessKey,
      ...(options.sessionToken === "" ? {} : { sessionToken: options.sessionToken }),
    },
    // The default puts a CRC32 of an empty body into every presigned PUT, and R2 answers 501 to the header:
    // https://github.com/cloudflare/cloudflare-docs/pull/19236
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    maxAttempts: MOST_ATTEMPTS,
    requestHandler: {
      connectionTimeout: options.requestTimeoutMs,
      requestTimeout: options.requestTimeoutMs,
      // Of a body on which nothing moves: the others end with the headers.
      socketTimeout: options.requestTimeoutMs,
      throwOnRequestTimeout: true,
    },
    // It would print to the console, signed URLs among it.
    logger: SILENT,
  });
  checkDeletesByMd5(client);
  return client;
}

interface Request {
  headers: Record<string, string>;
  readonly body?: unknown;
}

/**
 * Lists of objects to delete carry Content-MD5, which every store takes, instead of the CRC32 that the
 * client sends whatever it is told: https://github.com/aws/aws-sdk-js-v3/issues/6819
 */
function checkDeletesByMd5(client: S3Client): void {
  client.middlewareStack.add(
    (next, context) => (args) => {
      if (context.commandName !== "DeleteObjectsCommand") return next(args);
      const request = args.request as Request;
      for (const name of Object.keys(request.headers)) {
        if (/^x-amz-(sdk-)?checksum-/i.test(name)) delete request.headers[name];
      }
      const body = typeof request.body === "string" ? request.body : Buffer.from(request.body as Uint8Array);
      request.headers["content-md5"] = createHash("md5").update(body).digest("base64");
      return next(args);
    },
    { step: "build", name: "checkDeletesByMd5", priority: "low" },
  );
}
