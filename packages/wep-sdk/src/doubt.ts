import type { Envelope } from "@subnet-worker/protocol";

/**
 * What came on a stream since a newer one of the same node was opened, and before the peer has shown that it
 * still speaks on this one. A connection that was given up by its peer may deliver what it had taken long
 * after that: an assignment from then would start a run again that has ended meanwhile, or take its completion
 * to a stream that nobody reads.
 */
export class Doubt {
  /** Of the ping whose answer ends the doubt. */
  readonly nonce: bigint;
  readonly #limit: number;
  readonly #held: Envelope[] = [];

  /** `limit`: most messages that are held back. */
  constructor(nonce: bigint, limit: number) {
    this.nonce = nonce;
    this.#limit = limit;
  }

  get isFull(): boolean {
    return this.#held.length >= this.#limit;
  }

  /** Whether a message waits for the answer: those that start or stop runs do. */
  static concerns({ msg }: Envelope): boolean {
    return msg.case === "assign" || msg.case === "cancel";
  }

  hold(message: Envelope): void {
    this.#held.push(message);
  }

  /** In the order in which they came. */
  held(): readonly Envelope[] {
    return this.#held;
  }
}
