/**
 * Takes tasks from offer to settlement.
 *
 * Invariants
 *  D1  A slot is reserved before a claim is made, and held until the run has ended.
 *  D2  Every step is in the task book before its effect, and every effect is idempotent,
 *      so a task found in any state is driven on from there.
 *  D3  A task is driven by one loop at a time.
 *  D4  What waits for confirmations holds back nothing: its outcome is out, and only time is missing.
 */
import { type Clock, createBackoff, type Logger, type Service } from "@subnet-worker/kit";
import { type ClaimWindow, firstWindow, nextWindow } from "../domain/claim-policy.ts";
import { type QueuePolicy, type QueueView, withPauses } from "../domain/scheduler/queue-policy.ts";
import { decideRetry, type RetryPolicy, type RunFailure, tellFailures } from "../domain/retry.ts";
import { FINAL_STATES, type Outcome, type Task } from "../domain/task.ts";
import {
  type Executor,
  type Offer,
  type OfferSink,
  type RecoveredTask,
  type RunOutcome,
  type SettleOutcome,
  type Slot,
  type SlotWish,
  StoppedError,
  type Store,
  TaskDataError,
  type TaskSource,
} from "../ports.ts";
import { Alarm } from "./alarm.ts";
import { Backlog } from "./backlog.ts";
import { ClaimHold } from "./claim-hold.ts";
import { Cooldown } from "./cooldown.ts";
import type { Runner } from "./runner.ts";
import { Places } from "./places.ts";
import type { TaskBook } from "./task-book.ts";
import { TaskGroup } from "./task-group.ts";
import { Wake } from "./wake.ts";

export interface DispatcherOptions {
  /** Who claims: the wallet. Orders candidates, so that workers do not all want the same. */
  readonly identity: string;
  /** Most tasks claimed and not settling. */
  readonly maxInflight: number;
  /** Most offers remembered; the network repeats the rest. */
  readonly maxOffers: number;
  /** A lost or expired task is not tried again before this. */
  readonly cooldownMs: number;
  readonly retry: RetryPolicy;
  /** Queues that are known beforehand. Default none: all that are seen are alike. */
  readonly queues?: readonly QueuePolicy[];
  /** Most tasks of one tenant claimed and not settling; 0, the default, for no limit. */
  readonly tenantMaxInflight?: number;
}

export interface DispatcherDeps {
  readonly source: TaskSource;
  readonly executor: Executor;
  readonly runner: Runner;
  readonly book: TaskBook;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Why nothing more should be taken on at present, the network's own reasons included; empty for none. */
  readonly holdClaims: () => readonly string[];
  /** Keeps what was paused at run time; without it that ends with the process. */
  readonly store?: Pick<Store, "queuePauses" | "saveQueuePause">;
}

const OVERLOADED = 4002;
const INVALID_RESULT = 1003;
/** Nobody knows what the run came to: another may well succeed. */
const LOST_WITH_EXECUTOR = { code: 2002, retryable: true, retryAfterMs: 0 };
/** Claims are held for reasons that end without a word to the dispatcher: it looks this often. */
const LOOK_AGAIN_MS = 1_000;
/** More are left out, to be offered again. */
const MOST_DOUBTS = 1_000;
/** Most tasks whose outcomes are being settled, in multiples of `maxInflight`. */
const SETTLING_PER_INFLIGHT = 16;

export class Dispatcher implements Service, OfferSink {
  readonly name = "dispatcher";
  readonly #options: DispatcherOptions;
  readonly #deps: DispatcherDeps;
  readonly #work = new TaskGroup();
  readonly #wake = new Wake();
  readonly #driven = new Set<string>();
  readonly #cooldown: Cooldown;
  readonly #backlog: Backlog;
  /** Offered while they cool down or their last run is still stopping, to be looked at again. */
  readonly #later = new Map<string, Offer>();
  /** Offered though they are done: stale news mostly, and the reconciler asks the network. */
  readonly #doubts = new Map<string, Offer>();
  readonly #claiming = new Set<string>();
  /** Of those being claimed, the ones that a rival is nearer to. */
  readonly #contested = new Set<string>();
  readonly #places = new Places();
  readonly #settling = new Set<string>();
  /** Of those settling, the ones whose outcome the network has. */
  readonly #included = new Set<string>();
  #window: ClaimWindow;
  readonly #hold: ClaimHold;
  #draining = false;
  #idle: PromiseWithResolvers<void> | undefined;
  /** For the task that is being looked for. */
  #reserved: Slot | undefined;
  readonly #room = {
    canTake: (wish: SlotWish) => (this.#reserved = this.#deps.executor.reserve(wish)) !== undefined,
    contested: () => this.#contested.size,
  };
  /** When a queue's rate allows more. */
  readonly #token: Alarm;
  /** While the service runs. */
  #signal: AbortSignal | undefined;

