import type { Clock, Logger } from "@subnet-worker/kit";
import type { Intent, Revert } from "../../domain/intent.ts";
import type { Receipt } from "../../domain/transaction.ts";
import { CallReverted, type CallRequest, type Chain } from "../../chain-ports.ts";
import { StoppedError } from "../../ports.ts";
import { askUntilAnswered } from "./ask.ts";

export interface SimulationDeps {
  readonly chain: Chain;
  /** The wallet: contracts decide by who asks. */
  readonly from: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface About {
  readonly key: string;
  readonly signal: AbortSignal;
  /** When the answer is of no use any more. */
  readonly deadlineMs?: number;
}

const REPLAY_MS = 5_000;
const UNKNOWN: Revert = {
  name: "",
  message: "reverted for a reason that a replay does not show, such as out of gas",
};

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
  gas({ to, data, key, deadlineMs }: Intent, signal: AbortSignal): Promise<bigint | Revert> {
    return this.#ask(() => this.#deps.chain.estimateGas(this.#request(to, data)), {
      key,
      signal,
      ...(deadlineMs === undefined ? {} : { deadlineMs }),
    });
  }

  /** What a call from the wallet answers, or why it throws. Asks again as above. */
  call({ to, data }: Pick<CallRequest, "to" | "data">, about: About): Promise<string | Revert> {
    return this.#ask(() => this.#deps.chain.call(this.#request(to, data)), about);
  }

  /** The answer, or the contract's no; and a no of our own once nobody needs the answer any more. */
  async #ask<T>(
    ask: () => Promise<T>,
    { key, signal, deadlineMs = Number.POSITIVE_INFINITY }: About,
  ): Promise<T | Revert> {
    const { clock, logger } = this.#deps;
    const isOver = () => clock.nowMs() >= deadlineMs;
    const isFinal = (error: unknown) => error instanceof CallReverted || isOver();
    try {
      return await askUntilAnswered(
        ask,
        { what: `simulation of ${key}`, signal, isFinal },
        { clock, logger },
      );
    } catch (error) {
      if (error instanceof CallReverted) return error.revert;
      if (error instanceof StoppedError || !isOver()) throw error;
      return { name: "", message: "its deadline passed before it could be simulated" };
    }
  }

  /** Replays the call at the block that refused it: receipts carry no reason. Does not take long. */
  async revertOf({ to, data }: Intent, receipt: Receipt): Promise<Revert> {
    const late = Promise.withResolvers<Revert>();
    // A node that has forgotten that block's state may never answer, and all confirmations wait for this.
    using _ = this.#deps.clock.timer(REPLAY_MS, () => late.resolve(UNKNOWN));
    return await Promise.race([this.#replay(this.#request(to, data), receipt.blockNumber), late.promise]);
  }

  async #replay(request: CallRequest, blockNumber: number): Promise<Revert> {
    for (const block of [blockNumber, blockNumber - 1]) {
      try {
        await this.#deps.chain.call(request, block);
      } catch (error) {
        if (error instanceof CallReverted) return error.revert;
        if (error instanceof StoppedError) throw error;
        this.#deps.logger.debug({ err: error, block }, "the endpoint cannot replay this block");
      }
    }
    return UNKNOWN;
  }

  #request(to: string, data: string): CallRequest {
    return { from: this.#deps.from, to, data };
  }
}
