import { createHash } from "node:crypto";
import { TASK_ERROR } from "@subnet-worker/protocol/task-error";
import { TerminalError } from "./errors.ts";
import { noteSpent } from "./spent-bytes.ts";
import { type Content, contentOf, type Digests } from "./upload-body.ts";

/** S3 takes no more in one upload. */
const MOST_PARTS = 10_000;
const MIB = 1_024 * 1_024;

/** One part on its way. */
export interface Part {
  /** From 1. */
  readonly number: number;
  readonly sizeBytes: number;
  readonly md5: Buffer;
  open(): ReturnType<Content["open"]>;
  /** @throws when its bytes are not any more what they were */
  checkUnchanged(): Promise<void>;
  /** Its bytes are not needed any more. */
  release(): void;
}

/** Gives out parts in their order; may be asked for the next before the last is sent. */
export interface PartSource {
  /** `undefined`: there are no more. */
  next(): Promise<Part | undefined>;
  /** There is no use for more; who waits for a part is told `reason`. */
  stop(reason: unknown): void;
}

/**
 * How large the parts of a body are: as small as may be, so that little is sent again
 * after a cut, and all alike but the last, as some stores want it.
 */
export function partSizeOf(sizeBytes: number, smallestBytes: number): number {
  const neededBytes = Math.ceil(sizeBytes / MOST_PARTS);
  return neededBytes <= smallestBytes ? smallestBytes : Math.ceil(neededBytes / MIB) * MIB;
}

/** The parts of a content of which all is known. */
export function partsOfContent(content: Content, digests: Digests, partBytes: number): PartSource {
  let sent = 0;
  return {
    next() {
      const number = sent + 1;
      const md5 = digests.md5s[sent];
      if (md5 === undefined) return Promise.resolve(undefined);
      const start = sent * partBytes;
      const end = Math.min(start + partBytes, content.sizeBytes);
      sent = number;
      return Promise.resolve({
        number,
        sizeBytes: end - start,
        md5,
        open: () => content.open({ start, end }),
        checkUnchanged: () => content.checkUnchanged(),
        release: () => undefined,
      });
    },
    // Nobody ever waits for one.
    stop: () => undefined,
  };
}

/** Bytes that come by and by, cut into parts. */
export class StreamParts implements PartSource {
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #label: string;
  readonly #partBytes: number;
  readonly #maxBytes: number;
  readonly #hash = createHash("sha256");
  readonly #buffers: Buffer[] = [];
  #rest: Uint8Array = new Uint8Array();
  #hasEnded = false;
  #sizeBytes = 0;
  #count = 0;
  #turn: Promise<unknown> = Promise.resolve();
  /** Ends a read of the stream that is under way. */
  #interrupt: ((reason: unknown) => void) | undefined;

  constructor(
    stream: AsyncIterable<Uint8Array>,
    options: { readonly label: string; readonly partBytes: number; readonly maxBytes: number },
  ) {
    this.#chunks = iteratorOf(stream);
    this.#label = options.label;
    this.#partBytes = options.partBytes;
    this.#maxBytes = options.maxBytes;
  }

  /** Whether all of it has been given out. */
  get hasEnded(): boolean {
    return this.#hasEnded && this.#rest.byteLength === 0;
  }

  /** Of what was given out. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Of all of it; call it once, when all was given out. */
  sha256(): Buffer {
    return this.#hash.digest();
  }

  next(): Promise<Part | undefined> {
    const next = this.#turn.then(() => this.#cut());
    this.#turn = next.catch(() => undefined);
    return next;
  }

  /** All is sent: gives the memory back, which the garbage collector is slow to do. Nothing may be under way. */
  finish(): void {
    for (const { buffer } of this.#buffers.splice(0)) {
      if (buffer instanceof ArrayBuffer) buffer.transfer(0);
    }
  }

  /** Reads no more, and tells the stream so; who waits for a part is told `reason`. */
  stop(reason: unknown): void {
    this.#interrupt?.(reason);
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    // What it says to that concerns nobody: the upload has failed for another reason.
    this.#chunks.return?.().catch(() => undefined);
  }

