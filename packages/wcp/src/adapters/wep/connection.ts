import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import type { ClientSessionOptions, SecureClientSessionOptions } from "node:http2";
import { connect as connectTcp } from "node:net";
import type { Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";

/** Where a WEP is. */
export interface ConnectTarget {
  /** As configured; its host is what a certificate has to name. */
  readonly url: string;
  /** The address to dial, where the host is a name that was resolved. Default: the connection resolves it. */
  readonly address?: string | undefined;
}

/** A way to one WEP. Nothing is dialled before the first call. */
export interface Connection {
  readonly transport: Transport;
  readonly sessions: ListenedSessions;
  /** Why the connection failed, where that is known better than the stream's error tells it. */
  readonly reason?: () => string | undefined;
}

export type Connect = (target: ConnectTarget) => Connection;

/** Most bytes of one message either way; WEPs have the same limit. */
export const MAX_MESSAGE_BYTES: number = 16 * 1024 * 1024;

/** A message of the peer's may be this much larger than it should: it is better read than argued about. */
const READ_MARGIN = 4;

// A connection is there for one stream. The manager's idle timer would be set when that stream closes, also
// after the connection has, and keep all that was of it for 15 minutes. More than a timer can count: none.
const NEVER_MS = 2 ** 31;

// HTTP/2's 64 KiB would stop a peer that sends many completions at once until each window's worth is read.
const WINDOW_BYTES = 4 * 1024 * 1024;

/**
 * Hears every HTTP/2 session's error. The manager stops listening when it is aborted, and a session that has
 * just broken, because its peer speaks something else, reports its error only after that; an error that
 * nobody hears ends the process. What went wrong has reached us through the stream by then.
 */
export class ListenedSessions extends Http2SessionManager {
  /** Told of every chunk that is read: a large message on a slow line is a sign of life long before it is there. */
  onBytes: () => void = () => undefined;
  #session: ClientHttp2Session | undefined;
  #isProbing = false;

  constructor(url: string, options: ClientSessionOptions | SecureClientSessionOptions = {}) {
    super(
      url,
      { idleConnectionTimeoutMs: NEVER_MS },
      {
        ...options,
        settings: { initialWindowSize: WINDOW_BYTES, enablePush: false, ...options.settings },
      },
    );
  }

  override async request(...args: Parameters<Http2SessionManager["request"]>): Promise<ClientHttp2Stream> {
    const stream = await super.request(...args);
    const { session } = stream as ClientHttp2Stream & { readonly session: ClientHttp2Session | undefined };
    if (session !== undefined && session !== this.#session) {
      session.on("error", () => {});
      session.setLocalWindowSize(WINDOW_BYTES);
      this.#session = session;
      this.#isProbing = false;
    }
    return stream;
  }

  override notifyResponseByteRead(stream: ClientHttp2Stream): void {
    super.notifyResponseByteRead(stream);
    this.onBytes();
  }

  /**
   * Asks the peer's HTTP/2 layer for a sign of life. With SETTINGS, which must be acknowledged at once
   * (RFC 9113, 6.5.3): gRPC servers hang up on a client that sends PING more than once in 5 minutes.
   */
  probe(onAnswer: () => void): void {
    const session = this.#session;
    // Node ends a session with more than ten unanswered.
    if (session === undefined || session.destroyed || session.closed || this.#isProbing) return;
    this.#isProbing = true;
    session.settings({}, (error) => {
      this.#isProbing = false;
      if (error === null) onAnswer();
    });
  }
}

/** Plain text. */
export const connectPlain: Connect = ({ url, address }) => {
  const { port } = new URL(url);
  const sessions = new ListenedSessions(
    url,
    address === undefined
      ? {}
      : { createConnection: () => connectTcp({ host: address, port: Number(port) || 80 }) },
  );
  return { sessions, transport: createWepTransport(url, sessions) };
};

/** gRPC over the sessions given, with the limits of this stream. */
export function createWepTransport(url: string, sessions: ListenedSessions): Transport {
  return createGrpcTransport({
    baseUrl: url,
    sessionManager: sessions,
    readMaxBytes: READ_MARGIN * MAX_MESSAGE_BYTES,
    acceptCompression: [],
  });
}
