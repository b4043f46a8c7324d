import { describe, expect, it } from "vitest";
import { aCandidate, aQueue, SchedulerWorld } from "../../../tests/_scheduler-world.ts";
import { withPauses } from "./queue-policy.ts";

/** `count` tasks named `name-1` and so on. */
function putMany(
  world: SchedulerWorld,
  name: string,
  { count, ...changes }: { readonly count: number } & Parameters<SchedulerWorld["put"]>[1],
): void {
  for (let number = 1; number <= count; number += 1)
    world.put(`${name}-${number}`, { dueMs: number, ...changes });
}

describe("queues", () => {
  it("of a higher priority go first, whatever the weights", () => {
    const queues = [aQueue("low", { weight: 100 }), aQueue("high", { priority: 1, weight: 0.1 })];
    const world = new SchedulerWorld({ queues });
    putMany(world, "low", { count: 3, queue: "low" });
    putMany(world, "high", { count: 3, queue: "high" });
    expect(world.fill()).toEqual(["high-1", "high-2", "high-3", "low-1", "low-2", "low-3"]);
  });

  it("of one priority share by their weights, interleaved", () => {
    const world = new SchedulerWorld({ queues: [aQueue("a", { weight: 3 }), aQueue("b")] });
    putMany(world, "a", { count: 6, queue: "a" });
    putMany(world, "b", { count: 6, queue: "b" });
    const first = world.fill(8).map((id) => id[0]);
    expect(first.filter((name) => name === "a")).toHaveLength(6);
    expect(first.slice(0, 4)).toContain("b");
  });

  it("that had nothing to do meanwhile earn nothing by it", () => {
    const world = new SchedulerWorld({ queues: [aQueue("busy"), aQueue("idle")] });
    putMany(world, "busy", { count: 100, queue: "busy" });
    world.fill(50);
    putMany(world, "idle", { count: 50, queue: "idle" });
    const next = world.fill(20).map((id) => id.split("-")[0]);
    expect(next.filter((name) => name === "idle")).toHaveLength(10);
  });

  it("that are full hold nothing back, and go on when something of theirs has ended", () => {
    const world = new SchedulerWorld({
      queues: [aQueue("few", { maxInflight: 2, priority: 1 }), aQueue("q")],
    });
    putMany(world, "few", { count: 4, queue: "few" });
    putMany(world, "q", { count: 2 });
    expect(world.fill()).toEqual(["few-1", "few-2", "q-1", "q-2"]);
    expect(world.fill()).toEqual([]);
    world.end("few-1");
    expect(world.fill()).toEqual(["few-3"]);
  });

  it("that are paused start nothing, and go on without any credit", () => {
    const world = new SchedulerWorld({ queues: [aQueue("a", { isPaused: true }), aQueue("b")] });
    putMany(world, "a", { count: 20, queue: "a" });
    putMany(world, "b", { count: 30, queue: "b" });
    expect(world.fill(10).every((id) => id.startsWith("b"))).toBe(true);
    expect(world.scheduler.setPaused("a", false)).toBe(true);
    // Half of them, and at most the one that was next when it was let go on.
    expect(world.fill(10).filter((id) => id.startsWith("a")).length).toBeLessThanOrEqual(6);
    expect(world.scheduler.setPaused("a", true)).toBe(true);
    expect(world.fill(4).every((id) => id.startsWith("b"))).toBe(true);
    expect(world.scheduler.setPaused("c", true)).toBe(false);
  });

  it("that had no slot for a while make up for no more than eight tasks of the lightest", () => {
    const queues = [aQueue("held", { weight: 2 }), aQueue("other", { weight: 2 }), aQueue("light")];
    const world = new SchedulerWorld({ queues, slots: { cpu: 1_000, gpu: 0 } });
    putMany(world, "held", { count: 100, queue: "held", kind: "gpu" });
    putMany(world, "other", { count: 200, queue: "other", kind: "cpu" });
    world.fill(100);
    world.addSlots("gpu", 100);
    const next = world.fill(40).filter((id) => id.startsWith("held"));
    // Sixteen ahead, since it weighs twice as much, and every other one of the rest.
    expect(next.length).toBeGreaterThanOrEqual(27);
    expect(next.length).toBeLessThanOrEqual(29);
  });

  it("that may start so many per second say when they may go on", () => {
    const queues = [aQueue("slow", { rate: { perS: 4, burst: 2 } }), aQueue("q")];
    const world = new SchedulerWorld({ queues });
    putMany(world, "slow", { count: 10, queue: "slow" });
    expect(world.scheduler.nextTokenAtMs(0)).toBeUndefined(); // it may at once
    expect(world.fill()).toEqual(["slow-1", "slow-2"]);
    expect(world.scheduler.nextTokenAtMs(0)).toBeCloseTo(250, 3);
    world.nowMs = 249;
    expect(world.fill()).toEqual([]);
    world.nowMs = 250;
    expect(world.fill()).toEqual(["slow-3"]);
    world.scheduler.setPaused("slow", true);
    expect(world.scheduler.nextTokenAtMs(250)).toBeUndefined();
  });

  it("tell how they are", () => {
    const limits = { priority: 2, maxInflight: 7, rate: { perS: 5, burst: 3 }, isPaused: false };
    const world = new SchedulerWorld({ queues: [aQueue("a", { weight: 4, ...limits })] });
    putMany(world, "a", { count: 3, queue: "a" });
    world.put("other", { queue: "seen" });
    world.fill(2);
    expect(world.view("a")).toEqual({
      name: "a",
      isPaused: false,
      weight: 4,
      priority: 2,
      waiting: 1,
      inflight: 2,
      maxInflight: 7,
      ratePerS: 5,
      tokens: 1,
    });
    expect(world.view("seen")).toMatchObject({ weight: 1, priority: 0, waiting: 1, inflight: 0 });
    world.end("a-1");
    expect(world.view("a")?.inflight).toBe(1);
  });

  it("are as the operator left them", () => {
    const pauses = new Map([
      ["a", true],
      ["b", false],
      ["gone", true],
    ]);
    const queues = withPauses([aQueue("a"), aQueue("b", { isPaused: true }), aQueue("c")], pauses);
    expect(queues.map(({ name, isPaused }) => `${name} ${isPaused}`)).toEqual([
      "a true",
      "b false",
      "c false",
      "gone true",
    ]);
  });
});

