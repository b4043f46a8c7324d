import type { Clock, Logger } from "@subnet-worker/kit";
import {
  listenObjectStore,
  type ObjectStore,
  ObjectStoreError,
  type ServedRequest,
} from "@subnet-worker/object-store";
import { type StorageBroker, StorageError } from "../../storage-ports.ts";

export interface FolderStorageOptions {
  readonly directory: string;
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly urlLifetimeMs: number;
}

/** A folder of this machine, served by this process. */
export interface FolderStorage extends StorageBroker, AsyncDisposable {
  /** Where its URLs lead. */
  readonly url: string;
}

/** @throws {StorageError} when the folder cannot be used or the port is taken */
export async function openFolderStorage(
  options: FolderStorageOptions,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): Promise<FolderStorage> {
  const store = await orStorageError(() =>
    listenObjectStore({ ...options, clock, onRequest: (request) => logRequest(request, logger) }),
  );
  return brokerOf(store);
}

/** The same store with the errors that services know. */
function brokerOf(store: ObjectStore): FolderStorage {
  return {
    url: store.url,
    downloadTicket: (key) => orStorageError(() => store.downloadTicket(key)),
    uploadTicket: (key, wish) => orStorageError(() => store.uploadTicket(key, wish)),
    createMultipart: (key, wish) => orStorageError(() => store.createMultipart(key, wish)),
    partTicket: (...args) => orStorageError(() => store.partTicket(...args)),
    completeMultipart: (...args) => orStorageError(() => store.completeMultipart(...args)),
    abortMultipart: (key, uploadId) => orStorageError(() => store.abortMultipart(key, uploadId)),
    head: (key) => orStorageError(() => store.head(key)),
    read: (key, maxBytes) => orStorageError(() => store.read(key, maxBytes)),
    list: (prefix) => eachOrStorageError(store.list(prefix)),
    listMultiparts: (prefix) => eachOrStorageError(store.listMultiparts(prefix)),
    remove: (keys) => orStorageError(() => store.remove(keys)),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

async function orStorageError<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    throw storageErrorOf(error);
  }
}

async function* eachOrStorageError<T>(items: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* items;
  } catch (error) {
    throw storageErrorOf(error);
  }
}

function storageErrorOf(error: unknown): unknown {
  if (!(error instanceof ObjectStoreError)) return error;
  return new StorageError(error.code, error.message.replace(/^\[\w+\] /, ""), { cause: error });
}

function logRequest({ method, objectKey, status, problem }: ServedRequest, logger: Logger): void {
  const entry = { method, object_key: objectKey, status };
  if (problem === "") logger.debug(entry, "object served");
  else logger.warn({ ...entry, problem }, "object not served");
}
