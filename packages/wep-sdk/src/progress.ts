import type { Clock } from "@subnet-worker/kit";
import { WepError } from "./errors.ts";

export interface ProgressReport {
  /** 0 to 100, whole. */
  readonly percent: number;
  readonly message: string;
  /** The last one reported; empty: none. */
  readonly checkpoint: string;
}

/** What a handler says: no message or checkpoint leaves the last one as it was, as a percentage does that is NaN. */
export interface ProgressNews {
  readonly percent: number;
  readonly message: string | undefined;
  readonly checkpoint: string | undefined;
}

export interface ThinningOptions {
  /** At most one report in this long, not counting the last. */
  readonly minIntervalMs: number;
  /** After this long without a report the last one is repeated; 0: never. */
  readonly keepaliveMs: number;
}

export interface ProgressDeps {
  readonly clock: Clock;
  /** Calls `onTaken` once it, or a newer one, has left; at once where nothing can be waited for. */
  readonly send: (report: ProgressReport, onTaken: () => void) => void;
}

/** Longest message of a report, in characters: it is for people. */
const MAX_MESSAGE_CHARS = 4_096;
/** Longest checkpoint of a report, in characters: the worker client keeps it in its database. */
const MAX_CHECKPOINT_CHARS = 65_536;

/**
 * What a handler says with `ctx.progress`, as it can travel: what is no number leaves the percentage as it was.
 *
 * @throws {WepError} INVALID_CHECKPOINT for one that is too long, or no text
 */
export function newsOf(percent: unknown, message: unknown, checkpoint: unknown): ProgressNews {
  const text = String(message);
  if (checkpoint !== undefined && typeof checkpoint !== "string") {
    throw new WepError(
      "INVALID_CHECKPOINT",
      `a checkpoint of ctx.progress is text; save a value with ctx.saveCheckpoint`,
    );
  }
  if (checkpoint !== undefined && checkpoint.length > MAX_CHECKPOINT_CHARS) {
    throw new WepError(
      "INVALID_CHECKPOINT",
      `a checkpoint of ctx.progress has at most ${MAX_CHECKPOINT_CHARS} characters; save it with ctx.saveCheckpoint`,
    );
  }
  return {
    percent: Number(percent),
    message: text.length <= MAX_MESSAGE_CHARS ? text : `${text.slice(0, MAX_MESSAGE_CHARS)}...`,
    checkpoint,
  };
}

const NOTHING: ProgressReport = { percent: 0, message: "", checkpoint: "" };
const TAKEN: Promise<void> = Promise.resolve();

/**
 * Thins the progress of one run and keeps its lease alive: the first report goes
 * out at once, then the newest one per interval, and the last one when the run
 * ends. Without reports the last is repeated, so a silent handler keeps its lease.
 */
export class ProgressReporter implements Disposable {
  readonly #options: ThinningOptions;
  readonly #deps: ProgressDeps;
  #last: ProgressReport = NOTHING;
  #isUnsent = false;
  #isUnderway = false;
  #isClosed = false;
  #sentAtMs = -Infinity;
  #timer: Disposable | undefined;
  #waiting: PromiseWithResolvers<void> | undefined;

  constructor(options: ThinningOptions, deps: ProgressDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#arm();
  }

  get last(): ProgressReport {
    return this.#last;
  }

  /**
   * Takes a report; what is no number leaves the percentage as it was. The promise
   * waits for the report that is under way, so who awaits it cannot outrun the stream.
   */
  report({ percent, message, checkpoint }: ProgressNews): Promise<void> {
    if (this.#isClosed) return TAKEN;
    const whole = Number.isNaN(percent)
      ? this.#last.percent
      : Math.round(Math.min(100, Math.max(0, percent)));
    const { last } = this;
    this.#last = {
      percent: whole,
      message: message ?? last.message,
      checkpoint: checkpoint ?? last.checkpoint,
    };
    const isDue = this.#deps.clock.monotonicMs() - this.#sentAtMs >= this.#options.minIntervalMs;
    const wasUnsent = this.#isUnsent;
    this.#isUnsent = true;
    if (isDue) this.resend();
    else if (!wasUnsent) this.#arm();
    if (!this.#isUnderway) return TAKEN;
    this.#waiting ??= Promise.withResolvers<void>();
    return this.#waiting.promise;
  }

  /** Sends the last report now, as a new stream needs it. */
  resend(): void {
    if (this.#isClosed) return;
    this.#isUnsent = false;
    this.#sentAtMs = this.#deps.clock.monotonicMs();
    this.#isUnderway = true;
    this.#deps.send(this.#last, this.#onTaken);
    this.#arm();
  }

  /** Lets go of who waits: the stream is gone, or the run is to stop. */
  release(): void {
    this.#isUnderway = false;
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }

  /** Sends what waits, then nothing more. */
  [Symbol.dispose](): void {
    if (this.#isUnsent) this.resend();
    this.#isClosed = true;
    this.#timer?.[Symbol.dispose]();
    this.release();
  }

  readonly #onTaken = (): void => this.release();

  #arm(): void {
    this.#timer?.[Symbol.dispose]();
    const { minIntervalMs, keepaliveMs } = this.#options;
    if (!this.#isUnsent && keepaliveMs === 0) return;
    const sinceMs = this.#deps.clock.monotonicMs() - this.#sentAtMs;
    const waitMs = this.#isUnsent ? Math.max(0, minIntervalMs - sinceMs) : keepaliveMs;
    this.#timer = this.#deps.clock.timer(waitMs, () => this.resend());
  }
}
