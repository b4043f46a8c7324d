import { createDeferred, type Deferred } from "@subnet-worker/testkit";
import {
  type Assignment,
  type Executor,
  type RunListener,
  type RunOutcome,
  type Slot,
  type SlotWish,
  StoppedError,
} from "../src/ports.ts";

/** One run on a slot, held until the test decides its end. */
export interface FakeRun {
  readonly assignment: Assignment;
  readonly listener: RunListener;
  readonly end: Deferred<RunOutcome>;
}

export const SUCCESS: RunOutcome = { kind: "succeeded", result: { json: "{}", ref: "" } };

export function failure(overrides: Partial<Extract<RunOutcome, { kind: "failed" }>> = {}): RunOutcome {
  return { kind: "failed", code: 2001, message: "it broke", retryable: false, retryAfterMs: 0, ...overrides };
}

/** A pool of slots whose runs do what the test says. */
export class FakeExecutor implements Executor {
  readonly runs: FakeRun[] = [];
  readonly wishes: SlotWish[] = [];
  readonly cancelled: string[] = [];
  /** `run 1`, `kept`, `free`: what happened to slots, in order. */
  readonly events: string[] = [];
  /** Most slots that were out at once. */
  peak = 0;
  #free: number;
  #out = 0;
  readonly #listeners = new Set<() => void>();
  readonly #waiting: ((run: FakeRun) => void)[] = [];
  #taken = 0;

  constructor(slots: number) {
    this.#free = slots;
  }

  get inUse(): number {
    return this.#out;
  }

  /** Adds slots, as a WEP that connects does. */
  grow(slots: number): void {
    this.#free += slots;
    for (const listener of this.#listeners) listener();
  }

  /** The next run that no earlier call has taken. */
  nextRun(): Promise<FakeRun> {
    const run = this.runs[this.#taken];
    if (run === undefined) return new Promise((resolve) => void this.#waiting.push(resolve));
    this.#taken += 1;
    return Promise.resolve(run);
  }

  reserve(wish: SlotWish): Slot | undefined {
    this.wishes.push(wish);
    if (this.#free === 0) return undefined;
    this.#free -= 1;
    this.#out += 1;
    this.peak = Math.max(this.peak, this.#out);
    let isOut = true;
    return {
      executor: wish.executor ?? "http://wep-1",
      run: (assignment, listener, signal) =>
        this.#run({ assignment, listener, end: createDeferred() }, signal),
      keepOutcome: () => void this.events.push("kept"),
      [Symbol.dispose]: () => {
        if (!isOut) return;
        isOut = false;
        this.#out -= 1;
        this.events.push("free");
        this.grow(1);
      },
    };
  }

  async #run(run: FakeRun, signal: AbortSignal): Promise<RunOutcome> {
    this.events.push(`run ${run.assignment.attempt}`);
    this.runs.push(run);
    const waiter = this.#waiting.shift();
    if (waiter !== undefined) {
      this.#taken += 1;
      waiter(run);
    }
    const stop = () => run.end.reject(new StoppedError());
    signal.addEventListener("abort", stop, { once: true });
    return run.end.promise;
  }

  onCapacity(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  cancel(taskId: string, reason: string): void {
    this.cancelled.push(`${taskId.replace(/^0x0*/, "")} ${reason}`);
  }

  notReady(): readonly string[] {
    return [];
  }
}
