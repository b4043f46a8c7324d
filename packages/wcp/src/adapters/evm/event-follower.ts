/**
 * Reads a contract's events up to the head and on from there.
 *
 * Invariants
 *  E1  The cursor passes a block only when every log of it that the endpoint told has been taken by the sink.
 *  E2  A log is reported once per block that it is in; after a reorganisation it comes again, from its new block.
 *  E3  A block whose bloom says "maybe" and whose answer says "none" is asked for again before it is passed.
 *  E4  On a chain that is quiet, and whose blooms have proved right, a new head that has its bloom costs no call.
 */
import { type Clock, createBackoff, type Logger } from "@subnet-worker/kit";
import {
  type Chain,
  type Cursor,
  type EventLog,
  type Head,
  type Heads,
  LogRangeTooWide,
  type LogQuery,
} from "../../chain-ports.ts";
import type { Store } from "../../ports.ts";
import { Bloom, type LogTraits } from "./event-bloom.ts";
import { EventRange } from "./event-range.ts";
import { EventTrail } from "./event-trail.ts";

export interface EventFollowerOptions {
  /** Name of the cursor in the store. */
  readonly cursor: string;
  readonly address: string;
  /** What to ask for when catching up. */
  readonly pastTopics: LogQuery["topics"];
  /** What to ask for near the head. */
  readonly liveTopics: LogQuery["topics"];
  /** Logs that must not be missed; those of `liveTopics` beyond them are news that may come late. */
  readonly vital: readonly LogTraits[];
  /** All others of `liveTopics`. */
  readonly minor: readonly LogTraits[];
  /** Most blocks per eth_getLogs. */
  readonly rangeBlocks: number;
  /** How far back the first start looks, and a reorganisation is followed. */
  readonly lookbackBlocks: number;
  /** Blocks before the cursor that are read again near the head: an endpoint's index may lag behind its blocks. */
  readonly overlapBlocks: number;
}

export interface EventFollowerDeps {
  readonly chain: Chain;
  readonly heads: Heads;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface EventBatch {
  /** In the order of the chain. */
  readonly logs: readonly EventLog[];
  /** Read while catching up: what they tell may be long over. */
  readonly isPast: boolean;
}

export type EventSink = (batch: EventBatch) => Promise<void>;

/** Nearer to the head than this it follows, further away it catches up. */
const LIVE_BLOCKS = 64;
/** Quiet blocks after which the cursor is stored all the same. */
const STORE_EVERY_BLOCKS = 16;
/** How far to go back when no hash is known to compare with. */
const REWIND_BLOCKS = 64;
/** Blocks this far below the head are not looked at again while catching up. */
const DEEP_BLOCKS = 1_024;
/** A bloom that is wrong more often than this proves little: one more answer settles it. */
const WEAK_PROOF = 0.01;
const ASKS = { weak: 1, strong: 5 } as const;
/** Ranges that a search for one log goes back. */
const SEARCH_RANGES = 20;

export class EventFollower {
  readonly #options: EventFollowerOptions;
  readonly #deps: EventFollowerDeps;
  readonly #range: EventRange;
  readonly #trail = new EventTrail();
  #cursor: Cursor | undefined;
  #storedBlock = -1;
  /** Whether the chain fills its blooms: some do not, and leave them empty. */
  #blooms: "unproved" | "right" | "wrong" = "unproved";

  constructor(options: EventFollowerOptions, deps: EventFollowerDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#range = new EventRange(options.rangeBlocks);
  }

