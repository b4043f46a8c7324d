import type { Clock } from "@subnet-worker/kit";

/** Which tasks were given up a moment ago. */
export class Cooldown {
  readonly #lengthMs: number;
  readonly #clock: Clock;
  /** In monotonic time; insertion order is time order. */
  readonly #untilMs = new Map<string, number>();

  constructor(lengthMs: number, deps: { readonly clock: Clock }) {
    this.#lengthMs = lengthMs;
    this.#clock = deps.clock;
  }

  /** Begins, or begins anew. */
  begin(id: string): void {
    const nowMs = this.#clock.monotonicMs();
    this.#untilMs.delete(id);
    this.#untilMs.set(id, nowMs + this.#lengthMs);
    for (const [old, untilMs] of this.#untilMs) {
      if (untilMs > nowMs) break;
      this.#untilMs.delete(old);
    }
  }

  isOver(id: string): boolean {
    const untilMs = this.#untilMs.get(id);
    return untilMs === undefined || this.#clock.monotonicMs() >= untilMs;
  }
}
