import type { Clock } from "@subnet-worker/kit";
import type { Fees } from "../domain/fees.ts";
import type { Chain } from "../ports.ts";

/**
 * Gas added to every limit: a storage slot that was warm when estimated may be cold when mined,
 * which of a small call is more than a percentage.
 */
export const GAS_HEADROOM = 30_000n;

const FRESH_MS = 1_000;

/** Market fees, asked for at most once a second: the cap of tip + 2 x base fee outlives that easily. */
export class LaneFees {
  readonly #deps: { readonly chain: Chain; readonly clock: Clock };
  #asked: { readonly atMs: number; readonly fees: Promise<Fees> } | undefined;

  constructor(deps: { readonly chain: Chain; readonly clock: Clock }) {
    this.#deps = deps;
  }

  market(): Promise<Fees> {
    const nowMs = this.#deps.clock.monotonicMs();
    if (this.#asked === undefined || nowMs - this.#asked.atMs > FRESH_MS) {
      const fees = this.#deps.chain.marketFees();
      this.#asked = { atMs: nowMs, fees };
      fees.catch(() => {
        this.#asked = undefined; // the next caller asks again; this one gets the rejection
      });
    }
    return this.#asked.fees;
  }
}
