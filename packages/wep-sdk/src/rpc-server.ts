import {
  constants,
  createServer,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import {
  Code,
  ConnectError,
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
import { type Envelope, Execution } from "@subnet-worker/protocol";
import { listenError } from "./listen-error.ts";
import { keepSessionAlive } from "./http2-keepalive.ts";
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

export interface RpcServerDeps {
  readonly log: Logger;
  /** Serves one stream. */
  readonly onStream: (requests: AsyncIterable<Envelope>, transport: Transport) => AsyncIterable<Envelope>;
}

export interface RpcServer extends AsyncDisposable {
  readonly address: { readonly host: string; readonly port: number };
}

const LAST_WORDS_MS = 1_000;

const NO_TRANSPORT: Pick<Transport, "remoteAddress" | "hangUp"> = {
  remoteAddress: "unknown",
  hangUp: () => undefined,
};
const transportKey = createContextKey(NO_TRANSPORT, { description: "the HTTP/2 stream of a call" });

/**
 * Listens for gRPC over cleartext HTTP/2.
 *
 * @throws {WepError} ADDRESS_IN_USE or ADDRESS_UNUSABLE
 */
export async function listenRpc(options: RpcServerOptions, deps: RpcServerDeps): Promise<RpcServer> {
  const handle = createRequestHandler(options, deps);
  const server = createServer(handle);
  const sessions = new Set<ServerHttp2Session>();
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  server.on("session", (session) => {
    sessions.add(session);
    const keepalive = keepSessionAlive(session, systemClock);
    session.on("close", () => {
      sessions.delete(session);
      keepalive[Symbol.dispose]();
    });
  });
  server.on("sessionError", (error) => deps.log.debug({ err: error }, "connection failed"));
  await listen(server, options);
  const { port } = server.address() as AddressInfo;
  return {
    address: { host: options.host, port },
    async [Symbol.asyncDispose]() {
      const closed = new AbortController();
      const closing = new Promise<void>((resolve) => server.close(() => resolve())).then(() =>
        closed.abort(),
      );
      for (const session of sessions) session.close();
      // Both wait, without limit, for open streams and for peers that do not hang up:
      // last words get a moment, then the sockets go.
      // The sleep ends with the server, or it alone would keep a drained process alive.
      await systemClock.sleep(LAST_WORDS_MS, closed.signal);
      for (const socket of sockets) socket.destroy();
      await closing;
    },
  };
}

/** As connect's own adapter, with its failures in the log and the HTTP/2 stream within reach. */
function createRequestHandler(
  { maxMessageBytes }: RpcServerOptions,
  deps: RpcServerDeps,
): (req: Http2ServerRequest, res: Http2ServerResponse) => void {
  const router = createConnectRouter({
    grpcWeb: false,
    connect: false,
    acceptCompression: [compressionGzip],
    readMaxBytes: maxMessageBytes,
  });
  router.service(Execution, {
    taskStream: (requests, context) =>
      deps.onStream(requests, { ...context.values.get(transportKey), signal: context.signal }),
  });
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

function listen(server: Http2Server, { host, port }: RpcServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: unknown) => reject(listenError(error, `${host}:${port}`));
    server.once("error", onError);
    server.listen(port, host, () => {
      server.off("error", onError);
      resolve();
    });
  });
}
