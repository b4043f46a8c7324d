import type { Cursor, EventLog } from "../../chain-ports.ts";

/** Blocks whose hashes are remembered: deeper reorganisations are found by reading again from further back. */
const MOST_BLOCKS = 512;
/** Logs that are remembered; what is forgotten and read again is reported again, which harms nothing. */
const MOST_LOGS = 20_000;

/** What was read lately: block hashes to find the common ancestor by, and logs so that none is reported twice. */
export class EventTrail {
  readonly #hashes = new Map<number, string>();
  readonly #logs = new Set<string>();

  /** Blocks are passed in rising order, but for those after a {@link forgetAbove}. */
  pass({ blockNumber, blockHash }: Cursor): void {
    if (blockHash === "") return;
    this.#hashes.delete(blockNumber);
    this.#hashes.set(blockNumber, blockHash);
    dropOldest(this.#hashes, MOST_BLOCKS);
  }

  hashAt(blockNumber: number): string | undefined {
    return this.#hashes.get(blockNumber);
  }

  /** Passed blocks below `blockNumber`, nearest first, at growing distances. */
  *below(blockNumber: number): Generator<Cursor> {
    const numbers = [...this.#hashes.keys()].filter((known) => known < blockNumber).toReversed();
    for (let index = 0; index < numbers.length; index = index * 2 + 1) {
      const number = numbers[index] ?? 0;
      yield { blockNumber: number, blockHash: this.#hashes.get(number) ?? "" };
    }
  }

  forgetAbove(blockNumber: number): void {
    for (const known of this.#hashes.keys()) if (known > blockNumber) this.#hashes.delete(known);
  }

  hasSeen(log: EventLog): boolean {
    return this.#logs.has(keyOf(log));
  }

  saw(log: EventLog): void {
    this.#logs.add(keyOf(log));
    dropOldest(this.#logs, MOST_LOGS);
  }
}

function keyOf({ blockHash, logIndex }: EventLog): string {
  return `${blockHash}:${logIndex}`;
}

function dropOldest(all: Map<unknown, unknown> | Set<unknown>, most: number): void {
  for (const key of all.keys()) {
    if (all.size <= most) return;
    all.delete(key);
  }
}
