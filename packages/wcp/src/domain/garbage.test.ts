import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Fate, type GarbageOptions, GarbageRules, type KnownTask } from "./garbage.ts";
import { uploadPrefix } from "./object-key.ts";

const NOW_MS = 10_000_000_000;
const HOUR_MS = 3_600_000;
const WORKFLOW = `0x${"a".repeat(64)}`;
const TASK = `0x${"b".repeat(64)}`;
const OLD_MS = NOW_MS - 2 * HOUR_MS;

function keyOf(name: string, run = "run-1"): string {
  return `${uploadPrefix(WORKFLOW, TASK, run)}${name}`;
}

function hexOf(text: string): string {
  return `0x${Buffer.from(text).toString("hex")}`;
}

function aTask(overrides: Partial<KnownTask> = {}): KnownTask {
  return { id: TASK, workflowInstanceId: WORKFLOW, state: "lost", updatedAtMs: OLD_MS, ...overrides };
}

function done(text: string, runId?: string): KnownTask {
  const outcome = {
    status: "success",
    resultHex: hexOf(text),
    ...(runId === undefined ? {} : { runId }),
  } as const;
  return aTask({ state: "done", outcome });
}

function rules(tasks: readonly KnownTask[], more: Partial<GarbageOptions> = {}): GarbageRules {
  return new GarbageRules({ tasks, nowMs: NOW_MS, minAgeMs: HOUR_MS, ...more });
}

function fate(objectKey: string, tasks: readonly KnownTask[], more?: Partial<GarbageOptions>): string {
  return word(rules(tasks, more).fateOfObject(objectKey, OLD_MS));
}

function word({ isGarbage, why }: Fate): string {
  return isGarbage ? `garbage ${why}` : why;
}

const FAILED: KnownTask = aTask({
  state: "done",
  outcome: { status: "error", code: 2001, reason: keyOf("a") },
});

describe("an object", () => {
  it.each(["offered", "claiming", "claimed", "assigned", "running", "settling"] as const)(
    "of an activity that is %s stays, however old it is",
    (state) => {
      const open = aTask({ state, updatedAtMs: 0 });
      expect(word(rules([open], { minAgeMs: 0, unknownAgeMs: 0 }).fateOfObject(keyOf("a"), 0))).toBe("open");
    },
  );

  it.each(["lost", "expired", "abandoned"] as const)("of an activity that is %s is garbage", (state) => {
    expect(fate(keyOf("a"), [aTask({ state })])).toBe("garbage given_up");
  });

  it("of an activity that failed is garbage, also when the reason names it", () => {
    expect(fate(keyOf("a"), [FAILED])).toBe("garbage failed");
  });

  it("that a result names stays, with all others of its run", () => {
    const task = done(`\0\0list: ${keyOf("index.m3u8", "run-2")}, and more`, "run-2");
    expect(fate(keyOf("index.m3u8", "run-2"), [task])).toBe("result");
    expect(fate(keyOf("segment-1.ts", "run-2"), [task])).toBe("result");
    expect(fate(keyOf("a", "run-1"), [task])).toBe("garbage superseded");
  });

  it("of the run that gave the result stays when the result names none; other runs' are garbage", () => {
    expect(fate(keyOf("a", "run-2"), [done("42", "run-2")])).toBe("result");
    expect(fate(keyOf("a", "run-1"), [done("42", "run-2")])).toBe("garbage superseded");
  });

  it("stays where nobody wrote down which run gave the result", () => {
    expect(fate(keyOf("a", "run-1"), [done("42")])).toBe("result");
  });

  it("that another activity's result names stays", () => {
    const other = { ...done(`{"manifest":"${keyOf("a")}"}`, "run-9"), id: `0x${"c".repeat(64)}` };
    expect(fate(keyOf("a"), [FAILED, other])).toBe("result");
    expect(fate(keyOf("b"), [FAILED, other])).toBe("result");
    expect(fate(keyOf("a", "run-2"), [FAILED, other])).toBe("garbage failed");
  });

  it("that a result of the network names stays, though the node gave the activity up", () => {
    const judge = rules([aTask()]);
    judge.addResult(hexOf(keyOf("a")));
    expect(word(judge.fateOfObject(keyOf("a"), OLD_MS))).toBe("result");
  });

  it("in a folder that a result names stays", () => {
    const folder = uploadPrefix(WORKFLOW, TASK, "run-1").slice(0, -"run-1/".length);
    expect(fate(keyOf("a", "run-7"), [FAILED, { ...done(folder, "run-9"), id: "0x0c" }])).toBe("result");
  });

  it("is not kept by a result that names the area alone", () => {
    expect(fate(keyOf("a"), [FAILED, { ...done("see runs/ for more", "run-9"), id: "0x0c" }])).toBe(
      "garbage failed",
    );
  });

  it("stays for an hour, from when it was written or its activity ended", () => {
    expect(word(rules([FAILED]).fateOfObject(keyOf("a"), NOW_MS - HOUR_MS + 1))).toBe("recent");
    expect(word(rules([FAILED]).fateOfObject(keyOf("a"), NOW_MS - HOUR_MS))).toBe("garbage failed");
    const ended = { ...FAILED, updatedAtMs: NOW_MS - HOUR_MS + 1 };
    expect(word(rules([ended]).fateOfObject(keyOf("a"), 0))).toBe("recent");
  });

  it("of an activity that nobody knows stays, unless that is asked for, with an age", () => {
    expect(fate(keyOf("a"), [])).toBe("unknown");
    const asked = { unknownAgeMs: HOUR_MS };
    expect(fate(keyOf("a"), [], asked)).toBe("garbage unknown");
    expect(word(rules([], asked).fateOfObject(keyOf("a"), NOW_MS - 1))).toBe("recent");
    expect(fate(keyOf("a"), [{ ...done(keyOf("a"), "x"), id: "0x0c" }], asked)).toBe("result");
  });

  it("of an activity that nobody knows stays while its workflow is under way", () => {
    const step = aTask({ id: "0x0c", state: "running" });
    expect(fate(keyOf("a"), [step], { unknownAgeMs: 0 })).toBe("unknown");
    const alone = { ...step, workflowInstanceId: "" };
    expect(fate("runs/none/0b/run-1/a", [alone], { unknownAgeMs: 0 })).toBe("garbage unknown");
  });

  it("that no run has written stays", () => {
    for (const key of ["in/a.wav", "runs/", "runs/a/b/c", "runs/a/../b/c/d", "doctor/x.txt"]) {
      expect(fate(key, [], { unknownAgeMs: 0 })).toBe("foreign");
    }
  });

  it("is judged by all activities that it may be of", () => {
    const twin = { ...FAILED, id: `0x${"b".repeat(16)}${"c".repeat(48)}` };
    expect(rules([FAILED, twin]).fateOfObject(keyOf("a"), OLD_MS)).toEqual({
      isGarbage: true,
      why: "failed",
      taskIds: [FAILED.id, twin.id],
    });
    expect(fate(keyOf("a"), [FAILED, { ...twin, state: "running" }])).toBe("open");
    expect(fate(keyOf("a"), [FAILED, { ...done("", "run-1"), id: twin.id }])).toBe("result");
  });

  it("that a settled result names is never garbage, wherever in the bytes, whatever else is known", () => {
    const name = fc.stringMatching(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,8}$/);
    const text = fc.string({ unit: "binary", maxLength: 20 });
    const state = fc.constantFrom("lost", "expired", "abandoned", "done" as const);
    fc.assert(
      fc.property(name, fc.tuple(text, text), state, (object, [before, after], ended) => {
        const key = keyOf(object);
        const settled = { ...done(`${before}${key}${after}`, "other"), id: "0x0c" };
        const own = aTask({ state: ended, ...(ended === "done" ? { outcome: FAILED.outcome } : {}) });
        const options = { minAgeMs: 0, unknownAgeMs: 0 };
        expect(rules([own, settled], options).fateOfObject(key, 0).isGarbage).toBe(false);
        expect(rules([settled], options).fateOfObject(key, 0).isGarbage).toBe(false);
      }),
    );
  });
});

