import { withoutUrls } from "../../domain/without-urls.ts";
import { StorageError, type StorageErrorCode } from "../../storage-ports.ts";

/** What a store answered, by its own code; the rest is decided by the status. */
const BY_CODE: Readonly<Record<string, readonly [StorageErrorCode, string]>> = {
  NoSuchKey: ["NOT_FOUND", "there is no such object"],
  NotFound: ["NOT_FOUND", "there is no such object"],
  NoSuchUpload: ["NOT_FOUND", "there is no such upload, it was completed or aborted; begin another"],
  InvalidPart: ["NOT_FOUND", "a part is missing or has another ETag; upload it again"],
  NoSuchBucket: ["REFUSED", "there is no such bucket; create it, or correct storage.bucket"],
  AccessDenied: [
    "REFUSED",
    "the credentials lack the right to do this; grant it on all objects of the bucket",
  ],
  InvalidAccessKeyId: [
    "UNAUTHENTICATED",
    "the store does not know the access key; correct storage.access_key_id",
  ],
  SignatureDoesNotMatch: [
    "UNAUTHENTICATED",
    "the store does not accept the signature; correct storage.secret_access_key, then storage.region",
  ],
  ExpiredToken: ["UNAUTHENTICATED", "storage.session_token has expired; renew the temporary credentials"],
  InvalidToken: [
    "UNAUTHENTICATED",
    "storage.session_token is not one of these credentials; renew all three together",
  ],
  RequestTimeTooSkewed: ["UNAUTHENTICATED", "this machine's clock is off; turn on time synchronisation"],
  PermanentRedirect: ["REFUSED", "the bucket is elsewhere; correct storage.region and storage.endpoint"],
  AuthorizationHeaderMalformed: ["REFUSED", "the bucket is in another region; correct storage.region"],
  EntityTooLarge: ["TOO_LARGE", "the object is larger than the store takes at once; upload it in parts"],
  EntityTooSmall: ["REFUSED", "a part that is not the last has less than 5 MiB; make the parts larger"],
  InvalidPartOrder: ["REFUSED", "the parts are not in the order of their numbers; sort them"],
  NotImplemented: ["REFUSED", "the store does not know this operation; look at what it implements of S3"],
  MethodNotAllowed: ["REFUSED", "the store does not know this operation; look at what it implements of S3"],
  KMSDisabledException: ["REFUSED", "the KMS key is disabled; enable it, or correct storage.sse_kms_key_id"],
  "KMS.DisabledException": [
    "REFUSED",
    "the KMS key is disabled; enable it, or correct storage.sse_kms_key_id",
  ],
  "KMS.NotFoundException": ["REFUSED", "there is no such KMS key; correct storage.sse_kms_key_id"],
};

interface Answered {
  readonly name?: unknown;
  readonly message?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/** What the store calls the error, and the status of its answer; 0 where nobody answered. */
export function answerOf(error: unknown): { readonly code: string; readonly status: number } {
  const { name, $metadata } = (typeof error === "object" && error !== null ? error : {}) as Answered;
  return { code: typeof name === "string" ? name : "", status: $metadata?.httpStatusCode ?? 0 };
}

/** Classifies what the client of a store threw. `what` says what was tried, with the key. */
export function storageErrorOf(error: unknown, what: string): StorageError {
  if (error instanceof StorageError) return error;
  const { code, status } = answerOf(error);
  const known = BY_CODE[code];
  if (known !== undefined) return new StorageError(known[0], `${what}: ${known[1]}`, { cause: error });
  if (status === 404)
    return new StorageError("NOT_FOUND", `${what}: there is no such object`, { cause: error });
  if (status >= 300 && status < 500 && status !== 429 && status !== 408) {
    const said = `HTTP ${status}${code === "" ? "" : ` ${code}`}`;
    return new StorageError(
      "REFUSED",
      `${what}: the store refuses (${said}); run wcp doctor to find out why`,
      {
        cause: error,
      },
    );
  }
  const why = status === 0 ? reasonOf(error) : `HTTP ${status}${code === "" ? "" : ` ${code}`}`;
  return new StorageError(
    "UNAVAILABLE",
    `${what}: the store does not answer as it should (${why}); try again, and look at storage.endpoint when it stays so`,
    { cause: error },
  );
}

function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message || error.name : String(error);
  return withoutUrls(message.split("\n", 1)[0] ?? "");
}
