import {
  type ClientRequest,
  type IncomingMessage,
  request as requestHttp,
  type RequestOptions,
} from "node:http";
import { request as requestHttps } from "node:https";
import type { LookupFunction } from "node:net";
import type { EgressRequest, EgressResponse, ResolvedAddress } from "./egress.ts";
import { EgressError, type EgressErrorCode } from "./egress-error.ts";
import { type EgressRules, hostOf, portOf, shownUrl } from "./policy.ts";
import { readBody } from "./read-body.ts";

export interface ExchangeOptions {
  readonly url: URL;
  /** Where the connection goes, and nowhere else: checked. */
  readonly addresses: readonly ResolvedAddress[];
  readonly rules: EgressRules;
  readonly signal: AbortSignal;
  readonly ca: readonly string[] | undefined;
}

/** Headers of the connection and of its framing, which are made here. */
const OWN_HEADERS: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "expect",
  "host",
  "http2-settings",
  "keep-alive",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** What the socket takes in of a response that is paused. In one that comes byte by byte, each byte is an object. */
const READ_AHEAD_BYTES = 4_096;

/** Sends a request over a connection of its own, to one of the addresses, and reads the response. */
export async function exchange(request: EgressRequest, options: ExchangeOptions): Promise<EgressResponse> {
  const { url, rules } = options;
  const sent = open(request, options);
  const received = Promise.withResolvers<IncomingMessage>();
  sent.once("response", received.resolve);
  // On and not once: an error that nobody listens to would end the process.
  sent.on("error", received.reject);
  // Asked for nothing else, so what speaks another protocol from here on is no response.
  sent.once("upgrade", () => sent.destroy(new Error("the server changes to another protocol")));
  try {
    sent.end(request.body);
    const message = await received.promise;
    const body = await readBody(message, {
      mostBytes: rules.responseBytes,
      tooLarge: () => tooLarge(url, rules.responseBytes),
    });
    return { status: message.statusCode ?? 0, headers: pairs(message.rawHeaders), body };
  } catch (error) {
    throw error instanceof EgressError ? error : failed(error, url);
  } finally {
    sent.destroy();
  }
}

function open(request: EgressRequest, { url, addresses, rules, signal, ca }: ExchangeOptions): ClientRequest {
  const options: RequestOptions & { readonly ca?: string[]; readonly highWaterMark: number } = {
    method: request.method,
    host: hostOf(url),
    port: portOf(url),
    path: `${url.pathname}${url.search}`,
    lookup: pinned(addresses),
    // No pool: a connection that is kept was checked for another request. And no proxy of the environment.
    agent: false,
    maxHeaderSize: rules.headerBytes,
    highWaterMark: READ_AHEAD_BYTES,
    signal,
    ...(ca === undefined ? {} : { ca: [...ca] }),
  };
  let sent: ClientRequest | undefined;
  try {
    sent = url.protocol === "https:" ? requestHttps(options) : requestHttp(options);
    for (const [name, value] of request.headers) {
      if (!OWN_HEADERS.has(name.toLowerCase())) sent.appendHeader(name, value);
    }
    if (request.body.length > 0) sent.setHeader("content-length", request.body.length);
    return sent;
  } catch (error) {
    // It fails again when it is destroyed, which is not news.
    sent?.once("error", () => undefined).destroy();
    throw new EgressError("BAD_REQUEST", {
      url: shownUrl(url),
      message: `A header or the method is not valid: ${(error as Error).message}; look at them`,
      cause: error,
    });
  }
}

/** Answers with the addresses that were checked, whatever the name leads to by now. */
function pinned(addresses: readonly ResolvedAddress[]): LookupFunction {
  return (_hostname, options, answer) => {
    const [first] = addresses;
    if (options.all === true) answer(null, [...addresses]);
    else answer(null, first?.address ?? "", first?.family ?? 4);
  };
}

function tooLarge(url: URL, mostBytes: number): EgressError {
  return new EgressError("RESPONSE_TOO_LARGE", {
    url: shownUrl(url),
    message: `The response of ${shownUrl(url)} has more than ${mostBytes} bytes; ask for less, or allow more`,
  });
}

function pairs(raw: readonly string[]): readonly (readonly [name: string, value: string])[] {
  return raw.flatMap((name, index) => (index % 2 === 0 ? [[name, raw[index + 1] ?? ""] as const] : []));
}

/** Errors of Node's client, by what they mean. */
const CODES: ReadonlyMap<string, EgressErrorCode> = new Map([
  ["HPE_HEADER_OVERFLOW", "RESPONSE_TOO_LARGE"],
  ["ECONNRESET", "BAD_RESPONSE"],
  ["EPIPE", "BAD_RESPONSE"],
]);

function failed(error: unknown, url: URL): EgressError {
  const { code = "", message } = error as NodeJS.ErrnoException;
  const kind =
    CODES.get(code) ?? (code.startsWith("HPE_") || code === "" ? "BAD_RESPONSE" : "CONNECT_FAILED");
  const what = kind === "CONNECT_FAILED" ? "cannot be reached" : "gave no response that can be read";
  return new EgressError(kind, {
    url: shownUrl(url),
    message: `${shownUrl(url)} ${what}: ${message}; try again, or look at the server`,
    cause: error,
  });
}
