/** Why the store did not do as it was asked. */
export type ObjectStoreErrorCode =
  /** The disk does not play along: trying again may help. */
  | "UNAVAILABLE"
  /** The key, the part or the request is not one that this store takes. */
  | "REFUSED"
  | "NOT_FOUND"
  | "TOO_LARGE";

/** What every method of the store rejects with. The message names the key and what to do. */
export class ObjectStoreError extends Error {
  override readonly name = "ObjectStoreError";
  /** What kind of reason it was. */
  readonly code: ObjectStoreErrorCode;

  constructor(code: ObjectStoreErrorCode, message: string, options?: ErrorOptions) {
    super(`[OBJECT_STORE_${code}] ${message}`, options);
    this.code = code;
  }
}

/** Classifies an error of the file system. */
export function fromDisk(error: unknown, what: string): ObjectStoreError {
  if (error instanceof ObjectStoreError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case "ENOTDIR":
    case "EISDIR":
    case "EEXIST":
    case "ENOTEMPTY":
      return new ObjectStoreError(
        "REFUSED",
        `${what}: a key cannot be an object and a folder of others at once; choose another`,
        { cause: error },
      );
    case "ELOOP":
      return new ObjectStoreError("REFUSED", `${what}: links are not followed; put the file itself there`, {
        cause: error,
      });
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return new ObjectStoreError(
        "REFUSED",
        `${what}: the folder may not be read or written (${code}); correct its rights`,
        { cause: error },
      );
    case "ENAMETOOLONG":
      return new ObjectStoreError("REFUSED", `${what}: the name is too long for this disk; shorten it`, {
        cause: error,
      });
    case undefined:
    default:
      return new ObjectStoreError(
        "UNAVAILABLE",
        `${what}: ${code ?? "failed"} (${message}); look at the disk, then try again`,
        { cause: error },
      );
  }
}
