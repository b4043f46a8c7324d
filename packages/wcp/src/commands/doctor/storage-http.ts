import type { Clock } from "@subnet-worker/kit";
import type { Config } from "../../config.ts";
import { withoutUrls } from "../../domain/without-urls.ts";
import { fail, type Outcome, reasonOf } from "./check.ts";

const TIMEOUT_MS = 10_000;

/** What each refusal of an S3 store means; by the code in its answer. */
const REFUSALS: Readonly<Record<string, (storage: Config["storage"]) => string>> = {
  NoSuchBucket: ({ bucket, endpoint }) =>
    `there is no bucket "${bucket}" at ${endpoint}: create it, or correct storage.bucket`,
  InvalidAccessKeyId: () =>
    "the store does not know WCP__STORAGE__ACCESS_KEY_ID: correct it, or make a new key",
  SignatureDoesNotMatch: () =>
    "the secret is another key's, or storage.region is wrong: correct WCP__STORAGE__SECRET_ACCESS_KEY first",
  ExpiredToken: () => "WCP__STORAGE__SESSION_TOKEN has expired: renew the temporary credentials",
  InvalidToken: () =>
    "WCP__STORAGE__SESSION_TOKEN does not belong to these credentials: set all three of them together, or empty it",
  RequestTimeTooSkewed: () => "this machine's clock is off: timedatectl set-ntp true",
  AccessDenied: ({ bucket }) =>
    `the credentials may not write or read in "${bucket}": grant s3:PutObject and s3:GetObject on all its objects`,
  PermanentRedirect: ({ bucket, region }) =>
    `"${bucket}" is not in region ${region}: correct storage.region and storage.endpoint`,
  AuthorizationHeaderMalformed: ({ region }) =>
    `the bucket is not in region ${region}: correct storage.region`,
  NotImplemented: () =>
    "the store does not know a header of the upload: empty storage.sse, which R2 for one does not take",
  InvalidArgument: () => "the store does not take a header of the upload: look at storage.sse first",
  "KMS.NotFoundException": () => "there is no such KMS key: correct storage.sse_kms_key_id",
  "KMS.DisabledException": () => "the KMS key is disabled: enable it, or correct storage.sse_kms_key_id",
};

/** The code in a store's answer, where there is one. */
export function codeIn(body: string): string | undefined {
  return /<Code>([\w.]+)<\/Code>/.exec(body)?.[1];
}

/** What an answer that is no success says, and what to do. */
export async function refusal(
  method: string,
  response: Response,
  storage: Config["storage"],
): Promise<Outcome> {
  const code = codeIn(await response.text());
  const known = code === undefined ? undefined : REFUSALS[code]?.(storage);
  const detail = `${method} is refused: HTTP ${response.status}${code === undefined ? "" : ` ${code}`}`;
  return fail(
    detail,
    known ?? "check where storage is configured and the credentials; handlers that need files will fail",
  );
}

/** One request as an executor would make it, with an end. The URL stays out of every message: it is signed. */
export async function request(url: string, init: RequestInit, clock: Clock): Promise<Response> {
  const late = new AbortController();
  const timer = clock.timer(TIMEOUT_MS, () =>
    late.abort(new Error(`no answer within ${TIMEOUT_MS / 1_000} s`)),
  );
  try {
    const response = await fetch(url, { ...init, signal: late.signal });
    // What is probed is small: the body belongs to the time that the answer has.
    const body = await response.arrayBuffer();
    const { status, headers } = response;
    return new Response(isBodyless(status) ? null : body, { status, headers });
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const reason = withoutUrls(reasonOf(cause));
    throw new Error(reason === "" ? "no answer" : reason, { cause: error });
  } finally {
    timer[Symbol.dispose]();
  }
}

function isBodyless(status: number): boolean {
  return status === 204 || status === 304;
}
