/**
 * Takes tasks from offer to settlement.
 *
 * Invariants
 *  D1  A slot is reserved before a claim is made, and held until the run has ended.
 *  D2  Every step is in the task book before its effect, and every effect is idempotent,
 *      so a task found in any state is driven on from there.
 *  D3  A task is driven by one loop at a time.
 *  D4  What waits for confirmations holds back nothing: its outcome is out, and only time is missing.
 *  D5  What one queue has waiting keeps no other from being offered and claimed; what is passed over for it
 *      is offered again by the source.
 *
 * In this order: offers in, the service and its operator, claims, the loop that drives a task. What a run
 * came to is decided in {@link RunOutcomes}, and told to the network by {@link Settlements}.
 */
import { type Clock, createBackoff, type Logger, type Service } from "@subnet-worker/kit";
import { type ClaimWindow, firstWindow, nextWindow } from "../domain/claim-policy.ts";
import { type QueuePolicy, type QueueView, withPauses } from "../domain/scheduler/queue-policy.ts";
import type { RetryPolicy } from "../domain/retry.ts";
import { FINAL_STATES, type Task } from "../domain/task.ts";
import {
  type Executor,
  type Offer,
  type OfferSink,
  type RecoveredTask,
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
import { Places } from "./places.ts";
import { RunOutcomes } from "./run-outcomes.ts";
import type { Runner } from "./runner.ts";
import { Settlements } from "./settlements.ts";
import type { TaskBook } from "./task-book.ts";
import { TaskGroup } from "./task-group.ts";
import { Wake } from "./wake.ts";

export interface DispatcherOptions {
  /** Who claims: the wallet. Orders candidates, so that workers do not all want the same. */
  readonly identity: string;
  /** Most tasks claimed and not settling. */
  readonly maxInflight: number;
  /**
   * Most offers remembered while one queue has them all. `n` queues may have `1 + 1/2 + … + 1/n` times as many,
   * so that none keeps another out. The rest is passed over: the source offers it again.
   */
  readonly maxOffers: number;
  /** A lost or expired task is not tried again before this. */
  readonly cooldownMs: number;
  readonly retry: RetryPolicy;
  /** Results are stored with the run that they are of: for nodes that broker storage. Default false. */
  readonly keepsRunIds?: boolean;
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
  /** Offered while they cool down or their last run is still stopping, to be looked at again when there is room. */
  readonly #later = new Map<string, Offer>();
  /** Offered though they are done: stale news mostly, and the reconciler asks the network. */
  readonly #doubts = new Map<string, Offer>();
  readonly #claiming = new Set<string>();
  /** Of those being claimed, the ones that a rival is nearer to. */
  readonly #contested = new Set<string>();
  readonly #places = new Places();
  readonly #outcomes: RunOutcomes;
  readonly #settlements: Settlements;
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
    this.#outcomes = new RunOutcomes(options, { ...deps, places: this.#places });
    this.#settlements = new Settlements({ ...deps, onIncluded: () => this.#onProgress() });
    this.#token = new Alarm(() => this.#wake.notify(), deps);
    this.#hold = new ClaimHold(deps);
    this.#window = firstWindow(options.maxInflight);
  }

  // --- Offers in ---------------------------------------------------------------

  wanted(queue: string): boolean {
    return !this.#draining && this.#backlog.hasRoom(queue);
  }

  async offer(offer: Offer): Promise<boolean> {
    const { deadlineMs = Number.POSITIVE_INFINITY } = offer.traits ?? {};
    if (deadlineMs <= this.#deps.clock.nowMs()) return true;
    if (this.#mustWait(offer.id)) return this.#keepForLater(offer);
    if (this.#driven.has(offer.id)) return true; // D3
    const { book } = this.#deps;
    // Before anything is looked up on the disk: what is passed over may be offered often.
    if (book.get(offer.id) === undefined && !this.#backlog.admits(offer.queue)) return false;
    const offered = book.offer(offer);
    if (offered === undefined) {
      this.#doubt(offer);
      return true;
    }
    this.#waitForClaim(offered.task);
    await offered.stored;
    return true;
  }

  #keepForLater(offer: Offer): boolean {
    if (this.#later.size >= this.#options.maxOffers && !this.#later.has(offer.id)) return false;
    this.#later.set(offer.id, offer);
    return true;
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

  #offerLater(): void {
    for (const [id, offer] of this.#later) {
      if (this.#mustWait(id) || !this.#backlog.hasRoom(offer.queue)) continue;
      this.#later.delete(id);
      this.#work.start(async () => void (await this.offer(offer)));
    }
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

  // --- The service, and its operator -------------------------------------------

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
    return this.#driven.size - this.#settlements.included;
  }

  // --- Claims ------------------------------------------------------------------

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

  #mayClaim(): boolean {
    if (this.#draining) return false;
    return !this.#hold.isHeld() && this.#hasRoom();
  }

  /** D4 */
  #hasRoom(): boolean {
    const { maxInflight } = this.#options;
    return (
      this.#driven.size - this.#settlements.size < maxInflight &&
      this.#settlements.size < SETTLING_PER_INFLIGHT * maxInflight &&
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

  // --- The loop that drives a task ---------------------------------------------

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
        const sets = [this.#driven, this.#claiming, this.#contested, this.#settlements, this.#places];
        for (const set of sets) set.delete(id);
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
        this.#backlog.ended(task.id, task.state.outcome.status === "success"); // D4
        this.#wake.notify();
        await this.#settlements.settle(task, task.state.outcome);
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
      await this.#runOn(slot, task, signal);
    } catch (error) {
      slot.keepOutcome(); // the disk is full, or the process stops
      throw error;
    } finally {
      if (slot !== held) slot[Symbol.dispose]();
    }
  }

  async #runOn(slot: Slot, task: Task, signal: AbortSignal): Promise<void> {
    try {
      const outcome = await this.#deps.runner.run(task, slot, signal);
      await this.#outcomes.conclude(task.id, outcome, signal);
    } catch (error) {
      if (!(error instanceof TaskDataError)) throw error;
      await this.#outcomes.failData(task.id, error);
    }
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
