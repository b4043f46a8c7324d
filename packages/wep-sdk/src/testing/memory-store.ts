import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import type { CompletedPart } from "../grant.ts";

/** Content of an object: text (as UTF-8), bytes, or a file on disk, of which the media type may be told. */
export type TestContent = string | Uint8Array | { readonly path: string; readonly mediaType?: string };

export interface StoredContent {
  readonly content: Uint8Array | { readonly path: string };
  readonly mediaType: string;
}

interface OpenUpload {
  readonly objectKey: string;
  readonly mediaType: string;
  readonly parts: Map<number, Buffer>;
}

/**
 * Storage of one run under test: objects in memory, behind URLs of this machine, so that
 * downloads and uploads take the same path as with a worker client. Listens when the first
 * URL is wanted; nothing but this process knows its port and its secret.
 */
export class MemoryStore implements AsyncDisposable {
  readonly #objects = new Map<string, StoredContent>();
  readonly #uploads = new Map<string, OpenUpload>();
  readonly #written = new Set<string>();
  readonly #secret = randomUUID();
  #server: Promise<Server> | undefined;

  put(objectKey: string, content: TestContent, mediaType?: string): void {
    this.#objects.set(objectKey, storedOf(content, mediaType));
  }

  get(objectKey: string): StoredContent | undefined {
    return this.#objects.get(objectKey);
  }

  /** Keys of what came over HTTP, each once. */
  get written(): readonly string[] {
    return [...this.#written];
  }

  /** Reads and writes the object: its own GET and PUT. */
  async url(objectKey: string, query: Readonly<Record<string, string>> = {}): Promise<string> {
    this.#server ??= this.#listen();
    const { port } = (await this.#server).address() as AddressInfo;
    const path = objectKey.split("/").map(encodeURIComponent).join("/");
    const search = new URLSearchParams({ ...query, secret: this.#secret });
    return `http://127.0.0.1:${port}/${path}?${search.toString()}`;
  }

  createUpload(objectKey: string, mediaType: string): string {
    const uploadId = randomUUID();
    this.#uploads.set(uploadId, { objectKey, mediaType, parts: new Map() });
    return uploadId;
  }

  completeUpload(uploadId: string, parts: readonly CompletedPart[]): void {
    const upload = this.#uploads.get(uploadId);
    if (upload === undefined) return;
    const chunks = parts.map(({ partNumber }) => upload.parts.get(partNumber) ?? Buffer.alloc(0));
    this.put(upload.objectKey, Buffer.concat(chunks), upload.mediaType);
    this.#written.add(upload.objectKey);
    this.#uploads.delete(uploadId);
  }

  abortUpload(uploadId: string): void {
    this.#uploads.delete(uploadId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server === undefined) return;
    const server = await this.#server;
    const closed = new Promise((resolve) => void server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  async #listen(): Promise<Server> {
    const server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        if (!response.headersSent) response.writeHead(500);
        response.end(String(error));
      });
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, "127.0.0.1", resolve);
    });
    // A test that fails in the middle ends all the same.
    server.unref();
    return server;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://store");
    const objectKey = decodeURIComponent(pathname.slice(1));
    if (searchParams.get("secret") !== this.#secret) response.writeHead(403).end("not for you");
    else if (request.method === "PUT") await this.#write(objectKey, { request, response, searchParams });
    else await this.#read(objectKey, { request, response });
  }

  async #write(
    objectKey: string,
    call: {
      readonly request: IncomingMessage;
      readonly response: ServerResponse;
      readonly searchParams: URLSearchParams;
    },
  ): Promise<void> {
    const { request, response, searchParams } = call;
    const bytes = await buffer(request);
    const etag = `"${createHash("md5").update(bytes).digest("hex")}"`;
    const upload = this.#uploads.get(searchParams.get("upload") ?? "");
    if (upload === undefined) {
      this.put(objectKey, bytes, request.headers["content-type"]);
      this.#written.add(objectKey);
    } else {
      upload.parts.set(Number(searchParams.get("part")), bytes);
    }
    response.writeHead(200, { etag }).end();
  }

  async #read(
    objectKey: string,
    { request, response }: { readonly request: IncomingMessage; readonly response: ServerResponse },
  ): Promise<void> {
    const stored = this.#objects.get(objectKey);
    if (stored === undefined) {
      response.writeHead(404).end("no such object");
      return;
    }
    const { content, mediaType } = stored;
    const total = content instanceof Uint8Array ? content.byteLength : (await stat(content.path)).size;
    const from = Math.min(total, Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0));
    const range = from > 0 ? { "content-range": `bytes ${from}-${total - 1}/${total}` } : {};
    const headers = { "content-type": mediaType, "content-length": total - from, ...range };
    response.writeHead(from > 0 ? 206 : 200, headers);
    const body =
      content instanceof Uint8Array
        ? Readable.from([content.subarray(from)])
        : createReadStream(content.path, { start: from });
    await pipeline(body, response);
  }
}

function storedOf(content: TestContent, mediaType = "application/octet-stream"): StoredContent {
  if (typeof content === "string") return { content: Buffer.from(content, "utf8"), mediaType };
  if (content instanceof Uint8Array) return { content, mediaType };
  return { content: { path: content.path }, mediaType: content.mediaType ?? mediaType };
}
