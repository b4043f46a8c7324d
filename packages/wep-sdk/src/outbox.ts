// What waits to be written to one stream.
//
// 1. What waits when the stream is free goes out as one message, up to the peer's
//    limit, a turn of the event loop later; nothing waits for more to come.
// 2. What was written is told once the transport asks for more; what was replaced by a
//    newer message, or was left when the stream ended, is told by nothing.
import { type Envelope, envelope } from "@subnet-worker/protocol";
import { estimateBytes } from "./message-size.ts";
import { turn } from "./turn.ts";

export interface Outgoing {
  /** A function is asked when the message is written; `undefined` then: there is nothing to say any more. */
  readonly envelope: Envelope | (() => Envelope | undefined);
  /**
   * Messages of one key replace each other while they wait, in place: the last
   * progress of a run, the last capacity. `undefined`: never replaced.
   */
  readonly key?: string;
  /** Never in a batch: before it has come, the peer does not know what else may. */
  readonly isAlone?: boolean;
  /** Called once the transport has taken the message. */
  readonly onWritten?: () => void;
}

export interface OutboxOptions {
  /** Messages; with as many, the outbox is full. */
  readonly capacity: number;
  /** Bytes; with as many, the outbox is full. */
  readonly capacityBytes: number;
  /** Bytes in one batch, except that one message always goes. */
  readonly batchBytes: number;
  /** Told of each message as it is handed to the transport. */
  readonly onTaken?: (message: Envelope) => void;
  /** Told when the transport asks for more. */
  readonly onFree?: () => void;
}

/** A place in the queue; what stands in it may be replaced. */
interface Place {
  message: Outgoing;
  sizeBytes: number;
}

const NO_ENVELOPE_BYTES = 64;

/**
 * `push` always takes a message, because losing a completion is worse than
 * memory; the reader of the same stream stops reading while {@link isFull}.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  #waiting: Place[] = [];
  readonly #keyed = new Map<string, Place>();
  readonly #changed = new Set<() => void>();
  #written: readonly Outgoing[] = [];
  #waitingBytes = 0;
  #maxBatch = 1;
  #collecting: Promise<void> | undefined;
  #ended = false;
  #failure: Error | undefined;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  get isFull(): boolean {
    const { capacity, capacityBytes } = this.#options;
    return this.#waiting.length >= capacity || this.#waitingBytes >= capacityBytes;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** The peer takes up to so many messages in one; 0 or 1: singly. */
  allowBatches(maxBatch: number): void {
    this.#maxBatch = Math.max(1, maxBatch);
  }

  /** Queues a message; after {@link end} it is dropped, as nobody will read it. */
  push(message: Outgoing): void {
    if (this.#ended) return;
    const sizeBytes =
      typeof message.envelope === "function" ? NO_ENVELOPE_BYTES : estimateBytes(message.envelope);
    const same = message.key === undefined ? undefined : this.#keyed.get(message.key);
    if (same === undefined) this.#append(message, sizeBytes);
    else {
      this.#waitingBytes += sizeBytes - same.sizeBytes;
      same.message = message;
      same.sizeBytes = sizeBytes;
    }
    this.#notify();
  }

  /** Takes nothing more. What waits is still written, then the stream ends, with `failure` if there is one. */
  end(failure?: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    this.#notify();
  }

  /** Resolves when there is room, or nobody writes any more. */
  async room(): Promise<void> {
    while (this.isFull && !this.#ended) await this.#change();
  }

  /** Resolves when what was pushed in this turn is with the transport, or only the transport holds it back. */
  async collected(): Promise<void> {
    await turn();
    await this.#collecting;
  }

  /** The messages in order, until {@link end}. One reader; it asks for the next when it has written the last. */
  async *drain(): AsyncGenerator<Envelope> {
    for (;;) {
      if (this.isEmpty) {
        if (this.#failure !== undefined) throw this.#failure;
        if (this.#ended) return;
        await this.#change();
        continue;
      }
      if (this.#maxBatch > 1) await this.#collect();
      const next = this.#take();
      this.#notify();
      if (next === undefined) continue;
      this.#options.onTaken?.(next);
      yield next;
      this.#options.onFree?.();
      this.#settleWritten();
    }
  }

  /** Not a time: what this turn of the event loop says besides goes along. */
  async #collect(): Promise<void> {
    this.#collecting = turn();
    await this.#collecting;
    this.#collecting = undefined;
  }

  #append(message: Outgoing, sizeBytes: number): void {
    const place = { message, sizeBytes };
    this.#waiting.push(place);
    this.#waitingBytes += sizeBytes;
    if (message.key !== undefined) this.#keyed.set(message.key, place);
  }

  /** What goes out next as one; `undefined` when nothing of what was taken had anything to say. */
  #take(): Envelope | undefined {
    const places = this.#waiting.splice(0, this.#fit());
    const envelopes: Envelope[] = [];
    for (const { message, sizeBytes } of places) {
      this.#waitingBytes -= sizeBytes;
      if (message.key !== undefined) this.#keyed.delete(message.key);
      const made = typeof message.envelope === "function" ? message.envelope() : message.envelope;
      if (made !== undefined) envelopes.push(made);
    }
    this.#written = places.map(({ message }) => message);
    if (envelopes.length === 0) this.#settleWritten();
    return envelopes.length > 1 ? envelope("batch", { envelopes }) : envelopes[0];
  }

  /** How many of those that wait fit into one message. */
  #fit(): number {
    if (this.#waiting[0]?.message.isAlone === true) return 1;
    const most = Math.min(this.#maxBatch, this.#waiting.length);
    let sizeBytes = 0;
    for (let count = 0; count < most; count += 1) {
      sizeBytes += this.#waiting[count]?.sizeBytes ?? 0;
      if (sizeBytes > this.#options.batchBytes) return Math.max(1, count);
    }
    return most;
  }

  #settleWritten(): void {
    const written = this.#written;
    this.#written = [];
    for (const { onWritten } of written) onWritten?.();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#changed.add(resolve);
    });
  }

  #notify(): void {
    if (this.#changed.size === 0) return;
    for (const wake of this.#changed) wake();
    this.#changed.clear();
  }
}
