import { ObjectKeyError } from "./object-key.ts";

const GIB = 1_024 ** 3;
/**
 * The bounds of S3, which other stores keep to as well. That each part but the last has 5 MiB only the store
 * can tell: it refuses smaller ones when the object is made.
 */
const LARGEST_PUT = 5 * GIB;
const LARGEST_OBJECT = 5 * 1_024 * GIB;
const MOST_PARTS = 10_000;
const MD5_BYTES = 16;
const SHA256_BYTES = 32;
const MEDIA_TYPE = /^[\x20-\x7e]{0,255}$/;
const UPLOAD_ID = /^[\x21-\x7e]{1,1024}$/;
const ETAG = /^[\x21-\x7e]{1,256}$/;

interface Content {
  readonly mediaType?: string;
  readonly sizeBytes?: number | undefined;
  readonly md5?: Uint8Array;
  readonly sha256?: Uint8Array;
}

/** One step of an upload in parts, as far as its bounds go. */
type Step =
  | ({ readonly kind: "create" } & Content)
  | ({ readonly kind: "part"; readonly uploadId: string; readonly partNumber: number } & Content)
  | {
      readonly kind: "complete";
      readonly uploadId: string;
      readonly parts: readonly { readonly partNumber: number; readonly etag: string }[];
    }
  | { readonly kind: "abort"; readonly uploadId: string };

/** Whether a store would take an object in one request. @throws {ObjectKeyError} `bad_request` */
export function checkUpload(wish: Content): void {
  checkContent(wish, {
    mostBytes: LARGEST_PUT,
    remedy: "an object of more than 5 GiB is uploaded in parts",
  });
}

/** Whether a step is one that a store could take. @throws {ObjectKeyError} `bad_request` */
export function checkMultipart(step: Step): void {
  if (step.kind !== "create" && !UPLOAD_ID.test(step.uploadId)) {
    throw refuse("upload_id is not one that a create was answered with");
  }
  switch (step.kind) {
    case "create":
      checkContent(step, { mostBytes: LARGEST_OBJECT, remedy: "no store takes more than 5 TiB" });
      break;
    case "part":
      checkPartNumber(step.partNumber);
      checkContent(step, { mostBytes: LARGEST_PUT, remedy: "a part has 5 MiB to 5 GiB" });
      break;
    case "complete":
      checkParts(step.parts);
      break;
    default:
      break;
  }
}

function checkContent(
  { mediaType = "", sizeBytes = 0, md5, sha256 }: Content,
  { mostBytes, remedy }: { readonly mostBytes: number; readonly remedy: string },
): void {
  if (!Number.isInteger(sizeBytes) || sizeBytes < 0 || sizeBytes > mostBytes) {
    throw refuse(`size_bytes is ${sizeBytes}, and at most ${mostBytes} are possible: ${remedy}`);
  }
  if (!MEDIA_TYPE.test(mediaType)) throw refuse("media_type is no header: give one like audio/wav");
  if (md5 !== undefined && md5.length !== MD5_BYTES)
    throw refuse(`md5 has ${md5.length} bytes instead of 16`);
  if (sha256 !== undefined && sha256.length !== SHA256_BYTES) {
    throw refuse(`sha256 has ${sha256.length} bytes instead of 32`);
  }
}

function checkPartNumber(partNumber: number): void {
  if (Number.isInteger(partNumber) && partNumber >= 1 && partNumber <= MOST_PARTS) return;
  throw refuse(`part_number is ${partNumber}, and parts have the numbers 1 to ${MOST_PARTS}`);
}

function checkParts(parts: readonly { readonly partNumber: number; readonly etag: string }[]): void {
  if (parts.length === 0)
    throw refuse("an upload is completed with the parts that it has, and there are none");
  let last = 0;
  for (const { partNumber, etag } of parts) {
    checkPartNumber(partNumber);
    if (partNumber <= last) throw refuse("parts are listed once each, in the order of their numbers");
    if (!ETAG.test(etag)) throw refuse(`the etag of part ${partNumber} is not one that a store answers with`);
    last = partNumber;
  }
}

function refuse(what: string): ObjectKeyError {
  return new ObjectKeyError("bad_request", what);
}
