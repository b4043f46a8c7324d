import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { ConnectError } from "@connectrpc/connect";
import { EXIT, StartupError } from "@subnet-worker/kit";
import { explainCertificate, explainHandshake } from "@subnet-worker/kit/tls";
import { type Invocation, misuse, textOption } from "./command.ts";

/** Where a WEP is, and how to speak with it. */
export interface WepTarget {
  /** Scheme, host and port. */
  readonly url: string;
  readonly tls: TlsOptions;
}

/** As `node:tls` has them. */
export interface TlsOptions {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
}

const FILES = { ca: "--ca", cert: "--cert", key: "--key" } as const;

/**
 * Reads `--url`, `--ca`, `--cert`, `--key` and `--server-name`.
 *
 * @throws {StartupError} 78 for a URL that is none and for files that cannot be read
 */
export function targetOf(invocation: Pick<Invocation, "options" | "io">): WepTarget {
  const url = originOf(textOption(invocation, "url") ?? "http://127.0.0.1:7070");
  const files = Object.keys(FILES).flatMap((name) => {
    const path = textOption(invocation, name);
    return path === undefined
      ? []
      : [[name, readPem(`--${name}`, resolve(invocation.io.cwd, path))] as const];
  });
  const servername = textOption(invocation, "server-name");
  const tls: TlsOptions = {
    ...Object.fromEntries(files),
    ...(servername === undefined ? {} : { servername }),
  };
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw misuse("--cert and --key belong together: give both or neither");
  }
  if (Object.keys(tls).length > 0 && url.startsWith("http:")) {
    throw misuse(
      `--ca, --cert, --key and --server-name are for TLS: write --url ${url.replace("http:", "https:")}`,
    );
  }
  return { url, tls };
}

function originOf(text: string): string {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw misuse(`--url: "${text}" is not a URL; write it like http://127.0.0.1:7070`);
  }
  return url.origin;
}

function readPem(option: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw misuse(
      `${option}: ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/**
 * What a stream that failed means, in words for people.
 *
 * @param farewell what the WEP said as it hung up, where it did
 */
export function explainStream(error: unknown, { url, tls }: WepTarget, farewell?: string): StartupError {
  if (farewell !== undefined) {
    const isPlain = url.startsWith("http:");
    const advice = isPlain
      ? "; here: --url https://..., with --ca, --cert and --key"
      : tls.cert === undefined
        ? "; give a certificate with --cert and --key"
        : "";
    return new StartupError(EXIT.fault, `[TLS] ${url}: ${farewell}${advice}`, { cause: error });
  }
  const cause = deepest(error);
  const code = codeOf(cause);
  const message = reasonOf(error, { url, tls, code });
  const isAbsent = code === "ECONNREFUSED" || code === "ENOTFOUND" || code === "EHOSTUNREACH";
  return new StartupError(isAbsent ? EXIT.tryLater : EXIT.fault, message, { cause: error });
}

function reasonOf(error: unknown, { url, tls, code }: WepTarget & { readonly code: string }): string {
  if (code === "ECONNREFUSED") {
    return `[NO_WEP] no WEP answers at ${url}; start one with wep dev or wep run, or give its address with --url`;
  }
  if (code === "ENOTFOUND" || code === "EHOSTUNREACH") {
    return `[NO_WEP] the host of ${url} is not to be found (${code}); correct --url`;
  }
  if (url.startsWith("https:")) {
    const why = tlsReason(code, deepest(error), tls);
    if (why !== undefined) return `[TLS] ${url}: ${why}`;
  }
  // A gRPC server that has no such method, and one of HTTP/1.1, say so in their own ways.
  if (
    /unimplemented|HTTP\/2 frame|protocol error|ERR_HTTP2|HTTP 40[45]|HPE_/i.test(`${String(error)} ${code}`)
  ) {
    return `[NOT_A_WEP] something answers at ${url}, but it is no WEP's gRPC server (port 7070 unless set; 7071 is for health): ${textOf(error)}`;
  }
  const hint = url.startsWith("http:") ? "; if it speaks TLS, use https:// with --ca, --cert and --key" : "";
  return `[STREAM_ENDED] the stream to ${url} broke off: ${textOf(error)}; the WEP was stopped or restarted, or refused: its log says more${hint}`;
}

function tlsReason(code: string, cause: unknown, tls: TlsOptions): string | undefined {
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return `its certificate is for another name: ${textOf(cause)}; give the name it is for with --server-name`;
  }
  const handshake = explainHandshake(cause);
  if (handshake !== undefined) {
    const advice = tls.cert === undefined ? "; give yours with --cert and --key" : "";
    return /client certificate|hung up/.test(handshake) ? `${handshake}${advice}` : handshake;
  }
  if (!/CERT|SIGNATURE|ISSUER|SELF_SIGNED/.test(code)) return undefined;
  const where = tls.ca === undefined ? "this system (give its authority with --ca)" : "--ca";
  return explainCertificate(code, where);
}

function deepest(error: unknown): unknown {
  let at = error;
  while (at instanceof Error && at.cause instanceof Error) at = at.cause;
  return at;
}

function codeOf(error: unknown): string {
  const { code } = (error ?? {}) as { readonly code?: unknown };
  return typeof code === "string" ? code : "";
}

function textOf(error: unknown): string {
  if (error instanceof ConnectError) return error.rawMessage;
  return error instanceof Error ? error.message : String(error);
}
