import type { Head } from "../../chain-ports.ts";

/** What a block that somebody names as the newest is, beside the newest that is known. */
export type HeadVerdict =
  | "known"
  /** Newer, and nothing speaks against it being a descendant. */
  | "newer"
  /** Its hashes contradict those that are known: the chain was rewritten. */
  | "reorg"
  /** An ancestor of what is known: whoever names it lags. */
  | "behind"
  /** Not newer, and at a height where no hash is known. */
  | "unclear";

interface Entry {
  readonly hash: string;
  readonly timestampS: number | undefined;
}

const KEPT_BLOCKS = 256;

/** The newest block and the hashes of up to 256 before it, as far as they were seen. */
export class HeadChain {
  #latest: Head | undefined;
  readonly #entries = new Map<number, Entry>();

  get latest(): Head | undefined {
    return this.#latest;
  }

  hashAt(number: number): string | undefined {
    return this.#entries.get(number)?.hash;
  }

  judge(head: Head): HeadVerdict {
    const latest = this.#latest;
    if (latest === undefined) return "newer";
    if (head.hash === latest.hash) return "known";
    const parent = this.hashAt(head.number - 1);
    const isOffspring = parent === undefined || parent === head.parentHash;
    if (head.number > latest.number) return isOffspring ? "newer" : "reorg";
    const same = this.hashAt(head.number);
    if (same === head.hash) return "behind";
    return same !== undefined || !isOffspring ? "reorg" : "unclear";
  }

  /** The highest block below `number` whose hash is known. */
  nearestBelow(number: number): { readonly number: number; readonly hash: string } | undefined {
    const below = [...this.#entries.keys()].filter((each) => each < number);
    const nearest = Math.max(...below);
    const hash = this.hashAt(nearest);
    return hash === undefined ? undefined : { number: nearest, hash };
  }

  /** Makes this the newest, and forgets what contradicts it. */
  accept(head: Head): void {
    const { number, hash, parentHash, timestampS } = head;
    const parent = this.hashAt(number - 1);
    const isContradicted = parent !== undefined && parent !== parentHash;
    for (const each of this.#entries.keys()) {
      // Below a parent that was rewritten, any number of blocks may have been.
      if (each >= number || each <= number - KEPT_BLOCKS || isContradicted) this.#entries.delete(each);
    }
    if (parent === undefined || isContradicted) {
      this.#entries.set(number - 1, { hash: parentHash, timestampS: undefined });
    }
    this.#entries.set(number, { hash, timestampS });
    this.#latest = head;
  }

  /** Time between blocks, over those that are kept; `undefined` with fewer than two. */
  blockTimeMs(): number | undefined {
    const latest = this.#latest;
    const [first] = [...this.#entries]
      .filter(([, { timestampS }]) => timestampS !== undefined)
      .toSorted(([a], [b]) => a - b);
    if (latest === undefined || first === undefined || first[0] === latest.number) return undefined;
    const [number, { timestampS = 0 }] = first;
    return ((latest.timestampS - timestampS) * 1_000) / (latest.number - number);
  }
}
