import { TASK_ERROR } from "@subnet-worker/protocol/task-error";
import { md5OfEtag } from "./digest.ts";
import { RetryableError, TerminalError } from "./errors.ts";
import type { Ask, Grant } from "./grant.ts";
import { displayUrl, readExcerpt, retryAfterMs, sendHttp } from "./http-request.ts";
import { createTransferRetry, type RetryDeps, TransientFailure } from "./transfer-retry.ts";
import type { Content } from "./upload-body.ts";

export interface PutDeps extends RetryDeps {
  readonly requestGrant: (ask: Ask) => Promise<Grant>;
}

/** What goes out in one request. */
export interface Payload {
  /** For messages: which upload. */
  readonly label: string;
  /** Asked anew for each attempt: the URL of the last may have expired. */
  readonly ask: Ask;
  readonly sizeBytes: number;
  /** `undefined`: not known. */
  readonly md5: Buffer | undefined;
  readonly open: () => ReturnType<Content["open"]>;
  /** Called before another attempt. @throws when there is no point in it any more */
  readonly beforeRetry: () => Promise<void>;
}

/** Where the bytes are now. */
export interface PutResult {
  readonly objectKey: string;
  /** As the store gave it; empty when it gave none. */
  readonly etag: string;
}

/** Sends a payload, again and again while that may help. */
export async function putPayload(payload: Payload, deps: PutDeps): Promise<PutResult> {
  return await retrying(
    payload.label,
    async (attempt) => {
      if (attempt > 1) await payload.beforeRetry();
      const grant = await deps.requestGrant(payload.ask);
      const etag = await put(payload, grant, deps);
      return { objectKey: grant.objectKey, etag };
    },
    deps,
  );
}

/** Tries until something else than a TransientFailure happens. @throws {RetryableError} after too many */
export async function retrying<T>(
  label: string,
  attempt: (count: number) => Promise<T>,
  deps: RetryDeps,
): Promise<T> {
  const retry = createTransferRetry(deps);
  for (let count = 1; ; count += 1) {
    try {
      return await attempt(count);
    } catch (error) {
      deps.signal.throwIfAborted();
      if (!(error instanceof TransientFailure)) throw error;
      if (await retry.waitBeforeRetry(error)) continue;
      throw new RetryableError(`[NETWORK_ERROR] ${label}: gave up: ${error.message}`, {
        code: TASK_ERROR.NETWORK_ERROR,
        cause: error,
      });
    }
  }
}

/**
 * Worth some more tries, but no patience. An expired, damaged or half-sent request looks like the first four, and the
 * next grant is fresh; the last two are what a store does not know, and what stands before it may.
 */
const REFUSED: ReadonlySet<number> = new Set([400, 401, 403, 409, 501, 505]);

async function put(payload: Payload, grant: Grant, { signal, settings }: PutDeps): Promise<string> {
  const headers: Record<string, string> = { "content-length": String(payload.sizeBytes) };
  for (const [name, value] of Object.entries(grant.headers)) headers[name.toLowerCase()] = value;
  const reply = await sendHttp({
    method: "PUT",
    url: grant.url,
    headers,
    body: payload.open,
    signal,
    idleTimeoutMs: settings.idleTimeoutMs,
  }).catch((error: unknown) => {
    signal.throwIfAborted();
    throw new TransientFailure(`${displayUrl(grant.url)}: ${String(error)}`, { cause: error });
  });
  const status = reply.statusCode ?? 0;
  const excerpt = await readExcerpt(reply);
  const where = `${displayUrl(grant.url)} answered ${status}`;
  if (status >= 200 && status < 300) {
    const stored = md5OfEtag(reply.headers);
    const sent = payload.md5?.toString("hex");
    if (stored === undefined || sent === undefined || stored === sent) return reply.headers.etag ?? "";
    throw new TransientFailure(`${where} and has stored something else: its MD5 is ${stored}, not ${sent}`, {
      isRefusal: true,
    });
  }
  const said = `${where} ${excerpt.slice(0, 300)}`;
  const isRefusal = REFUSED.has(status);
  if (isRefusal || isOutage(status)) {
    throw new TransientFailure(said, { retryAfterMs: retryAfterMs(reply.headers), isRefusal });
  }
  throw new TerminalError(`[HTTP_ERROR] ${payload.label}: ${said}`, { code: TASK_ERROR.HTTP_ERROR });
}

function isOutage(status: number): boolean {
  return status >= 500 || [408, 425, 429].includes(status);
}
