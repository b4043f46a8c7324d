/**
 * Takes tasks from offer to settlement.
 *
 * Invariants
 *  D1  A slot is reserved before a claim is made, and held until the run has ended.
 *  D2  Every step is in the task book before its effect, and every effect is idempotent,
 *      so a task found in any state is driven on from there.
 *  D3  A task is driven by one loop at a time.
 */
import { type Clock, createBackoff, type Logger, type Service } from "@subnet-worker/kit";
import { decideRetry, type RetryPolicy } from "../domain/retry.ts";
import { FINAL_STATES, type Outcome, type Task } from "../domain/task.ts";
import {
  type Executor,
  type Offer,
  type OfferSink,
  type RunOutcome,
  type SettleOutcome,
  type Slot,
  StoppedError,
  TaskDataError,
  type TaskSource,
} from "../ports.ts";
import type { Runner } from "./runner.ts";
import type { TaskBook } from "./task-book.ts";
import { TaskGroup } from "./task-group.ts";
import { Wake } from "./wake.ts";

export interface DispatcherOptions {
  /** Most tasks claimed and not settled. */
  readonly maxInflight: number;
  /** Most offers remembered; the network repeats the rest. */
  readonly maxOffers: number;
  /** A lost or expired task is not tried again before this. */
  readonly cooldownMs: number;
  readonly retry: RetryPolicy;
}

export interface DispatcherDeps {
  readonly source: TaskSource;
  readonly executor: Executor;
  readonly runner: Runner;
  readonly book: TaskBook;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Reasons not to take on more at present. */
  readonly holdClaims: () => boolean;
}

const OVERLOADED = 4002;
const INVALID_RESULT = 1003;
/** Claims are held for reasons that end without a word to the dispatcher: it looks this often. */
const LOOK_AGAIN_MS = 1_000;

export class Dispatcher implements Service, OfferSink {
  readonly name = "dispatcher";
  readonly #options: DispatcherOptions;
  readonly #deps: DispatcherDeps;
  readonly #work = new TaskGroup();
  readonly #wake = new Wake();
  readonly #driven = new Set<string>();
  readonly #cooldownUntilMs = new Map<string, number>();
  /** Offered and not yet driven, oldest first. */
  readonly #backlog = new Set<string>();
  #draining = false;
  #idle: PromiseWithResolvers<void> | undefined;

  constructor(options: DispatcherOptions, deps: DispatcherDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  wanted(): boolean {
    return !this.#draining && this.#backlog.size < this.#options.maxOffers;
  }

  async offer(offer: Offer): Promise<void> {
    if (this.#driven.has(offer.id)) return; // D3: a run whose lease was lost may still be stopping
    const cooldown = this.#cooldownUntilMs.get(offer.id);
    if (cooldown !== undefined && this.#deps.clock.nowMs() < cooldown) return;
    this.#cooldownUntilMs.delete(offer.id);
    const task = await this.#deps.book.offer(offer);
    if (task === undefined) return;
    this.#backlog.add(task.id);
    this.#wake.notify();
  }

  gone(id: string): void {
    this.#backlog.delete(id);
  }

  /** Adopts what the network says is ours and the store does not know. */
  async recover(): Promise<void> {
    const { source, book, logger } = this.#deps;
    for (const { offer, lease } of await source.recover()) {
      if (!(await book.adopt(offer, lease))) continue;
      logger.warn(
        { activity_id: offer.id },
        "activity recovered from the network: it is ours and was not in the store",
      );
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    using _capacity = this.#deps.executor.onCapacity(() => this.#wake.notify());
    for (const task of this.#deps.book.all()) {
      if (task.state.kind === "offered") this.#backlog.add(task.id);
      else this.#start(task.id, undefined, signal);
    }
    await this.#work.run(Promise.all([this.#loop(signal), this.#lookAgain(signal)]).then(() => undefined));
  }

  /** Takes no more tasks and resolves when those under way are settled. */
  async drain(): Promise<void> {
    this.#draining = true;
    if (this.#driven.size === 0) return;
    this.#idle = Promise.withResolvers();
    await this.#idle.promise;
  }

  /** Tasks that are being driven. */
  get inflight(): number {
    return this.#driven.size;
  }

  async #loop(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#fill(signal);
      await this.#wake.wait(signal);
    }
  }

  async #lookAgain(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#deps.clock.sleep(LOOK_AGAIN_MS, signal);
      if (this.#backlog.size > 0) this.#wake.notify();
    }
  }

  #fill(signal: AbortSignal): void {
    if (this.#draining || this.#deps.holdClaims()) return;
    const full = new Set<string>();
    for (const id of this.#backlog) {
      if (this.#driven.size >= this.#options.maxInflight) return;
      const task = this.#deps.book.get(id);
      if (task === undefined || this.#driven.has(id)) {
        this.#backlog.delete(id);
        continue;
      }
      const what = `${task.kind} ${task.version}`;
      const slot = full.has(what) ? undefined : this.#deps.executor.reserve(task);
      if (slot === undefined) {
        full.add(what);
        continue;
      }
      this.#backlog.delete(id);
      this.#start(id, slot, signal);
    }
  }

  #start(id: string, slot: Slot | undefined, signal: AbortSignal): void {
    this.#driven.add(id); // D3
    this.#work.start(async () => {
      try {
        await this.#drive(id, slot, signal);
      } finally {
        slot?.[Symbol.dispose]();
        this.#driven.delete(id);
        if (this.#driven.size === 0) this.#idle?.resolve();
        this.#wake.notify();
      }
    });
  }

  async #drive(id: string, slot: Slot | undefined, signal: AbortSignal): Promise<void> {
    for (;;) {
      const task = this.#deps.book.get(id);
      if (task === undefined) return;
      if (signal.aborted) throw new StoppedError();
      if (FINAL_STATES.has(task.state.kind)) return;
      await this.#step(task, slot, signal);
      this.#coolDown(id);
    }
  }