  /** The last block whose events were read, by an earlier process too; -1 before any. */
  get readTo(): number {
    return (this.#cursor ?? this.#deps.store.cursor(this.#options.cursor))?.blockNumber ?? -1;
  }

  /**
   * Reads one range on; true when there is more to read at once.
   *
   * @throws {LogRangeTooWide} when the endpoint refuses a single block
   */
  async sync(sink: EventSink, signal: AbortSignal): Promise<boolean> {
    const latest = this.#deps.heads.latest();
    if (latest === undefined) return false;
    const cursor = await this.#reachable(latest);
    if (cursor === undefined || latest.number <= cursor.blockNumber) return false;
    const isNext = latest.number === cursor.blockNumber + 1 && latest.parentHash === cursor.blockHash;
    const head = isNext ? await this.#withBloom(latest) : latest;
    if (isNext && this.#isQuiet(head)) {
      await this.#pass({ blockNumber: head.number, blockHash: head.hash }, false);
      return false;
    }
    return this.#readOn(cursor, { head, sink, signal });
  }

  /** The newest log with these topics, within the lookback; `undefined` when there is none. */
  async find(topics: LogQuery["topics"]): Promise<EventLog | undefined> {
    const head = this.#deps.heads.latest() ?? (await this.#deps.chain.block("latest"));
    if (head === undefined) return undefined;
    const oldest = Math.max(0, head.number - this.#options.lookbackBlocks);
    let toBlock = head.number;
    for (let asked = 0; asked < SEARCH_RANGES && toBlock >= oldest; asked += 1) {
      const fromBlock = Math.max(oldest, toBlock - this.#range.blocks + 1);
      const logs = await this.#ask(topics, fromBlock, toBlock);
      if (logs === undefined) continue;
      if (logs.length > 0) return logs.at(-1);
      toBlock = fromBlock - 1;
    }
    return undefined;
  }

  /** Logs of blocks that were passed, in the order of the chain; `undefined` when the range was too wide: the next one is smaller. */
  async readAgain(
    topics: LogQuery["topics"],
    fromBlock: number,
  ): Promise<{ readonly logs: readonly EventLog[]; readonly toBlock: number } | undefined> {
    const toBlock = Math.min(this.readTo, fromBlock + this.#range.blocks - 1);
    const logs = await this.#ask(topics, fromBlock, toBlock);
    return logs === undefined ? undefined : { logs: logs.toSorted(byPlace), toBlock };
  }

  // --- Where to read on ---------------------------------------------------

  /** The cursor, on the chain that `head` is on; `undefined` when that cannot be told yet. */
  async #reachable(head: Head): Promise<Cursor | undefined> {
    const cursor = (this.#cursor ??= this.#stored(head));
    const isOrphaned = await this.#isOrphaned(cursor, head);
    if (isOrphaned === undefined) return undefined;
    return isOrphaned ? this.#rewind(cursor, head) : cursor;
  }

  #stored(head: Head): Cursor {
    const stored = this.#deps.store.cursor(this.#options.cursor);
    if (stored !== undefined) this.#trail.pass(stored);
    return (
      stored ?? { blockNumber: Math.max(-1, head.number - this.#options.lookbackBlocks - 1), blockHash: "" }
    );
  }

  /** `undefined`: the endpoint does not have the block, so it is behind, or on a chain that is shorter so far. */
  async #isOrphaned(cursor: Cursor, head: Head): Promise<boolean | undefined> {
    const { blockNumber, blockHash } = cursor;
    if (blockHash === "") return false;
    if (head.number <= blockNumber) {
      // A head that is lower is an endpoint that is behind, unless its hash proves another chain.
      const known = this.#trail.hashAt(head.number);
      return known !== undefined && known !== head.hash;
    }
    if (head.number === blockNumber + 1) return head.parentHash !== blockHash;
    // Catching up, after the first look: what lies that deep stays where it is.
    const isDeep = head.number - blockNumber > DEEP_BLOCKS && this.#storedBlock >= 0;
    if (isDeep) return false;
    const block = await this.#deps.chain.block(blockNumber);
    return block === undefined ? undefined : block.hash !== blockHash;
  }

  /** Goes back to a block that is still there. Its logs and those after it are read again. */
  async #rewind(cursor: Cursor, head: Head): Promise<Cursor> {
    const oldest = Math.max(-1, Math.min(cursor.blockNumber, head.number) - this.#options.lookbackBlocks - 1);
    let ancestor: Cursor | undefined;
    for (const known of this.#trail.below(Math.min(cursor.blockNumber, head.number))) {
      if (known.blockNumber < oldest) break;
      if ((await this.#deps.chain.block(known.blockNumber))?.hash !== known.blockHash) continue;
      ancestor = known;
      break;
    }
    const blind = Math.max(oldest, Math.min(cursor.blockNumber, head.number) - REWIND_BLOCKS, -1);
    ancestor ??= { blockNumber: blind, blockHash: "" };
    this.#deps.logger.info(
      { from_block: cursor.blockNumber, to_block: ancestor.blockNumber },
      "the chain was reorganised; reading its events again from the common ancestor",
    );
    this.#trail.forgetAbove(ancestor.blockNumber);
    await this.#pass(ancestor, true);
    return ancestor;
  }

  async #pass(cursor: Cursor, isNews: boolean): Promise<void> {
    this.#cursor = cursor;
    this.#trail.pass(cursor);
    const isFar = Math.abs(cursor.blockNumber - this.#storedBlock) >= STORE_EVERY_BLOCKS;
    // Without a hash there is nothing to compare with after a restart: the one that is stored serves better.
    if ((!isNews && !isFar) || cursor.blockHash === "") return;
    this.#storedBlock = cursor.blockNumber;
    await this.#deps.store.saveCursor(this.#options.cursor, cursor);
  }

  // --- Reading --------------------------------------------------------------

  async #readOn(
    cursor: Cursor,
    { head, sink, signal }: { readonly head: Head; readonly sink: EventSink; readonly signal: AbortSignal },
  ): Promise<boolean> {
    const isLive = head.number - cursor.blockNumber <= LIVE_BLOCKS;
    const { fromBlock, toBlock } = this.#next(cursor, head, isLive);
    const topics = isLive ? this.#options.liveTopics : this.#options.pastTopics;
    const told = await this.#ask(topics, fromBlock, toBlock);
    if (told === undefined) return true;
    const isAtHead = toBlock === head.number;
    // The head was replaced while we asked: the next one tells.
    if (isAtHead && told.some((log) => log.blockNumber === toBlock && log.blockHash !== head.hash)) {
      return false;
    }
    const logs = isAtHead ? await this.#doubt(told, head, signal) : told;
    const block = isAtHead ? head : await this.#deps.chain.block(toBlock);
    if (block === undefined || signal.aborted) return false;
    const hasNews = await this.#report({ logs, isPast: !isLive }, sink);
    await this.#pass({ blockNumber: toBlock, blockHash: block.hash }, hasNews || !isLive); // E1
    return toBlock < head.number;
  }

  #next(
    cursor: Cursor,
    head: Head,
    isLive: boolean,
  ): { readonly fromBlock: number; readonly toBlock: number } {
    const overlap = isLive ? Math.min(this.#options.overlapBlocks, this.#range.blocks >> 1) : 0;
    const fromBlock = Math.max(0, cursor.blockNumber + 1 - overlap);
    return { fromBlock, toBlock: Math.min(head.number, fromBlock + this.#range.blocks - 1) };
  }

  /** Gives the sink what it has not had (E2); whether there was anything. */
  async #report({ logs, isPast }: EventBatch, sink: EventSink): Promise<boolean> {
    const fresh = logs.filter((log) => !this.#trail.hasSeen(log)).toSorted(byPlace);
    if (fresh.length === 0) return false;
    await sink({ logs: fresh, isPast });
    for (const log of fresh) this.#trail.saw(log);
    return true;
  }

  /** `undefined` when the range was too wide: the next one is smaller. */
  async #ask(
    topics: LogQuery["topics"],
    fromBlock: number,
    toBlock: number,
  ): Promise<readonly EventLog[] | undefined> {
    const blocks = toBlock - fromBlock + 1;
    const { address } = this.#options;
    try {
      const logs = await this.#deps.chain.logs({ address, topics, fromBlock, toBlock });
      this.#range.answered(blocks);
      return logs;
    } catch (error) {
      if (!(error instanceof LogRangeTooWide) || blocks === 1) throw error;
      this.#range.refused(blocks, error.maxBlocks);
      this.#deps.logger.debug(
        { blocks, next_blocks: this.#range.blocks, reason: error.message },
        "the endpoint answers no range this wide; asking for less",
      );
      return undefined;
    }
  }

  // --- Blooms -----------------------------------------------------------------

  /** Some endpoints push heads without it: the block tells, for one call in place of one for its logs. */
  async #withBloom(head: Head): Promise<Head> {
    if (this.#blooms !== "right" || head.logsBloom !== undefined) return head;
    const block = await this.#deps.chain.block(head.number);
    return block?.hash === head.hash ? block : head;
  }

  #isQuiet(head: Head): boolean {
    if (this.#blooms !== "right" || head.logsBloom === undefined) return false;
    const bloom = new Bloom(head.logsBloom);
    const { vital, minor } = this.#options;
    return ![...vital, ...minor].some((traits) => bloom.mayContain(traits));
  }

  /**
   * Logs, once the answer and the bloom of the newest block agree, or were asked often enough. Only the
   * newest block is looked at, since that is the one an index does not have yet: a look costs a call
   * where the head came without its bloom, and over thousands of old blocks that would be thousands.
   */
  async #doubt(told: readonly EventLog[], head: Head, signal: AbortSignal): Promise<readonly EventLog[]> {
    if (this.#blooms === "wrong") return told;
    const hex = head.logsBloom ?? (await this.#deps.chain.block(head.number))?.logsBloom;
    if (hex === undefined) return told;
    const bloom = new Bloom(hex);
    this.#prove(
      bloom,
      told.filter((log) => log.blockHash === head.hash),
    );
    const suspects = this.#options.vital.filter((traits) => bloom.mayContain(traits));
    if (!bloom.isUseful || suspects.length === 0 || this.#hasVital(told, head)) return told;
    // Blooms have false positives, many on a busy chain. With three bits per trait and a share f of bits
    // set, three traits that no log has are in it with probability f^9: 2e-5 at f = 0.3, 4 % at 0.7.
    const rate = suspects.reduce((sum, traits) => sum + bloom.falsePositiveRate(traits), 0);
    return this.#askAgain(told, { head, signal, rate });
  }

  /** A log that the bloom has not, or has: whether the chain's blooms can be trusted. */
  #prove(bloom: Bloom, logs: readonly EventLog[]): void {
    if (logs.length === 0) return;
    const isRight = logs.every((log) => bloom.mayContain([log.address, ...log.topics]));
    if (!isRight) this.#blooms = "wrong";
    else if (bloom.isUseful) this.#blooms = "right";
  }

  #hasVital(logs: readonly EventLog[], head: Head): boolean {
    return logs.some((log) => log.blockHash === head.hash && this.#isVital(log));
  }

  #isVital({ address, topics }: EventLog): boolean {
    const has = new Set([address, ...topics].map((trait) => trait.toLowerCase()));
    return this.#options.vital.some((traits) => traits.every((trait) => has.has(trait.toLowerCase())));
  }

  /**
   * Asks for the one block by itself, which other endpoints and other paths of an index answer, until one
   * of them has the log or enough agree that there is none (E3).
   */
  async #askAgain(
    told: readonly EventLog[],
    { head, signal, rate }: { readonly head: Head; readonly signal: AbortSignal; readonly rate: number },
  ): Promise<readonly EventLog[]> {
    const { chain, clock, logger } = this.#deps;
    const { address, liveTopics: topics } = this.#options;
    const backoff = createBackoff({ initialMs: 100, maxMs: 1_000 });
    const asks = rate > WEAK_PROOF ? ASKS.weak : ASKS.strong;
    for (let asked = 0; asked < asks && !signal.aborted; asked += 1) {
      if (asked > 0) await clock.sleep(backoff.nextMs(), signal);
      const again = await chain.logs({ address, topics, fromBlock: head.number, toBlock: head.number });
      const here = again.filter((log) => log.blockHash === head.hash);
      if (this.#hasVital(here, head)) return [...told, ...here.filter((log) => !told.some(isSame(log)))];
    }
    if (rate <= WEAK_PROOF) {
      logger.warn(
        { block: head.number, false_positive_rate: rate },
        "the block's bloom speaks of events that no endpoint tells; going on without them (polling finds the activities, more slowly)",
      );
    }
    return told;
  }
}

function isSame(log: EventLog): (other: EventLog) => boolean {
  return (other) => other.blockHash === log.blockHash && other.logIndex === log.logIndex;
}

function byPlace(a: EventLog, b: EventLog): number {
  return a.blockNumber - b.blockNumber || a.logIndex - b.logIndex;
}
