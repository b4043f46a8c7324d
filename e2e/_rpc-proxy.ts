import { once } from "node:events";
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** An RPC endpoint that a test takes away and gives back, always at the same URL. */
export interface RpcProxy extends AsyncDisposable {
  readonly url: string;
  /** Refuses connections, and resets those that are open. */
  down(): Promise<void>;
  /** Takes requests and never answers. */
  hang(): void;
  up(): Promise<void>;
}

/** Starts one in front of `target`. */
export async function startRpcProxy(target: string): Promise<RpcProxy> {
  let isHanging = false;
  const serve = (incoming: IncomingMessage, outgoing: ServerResponse) => {
    if (!isHanging) forward(target, incoming, outgoing);
  };
  let server = await listen(serve, 0);
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  };
  return {
    url: `http://127.0.0.1:${port}`,
    down: close,
    hang: () => {
      isHanging = true;
    },
    async up() {
      if (isHanging) await close();
      isHanging = false;
      server = await listen(serve, port);
    },
    async [Symbol.asyncDispose]() {
      if (server.listening) await close();
    },
  };
}

function forward(target: string, incoming: IncomingMessage, outgoing: ServerResponse): void {
  const onward = request(
    target,
    { method: "POST", headers: { "content-type": "application/json" } },
    (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, { "content-type": "application/json" });
      answer.pipe(outgoing);
    },
  );
  onward.on("error", () => outgoing.destroy());
  outgoing.on("close", () => onward.destroy());
  incoming.pipe(onward);
}

async function listen(
  serve: (request: IncomingMessage, response: ServerResponse) => void,
  port: number,
): Promise<Server> {
  const server = createServer(serve);
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return server;
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = await listen(() => {}, 0);
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
