import { createHash, randomUUID } from "node:crypto";
import type { Clock } from "@subnet-worker/kit";
import { FakeClock } from "@subnet-worker/testkit";
import {
  type CompletedPart,
  type DownloadTicket,
  type ObjectWish,
  type OpenMultipart,
  type PartWish,
  type StorageBroker,
  StorageError,
  type StorageErrorCode,
  type StoredObject,
  type UploadTicket,
} from "../src/storage-ports.ts";

interface Kept {
  readonly content: Uint8Array;
  readonly mediaType: string;
  readonly modifiedAtMs: number;
  readonly sha256?: Uint8Array;
}

interface Begun {
  readonly objectKey: string;
  readonly startedAtMs: number;
  readonly mediaType: string;
  readonly sha256?: Uint8Array;
  readonly parts: Map<number, Uint8Array>;
}

/** What one URL is good for. */
interface Grant {
  readonly method: "GET" | "PUT";
  readonly objectKey: string;
  readonly expiresAtMs: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly part?: { readonly uploadId: string; readonly partNumber: number };
}

export interface FakeStorageOptions {
  /** Default a {@link FakeClock} of its own. */
  readonly clock?: Clock;
  /** Default 15 minutes. */
  readonly urlLifetimeMs?: number;
}

/**
 * An object store in memory. Its URLs work in {@link FakeStorage.fetch} alone, which does
 * what an executor does with them; {@link FakeStorage.put} is the short way there.
 */
export class FakeStorage implements StorageBroker {
  /** `head runs/a`: every call, in order. */
  readonly calls: string[] = [];
  readonly objects: Map<string, Kept> = new Map();
  readonly #clock: Clock;
  readonly #urlLifetimeMs: number;
  readonly #grants = new Map<string, Grant>();
  readonly #begun = new Map<string, Begun>();
  #failures: StorageErrorCode[] = [];

  constructor({ clock = new FakeClock(), urlLifetimeMs = 900_000 }: FakeStorageOptions = {}) {
    this.#clock = clock;
    this.#urlLifetimeMs = urlLifetimeMs;
  }

  /** Puts an object there as a run would have done. */
  put(objectKey: string, content: Uint8Array | string, sha256?: Uint8Array): void {
    this.objects.set(objectKey, {
      content: Buffer.from(content),
      mediaType: "application/octet-stream",
      modifiedAtMs: this.#clock.nowMs(),
      ...(sha256 === undefined ? {} : { sha256 }),
    });
  }

  /** The next calls reject, one with each of these. */
  failWith(...codes: readonly StorageErrorCode[]): void {
    this.#failures.push(...codes);
  }

  async downloadTicket(objectKey: string): Promise<DownloadTicket> {
    this.#called("downloadTicket", objectKey);
    const { url, expiresAtMs } = this.#grant(objectKey, { method: "GET", headers: {} });
    return { url, expiresAtMs };
  }

  async uploadTicket(objectKey: string, wish: ObjectWish): Promise<UploadTicket> {
    this.#called("uploadTicket", objectKey);
    const headers = {
      "content-type": mediaTypeOf(wish),
      "content-length": String(wish.sizeBytes),
      ...md5Header(wish.md5),
      ...(wish.sha256 === undefined ? {} : { "x-amz-meta-sha256": Buffer.from(wish.sha256).toString("hex") }),
    };
    return this.#grant(objectKey, { method: "PUT", headers });
  }

