import { describe, expect, it } from "vitest";
import type { TaskState } from "../src/domain/task.ts";
import { StoppedError } from "../src/ports.ts";
import { anOffer, aRun, idOf } from "./_builders.ts";
import { FakeExecutor, SUCCESS } from "./_fake-executor.ts";
import { MemoryDisk } from "./_memory-store.ts";
import { diskWith, NodeBench } from "./_node-bench.ts";
import { until } from "./_until.ts";

describe("a task found at the start", () => {
  const lease = { expiresAtMs: Date.UTC(2025, 0, 1) + 60_000, durationMs: 60_000, token: "1" };
  const run = aRun({ id: "run-before", attempt: 2, executor: "http://wep-7" });
  const HALF_WAY: readonly TaskState[] = [
    { kind: "offered" },
    { kind: "claiming" },
    { kind: "claimed", lease, attempts: 1 },
    { kind: "assigned", lease, run },
    { kind: "running", lease, run, percent: 30 },
  ];

  it.each(HALF_WAY)("is driven on from $kind to its end", async (state) => {
    const disk = await diskWith(state);
    await using node = await NodeBench.start({}, { disk });
    await node.pass(1_000);
    (await node.executor.nextRun()).end.resolve(SUCCESS);
    await node.whenStored("done");
    expect(node.source.count("claim")).toBe(state.kind === "offered" || state.kind === "claiming" ? 1 : 0);
    expect(node.source.count("complete")).toBe(1);
  });

  it.each(HALF_WAY.slice(3))("as $kind keeps its run and the place where it runs", async (state) => {
    const disk = await diskWith(state);
    await using node = await NodeBench.start({}, { disk });
    await node.pass(1_000);
    const { assignment } = await node.executor.nextRun();
    expect(assignment).toMatchObject({ runId: "run-before", attempt: 2 });
    expect(node.executor.wishes[0]).toMatchObject({ executor: "http://wep-7" });
    expect(node.stored()).toMatchObject({ kind: "assigned", run });
  });

  it("as claimed counts the attempts before it", async () => {
    const disk = await diskWith({ kind: "claimed", lease, attempts: 1 });
    await using node = await NodeBench.start({}, { disk });
    await node.pass(1_000);
    const { assignment } = await node.executor.nextRun();
    expect(assignment.attempt).toBe(2);
    expect(assignment.runId).not.toBe("run-before");
  });

  it.each([
    ["success", { status: "success", resultHex: "0xbeef" } as const, "complete 1 0xbeef"],
    ["error", { status: "error", code: 2001, reason: "it broke" } as const, "fail 1 it broke"],
  ])("as settling with %s is settled and not run again", async (_what, outcome, call) => {
    const disk = await diskWith({ kind: "settling", outcome });
    await using node = await NodeBench.start({}, { disk });
    await node.whenStored("done");
    expect(node.source.calls).toEqual([call]);
    expect(node.executor.runs).toEqual([]);
  });

  it.each<TaskState>([
    { kind: "done", outcome: { status: "success", resultHex: "0x" } },
    { kind: "lost", reason: "late" },
    { kind: "expired" },
    { kind: "abandoned", reason: "refused" },
  ])("as $kind is left alone", async (state) => {
    const disk = await diskWith(state);
    await using node = await NodeBench.start({}, { disk });
    await node.pass(1_000);
    expect(node.source.calls).toEqual([]);
    expect(node.executor.wishes).toEqual([]);
  });

  it("waits for room, and is lost in peace if that takes longer than its lease", async () => {
    const disk = await diskWith({ kind: "claimed", lease, attempts: 0 });
    const executor = new FakeExecutor(0);
    await using node = await NodeBench.start({}, { disk, executor });
    await node.pass(10_000);
    expect(node.dispatcher.inflight).toBe(1);
    node.source.onHeartbeat = async () => ({ kind: "lost", reason: "the lease ran out" });
    await node.pass(15_000);
    await node.whenStored("lost");
    await node.pass(3_000);
    expect(node.dispatcher.inflight).toBe(0);
    executor.grow(1);
    await node.pass(3_000);
    expect(executor.runs).toEqual([]);
  });
});

