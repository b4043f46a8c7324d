import { type Clock, createBackoff, type Logger } from "@subnet-worker/kit";
import type { Intent, Receipt, Revert } from "../domain/intent.ts";
import { CallReverted, type Chain, StoppedError } from "../ports.ts";

export interface SimulationDeps {
  readonly chain: Chain;
  /** The wallet: contracts decide by who asks. */
  readonly from: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What a transaction would do, and why one did not do it. */
export class Simulation {
  readonly #deps: SimulationDeps;

  constructor(deps: SimulationDeps) {
    this.#deps = deps;
  }

  /**
   * The gas the transaction takes, or why the contract would throw: then no gas is spent on it.
   * Asks again until the node answers one or the other. Rejects with StoppedError.
   */
  async gas(intent: Intent, signal: AbortSignal): Promise<bigint | Revert> {
    const { chain, clock, logger } = this.#deps;
    const backoff = createBackoff({ initialMs: 500, maxMs: 30_000 });
    for (;;) {
      if (signal.aborted) throw new StoppedError();
      try {
        return await chain.estimateGas(this.#request(intent));
      } catch (error) {
        if (error instanceof CallReverted) return error.revert;
        if (error instanceof StoppedError) throw error;
        logger.error(
          { activity_id: intent.taskId, intent: intent.key, err: error },
          "the node will not estimate this transaction; trying again",
        );
        await clock.sleep(backoff.nextMs(), signal);
      }
    }
  }

  /** Replays the call at the block that refused it: receipts carry no reason. */
  async revertOf(intent: Intent, receipt: Receipt): Promise<Revert> {
    for (const block of [receipt.blockNumber, receipt.blockNumber - 1]) {
      try {
        await this.#deps.chain.call(this.#request(intent), block);
      } catch (error) {
        if (error instanceof CallReverted) return error.revert;
        if (error instanceof StoppedError) throw error;
        this.#deps.logger.debug({ err: error, block }, "the endpoint cannot replay this block");
      }
    }
    return { name: "", message: "reverted for a reason that a replay does not show, such as out of gas" };
  }

  #request({ to, data }: Intent) {
    return { from: this.#deps.from, to, data };
  }
}
