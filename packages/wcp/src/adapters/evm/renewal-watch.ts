import type { Clock } from "@subnet-worker/kit";
import { isHoldable } from "../../domain/lease.ts";

/** Share of a new measurement in the running mean. */
const WEIGHT = 0.25;
/** A measurement older than this says nothing about now: without work nobody measures. */
const FRESH_MS = 300_000;

/** Knows how long a transaction takes to have its effect, and so whether leases can be held at all. */
export class RenewalWatch {
  readonly #clock: Clock;
  #meanMs: number | undefined;
  #measuredAtMs = 0;
  #leaseMs: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A transaction that renews or makes a lease took this long from its wish to its block. */
  measured(tookMs: number): void {
    const fresh = this.#freshMeanMs();
    this.#meanMs = fresh === undefined ? tookMs : fresh * (1 - WEIGHT) + tookMs * WEIGHT;
    this.#measuredAtMs = this.#clock.monotonicMs();
  }

  /** How long the network's leases are. */
  sawLease(durationMs: number): void {
    this.#leaseMs = durationMs;
  }

  /** Why no lease should be taken on; `undefined` when it can be held, or nobody knows. */
  get trouble(): string | undefined {
    const meanMs = this.#freshMeanMs();
    if (meanMs === undefined || this.#leaseMs === undefined || isHoldable(this.#leaseMs, meanMs)) {
      return undefined;
    }
    return `a lease lasts ${seconds(this.#leaseMs)} s and a heartbeat takes ${seconds(meanMs)} s to get through, so that leases would be lost; look at the fees and the endpoints, or have the TaskQueue's lease duration raised`;
  }

  #freshMeanMs(): number | undefined {
    return this.#clock.monotonicMs() - this.#measuredAtMs > FRESH_MS ? undefined : this.#meanMs;
  }
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(1);
}
