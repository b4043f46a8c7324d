import type { Clock, Logger } from "@subnet-worker/kit";
import { bumpedFees, type FeeMarket, type Fees, initialFees } from "../../domain/fees.ts";
import type { Chain } from "../../chain-ports.ts";
import { StoppedError } from "../../ports.ts";

export interface MarketOptions {
  /** Least raise of both fees per replacement, in percent. */
  readonly gasBumpPercent: number;
  /** No attempt pays more per gas than this; 0 means no ceiling. */
  readonly maxFeePerGasWei: bigint;
}

export interface MarketDeps {
  readonly chain: Chain;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Whatever is in the way, paying more than this many times what the chain asks for is not what mends it. */
const MOST_TIMES_MARKET = 10n;
/** On a chain that is all but free, many times nothing is little. */
const CHEAP_WEI = 1_000_000_000n;
const ABOVE_CEILING =
  "fees are above tx_policy.max_fee_gwei; holding and sending the last transaction again until they fall";
const INSANE = `a transaction pays ${MOST_TIMES_MARKET} times what the chain asks for and is not mined; sending it again without paying more; see the runbook for a stuck nonce`;

/** Nodes refuse a replacement that pays less than this much more. */
const LEAST_BUMP_PERCENT = 10;

const FRESH_MS = 1_000;

/** What to pay: the market, asked for at most once a second, and the operator's ceiling. */
export class Market {
  readonly #options: MarketOptions;
  readonly #deps: MarketDeps;
  #asked: { readonly atMs: number; readonly market: Promise<FeeMarket> } | undefined;

  constructor(options: MarketOptions, deps: MarketDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** Fees of a first attempt, cut to the ceiling: where the chain asks for more, it waits in the pool. */
  async initial(): Promise<Fees> {
    const fees = initialFees(await this.#now());
    const ceiling = this.#options.maxFeePerGasWei;
    if (!this.#isAbove(fees.maxFeePerGasWei)) return fees;
    const tip = fees.maxPriorityFeePerGasWei;
    return { ...fees, maxFeePerGasWei: ceiling, maxPriorityFeePerGasWei: tip < ceiling ? tip : ceiling };
  }

  /** Fees of a replacement, or why there is none, as a sentence for the operator. */
  async bumped(last: Fees): Promise<{ readonly fees: Fees } | { readonly refusal: string }> {
    const market = await this.#now();
    const fees = bumpedFees(last, market, this.#options.gasBumpPercent);
    if (this.#isAbove(fees.maxFeePerGasWei)) return { refusal: ABOVE_CEILING };
    const sane = initialFees(market).maxFeePerGasWei * MOST_TIMES_MARKET;
    return fees.maxFeePerGasWei > sane && fees.maxFeePerGasWei > CHEAP_WEI ? { refusal: INSANE } : { fees };
  }

  /**
   * Fees of a no-op that is to take the place of `last`: the least that nodes take for a replacement,
   * and up to the very ceiling. `undefined` where even that is too little.
   */
  async outbidding(last: Fees): Promise<Fees | undefined> {
    const fees = bumpedFees(last, await this.#now(), LEAST_BUMP_PERCENT);
    const ceiling = this.#options.maxFeePerGasWei;
    if (!this.#isAbove(fees.maxFeePerGasWei)) return fees;
    const least = bumpedFees(last, { kind: "legacy", gasPriceWei: 0n }, LEAST_BUMP_PERCENT);
    if (this.#isAbove(least.maxFeePerGasWei)) return undefined;
    const tip = least.maxPriorityFeePerGasWei;
    return { ...fees, maxFeePerGasWei: ceiling, maxPriorityFeePerGasWei: tip < ceiling ? tip : ceiling };
  }

  /**
   * Whether the chain asks for more than the ceiling allows, so that nothing sent now would be mined.
   * `before` when it does not say.
   */
  async isSpike(before: boolean): Promise<boolean> {
    try {
      const market = await this.#now();
      return this.#isAbove(market.kind === "legacy" ? market.gasPriceWei : market.baseFeePerGasWei);
    } catch (error) {
      if (error instanceof StoppedError) throw error;
      this.#deps.logger.debug({ err: error }, "the chain does not say what it asks for");
      return before;
    }
  }

  #now(): Promise<FeeMarket> {
    const nowMs = this.#deps.clock.monotonicMs();
    if (this.#asked === undefined || nowMs - this.#asked.atMs > FRESH_MS) {
      const market = this.#deps.chain.feeMarket();
      this.#asked = { atMs: nowMs, market };
      market.catch(() => {
        this.#asked = undefined; // the next caller asks again; this one gets the rejection
      });
    }
    return this.#asked.market;
  }

  #isAbove(feePerGasWei: bigint): boolean {
    const ceiling = this.#options.maxFeePerGasWei;
    return ceiling > 0n && feePerGasWei > ceiling;
  }
}
