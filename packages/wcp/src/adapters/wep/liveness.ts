import type { Clock } from "@subnet-worker/kit";

export interface LivenessOptions {
  readonly pingIntervalMs: number;
  readonly silenceMs: number;
}

export interface LivenessDeps {
  readonly clock: Clock;
  /** Asks for a sign of life. */
  readonly ask: (nonce: bigint) => void;
  /** How many times `silenceMs` this peer is given now. */
  readonly patience: () => number;
  readonly onSilent: () => void;
}

/** A peer that speaks and answers no ping is alive; how long each took is forgotten. */
const MOST_ASKED = 32;

interface Asked {
  readonly sentAtMs: number;
  readonly answer?: PromiseWithResolvers<number>;
}

/**
 * Finds a peer that is no longer there within `silenceMs` and one interval. Silence is counted in beats of
 * our own, so that a pause of this process is not taken for one of the peer's.
 */
export class Liveness implements Disposable {
  readonly #options: LivenessOptions;
  readonly #deps: LivenessDeps;
  readonly #asked = new Map<bigint, Asked>();
  #timer: Disposable | undefined;
  #nonce = 0n;
  #wasHeard = false;
  #silentMs = 0;
  #isOver = false;
  #roundTripMs: number | undefined;

  constructor(options: LivenessOptions, deps: LivenessDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** Of the last answer; `undefined` before any. */
  get roundTripMs(): number | undefined {
    return this.#roundTripMs;
  }

  start(): void {
    this.#wasHeard = true;
    this.#beatLater();
  }

  /** The peer said something, whatever it was. */
  heard(): void {
    this.#wasHeard = true;
  }

  answered(nonce: bigint): void {
    const asked = this.#asked.get(nonce);
    if (asked === undefined) return;
    this.#asked.delete(nonce);
    this.#roundTripMs = this.#deps.clock.monotonicMs() - asked.sentAtMs;
    asked.answer?.resolve(this.#roundTripMs);
  }

  /** Asks now. Rejects when the session ends before the answer. */
  ask(): Promise<number> {
    if (this.#isOver) return Promise.reject(new Error("the connection is gone"));
    const answer = Promise.withResolvers<number>();
    this.#send({ sentAtMs: this.#deps.clock.monotonicMs(), answer });
    return answer.promise;
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#timer?.[Symbol.dispose]();
    for (const { answer } of this.#asked.values()) {
      answer?.reject(new Error("the connection was lost before the answer came"));
    }
    this.#asked.clear();
  }

  #send(asked: Asked): void {
    this.#nonce += 1n;
    this.#asked.set(this.#nonce, asked);
    if (this.#asked.size > MOST_ASKED) this.#forgetOldest();
    this.#deps.ask(this.#nonce);
  }

  #forgetOldest(): void {
    for (const [nonce, { answer }] of this.#asked) {
      this.#asked.delete(nonce);
      answer?.reject(new Error("it does not answer pings"));
      return;
    }
  }

  #beatLater(): void {
    this.#timer = this.#deps.clock.timer(this.#options.pingIntervalMs, () => this.#beat());
  }

  #beat(): void {
    const { pingIntervalMs, silenceMs } = this.#options;
    this.#silentMs = this.#wasHeard ? 0 : this.#silentMs + pingIntervalMs;
    this.#wasHeard = false;
    if (this.#silentMs >= silenceMs * this.#deps.patience()) {
      this.#deps.onSilent();
      return;
    }
    this.#send({ sentAtMs: this.#deps.clock.monotonicMs() });
    this.#beatLater();
  }
}