  async #cut(): Promise<Part | undefined> {
    const buffer = this.#buffers.pop() ?? Buffer.allocUnsafeSlow(this.#partSize);
    const bytes = await this.#fill(buffer);
    if (bytes.byteLength === 0 && this.#count > 0) {
      this.#buffers.push(buffer);
      return undefined;
    }
    this.#sizeBytes += bytes.byteLength;
    if (this.#sizeBytes > this.#maxBytes) throw this.#tooLarge(`at most ${this.#maxBytes} are allowed`);
    if (this.#count === MOST_PARTS) {
      throw this.#tooLarge("that is the most for a stream; write it to a file and upload { path }");
    }
    this.#hash.update(bytes);
    this.#count += 1;
    const content = contentOf(bytes);
    return {
      number: this.#count,
      sizeBytes: bytes.byteLength,
      md5: createHash("md5").update(bytes).digest(),
      open: () => content.open({ start: 0, end: bytes.byteLength }),
      checkUnchanged: () => Promise.resolve(),
      release: () => {
        // What is sent no more makes room for what comes, unless parts have grown since.
        if (buffer.byteLength === this.#partSize) this.#buffers.push(buffer);
      },
    };
  }

  /** Alike for as long as most streams are, then twice as large. */
  get #partSize(): number {
    return this.#count < MOST_PARTS / 2 ? this.#partBytes : 2 * this.#partBytes;
  }

  /** The buffer, or as much of it as there are bytes left. */
  async #fill(buffer: Buffer): Promise<Buffer> {
    let filled = 0;
    while (filled < buffer.byteLength) {
      if (this.#rest.byteLength === 0 && !(await this.#pull())) break;
      const part = this.#rest.subarray(0, buffer.byteLength - filled);
      buffer.set(part, filled);
      filled += part.byteLength;
      this.#rest = this.#rest.subarray(part.byteLength);
    }
    return buffer.subarray(0, filled);
  }

  async #pull(): Promise<boolean> {
    if (this.#hasEnded) return false;
    const next = await this.#nextChunk();
    if (next.done === true) {
      this.#hasEnded = true;
      return false;
    }
    const chunk: unknown = next.value;
    if (!(chunk instanceof Uint8Array)) {
      throw new TerminalError(
        `[INVALID_FORMAT] ${this.#label}: its stream gave ${chunk === null ? "null" : `a ${typeof chunk}`}; give Uint8Array`,
        { code: TASK_ERROR.INVALID_FORMAT },
      );
    }
    this.#rest = chunk;
    noteSpent(chunk.byteLength);
    return true;
  }

  /** Not raced with a promise that outlives it: each chunk would leave something behind. */
  #nextChunk(): Promise<IteratorResult<Uint8Array>> {
    return new Promise((resolve, reject) => {
      this.#interrupt = reject;
      this.#chunks.next().then(resolve, reject);
    });
  }

  #tooLarge(why: string): TerminalError {
    return new TerminalError(
      `[QUOTA_EXCEEDED] ${this.#label} has ${this.#sizeBytes} bytes or more and ${why}`,
      { code: TASK_ERROR.QUOTA_EXCEEDED },
    );
  }
}

/**
 * Of a stream, one of our own: its own iterator is told of an end only after the read under
 * way, and one of Node's not at all before the first.
 */
function iteratorOf(stream: AsyncIterable<Uint8Array>): AsyncIterator<Uint8Array> {
  if (!(stream instanceof ReadableStream)) return destroying(stream);
  const reader = (stream as ReadableStream<Uint8Array>).getReader();
  return {
    async next() {
      const result = await reader.read();
      return result.done ? { done: true, value: undefined } : result;
    },
    async return() {
      await reader.cancel();
      return { done: true, value: undefined };
    },
  };
}

function destroying(stream: AsyncIterable<Uint8Array> & { destroy?: unknown }): AsyncIterator<Uint8Array> {
  const iterator = stream[Symbol.asyncIterator]();
  if (typeof stream.destroy !== "function") return iterator;
  const readable = stream as unknown as { destroy(): void };
  return {
    next: () => iterator.next(),
    return() {
      readable.destroy();
      return Promise.resolve({ done: true, value: undefined });
    },
  };
}
