import type { Clock } from "@subnet-worker/kit";

export interface ProgressReport {
  /** 0 to 100, whole. */
  readonly percent: number;
  readonly message: string;
}

export interface ProgressOptions {
  /** At most one report in this long, not counting the last. */
  readonly minIntervalMs: number;
  /** After this long without a report the last one is repeated; 0: never. */
  readonly keepaliveMs: number;
}

/**
 * Thins the progress of one run and keeps its lease alive: the first report goes
 * out at once, then the newest one per interval, and the last one when the run
 * ends. Without reports the last is repeated, so a silent handler keeps its lease.
 */
export class ProgressReporter implements Disposable {
  readonly #options: ProgressOptions;
  readonly #clock: Clock;
  readonly #send: (report: ProgressReport) => void;
  #last: ProgressReport = { percent: 0, message: "" };
  #isUnsent = false;
  #isClosed = false;
  #sentAtMs = -Infinity;
  #timer: Disposable | undefined;

  constructor(
    options: ProgressOptions,
    deps: { readonly clock: Clock; readonly send: (report: ProgressReport) => void },
  ) {
    this.#options = options;
    this.#clock = deps.clock;
    this.#send = deps.send;
    this.#arm();
  }

  /** Takes a report. What is no number leaves the percentage as it was. */
  report(percent: number, message = ""): void {
    if (this.#isClosed) return;
    const whole = Number.isNaN(percent)
      ? this.#last.percent
      : Math.round(Math.min(100, Math.max(0, percent)));
    this.#last = { percent: whole, message };
    this.#isUnsent = true;
    if (this.#clock.monotonicMs() - this.#sentAtMs >= this.#options.minIntervalMs) this.resend();
    else this.#arm();
  }

  /** Sends the last report now, as a new stream needs it. */
  resend(): void {
    if (this.#isClosed) return;
    this.#isUnsent = false;
    this.#sentAtMs = this.#clock.monotonicMs();
    this.#send(this.#last);
    this.#arm();
  }

  /** Sends what waits, then nothing more. */
  [Symbol.dispose](): void {
    if (this.#isUnsent) this.resend();
    this.#isClosed = true;
    this.#timer?.[Symbol.dispose]();
  }

  #arm(): void {
    this.#timer?.[Symbol.dispose]();
    const { minIntervalMs, keepaliveMs } = this.#options;
    if (!this.#isUnsent && keepaliveMs === 0) return;
    const sinceMs = this.#clock.monotonicMs() - this.#sentAtMs;
    const waitMs = this.#isUnsent ? Math.max(0, minIntervalMs - sinceMs) : keepaliveMs;
    this.#timer = this.#clock.timer(waitMs, () => this.resend());
  }
}
