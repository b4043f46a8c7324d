import type { IncomingMessage } from "node:http";
import { TASK_ERROR } from "@subnet-worker/protocol/task-error";
import { RetryableError, TerminalError } from "./errors.ts";
import { displayUrl, retryAfterMs } from "./http-request.ts";
import { isTransientStatus, TransientFailure } from "./transfer-retry.ts";

/** What the first reply said about the object; later ones must agree. */
export interface Identity {
  readonly etag: string | undefined;
  readonly totalBytes: number | undefined;
}

/** A store does not take the URL; another one may help. */
export class UrlRefused extends Error {
  override readonly name = "UrlRefused";
  readonly isExpired: boolean;
  /** What the handler is told when there is no other one. */
  readonly verdict: TerminalError | RetryableError;

  constructor(verdict: TerminalError | RetryableError, isExpired: boolean) {
    super(verdict.message);
    this.verdict = verdict;
    this.isExpired = isExpired;
  }
}

/** Why a reply is not the object. */
export function refusalOf(
  { label, url }: { readonly label: string; readonly url: string },
  reply: IncomingMessage,
  body: string,
): Error {
  const status = reply.statusCode ?? 0;
  const where = `${displayUrl(url)} answered ${status}${reasonIn(body)}`;
  if (isTransientStatus(status))
    return new TransientFailure(where, { retryAfterMs: retryAfterMs(reply.headers) });
  if (status === 404 || status === 410) {
    return new TerminalError(`[INVALID_INPUT] ${label}: no such object; ${where}`, {
      code: TASK_ERROR.INVALID_INPUT,
    });
  }
  if (status === 416) {
    // Only what is behind bytes that were read is asked for.
    return new RetryableError(
      `[RESOURCE_UNAVAILABLE] ${label}: the object was replaced by a shorter one while it was read; ${where}`,
      { code: TASK_ERROR.RESOURCE_UNAVAILABLE },
    );
  }
  const code = TASK_ERROR.PERMISSION_DENIED;
  // 400 too: so S3 answers when the session behind a signature is over.
  if (/expired/i.test(body)) {
    const text = `[PERMISSION_DENIED] ${label}: its presigned URL has expired before it was read; ${where}`;
    // A new assignment carries a new URL.
    return new UrlRefused(new RetryableError(text, { code }), true);
  }
  if (status === 401 || status === 403) {
    const text = `[PERMISSION_DENIED] ${label}: access refused, or no such object where storage hides that; ${where}`;
    return new UrlRefused(new TerminalError(text, { code }), false);
  }
  return new TerminalError(`[HTTP_ERROR] ${label}: ${where}`, { code: TASK_ERROR.HTTP_ERROR });
}

/** What a reply to a request for the bytes from `fromBytes` on says of the object. */
export function identityOf(reply: IncomingMessage, fromBytes: number): Identity {
  const { etag } = reply.headers;
  if (reply.statusCode === 206) {
    const match = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(reply.headers["content-range"] ?? "");
    if (Number(match?.[1]) !== fromBytes) {
      throw new TransientFailure(
        `asked for bytes from ${fromBytes}, was given "${reply.headers["content-range"]}"`,
        { isRefusal: true },
      );
    }
    return { etag, totalBytes: match?.[2] === "*" ? undefined : Number(match?.[2]) };
  }
  const length = reply.headers["content-length"];
  return { etag, totalBytes: length === undefined ? undefined : Number(length) };
}

/** The identity to go on with. @throws {RetryableError} when it is not that of `before` */
export function sameIdentity(label: string, before: Identity | undefined, now: Identity): Identity {
  if (before === undefined) return now;
  if (before.etag === now.etag && before.totalBytes === now.totalBytes) return before;
  throw new RetryableError(`[RESOURCE_UNAVAILABLE] ${label}: the object was replaced while it was read`, {
    code: TASK_ERROR.RESOURCE_UNAVAILABLE,
  });
}

/** The code an S3 error document gives, in brackets; empty when there is none. */
function reasonIn(body: string): string {
  const code = /<Code>([^<]{1,80})<\/Code>/.exec(body)?.[1];
  return code === undefined ? "" : ` (${code})`;
}
