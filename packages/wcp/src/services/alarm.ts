import type { Clock } from "@subnet-worker/kit";

/** Calls somebody at one moment, the last that was set. Rings once. */
export class Alarm implements Disposable {
  readonly #clock: Clock;
  readonly #ring: () => void;
  #timer: Disposable | undefined;
  #atMs: number | undefined;

  constructor(ring: () => void, deps: { readonly clock: Clock }) {
    this.#ring = ring;
    this.#clock = deps.clock;
  }

  /** In monotonic time; `undefined` for never. */
  set(atMs: number | undefined): void {
    if (atMs === this.#atMs) return;
    this[Symbol.dispose]();
    if (atMs === undefined) return;
    this.#atMs = atMs;
    this.#timer = this.#clock.timer(Math.ceil(atMs - this.#clock.monotonicMs()), () => {
      this.#atMs = undefined;
      this.#ring();
    });
  }

  [Symbol.dispose](): void {
    this.#atMs = undefined;
    this.#timer?.[Symbol.dispose]();
  }
}
