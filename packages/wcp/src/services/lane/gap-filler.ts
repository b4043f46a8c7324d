/**
 * Keeps the wallet from waiting for a nonce that nobody sends.
 *
 * A nonce that the chain waits for and that no open transaction has is a hole: burnt by a process before
 * this one whose database is gone, used by somebody else until a reorg, or confirmed here and undone by
 * a reorg deeper than `confirmationsBlocks`. What is still kept of it is sent again; else a no-op fills it.
 */
import type { Clock, Logger } from "@subnet-worker/kit";
import type { Fees } from "../../domain/fees.ts";
import type { Chain } from "../../chain-ports.ts";
import { StoppedError } from "../../ports.ts";
import type { LaneBook } from "./book.ts";
import type { Entry } from "./entry.ts";
import type { LaneEvent, Sender } from "./sender.ts";
import type { SigningDesk } from "./signing-desk.ts";

export interface GapFillerDeps {
  readonly book: LaneBook;
  readonly desk: SigningDesk;
  readonly sender: Sender;
  readonly chain: Chain;
  readonly fees: () => Promise<Fees>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onEvent: (event: LaneEvent) => void;
}

/** A count that is wrong by thousands must not have thousands sent. */
const MOST_AT_ONCE = 64;

export class GapFiller {
  readonly #afterMs: number;
  readonly #deps: GapFillerDeps;
  #since: { readonly nonce: number; readonly atMs: number } | undefined;
  #isFilling = false;
  #isUrgent = false;

  constructor(options: { readonly repairAfterMs: number }, deps: GapFillerDeps) {
    this.#afterMs = options.repairAfterMs;
    this.#deps = deps;
  }

  /** A node says that earlier nonces are missing: the next look does not wait. */
  hurry(): void {
    this.#isUrgent = true;
  }

  /** Whether the chain waits for a nonce that nothing open has. */
  isGap(minedCount: number): boolean {
    const { book, desk } = this.#deps;
    return minedCount < desk.nextNonce && book.entry(minedCount) === undefined;
  }

  /** Fills every hole from `minedCount` on, once the first has been one for long enough. */
  async look(minedCount: number): Promise<void> {
    const nowMs = this.#deps.clock.monotonicMs();
    if (!this.isGap(minedCount)) {
      this.#since = undefined;
      this.#isUrgent = false;
      return;
    }
    if (this.#since?.nonce !== minedCount) this.#since = { nonce: minedCount, atMs: nowMs };
    const isDue = this.#isUrgent || nowMs - this.#since.atMs >= this.#afterMs;
    if (!isDue || this.#isFilling) return;
    this.#isFilling = true;
    try {
      await this.#fillFrom(minedCount);
    } finally {
      this.#isFilling = false;
      this.#isUrgent = false;
      this.#since = undefined;
    }
  }

  async #fillFrom(minedCount: number): Promise<void> {
    const { book, desk, logger } = this.#deps;
    const holes: number[] = [];
    for (let nonce = minedCount; nonce < desk.nextNonce; nonce += 1) {
      if (book.entry(nonce) === undefined) holes.push(nonce);
    }
    if (await this.#isBehind(holes)) {
      logger.debug({ mined_count: minedCount }, "the endpoint is behind: what it misses is in the chain");
      return;
    }
    logger.warn(
      { first: holes[0], count: holes.length },
      "the chain waits for nonces that nothing is under way for; sending again what is kept of them, and no-ops for the rest",
    );
    for (const nonce of holes.slice(0, MOST_AT_ONCE)) {
      // A delegation has the nonce after its own as well.
      if (book.entry(nonce - 1)?.transaction.kind === "delegation") continue;
      const entry = (await book.reopen(nonce)) ?? (await this.#noopAt(nonce));
      if (entry !== undefined) await this.#deps.sender.send(entry);
    }
  }

  /** Whether a block that the chain still has holds one of the nonces: then it is the count that is old. */
  async #isBehind(holes: readonly number[]): Promise<boolean> {
    const { book, chain, logger } = this.#deps;
    const receipts = [holes[0], holes.at(-1)].flatMap((nonce) => {
      const state = nonce === undefined ? undefined : book.stored(nonce)?.state;
      return state?.kind === "confirmed" ? [state.receipt] : [];
    });
    try {
      const blocks = await Promise.all(receipts.map(({ blockNumber }) => chain.block(blockNumber)));
      return receipts.some(({ blockHash }, index) => blocks[index]?.hash === blockHash);
    } catch (error) {
      if (error instanceof StoppedError) throw error;
      logger.warn(
        { err: error },
        "the node does not show the blocks that would tell a gap from an old answer",
      );
      return true; // the next look is soon enough
    }
  }

  async #noopAt(nonce: number): Promise<Entry | undefined> {
    const { book, desk, sender, clock, onEvent } = this.#deps;
    const fees = await this.#fees();
    const attempt = fees && (await desk.signAt(nonce, await sender.noop(), fees));
    if (attempt === undefined || book.entry(nonce) !== undefined) return undefined;
    onEvent("gap_filled");
    return book.sign(
      {
        nonce,
        kind: "noop",
        intentIds: [],
        attempts: [attempt],
        createdAtMs: clock.nowMs(),
        state: { kind: "signed" },
      },
      [],
    );
  }

  /** `undefined`, and a line in the log, when the chain does not say. */
  async #fees(): Promise<Fees | undefined> {
    try {
      return await this.#deps.fees();
    } catch (error) {
      if (error instanceof StoppedError) throw error;
      this.#deps.logger.warn(
        { err: error },
        "the chain does not say what it asks for; the gap is filled later",
      );
      return undefined;
    }
  }
}
