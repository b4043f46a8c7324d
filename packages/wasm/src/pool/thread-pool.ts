import type { Clock } from "../clock.ts";
import { PoolThread, type ThreadOptions } from "./pool-thread.ts";

// 1. A job is begun by at most one thread, in the order in which jobs came, and ends exactly once: by `hear` returning
//    true, or by `lose`.
// 2. A thread has at most one job. One whose job was lost is ended and never used again.
// 3. A job is lost as soon as its thread is ended, however long the thread takes to die.
// 4. There are never more than `size` threads, and as many again that are dying.

/** How often the pool looks at what busy threads hold, milliseconds. */
const LOOK_MS = 100;

/** Why a job did not end by itself. */
export type Loss =
  | { readonly kind: "timed_out" }
  | { readonly kind: "cancelled" }
  | { readonly kind: "closed" }
  | { readonly kind: "died"; readonly reason: string }
  /** The thread held more JavaScript than it may, for what the job made it do. */
  | { readonly kind: "overgrown"; readonly limitMb: number };

/** One piece of work for a thread. */
export interface Job<Message> {
  /** What a thread may take for it, milliseconds. */
  readonly timeMs: number;
  /** A thread is free: sends it the work. */
  begin(thread: PoolThread): void;
  /** The thread says something; true: the job is done, and the thread free. */
  hear(message: Message, thread: PoolThread): boolean;
  /** It will not be done. `thread` is undefined when none had begun with it. */
  lose(loss: Loss, thread: PoolThread | undefined): void;
  /** Whether it would rather have this thread than another that is free. */
  prefers?(thread: PoolThread): boolean;
}

export interface PoolOptions<Message> {
  readonly size: number;
  /** Threads that are started at once; the others when there is work for them. */
  readonly eager: number;
  readonly thread: ThreadOptions;
  /**
   * When the pool is closed, threads without a job are told `{ kind: "leave" }`, and have that long to finish what they
   * do besides. Default: they are ended at once.
   */
  readonly leaveMs?: number | undefined;
  /** A thread says something that is of no job. */
  readonly onStray?: (message: Message) => void;
}

interface Slot<Message> {
  readonly thread: PoolThread;
  isReady: boolean;
  isEnded: boolean;
  job: Job<Message> | undefined;
  timer: Disposable | undefined;
}

/** Threads that work off jobs, first come, first served. */
export class ThreadPool<Message extends { readonly kind: string }> implements AsyncDisposable {
  readonly #options: PoolOptions<Message>;
  readonly #clock: Clock;
  readonly #slots = new Set<Slot<Message>>();
  readonly #dying = new Set<PoolThread>();
  readonly #waiting = new Set<Job<Message>>();
  #isClosed = false;
  #isHeld = false;
  #look: Disposable | undefined;
  #replaced = 0;

  constructor(options: PoolOptions<Message>, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    this.#fill();
  }

  get busy(): number {
    return [...this.#slots].filter(({ job }) => job !== undefined).length;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Threads that were ended or died, but for closing. */
  get replaced(): number {
    return this.#replaced;
  }

  submit(job: Job<Message>): void {
    if (this.#isClosed) {
      job.lose({ kind: "closed" }, undefined);
      return;
    }
    this.#waiting.add(job);
    this.#fill();
    this.#assign();
  }

  /** Gives a job up: it is lost as `cancelled`, unless it has ended. */
  cancel(job: Job<Message>): void {
    if (this.#waiting.delete(job)) {
      job.lose({ kind: "cancelled" }, undefined);
      this.#hold();
      return;
    }
    const slot = this.#slotOf(job);
    if (slot !== undefined) this.#loseSlot(slot, { kind: "cancelled" });
  }

  /** Gives up all jobs, as `closed`, and waits until all threads are gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#look?.[Symbol.dispose]();
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const job of waiting) job.lose({ kind: "closed" }, undefined);
    await Promise.all(Array.from(this.#slots, (slot) => this.#close(slot)));
    await Promise.all(Array.from(this.#dying, ({ exited }) => exited));
  }

  async #close(slot: Slot<Message>): Promise<void> {
    const { leaveMs } = this.#options;
    const { thread } = slot;
    // What keeps the process alive until the threads are gone.
    thread.hold(true);
    const mayLeave = leaveMs !== undefined && slot.isReady && slot.job === undefined;
    if (!mayLeave) {
      this.#end(slot);
      this.#take(slot)?.lose({ kind: "closed" }, thread);
      return;
    }
    this.#retire(slot);
    using _timer = this.#clock.timer(leaveMs, () => thread.end());
    thread.post({ kind: "leave" }, []);
    await thread.exited;
  }

  #slotOf(job: Job<Message>): Slot<Message> | undefined {
    return [...this.#slots].find((slot) => slot.job === job);
  }

  /** Starts threads for all jobs, as far as there may be. */
  #fill(): void {
    const { size, eager } = this.#options;
    const wanted = Math.min(size, Math.max(eager, this.busy + this.#waiting.size));
    while (!this.#isClosed && this.#slots.size < wanted && this.#dying.size < size) this.#start();
  }

  #start(): void {
    const thread = new PoolThread(this.#options.thread, {
      onMessage: (message) => this.#hear(slot, message as Message),
      onExit: (reason) => this.#bury(slot, reason),
    });
    const slot: Slot<Message> = { thread, isReady: false, isEnded: false, job: undefined, timer: undefined };
    this.#slots.add(slot);
    thread.hold(this.#isHeld);
  }

  #hear(slot: Slot<Message>, message: Message): void {
    if (slot.isEnded) return;
    if (message.kind === "ready") {
      slot.isReady = true;
      this.#assign();
      return;
    }
    if (slot.job === undefined) this.#options.onStray?.(message);
    else if (slot.job.hear(message, slot.thread)) this.#free(slot);
  }

  #free(slot: Slot<Message>): void {
    this.#take(slot);
    this.#assign();
  }

  #assign(): void {
    for (const job of this.#waiting) {
      const free = [...this.#slots].filter((slot) => slot.isReady && slot.job === undefined);
      const slot = free.find(({ thread }) => job.prefers?.(thread)) ?? free[0];
      if (slot === undefined) break;
      this.#waiting.delete(job);
      slot.job = job;
      slot.timer = this.#clock.timer(job.timeMs, () => this.#timeOut(slot));
      this.#begin(slot, job);
      this.#look ??= this.#clock.timer(LOOK_MS, () => this.#lookAtHeaps());
    }
    this.#hold();
  }

  /** Work that cannot be sent, for want of memory, costs the thread that was to have it, and not the process. */
  #begin(slot: Slot<Message>, job: Job<Message>): void {
    try {
      job.begin(slot.thread);
    } catch (error) {
      this.#loseSlot(slot, { kind: "died", reason: `it could not be sent the work: ${String(error)}` });
    }
  }

