import type { Readable } from "node:stream";
import { finished } from "node:stream/promises";

/** What a body has room for at first; it doubles. */
const FIRST_BYTES = 64 * 1024;

/** Chunks after which other work of the event loop has its turn. Those of ordinary servers have kilobytes. */
const CHUNKS_PER_TURN = 1_024;

export interface ReadBodyOptions {
  readonly mostBytes: number;
  /** Makes what is thrown for a body that is larger. */
  readonly tooLarge: () => Error;
}

/**
 * Reads a body whole. A server may send each byte as a chunk of its own, which takes Node's parser a microsecond or two and
 * would take an object here: so chunks are copied together and not kept, and other work goes on in between.
 *
 * @throws what `tooLarge` makes, or what ended the message
 */
export async function readBody(
  message: Readable,
  { mostBytes, tooLarge }: ReadBodyOptions,
): Promise<Uint8Array> {
  let body = new Uint8Array(Math.min(FIRST_BYTES, mostBytes));
  let sizeBytes = 0;
  let chunks = 0;
  message.on("data", (chunk: Uint8Array) => {
    chunks += 1;
    if (chunks % CHUNKS_PER_TURN === 0) yieldTurn(message);
    const wholeBytes = sizeBytes + chunk.length;
    if (wholeBytes > mostBytes) {
      message.destroy(tooLarge());
      return;
    }
    if (wholeBytes > body.length)
      body = grown(body, Math.min(Math.max(wholeBytes, 2 * body.length), mostBytes));
    body.set(chunk, sizeBytes);
    sizeBytes = wholeBytes;
  });
  await finished(message);
  return body.slice(0, sizeBytes);
}

function yieldTurn(message: Readable): void {
  message.pause();
  setImmediate(() => message.resume());
}

function grown(bytes: Uint8Array<ArrayBuffer>, sizeBytes: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(sizeBytes);
  larger.set(bytes);
  return larger;
}