  async createMultipart(objectKey: string, wish: Pick<ObjectWish, "mediaType" | "sha256">): Promise<string> {
    this.#called("createMultipart", objectKey);
    const uploadId = randomUUID();
    this.#begun.set(uploadId, {
      objectKey,
      startedAtMs: this.#clock.nowMs(),
      mediaType: mediaTypeOf(wish),
      parts: new Map(),
      ...(wish.sha256 === undefined ? {} : { sha256: wish.sha256 }),
    });
    return uploadId;
  }

  async partTicket(objectKey: string, uploadId: string, part: PartWish): Promise<UploadTicket> {
    this.#called("partTicket", objectKey);
    return this.#grant(objectKey, {
      method: "PUT",
      headers: { "content-length": String(part.sizeBytes), ...md5Header(part.md5) },
      part: { uploadId, partNumber: part.partNumber },
    });
  }

  async completeMultipart(
    objectKey: string,
    uploadId: string,
    parts: readonly CompletedPart[],
  ): Promise<void> {
    this.#called("completeMultipart", objectKey);
    const begun = this.#begun.get(uploadId);
    if (begun?.objectKey !== objectKey) {
      if (this.objects.has(objectKey)) return;
      throw new StorageError("NOT_FOUND", `${objectKey}: there is no such upload; begin another`);
    }
    const contents = parts
      .toSorted((a, b) => a.partNumber - b.partNumber)
      .map(({ partNumber, etag }) => {
        const content = begun.parts.get(partNumber);
        if (content !== undefined && etagOf(content) === etag) return content;
        throw new StorageError("NOT_FOUND", `${objectKey}: part ${partNumber} is missing; upload it again`);
      });
    this.#begun.delete(uploadId);
    const { mediaType, sha256 } = begun;
    this.objects.set(objectKey, {
      content: Buffer.concat(contents),
      mediaType,
      modifiedAtMs: this.#clock.nowMs(),
      ...(sha256 === undefined ? {} : { sha256 }),
    });
  }

  async abortMultipart(objectKey: string, uploadId: string): Promise<void> {
    this.#called("abortMultipart", objectKey);
    if (this.#begun.get(uploadId)?.objectKey === objectKey) this.#begun.delete(uploadId);
  }

  async head(objectKey: string): Promise<StoredObject | undefined> {
    this.#called("head", objectKey);
    const kept = this.objects.get(objectKey);
    if (kept === undefined) return undefined;
    return {
      ...listed([objectKey, kept]),
      ...(kept.sha256 === undefined ? {} : { sha256: kept.sha256 }),
    };
  }

  async read(objectKey: string, maxBytes: number): Promise<Uint8Array> {
    this.#called("read", objectKey);
    const kept = this.objects.get(objectKey);
    if (kept === undefined) throw new StorageError("NOT_FOUND", `${objectKey}: there is no such object`);
    if (kept.content.length <= maxBytes) return kept.content;
    throw new StorageError("TOO_LARGE", `${objectKey} has more than ${maxBytes} bytes; make it smaller`);
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    this.#called("list", prefix);
    const found = [...this.objects].filter(([key]) => key.startsWith(prefix));
    yield* found.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(listed);
  }

  async *listMultiparts(prefix: string): AsyncIterable<OpenMultipart> {
    this.#called("listMultiparts", prefix);
    for (const [uploadId, { objectKey, startedAtMs }] of this.#begun) {
      if (objectKey.startsWith(prefix)) yield { objectKey, uploadId, startedAtMs };
    }
  }

  async remove(objectKeys: readonly string[]): Promise<void> {
    this.#called("remove", objectKeys.join(" "));
    for (const key of objectKeys) this.objects.delete(key);
  }

  /** What `fetch` would do with a URL of this store. */
  readonly fetch = async (
    url: string,
    init: {
      readonly method?: string;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: Uint8Array;
    } = {},
  ): Promise<Response> => {
    const grant = this.#grants.get(url);
    const { method = "GET", body = new Uint8Array() } = init;
    const headers = new Headers(init.headers);
    headers.set("content-length", String(body.length));
    const isGood =
      grant !== undefined &&
      grant.method === method &&
      grant.expiresAtMs > this.#clock.nowMs() &&
      (method === "GET" ||
        Object.entries(grant.headers).every(([name, value]) => headers.get(name) === value));
    if (!isGood) return new Response("", { status: 403 });
    return method === "PUT" ? this.#receive(grant, body) : this.#answer(grant.objectKey, headers);
  };

  #receive(grant: Grant, body: Uint8Array): Response {
    const md5 = grant.headers["content-md5"];
    if (md5 !== undefined && md5 !== createHash("md5").update(body).digest("base64")) {
      return new Response("", { status: 400 });
    }
    if (grant.part === undefined) {
      const sha256 = grant.headers["x-amz-meta-sha256"];
      this.put(grant.objectKey, body, sha256 === undefined ? undefined : Buffer.from(sha256, "hex"));
    } else {
      const begun = this.#begun.get(grant.part.uploadId);
      if (begun === undefined) return new Response("", { status: 404 });
      begun.parts.set(grant.part.partNumber, Buffer.from(body));
    }
    return new Response("", { headers: { etag: etagOf(body) } });
  }

  #answer(objectKey: string, headers: Headers): Response {
    const kept = this.objects.get(objectKey);
    if (kept === undefined) return new Response("", { status: 404 });
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(headers.get("range") ?? "") ?? [];
    const common = { etag: etagOf(kept.content), "content-type": kept.mediaType };
    if (first === undefined) return new Response(Buffer.from(kept.content), { headers: common });
    const end = last === undefined || last === "" ? kept.content.length : Number(last) + 1;
    const slice = kept.content.subarray(Number(first), end);
    const range = `bytes ${first}-${Number(first) + slice.length - 1}/${kept.content.length}`;
    return new Response(Buffer.from(slice), { status: 206, headers: { ...common, "content-range": range } });
  }

  #grant(objectKey: string, grant: Omit<Grant, "objectKey" | "expiresAtMs">): UploadTicket {
    const expiresAtMs = this.#clock.nowMs() + this.#urlLifetimeMs;
    const path = objectKey.split("/").map(encodeURIComponent).join("/");
    const url = `https://storage.example/${path}?grant=${this.#grants.size + 1}`;
    this.#grants.set(url, { ...grant, objectKey, expiresAtMs });
    return { objectKey, url, headers: grant.headers, expiresAtMs };
  }

  #called(name: string, subject: string): void {
    this.calls.push(`${name} ${subject}`);
    const code = this.#failures.shift();
    if (code !== undefined) throw new StorageError(code, `${subject}: as the test wants it; try again`);
  }
}

function listed([objectKey, { content, modifiedAtMs }]: readonly [string, Kept]): StoredObject {
  return { objectKey, sizeBytes: content.length, modifiedAtMs };
}

function mediaTypeOf({ mediaType }: Pick<ObjectWish, "mediaType">): string {
  return mediaType === "" ? "application/octet-stream" : mediaType;
}

function md5Header(md5: Uint8Array | undefined): Readonly<Record<string, string>> {
  return md5 === undefined ? {} : { "content-md5": Buffer.from(md5).toString("base64") };
}

function etagOf(content: Uint8Array): string {
  return `"${createHash("md5").update(content).digest("hex")}"`;
}
