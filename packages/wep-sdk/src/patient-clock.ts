import type { Clock } from "@subnet-worker/kit";

/** Waits this long or longer need not end on the millisecond. */
const PATIENT_MS = 5_000;
/** How late they may end. */
const TICK_MS = 250;

/**
 * The same clock, whose long timers (5 s and more) share one: they fire up to 250 ms
 * late. Tens of thousands of runs a second each wait for a timeout, a keepalive and
 * an ack, and next to none of these waits is ever over.
 */
export function patientClock(clock: Clock): Clock {
  let patient = PATIENT.get(clock);
  if (patient === undefined) {
    const timers = new CoarseTimers(clock);
    patient = {
      nowMs: () => clock.nowMs(),
      monotonicMs: () => clock.monotonicMs(),
      sleep: (ms, signal) => clock.sleep(ms, signal),
      timer: (ms, fire) => (ms >= PATIENT_MS ? timers.add(ms, fire) : clock.timer(ms, fire)),
    };
    PATIENT.set(clock, patient);
  }
  return patient;
}

const PATIENT = new WeakMap<Clock, Clock>();

/** Timers in buckets of one tick each; the clock is asked for one tick at a time, and for none without timers. */
class CoarseTimers {
  readonly #clock: Clock;
  readonly #buckets = new Map<number, Set<CoarseTimer>>();
  /** Buckets up to this one have been emptied. */
  #doneTick = 0;
  #isTicking = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(ms: number, fire: () => void): Disposable {
    const nowMs = this.#clock.monotonicMs();
    if (!this.#isTicking) {
      this.#doneTick = Math.floor(nowMs / TICK_MS);
      this.#tickLater(nowMs);
    }
    const tick = Math.ceil((nowMs + ms) / TICK_MS);
    let bucket = this.#buckets.get(tick);
    if (bucket === undefined) {
      bucket = new Set();
      this.#buckets.set(tick, bucket);
    }
    const timer = new CoarseTimer(bucket, fire);
    bucket.add(timer);
    return timer;
  }

  #tickLater(nowMs: number): void {
    this.#isTicking = true;
    const nextMs = (Math.floor(nowMs / TICK_MS) + 1) * TICK_MS;
    this.#clock.timer(nextMs - nowMs, () => this.#tick());
  }

  #tick(): void {
    const nowMs = this.#clock.monotonicMs();
    const nowTick = Math.floor(nowMs / TICK_MS);
    const due: CoarseTimer[] = [];
    while (this.#doneTick < nowTick) {
      this.#doneTick += 1;
      due.push(...(this.#buckets.get(this.#doneTick) ?? []));
      this.#buckets.delete(this.#doneTick);
    }
    for (const [tick, bucket] of this.#buckets) if (bucket.size === 0) this.#buckets.delete(tick);
    if (this.#buckets.size === 0) this.#isTicking = false;
    else this.#tickLater(nowMs);
    for (const timer of due) timer.fire();
  }
}

class CoarseTimer implements Disposable {
  readonly #bucket: Set<CoarseTimer>;
  readonly #fire: () => void;

  constructor(bucket: Set<CoarseTimer>, fire: () => void) {
    this.#bucket = bucket;
    this.#fire = fire;
  }

  /** Unless it was disposed by one that fired before it. */
  fire(): void {
    if (this.#bucket.delete(this)) this.#fire();
  }

  [Symbol.dispose](): void {
    this.#bucket.delete(this);
  }
}
