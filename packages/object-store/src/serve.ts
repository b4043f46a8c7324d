import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { BadDigest, type Folder, type OpenObject } from "./folder.ts";
import type { Grant, Signer } from "./grants.ts";
import { keyOfPath } from "./keys.ts";
import { fromDisk } from "./object-store-error.ts";
import { parseRange } from "./range.ts";
import type { Uploads } from "./uploads.ts";

export interface ServeDeps {
  readonly folder: Folder;
  readonly uploads: Uploads;
  readonly signer: Signer;
}

/** A request that was answered, without what was signed. */
export interface ServedRequest {
  readonly method: string;
  /** `undefined` when the path names none. */
  readonly objectKey: string | undefined;
  /** HTTP status; 0 when the client went away before there was one. */
  readonly status: number;
  /** Why it was refused; empty when it was not. */
  readonly problem: string;
}

interface Answer {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer other than the object, in the words of S3, which clients look for. */
class Refusal extends Error {
  override readonly name = "Refusal";
  readonly answer: Answer;

  constructor(answer: Answer) {
    super(answer.message);
    this.answer = answer;
  }
}

/** Answers one request. Never rejects; resolves with what there is to tell of it. */
export async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  deps: ServeDeps,
): Promise<ServedRequest> {
  const method = request.method ?? "";
  const [path = "", query = ""] = splitOnce(request.url ?? "", "?");
  const objectKey = keyOfPath(path);
  const told = { method, objectKey };
  try {
    const grant = grantOf({ request, objectKey, query }, deps.signer);
    await (grant.method === "PUT"
      ? receive(request, response, { grant, deps })
      : send(request, response, { grant, folder: deps.folder }));
    return { ...told, status: response.statusCode, problem: "" };
  } catch (error) {
    if (response.headersSent || response.destroyed) {
      response.destroy(); // too late for an answer: the client must not take what it has for the whole
      return { ...told, status: response.headersSent ? response.statusCode : 0, problem: reasonOf(error) };
    }
    const { answer } = refusalOf(error, objectKey ?? "this path");
    refuse(response, answer, method === "HEAD");
    return { ...told, status: answer.status, problem: `${answer.code}: ${answer.message}` };
  }
}

interface Addressed {
  readonly request: IncomingMessage;
  readonly objectKey: string | undefined;
  readonly query: string;
}

function grantOf({ request, objectKey, query }: Addressed, signer: Signer): Grant {
  const method = request.method === "HEAD" ? "GET" : request.method;
  if (method !== "GET" && method !== "PUT") {
    throw new Refusal({
      status: 405,
      code: "MethodNotAllowed",
      message: "Objects are read with GET and written with PUT.",
      headers: {
        allow: "GET, HEAD, PUT",
      },
    });
  }
  if (objectKey === undefined)
    throw new Refusal({ status: 400, code: "InvalidURI", message: "The path is no key of this store." });
  const { headers } = request;
  const judged = signer.judge({ method, objectKey, query: new URLSearchParams(query), headers });
  if ("grant" in judged) return judged.grant;
  throw judged.refusal === "expired"
    ? new Refusal({ status: 403, code: "AccessDenied", message: "Request has expired; ask for another URL." })
    : new Refusal({
        status: 403,
        code: "SignatureDoesNotMatch",
        message: "The URL was not made for this method, key and these headers.",
      });
}

async function receive(
  request: IncomingMessage,
  response: ServerResponse,
  { grant, deps }: { readonly grant: Grant; readonly deps: ServeDeps },
): Promise<void> {
  const { objectKey, headers, part } = grant;
  // A length that was not signed was not granted; Node.js holds the body to the one that was.
  if (headers["content-length"] === undefined) {
    throw new Refusal({
      status: 411,
      code: "MissingContentLength",
      message: "A PUT must say how long it is.",
    });
  }
  const md5Header = headers["content-md5"];
  const md5 = md5Header === undefined ? undefined : Buffer.from(md5Header, "base64");
  const etag =
    part === undefined
      ? await deps.folder.write(objectKey, request, {
          mediaType: headers["content-type"] ?? "application/octet-stream",
          md5,
          sha256: headers["x-amz-meta-sha256"] ?? "",
        })
      : await deps.uploads.writePart(objectKey, part.uploadId, {
          partNumber: part.partNumber,
          content: request,
          md5,
        });
  response.writeHead(200, { etag, "content-length": 0 }).end();
}

async function send(
  request: IncomingMessage,
  response: ServerResponse,
  { grant, folder }: { readonly grant: Grant; readonly folder: Folder },
): Promise<void> {
  await using object = await folder.openObject(grant.objectKey);
  if (object === undefined)
    throw new Refusal({ status: 404, code: "NoSuchKey", message: "There is no such object." });
  const { etag, mediaType, sha256 } = object.facts;
  const common = {
    etag,
    "accept-ranges": "bytes",
    "last-modified": new Date(object.modifiedAtMs).toUTCString(),
  };
  const range = rangeOf(request, object);
  if (range === "unsatisfiable") {
    throw new Refusal({
      status: 416,
      code: "InvalidRange",
      message: "The object has no such bytes.",
      headers: {
        "content-range": `bytes */${object.sizeBytes}`,
      },
    });
  }
  if (request.headers["if-none-match"] === etag) {
    response.writeHead(304, common).end();
    return;
  }
  const { first, last } = range ?? { first: 0, last: object.sizeBytes - 1 };
  response.writeHead(range === undefined ? 200 : 206, {
    ...common,
    "content-type": mediaType,
    "content-length": last - first + 1,
    ...(range === undefined ? {} : { "content-range": `bytes ${first}-${last}/${object.sizeBytes}` }),
    ...(sha256 === "" ? {} : { "x-amz-meta-sha256": sha256 }),
  });
  if (request.method === "HEAD" || last < first) {
    response.end();
    return;
  }
  await pipeline(object.file.createReadStream({ start: first, end: last, autoClose: false }), response);
}

function rangeOf({ headers }: IncomingMessage, { facts, sizeBytes }: OpenObject) {
  const { "if-match": ifMatch, "if-range": ifRange } = headers;
  if (ifMatch !== undefined && ifMatch !== "*" && ifMatch !== facts.etag) {
    throw new Refusal({
      status: 412,
      code: "PreconditionFailed",
      message: "The object is another one by now.",
    });
  }
  return ifRange === undefined || ifRange === facts.etag ? parseRange(headers.range, sizeBytes) : undefined;
}

function refusalOf(error: unknown, objectKey: string): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof BadDigest)
    return new Refusal({ status: 400, code: "BadDigest", message: error.message });
  const { code, message } = fromDisk(error, objectKey);
  switch (code) {
    case "NOT_FOUND":
      return new Refusal({ status: 404, code: "NoSuchUpload", message: message });
    case "REFUSED":
      return new Refusal({ status: 400, code: "InvalidRequest", message: message });
    case "TOO_LARGE":
      return new Refusal({ status: 400, code: "EntityTooLarge", message: message });
    case "UNAVAILABLE":
      return new Refusal({ status: 503, code: "SlowDown", message: message });
    default:
      throw code satisfies never;
  }
}

function refuse(response: ServerResponse, { status, code, message, headers }: Answer, isHead: boolean): void {
  const text = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${escapeXml(message)}</Message></Error>`;
  response.writeHead(status, {
    ...headers,
    "content-type": "application/xml",
    "content-length": Buffer.byteLength(text),
    // What is left of a body that nobody wants would be taken for the next request.
    connection: "close",
  });
  response.end(isHead ? undefined : text);
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function splitOnce(text: string, separator: string): readonly string[] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
