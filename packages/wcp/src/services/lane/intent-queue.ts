import { type Intent, INTENT_PRIORITY } from "../../domain/intent.ts";

/** Intents that wait for a nonce, in the order in which they get one. */
export class IntentQueue {
  #waiting: Intent[] = [];

  get size(): number {
    return this.#waiting.length;
  }

  /** The most urgent first. */
  [Symbol.iterator](): IterableIterator<Intent> {
    return this.#waiting.values();
  }

  /** Puts an intent where its priority and age say. Returns the older ones that it replaces. */
  add(intent: Intent): readonly Intent[] {
    const replaced = this.take((other) => other.replaces !== undefined && other.replaces === intent.replaces);
    const index = this.#waiting.findIndex((other) => rank(other) > rank(intent));
    this.#waiting.splice(index === -1 ? this.#waiting.length : index, 0, intent);
    return replaced;
  }

  /** Removes and returns up to `most` of those that match, the most urgent first. */
  take(matches: (intent: Intent) => boolean, most: number = Number.POSITIVE_INFINITY): Intent[] {
    const taken: Intent[] = [];
    this.#waiting = this.#waiting.filter((intent) => {
      const isTaken = taken.length < most && matches(intent);
      if (isTaken) taken.push(intent);
      return !isTaken;
    });
    return taken;
  }
}

function rank(intent: Intent): number {
  return INTENT_PRIORITY[intent.kind] * 2 ** 40 + intent.id;
}