describe("within a queue", () => {
  it("tenants take turns, one task each, however many they have", () => {
    const world = new SchedulerWorld();
    putMany(world, "many", { count: 90, tenant: "many" });
    putMany(world, "few", { count: 10, tenant: "few", dueMs: 1_000 });
    world.fill(20);
    expect(world.shares(({ task }) => task.traits?.tenant ?? "")).toEqual({ many: 10, few: 10 });
  });

  it("a tenant is not kept out by ever new ones", () => {
    const world = new SchedulerWorld();
    putMany(world, "old", { count: 5, tenant: "old", dueMs: 1_000 });
    for (let number = 0; number < 20; number += 1) {
      world.put(`new-${number}`, { tenant: `tenant-${number}`, dueMs: 0 });
      world.put(`newer-${number}`, { tenant: `tenant-x${number}`, dueMs: 0 });
      world.fill(2);
    }
    expect(world.started.filter((id) => id.startsWith("old")).length).toBeGreaterThan(0);
  });

  it("a tenant that leaves and comes back does not get more", () => {
    const world = new SchedulerWorld();
    putMany(world, "steady", { count: 100, tenant: "steady" });
    for (let number = 1; number <= 40; number += 1) {
      if (!world.scheduler.has(`hop-${number - 1}`)) world.put(`hop-${number}`, { tenant: "hop" });
      world.fill(1);
    }
    const shares = world.shares(({ task }) => task.traits?.tenant ?? "");
    expect(shares["hop"]).toBeLessThanOrEqual((shares["steady"] ?? 0) + 1);
  });

  it("a tenant that could not go on for a while makes up for no more than eight tasks", () => {
    const world = new SchedulerWorld({ slots: { cpu: 100, gpu: 0 } });
    putMany(world, "held", { count: 40, tenant: "held", kind: "gpu" });
    putMany(world, "other", { count: 40, tenant: "other", kind: "cpu" });
    world.fill(20);
    world.addSlots("gpu", 100);
    const next = world.fill(20).filter((id) => id.startsWith("held"));
    expect(next.length).toBeGreaterThanOrEqual(10);
    expect(next.length).toBeLessThanOrEqual(10 + 5); // of 20, 8 ahead and then every other one
  });

  it("a tenant's turn is one turn over all kinds of its work", () => {
    const world = new SchedulerWorld();
    world.put("a-x", { tenant: "a", kind: "x", priority: 1 });
    world.put("a-y", { tenant: "a", kind: "y" });
    world.put("b-y", { tenant: "b", kind: "y", dueMs: 5 });
    expect(world.fill()).toEqual(["a-x", "b-y", "a-y"]);
  });

  it("a tenant has at most so many in flight over all queues, and those without one are not bound", () => {
    const world = new SchedulerWorld({ tenantMaxInflight: 3 });
    putMany(world, "a", { count: 5, queue: "a", tenant: "t" });
    putMany(world, "b", { count: 5, queue: "b", tenant: "t" });
    putMany(world, "free", { count: 6, queue: "b" });
    const started = world.fill();
    expect(started.filter((id) => !id.startsWith("free"))).toHaveLength(3);
    expect(started.filter((id) => id.startsWith("free"))).toHaveLength(6);
    world.end(started.find((id) => !id.startsWith("free")) ?? "");
    expect(world.fill()).toHaveLength(1);
    expect(world.fill()).toEqual([]);
  });

  it("higher priorities go first, then earlier deadlines, then the order of claims", () => {
    const world = new SchedulerWorld();
    world.put("plain-late", { dueMs: 9 });
    world.put("plain", { dueMs: 5 });
    world.put("deadline-far", { deadlineMs: 9_000 });
    world.put("deadline-near", { deadlineMs: 5_000, dueMs: 7 });
    world.put("urgent", { priority: 1, dueMs: 10 });
    world.put("unimportant", { priority: -1, deadlineMs: 100 });
    expect(world.fill()).toEqual([
      "urgent",
      "deadline-near",
      "deadline-far",
      "plain",
      "plain-late",
      "unimportant",
    ]);
  });

  it("what cannot be through in time goes last, by how long its kind takes", () => {
    const world = new SchedulerWorld();
    world.put("measure");
    world.fill();
    world.nowMs = 1_000;
    world.end("measure");
    world.put("hopeless", { deadlineMs: 1_999, priority: 9, tenant: "first" });
    world.put("in-time", { deadlineMs: 2_001 });
    world.put("whenever", { dueMs: 3 });
    world.put("another-kind", { kind: "fast", deadlineMs: 1_100, dueMs: 9 });
    expect(world.fill()).toEqual(["another-kind", "in-time", "whenever", "hopeless"]);
  });

  it("what fails says nothing about how long its kind takes", () => {
    const world = new SchedulerWorld();
    world.put("measure");
    world.fill();
    world.nowMs = 1_000_000;
    world.end("measure", false);
    world.put("later", { deadlineMs: 1_000_010 });
    world.put("whenever");
    expect(world.fill()).toEqual(["later", "whenever"]);
  });

  it("what has passed its deadline is taken out", () => {
    const world = new SchedulerWorld();
    world.put("a", { deadlineMs: 100 });
    world.put("b", { deadlineMs: 50, queue: "other" });
    world.put("c");
    expect(world.scheduler.dropPast(49)).toEqual([]);
    expect(world.scheduler.dropPast(100)).toEqual(["b", "a"]);
    expect(world.fill()).toEqual(["c"]);
  });

  it("what rivals are nearer to is left alone while it has to be", () => {
    const world = new SchedulerWorld();
    world.put("theirs", { isContested: true, priority: 9 });
    world.put("ours");
    world.mayContest = false;
    expect(world.fill()).toEqual(["ours"]);
    world.mayContest = true;
    expect(world.fill()).toEqual(["theirs"]);
  });
});

