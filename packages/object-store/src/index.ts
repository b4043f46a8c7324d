export { listenObjectStore, type ObjectStoreOptions } from "./listen.ts";
export { type ObjectStore } from "./object-store.ts";
export { ObjectStoreError, type ObjectStoreErrorCode } from "./object-store-error.ts";
export type { ServedRequest } from "./serve.ts";
export type {
  CompletedPart,
  DownloadTicket,
  ObjectWish,
  OpenMultipart,
  PartWish,
  StoredObject,
  UploadTicket,
} from "./types.ts";
