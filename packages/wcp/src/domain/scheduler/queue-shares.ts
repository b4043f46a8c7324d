/**
 * How the room for tasks that wait is divided between queues.
 *
 * Whoever comes may use what is free, one queue all of it. When nothing is, a queue may still hold an even
 * part of the whole, so that what others hold keeps nobody out. So `n` queues hold at most
 * `1 + 1/2 + … + 1/n` times the whole: the i-th to grow last had i queues beside it to share with.
 *
 * A queue that was refused is not admitted again before it is down to half of its part, or the whole to
 * half: whoever offers has to look for what was passed over, and should find room for many then.
 */
export class QueueShares {
  readonly #most: number;
  #total = 0;
  /** Of queues that hold something. */
  readonly #held = new Map<string, number>();
  readonly #refused = new Set<string>();

  /** `most`: how many tasks the whole is, at least 1. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Whether a task of this queue would be admitted now. */
  hasRoom(queue: string): boolean {
    if (this.#refused.size > 0 && this.#isRefused(queue)) return false;
    return this.#total < this.#most || (this.#held.get(queue) ?? 0) < this.#partOf(queue);
  }

  /** As {@link hasRoom}; a queue that has none is not admitted before it has much again. */
  admits(queue: string): boolean {
    if (this.hasRoom(queue)) return true;
    this.#refused.add(queue);
    return false;
  }

  add(queue: string): void {
    this.#total += 1;
    this.#held.set(queue, (this.#held.get(queue) ?? 0) + 1);
  }

  /** @throws Error when the queue holds nothing */
  delete(queue: string): void {
    const held = this.#held.get(queue);
    if (held === undefined) throw new Error(`queue ${queue} holds nothing that could be taken out`);
    this.#total -= 1;
    if (held > 1) this.#held.set(queue, held - 1);
    else this.#held.delete(queue);
  }

  #isRefused(queue: string): boolean {
    if (!this.#refused.has(queue)) return false;
    const held = this.#held.get(queue) ?? 0;
    if (held > this.#partOf(queue) / 2 && this.#total > this.#most / 2) return true;
    this.#refused.delete(queue);
    return false;
  }

  /** An even part, beside those that hold something. */
  #partOf(queue: string): number {
    return this.#most / (this.#held.has(queue) ? this.#held.size : this.#held.size + 1);
  }
}
