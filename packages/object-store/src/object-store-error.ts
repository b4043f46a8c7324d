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

const IN_THE_WAY = "a key cannot be an object and a folder of others at once; choose another";
const NO_RIGHT = "the folder may not be read or written; correct its rights";

/** What errors of the file system mean that trying again does not mend. */
const REFUSALS: Readonly<Record<string, string>> = {
  ENOTDIR: IN_THE_WAY,
  EISDIR: IN_THE_WAY,
  EEXIST: IN_THE_WAY,
  ENOTEMPTY: IN_THE_WAY,
  ELOOP: "links are not followed; put the file itself there",
  EACCES: NO_RIGHT,
  EPERM: NO_RIGHT,
  EROFS: NO_RIGHT,
  ENAMETOOLONG: "the name is too long for this disk; shorten it",
};

/** Classifies an error of the file system. */
export function fromDisk(error: unknown, what: string): ObjectStoreError {
  if (error instanceof ObjectStoreError) return error;
  const { code = "failed", message } = error as NodeJS.ErrnoException;
  const refusal = REFUSALS[code];
  return refusal === undefined
    ? new ObjectStoreError("UNAVAILABLE", `${what}: ${code} (${message}); look at the disk, then try again`, {
        cause: error,
      })
    : new ObjectStoreError("REFUSED", `${what}: ${refusal}`, { cause: error });
}
