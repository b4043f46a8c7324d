import type { Envelope } from "@subnet-worker/protocol";

export interface Outgoing {
  readonly envelope: Envelope;
  /**
   * Messages of one key replace each other while they wait, in place: the last
   * progress of a run, the last capacity. `undefined`: never replaced.
   */
  readonly key?: string;
  /** Called once the transport has taken the message. */
  readonly onWritten?: () => void;
}

/**
 * What waits to be written to one stream. Its length is bounded by its owner:
 * `push` always takes a message, because losing a completion is worse than
 * memory, and the reader of the same stream stops reading while {@link isFull}.
 */
export class Outbox {
  readonly #capacity: number;
  readonly #waiting: Outgoing[] = [];
  readonly #changed = new Set<() => void>();
  #ended = false;
  #failure: Error | undefined;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get isFull(): boolean {
    return this.#waiting.length >= this.#capacity;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Queues a message; after {@link end} it is dropped, as nobody will read it. */
  push(message: Outgoing): void {
    if (this.#ended) return;
    const same = message.key === undefined ? -1 : this.#waiting.findIndex(({ key }) => key === message.key);
    if (same === -1) this.#waiting.push(message);
    else this.#waiting[same] = message;
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

  /** The messages in order, until {@link end}. One reader. */
  async *drain(): AsyncGenerator<Envelope> {
    for (;;) {
      const next = this.#waiting.shift();
      if (next !== undefined) {
        this.#notify();
        yield next.envelope;
        next.onWritten?.();
      } else if (this.#ended) {
        if (this.#failure !== undefined) throw this.#failure;
        return;
      } else {
        await this.#change();
      }
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#changed.add(resolve);
    });
  }

  #notify(): void {
    for (const wake of this.#changed) wake();
    this.#changed.clear();
  }
}
