import {
  type DownloadRequest,
  type Envelope,
  envelope,
  type MultipartRequest,
  type UploadRequest,
} from "@subnet-worker/protocol";
import type {
  DownloadTicket,
  MultipartAnswer,
  MultipartStep,
  UploadTicket,
  UploadWish,
} from "../../storage-ports.ts";

/** A request for an object as it came over the stream. */
export type GrantRequest =
  | { readonly case: "uploadRequest"; readonly value: UploadRequest }
  | { readonly case: "downloadRequest"; readonly value: DownloadRequest }
  | { readonly case: "multipartRequest"; readonly value: MultipartRequest };

/** Why there is no grant. */
export interface Denial {
  readonly error: string;
  readonly retryable: boolean;
}

/** What a request is about: a path below the run's prefix, or an object key. */
export function subjectOf(request: GrantRequest): string {
  return request.case === "downloadRequest" ? request.value.objectKey : request.value.name;
}

export function toUploadWish({ name, mediaType, sizeBytes, md5, sha256 }: UploadRequest): UploadWish {
  return { name, mediaType, sizeBytes: Number(sizeBytes), ...digests({ md5, sha256 }) };
}

/** `undefined` when the request has no step that this version knows. */
export function toMultipartStep({ name, step }: MultipartRequest): MultipartStep | undefined {
  switch (step.case) {
    case "create": {
      const { mediaType, sizeBytes, sha256 } = step.value;
      const size = sizeBytes === 0n ? undefined : Number(sizeBytes);
      return { kind: "create", name, mediaType, sizeBytes: size, ...digests({ sha256 }) };
    }
    case "part": {
      const { uploadId, partNumber, sizeBytes, md5 } = step.value;
      return { kind: "part", name, uploadId, partNumber, sizeBytes: Number(sizeBytes), ...digests({ md5 }) };
    }
    case "complete": {
      const { uploadId, parts } = step.value;
      return {
        kind: "complete",
        name,
        uploadId,
        parts: parts.map(({ partNumber, etag }) => ({ partNumber, etag })),
      };
    }
    case "abort":
      return { kind: "abort", name, uploadId: step.value.uploadId };
    default:
      return undefined;
  }
}

/** Empty digests are none. */
function digests<K extends string>(
  given: Readonly<Record<K, Uint8Array>>,
): { readonly [P in K]?: Uint8Array } {
  const there = Object.entries<Uint8Array>(given).filter(([, digest]) => digest.length > 0);
  return Object.fromEntries(there) as { readonly [P in K]?: Uint8Array };
}

export function toUploadGrant(requestId: bigint, ticket: UploadTicket): Envelope {
  const { objectKey, url, headers } = ticket;
  return envelope("uploadGrant", { requestId, objectKey, url, headers: { ...headers }, ...expiryOf(ticket) });
}

export function toDownloadGrant(requestId: bigint, objectKey: string, ticket: DownloadTicket): Envelope {
  return envelope("downloadGrant", { requestId, objectKey, url: ticket.url, ...expiryOf(ticket) });
}

export function toMultipartGrant(
  requestId: bigint,
  { objectKey, uploadId = "", ticket }: MultipartAnswer,
): Envelope {
  const part =
    ticket === undefined ? {} : { url: ticket.url, headers: { ...ticket.headers }, ...expiryOf(ticket) };
  return envelope("multipartGrant", { requestId, objectKey, uploadId, ...part });
}

/** The answer to a request that is not granted, in the form of its own kind. */
export function toDenial({ case: kind, value: { requestId } }: GrantRequest, denial: Denial): Envelope {
  switch (kind) {
    case "uploadRequest":
      return envelope("uploadGrant", { requestId, ...denial });
    case "downloadRequest":
      return envelope("downloadGrant", { requestId, ...denial });
    default:
      return envelope("multipartGrant", { requestId, ...denial });
  }
}

function expiryOf({ expiresAtMs }: DownloadTicket): { readonly expiresUnix: bigint } {
  return { expiresUnix: BigInt(Math.floor(expiresAtMs / 1_000)) };
}