describe("what the network says is ours", () => {
  const recovered = () => ({
    offer: anOffer(),
    lease: { expiresAtMs: Date.UTC(2025, 0, 2), durationMs: 3_600_000, token: "1" },
  });

  it("is taken up when the store has never heard of it", async () => {
    const node = new NodeBench();
    node.source.held = [recovered()];
    await node.reconciler.start();
    expect(node.stored()).toMatchObject({ kind: "claimed", attempts: 0 });
    node.run();
    await node.pass(1_000);
    (await node.executor.nextRun()).end.resolve(SUCCESS);
    await node.whenStored("done");
    expect(node.source.count("claim")).toBe(0);
    await node.stop();
  });

  it("is taken up from an offer that was stored before the claim it lost", async () => {
    const node = new NodeBench({}, { disk: await diskWith({ kind: "offered" }) });
    node.source.held = [recovered()];
    await node.reconciler.start();
    expect(node.stored()?.kind).toBe("claimed");
  });

  it.each<TaskState>([
    { kind: "claiming" },
    { kind: "assigned", lease: recovered().lease, run: aRun() },
    { kind: "settling", outcome: { status: "success", resultHex: "0x" } },
  ])("changes nothing about a task that the store knows as $kind", async (state) => {
    const node = new NodeBench({}, { disk: await diskWith(state) });
    node.source.held = [recovered()];
    await node.reconciler.start();
    expect(node.stored()).toEqual(state);
  });

  it("is never run again when the store knows it as done: the network's word is an old one", async () => {
    const done: TaskState = { kind: "done", outcome: { status: "success", resultHex: "0x01" } };
    await using node = new NodeBench({}, { disk: await diskWith(done) });
    node.source.held = [recovered()];
    await node.reconciler.start();
    node.run();
    await node.pass(1_000);
    expect(node.stored()).toEqual(done);
    expect(node.executor.runs).toEqual([]);
  });

  it.each<TaskState>([
    { kind: "lost", reason: "late" },
    { kind: "expired" },
    { kind: "abandoned", reason: "refused" },
  ])(
    "is a new round when the store knows it as $kind, so that no effect of the old one stands for a new one",
    async (state) => {
      const node = new NodeBench({}, { disk: await diskWith(state, { round: 4 }) });
      node.source.held = [recovered()];
      await node.reconciler.start();
      expect(node.book.get(idOf(1))).toMatchObject({ round: 5, state: { kind: "claimed" } });
      expect(node.stored()?.kind).toBe("claimed");
    },
  );
});

describe("a drain", () => {
  it("takes no more and waits for what is under way", async () => {
    await using node = await NodeBench.start({}, { executor: new FakeExecutor(1) });
    await node.offer(1);
    await node.offer(2);
    const run = await node.executor.nextRun();
    let isDrained = false;
    const drained = node.dispatcher.drain().then(() => (isDrained = true));
    expect(node.dispatcher.wanted("audio/1.0.0/processing")).toBe(false);
    await node.pass(2_000);
    expect(isDrained).toBe(false);
    run.end.resolve(SUCCESS);
    await drained;
    expect(node.stored(1)?.kind).toBe("done");
    expect(node.stored(2)?.kind).toBe("offered");
    expect(node.source.count("claim")).toBe(1);
  });

  it("is over at once when nothing is under way", async () => {
    await using node = await NodeBench.start();
    await node.dispatcher.drain();
  });
});

describe("a stop", () => {
  it("leaves a run alone and takes it up again at the next start, which then completes it once", async () => {
    const before = await NodeBench.start();
    await before.offer();
    const first = await before.executor.nextRun();
    await before.stop();
    await expect(first.end.promise).rejects.toBeInstanceOf(StoppedError);
    expect(before.stored()?.kind).toBe("assigned");
    await using after = await NodeBench.start({}, { disk: before.disk, clock: before.clock });
    await after.pass(1_000);
    const second = await after.executor.nextRun();
    expect(second.assignment.runId).toBe(first.assignment.runId);
    second.end.resolve(SUCCESS);
    await after.whenStored("done");
    expect(before.source.count("complete") + after.source.count("complete")).toBe(1);
  });
});

describe("an outcome that the disk does not take", () => {
  it("ends the process, and is left with the executor for the next start", async () => {
    const disk = new MemoryDisk();
    const open = disk.open.bind(disk);
    disk.open = () => {
      const store = open();
      const saveTask: typeof store.saveTask = async (task, from) => {
        if (task.state.kind === "settling") throw new Error("disk full");
        await store.saveTask(task, from);
      };
      return { ...store, saveTask };
    };
    const node = await NodeBench.start({}, { disk });
    await node.offer();
    const run = await node.executor.nextRun();
    run.end.resolve(SUCCESS);
    await until(() => node.executor.events.includes("free"));
    await expect(node.stop()).rejects.toThrow("disk full");
    expect(node.executor.events).toEqual(["run 1", "kept", "free"]);

    disk.open = open;
    const { clock, executor, source } = node;
    await using next = await NodeBench.start({}, { disk, clock, executor, source });
    await next.pass(1_000);
    const again = await next.executor.nextRun();
    expect(again.assignment.runId).toBe(run.assignment.runId);
    again.end.resolve(SUCCESS);
    await next.whenStored("done");
    expect(next.source.count("complete")).toBe(1);
  });
});
