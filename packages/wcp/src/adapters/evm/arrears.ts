import type { Store } from "../../ports.ts";

/** In the store, for a queue of which everything was taken. */
const NONE = -1;

/**
 * From which block on each queue's events are to be read again, since offers were passed over there for want
 * of room. One block per queue however many offers those are, and written only when it changes.
 */
export class Arrears {
  readonly #store: Pick<Store, "cursor" | "saveCursor">;
  readonly #fromBlocks = new Map<string, number>();

  /** `queues`: those whose arrears of an earlier process are to be made up. */
  constructor(queues: readonly string[], deps: { readonly store: Pick<Store, "cursor" | "saveCursor"> }) {
    this.#store = deps.store;
    for (const queue of queues) {
      const fromBlock = deps.store.cursor(nameOf(queue))?.blockNumber ?? NONE;
      if (fromBlock !== NONE) this.#fromBlocks.set(queue, fromBlock);
    }
  }

  /** Queues with arrears, and from which block on. A copy: it may change while it is gone through. */
  all(): readonly (readonly [queue: string, fromBlock: number])[] {
    return [...this.#fromBlocks];
  }

  /** An offer was passed over in this block; resolves once that is stored. */
  async note(queue: string, blockNumber: number): Promise<void> {
    const known = this.#fromBlocks.get(queue);
    if (known === undefined || blockNumber < known) await this.set(queue, blockNumber);
  }

  /** `undefined`: there are none any more. */
  async set(queue: string, fromBlock: number | undefined): Promise<void> {
    if (fromBlock === this.#fromBlocks.get(queue)) return;
    if (fromBlock === undefined) this.#fromBlocks.delete(queue);
    else this.#fromBlocks.set(queue, fromBlock);
    await this.#store.saveCursor(nameOf(queue), { blockNumber: fromBlock ?? NONE, blockHash: "" });
  }
}

function nameOf(queue: string): string {
  return `arrears ${queue}`;
}
