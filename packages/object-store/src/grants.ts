import { createHmac, timingSafeEqual } from "node:crypto";
import { pathOf } from "./keys.ts";

/** What one URL is good for. */
export interface Grant {
  readonly method: "GET" | "PUT";
  readonly objectKey: string;
  readonly expiresAtMs: number;
  /** What the request must say, exactly; names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Of an upload in parts: which part. */
  readonly part?: { readonly uploadId: string; readonly partNumber: number };
}

/** A request as far as a grant is concerned. */
export interface Asked {
  readonly method: "GET" | "PUT";
  readonly objectKey: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

export type Judgement = { readonly grant: Grant } | { readonly refusal: "unsigned" | "expired" };

/** Makes URLs that only it could have made, and knows them again. */
export class Signer {
  readonly #secret: Uint8Array;
  readonly #nowMs: () => number;

  constructor(secret: Uint8Array, nowMs: () => number) {
    this.#secret = secret;
    this.#nowMs = nowMs;
  }

  /** The URL of a grant below `origin`, like `http://127.0.0.1:9100`. */
  sign(origin: string, grant: Grant): string {
    const query = new URLSearchParams({
      expires: String(grant.expiresAtMs),
      ...(grant.part === undefined
        ? {}
        : { uploadId: grant.part.uploadId, partNumber: String(grant.part.partNumber) }),
      signed: Object.keys(grant.headers).toSorted().join(";"),
      signature: this.#signatureOf(grant),
    });
    return `${origin}${pathOf(grant.objectKey)}?${query.toString()}`;
  }

  /** What a request may do, by its URL and headers. */
  judge({ method, objectKey, query, headers }: Asked): Judgement {
    const names = (query.get("signed") ?? "").split(";").filter((name) => name !== "");
    const given = names.map((name) => [name, headers[name]] as const);
    const expiresAtMs = Number(query.get("expires"));
    const uploadId = query.get("uploadId");
    const grant: Grant = {
      method,
      objectKey,
      expiresAtMs,
      headers: Object.fromEntries(given.map(([name, value]) => [name, String(value)])),
      ...(uploadId === null ? {} : { part: { uploadId, partNumber: Number(query.get("partNumber")) } }),
    };
    if (!isSame(query.get("signature") ?? "", this.#signatureOf(grant))) return { refusal: "unsigned" };
    return expiresAtMs > this.#nowMs() ? { grant } : { refusal: "expired" };
  }

  #signatureOf({ method, objectKey, expiresAtMs, headers, part }: Grant): string {
    const said = Object.entries(headers).toSorted(([a], [b]) => (a < b ? -1 : 1));
    // JSON keeps the fields apart whatever is in them.
    const text = JSON.stringify([method, objectKey, expiresAtMs, said, part?.uploadId, part?.partNumber]);
    return createHmac("sha256", this.#secret).update(text).digest("base64url");
  }
}

function isSame(given: string, right: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}
