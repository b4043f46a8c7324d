import { type Clock, createBackoff, type Logger } from "@subnet-worker/kit";
import type { Intent, Revert } from "../../domain/intent.ts";
import type { Receipt } from "../../domain/transaction.ts";
import { CallReverted, type CallRequest, type Chain, StoppedError } from "../../ports.ts";

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
  gas({ to, data, key }: Pick<Intent, "to" | "data" | "key">, signal: AbortSignal): Promise<bigint | Revert> {
    return this.#ask(() => this.#deps.chain.estimateGas(this.#request(to, data)), { key, signal });
  }

  /** What a call from the wallet answers, or why it throws. Asks again as above. */
  call(
    { to, data }: Pick<CallRequest, "to" | "data">,
    about: { readonly key: string; readonly signal: AbortSignal },
  ): Promise<string | Revert> {
    return this.#ask(() => this.#deps.chain.call(this.#request(to, data)), about);
  }

  async #ask<T>(
    ask: () => Promise<T>,
    { key, signal }: { readonly key: string; readonly signal: AbortSignal },
  ): Promise<T | Revert> {
    const backoff = createBackoff({ initialMs: 500, maxMs: 30_000 });
    for (;;) {
      if (signal.aborted) throw new StoppedError();
      try {
        return await ask();
      } catch (error) {
        if (error instanceof CallReverted) return error.revert;
        if (error instanceof StoppedError) throw error;
        this.#deps.logger.error(
          { intent: key, err: error },
          "the node will not simulate this transaction; trying again",
        );
        await this.#deps.clock.sleep(backoff.nextMs(), signal);
      }
    }
  }

  /** Replays the call at the block that refused it: receipts carry no reason. */
  async revertOf({ to, data }: Intent, receipt: Receipt): Promise<Revert> {
    for (const block of [receipt.blockNumber, receipt.blockNumber - 1]) {
      try {
        await this.#deps.chain.call(this.#request(to, data), block);
      } catch (error) {
        if (error instanceof CallReverted) return error.revert;
        if (error instanceof StoppedError) throw error;
        this.#deps.logger.debug({ err: error, block }, "the endpoint cannot replay this block");
      }
    }
    return { name: "", message: "reverted for a reason that a replay does not show, such as out of gas" };
  }

  #request(to: string, data: string): CallRequest {
    return { from: this.#deps.from, to, data };
  }
}
