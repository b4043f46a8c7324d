import { once } from "node:events";
import { createServer, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { Storage } from "@subnet-worker/protocol/storage";
import { createStorageService, type ObjectBroker } from "./storage-service.ts";

export interface StorageApiOptions {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** What callers must show. */
  readonly token: string;
}

/** A listening broker of objects. */
export interface StorageApi extends AsyncDisposable {
  readonly url: string;
}

/** Serves storage.v1 over gRPC, in plain text: for loopback. */
export async function listenStorageApi(
  options: StorageApiOptions,
  broker: ObjectBroker,
): Promise<StorageApi> {
  const service = createStorageService(options, broker);
  const server = createServer(
    connectNodeAdapter({
      connect: false,
      grpcWeb: false,
      routes: (router) => void router.service(Storage, service),
    }),
  );
  const sessions = new Set<ServerHttp2Session>();
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
  server.listen(options.port, options.host);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${options.host}:${port}`,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      for (const session of sessions) session.destroy();
      await closed;
    },
  };
}
