import { FakeClock } from "@subnet-worker/kit/fake-clock";
import { describe, expect, it } from "vitest";
import {
  type MemoryExcess,
  type MemoryUse,
  MemoryWatch,
  threadMemory,
  type WatchedThread,
} from "./memory-watch.ts";

const MIB = 1_024 * 1_024;

class FakeThread implements WatchedThread {
  runCount = 1;
  ownBoundMb: number | undefined;
  heapMb = 10;
  buffersMb = 0;
  looks = 0;
  answers = true;
  excess: MemoryExcess | undefined;

  measureMemory(): Promise<MemoryUse | undefined> {
    this.looks += 1;
    if (!this.answers) return new Promise(() => undefined);
    return Promise.resolve({ heapBytes: this.heapMb * MIB, externalBytes: this.buffersMb * MIB });
  }

  endForMemory(excess: MemoryExcess): void {
    this.excess ??= excess;
    this.runCount = 0;
  }
}

interface Limits {
  readonly limitMb?: number;
  readonly boundMb?: number | undefined;
}

function watch(count: number, { limitMb = 10_000, ...rest }: Limits = {}) {
  const boundMb = "boundMb" in rest ? rest.boundMb : 100;
  const clock = new FakeClock();
  const threads = Array.from({ length: count }, () => new FakeThread());
  const limitBytes = limitMb * MIB;
  const watching = new MemoryWatch(
    { perThread: threadMemory(boundMb, limitBytes), limitBytes },
    { clock, threads },
  );
  watching.wake();
  return { clock, threads, watching, first: threads[0] ?? new FakeThread() };
}

describe("the watch over memory", () => {
  it("ends the thread that grows above its bound, and no other", async () => {
    const { clock, threads, first } = watch(3);
    for (let look = 0; look < 30 && first.excess === undefined; look += 1) {
      first.buffersMb += 12;
      await clock.advance(100);
    }
    expect(first.excess).toMatchObject({ boundMb: 100, whose: "thread" });
    expect(first.excess?.usedMb).toBeGreaterThan(164);
    expect(threads.slice(1).map(({ excess }) => excess)).toEqual([undefined, undefined]);
  });

  it("ends at once what is far above its bound", async () => {
    const { clock, first } = watch(1);
    first.heapMb = 100 + 257;
    await clock.advance(100);
    expect(first.excess).toEqual({ usedMb: 357, boundMb: 100, whose: "thread" });
  });

  it("lets garbage be: what rises above the bound and falls below it again", async () => {
    const { clock, first } = watch(1);
    for (let look = 0; look < 300; look += 1) {
      first.heapMb = 60 + (look % 8) * 10;
      await clock.advance(20);
    }
    expect(first.excess).toBeUndefined();
  });

  it("ends what stays above its bound for long, though it does not grow", async () => {
    const { clock, first } = watch(1);
    first.heapMb = 110;
    await clock.advance(14_000);
    expect(first.excess).toBeUndefined();
    await clock.advance(2_000);
    expect(first.excess).toEqual({ usedMb: 110, boundMb: 100, whose: "thread" });
  });

  it("holds a run to what its activity allows", async () => {
    const { clock, first } = watch(1);
    first.ownBoundMb = 20;
    first.heapMb = 20 + 257;
    await clock.advance(100);
    expect(first.excess).toEqual({ usedMb: 277, boundMb: 20, whose: "activity" });
  });

  it("lets nobody have more than the worker allows", async () => {
    const { clock, first } = watch(1);
    first.ownBoundMb = 5_000;
    first.heapMb = 400;
    await clock.advance(100);
    expect(first.excess).toMatchObject({ boundMb: 100, whose: "thread" });
  });

  it("ends the largest when all together take too much of the machine", async () => {
    const { clock, threads } = watch(3, { limitMb: 1_000, boundMb: undefined });
    for (const [index, thread] of threads.entries()) thread.buffersMb = 250 + index * 10;
    await clock.advance(100);
    expect(threads.map(({ excess }) => excess?.whose)).toEqual([undefined, undefined, "worker"]);
  });

  it("goes on looking at the others when one does not answer", async () => {
    const { clock, threads, first } = watch(2);
    first.answers = false;
    await clock.advance(1_000);
    expect(first.looks).toBe(1);
    expect(threads[1]?.looks).toBeGreaterThan(5);
  });

  it("sleeps while no thread has runs, and looks more often where it gets tight", async () => {
    const { clock, watching, first } = watch(1);
    await clock.advance(1_000);
    expect(first.looks).toBe(10);
    first.heapMb = 60;
    await clock.advance(1_000);
    expect(first.looks).toBeGreaterThan(40);
    first.runCount = 0;
    await clock.advance(200);
    expect(clock.pendingCount).toBe(0);
    watching.wake();
    watching.wake();
    expect(clock.pendingCount).toBe(1);
    watching[Symbol.dispose]();
    watching.wake();
    expect(clock.pendingCount).toBe(0);
  });
});

describe("what a thread may take", () => {
  it("is what is set, with room for V8 above it, or a share of what there is", () => {
    expect(threadMemory(64)).toEqual({ boundMb: 64, heapBoundMb: 64, heapLimitMb: 2_112 });
    const own = threadMemory(undefined, 1_000 * MIB);
    expect(own).toEqual({ boundMb: 600, heapBoundMb: 600, heapLimitMb: 2_648 });
  });
});
