// Buffers do not count towards the heap limit of a thread: without a watch, a handler that
// allocates them without end takes the whole process with it.
import { totalmem } from "node:os";
import { getHeapStatistics } from "node:v8";
import type { Clock } from "@subnet-worker/kit";

/** What a thread takes, in bytes. */
export interface MemoryUse {
  readonly heapBytes: number;
  /** Buffers, for the most part. */
  readonly externalBytes: number;
}

/** Why a thread has to go. */
export interface MemoryExcess {
  readonly usedMb: number;
  readonly boundMb: number;
  /** `worker`: all threads together took too much, and this one took most. */
  readonly whose: "thread" | "activity" | "worker";
}

export interface WatchedThread {
  readonly runCount: number;
  /** In MiB; `undefined`: no bound of its own. */
  readonly ownBoundMb: number | undefined;
  /** `undefined`: it has ended. */
  measureMemory(): Promise<MemoryUse | undefined>;
  endForMemory(excess: MemoryExcess): void;
}

export interface MemoryWatchOptions {
  readonly perThread: ThreadMemory;
  /** What there is for this process. Default: of the machine, or of its control group. */
  readonly limitBytes?: number;
}

export interface MemoryWatchDeps {
  readonly clock: Clock;
  readonly threads: Iterable<WatchedThread>;
}

const MIB = 1_024 * 1_024;

const INTERVAL_MS = 100;
/** While a thread has taken half of what it may. */
const CLOSE_INTERVAL_MS = 20;

/** Share of the limit for one thread where nobody has set a bound, and for all together. */
const THREAD_SHARE = 0.6;
const WORKER_SHARE = 0.8;

/** V8 lets so many bytes of buffers be garbage before it collects them. */
const BUFFER_GARBAGE_BYTES = 64 * MIB;
/**
 * What is above its bound may be garbage, which nobody but V8 can tell: garbage goes as
 * more is allocated, so what grows look after look is none, nor is what is far above or
 * stays for long.
 */
const GROWN_LOOKS = 10;
const FAR_ABOVE_BYTES = 256 * MIB;
const LONG_ABOVE_MS = 15_000;

/**
 * What V8 may give a thread beyond its bound. At its limit V8 ends the whole process when
 * one allocation is large, as that of a growing array is (nodejs/node#47224), so the watch
 * has to come first. Above 1 GiB no array grows, and doubling it is all that is ever asked for.
 */
const HEADROOM_MB = 2_048;

/** What one thread may take, in MiB. */
export interface ThreadMemory {
  /** Heap and buffers together. */
  readonly boundMb: number;
  /** Heap alone. */
  readonly heapBoundMb: number;
  /** V8's own limit of the heap. */
  readonly heapLimitMb: number;
}

/** @param givenMb `undefined`: nobody has set a bound, so Node's for the heap and a share of what there is for all */
export function threadMemory(
  givenMb: number | undefined,
  limitBytes: number = availableBytes(),
): ThreadMemory {
  const boundMb = givenMb ?? Math.floor((limitBytes * THREAD_SHARE) / MIB);
  const heapBoundMb = Math.min(boundMb, givenMb ?? toMb(getHeapStatistics().heap_size_limit));
  return { boundMb, heapBoundMb, heapLimitMb: heapBoundMb + HEADROOM_MB };
}

interface Seen {
  isAsked: boolean;
  bytes: number;
  /** Looks that found it above its bound and larger than the one before. */
  timesGrown: number;
  /** When it was first found above its bound; `undefined`: it is not. */
  aboveSinceMs: number | undefined;
}

/** Looks at threads with runs, and ends those that take more than they may. Costs nothing while there are none. */
export class MemoryWatch implements Disposable {
  readonly #deps: MemoryWatchDeps;
  readonly #perThread: ThreadMemory;
  readonly #limitBytes: number;
  #seen = new WeakMap<WatchedThread, Seen>();
  #timer: Disposable | undefined;
  #isClosed = false;

  constructor({ perThread, limitBytes = availableBytes() }: MemoryWatchOptions, deps: MemoryWatchDeps) {
    this.#deps = deps;
    this.#limitBytes = limitBytes;
    this.#perThread = perThread;
  }

