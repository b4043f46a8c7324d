import type { Clock, Logger, Service } from "@subnet-worker/kit";
import type { Chain, Signer } from "../chain-ports.ts";
import { StoppedError, type Store } from "../ports.ts";

export interface HousekeeperOptions {
  /** What ended longer ago than this is forgotten. */
  readonly retentionMs: number;
  /** Below this balance the node warns; 0 for never. */
  readonly lowBalanceWei: bigint;
}

export interface HousekeeperDeps {
  readonly store: Store;
  readonly chain: Chain;
  readonly signer: Signer;
  readonly clock: Clock;
  readonly logger: Logger;
}

const BALANCE_MS = 120_000;
const PRUNE_MS = 3_600_000;

/** Looks at the wallet's balance, and keeps the database from growing for ever. */
export class Housekeeper implements Service {
  readonly name = "housekeeper";
  readonly #options: HousekeeperOptions;
  readonly #deps: HousekeeperDeps;
  #balanceWei: bigint | undefined;
  #isLow = false;
  #prunedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: HousekeeperOptions, deps: HousekeeperDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** As last read; `undefined` before that. */
  get balanceWei(): bigint | undefined {
    return this.#balanceWei;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.tick();
      await this.#deps.clock.sleep(BALANCE_MS, signal);
    }
  }

  async tick(): Promise<void> {
    await this.#readBalance();
    const nowMs = this.#deps.clock.monotonicMs();
    if (nowMs - this.#prunedAtMs < PRUNE_MS) return;
    this.#prunedAtMs = nowMs;
    const rows = await this.#deps.store.prune(this.#deps.clock.nowMs() - this.#options.retentionMs);
    if (rows > 0) this.#deps.logger.debug({ rows }, "forgot what ended long ago");
  }

  async #readBalance(): Promise<void> {
    const { chain, signer, logger } = this.#deps;
    try {
      this.#balanceWei = await chain.balanceWei(signer.address);
    } catch (error) {
      if (error instanceof StoppedError) return;
      logger.warn({ err: error }, "the wallet's balance could not be read; trying again later");
      return;
    }
    const isLow = this.#balanceWei < this.#options.lowBalanceWei;
    if (isLow && !this.#isLow) {
      logger.warn(
        { wallet: signer.address, balance_wei: this.#balanceWei.toString() },
        "the wallet's balance is below tx_policy.low_balance_gwei; send it funds before it cannot pay for gas",
      );
    }
    this.#isLow = isLow;
  }
}
