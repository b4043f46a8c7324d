import { createDeferred, FakeClock } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import type { TaskTraits } from "../src/domain/task.ts";
import type { SettleOutcome } from "../src/ports.ts";
import { anOffer, aRun, idOf } from "./_builders.ts";
import { FakeExecutor, SUCCESS } from "./_fake-executor.ts";
import { MemoryDisk } from "./_memory-store.ts";
import { diskWith, NodeBench } from "./_node-bench.ts";
import { aQueue } from "./_scheduler-world.ts";
import { settle } from "./_until.ts";

const LEASE = { expiresAtMs: Date.UTC(2025, 0, 1) + 600_000, durationMs: 600_000, token: "1" };

/** Offers task `number`. */
function offer(
  node: NodeBench,
  number: number,
  { queue, ...traits }: TaskTraits & { readonly queue: string },
): Promise<boolean> {
  return node.dispatcher.offer(anOffer({ id: idOf(number), queue, traits }));
}

function viewOf(node: NodeBench, name: string) {
  return node.dispatcher.queues().find((queue) => queue.name === name);
}

describe("queues", () => {
  it("are claimed from in the scheduler's order", async () => {
    const executor = new FakeExecutor(0);
    const queues = [aQueue("low"), aQueue("high", { priority: 1 })];
    await using node = await NodeBench.start({ queues }, { executor });
    for (const number of [1, 2]) await offer(node, number, { queue: "low" });
    for (const number of [3, 4]) await offer(node, number, { queue: "high" });
    executor.grow(2);
    const ids = [await executor.nextRun(), await executor.nextRun()].map((run) => run.assignment.task.id);
    expect(ids.toSorted()).toEqual([idOf(3), idOf(4)]);
    expect(viewOf(node, "high")).toMatchObject({ waiting: 0, inflight: 2 });
    expect(viewOf(node, "low")).toMatchObject({ waiting: 2, inflight: 0 });
  });

  it("count what was under way before a restart", async () => {
    const run = aRun({ id: "run-before" });
    const disk = await diskWith({ kind: "running", lease: LEASE, run, percent: 3 }, { queue: "few" });
    const queues = [aQueue("few", { maxInflight: 2 })];
    await using node = await NodeBench.start({ queues }, { disk });
    for (const number of [2, 3]) await offer(node, number, { queue: "few" });
    await node.pass(1_000);
    expect(node.source.count("claim")).toBe(1);
    expect(viewOf(node, "few")).toMatchObject({ waiting: 1, inflight: 2 });
    for (const each of node.executor.runs) each.end.resolve(SUCCESS);
    await node.whenStored("done");
    await settle();
    expect(node.source.count("claim")).toBe(2);
    node.executor.runs.at(-1)?.end.resolve(SUCCESS);
  });

  it("have room again when a claim is lost, or a task is given up", async () => {
    const queues = [aQueue("few", { maxInflight: 1 })];
    await using node = await NodeBench.start({ queues });
    node.source.onClaim = async ({ id }) =>
      id === idOf(1) ? { kind: "lost", reason: "late" } : { kind: "won", lease: node.source.lease() };
    await offer(node, 1, { queue: "few" });
    await node.whenStored("lost", 1);
    await offer(node, 2, { queue: "few" });
    (await node.executor.nextRun()).end.resolve({ kind: "rejected", code: 1001, reason: "no" });
    await node.whenStored("abandoned", 2);
    await offer(node, 3, { queue: "few" });
    (await node.executor.nextRun()).end.resolve(SUCCESS);
    await node.whenStored("done", 3);
  });

  it("do not count what is being settled, also not what was before a restart", async () => {
    const outcome = { status: "success", resultHex: "0xbeef" } as const;
    const disk = await diskWith({ kind: "settling", outcome }, { queue: "few" });
    const queues = [aQueue("few", { maxInflight: 1 })];
    const settled = createDeferred<SettleOutcome>();
    const node = new NodeBench({ queues }, { disk });
    node.source.onSettle = () => settled.promise;
    node.run();
    await offer(node, 2, { queue: "few" });
    (await node.executor.nextRun()).end.resolve(SUCCESS);
    await node.whenStored("settling", 2);
    await offer(node, 3, { queue: "few" });
    await node.executor.nextRun();
    expect(viewOf(node, "few")).toMatchObject({ waiting: 0, inflight: 1 });
    settled.resolve({ kind: "settled" });
    node.executor.runs.at(-1)?.end.resolve(SUCCESS);
    await node.whenStored("done", 3);
    expect(viewOf(node, "few")?.inflight).toBe(0);
    await node.stop();
  });

  it("that may claim so often wake up when they may, not a second later", async () => {
    const queues = [aQueue("slow", { rate: { perS: 5, burst: 1 } })];
    await using node = await NodeBench.start({ queues, maxInflight: 16 }, { executor: new FakeExecutor(16) });
    for (const number of [1, 2, 3]) await offer(node, number, { queue: "slow" });
    const claims: number[] = [];
    for (const ms of [199, 1, 199, 1, 200]) {
      await node.clock.advance(ms);
      await settle();
      claims.push(node.source.count("claim"));
    }
    expect(claims).toEqual([0, 1, 1, 2, 3]);
  });

  it("that may claim so often may not more often when the node restarts in a loop", async () => {
    const queues = [aQueue("slow", { rate: { perS: 2, burst: 10 } })];
    const disk = new MemoryDisk();
    const clock = new FakeClock();
    let claims = 0;
    let number = 0;
    for (let start = 0; start < 5; start += 1) {
      await using node = await NodeBench.start(
        { queues, maxInflight: 64 },
        { disk, clock, executor: new FakeExecutor(64) },
      );
      for (let offered = 0; offered < 10; offered += 1) {
        await offer(node, (number += 1), { queue: "slow" });
      }
      await node.pass(1_000);
      claims += node.source.count("claim");
    }
    expect(claims).toBe(10);
  });
});