describe("slots", () => {
  it("that one kind of work has none of are asked for once, and other kinds go on", () => {
    const world = new SchedulerWorld({ slots: { gpu: 0, cpu: 2 } });
    for (let number = 1; number <= 500; number += 1) {
      world.put(`gpu-${number}`, {
        kind: "gpu",
        queue: `q${number % 50}`,
        tenant: `t${number}`,
        priority: 5,
      });
    }
    putMany(world, "cpu", { count: 3, kind: "cpu", queue: "q1" });
    expect(world.fill()).toEqual(["cpu-1", "cpu-2"]);
    expect(world.asked.filter((kind) => kind === "gpu")).toHaveLength(1);
    expect(world.asked.filter((kind) => kind === "cpu")).toHaveLength(3);
  });

  it("are one kind of work for each version and set of needs, in any order", () => {
    const world = new SchedulerWorld({ slots: { work: 0 } });
    world.put("a", { needs: ["gpu", "big"] });
    world.put("b", { needs: ["big", "gpu"] });
    world.put("c", { needs: ["gpu"] });
    world.put("d");
    expect(world.fill()).toEqual([]);
    expect(world.asked).toHaveLength(3);
  });
});

describe("what is in flight", () => {
  it("counts when it was under way before, and is not charged for", () => {
    const queues = [aQueue("a", { maxInflight: 2, rate: { perS: 1, burst: 1 } })];
    const world = new SchedulerWorld({ queues, tenantMaxInflight: 2 });
    world.scheduler.resumed(aCandidate("before", { queue: "a", tenant: "t" }).task);
    world.scheduler.resumed(aCandidate("before", { queue: "a", tenant: "t" }).task);
    putMany(world, "a", { count: 2, queue: "a", tenant: "t" });
    expect(world.fill()).toEqual(["a-1"]);
    world.nowMs = 60_000;
    expect(world.fill()).toEqual([]);
    world.scheduler.ended("before");
    expect(world.fill()).toEqual(["a-2"]);
  });

  it("leaves the line when it is found to be ours already, and does not wait besides", () => {
    const world = new SchedulerWorld();
    world.put("a");
    world.scheduler.resumed(aCandidate("a").task);
    expect(world.fill()).toEqual([]);
    world.put("a");
    expect(world.scheduler.size).toBe(0);
    expect(world.view("q")).toMatchObject({ waiting: 0, inflight: 1 });
  });

  it("ends once", () => {
    const world = new SchedulerWorld();
    world.put("a");
    world.fill();
    world.end("a");
    world.scheduler.ended("a");
    world.scheduler.ended("never");
    expect(world.view("q")?.inflight).toBe(0);
  });
});
