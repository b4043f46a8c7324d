declare module "@20minutes/s3rver" {
  import type { RequestListener } from "node:http";

  /** Koa's context, as far as it is used here. */
  export interface S3Context {
    readonly method: string;
    readonly path: string;
    readonly query: Readonly<Record<string, string | undefined>>;
    readonly params: { readonly bucket: string };
    readonly state: { readonly account?: unknown; vhost?: boolean };
    status: number;
    body: unknown;
  }

  export type S3Middleware = (ctx: S3Context, next: () => Promise<void>) => Promise<void>;

  export default class S3rver {
    constructor(options: {
      readonly directory: string;
      readonly silent: boolean;
      readonly vhostBuckets: boolean;
      readonly configureBuckets: readonly { readonly name: string }[];
    });
    store: unknown;
    readonly context: { store: unknown };
    /** In the order in which they are called; the last is the router. */
    readonly middleware: S3Middleware[];
    configureBuckets(): Promise<unknown>;
    callback(): RequestListener;
    on(event: "error", listener: (error: Error) => void): this;
  }
}

declare module "@20minutes/s3rver/lib/models/account.js" {
  interface Account {
    createKeyPair(accessKeyId: string, secretAccessKey: string): void;
    revokeAccessKey(accessKeyId: string): void;
  }
  const account: { readonly DUMMY_ACCOUNT: Account };
  export default account;
}

declare module "@20minutes/s3rver/lib/models/error.js" {
  /** Answered with the status of its code, and as XML. */
  export default class S3Error extends Error {
    constructor(code: string, message: string);
    readonly code: string;
  }
}

declare module "@20minutes/s3rver/lib/stores/filesystem.js" {
  import type { Readable } from "node:stream";

  export default class FilesystemStore {
    constructor(rootDirectory: string);
    /** Resolves to the size in bytes and the MD5 in hex. */
    putContent(objectPath: string, content: Readable | Buffer): Promise<[number, string]>;
    putPart(
      bucket: string,
      uploadId: string,
      ...part: readonly [partNumber: string, content: Readable]
    ): Promise<{ md5: string }>;
    putObjectMultipart(
      bucket: string,
      uploadId: string,
      parts: readonly { readonly number: number; readonly etag: string }[],
    ): Promise<unknown>;
    listObjects(bucket: string, options: Readonly<Record<string, unknown>>): Promise<unknown>;
    getResourcePath(bucket: string, key: string | undefined, resource: string): string;
  }
}
