import { createHash, timingSafeEqual } from "node:crypto";
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import type { ObjectStore, OpenMultipart, StoredObject } from "@subnet-worker/object-store";
import type { Storage } from "@subnet-worker/protocol/storage";

/** What keeps the objects: a folder's store, or anything of the same shape. */
export type ObjectBroker = Omit<ObjectStore, "url" | "write" | keyof AsyncDisposable>;

const PAGE = 1_000;

/**
 * Answers storage.v1 for callers with one token. What they may use is everything: whoever needs to
 * keep tenants apart looks at the token here.
 */
export function createStorageService(
  { token }: { readonly token: string },
  broker: ObjectBroker,
): ServiceImpl<typeof Storage> {
  /** For a call of somebody we know, with errors as the caller is to see them. */
  const guarded =
    <Q, A>(answer: (request: Q) => Promise<A>) =>
    async (request: Q, context: HandlerContext): Promise<A> => {
      checkToken(context, token);
      try {
        return await answer(request);
      } catch (error) {
        throw rpcErrorOf(error);
      }
    };
  return {
    presignDownload: guarded(async ({ objectKey }) => {
      const { url, expiresAtMs } = await broker.downloadTicket(objectKey);
      return { url, expiresUnix: seconds(expiresAtMs) };
    }),
    presignUpload: guarded(async ({ objectKey, mediaType, sizeBytes, md5, sha256 }) => {
      const wish = { mediaType, sizeBytes: Number(sizeBytes), ...checksums({ md5, sha256 }) };
      const { url, headers, expiresAtMs } = await broker.uploadTicket(objectKey, wish);
      return { url, headers: { ...headers }, expiresUnix: seconds(expiresAtMs) };
    }),
    createMultipart: guarded(async ({ objectKey, mediaType, sha256 }) => ({
      uploadId: await broker.createMultipart(objectKey, { mediaType, ...checksums({ sha256 }) }),
    })),
    presignPart: guarded(async ({ objectKey, uploadId, partNumber, sizeBytes, md5 }) => {
      const part = { partNumber, sizeBytes: Number(sizeBytes), ...checksums({ md5 }) };
      const { url, headers, expiresAtMs } = await broker.partTicket(objectKey, uploadId, part);
      return { url, headers: { ...headers }, expiresUnix: seconds(expiresAtMs) };
    }),
    completeMultipart: guarded(async ({ objectKey, uploadId, parts }) => {
      await broker.completeMultipart(objectKey, uploadId, parts);
      return {};
    }),
    abortMultipart: guarded(async ({ objectKey, uploadId }) => {
      await broker.abortMultipart(objectKey, uploadId);
      return {};
    }),
    headObject: guarded(async ({ objectKey }) => {
      const object = await broker.head(objectKey);
      if (object === undefined)
        throw new ConnectError(`${objectKey}: there is no such object`, Code.NotFound);
      return { object: onTheWire(object) };
    }),
    listObjects: guarded(async ({ prefix, pageToken }) => pageOf(broker.list(prefix), pageToken)),
    listMultiparts: guarded(async ({ prefix }) => ({
      multiparts: await multipartsOf(broker.listMultiparts(prefix)), // never many at once here, so one page
    })),
    deleteObjects: guarded(async ({ objectKeys }) => {
      if (objectKeys.length > PAGE) {
        throw new ConnectError(`at most ${PAGE} keys at a time; send the others after`, Code.InvalidArgument);
      }
      await broker.remove(objectKeys);
      return {};
    }),
  };
}

/** Lists are in the order of the keys' bytes: a page goes on after the last key of the one before. */
async function pageOf(found: AsyncIterable<StoredObject>, after: string) {
  const objects: ReturnType<typeof onTheWire>[] = [];
  for await (const object of found) {
    if (after !== "" && Buffer.compare(Buffer.from(object.objectKey), Buffer.from(after)) <= 0) continue;
    if (objects.length === PAGE) return { objects, nextPageToken: objects.at(-1)?.objectKey ?? "" };
    objects.push(onTheWire(object));
  }
  return { objects, nextPageToken: "" };
}

async function multipartsOf(open: AsyncIterable<OpenMultipart>) {
  const multiparts: { objectKey: string; uploadId: string; startedUnixMs: bigint }[] = [];
  for await (const { objectKey, uploadId, startedAtMs } of open) {
    multiparts.push({ objectKey, uploadId, startedUnixMs: BigInt(Math.floor(startedAtMs)) });
  }
  return multiparts;
}

function onTheWire({ objectKey, sizeBytes, modifiedAtMs, sha256 }: StoredObject) {
  return {
    objectKey,
    sizeBytes: BigInt(sizeBytes),
    modifiedUnixMs: BigInt(Math.floor(modifiedAtMs)),
    ...(sha256 === undefined ? {} : { sha256: Uint8Array.from(sha256) }),
  };
}

/** On the wire, one that is empty was not given. */
function checksums<T extends Record<string, Uint8Array | undefined>>(given: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(given).filter(([, bytes]) => bytes !== undefined && bytes.length > 0),
  ) as Partial<T>;
}

/** Rounded down: a URL must not seem to work for longer than it does. */
function seconds(ms: number): bigint {
  return BigInt(Math.floor(ms / 1_000));
}

function checkToken({ requestHeader }: HandlerContext, token: string): void {
  const given = requestHeader.get("authorization") ?? "";
  if (isSame(given, `Bearer ${token}`)) return;
  throw new ConnectError(
    given === "" ? "no token: send authorization: Bearer TOKEN" : "this token is not known here",
    Code.Unauthenticated,
  );
}

/** In a time that does not tell how much of it is right. */
function isSame(given: string, right: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(right));
}

const RPC_CODES: Readonly<Record<string, Code>> = {
  NOT_FOUND: Code.NotFound,
  REFUSED: Code.InvalidArgument,
  TOO_LARGE: Code.InvalidArgument,
  UNAVAILABLE: Code.Unavailable,
};

function rpcErrorOf(error: unknown): ConnectError {
  if (error instanceof ConnectError) return error;
  const { code = "", message = String(error) } = error as {
    readonly code?: string;
    readonly message?: string;
  };
  const said = message.replace(/^\[\w+\] /, "");
  return new ConnectError(said, RPC_CODES[code] ?? Code.Internal, undefined, undefined, error);
}
