import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from "node:http";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";

// node:http and not fetch: an upload must carry exactly the signed headers and a
// Content-Length, and a download must be resumable, so its bytes may not be
// decompressed on the way.

export interface HttpRequest {
  readonly method: "GET" | "PUT";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /**
   * Its chunks are sent one after the other, and each may be overwritten when the next is
   * asked for. `undefined`: no body.
   */
  readonly body?: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
  readonly signal: AbortSignal;
  /** No byte either way for this long ends the request. */
  readonly idleTimeoutMs: number;
}

const MAX_REDIRECTS = 5;

/**
 * Sends one request and resolves with the reply's head; its body is still to be
 * read or destroyed. A GET follows redirects.
 *
 * @throws the signal's reason once it has aborted, else what the network said
 */
export async function sendHttp(request: HttpRequest): Promise<IncomingMessage> {
  let url = request.url;
  for (let redirects = 0; ; redirects += 1) {
    const reply = await sendOnce({ ...request, url });
    const location = request.method === "GET" ? redirectOf(reply) : undefined;
    if (location === undefined || redirects === MAX_REDIRECTS) return reply;
    reply.destroy();
    url = new URL(location, url).href;
  }
}

/** A URL as it may be shown: without the query, which holds the signature. */
export function displayUrl(url: string): string {
  if (!URL.canParse(url)) return url;
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}

/** Whether the text is something {@link sendHttp} can fetch. */
export function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && ["http:", "https:"].includes(new URL(text).protocol);
}

/** Seconds form of `Retry-After` in milliseconds; 0 when there is none. */
export function retryAfterMs(headers: IncomingHttpHeaders): number {
  const seconds = Number(headers["retry-after"]);
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1_000 : 0;
}

/** The first bytes of a reply's body as text, for messages; then the rest is dropped. */
export async function readExcerpt(reply: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of reply as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      sizeBytes += chunk.byteLength;
      if (sizeBytes >= 4_096) break;
    }
  } catch {
    // The status already says what is wrong; a body that breaks off adds nothing.
  }
  return Buffer.concat(chunks).subarray(0, 4_096).toString("utf8");
}

function redirectOf(reply: IncomingMessage): string | undefined {
  return [301, 302, 303, 307, 308].includes(reply.statusCode ?? 0) ? reply.headers.location : undefined;
}

function sendOnce(request: HttpRequest): Promise<IncomingMessage> {
  const { method, url, headers, signal, idleTimeoutMs } = request;
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const send = url.startsWith("https:") ? requestHttps : requestHttp;
    const outgoing = send(url, { method, headers, signal, timeout: idleTimeoutMs });
    let reply: IncomingMessage | undefined;
    outgoing.on("timeout", () => {
      const error = new Error(`no byte from ${new URL(url).host} for ${idleTimeoutMs} ms`);
      (reply ?? outgoing).destroy(error);
    });
    outgoing.on("error", (error) => reject(signal.aborted ? (signal.reason as Error) : error));
    outgoing.on("response", (incoming) => {
      reply = incoming;
      // A consumer that stopped listening must not turn a late reset into a crash.
      incoming.on("error", () => undefined);
      // Refused before it was all sent: the rest of the body would be for nothing.
      incoming.on("close", () => {
        if (!outgoing.writableFinished) outgoing.destroy();
      });
      resolve(incoming);
    });
    const body = request.body?.();
    if (body === undefined) {
      outgoing.end();
      return;
    }
    sendBody(outgoing, body).catch((error: Error) => outgoing.destroy(error));
  });
}

/** Each chunk is with the system before the next is asked for, so that one buffer does for all of them. */
async function sendBody(
  outgoing: ClientRequest,
  body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<void> {
  for await (const chunk of body) {
    const isGone = await new Promise<boolean>((resolve) => {
      const onClose = () => resolve(true);
      outgoing.once("close", onClose);
      outgoing.write(chunk, () => {
        outgoing.off("close", onClose);
        resolve(outgoing.destroyed);
      });
    });
    // Why it is gone is told elsewhere.
    if (isGone) return;
  }
  outgoing.end();
}
