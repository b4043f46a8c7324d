declare module "@20minutes/s3rver" {
  import type { RequestListener } from "node:http";

  export default class S3rver {
    constructor(options: {
      readonly directory: string;
      readonly silent: boolean;
      readonly vhostBuckets: boolean;
      readonly configureBuckets: readonly { readonly name: string }[];
    });
    store: unknown;
    readonly context: { store: unknown };
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

declare module "@20minutes/s3rver/lib/stores/filesystem.js" {
  import type { Readable } from "node:stream";

  export default class FilesystemStore {
    constructor(rootDirectory: string);
    /** Resolves to the size in bytes and the MD5 in hex. */
    putContent(objectPath: string, content: Readable | Buffer): Promise<[number, string]>;
  }
}
