import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, isIPv6 } from "node:net";
import { Folder } from "./folder.ts";
import { Signer } from "./grants.ts";
import { LocalStore, type ObjectStore } from "./object-store.ts";
import { ObjectStoreError } from "./object-store-error.ts";
import { serve, type ServedRequest } from "./serve.ts";
import { Uploads } from "./uploads.ts";

/** Where an object store keeps what it has, and where it listens. */
export interface ObjectStoreOptions {
  /** Made when missing. Objects are files in it, named by their keys; `.store` in it is the store's own. */
  readonly directory: string;
  /** Address to listen on. Default `127.0.0.1`. */
  readonly host?: string;
  /** Port to listen on; 0 picks a free one. Default 0. */
  readonly port?: number;
  /**
   * What URLs are signed with, at least 16 bytes: those of one store work at another with the
   * same. Default: made up, so that URLs end with the store.
   */
  readonly secret?: Uint8Array;
  /** How long a URL works. Default 15 minutes. */
  readonly urlLifetimeMs?: number;
  /** Where the time comes from, in milliseconds since 1970. Default the machine's. */
  readonly clock?: {
    /** Unix time in milliseconds. */
    nowMs(): number;
  };
  /** A connection on which nothing moves for this long is closed. Default 2 minutes. */
  readonly idleTimeoutMs?: number;
  /** Told of each request when it is over, without what was signed. */
  readonly onRequest?: (request: ServedRequest) => void;
}

const SHORTEST_SECRET = 16;

/**
 * Serves a folder as an object store, until it is disposed of. It is for one machine:
 * plain HTTP, and whoever has a URL may use it until it expires.
 *
 * @throws {ObjectStoreError} `REFUSED` when the folder cannot be used or the secret is short,
 *   `UNAVAILABLE` when the port is taken
 *
 * @example
 * ```ts
 * import { listenObjectStore } from "@subnet-worker/object-store";
 *
 * await using store = await listenObjectStore({ directory: "objects" });
 * await store.write("in/greeting.txt", Buffer.from("hello"), { mediaType: "text/plain" });
 * const { url } = await store.downloadTicket("in/greeting.txt");
 * const text = await (await fetch(url)).text();
 * ```
 */
export async function listenObjectStore(options: ObjectStoreOptions): Promise<ObjectStore> {
  const { host = "127.0.0.1", port = 0, secret = randomBytes(32), urlLifetimeMs = 900_000 } = options;
  if (secret.length < SHORTEST_SECRET) {
    throw new ObjectStoreError(
      "REFUSED",
      `the secret has ${secret.length} bytes; give at least ${SHORTEST_SECRET}, or none`,
    );
  }
  const nowMs = () => options.clock?.nowMs() ?? Date.now();
  const folder = await openFolder(options.directory, nowMs());
  const uploads = new Uploads(folder);
  const signer = new Signer(secret, nowMs);
  const served = options.onRequest ?? (() => undefined);
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    void serve(request, response, { folder, uploads, signer }).then(served);
  };
  // As long as something moves, a request may take as long as it wants: objects are large.
  const server = createServer({ requestTimeout: 0 }, handle);
  server.timeout = options.idleTimeoutMs ?? 120_000;
  server.listen(port, host);
  try {
    await once(server, "listening");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ObjectStoreError(
      "UNAVAILABLE",
      `${host}:${port} cannot be listened on (${code}); take another port, or 0 for any that is free`,
      { cause: error },
    );
  }
  const { port: taken } = server.address() as AddressInfo;
  const origin = `http://${isIPv6(host) ? `[${host}]` : host}:${taken}`;
  const store = new LocalStore({ origin, urlLifetimeMs }, { folder, uploads, signer, nowMs });
  return Object.assign(store, {
    async [Symbol.asyncDispose]() {
      if (!server.listening) return;
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  });
}

async function openFolder(directory: string, nowMs: number): Promise<Folder> {
  try {
    return await Folder.open(directory, nowMs);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ObjectStoreError(
      "REFUSED",
      `${directory} cannot be used as a folder of objects (${code}); give another, or correct its rights`,
      { cause: error },
    );
  }
}
