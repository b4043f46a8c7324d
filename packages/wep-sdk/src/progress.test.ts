import { FakeClock } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import { type ProgressReport, ProgressReporter } from "./progress.ts";

interface Setup {
  readonly clock: FakeClock;
  readonly reporter: ProgressReporter;
  readonly sent: ProgressReport[];
  /** The stream takes what was sent last. */
  readonly take: () => void;
}

function setUp({ keepaliveMs = 0 } = {}): Setup {
  const clock = new FakeClock();
  const sent: ProgressReport[] = [];
  let take = () => {};
  const reporter = new ProgressReporter(
    { minIntervalMs: 500, keepaliveMs },
    {
      clock,
      send: (report, onTaken) => {
        sent.push(report);
        take = onTaken;
      },
    },
  );
  return { clock, reporter, sent, take: () => take() };
}

function news(percent: number, checkpoint?: string) {
  return { percent, message: `at ${percent}`, checkpoint };
}

async function isPending(promise: PromiseLike<void>): Promise<boolean> {
  return await Promise.race([promise.then(() => false), Promise.resolve().then(() => true)]);
}

describe("progress", () => {
  it("goes out at once, then the newest per interval, then the last at the end", async () => {
    const { clock, reporter, sent } = setUp();
    for (const percent of [1, 2, 3]) void reporter.report(news(percent));
    expect(sent.map(({ percent }) => percent)).toEqual([1]);
    await clock.advance(500);
    expect(sent.map(({ percent }) => percent)).toEqual([1, 3]);
    void reporter.report(news(4));
    reporter[Symbol.dispose]();
    expect(sent.map(({ percent }) => percent)).toEqual([1, 3, 4]);
    void reporter.report(news(5));
    await clock.advance(5_000);
    expect(sent).toHaveLength(3);
    expect(clock.pendingCount).toBe(0);
  });

  it("has one timer, however often it is reported", () => {
    const { clock, reporter } = setUp();
    for (let count = 0; count < 1_000; count += 1) void reporter.report(news(count));
    expect(clock.pendingCount).toBe(1);
  });

  it("keeps the last checkpoint until there is another, also when a later report replaces it", async () => {
    const { clock, reporter, sent } = setUp();
    void reporter.report(news(1));
    void reporter.report(news(2, "two"));
    void reporter.report(news(3));
    await clock.advance(500);
    expect(sent).toEqual([
      { percent: 1, message: "at 1", checkpoint: "" },
      { percent: 3, message: "at 3", checkpoint: "two" },
    ]);
    expect(reporter.last).toEqual(sent[1]);
  });

  it("is repeated when nothing is reported", async () => {
    const { clock, reporter, sent } = setUp({ keepaliveMs: 5_000 });
    void reporter.report(news(1, "one"));
    await clock.advance(15_000);
    expect(sent).toHaveLength(4);
    expect(new Set(sent).size).toBe(1);
    reporter[Symbol.dispose]();
    expect(clock.pendingCount).toBe(0);
  });
});

describe("awaiting a report", () => {
  it("waits while the one that is under way has not been taken, and no longer", async () => {
    const { reporter, take } = setUp();
    const first = reporter.report(news(1));
    const merged = reporter.report(news(2));
    expect(await isPending(first)).toBe(true);
    expect(await isPending(merged)).toBe(true);
    take();
    await first;
    await merged;
    expect(await isPending(reporter.report(news(3)))).toBe(false);
  });

  it("ends with the stream, the run or the order to stop, since nobody may wait for ever", async () => {
    const { reporter } = setUp();
    const waiting = reporter.report(news(1));
    reporter.release();
    await waiting;
    reporter.resend();
    const last = reporter.report(news(2));
    expect(await isPending(last)).toBe(true);
    reporter[Symbol.dispose]();
    await last;
    await reporter.report(news(3));
  });
});
