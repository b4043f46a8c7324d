import { S3Storage } from "../../adapters/s3/storage.ts";
import { storageOptions } from "../../open.ts";
import { fail, ok, type Outcome, reasonOf, warn } from "./check.ts";
import type { Patient } from "./patient.ts";

const TIMEOUT_MS = 10_000;
/** Stores refuse a signature that is further off than 15 minutes. */
const SKEW_MS = 60_000;
const TEXT = "written by wcp doctor\n";

/**
 * Puts and gets one tiny object through the very URLs that a handler would get, under `doctor/` and the
 * wallet's address: always the same one, which is overwritten. Only that shows that the bucket, the
 * credentials, their rights and the clock are all in order.
 */
export function examineStorage(patient: Patient): void {
  const { exam, config } = patient;
  const { bucket, endpoint } = config.storage;
  if (bucket === "") {
    void exam.check({
      id: "storage.configured",
      group: "storage",
      title: "configured",
      run: () => ok("none (storage.bucket is empty): handlers can neither download nor upload"),
    });
    return;
  }
  void exam.check({
    id: "storage.endpoint",
    group: "storage",
    title: "endpoint",
    onError: `nothing answers at storage.endpoint (${endpoint}): start it, or correct the setting`,
    run: () => lookAtEndpoint(patient),
  });
  void exam.check({
    id: "storage.put_get",
    group: "storage",
    title: "put and get",
    needs: ["storage.endpoint"],
    onError: "check storage.endpoint and the network between",
    run: () => putAndGet(patient),
  });
}

async function lookAtEndpoint({ config, io }: Patient): Promise<Outcome> {
  const response = await within(config.storage.endpoint, { method: "HEAD" });
  const date = Date.parse(response.headers.get("date") ?? "");
  const skewMs = Number.isNaN(date) ? 0 : io.clock.nowMs() - date;
  const detail = `answers at ${new URL(config.storage.endpoint).host}`;
  return Math.abs(skewMs) > SKEW_MS
    ? warn(
        `${detail}, and this machine's clock is ${Math.round(Math.abs(skewMs) / 1_000)} s ${skewMs > 0 ? "ahead of" : "behind"} it`,
        "signed URLs are refused when the clocks are too far apart. Turn on time synchronisation: timedatectl set-ntp true",
      )
    : ok(detail);
}

async function putAndGet({ config, io, wallet = "unknown" }: Patient): Promise<Outcome> {
  using storage = new S3Storage(storageOptions(config), { clock: io.clock });
  const key = `doctor/${wallet.toLowerCase()}.txt`;
  const ticket = await storage.uploadTicket(key, {
    mediaType: "text/plain",
    sizeBytes: TEXT.length,
  });
  const put = await within(ticket.url, { method: "PUT", headers: { ...ticket.headers }, body: TEXT });
  if (!put.ok) return refusal("PUT", put, config.storage);
  await put.text();
  const get = await within((await storage.downloadTicket(key)).url, {});
  if (!get.ok) return refusal("GET", get, config.storage);
  return (await get.text()) === TEXT
    ? ok(`bucket ${config.storage.bucket}, object ${key}`)
    : warn(
        `${key} came back changed`,
        "something between here and the store rewrites bodies: look for a proxy or a cache",
      );
}

interface Facts {
  readonly bucket: string;
  readonly endpoint: string;
  readonly region: string;
}

/** What each refusal of a store means; by the code in its answer. */
const REFUSALS: Readonly<Record<string, (facts: Facts) => string>> = {
  NoSuchBucket: ({ bucket, endpoint }) =>
    `there is no bucket "${bucket}" at ${endpoint}: create it, or correct storage.bucket`,
  InvalidAccessKeyId: () =>
    "the store does not know WCP__STORAGE__ACCESS_KEY_ID: correct it, or make a new key",
  SignatureDoesNotMatch: () =>
    "the secret is another key's, or storage.region is wrong: correct WCP__STORAGE__SECRET_ACCESS_KEY first",
  RequestTimeTooSkewed: () => "this machine's clock is off: timedatectl set-ntp true",
  AccessDenied: ({ bucket }) =>
    `the credentials may not write or read in "${bucket}": grant s3:PutObject and s3:GetObject on all its objects`,
  PermanentRedirect: ({ bucket, region }) =>
    `"${bucket}" is not in region ${region}: correct storage.region and storage.endpoint`,
  AuthorizationHeaderMalformed: ({ region }) =>
    `the bucket is not in region ${region}: correct storage.region`,
};

async function refusal(method: string, response: Response, facts: Facts): Promise<Outcome> {
  const body = await response.text();
  const code = /<Code>(\w+)<\/Code>/.exec(body)?.[1];
  const known = code === undefined ? undefined : REFUSALS[code]?.(facts);
  const detail = `${method} is refused: HTTP ${response.status}${code === undefined ? "" : ` ${code}`}`;
  return fail(
    detail,
    known ?? "check storage.endpoint, storage.bucket and the credentials; handlers that need files will fail",
  );
}

async function within(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    // Never the URL: it is signed.
    throw new Error(reasonOf(cause) === "" ? "no answer" : reasonOf(cause), { cause: error });
  }
}
