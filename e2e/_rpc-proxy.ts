import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from "node:http";

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
  // While it is down, nothing else may get its port.
  const port = await freePort();
  let server = await listen(serve, port);
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

// Below the ports that systems hand out by themselves, and not a devnet's: nothing takes one of these between
// the look at it and the start of what is to listen there.
const FIRST_PORT = 10_000;
const PORTS = 16_000;
const given = new Set<number>();

/** A port that nothing listens on, and that nobody gets who does not ask for it by its number. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST_PORT + randomInt(PORTS);
    if (given.has(port)) continue;
    given.add(port);
    const server = await listen(() => {}, port).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") return undefined;
      throw error;
    });
    if (server === undefined) continue;
    server.close();
    await once(server, "close");
    return port;
  }
}
