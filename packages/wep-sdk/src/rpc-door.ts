// Where connections come in, before HTTP/2 sees them.
//
// 1. Nothing that a refused peer sends reaches HTTP/2.
// 2. Each refusal is told to the log with its reason and the peer's address, and to
//    the peer in words of the protocol that it speaks.
import { createServer, type Server, type Socket } from "node:net";
import {
  createServer as createTlsServer,
  type SecureContextOptions,
  type Server as TlsServer,
} from "node:tls";
import type { Clock, Logger } from "@subnet-worker/kit";
import {
  explainHandshake,
  hangUpAfter,
  keepTls,
  namesOf,
  refusalOf,
  sayFarewell,
  type TlsKeeper,
  type TlsMaterial,
} from "@subnet-worker/kit/tls";
import { RefusalLog } from "./refusal-log.ts";
import type { TlsOptions } from "./server-options.ts";

export interface DoorOptions {
  /** `undefined`: plain text. */
  readonly tls: TlsOptions | undefined;
}

export interface DoorDeps {
  readonly clock: Clock;
  readonly log: Logger;
  /** Takes a connection that may speak HTTP/2 with us. */
  readonly admit: (socket: Socket) => void;
}

/** A TCP server that admits whom it should. Disposing it stops the watching of certificates, not the server. */
export interface Door extends Disposable {
  readonly server: Server;
  /** Open connections, admitted or not. */
  readonly sockets: ReadonlySet<Socket>;
  /** When the certificate ends that peers are shown, by Unix time; `undefined` without TLS. */
  readonly certificateExpiresAtMs: number | undefined;
}

/** Long enough for any network, short enough that idle connections do not pile up. */
const FIRST_BYTE_MS = 10_000;
const HANDSHAKE_MS = 10_000;
const TLS_HANDSHAKE_RECORD = 0x16;
const HTTP2_PREFACE = "PRI * HTTP/2.0";

/**
 * Makes the door; it does not listen yet.
 *
 * @throws {TlsError} for certificates that cannot be used
 */
export function openDoor({ tls }: DoorOptions, deps: DoorDeps): Door {
  const { clock, log } = deps;
  const stack = new DisposableStack();
  const refusals = new RefusalLog({ clock, log });
  const keeper = tls === undefined ? undefined : stack.use(keepTls(tls, { clock, log }));
  const secure =
    tls === undefined || keeper === undefined
      ? undefined
      : openTls(tls, { ...deps, refusals, stack, keeper });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    // A reset before anybody else listens would otherwise end the process.
    socket.on("error", (error) => log.debug({ err: error, peer: addressOf(socket) }, "connection failed"));
    const silence = clock.timer(FIRST_BYTE_MS, () => socket.destroy());
    socket.on("close", () => silence[Symbol.dispose]());
    socket.once("data", (first) => {
      silence[Symbol.dispose]();
      socket.pause();
      socket.unshift(first);
      const isTls = first[0] === TLS_HANDSHAKE_RECORD;
      if (secure === undefined && !isTls) deps.admit(socket);
      else if (secure !== undefined && isTls) secure.emit("connection", socket);
      else refuse(socket, { isTls, first, clock, refusals });
    });
  });
  return {
    server,
    sockets,
    get certificateExpiresAtMs() {
      return keeper?.current.identity?.expiresAtMs;
    },
    [Symbol.dispose]: () => stack.dispose(),
  };
}

interface Mismatch {
  readonly isTls: boolean;
  readonly first: Buffer | string;
  readonly clock: Clock;
  readonly refusals: RefusalLog;
}

/** Says why, in what the peer speaks. */
function refuse(socket: Socket, { isTls, first, clock, refusals }: Mismatch): void {
  const peer = addressOf(socket);
  if (isTls) {
    const reason =
      "the peer speaks TLS, and this port plain text: set server.tls here, or write http:// there";
    refusals.tell(peer, reason);
    // No TLS record: every TLS library says "wrong version number" to this, which our own client explains.
    hangUpAfter(socket, "this port speaks plain text\n", clock);
    return;
  }
  const reason = "plain text on a TLS port: write https:// for this WEP, and set wep_tls";
  refusals.tell(peer, reason);
  if (first.toString("latin1").startsWith(HTTP2_PREFACE))
    sayFarewell(socket, reason, { clock, side: "server" });
  else hangUpAfter(socket, httpRefusal(reason), clock);
}

function httpRefusal(reason: string): string {
  return `HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n${reason}\n`;
}

interface TlsDeps extends DoorDeps {
  readonly refusals: RefusalLog;
  readonly stack: DisposableStack;
  readonly keeper: TlsKeeper;
}

function openTls(options: TlsOptions, { clock, log, refusals, stack, keeper, admit }: TlsDeps): TlsServer {
  const { caFile, clientNames } = options;
  const server = createTlsServer({
    ...contextOf(keeper.current),
    ALPNProtocols: ["h2"],
    requestCert: true,
    // Looked at below: Node would hang up without a word to anybody.
    rejectUnauthorized: false,
    handshakeTimeout: HANDSHAKE_MS,
  });
  stack.use(renewContext(server, keeper));
  server.on("tlsClientError", (error, socket) => {
    const { code } = error as NodeJS.ErrnoException;
    const reason = explainHandshake(error) ?? error.message;
    // Peers that hang up are nothing to refuse: health checks of load balancers do so all day.
    if (code === "ECONNRESET") log.debug({ peer: addressOf(socket), reason }, "connection failed");
    else refusals.tell(addressOf(socket), reason);
  });
  server.on("secureConnection", (socket) => {
    const refusal = refusalOf(socket, { names: clientNames, caFile, nowMs: clock.nowMs() });
    const reason =
      socket.alpnProtocol === "h2" ? refusal : (refusal ?? "no HTTP/2: the peer did not ask for ALPN h2");
    if (reason === undefined) {
      const certificate = socket.getPeerX509Certificate();
      log.info(
        {
          peer: addressOf(socket),
          names: certificate === undefined ? [] : namesOf(certificate),
          fingerprint: certificate?.fingerprint256,
        },
        "worker client's certificate accepted",
      );
      admit(socket);
      return;
    }
    refusals.tell(addressOf(socket), reason);
    sayFarewell(socket, `the WEP refuses this worker client: ${reason}`, { clock, side: "server" });
  });
  return server;
}

/** Connections that are there keep what they were made with. */
function renewContext(server: TlsServer, keeper: TlsKeeper): Disposable {
  return keeper.onChange((material) => server.setSecureContext(contextOf(material)));
}

function contextOf({ ca, identity }: TlsMaterial): SecureContextOptions {
  const { cert, key } = identity ?? {};
  return {
    ca,
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    minVersion: "TLSv1.3",
  };
}

function addressOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress ?? "unknown"}:${remotePort ?? 0}`;
}
