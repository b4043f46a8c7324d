/**
 * How this process reaches WEPs: plain text on loopback, mutual TLS 1.3 elsewhere.
 *
 * Invariants
 *  T1  Nothing of ours is sent before the WEP has shown a certificate for the name that is expected.
 *  T2  New certificates serve new connections; a connection that is there keeps what it was made with.
 *  T3  Why a connection failed is kept in words: ours, the TLS layer's, or what the WEP said as it hung up.
 */
import { type ClientHttp2Session, type ClientHttp2Stream, constants } from "node:http2";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Clock, Logger } from "@subnet-worker/kit";
import {
  explainHandshake,
  farewellText,
  keepTls,
  refusalOf,
  sayFarewell,
  type TlsFiles,
  type TlsKeeper,
} from "@subnet-worker/kit/tls";
import { endpointProblem } from "../../config-wep.ts";
import { type Connect, type ConnectTarget, createWepTransport, ListenedSessions } from "./connection.ts";

export interface TransportOptions {
  /** `undefined`: only http:// endpoints can be reached. */
  readonly tls:
    | {
        readonly files: TlsFiles;
        /** What every WEP's certificate must be for. `undefined`: the host of its URL. */
        readonly serverName: string | undefined;
      }
    | undefined;
  /** Whether http:// may lead to other hosts. */
  readonly allowPlaintext: boolean;
}

export interface TransportDeps {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Ways to WEPs. Disposing it stops the watching of certificates; connections stay. */
export interface WepTransport extends Disposable {
  readonly connect: Connect;
  /** When the certificate ends that new connections show, by Unix time; `undefined` where none is configured. */
  readonly certificateExpiresAtMs: number | undefined;
}

/**
 * Reads the certificates and keeps them up to date.
 *
 * @throws {TlsError} for files that cannot be used
 */
export function openTransport({ tls, allowPlaintext }: TransportOptions, deps: TransportDeps): WepTransport {
  const keeper = tls === undefined ? undefined : keepTls(tls.files, { clock: deps.clock, log: deps.logger });
  const dial = (target: ConnectTarget): Dial => {
    const problem = endpointProblem(target.url, { hasTls: keeper !== undefined, allowPlaintext });
    if (problem !== undefined) return () => Promise.reject(new DialError(problem));
    if (new URL(target.url).protocol === "http:") return () => Promise.resolve(dialPlain(target));
    if (tls === undefined || keeper === undefined) throw new Error("unreachable: the endpoint has no TLS");
    const { files, serverName } = tls;
    return (signal) => dialTls(target, { keeper, files, serverName, clock: deps.clock, signal });
  };
  return {
    connect(target) {
      const sessions = new DialledSessions(target.url, dial(target));
      return {
        sessions,
        transport: createWepTransport(target.url, sessions),
        reason: () => sessions.reasonWith(keeper?.current.identity !== undefined),
      };
    },
    get certificateExpiresAtMs() {
      return keeper?.current.identity?.expiresAtMs;
    },
    [Symbol.dispose]: () => keeper?.[Symbol.dispose](),
  };
}

/** A connection that was not made, in words for the operator. */
class DialError extends Error {
  override readonly name = "DialError";
}

type Dial = (signal: AbortSignal) => Promise<Socket>;

/** The HTTP/2 session of one connection, which is dialled at the first request. */
class DialledSessions extends ListenedSessions {
  readonly #dial: Dial;
  readonly #abort = new AbortController();
  #socket: Socket | undefined;
  #reason: string | undefined;

