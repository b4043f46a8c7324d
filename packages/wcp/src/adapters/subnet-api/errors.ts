import { Code, ConnectError } from "@connectrpc/connect";
import { withoutUrls } from "../../domain/without-urls.ts";
import { StorageError, type StorageErrorCode } from "../../storage-ports.ts";

const BY_CODE: Readonly<Partial<Record<Code, readonly [StorageErrorCode, string]>>> = {
  [Code.NotFound]: ["NOT_FOUND", "there is no such object or upload"],
  [Code.Unauthenticated]: [
    "UNAUTHENTICATED",
    "the broker does not know the token; renew subnet_api.token or the file that subnet_api.token_file names",
  ],
  [Code.PermissionDenied]: [
    "REFUSED",
    "the token is not good for this; ask the broker's operator for the right",
  ],
  [Code.InvalidArgument]: ["REFUSED", "the broker does not take it"],
  [Code.FailedPrecondition]: [
    "REFUSED",
    "the store behind the broker does not allow it; tell the broker's operator",
  ],
  [Code.OutOfRange]: ["REFUSED", "the broker does not take it"],
  [Code.Unimplemented]: [
    "REFUSED",
    "the broker does not know this call; check that subnet_api.grpc_endpoint is a storage.v1 broker, or upgrade it",
  ],
};

/**
 * Whether the same call may succeed a little later. Not after a deadline: whoever asked has waited
 * for long enough, and asks again when the answer is still wanted.
 */
export function isPassing(error: unknown): boolean {
  const { code } = ConnectError.from(error);
  return code === Code.Unavailable || code === Code.ResourceExhausted || code === Code.Aborted;
}

/** Classifies what a call of the broker rejected with. `what` says what was tried, with the key. */
export function storageErrorOf(error: unknown, what: string): StorageError {
  if (error instanceof StorageError) return error;
  const { code, rawMessage } = ConnectError.from(error);
  const said = withoutUrls(rawMessage);
  const known = BY_CODE[code];
  if (known !== undefined) {
    return new StorageError(known[0], `${what}: ${known[1]} (it says: ${said})`, { cause: error });
  }
  return new StorageError(
    "UNAVAILABLE",
    `${what}: the broker does not answer as it should (${said}); try again, and look at subnet_api.grpc_endpoint when it stays so`,
    { cause: error },
  );
}
