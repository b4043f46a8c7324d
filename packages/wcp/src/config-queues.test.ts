import { describe, expect, it } from "vitest";
import { queuePolicies, queueProblems, type QueueSettings } from "./config-queues.ts";

const WATCHED = ["audio/1.0.0/processing", "video/1.1.0/processing"];
const [AUDIO = "", VIDEO = ""] = WATCHED;

describe("the settings of queues", () => {
  it("are fine when they say what they may", () => {
    const all = { weight: 0.5, priority: -3, max_inflight: 4, rate_per_s: 0.1, burst: 2, paused: true };
    expect(queueProblems([{ name: AUDIO, ...all }, { name: VIDEO }], WATCHED)).toEqual([]);
    expect(queueProblems([], WATCHED)).toEqual([]);
  });

  it.each<[Record<string, unknown>, string]>([
    [{ weight: 0 }, "scheduler.queues[0].weight: must be a number above 0"],
    [{ weight: "2" }, "scheduler.queues[0].weight: must be a number above 0"],
    [{ weight: Number.POSITIVE_INFINITY }, "scheduler.queues[0].weight: must be a number above 0"],
    [{ priority: 1.5 }, "scheduler.queues[0].priority: must be a whole number"],
    [{ max_inflight: 0 }, "scheduler.queues[0].max_inflight: must be a whole number of at least 1"],
    [{ rate_per_s: -1 }, "scheduler.queues[0].rate_per_s: must be a number above 0"],
    [{ burst: 2.5 }, "scheduler.queues[0].burst: must be a whole number of at least 1"],
    [{ paused: "yes" }, "scheduler.queues[0].paused: must be true or false"],
    [
      { wieght: 2 },
      "scheduler.queues[0].wieght: no such setting; there are name, weight, priority, max_inflight, rate_per_s, burst, paused",
    ],
  ])("say what is wrong with %j", (wrong, problem) => {
    expect(queueProblems([{ name: AUDIO, ...wrong }], WATCHED)).toEqual([problem]);
  });

  it("must name a queue that is watched, once", () => {
    expect(queueProblems([{ weight: 2 } as unknown as QueueSettings], WATCHED)).toEqual([
      "scheduler.queues[0].name: must be the name of a queue",
    ]);
    expect(queueProblems([{ name: "other/1.0.0/x" }], WATCHED)).toEqual([
      "scheduler.queues[0]: other/1.0.0/x is not in scheduler.queue_name; add it there, or leave it out here",
    ]);
    expect(queueProblems([{ name: AUDIO }, { name: VIDEO }, { name: AUDIO }], WATCHED)).toEqual([
      `scheduler.queues[2]: ${AUDIO} is there twice; keep one`,
    ]);
  });

  it("become policies of all queues that are watched, with defaults where they say nothing", () => {
    const settings = [
      { name: VIDEO, weight: 3, priority: 1, max_inflight: 2, rate_per_s: 2.5, paused: true },
    ];
    expect(queuePolicies(settings, WATCHED)).toEqual([
      { name: AUDIO, weight: 1, priority: 0, maxInflight: undefined, rate: undefined, isPaused: false },
      { name: VIDEO, weight: 3, priority: 1, maxInflight: 2, rate: { perS: 2.5, burst: 2 }, isPaused: true },
    ]);
  });

  it.each([
    [0.2, undefined, 1],
    [8, undefined, 8],
    [8, 3, 3],
  ])("let %d per second come with a burst of %s as %d at once", (rate, burst, expected) => {
    const own = { name: AUDIO, rate_per_s: rate, ...(burst === undefined ? {} : { burst }) };
    expect(queuePolicies([own], [AUDIO])[0]?.rate).toEqual({ perS: rate, burst: expected });
  });
});
