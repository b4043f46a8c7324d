import type { IncomingMessage } from "node:http";

/** An S3 error to answer with. */
export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

/**
 * What s3rver lets through and a real S3 would not: requests that are not
 * signed, signatures of the long retired version 2, and keys that lead out of
 * the bucket's folder. `undefined` means: let s3rver check the signature.
 */
export function refusalOf(request: Pick<IncomingMessage, "url" | "headers">): Refusal | undefined {
  const [path = "", query = ""] = (request.url ?? "").split("?", 2);
  const isSignedHeader = request.headers.authorization?.startsWith("AWS4-HMAC-SHA256 ") === true;
  const isSignedUrl = new URLSearchParams(query).get("X-Amz-Algorithm") === "AWS4-HMAC-SHA256";
  if (!isSignedHeader && !isSignedUrl) {
    return { status: 403, code: "AccessDenied", message: "Sign the request with AWS signature version 4." };
  }
  if (!isPlainPath(path)) {
    return { status: 400, code: "InvalidURI", message: "Keys may not contain the segments . and .. here." };
  }
  return undefined;
}

function isPlainPath(path: string): boolean {
  try {
    const segments = decodeURIComponent(path).split(/[/\\]/);
    return !segments.includes("..") && !segments.includes(".") && !path.includes("%00");
  } catch {
    return false; // a percent sign that begins no escape
  }
}

/** The refusal as S3 writes errors. */
export function refusalXml(refusal: Refusal): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${refusal.code}</Code><Message>${refusal.message}</Message></Error>`;
}
