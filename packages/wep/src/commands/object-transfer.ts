import { once } from "node:events";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { request as requestHttp, type IncomingMessage } from "node:http";
import { request as requestHttps } from "node:https";
import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import type { UploadTicket } from "./send-storage.ts";

/**
 * Writes a file to where a ticket allows.
 *
 * @param sizeBytes of the file; the ticket is for so many
 * @throws {Error} with what the store answered
 */
export async function putObject(path: string, sizeBytes: number, ticket: UploadTicket): Promise<void> {
  const ask = clientOf(ticket.url)(ticket.url, {
    method: "PUT",
    headers: { ...ticket.headers, "content-length": String(sizeBytes) },
  });
  const answered = once(ask, "response") as Promise<[IncomingMessage]>;
  if (sizeBytes === 0) ask.end();
  else await Promise.all([pipeline(createReadStream(path, { end: sizeBytes - 1 }), ask), answered]);
  const [answer] = await answered;
  await readTo200(answer, `the upload of ${path}`);
}

/**
 * Fetches what a URL reads to a file; its folder is made, and what was there replaced.
 *
 * @throws {ObjectGone} where the store has it no more, or the URL has expired
 */
export async function fetchObject(url: string, path: string): Promise<void> {
  const ask = clientOf(url)(url);
  ask.end();
  const [answer] = (await once(ask, "response")) as [IncomingMessage];
  if (answer.statusCode !== 200) {
    throw new ObjectGone(answer.statusCode ?? 0, await excerptOf(answer));
  }
  await mkdir(dirname(path), { recursive: true });
  try {
    await pipeline(answer, createWriteStream(path));
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
}

/** A store that answered something else than the object. */
export class ObjectGone extends Error {
  override readonly name = "ObjectGone";
  readonly status: number;

  constructor(status: number, text: string) {
    super(`the store answered ${status} ${text}`);
    this.status = status;
  }
}

async function readTo200(answer: IncomingMessage, what: string): Promise<void> {
  const text = await excerptOf(answer);
  if (answer.statusCode !== 200) throw new Error(`${what} was answered with ${answer.statusCode} ${text}`);
}

async function excerptOf(answer: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of answer.setEncoding("utf8")) {
    if (text.length < 300) text += String(chunk);
  }
  return text.slice(0, 300);
}

function clientOf(url: string): typeof requestHttp {
  return url.startsWith("https:") ? requestHttps : requestHttp;
}
