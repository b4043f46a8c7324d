import { readFileSync } from "node:fs";
import { type Clock, EXIT, type Logger, StartupError } from "@subnet-worker/kit";
import type { FolderStorageOptions } from "./adapters/folder/storage.ts";
import type { S3StorageOptions } from "./adapters/s3/storage.ts";
import type { SubnetApiOptions } from "./adapters/subnet-api/storage.ts";
import type { Config } from "./config.ts";
import { type StorageBroker, StorageError } from "./storage-ports.ts";

/** Where the configuration says that objects are; "none" when nowhere. */
export function storageKind({ storage, subnet_api: api }: Config): "s3" | "folder" | "subnet-api" | "none" {
  if (storage.bucket !== "") return "s3";
  if (storage.folder !== "") return "folder";
  return api.grpc_endpoint === "" ? "none" : "subnet-api";
}

/**
 * The broker that the configuration describes; `undefined` when it describes none. What is
 * opened is closed with `stack`.
 *
 * @throws {StartupError} exit code 78 for what the operator must change, 75 for a port that is taken
 */
export async function openStorage(
  config: Config,
  deps: { readonly clock: Clock; readonly logger: Logger; readonly stack: AsyncDisposableStack },
): Promise<StorageBroker | undefined> {
  const { stack } = deps;
  const kind = storageKind(config);
  // Each with libraries of its own, 15 MB of them for S3: a node loads what it needs.
  switch (kind) {
    case "none":
      return undefined;
    case "s3": {
      const { S3Storage } = await import("./adapters/s3/storage.ts");
      return stack.use(new S3Storage(s3Options(config), deps));
    }
    case "subnet-api": {
      const { SubnetApiStorage } = await import("./adapters/subnet-api/storage.ts");
      return stack.use(new SubnetApiStorage(subnetApiOptions(config), deps));
    }
    case "folder": {
      const { openFolderStorage } = await import("./adapters/folder/storage.ts");
      try {
        return stack.use(await openFolderStorage(folderOptions(config), deps));
      } catch (error) {
        if (!(error instanceof StorageError)) throw error;
        const exitCode = error.isRetryable ? EXIT.tryLater : EXIT.badConfig;
        throw new StartupError(exitCode, `storage.folder: ${error.message}`, { cause: error });
      }
    }
    default:
      throw kind satisfies never;
  }
}

function s3Options({ storage }: Config): S3StorageOptions {
  return {
    endpoint: storage.endpoint,
    region: storage.region,
    bucket: storage.bucket,
    accessKeyId: storage.access_key_id,
    secretAccessKey: storage.secret_access_key,
    sessionToken: storage.session_token,
    forcePathStyle: storage.force_path_style,
    encryption: { algorithm: storage.sse, kmsKeyId: storage.sse_kms_key_id },
    urlLifetimeMs: storage.url_lifetime,
    requestTimeoutMs: storage.request_timeout,
  };
}

function folderOptions({ storage }: Config): FolderStorageOptions {
  return {
    directory: storage.folder,
    host: storage.folder_host,
    port: storage.folder_port,
    urlLifetimeMs: storage.url_lifetime,
  };
}

function subnetApiOptions({ storage, subnet_api: api }: Config): SubnetApiOptions {
  return {
    url: api.grpc_endpoint,
    token: api.token,
    tokenFile: api.token_file,
    timeoutMs: api.timeout,
    urlLifetimeMs: storage.url_lifetime,
    tls: {
      ...(api.ca_file === "" ? {} : { ca: readPem("ca_file", api.ca_file) }),
      ...(api.cert_file === ""
        ? {}
        : {
            identity: { cert: readPem("cert_file", api.cert_file), key: readPem("key_file", api.key_file) },
          }),
    },
  };
}

function readPem(setting: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new StartupError(
      EXIT.badConfig,
      `subnet_api.${setting}: ${path} cannot be read (${code}); correct the path, or the rights of the file`,
      { cause: error },
    );
  }
}