  /** Ends threads that hold too much. There is one timer, and none while nothing runs. */
  #lookAtHeaps(): void {
    const busy = [...this.#slots].filter(({ job }) => job !== undefined);
    this.#look = busy.length === 0 ? undefined : this.#clock.timer(LOOK_MS, () => this.#lookAtHeaps());
    for (const slot of busy) void this.#lookAtHeap(slot, slot.job);
  }

  async #lookAtHeap(slot: Slot<Message>, job: Job<Message> | undefined): Promise<void> {
    const { heapMb } = this.#options.thread;
    const heapBytes = (await slot.thread.heapBytes()) ?? 0;
    if (heapBytes <= heapMb * 1024 * 1024 || slot.job !== job || slot.isEnded) return;
    this.#loseSlot(slot, { kind: "overgrown", limitMb: heapMb });
  }

  #timeOut(slot: Slot<Message>): void {
    const { job } = slot;
    // The process may have been busy for longer than the thread.
    slot.thread.drain();
    if (slot.job === job) this.#loseSlot(slot, { kind: "timed_out" });
  }

  #loseSlot(slot: Slot<Message>, loss: Loss): void {
    this.#replaced += 1;
    this.#end(slot);
    this.#take(slot)?.lose(loss, slot.thread);
    this.#fill();
    this.#hold();
  }

  /** Frees a slot of its job. */
  #take(slot: Slot<Message>): Job<Message> | undefined {
    const { job } = slot;
    slot.timer?.[Symbol.dispose]();
    slot.timer = undefined;
    slot.job = undefined;
    return job;
  }

  #end(slot: Slot<Message>): void {
    this.#retire(slot);
    slot.thread.end();
  }

  #retire(slot: Slot<Message>): void {
    slot.isEnded = true;
    this.#slots.delete(slot);
    this.#dying.add(slot.thread);
  }

  #bury(slot: Slot<Message>, reason: string): void {
    this.#dying.delete(slot.thread);
    if (!slot.isEnded) {
      slot.isEnded = true;
      this.#slots.delete(slot);
      this.#replaced += 1;
      this.#take(slot)?.lose({ kind: "died", reason }, slot.thread);
      // One that cannot even begin would be started for ever.
      if (!slot.isReady) this.#giveUp(reason);
    }
    if (slot.isReady || this.#waiting.size > 0) this.#fill();
    this.#hold();
  }

  #giveUp(reason: string): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const job of waiting) job.lose({ kind: "died", reason: `it could not begin: ${reason}` }, undefined);
  }

  /** While there are jobs, threads keep the process alive. */
  #hold(): void {
    const isHeld = this.#waiting.size > 0 || [...this.#slots].some(({ job }) => job !== undefined);
    if (isHeld === this.#isHeld) return;
    this.#isHeld = isHeld;
    for (const { thread } of this.#slots) thread.hold(isHeld);
  }
}
