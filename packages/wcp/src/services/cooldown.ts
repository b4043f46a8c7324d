import type { Clock } from "@subnet-worker/kit";

/** Which tasks were given up a moment ago. */
export class Cooldown {
  readonly #lengthMs: number;
  readonly #clock: Clock;
  /** Until when, in monotonic time. What is older than one length is forgotten by the mapful: thousands end each second. */
  #young = new Map<string, number>();
  #old: ReadonlyMap<string, number> = new Map();
  #ageAtMs = Number.NEGATIVE_INFINITY;

  constructor(lengthMs: number, deps: { readonly clock: Clock }) {
    this.#lengthMs = lengthMs;
    this.#clock = deps.clock;
  }

  /** Begins, or begins anew. */
  begin(id: string): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs >= this.#ageAtMs) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#ageAtMs = nowMs + this.#lengthMs;
    }
    this.#young.set(id, nowMs + this.#lengthMs);
  }

  isOver(id: string): boolean {
    const untilMs = this.#young.get(id) ?? this.#old.get(id);
    return untilMs === undefined || this.#clock.monotonicMs() >= untilMs;
  }
}
