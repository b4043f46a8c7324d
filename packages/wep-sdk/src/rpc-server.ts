import {
  constants,
  createServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo, Server } from "node:net";
import {
  Code,
  ConnectError,
  type ConnectRouter,
  createConnectRouter,
  createContextKey,
  createContextValues,
} from "@connectrpc/connect";
import {
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";
import { type Logger, systemClock } from "@subnet-worker/kit";
import { farewellText, isLoopback, TlsError } from "@subnet-worker/kit/tls";
import { type Envelope, Execution } from "@subnet-worker/protocol";
import { Health, ServerReflection, ServerReflectionAlpha } from "@subnet-worker/protocol/grpc";
import { WepError } from "./errors.ts";
import { createHealth, type HealthDeps } from "./health.ts";
import { keepSessionAlive } from "./http2-keepalive.ts";
import { listenError } from "./listen-error.ts";
import { createReflection, createReflectionAlpha } from "./reflection.ts";
import { type Door, openDoor } from "./rpc-door.ts";
import type { TlsOptions } from "./server-options.ts";
import type { Transport } from "./session.ts";

export interface RpcServerOptions {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** Default: plain text. */
  readonly tls?: TlsOptions;
  /** Plain text on other addresses than loopback. */
  readonly allowPlaintext: boolean;
  /** Largest message that is read. */
  readonly maxMessageBytes: number;
}

export interface RpcServerDeps extends Omit<HealthDeps, "closing"> {
  readonly log: Logger;
  /** Serves one stream. */
  readonly onStream: (requests: AsyncIterable<Envelope>, transport: Transport) => AsyncIterable<Envelope>;
}

export interface RpcServer extends AsyncDisposable {
  readonly address: { readonly host: string; readonly port: number };
  /** When the certificate ends that peers are shown, by Unix time; `undefined` without TLS. */
  readonly certificateExpiresAtMs: number | undefined;
}

const LAST_WORDS_MS = 1_000;

const NO_TRANSPORT: Pick<Transport, "remoteAddress" | "hangUp"> = {
  remoteAddress: "unknown",
  hangUp: () => undefined,
};
const transportKey = createContextKey(NO_TRANSPORT, { description: "the HTTP/2 stream of a call" });

/**
 * Listens for gRPC over HTTP/2: with TLS as {@link TlsOptions} says, in plain text without.
 *
 * @throws {WepError} ADDRESS_IN_USE, ADDRESS_UNUSABLE, or INVALID_OPTION for certificates that cannot be
 *   used and for plain text where other hosts reach it
 */
export async function listenRpc(options: RpcServerOptions, deps: RpcServerDeps): Promise<RpcServer> {
  const { log } = deps;
  guardPlaintext(options, log);
  const closing = new AbortController();
  const http2 = createServer(createRequestHandler(options, { ...deps, closing: closing.signal }));
  const sessions = new Set<ServerHttp2Session>();
  http2.on("session", (session) => {
    sessions.add(session);
    const keepalive = keepSessionAlive(session, systemClock);
    session.on("goaway", (code, _lastStream, debug) => {
      if (code === constants.NGHTTP2_INADEQUATE_SECURITY) tellFarewell(session, debug, log);
    });
    session.on("close", () => {
      sessions.delete(session);
      keepalive[Symbol.dispose]();
    });
  });
  http2.on("sessionError", (error) => log.debug({ err: error }, "connection failed"));
  const door = openDoorOf(options, { log, admit: (socket) => void http2.emit("connection", socket) });
  await listen(door.server, options).catch((error: unknown) => {
    door[Symbol.dispose]();
    throw error;
  });
  const { port } = door.server.address() as AddressInfo;
  return {
    address: { host: options.host, port },
    get certificateExpiresAtMs() {
      return door.certificateExpiresAtMs;
    },
    async [Symbol.asyncDispose]() {
      door[Symbol.dispose]();
      closing.abort();
      const closed = new AbortController();
      const ending = new Promise<void>((resolve) => door.server.close(() => resolve())).then(() =>
        closed.abort(),
      );
      for (const session of sessions) session.close();
      // Both wait, without limit, for open streams and for peers that do not hang up:
      // last words get a moment, then the sockets go.
      // The sleep ends with the server, or it alone would keep a drained process alive.
      await systemClock.sleep(LAST_WORDS_MS, closed.signal);
      for (const socket of door.sockets) socket.destroy();
      await ending;
    },
  };
}

/** Plain text leaves this machine only where somebody said that it may. @throws {WepError} INVALID_OPTION */
function guardPlaintext({ host, tls, allowPlaintext }: RpcServerOptions, log: Logger): void {
  if (tls !== undefined || isLoopback(host)) return;
  if (!allowPlaintext) {
    throw new WepError(
      "INVALID_OPTION",
      `other hosts can reach ${host}, and without TLS any of them can send work here and read it; set tls (server.tls in wep.yaml; wcp tls init makes the files), or listen on 127.0.0.1, or allow it (server.allow_plaintext)`,
    );
  }
  log.warn(
    { host },
    "plain text on an address that other hosts reach: any of them can send work here and read it",
  );
}

/** Certificates that cannot be used are wrong options. */
function openDoorOf({ tls }: RpcServerOptions, deps: Omit<Parameters<typeof openDoor>[1], "clock">): Door {
  try {
    return openDoor({ tls }, { ...deps, clock: systemClock });
  } catch (error) {
    if (!(error instanceof TlsError)) throw error;
    throw new WepError("INVALID_OPTION", `tls: ${error.message}`, { cause: error });
  }
}

/** A worker client that does not accept our certificate says so as it leaves. */
function tellFarewell({ socket }: ServerHttp2Session, debug: Uint8Array | undefined, log: Logger): void {
  const reason = farewellText(debug);
  if (reason === undefined) return;
  log.warn(
    { peer: `${socket?.remoteAddress}:${socket?.remotePort}`, reason },
    "the peer hung up and said why",
  );
}

/** As connect's own adapter, with its failures in the log and the HTTP/2 stream within reach. */
function createRequestHandler(
  { maxMessageBytes }: RpcServerOptions,
  deps: RpcServerDeps & HealthDeps,
): (req: Http2ServerRequest, res: Http2ServerResponse) => void {
  const router = createConnectRouter({
    grpcWeb: false,
    connect: false,
    acceptCompression: [compressionGzip],
    readMaxBytes: maxMessageBytes,
  });
  routeServices(router, deps);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  return (request, response) => {
    const handler = handlers.get(request.url.split("?", 1)[0] ?? "");
    if (handler === undefined) {
      response.writeHead(404, { "content-type": "text/plain" });
      response.end(`only ${[...handlers.keys()].join(", ")} is served here, as gRPC over HTTP/2\n`);
      return;
    }
    closeAfterLastWord(request.stream);
    const values = createContextValues().set(transportKey, transportOf(request));
    handler(universalRequestFromNodeRequest(request, response, undefined, values))
      .then((answer) => universalResponseToNodeResponse(answer, response))
      .catch((error: unknown) =>
        deps.log.debug({ err: ConnectError.from(error, Code.Aborted) }, "stream ended by its peer"),
      );
  };
}

function routeServices(router: ConnectRouter, deps: RpcServerDeps & HealthDeps): void {
  const services = [Execution, Health, ServerReflection, ServerReflectionAlpha];
  router.service(Execution, {
    taskStream: (requests, context) =>
      deps.onStream(requests, { ...context.values.get(transportKey), signal: context.signal }),
  });
  router.service(Health, createHealth(deps));
  router.service(ServerReflection, createReflection(services));
  router.service(ServerReflectionAlpha, createReflectionAlpha(services, ServerReflectionAlpha));
}

/**
 * Tells a peer that keeps its half open after our last word to close it, as every
 * gRPC server does. Not at once: Node sends that before the trailers.
 */
function closeAfterLastWord(stream: ServerHttp2Stream): void {
  stream.once("wantTrailers", () => {
    const timer = systemClock.timer(LAST_WORDS_MS, () => stream.close(constants.NGHTTP2_NO_ERROR));
    stream.once("close", () => timer[Symbol.dispose]());
  });
}

function transportOf(request: Http2ServerRequest): typeof NO_TRANSPORT {
  const { stream } = request;
  const { remoteAddress, remotePort } = request.socket;
  return {
    remoteAddress: `${remoteAddress}:${remotePort}`,
    hangUp: () => {
      if (!stream.destroyed) stream.destroy();
    },
  };
}

function listen(server: Server, { host, port }: RpcServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: unknown) => reject(listenError(error, `${host}:${port}`));
    server.once("error", onError);
    server.listen(port, host, () => {
      server.off("error", onError);
      resolve();
    });
  });
}
