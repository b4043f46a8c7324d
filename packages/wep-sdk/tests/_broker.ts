// A worker client that brokers storage, and the store behind it, both in memory.
import { createHash, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { systemClock } from "@subnet-worker/kit";
import type { TestStream, ValueOf } from "./_stream.ts";

export interface StoredObject {
  readonly bytes: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

/** One HTTP request as the store has seen it, whole. */
export interface SeenTransfer {
  readonly method: string;
  /** Without its query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

/** Answers a request in place of the store; false: the store may. */
export type Fault = (request: SeenTransfer, response: ServerResponse) => boolean;

type Multipart = ValueOf<"multipartRequest">;

interface OpenUpload {
  readonly objectKey: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly parts: Map<number, Buffer>;
}

export interface BrokerOptions {
  /** How long URLs work. Default a minute. */
  readonly urlLifetimeMs?: number;
  /** Digests of wishes become headers that must be sent. Default true. */
  readonly signsDigests?: boolean;
}

export class TestBroker implements AsyncDisposable {
  readonly objects = new Map<string, StoredObject>();
  readonly uploads = new Map<string, OpenUpload>();
  readonly requests: SeenTransfer[] = [];
  /** Ids of uploads in parts that were given up. */
  readonly aborted: string[] = [];
  /** Keys that were asked for. */
  readonly downloads: string[] = [];
  /** Tried in turn at each request, and used up by answering one. */
  readonly faults: Fault[] = [];
  /** Of what is granted from now on. */
  urlLifetimeMs: number;
  readonly #signsDigests: boolean;
  readonly #server = createServer((incoming, response) => void this.#serve(incoming, response));

  private constructor({ urlLifetimeMs = 60_000, signsDigests = true }: BrokerOptions) {
    this.urlLifetimeMs = urlLifetimeMs;
    this.#signsDigests = signsDigests;
  }

  static async start(options: BrokerOptions = {}): Promise<TestBroker> {
    const broker = new TestBroker(options);
    await new Promise<void>((resolve) => void broker.#server.listen(0, "127.0.0.1", resolve));
    return broker;
  }

  /** Answers what runs of this stream ask for, until it ends. */
  attend(stream: TestStream, prefix: string): void {
    const answer = async (): Promise<never> => {
      for (;;) {
        const { requestId, name, mediaType, sizeBytes, md5, sha256 } = await stream.next("uploadRequest");
        const objectKey = `${prefix}${name}`;
        const headers = { "content-type": mediaType, ...this.#digestHeaders(md5, sha256) };
        const query = { size: String(sizeBytes) };
        stream.send("uploadGrant", { requestId, objectKey, headers, ...this.ticket(objectKey, query) });
      }
    };
    const answerDownloads = async (): Promise<never> => {
      for (;;) {
        const { requestId, objectKey } = await stream.next("downloadRequest");
        this.downloads.push(objectKey);
        stream.send("downloadGrant", { requestId, objectKey, ...this.ticket(objectKey) });
      }
    };
    const answerParts = async (): Promise<never> => {
      for (;;) this.#step(stream, await stream.next("multipartRequest"), prefix);
    };
    // Each ends with the stream.
    for (const loop of [answer, answerDownloads, answerParts]) loop().catch(() => undefined);
  }

  /** A URL for the object, and when it stops working. */
  ticket(objectKey: string, query: Record<string, string> = {}): { url: string; expiresUnix: bigint } {
    const expiresAtMs = systemClock.nowMs() + this.urlLifetimeMs;
    const search = new URLSearchParams({ ...query, until: String(expiresAtMs) });
    const { port } = this.#server.address() as AddressInfo;
    return {
      url: `http://127.0.0.1:${port}/${objectKey}?${search.toString()}`,
      expiresUnix: BigInt(Math.floor(expiresAtMs / 1_000)),
    };
  }

  put(objectKey: string, bytes: Buffer, headers: Record<string, string> = {}): void {
    this.objects.set(objectKey, { bytes, headers: { etag: `"${hexOf("md5", bytes)}"`, ...headers } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => void this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  #digestHeaders(md5: Uint8Array, sha256: Uint8Array): Record<string, string> {
    if (!this.#signsDigests) return {};
    return {
      ...(md5.length > 0 ? { "Content-MD5": Buffer.from(md5).toString("base64") } : {}),
      ...(sha256.length > 0 ? { "x-amz-meta-sha256": Buffer.from(sha256).toString("hex") } : {}),
    };
  }

  #step(stream: TestStream, { requestId, name, step }: Multipart, prefix: string): void {
    const objectKey = `${prefix}${name}`;
    switch (step.case) {
      case "create": {
        const uploadId = randomUUID();
        const { mediaType, sha256 } = step.value;
        const headers = { "content-type": mediaType, ...this.#digestHeaders(new Uint8Array(), sha256) };
        this.uploads.set(uploadId, { objectKey, headers, parts: new Map() });
        stream.send("multipartGrant", { requestId, objectKey, uploadId });
        break;
      }
      case "part": {
        const { uploadId, partNumber, sizeBytes, md5 } = step.value;
        const query = { upload: uploadId, part: String(partNumber), size: String(sizeBytes) };
        const headers = this.#digestHeaders(md5, new Uint8Array());
        stream.send("multipartGrant", { requestId, objectKey, headers, ...this.ticket(objectKey, query) });
        break;
      }
      case "complete": {
        const upload = this.uploads.get(step.value.uploadId);
        const parts = step.value.parts.map(({ partNumber, etag }) => {
          const bytes = upload?.parts.get(partNumber) ?? Buffer.alloc(0);
          if (etag !== `"${hexOf("md5", bytes)}"`) throw new Error(`part ${partNumber} has another ETag`);
          return bytes;
        });
        this.uploads.delete(step.value.uploadId);
        this.put(objectKey, Buffer.concat(parts), { ...upload?.headers, etag: `"abc-${parts.length}"` });
        stream.send("multipartGrant", { requestId, objectKey });
        break;
      }
      case "abort":
        this.aborted.push(step.value.uploadId);
        this.uploads.delete(step.value.uploadId);
        stream.send("multipartGrant", { requestId, objectKey });
        break;
      default:
        throw new Error("a step of no kind");
    }
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(incoming.url ?? "/", "http://store");
    const body = await buffer(incoming).catch(() => undefined);
    if (body === undefined) return;
    const { method = "", headers } = incoming;
    const request = { method, path: pathname.slice(1), query: searchParams, headers, body };
    this.requests.push(request);
    const index = this.faults.findIndex((fault) => fault(request, response));
    if (index !== -1) this.faults.splice(index, 1);
    else if (systemClock.nowMs() > Number(searchParams.get("until"))) refuseExpired(response);
    else if (method === "PUT") this.#write(request, response);
    else this.#read(request, response);
  }

  #write({ path, query, headers, body }: SeenTransfer, response: ServerResponse): void {
    const md5 = createHash("md5").update(body);
    const promised = headers["content-md5"];
    if (promised !== undefined && promised !== md5.copy().digest("base64")) {
      response.writeHead(400).end("<Code>BadDigest</Code>");
      return;
    }
    const etag = `"${md5.digest("hex")}"`;
    const upload = this.uploads.get(query.get("upload") ?? "");
    if (upload !== undefined) upload.parts.set(Number(query.get("part")), body);
    else if (query.has("upload")) {
      response.writeHead(404).end("<Code>NoSuchUpload</Code>");
      return;
    } else this.put(path, body, metaOf(headers));
    response.writeHead(200, { etag }).end();
  }

  #read({ path, headers }: SeenTransfer, response: ServerResponse): void {
    const object = this.objects.get(path);
    if (object === undefined) {
      response.writeHead(404).end("<Code>NoSuchKey</Code>");
      return;
    }
    const { bytes } = object;
    const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? 0);
    const range = { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` };
    const part = bytes.subarray(from);
    response.writeHead(from > 0 ? 206 : 200, {
      ...object.headers,
      "content-length": part.length,
      ...(from > 0 ? range : {}),
    });
    response.end(part);
  }
}

export function hexOf(algorithm: "md5" | "sha256", bytes: Uint8Array): string {
  return createHash(algorithm).update(bytes).digest("hex");
}

export function refuseExpired(response: ServerResponse): void {
  response.writeHead(403).end("<Code>AccessDenied</Code><Message>Request has expired</Message>");
}

function metaOf(headers: IncomingMessage["headers"]): Record<string, string> {
  const kept = ["content-type", "x-amz-meta-sha256"];
  return Object.fromEntries(
    kept.flatMap((name) => (typeof headers[name] === "string" ? [[name, headers[name]]] : [])),
  );
}
