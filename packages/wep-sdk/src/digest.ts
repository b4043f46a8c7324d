import { createHash, type Hash } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

/** What a store says of the content of an object. */
export interface ExpectedDigest {
  readonly algorithm: "sha256" | "md5";
  readonly hex: string;
  /** The header that said it. */
  readonly source: string;
}

/**
 * The digest that the head of a reply promises, the strongest first: `x-amz-meta-sha256`,
 * `x-amz-checksum-sha256`, or an ETag that is an MD5. `undefined`: it promises none.
 */
export function digestOfHead(headers: IncomingHttpHeaders): ExpectedDigest | undefined {
  const given = textOf(headers["x-amz-meta-sha256"]);
  if (/^[0-9a-f]{64}$/i.test(given)) {
    return { algorithm: "sha256", hex: given.toLowerCase(), source: "x-amz-meta-sha256" };
  }
  const checksum = textOf(headers["x-amz-checksum-sha256"]);
  // Of an object that was uploaded in parts it is a digest of digests, and ends in their number.
  if (/^[A-Za-z0-9+/]{43}=$/.test(checksum) && headers["x-amz-checksum-type"] !== "COMPOSITE") {
    const hex = Buffer.from(checksum, "base64").toString("hex");
    return { algorithm: "sha256", hex, source: "x-amz-checksum-sha256" };
  }
  const hex = md5OfEtag(headers);
  return hex === undefined ? undefined : { algorithm: "md5", hex, source: "ETag" };
}

/**
 * The MD5 that an ETag is, in hex. `undefined` where it is none: an upload in parts has a
 * dash in it, what is encrypted with keys of KMS or the client's own has random digits, and
 * so has every object of S3 Express.
 */
export function md5OfEtag(headers: IncomingHttpHeaders): string | undefined {
  const hex = /^"?([0-9a-f]{32})"?$/i.exec(headers.etag ?? "")?.[1];
  const isKms = textOf(headers["x-amz-server-side-encryption"]).startsWith("aws:kms");
  const isOwnKey = headers["x-amz-server-side-encryption-customer-algorithm"] !== undefined;
  const isExpress = headers["x-amz-storage-class"] === "EXPRESS_ONEZONE";
  return isKms || isOwnKey || isExpress ? undefined : hex?.toLowerCase();
}

/** Holds what arrives against what was promised. */
export class DigestCheck {
  readonly #expected: ExpectedDigest;
  readonly #hash: Hash;

  constructor(expected: ExpectedDigest) {
    this.#expected = expected;
    this.#hash = createHash(expected.algorithm);
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  /** What is wrong with all that came; `undefined`: nothing. Call it once. */
  problem(): string | undefined {
    const { algorithm, hex, source } = this.#expected;
    const actual = this.#hash.digest("hex");
    return actual === hex ? undefined : `its ${algorithm} is ${actual}, and ${source} says ${hex}`;
  }
}

function textOf(value: string | string[] | undefined): string {
  return typeof value === "string" ? value : "";
}
