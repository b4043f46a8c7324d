import { createDeferred, FakeClock } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import { type HeartbeatOutcome, type SettleOutcome, StoppedError } from "../src/ports.ts";
import { anOffer, idOf } from "./_builders.ts";
import { SUCCESS } from "./_fake-executor.ts";
import { LEASE_MS } from "./_fake-source.ts";
import { diskWith, NodeBench } from "./_node-bench.ts";
import { settle, until } from "./_until.ts";

/** A node with task 1 running, and the moment its lease began. */
async function running() {
  const node = await NodeBench.start();
  await node.offer();
  const run = await node.executor.nextRun();
  return { node, run };
}

function beats(node: NodeBench): string[] {
  return node.source.calls.filter((call) => call.startsWith("heartbeat"));
}

describe("a lease", () => {
  it("is renewed after a third of it, every time, though there is nothing to report", async () => {
    const { node } = await running();
    await using _node = node;
    await node.pass(LEASE_MS / 3 - 500);
    expect(beats(node)).toEqual([]);
    await node.pass(1_000);
    expect(beats(node)).toEqual(["heartbeat 1 0"]);
    await node.pass(LEASE_MS / 3);
    expect(beats(node)).toEqual(["heartbeat 1 0", "heartbeat 1 0"]);
  });

  it("is renewed sooner when there is progress to report, and reports it", async () => {
    const { node, run } = await running();
    await using _node = node;
    run.listener.progress(40, "");
    await node.pass(9_500);
    expect(beats(node)).toEqual([]);
    await node.pass(1_000);
    expect(beats(node)).toEqual(["heartbeat 1 40"]);
    // Reported once: the next beat is the lease's own again, unless there is news.
    await node.pass(15_000);
    expect(beats(node)).toHaveLength(1);
    run.listener.progress(41, "");
    await node.pass(500);
    expect(beats(node)).toEqual(["heartbeat 1 40", "heartbeat 1 41"]);
  });

  it("that an endpoint still tells as the old one is not renewed at every look", async () => {
    const { node } = await running();
    await using _node = node;
    const old = node.source.lease();
    node.source.onHeartbeat = async () => ({ kind: "extended", lease: old });
    await node.pass(30_000);
    expect(beats(node).length).toBeLessThanOrEqual(4);
  });

  it("is renewed in time though the wall clock was put back, before a claim's lease is seen and after", async () => {
    const clock = new FakeClock();
    const wallMs = clock.nowMs.bind(clock);
    let backMs = 0;
    clock.nowMs = () => wallMs() - backMs;
    await using node = await NodeBench.start({}, { clock });
    node.source.onClaim = async () => {
      const lease = node.source.lease();
      if (backMs > 0) backMs = 3_600_000;
      return { kind: "won", lease };
    };
    await node.offer(1);
    await node.executor.nextRun();
    await node.pass(1_000);
    backMs = 1_800_000;
    await node.offer(2);
    await node.executor.nextRun();
    await node.pass(LEASE_MS / 3 + 250);
    expect(beats(node)).toEqual(["heartbeat 1 0", "heartbeat 2 0"]);
    await node.pass(LEASE_MS / 3);
    expect(beats(node)).toHaveLength(4);
  });

  it("has one heartbeat at a time, however long it takes", async () => {
    const { node } = await running();
    await using _node = node;
    const answer = createDeferred<HeartbeatOutcome>();
    node.source.onHeartbeat = () => answer.promise;
    await node.pass(45_000);
    expect(beats(node)).toHaveLength(1);
    node.source.onHeartbeat = async () => ({ kind: "extended", lease: node.source.lease() });
    answer.resolve({ kind: "extended", lease: node.source.lease() });
    await node.pass(1_000);
    expect(beats(node)).toHaveLength(1);
    await node.pass(20_000);
    expect(beats(node)).toHaveLength(2);
  });

  it("that was stored long ago is renewed at once after a restart", async () => {
    const node = new NodeBench();
    const lease = { expiresAtMs: node.clock.nowMs() + 5_000, durationMs: LEASE_MS, token: "1" };
    const disk = await diskWith({ kind: "claimed", lease, attempts: 0 });
    await using again = await NodeBench.start({}, { disk, clock: node.clock });
    await again.pass(250);
    expect(beats(again)).toEqual(["heartbeat 1 0"]);
  });

  it("that turns out to be nearly over is renewed again at once", async () => {
    const node = new NodeBench();
    const lease = { expiresAtMs: node.clock.nowMs() + 5_000, durationMs: LEASE_MS, token: "1" };
    const disk = await diskWith({ kind: "claimed", lease, attempts: 0 });
    const again = new NodeBench({}, { disk, clock: node.clock });
    let asked = 0;
    again.source.onHeartbeat = async () => {
      asked += 1;
      // The first answer is that of a renewal which was made before the restart.
      return { kind: "extended", lease: asked === 1 ? lease : again.source.lease() };
    };
    again.run();
    await again.pass(2_000);
    expect(asked).toBe(2);
    await again.stop();
  });

  it("is not renewed while the task is being settled or when it is done", async () => {
    const { node, run } = await running();
    await using _node = node;
    const settled = createDeferred<SettleOutcome>();
    node.source.onSettle = () => settled.promise;
    run.end.resolve(SUCCESS);
    await node.whenStored("settling");
    await node.pass(30_000);
    settled.resolve({ kind: "settled" });
    await node.whenStored("done");
    await node.pass(30_000);
    expect(beats(node)).toEqual([]);
  });

  it("whose renewal ends after the run did changes nothing any more", async () => {
    const { node, run } = await running();
    await using _node = node;
    const answer = createDeferred<HeartbeatOutcome>();
    node.source.onHeartbeat = () => answer.promise;
    await node.pass(21_000);
    run.end.resolve(SUCCESS);
    await node.whenStored("done");
    answer.resolve({ kind: "lost", reason: "settled already" });
    await settle();
    expect(node.stored()?.kind).toBe("done");
    expect(node.executor.cancelled).toEqual([]);
  });

  it("whose renewal ends in a later round changes nothing in that one", async () => {
    const { node, run } = await running();
    await using _node = node;
    const answer = createDeferred<HeartbeatOutcome>();
    node.source.onHeartbeat = () => answer.promise;
    await node.pass(21_000);
    node.source.onSettle = async () => ({ kind: "lost", reason: "taken over" });
    run.end.resolve(SUCCESS);
    await node.whenStored("lost");
    await node.pass(31_000);
    await node.offer();
    await node.executor.nextRun();
    answer.resolve({ kind: "lost", reason: "an old lease" });
    await settle();
    expect(node.book.get(idOf(1))).toMatchObject({ round: 2, state: { kind: "assigned" } });
  });

  it("that is lost stops the run and ends the task, with a word in the log", async () => {
    const { node, run } = await running();
    await using _node = node;
    node.source.onHeartbeat = async () => ({ kind: "lost", reason: "0xbb has it" });
    await node.pass(21_000);
    expect(node.stored()).toEqual({ kind: "lost", reason: "0xbb has it" });
    expect(node.executor.cancelled).toEqual(["1 lease_lost"]);
    expect(node.logs.at("warn")).toContain("the lease is lost; stopping the run");
    run.end.resolve(SUCCESS);
    await until(() => node.dispatcher.inflight === 0);
  });

  it("is the longer one in the book as soon as it was renewed, and the run sees none of it", async () => {
    const { node } = await running();
    await using _node = node;
    const before = node.book.get(idOf(1))?.state;
    await node.pass(21_000);
    const after = node.book.get(idOf(1))?.state;
    expect(after).toMatchObject({ kind: "assigned", lease: { durationMs: LEASE_MS } });
    expect(after).not.toEqual(before);
  });

  it("of every task is kept, not of one at a time", async () => {
    await using node = await NodeBench.start();
    for (const number of [1, 2, 3]) await node.dispatcher.offer(anOffer({ id: idOf(number) }));
    await until(() => node.executor.runs.length === 3);
    const never = createDeferred<HeartbeatOutcome>();
    node.source.onHeartbeat = async (task) =>
      task.id === idOf(2) ? never.promise : { kind: "extended", lease: node.source.lease() };
    await node.pass(42_000);
    const counted = [1, 2, 3].map(
      (number) => beats(node).filter((call) => call === `heartbeat ${number} 0`).length,
    );
    expect(counted).toEqual([2, 1, 2]);
    never.reject(new StoppedError());
  });
});
