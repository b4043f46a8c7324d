import { create } from "@bufbuild/protobuf";
import { BatchSchema, type Envelope, EnvelopeSchema } from "@subnet-worker/protocol";

export interface OutboundOptions {
  /** Most messages that wait. Assignments do not count: there are never more than the slots that were taken. */
  readonly limit: number;
  readonly onOverflow: () => void;
}

/** No batch grows beyond this, whatever its count: one message is read as a whole before any of it is acted on. */
const MAX_BATCH_BYTES = 1024 * 1024;

/**
 * Messages in a batch, if the peer takes as many. It reads one as a whole and answers it as a whole: with all in
 * one, each side would wait while the other works.
 */
const MAX_BATCH = 64;

/** More than any message but assignments and grants takes. */
const SMALL_BYTES = 512;

/** Messages that were sent and may still be held; more only while as many wait, so that letting go of one moves at most one. */
const MAX_SENT = 256;

const END: IteratorReturnResult<undefined> = { value: undefined, done: true };

/**
 * What waits to be written to the stream, in order. Bounded: a peer that stops reading closes the session
 * instead of filling the memory. What waits when the stream is free goes as one Batch to a peer that takes
 * them; nothing waits for a batch to fill.
 */
export class Outbound implements AsyncIterable<Envelope>, AsyncIterator<Envelope> {
  readonly #options: OutboundOptions;
  #messages: Envelope[] = [];
  #sizes: number[] = [];
  #head = 0;
  #assignments = 0;
  #maxBatch = 1;
  #reader: ((result: IteratorResult<Envelope>) => void) | undefined;
  #isFlushDue = false;
  #isClosed = false;

  constructor(options: OutboundOptions) {
    this.#options = options;
  }

  /** How many messages the peer takes in one. */
  set maxBatch(count: number) {
    this.#maxBatch = Math.min(MAX_BATCH, Math.max(1, count));
  }

  /** `sizeBytes`: at least what the message takes; needed for what may be large. */
  push(message: Envelope, sizeBytes: number = SMALL_BYTES): void {
    if (this.#isClosed) return;
    const isAssignment = message.msg.case === "assign";
    if (!isAssignment && this.#messages.length - this.#head - this.#assignments >= this.#options.limit) {
      this.#options.onOverflow();
      return;
    }
    if (isAssignment) this.#assignments += 1;
    this.#messages.push(message);
    this.#sizes.push(sizeBytes);
    if (this.#reader !== undefined) this.#flushSoon();
  }

  /** What waits is still written. */
  close(): void {
    this.#isClosed = true;
    this.#flush();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Envelope>> {
    const message = this.#take();
    if (message !== undefined) return Promise.resolve({ value: message, done: false });
    if (this.#isClosed) return Promise.resolve(END);
    return new Promise((resolve) => {
      this.#reader = resolve;
    });
  }

  /** The reader has gone. */
  return(): Promise<IteratorResult<Envelope>> {
    this.#drop();
    return Promise.resolve(END);
  }

  /** The reader has failed. */
  throw(error: unknown): Promise<IteratorResult<Envelope>> {
    this.#drop();
    return Promise.reject(error instanceof Error ? error : new Error(String(error)));
  }

  #drop(): void {
    this.#isClosed = true;
    this.#reader?.(END);
    this.#reader = undefined;
    this.#clear();
  }

  #clear(): void {
    this.#messages = [];
    this.#sizes = [];
    this.#head = 0;
    this.#assignments = 0;
  }

  /** What one turn of the event loop has to say goes together: many tasks are assigned in the turn of one commit. */
  #flushSoon(): void {
    if (this.#isFlushDue) return;
    if (this.#maxBatch === 1) {
      this.#flush();
      return;
    }
    this.#isFlushDue = true;
    setImmediate(() => {
      this.#isFlushDue = false;
      this.#flush();
    });
  }

  #flush(): void {
    const resolve = this.#reader;
    if (resolve === undefined) return;
    const message = this.#take();
    if (message === undefined && !this.#isClosed) return;
    this.#reader = undefined;
    resolve(message === undefined ? END : { value: message, done: false });
  }

  #take(): Envelope | undefined {
    const waiting = this.#messages.length - this.#head;
    if (waiting === 0) return undefined;
    const count = this.#maxBatch === 1 || waiting === 1 ? 1 : this.#batchCount(waiting);
    const taken = this.#messages.slice(this.#head, this.#head + count);
    this.#head += count;
    for (const { msg } of taken) if (msg.case === "assign") this.#assignments -= 1;
    if (this.#head === this.#messages.length) this.#clear();
    else if (this.#head >= MAX_SENT && this.#head * 2 >= this.#messages.length) this.#trim();
    return count === 1 ? taken[0] : batchOf(taken);
  }

  /** Lets go of what was sent: of a queue that never runs empty, too. */
  #trim(): void {
    this.#messages = this.#messages.slice(this.#head);
    this.#sizes = this.#sizes.slice(this.#head);
    this.#head = 0;
  }

  #batchCount(waiting: number): number {
    const most = Math.min(waiting, this.#maxBatch);
    let bytes = 0;
    for (let count = 0; count < most; count += 1) {
      bytes += this.#sizes[this.#head + count] ?? 0;
      if (bytes > MAX_BATCH_BYTES) return Math.max(1, count);
    }
    return most;
  }
}

function batchOf(envelopes: Envelope[]): Envelope {
  const batch = create(BatchSchema);
  batch.envelopes = envelopes;
  const message = create(EnvelopeSchema);
  message.msg = { case: "batch", value: batch };
  return message;
}
