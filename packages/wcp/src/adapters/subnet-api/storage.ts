import type { Clock } from "@subnet-worker/kit";
import {
  type CompletedPart,
  type DownloadTicket,
  type ObjectWish,
  type OpenMultipart,
  type PartWish,
  type StorageBroker,
  StorageError,
  type StoredObject,
  type UploadTicket,
} from "../../storage-ports.ts";
import { BrokerClient, type BrokerClientOptions } from "./broker-client.ts";
import { readUrl } from "./read-url.ts";

export interface SubnetApiOptions extends BrokerClientOptions {
  /** What is asked for; the broker may give less. */
  readonly urlLifetimeMs: number;
}

/** As storage.v1 has it. */
const MOST_DELETES = 1_000;

/** A remote broker of objects, which alone has the store's credentials: `subnet-api`. */
export class SubnetApiStorage implements StorageBroker, Disposable {
  readonly #options: SubnetApiOptions;
  readonly #clock: Clock;
  readonly #broker: BrokerClient;
  readonly #lifetimeS: number;

  constructor(options: SubnetApiOptions, deps: { readonly clock: Clock }) {
    this.#options = options;
    this.#clock = deps.clock;
    this.#broker = new BrokerClient(options, deps);
    this.#lifetimeS = Math.max(1, Math.floor(options.urlLifetimeMs / 1_000));
  }

  [Symbol.dispose](): void {
    this.#broker[Symbol.dispose]();
  }

  async downloadTicket(objectKey: string): Promise<DownloadTicket> {
    const request = { objectKey, lifetimeS: this.#lifetimeS };
    const { url, expiresUnix } = await this.#broker.call(
      { what: `a URL to read ${objectKey}` },
      (client, options) => client.presignDownload(request, options),
    );
    return { url, expiresAtMs: Number(expiresUnix) * 1_000 };
  }

  async uploadTicket(objectKey: string, wish: ObjectWish): Promise<UploadTicket> {
    const { mediaType, md5, sha256 } = wish;
    const request = {
      objectKey,
      mediaType,
      sizeBytes: BigInt(wish.sizeBytes),
      lifetimeS: this.#lifetimeS,
      ...(md5 === undefined ? {} : { md5: Uint8Array.from(md5) }),
      ...(sha256 === undefined ? {} : { sha256: Uint8Array.from(sha256) }),
    };
    const { url, headers, expiresUnix } = await this.#broker.call(
      { what: `a URL to write ${objectKey}` },
      (client, options) => client.presignUpload(request, options),
    );
    return { objectKey, url, headers, expiresAtMs: Number(expiresUnix) * 1_000 };
  }

  async createMultipart(
    objectKey: string,
    { mediaType, sha256 }: Pick<ObjectWish, "mediaType" | "sha256">,
  ): Promise<string> {
    const what = `beginning an upload of ${objectKey} in parts`;
    const request = {
      objectKey,
      mediaType,
      ...(sha256 === undefined ? {} : { sha256: Uint8Array.from(sha256) }),
    };
    // Twice would begin two.
    const { uploadId } = await this.#broker.call({ what, isRepeatable: false }, (client, options) =>
      client.createMultipart(request, options),
    );
    return uploadId;
  }

  async partTicket(objectKey: string, uploadId: string, part: PartWish): Promise<UploadTicket> {
    const { partNumber, md5 } = part;
    const request = {
      objectKey,
      uploadId,
      partNumber,
      sizeBytes: BigInt(part.sizeBytes),
      lifetimeS: this.#lifetimeS,
      ...(md5 === undefined ? {} : { md5: Uint8Array.from(md5) }),
    };
    const { url, headers, expiresUnix } = await this.#broker.call(
      { what: `a URL to write part ${partNumber} of ${objectKey}` },
      (client, options) => client.presignPart(request, options),
    );
    return { objectKey, url, headers, expiresAtMs: Number(expiresUnix) * 1_000 };
  }

  async completeMultipart(
    objectKey: string,
    uploadId: string,
    parts: readonly CompletedPart[],
  ): Promise<void> {
    const request = { objectKey, uploadId, parts: [...parts] };
    await this.#broker.call(
      { what: `completing the upload of ${objectKey} in ${parts.length} parts` },
      (client, options) => client.completeMultipart(request, options),
    );
  }

  async abortMultipart(objectKey: string, uploadId: string): Promise<void> {
    try {
      await this.#broker.call({ what: `aborting the upload of ${objectKey}` }, (client, options) =>
        client.abortMultipart({ objectKey, uploadId }, options),
      );
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  async head(objectKey: string): Promise<StoredObject | undefined> {
    const what = `looking at ${objectKey}`;
    try {
      const { object } = await this.#broker.call({ what }, (client, options) =>
        client.headObject({ objectKey }, options),
      );
      if (object !== undefined) return storedObject(object);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
    throw new StorageError("REFUSED", `${what}: the broker says neither yes nor no; tell its operator`);
  }

  async read(objectKey: string, maxBytes: number): Promise<Uint8Array> {
    const { url } = await this.downloadTicket(objectKey);
    const { timeoutMs } = this.#options;
    return readUrl(url, { objectKey, maxBytes, timeoutMs }, { clock: this.#clock });
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    const what = `listing what is under ${prefix}`;
    const pages = pagesOf((pageToken) =>
      this.#broker.call({ what }, (client, options) => client.listObjects({ prefix, pageToken }, options)),
    );
    for await (const { objects } of pages) yield* objects.map(storedObject);
  }

  async *listMultiparts(prefix: string): AsyncIterable<OpenMultipart> {
    const what = `listing unfinished uploads under ${prefix}`;
    const pages = pagesOf((pageToken) =>
      this.#broker.call({ what }, (client, options) => client.listMultiparts({ prefix, pageToken }, options)),
    );
    for await (const { multiparts } of pages) {
      for (const { objectKey, uploadId, startedUnixMs } of multiparts) {
        yield { objectKey, uploadId, startedAtMs: Number(startedUnixMs) };
      }
    }
  }

  async remove(objectKeys: readonly string[]): Promise<void> {
    for (let start = 0; start < objectKeys.length; start += MOST_DELETES) {
      const some = objectKeys.slice(start, start + MOST_DELETES);
      await this.#broker.call(
        { what: `removing ${some.length} objects, ${some[0]} the first` },
        (client, options) => client.deleteObjects({ objectKeys: some }, options),
      );
    }
  }
}

interface Page {
  readonly nextPageToken: string;
}

async function* pagesOf<T extends Page>(ask: (pageToken: string) => Promise<T>): AsyncGenerator<T> {
  let pageToken = "";
  do {
    const page = await ask(pageToken);
    yield page;
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
}

function storedObject(object: {
  readonly objectKey: string;
  readonly sizeBytes: bigint;
  readonly modifiedUnixMs: bigint;
  readonly sha256: Uint8Array;
}): StoredObject {
  return {
    objectKey: object.objectKey,
    sizeBytes: Number(object.sizeBytes),
    modifiedAtMs: Number(object.modifiedUnixMs),
    ...(object.sha256.length === 0 ? {} : { sha256: object.sha256 }),
  };
}

function isNotFound(error: unknown): boolean {
  return error instanceof StorageError && error.code === "NOT_FOUND";
}
