import { Worker } from "node:worker_threads";
import { type Clock, systemClock } from "../src/clock.ts";
import type { CaseReport } from "./check-case.ts";

/** How much is tried. */
export interface CampaignOptions {
  readonly seed: number;
  /** It ends after this time, or after so many cases. */
  readonly timeMs: number;
  readonly cases: number;
  readonly threads: number;
  /** A case that takes longer hangs. */
  readonly hangMs: number;
  /** Folder of the repository. */
  readonly root: string;
  /** Module that exports `meterModule`. */
  readonly meterUrl: string;
}

/** What one thread does: cases `first`, `first + step` and so on, before `end`. */
export interface ThreadTask {
  readonly kind: "campaign";
  readonly seed: number;
  readonly first: number;
  readonly step: number;
  readonly end: number;
  readonly root: string;
  readonly meterUrl: string;
  /** Number of the case that it is at; -1 before the first. */
  readonly current: Int32Array<SharedArrayBuffer>;
}

/** Or one case that was kept. */
export interface ReplayTask {
  readonly kind: "replay";
  /** The module; how it was metered is in a file beside it. */
  readonly file: string;
  readonly meterUrl: string;
}

/** A thread for a task. Its stack is larger than what a run may count. */
function startThread(task: ThreadTask | ReplayTask): Worker {
  return new Worker(new URL("fuzz-thread.ts", import.meta.url), {
    workerData: task,
    execArgv: ["--conditions=@subnet-worker/source"],
    resourceLimits: { stackSizeMb: 8 },
  });
}

/** Checks a case again that was kept. */
export async function replayCase(file: string, meterUrl: string): Promise<CaseReport> {
  const { promise, resolve, reject } = Promise.withResolvers<CaseReport>();
  const worker = startThread({ kind: "replay", file, meterUrl });
  worker.once("message", resolve);
  worker.once("error", reject);
  return await promise;
}

const LOOK_EVERY_MS = 500;
/** Threads are made anew now and then: address space of many memories is given back late. */
const CASES_OF_THREAD = 4_000;

/** Tries modules until time or cases are used up. Every report is handed over as it comes. */
export async function runCampaign(
  options: CampaignOptions,
  onReport: (report: CaseReport) => void,
): Promise<{ readonly tookMs: number }> {
  const startedMs = systemClock.monotonicMs();
  const untilMs = startedMs + options.timeMs;
  const lanes = Array.from({ length: options.threads }, (_, lane) =>
    new Lane({ ...options, lane, untilMs }, onReport, systemClock).run(),
  );
  await Promise.all(lanes);
  return { tookMs: systemClock.monotonicMs() - startedMs };
}

interface LaneOptions extends CampaignOptions {
  readonly lane: number;
  readonly untilMs: number;
}

/** Runs one thread after the other. */
class Lane {
  readonly #options: LaneOptions;
  readonly #onReport: (report: CaseReport) => void;
  readonly #clock: Clock;
  #next: number;

  constructor(options: LaneOptions, onReport: (report: CaseReport) => void, clock: Clock) {
    this.#options = options;
    this.#onReport = onReport;
    this.#clock = clock;
    this.#next = options.lane;
  }

  async run(): Promise<void> {
    while (this.#next < this.#options.cases && this.#clock.monotonicMs() < this.#options.untilMs) {
      await this.#runThread();
    }
  }

  async #runThread(): Promise<void> {
    const { seed, threads, root, meterUrl, cases } = this.#options;
    const current = new Int32Array(new SharedArrayBuffer(4)).fill(-1);
    const end = Math.min(cases, this.#next + CASES_OF_THREAD * threads);
    const worker = startThread({
      kind: "campaign",
      seed,
      first: this.#next,
      step: threads,
      end,
      root,
      meterUrl,
      current,
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    worker.on("message", (report: CaseReport) => {
      this.#next = report.number + threads;
      this.#onReport(report);
    });
    worker.once("exit", () => resolve());
    worker.once("error", (error) => this.#giveUp(current, "crash", String(error)));
    using _ = this.#watch(current, () => void worker.terminate());
    await promise;
  }

  /** Ends a thread whose case does not end, and any once the time is up. */
  #watch(current: Int32Array<SharedArrayBuffer>, stop: () => void): Disposable {
    const { hangMs, untilMs } = this.#options;
    let seen = -1;
    let sinceMs = this.#clock.monotonicMs();
    let timer: Disposable | undefined;
    const look = (): void => {
      const nowMs = this.#clock.monotonicMs();
      const number = Atomics.load(current, 0);
      if (number !== seen) {
        seen = number;
        sinceMs = nowMs;
      }
      if (nowMs - sinceMs > hangMs) {
        this.#giveUp(current, "hang", `no end after ${Math.round(nowMs - sinceMs)} ms`);
        stop();
      } else if (nowMs > untilMs) {
        stop();
      } else {
        timer = this.#clock.timer(LOOK_EVERY_MS, look);
      }
    };
    timer = this.#clock.timer(LOOK_EVERY_MS, look);
    return { [Symbol.dispose]: () => timer?.[Symbol.dispose]() };
  }

  /** The thread is lost with the case that it was at; the next thread goes on behind it. */
  #giveUp(current: Int32Array<SharedArrayBuffer>, kind: "crash" | "hang", message: string): void {
    const number = Math.max(Atomics.load(current, 0), this.#next);
    this.#next = number + this.#options.threads;
    this.#onReport({
      number,
      origin: "mutated",
      verdict: kind,
      ends: { returned: 0, trapped: 0, out_of_fuel: 0, out_of_stack: 0 },
      compared: 0,
      problems: [{ kind, message }],
    });
  }
}
