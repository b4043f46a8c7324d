import { type EventLoopUtilization, performance } from "node:perf_hooks";
import { setFlagsFromString } from "node:v8";
import type { Clock } from "@subnet-worker/kit";

/** Small costs time, large costs memory. */
export type HeapSize = "small" | "large";

export interface HeapState {
  readonly size: HeapSize;
  /** Readings in a row that speak for the other size. */
  readonly against: number;
}

/** What is watched, and what is done about it. */
export interface HeapPorts {
  /** Share of the time that the event loop was busy since this was last asked, from 0 to 1. */
  takeUtilization(): number;
  resize(size: HeapSize): void;
}

const LOOK_MS = 1_000;

// Each of these V8 reads whenever it decides something, also long after it has begun. The phases are for small:
// without a scavenge while old space is marked, new space grows up to its maximum instead.
const FLAGS: Readonly<Record<HeapSize | "own", readonly string[]>> = {
  small: [
    "--semi-space-growth-factor=1",
    "--optimize-for-size",
    "--heap-growing-percent=20",
    "--no-separate-gc-phases",
  ],
  large: [
    "--semi-space-growth-factor=2",
    "--no-optimize-for-size",
    "--heap-growing-percent=100",
    "--separate-gc-phases",
  ],
  own: [
    "--semi-space-growth-factor=2",
    "--no-optimize-for-size",
    "--heap-growing-percent=0",
    "--separate-gc-phases",
  ],
};

// The same work keeps the loop busy up to three times as long with a small heap. So work that is 0.3 to 0.4 of
// a large heap's time goes to and fro, three seconds in twenty-three: the price of not staying large for long
// after what the rest of the machine did to a node with little work.
const RULES = {
  small: { isLeft: (utilization: number) => utilization >= 0.85, readings: 3, next: "large" },
  large: { isLeft: (utilization: number) => utilization < 0.4, readings: 20, next: "small" },
} as const;

/** The state after one more second in which the event loop was busy for `utilization` of it, from 0 to 1. */
export function nextHeap({ size, against }: HeapState, utilization: number): HeapState {
  const { isLeft, readings, next } = RULES[size];
  if (!isLeft(utilization)) return { size, against: 0 };
  return against + 1 < readings ? { size, against: against + 1 } : { size: next, against: 0 };
}

/**
 * Keeps the heap of this process small for as long as its one thread has time to spare, and lets it grow while it
 * has not. Looks once a second. Does not keep the process alive. Disposed of, it leaves the heap to V8.
 */
export function keepHeapSmall(clock: Clock): Disposable {
  setHeapFlags("small");
  let last: EventLoopUtilization = performance.eventLoopUtilization();
  const takeUtilization = () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    return utilization;
  };
  const watch = watchHeap({ takeUtilization, resize: setHeapFlags }, clock);
  return {
    [Symbol.dispose]() {
      watch[Symbol.dispose]();
      setHeapFlags("own");
    },
  };
}

/** The part of {@link keepHeapSmall} that looks and decides, beginning with a heap that is small. */
export function watchHeap(heap: HeapPorts, clock: Clock): Disposable {
  let state: HeapState = { size: "small", against: 0 };
  const look = () => {
    const next = nextHeap(state, heap.takeUtilization());
    if (next.size !== state.size) heap.resize(next.size);
    state = next;
    timer = clock.timer(LOOK_MS, look);
  };
  let timer = clock.timer(LOOK_MS, look);
  return { [Symbol.dispose]: () => timer[Symbol.dispose]() };
}

/** "own" is what V8 has of itself. From now on: what has grown already shrinks when V8 collects and little is done. */
export function setHeapFlags(size: HeapSize | "own"): void {
  for (const flag of FLAGS[size]) setFlagsFromString(flag);
}
