import type { Clock } from "@subnet-worker/kit";

export interface LivenessOptions {
  readonly pingIntervalMs: number;
  /** Without a sign of life for this long, the peer counts as gone. */
  readonly silenceMs: number;
}

export interface LivenessDeps {
  readonly clock: Clock;
  readonly ping: () => void;
  /** Called once. */
  readonly onSilent: (silentMs: number) => void;
}

/** Pings a peer, and notices when nothing comes from it any more. */
export class Liveness implements Disposable {
  readonly #options: LivenessOptions;
  readonly #deps: LivenessDeps;
  #seenAtMs: number;
  #beatAtMs: number;
  #timer: Disposable | undefined;

  constructor(options: LivenessOptions, deps: LivenessDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#seenAtMs = deps.clock.monotonicMs();
    this.#beatAtMs = this.#seenAtMs;
    this.#arm();
  }

  /** The peer is there. */
  seen(): void {
    this.#seenAtMs = this.#deps.clock.monotonicMs();
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }

  #arm(): void {
    this.#timer = this.#deps.clock.timer(this.#options.pingIntervalMs, () => this.#beat());
  }

  #beat(): void {
    const { pingIntervalMs, silenceMs } = this.#options;
    const nowMs = this.#deps.clock.monotonicMs();
    const sinceBeatMs = nowMs - this.#beatAtMs;
    this.#beatAtMs = nowMs;
    // This thread was busy, or the machine asleep: what came meanwhile waits to be read.
    if (sinceBeatMs > 2 * pingIntervalMs) this.#seenAtMs += sinceBeatMs - pingIntervalMs;
    const silentMs = nowMs - this.#seenAtMs;
    if (silentMs >= silenceMs) {
      this.#deps.onSilent(Math.round(silentMs));
      return;
    }
    this.#deps.ping();
    this.#arm();
  }
}