  /** A thread has got a run. */
  wake(): void {
    if (this.#timer === undefined && !this.#isClosed) this.#lookIn(INTERVAL_MS);
  }

  /** Looks once. One that is deep in native code answers late, and holds nobody else up. */
  look(): void {
    for (const thread of this.#busy()) void this.#lookAt(thread).then(() => this.#lookAtAll());
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#timer?.[Symbol.dispose]();
  }

  #lookIn(ms: number): void {
    this.#timer = this.#deps.clock.timer(ms, () => {
      this.#timer = undefined;
      this.look();
      const busy = this.#busy();
      if (busy.length === 0 || this.#isClosed) return;
      this.#lookIn(busy.some((thread) => this.#isClose(thread)) ? CLOSE_INTERVAL_MS : INTERVAL_MS);
    });
  }

  #busy(): readonly WatchedThread[] {
    return [...this.#deps.threads].filter(({ runCount }) => runCount > 0);
  }

  #lookAtAll(): void {
    const all = this.#busy().map((thread) => ({ thread, bytes: this.#seen.get(thread)?.bytes ?? 0 }));
    const allBytes = all.reduce((sum, { bytes }) => sum + bytes, 0);
    const boundBytes = this.#limitBytes * WORKER_SHARE;
    if (allBytes <= boundBytes) return;
    const { thread, bytes } = all.reduce((most, each) => (each.bytes > most.bytes ? each : most));
    thread.endForMemory({ usedMb: toMb(bytes), boundMb: toMb(boundBytes), whose: "worker" });
  }

  #isClose(thread: WatchedThread): boolean {
    return (this.#seen.get(thread)?.bytes ?? 0) > (this.#boundOf(thread).boundMb * MIB) / 2;
  }

  #boundOf({ ownBoundMb = Infinity }: WatchedThread): Bound {
    const { boundMb, heapBoundMb } = this.#perThread;
    return ownBoundMb < boundMb
      ? { boundMb: ownBoundMb, heapBoundMb: Math.min(ownBoundMb, heapBoundMb), whose: "activity" }
      : { boundMb, heapBoundMb, whose: "thread" };
  }

  async #lookAt(thread: WatchedThread): Promise<void> {
    const seen = this.#seen.get(thread) ?? {
      isAsked: false,
      bytes: 0,
      timesGrown: 0,
      aboveSinceMs: undefined,
    };
    this.#seen.set(thread, seen);
    if (seen.isAsked) return;
    seen.isAsked = true;
    const use = await thread.measureMemory();
    seen.isAsked = false;
    const bytes = use === undefined ? 0 : use.heapBytes + use.externalBytes;
    const hasGrown = bytes > seen.bytes;
    seen.bytes = bytes;
    const bound = this.#boundOf(thread);
    const excess = use === undefined ? undefined : excessOf(use, bound);
    if (excess === undefined) {
      seen.timesGrown = 0;
      seen.aboveSinceMs = undefined;
      return;
    }
    const nowMs = this.#deps.clock.monotonicMs();
    seen.aboveSinceMs ??= nowMs;
    if (hasGrown) seen.timesGrown += 1;
    const isLong = nowMs - seen.aboveSinceMs >= LONG_ABOVE_MS;
    if (seen.timesGrown < GROWN_LOOKS && excess.bytes < FAR_ABOVE_BYTES && !isLong) return;
    thread.endForMemory({ usedMb: toMb(bytes), boundMb: excess.boundMb, whose: bound.whose });
  }
}

interface Bound extends Pick<ThreadMemory, "boundMb" | "heapBoundMb"> {
  readonly whose: MemoryExcess["whose"];
}

/** How much is above which bound; `undefined`: nothing. */
function excessOf(
  { heapBytes, externalBytes }: MemoryUse,
  { boundMb, heapBoundMb }: Bound,
): { readonly bytes: number; readonly boundMb: number } | undefined {
  const buffersBytes = Math.max(0, externalBytes - BUFFER_GARBAGE_BYTES);
  const allBytes = heapBytes + buffersBytes - boundMb * MIB;
  if (allBytes > 0) return { bytes: allBytes, boundMb };
  const heapAboveBytes = heapBytes - heapBoundMb * MIB;
  return heapAboveBytes > 0 ? { bytes: heapAboveBytes, boundMb: heapBoundMb } : undefined;
}

function toMb(bytes: number): number {
  return Math.round(bytes / MIB);
}

/** Of the machine, or of the control group where that is less. */
function availableBytes(): number {
  return Math.min(totalmem(), process.constrainedMemory() || Infinity);
}