  #coolDown(id: string): void {
    if (this.#deps.book.get(id) !== undefined) return;
    this.#cooldownUntilMs.set(id, this.#deps.clock.nowMs() + this.#options.cooldownMs);
    for (const [old, untilMs] of this.#cooldownUntilMs) {
      if (untilMs > this.#deps.clock.nowMs()) break; // insertion order is time order
      this.#cooldownUntilMs.delete(old);
    }
  }

  async #step(task: Task, slot: Slot | undefined, signal: AbortSignal): Promise<void> {
    const { book } = this.#deps;
    switch (task.state.kind) {
      case "offered":
        await book.move(task.id, { kind: "claim_started" });
        break;
      case "claiming":
        await this.#claim(task);
        break;
      case "claimed":
      case "assigned":
      case "running":
        await this.#execute(task, slot, signal);
        break;
      case "settling":
        slot?.[Symbol.dispose]();
        await this.#settle(task, task.state.outcome);
        break;
      default:
        break;
    }
  }

  async #claim(task: Task): Promise<void> {
    const outcome = await this.#deps.source.claim(task);
    await this.#deps.book.move(
      task.id,
      outcome.kind === "won"
        ? { kind: "claim_won", lease: outcome.lease }
        : { kind: "lost", reason: outcome.reason },
    );
  }

  async #execute(task: Task, held: Slot | undefined, signal: AbortSignal): Promise<void> {
    const slot = held ?? (await this.#awaitSlot(task, signal));
    if (slot === undefined) return; // lost while it waited
    try {
      const outcome = await this.#deps.runner.run(task, slot, signal);
      await this.#conclude(task.id, outcome, signal);
    } catch (error) {
      if (!(error instanceof TaskDataError)) throw error;
      await this.#finish(task.id, { status: "error", code: error.code, reason: error.message });
    } finally {
      if (slot !== held) slot[Symbol.dispose]();
    }
  }

  async #conclude(id: string, outcome: RunOutcome, signal: AbortSignal): Promise<void> {
    const task = this.#deps.book.get(id);
    if (task === undefined) return; // the lease was lost while it ran
    if (outcome.kind === "succeeded") {
      const resultHex = this.#deps.source.encodeResult(task, outcome.result);
      await this.#finish(id, { status: "success", resultHex });
    } else if (outcome.kind === "failed") {
      await this.#onFailure(task, outcome, signal);
    } else if (outcome.code === OVERLOADED) {
      await this.#deps.clock.sleep(1_000, signal);
    } else {
      await this.#deps.book.move(id, {
        kind: "abandoned",
        reason: `the executor refused it: ${outcome.reason}; its lease is left to run out so that another worker can take it`,
      });
    }
  }

  async #onFailure(
    task: Task,
    failure: Extract<RunOutcome, { kind: "failed" }>,
    signal: AbortSignal,
  ): Promise<void> {
    const attempt = "run" in task.state ? task.state.run.attempt : 1;
    const decision = decideRetry(failure, attempt, this.#options.retry);
    const run = "run" in task.state ? { run_id: task.state.run.id } : {};
    const log = { activity_id: task.id, ...run, attempt, error_code: failure.code, error: failure.message };
    if (decision.kind === "fail") {
      this.#deps.logger.warn(log, "the run failed; failing the activity");
      await this.#finish(task.id, { status: "error", code: failure.code, reason: failure.message });
      return;
    }
    this.#deps.logger.warn({ ...log, retry_in_ms: decision.delayMs }, "the run failed; running it again");
    await this.#deps.book.move(task.id, { kind: "run_failed" });
    await this.#deps.clock.sleep(decision.delayMs, signal);
  }

  async #finish(id: string, outcome: Outcome): Promise<void> {
    if (this.#deps.book.get(id) !== undefined) await this.#deps.book.move(id, { kind: "finished", outcome });
  }

  async #settle(task: Task, outcome: Outcome): Promise<void> {
    const { source, book } = this.#deps;
    const settled: SettleOutcome =
      outcome.status === "success"
        ? await source.complete(task, outcome.resultHex)
        : await source.fail(task, outcome.reason);
    if (settled.kind !== "refused") await book.move(task.id, settled);
    else if (outcome.status === "success") {
      await book.move(task.id, {
        kind: "finished",
        outcome: { status: "error", code: INVALID_RESULT, reason: settled.reason },
      });
    } else await book.move(task.id, { kind: "abandoned", reason: settled.reason });
  }

  /** For a task that is already ours, after a restart: it waits for room, since it must not be lost. */
  async #awaitSlot(task: Task, signal: AbortSignal): Promise<Slot | undefined> {
    const backoff = createBackoff({ initialMs: 50, maxMs: 2_000 });
    const executor = "run" in task.state ? { executor: task.state.run.executor } : {};
    while (!signal.aborted) {
      if (this.#deps.book.get(task.id) === undefined) return undefined;
      const slot = this.#deps.executor.reserve({ ...task, ...executor });
      if (slot !== undefined) return slot;
      await this.#deps.clock.sleep(backoff.nextMs(), signal);
    }
    throw new StoppedError();
  }
}
