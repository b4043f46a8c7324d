/** Growth after each full range that went well. */
const GROWTH = 1.07;
/** A width that was refused is not tried again before so many ranges went well: the endpoint may be another. */
const RETRY_AFTER = 50;

/**
 * How many blocks to ask for at once: what the endpoint says it answers, or half of what it refused,
 * and slowly more again. Never less than one block, never more than `maxBlocks`.
 */
export class EventRange {
  readonly #maxBlocks: number;
  #size: number;
  #refused = Number.POSITIVE_INFINITY;
  #successes = 0;

  constructor(maxBlocks: number) {
    this.#maxBlocks = Math.max(1, maxBlocks);
    this.#size = this.#maxBlocks;
  }

  get blocks(): number {
    return this.#size;
  }

  /** `hint`: most blocks that the endpoint would answer, where it said. */
  refused(blocks: number, hint: number | undefined): void {
    const usable = hint !== undefined && Number.isSafeInteger(hint) && hint >= 1 && hint < blocks;
    this.#size = usable ? hint : Math.max(1, blocks >> 1);
    this.#refused = usable ? hint + 1 : blocks;
    this.#successes = 0;
  }

  answered(blocks: number): void {
    if (blocks < this.#size) return;
    this.#successes += 1;
    if (this.#successes >= RETRY_AFTER) this.#refused = Number.POSITIVE_INFINITY;
    const grown = Math.ceil(this.#size * GROWTH);
    this.#size = Math.max(this.#size, Math.min(grown, this.#maxBlocks, this.#refused - 1));
  }
}