  constructor(url: string, dial: Dial) {
    super(url, { createConnection: () => this.#takeSocket() });
    this.#dial = dial;
  }

  override async request(...args: Parameters<ListenedSessions["request"]>): Promise<ClientHttp2Stream> {
    try {
      const socket = await this.#dial(this.#abort.signal);
      // What a WEP says of our certificate comes after the handshake: TLS 1.3 lets the client finish first.
      socket.on("error", (error) => (this.#reason ??= explainAlert(error)));
      if (this.#abort.signal.aborted) socket.destroy(); // while it was dialled
      this.#socket = socket;
    } catch (error) {
      if (!(error instanceof DialError)) throw error;
      this.#reason ??= error.message;
      throw new ConnectError(error.message, Code.Unavailable, undefined, undefined, error);
    }
    const stream = await super.request(...args);
    const session = stream.session as ClientHttp2Session | undefined;
    session?.on("goaway", (code, _lastStream, debug) => {
      // Other codes are the end of a connection that was good.
      if (code === constants.NGHTTP2_INADEQUATE_SECURITY) this.#reason ??= farewellText(debug);
    });
    return stream;
  }

  override abort(reason?: Error): void {
    this.#abort.abort();
    super.abort(reason);
    this.#socket?.destroy();
  }

  /** Why the connection failed, where that is known; with advice when we had no certificate to show. */
  reasonWith(hasIdentity: boolean): string | undefined {
    const isAboutOurs = /client certificate/.test(this.#reason ?? "");
    return isAboutOurs && !hasIdentity
      ? `${this.#reason}; set wep_tls.cert_file and wep_tls.key_file`
      : this.#reason;
  }

  #takeSocket(): Socket {
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket === undefined) throw new ConnectError("the connection is gone", Code.Unavailable);
    return socket;
  }
}

function explainAlert(error: Error): string | undefined {
  // A ConnectError, with which the session above destroys the socket, has a number.
  const { code } = error as { readonly code?: unknown };
  return typeof code === "string" && code.startsWith("ERR_SSL_") ? explainHandshake(error) : undefined;
}

function dialPlain(target: ConnectTarget): Socket {
  return connectTcp(placeOf(target));
}

interface TlsDial {
  readonly keeper: TlsKeeper;
  readonly files: TlsFiles;
  readonly serverName: string | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** @throws {DialError} for what an operator can mend; other errors are the network's */
async function dialTls(target: ConnectTarget, dial: TlsDial): Promise<TLSSocket> {
  const { keeper, files, clock } = dial;
  const name = dial.serverName ?? bareHost(target.url);
  const { ca, identity } = keeper.current; // T2
  const socket = connectTls({
    ...placeOf(target),
    ca,
    ...(identity === undefined ? {} : { cert: identity.cert, key: identity.key }),
    // RFC 6066 allows no addresses there; an empty name keeps Node from sending the one it dials.
    servername: isIP(name) === 0 ? name : "",
    minVersion: "TLSv1.3",
    ALPNProtocols: ["h2"],
    // T1 is kept below: Node would hang up without a word to the WEP, whose log then says nothing.
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  });
  await handshake(socket, dial.signal);
  const refusal = refusalOf(socket, { names: [name], caFile: files.caFile, nowMs: clock.nowMs() });
  if (refusal !== undefined) {
    sayFarewell(socket, `the worker client refuses this WEP: ${refusal}`, { clock, side: "client" });
    throw new DialError(`the WEP is refused: ${refusal}`);
  }
  if (socket.alpnProtocol !== "h2") {
    socket.destroy();
    throw new DialError("the peer speaks TLS, but no HTTP/2: it is no WEP; check the port");
  }
  return socket;
}

function handshake(socket: TLSSocket, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onAbort = () => socket.destroy(new ConnectError("connection aborted", Code.Canceled));
  socket.once("secureConnect", resolve);
  // Stays: an error that nobody hears would end the process.
  socket.on("error", (error) => {
    const reason = isOfTls(error) ? explainHandshake(error) : undefined;
    reject(reason === undefined ? error : new DialError(reason, { cause: error }));
  });
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  return promise.finally(() => signal.removeEventListener("abort", onAbort));
}

/** A connection that was never there failed below TLS. */
function isOfTls(error: Error): boolean {
  const { syscall } = error as NodeJS.ErrnoException;
  return syscall !== "connect" && syscall !== "getaddrinfo";
}

function placeOf({ url, address }: ConnectTarget): { readonly host: string; readonly port: number } {
  const { port, protocol } = new URL(url);
  return { host: address ?? bareHost(url), port: Number(port) || (protocol === "https:" ? 443 : 80) };
}

function bareHost(url: string): string {
  return new URL(url).hostname.replace(/^\[(.*)\]$/, "$1");
}
