import type { Envelope } from "@subnet-worker/protocol";

/**
 * What waits to be written to the stream. Bounded: a peer that stops reading
 * closes the session instead of filling the memory.
 */
export class Outbound implements AsyncIterable<Envelope> {
  readonly #limit: number;
  readonly #onOverflow: () => void;
  #messages: Envelope[] = [];
  #resume: (() => void) | undefined;
  #closed = false;

  constructor(options: { readonly limit: number; readonly onOverflow: () => void }) {
    this.#limit = options.limit;
    this.#onOverflow = options.onOverflow;
  }

  push(message: Envelope): void {
    if (this.#closed) return;
    if (this.#messages.length >= this.#limit) {
      this.#onOverflow();
      return;
    }
    this.#messages.push(message);
    this.#resume?.();
  }

  close(): void {
    this.#closed = true;
    this.#resume?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Envelope> {
    while (!this.#closed || this.#messages.length > 0) {
      const batch = this.#messages;
      this.#messages = [];
      yield* batch;
      if (this.#messages.length > 0 || this.#closed) continue;
      await new Promise<void>((resolve) => {
        this.#resume = resolve;
      });
    }
  }
}
