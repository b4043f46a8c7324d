import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import S3rver from "@20minutes/s3rver";
import accounts from "@20minutes/s3rver/lib/models/account.js";
import type { Logger } from "@subnet-worker/kit";
import { announcedMd5, AtomicStore } from "./atomic-store.ts";
import { refusalOf, refusalXml } from "./gate.ts";
import { likeS3 } from "./like-s3.ts";

export interface StoreServerOptions {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** Where the objects are kept; made if missing. */
  readonly directory: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** A listening object store. */
export interface StoreServer extends AsyncDisposable {
  readonly url: string;
}

/** Serves one bucket over S3's HTTP interface to holders of one key pair. */
export async function listenStore(
  options: StoreServerOptions,
  deps: { readonly logger: Logger },
): Promise<StoreServer> {
  const { logger } = deps;
  accounts.DUMMY_ACCOUNT.revokeAccessKey("S3RVER");
  accounts.DUMMY_ACCOUNT.createKeyPair(options.accessKeyId, options.secretAccessKey);
  const app = new S3rver({
    directory: options.directory,
    silent: true,
    vhostBuckets: false,
    configureBuckets: [{ name: options.bucket }],
  });
  const store = new AtomicStore(options.directory);
  app.store = app.context.store = store;
  app.middleware.splice(-1, 0, likeS3(store));
  app.on("error", (error) => logger.debug({ err: error }, "a request failed"));
  await app.configureBuckets();
  const handle = app.callback();

  const server = createServer((request, response) => {
    logWhenDone(request, response, logger);
    const refusal = refusalOf(request);
    if (refusal === undefined) {
      const { "content-md5": md5 } = request.headers;
      announcedMd5.run(request.method === "PUT" ? String(md5 ?? "") : "", () => handle(request, response));
    } else {
      response.writeHead(refusal.status, { "content-type": "application/xml" }).end(refusalXml(refusal));
    }
  });
  server.listen(options.port, options.host);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${options.host}:${port}`,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

// Without the query: that is where a presigned URL keeps its signature.
function logWhenDone(request: IncomingMessage, response: ServerResponse, logger: Logger): void {
  const startedMs = performance.now();
  response.once("close", () => {
    logger.info(
      {
        method: request.method,
        path: request.url?.split("?", 1)[0],
        status: response.statusCode,
        duration_ms: Math.round(performance.now() - startedMs),
      },
      response.writableFinished ? "served" : "the client went away",
    );
  });
}