describe("a queue that is paused", () => {
  it("claims nothing more, and what is under way goes on", async () => {
    await using node = await NodeBench.start({ queues: [aQueue("a"), aQueue("b")] });
    await offer(node, 1, { queue: "a" });
    const run = await node.executor.nextRun();
    expect(await node.dispatcher.pauseQueue("a", true)).toBe(true);
    expect(viewOf(node, "a")?.isPaused).toBe(true);
    await offer(node, 2, { queue: "a" });
    await offer(node, 3, { queue: "b" });
    const other = await node.executor.nextRun();
    expect(other.assignment.task.id).toBe(idOf(3));
    run.end.resolve(SUCCESS);
    await node.whenStored("done", 1);
    await node.pass(2_000);
    expect(node.stored(2)?.kind).toBe("offered");
    await node.dispatcher.pauseQueue("a", false);
    expect((await node.executor.nextRun()).assignment.task.id).toBe(idOf(2));
  });

  it("stays so over a restart, and goes on as long as it was told to", async () => {
    const disk = new MemoryDisk();
    const queues = [aQueue("a"), aQueue("b", { isPaused: true })];
    const pausedAfter = async (change: (node: NodeBench) => Promise<unknown>) => {
      await using node = await NodeBench.start({ queues }, { disk });
      await change(node);
      return node.dispatcher.queues().map(({ name, isPaused }) => `${name} ${isPaused}`);
    };
    const nothing = async () => undefined;
    expect(await pausedAfter(nothing)).toEqual(["a false", "b true"]);
    await pausedAfter((node) => node.dispatcher.pauseQueue("a", true));
    await pausedAfter((node) => node.dispatcher.pauseQueue("b", false));
    expect(await pausedAfter(nothing)).toEqual(["a true", "b false"]);
    // As configured again: from then on the configuration decides.
    await pausedAfter((node) => node.dispatcher.pauseQueue("a", false));
    expect(disk.open().queuePauses()).toEqual(new Map([["b", false]]));
  });

  it("must be one that there is", async () => {
    await using node = await NodeBench.start({ queues: [aQueue("a")] });
    expect(await node.dispatcher.pauseQueue("b", true)).toBe(false);
  });
});

describe("what the network says of a task", () => {
  it("decides which executor it needs", async () => {
    await using node = await NodeBench.start();
    await offer(node, 1, { queue: "a", needs: ["gpu"] });
    await node.executor.nextRun();
    expect(node.executor.wishes).toMatchObject([
      { kind: "audio.preprocess", version: "1.0.0", needs: ["gpu"] },
    ]);
  });

  it("has it given up, with the reason, when its deadline passes before there was room", async () => {
    await using node = await NodeBench.start({}, { executor: new FakeExecutor(0) });
    await offer(node, 1, { queue: "a", deadlineMs: node.clock.nowMs() + 3_000 });
    await node.pass(2_500);
    expect(node.stored()?.kind).toBe("offered");
    await node.pass(1_500);
    expect(node.stored()).toEqual({
      kind: "abandoned",
      reason: "its deadline passed before there was room for it",
    });
    expect(node.source.calls).toEqual([]);
  });

  it("has it not taken up at all when its deadline is over", async () => {
    await using node = await NodeBench.start();
    await offer(node, 1, { queue: "a", deadlineMs: node.clock.nowMs() });
    await node.pass(1_000);
    expect(node.stored()).toBeUndefined();
  });

  it("bounds how many of one tenant are under way", async () => {
    await using node = await NodeBench.start({ tenantMaxInflight: 1, maxInflight: 32 });
    for (const number of [1, 2, 3]) await offer(node, number, { queue: `queue-${number}`, tenant: "0xaa" });
    await offer(node, 4, { queue: "queue-1", tenant: "0xbb" });
    await settle();
    expect(node.source.count("claim")).toBe(2);
  });
});
