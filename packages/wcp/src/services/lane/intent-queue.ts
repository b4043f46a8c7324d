import { type Intent, INTENT_PRIORITY } from "../../domain/intent.ts";

/** Intents that wait for a nonce, in the order in which they get one: by priority, then by age. */
export class IntentQueue {
  readonly #waiting: Intent[] = [];

  get size(): number {
    return this.#waiting.length;
  }

  /** The most urgent first. */
  [Symbol.iterator](): IterableIterator<Intent> {
    return this.#waiting.values();
  }

  /**
   * Puts an intent where its priority and age say. Returns the older ones that it replaces, none of which
   * is more urgent: a late heartbeat does not take the place of a completion.
   */
  add(intent: Intent): readonly Intent[] {
    const { replaces } = intent;
    const replaced =
      replaces === undefined
        ? []
        : this.take(
            (other) =>
              other.replaces === replaces && INTENT_PRIORITY[other.kind] >= INTENT_PRIORITY[intent.kind],
          );
    this.#waiting.splice(this.#placeOf(intent), 0, intent);
    return replaced;
  }

  /** Removes and returns up to `most` of those that match, the most urgent first. */
  take(matches: (intent: Intent) => boolean, most: number = Number.POSITIVE_INFINITY): Intent[] {
    const taken: Intent[] = [];
    let kept = 0;
    let index = 0;
    for (; index < this.#waiting.length && taken.length < most; index += 1) {
      const intent = this.#waiting[index];
      if (intent === undefined) break;
      if (matches(intent)) taken.push(intent);
      else this.#waiting[kept++] = intent;
    }
    this.#waiting.splice(kept, index - kept);
    return taken;
  }

  /** Binary search: thousands may wait. */
  #placeOf(intent: Intent): number {
    let low = 0;
    let high = this.#waiting.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#waiting[middle];
      if (other !== undefined && rank(other) <= rank(intent)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function rank(intent: Intent): number {
  return INTENT_PRIORITY[intent.kind] * 2 ** 40 + intent.id;
}
