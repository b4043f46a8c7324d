import { randomInt } from "node:crypto";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Envelope } from "@subnet-worker/protocol";

/** For a ping. */
export function newNonce(): bigint {
  return BigInt(randomInt(2 ** 47));
}

/**
 * What came on a stream since a newer one of the same node was opened, and before the peer has shown that it
 * still speaks on this one. A connection that was given up by its peer may deliver what it had taken long
 * after that: an assignment from then would start a run again that has ended meanwhile, or take its completion
 * to a stream that nobody reads.
 */
export class Doubt {
  /** Of the ping whose answer ends the doubt. */
  readonly nonce: bigint = newNonce();
  readonly #limit: number;
  readonly #held: Envelope[] = [];

  /** `limit`: most messages that are held back. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Whether a message waits for the answer: those that start or stop runs do. */
  static concerns({ msg }: Envelope): boolean {
    return msg.case === "assign" || msg.case === "cancel";
  }

  /** @throws {ConnectError} when too much is held back */
  hold(message: Envelope): void {
    if (this.#held.length >= this.#limit) {
      throw new ConnectError(
        "a newer stream of this node is open, and this one answers no ping; use one",
        Code.Aborted,
      );
    }
    this.#held.push(message);
  }

  /** In the order in which they came. */
  held(): readonly Envelope[] {
    return this.#held;
  }
}