  constructor(options: DispatcherOptions, deps: DispatcherDeps) {
    this.#options = options;
    this.#deps = deps;
    const { maxOffers: most, maxInflight: claimsAtOnce } = options;
    const queues = withPauses(options.queues ?? [], deps.store?.queuePauses() ?? []);
    this.#backlog = new Backlog({ ...options, most, claimsAtOnce, queues }, deps);
    this.#cooldown = new Cooldown(options.cooldownMs, deps);
    this.#token = new Alarm(() => this.#wake.notify(), deps);
    this.#hold = new ClaimHold(deps);
    this.#window = firstWindow(options.maxInflight);
  }

  wanted(): boolean {
    return !this.#draining && !this.#backlog.isFull;
  }

  async offer(offer: Offer): Promise<void> {
    const { deadlineMs = Number.POSITIVE_INFINITY } = offer.traits ?? {};
    if (deadlineMs <= this.#deps.clock.nowMs()) return;
    if (this.#mustWait(offer.id)) {
      if (this.#later.size < this.#options.maxOffers) this.#later.set(offer.id, offer);
      return;
    }
    if (this.#driven.has(offer.id)) return; // D3
    const offered = this.#deps.book.offer(offer);
    if (offered === undefined) return this.#doubt(offer);
    this.#waitForClaim(offered.task);
    await offered.stored;
  }

  #waitForClaim(task: Task): void {
    if (this.#driven.has(task.id)) return; // D3
    this.#backlog.add(task);
    this.#wake.notify();
  }

  #doubt(offer: Offer): void {
    if (this.#doubts.size >= MOST_DOUBTS || this.#deps.book.get(offer.id) !== undefined) return;
    this.#doubts.set(offer.id, offer);
  }

  /** The first of those that are offered though they are done, until {@link endDoubt}. */
  doubts(most: number): readonly Offer[] {
    return [...this.#doubts.values()].slice(0, most);
  }

  /** Whether the network has lost what was done, so that it is to be done again, is known. */
  async endDoubt(offer: Offer, isUndone: boolean): Promise<void> {
    this.#doubts.delete(offer.id);
    if (!isUndone || this.#draining || this.#driven.has(offer.id)) return;
    const offered = this.#deps.book.offer(offer, isUndone);
    if (offered === undefined) return;
    this.#waitForClaim(offered.task);
    await offered.stored;
  }

  /** Given up a moment ago, or given up while its run has not stopped yet (D3). */
  #mustWait(id: string): boolean {
    if (this.#driven.has(id)) return this.#deps.book.get(id) === undefined;
    return !this.#cooldown.isOver(id);
  }

  gone(id: string, by?: string): void {
    if (by !== undefined) this.#backlog.rival(by);
    this.#later.delete(id);
    if (!this.#backlog.delete(id)) return;
    const reason = by === undefined ? "it is no longer to be had" : `${by} has it`;
    this.#work.start(async () => {
      await this.#deps.book.move(id, { kind: "lost", reason });
    });
  }

  /** Takes up what the network says is ours; false when it is known, or still being stopped. */
  async adopt({ offer, lease }: RecoveredTask): Promise<boolean> {
    if (this.#draining || this.#driven.has(offer.id)) return false;
    if (!(await this.#deps.book.adopt(offer, lease))) return false;
    this.resume(offer.id);
    return true;
  }

  /** Drives on a task that somebody else has brought into the book. */
  resume(id: string): void {
    if (this.#signal !== undefined && !this.#driven.has(id)) this.#start(id, undefined, this.#signal);
  }

  async run(signal: AbortSignal): Promise<void> {
    using _capacity = this.#deps.executor.onCapacity(() => this.#wake.notify());
    using _token = this.#token;
    this.#signal = signal;
    for (const task of this.#deps.book.all()) {
      if (task.state.kind === "offered") this.#backlog.add(task);
      else this.#start(task.id, undefined, signal);
    }
    await this.#work.run(Promise.all([this.#loop(signal), this.#lookAgain(signal)]).then(() => undefined));
  }

  /** Takes no more tasks and resolves when the network has the outcomes of those under way. */
  async drain(): Promise<void> {
    this.#draining = true;
    if (this.undelivered === 0) return;
    this.#idle = Promise.withResolvers();
    await this.#idle.promise;
  }

  /**
   * Claims nothing more of a queue, or again; what was claimed goes on. Outlives a restart, until the queue is
   * again as the configuration has it. False when there is no such queue.
   */
  async pauseQueue(name: string, isPaused: boolean): Promise<boolean> {
    if (!this.queues().some((queue) => queue.name === name)) return false;
    const configured = this.#options.queues?.find((queue) => queue.name === name)?.isPaused ?? false;
    await this.#deps.store?.saveQueuePause(name, isPaused === configured ? undefined : isPaused);
    this.#deps.logger.info({ queue: name }, isPaused ? "queue paused" : "queue goes on");
    this.#wake.notify();
    return this.#backlog.setPaused(name, isPaused);
  }

  /** All queues that were configured, or seen since the start. */
  queues(): readonly QueueView[] {
    return this.#backlog.queues();
  }

  /** Tasks that are being driven. */
  get inflight(): number {
    return this.#driven.size;
  }

  /** Tasks that are being driven and whose outcome the network does not have. */
  get undelivered(): number {
    return this.#driven.size - this.#included.size;
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
      this.#offerLater();
      if (this.#backlog.size > 0) this.#wake.notify();
    }
  }

  #offerLater(): void {
    for (const [id, offer] of this.#later) {
      if (this.#mustWait(id)) continue;
      this.#later.delete(id);
      this.#work.start(() => this.offer(offer));
    }
  }

  #mayClaim(): boolean {
    if (this.#draining) return false;
    return !this.#hold.isHeld() && this.#hasRoom();
  }

  /** D4 */
  #hasRoom(): boolean {
    const { maxInflight } = this.#options;
    return (
      this.#driven.size - this.#settling.size < maxInflight &&
      this.#settling.size < SETTLING_PER_INFLIGHT * maxInflight &&
      this.#claiming.size < this.#window.size
    );
  }

  #fill(signal: AbortSignal): void {
    if (this.#backlog.size === 0) return;
    this.#dropPast();
    if (!this.#mayClaim()) return;
    this.#backlog.newRound();
    while (this.#hasRoom()) {
      const taken = this.#backlog.take(this.#room);
      const slot = this.#reserved;
      this.#reserved = undefined;
      if (taken === undefined) break;
      if (taken.isContested) this.#contested.add(taken.id);
      this.#start(taken.id, slot, signal);
    }
    // The loop looks every second; what a queue's rate allows is not to wait for that.
    this.#token.set(this.#backlog.nextTokenAtMs);
  }

  #dropPast(): void {
    const reason = "its deadline passed before there was room for it";
    for (const id of this.#backlog.dropPast()) {
      this.#cooldown.begin(id);
      if (this.#deps.book.get(id) === undefined) continue;
      this.#work.start(async () => void (await this.#deps.book.move(id, { kind: "abandoned", reason })));
    }
  }

  #start(id: string, slot: Slot | undefined, signal: AbortSignal): void {
    this.#driven.add(id); // D3
    const task = this.#deps.book.get(id);
    if (task?.state.kind === "offered") this.#claiming.add(id);
    else if (task !== undefined) this.#backlog.resumed(task);
    this.#work.start(async () => {
      try {
        await this.#drive(id, slot, signal);
      } finally {
        slot?.[Symbol.dispose]();
        const sets = [this.#driven, this.#claiming, this.#contested, this.#settling, this.#included];
        for (const set of [...sets, this.#places]) set.delete(id);
        this.#backlog.ended(id);
        this.#onProgress();
      }
    });
  }

  #onProgress(): void {
    if (this.undelivered === 0) this.#idle?.resolve();
    this.#wake.notify();
  }

  async #drive(id: string, reserved: Slot | undefined, signal: AbortSignal): Promise<void> {
    let slot = reserved;
    for (;;) {
      const task = this.#deps.book.get(id);
      if (task === undefined) return;
      if (signal.aborted) throw new StoppedError();
      if (FINAL_STATES.has(task.state.kind)) return;
      if (slot !== undefined && this.#places.isInVain(task, slot)) {
        slot[Symbol.dispose]();
        slot = undefined;
      }
      await this.#step(task, slot, signal);
      if (this.#deps.book.get(id) === undefined) this.#cooldown.begin(id);
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
    const startedIn = this.#window.epoch;
    const outcome = await this.#deps.source.claim(task);
    this.#claiming.delete(task.id);
    this.#contested.delete(task.id);
    if (outcome.kind !== "refused") {
      const most = this.#options.maxInflight;
      this.#window = nextWindow(this.#window, outcome.kind, { most, startedIn });
      this.#wake.notify();
    }
    const { book } = this.#deps;
    // Claimed once more after a crash, it is won once more: its assignment is what must not be forgotten.
    if (outcome.kind === "won") book.note(task.id, { kind: "claim_won", lease: outcome.lease });
    else await book.move(task.id, { kind: "lost", reason: outcome.reason });
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
      await this.#finish(task.id, { status: "success", resultHex });
    } else if (outcome.kind === "failed") {
      await this.#onFailure(task, outcome, signal);
    } else if (outcome.kind === "interrupted") {
      await this.#onFailure(task, { ...LOST_WITH_EXECUTOR, message: outcome.reason, isLost: true }, signal);
    } else if (outcome.code === OVERLOADED) {
      this.#places.refused(task);
      await this.#deps.clock.sleep(1_000, signal);
    } else {
      await this.#deps.book.move(task.id, {
        kind: "abandoned",
        reason: `the executor refused it: ${outcome.reason}; its lease is left to run out so that another worker can take it`,
      });
    }
  }

  async #onFailure(
    task: Task,
    { isLost = false, ...failure }: RunFailure & { readonly isLost?: boolean },
    signal: AbortSignal,
  ): Promise<void> {
    const attempt = "run" in task.state ? task.state.run.attempt : 1;
    const decision = decideRetry(failure, attempt, this.#options.retry);
    const run = "run" in task.state ? { run_id: task.state.run.id } : {};
    const log = { activity_id: task.id, ...run, attempt, error_code: failure.code, error: failure.message };
    if (decision.kind === "fail") {
      const before = "run" in task.state ? (task.state.run.past?.failures ?? []) : [];
      this.#deps.logger.warn(log, "the run failed; failing the activity");
      await this.#finish(task.id, {
        status: "error",
        code: failure.code,
        reason: tellFailures([...before, failure.message]),
      });
      return;
    }
    this.#deps.logger.warn({ ...log, retry_in_ms: decision.delayMs }, "the run failed; running it again");
    await this.#deps.book.move(task.id, { kind: "run_failed", failure: failure.message, isLost });
    await this.#deps.clock.sleep(decision.delayMs, signal);
  }

  async #finish(id: string, outcome: Outcome): Promise<void> {
    if (this.#deps.book.get(id) !== undefined) await this.#deps.book.move(id, { kind: "finished", outcome });
  }

  async #settle(task: Task, outcome: Outcome): Promise<void> {
    const { source, book } = this.#deps;
    this.#settling.add(task.id);
    this.#backlog.ended(task.id, outcome.status === "success"); // D4
    this.#wake.notify();
    const onIncluded = () => {
      this.#included.add(task.id);
      this.#onProgress();
    };
    const settled: SettleOutcome =
      outcome.status === "success"
        ? await source.complete(task, outcome.resultHex, onIncluded)
        : await source.fail(task, outcome.reason, onIncluded);
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
    while (!signal.aborted) {
      if (this.#deps.book.get(task.id) === undefined) return undefined;
      const slot = this.#deps.executor.reserve(this.#places.wishOf(task));
      if (slot !== undefined) return slot;
      await this.#deps.clock.sleep(backoff.nextMs(), signal);
    }
    throw new StoppedError();
  }
}