describe("an upload in parts", () => {
  const judge = (tasks: readonly KnownTask[], more?: Partial<GarbageOptions>) =>
    word(rules(tasks, more).fateOfUpload(keyOf("a"), OLD_MS));

  it("of an activity that is over will not be completed, whatever gave the result", () => {
    expect(judge([FAILED])).toBe("garbage incomplete");
    expect(judge([done(keyOf("a"), "run-1")])).toBe("garbage incomplete");
  });

  it("stays like an object does", () => {
    expect(judge([aTask({ state: "running" })])).toBe("open");
    expect(judge([])).toBe("unknown");
    expect(judge([], { unknownAgeMs: 0 })).toBe("garbage incomplete");
    expect(judge([FAILED], { minAgeMs: 3 * HOUR_MS })).toBe("recent");
    expect(word(rules([FAILED]).fateOfUpload("in/a", 0))).toBe("foreign");
  });
});

describe("an activity that is given up here", () => {
  const other = { ...aTask(), id: `0x${"b".repeat(16)}${"c".repeat(48)}` };

  it("is told by its objects, so that the network can be asked about it, and no other is", () => {
    const judge = rules([aTask(), other, aTask({ id: `0x${"d".repeat(64)}` }), FAILED]);
    const names = judge.withoutOutcome(keyOf("a")).map(({ id }) => id);
    expect(names).toEqual([TASK, other.id]);
    expect(judge.withoutOutcome("in/a")).toEqual([]);
  });

  it("keeps its objects, and what is unknown of its workflow, when the network says that it is held", () => {
    const judge = rules([aTask(), other], { unknownAgeMs: 0 });
    judge.hold(other);
    expect(judge.fateOfObject(keyOf("a"), OLD_MS)).toEqual({
      isGarbage: false,
      why: "open",
      taskIds: [TASK, other.id],
    });
    const unknown = `${uploadPrefix(WORKFLOW, `0x${"e".repeat(64)}`, "run-1")}a`;
    expect(word(judge.fateOfObject(unknown, OLD_MS))).toBe("unknown");
  });
});
