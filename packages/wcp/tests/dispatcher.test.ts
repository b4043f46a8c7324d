import { createDeferred } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import { type ClaimOutcome, type SettleOutcome, TaskDataError } from "../src/ports.ts";
import { anOffer, idOf } from "./_builders.ts";
import { failure, FakeExecutor, SUCCESS } from "./_fake-executor.ts";
import { NodeBench } from "./_node-bench.ts";
import { settle, until } from "./_until.ts";

const NUMBERS = [1, 2, 3, 4, 5];

describe("an offer", () => {
  it("goes from claim to settlement, every step on disk", async () => {
    await using node = await NodeBench.start();
    await node.offer();
    const run = await node.executor.nextRun();
    expect(node.stored()).toMatchObject({ kind: "assigned", run: { attempt: 1, executor: "http://wep-1" } });
    run.listener.progress(50, "half way");
    await node.whenStored("running");
    run.end.resolve({ kind: "succeeded", result: { json: '{"ok":true}', ref: "" } });
    await node.whenStored("done");
    expect(node.statesOf()).toEqual([
      "offered",
      "claiming",
      "claimed",
      "assigned",
      "running",
      "settling",
      "done",
    ]);
    expect(node.source.calls).toEqual([
      "claim 1",
      `complete 1 0x${Buffer.from('{"ok":true}').toString("hex")}`,
    ]);
    expect(node.stored()).toMatchObject({ outcome: { status: "success" } });
    await until(() => node.dispatcher.inflight === 0);
    expect(node.executor.inUse).toBe(0);
  });

  it("is in the book before it is claimed, and the claim before it is asked for", async () => {
    await using node = await NodeBench.start();
    const seen: unknown[] = [];
    node.source.onClaim = async () => {
      seen.push(node.stored()?.kind);
      return { kind: "lost", reason: "late" };
    };
    await node.offer();
    await node.whenStored("lost");
    expect(seen).toEqual(["claiming"]);
  });

  it("is taken once, however often it is made", async () => {
    await using node = await NodeBench.start();
    await Promise.all([node.offer(), node.offer(), node.offer()]);
    const run = await node.executor.nextRun();
    await node.offer();
    run.end.resolve(SUCCESS);
    await node.whenStored("done");
    await node.offer();
    await settle();
    expect(node.source.calls.filter((call) => call.startsWith("claim"))).toEqual(["claim 1"]);
    expect(node.executor.runs).toHaveLength(1);
  });

  it("that comes as the node starts is driven by one loop", async () => {
    const node = new NodeBench();
    const offered = node.offer();
    node.run();
    await offered;
    (await node.executor.nextRun()).end.resolve(SUCCESS);
    await node.whenStored("done");
    await settle();
    expect(node.executor.runs).toHaveLength(1);
    expect(node.source.calls).toEqual(["claim 1", "complete 1 0x7b7d"]);
    await node.stop();
  });

  it("that somebody else won costs nothing and gives its slot back", async () => {
    await using node = await NodeBench.start({}, { executor: new FakeExecutor(1) });
    node.source.onClaim = async (task) =>
      task.id === idOf(1)
        ? { kind: "lost", reason: "another worker has it" }
        : { kind: "won", lease: node.source.lease() };
    await node.offer(1);
    await node.offer(2);
    const run = await node.executor.nextRun();
    expect(run.assignment.task.id).toBe(idOf(2));
    expect(node.stored(1)).toEqual({ kind: "lost", reason: "another worker has it" });
  });

  it("that was lost is left alone for a while, and then taken up as a new round", async () => {
    await using node = await NodeBench.start({ cooldownMs: 30_000 });
    node.source.onClaim = async () => ({ kind: "lost", reason: "late" });
    await node.offer();
    await node.whenStored("lost");
    node.clock.nowMs = () => 0; // put back: it is the time that passes that counts
    await node.pass(29_000);
    // Offered too early and not again: it is remembered.
    await node.offer();
    expect(node.source.count("claim")).toBe(1);
    node.source.onClaim = async () => ({ kind: "won", lease: node.source.lease() });
    await node.pass(2_000);
    const run = await node.executor.nextRun();
    expect(run.assignment.task.round).toBe(2);
  });
});

describe("slots", () => {
  it("are reserved before a claim, so that there are never more claims than slots", async () => {
    const executor = new FakeExecutor(2);
    await using node = await NodeBench.start({}, { executor });
    const gates = new Map(NUMBERS.map((number) => [idOf(number), createDeferred<ClaimOutcome>()]));
    node.source.onClaim = ({ id }) => gates.get(id)!.promise;
    for (const number of NUMBERS) await node.offer(number);
    await settle();
    expect(node.source.calls).toEqual(["claim 1", "claim 2"]);
    gates.get(idOf(2))!.resolve({ kind: "refused", reason: "not for us" });
    await until(() => node.source.count("claim") === 3);
    await settle();
    expect(node.source.calls).toEqual(["claim 1", "claim 2", "claim 3"]);
    for (const gate of gates.values()) gate.resolve({ kind: "won", lease: node.source.lease() });
    for (const _number of [1, 3, 4, 5]) (await executor.nextRun()).end.resolve(SUCCESS);
    await Promise.all([1, 3, 4, 5].map((number) => node.whenStored("done", number)));
    expect(executor.peak).toBe(2);
    expect(executor.inUse).toBe(0);
  });

  it("of an executor that comes later are used as soon as it is there", async () => {
    const executor = new FakeExecutor(0);
    await using node = await NodeBench.start({}, { executor });
    await node.offer();
    await settle();
    expect(node.source.calls).toEqual([]);
    executor.grow(1);
    await executor.nextRun();
    expect(node.source.calls).toEqual(["claim 1"]);
  });

  it("for one kind do not wait behind another kind that has none", async () => {
    const executor = new FakeExecutor(4);
    const reserve = executor.reserve.bind(executor);
    let isTried = 0;
    executor.reserve = (wish) => {
      if (wish.kind !== "gpu.work") return reserve(wish);
      isTried += 1;
      return undefined;
    };
    await using node = await NodeBench.start({}, { executor });
    for (const number of [1, 2, 3, 4, 5, 6, 7]) {
      await node.dispatcher.offer(anOffer({ id: idOf(number), kind: "gpu.work" }));
    }
    isTried = 0;
    await node.offer(8);
    const run = await executor.nextRun();
    expect(run.assignment.task.id).toBe(idOf(8));
    // Once per look, not once per task that waits.
    expect(isTried).toBeLessThanOrEqual(4);
  });

  it("are given back by a task that has ended, whatever its end", async () => {
    const executor = new FakeExecutor(1);
    await using node = await NodeBench.start({}, { executor });
    const settles: SettleOutcome[] = [
      { kind: "settled" },
      { kind: "lost", reason: "taken over" },
      { kind: "expired" },
    ];
    for (const [index, settled] of settles.entries()) {
      node.source.onSettle = async () => settled;
      await node.offer(index + 1);
      (await executor.nextRun()).end.resolve(SUCCESS);
      const ends = { settled: "done", lost: "lost", expired: "expired", refused: "abandoned" } as const;
      await node.whenStored(ends[settled.kind], index + 1);
      await until(() => executor.inUse === 0);
    }
  });

  it("are free while the outcome is being settled, and not before it is stored", async () => {
    const executor = new FakeExecutor(1);
    await using node = await NodeBench.start({}, { executor });
    const settled = createDeferred<SettleOutcome>();
    node.source.onSettle = () => settled.promise;
    await node.offer(1);
    await node.offer(2);
    const run = await executor.nextRun();
    const grow = executor.grow.bind(executor);
    const states: unknown[] = [];
    executor.grow = (slots) => {
      states.push(node.stored(1)?.kind);
      grow(slots);
    };
    run.end.resolve(SUCCESS);
    await executor.nextRun();
    expect(states).toEqual(["settling"]);
    expect(node.source.calls).toContain("claim 2");
    settled.resolve({ kind: "settled" });
  });

  it("beyond the limit of tasks in flight stay unused", async () => {
    await using node = await NodeBench.start({ maxInflight: 2 }, { executor: new FakeExecutor(10) });
    for (const number of NUMBERS) await node.offer(number);
    await until(() => node.executor.runs.length === 2);
    await settle();
    expect(node.source.count("claim")).toBe(2);
    expect(node.dispatcher.inflight).toBe(2);
  });
});

describe("offers that are not wanted", () => {
  it("are those beyond what is remembered", async () => {
    await using node = await NodeBench.start({ maxOffers: 2 }, { executor: new FakeExecutor(0) });
    expect(node.dispatcher.wanted("audio/1.0.0/processing")).toBe(true);
    await node.offer(1);
    await node.offer(2);
    expect(node.dispatcher.wanted("audio/1.0.0/processing")).toBe(false);
    node.executor.grow(1);
    await until(() => node.dispatcher.wanted("audio/1.0.0/processing"));
  });

  it("wait while claims are held, and are claimed when they no longer are, without any further news", async () => {
    await using node = await NodeBench.start();
    node.heldBy = ["no RPC endpoint answers: 3 tries", "the wallet is empty"];
    await node.offer();
    await node.pass(3_000);
    node.heldBy = ["no RPC endpoint answers: 4 tries"];
    await node.pass(2_000);
    expect(node.source.calls).toEqual([]);
    const said = node.logs.lines.find(({ msg }) => msg === "nothing is claimed for now");
    expect(said).toMatchObject({ reason: "no RPC endpoint answers: 3 tries; the wallet is empty" });
    node.heldBy = [];
    await node.pass(1_000);
    expect(node.source.calls).toEqual(["claim 1"]);
    expect(node.logs.at("warn")).toEqual(["nothing is claimed for now"]);
    expect(node.logs.at("info")).toContain("claiming again");
  });
});

describe("a run that fails", () => {
  it("is run again with a new id after a growing pause, and then fails for good", async () => {
    await using node = await NodeBench.start();
    await node.offer();
    const ids = new Set<string>();
    for (const attempt of [1, 2, 3]) {
      const run = await node.executor.nextRun();
      expect(run.assignment.attempt).toBe(attempt);
      ids.add(run.assignment.runId);
      run.end.resolve(failure({ retryable: true, code: 2002, message: "busy" }));
      if (attempt === 3) break;
      await node.whenStored("claimed");
      expect(node.stored()).toMatchObject({ attempts: attempt });
      await node.pass(attempt * 1_000 - 500);
      expect(node.executor.runs).toHaveLength(attempt);
      await node.pass(1_000);
    }
    await node.whenStored("done");
    expect(ids.size).toBe(3);
    const reason = "attempt 1: busy; attempt 2: busy; attempt 3: busy";
    expect(node.source.calls.at(-1)).toBe(`fail 1 ${reason}`);
    expect(node.stored()).toEqual({ kind: "done", outcome: { status: "error", code: 2002, reason } });
    expect(node.executor.events).toEqual(["run 1", "run 2", "run 3", "free"]);
  });

  it("fails on the network at once when running again cannot help", async () => {
    await using node = await NodeBench.start();
    await node.offer();
    (await node.executor.nextRun()).end.resolve(failure({ message: "bad input" }));
    await node.whenStored("done");
    expect(node.source.calls).toEqual(["claim 1", "fail 1 bad input"]);
  });

  it("waits as long as the handler asked", async () => {
    await using node = await NodeBench.start();
    await node.offer();
    (await node.executor.nextRun()).end.resolve(failure({ retryable: true, retryAfterMs: 20_000 }));
    await node.pass(19_000);
    expect(node.executor.runs).toHaveLength(1);
    await node.pass(2_000);
    expect(node.executor.runs).toHaveLength(2);
  });

  it("is not run again when its lease was lost in the pause", async () => {
    await using node = await NodeBench.start();
    await node.offer();
    (await node.executor.nextRun()).end.resolve(failure({ retryable: true, retryAfterMs: 50_000 }));
    await node.whenStored("claimed");
    node.source.onHeartbeat = async () => ({ kind: "lost", reason: "taken over" });
    await node.pass(60_000);
    expect(node.stored()).toEqual({ kind: "lost", reason: "taken over" });
    expect(node.executor.runs).toHaveLength(1);
    expect(node.executor.inUse).toBe(0);
  });
});

describe("data that makes no sense", () => {
  it("in the input fails the activity with the reason, without a run", async () => {
    await using node = await NodeBench.start();
    node.source.onInputs = async () => {
      throw new TaskDataError(1001, "the input is not what its spec says");
    };
    await node.offer();
    await node.whenStored("done");
    expect(node.source.calls).toEqual(["claim 1", "fail 1 the input is not what its spec says"]);
    expect(node.stored()).toMatchObject({ outcome: { status: "error", code: 1001 } });
    expect(node.executor.inUse).toBe(0);
  });

  it("in the result fails the activity with the reason", async () => {
    await using node = await NodeBench.start();
    node.source.onEncode = () => {
      throw new TaskDataError(1003, "the result does not fit");
    };
    await node.offer();
    (await node.executor.nextRun()).end.resolve(SUCCESS);
    await node.whenStored("done");
    expect(node.source.calls.at(-1)).toBe("fail 1 the result does not fit");
  });

  it("is told from a defect, which ends the process", async () => {
    const node = await NodeBench.start();
    node.source.onEncode = () => {
      throw new TypeError("no spec");
    };
    await node.offer();
    (await node.executor.nextRun()).end.resolve(SUCCESS);
    await settle();
    await expect(node.stop()).rejects.toThrow("no spec");
    expect(node.stored()?.kind).toBe("assigned");
  });
});

describe("an executor that refuses", () => {
  it("has the activity abandoned, so that another worker can take it", async () => {
    await using node = await NodeBench.start();
    await node.offer();
    (await node.executor.nextRun()).end.resolve({
      kind: "rejected",
      code: 1001,
      reason: "no handler for it",
    });
    await node.whenStored("abandoned");
    expect(node.stored()).toMatchObject({ reason: expect.stringContaining("no handler for it") as string });
    expect(node.source.calls).toEqual(["claim 1"]);
    await until(() => node.executor.inUse === 0);
  });

  it("because it is full is asked again under the same run", async () => {
    await using node = await NodeBench.start();
    await node.offer();
    const first = await node.executor.nextRun();
    first.end.resolve({ kind: "rejected", code: 4002, reason: "full" });
    await node.pass(1_500);
    const second = await node.executor.nextRun();
    expect(second.assignment.runId).toBe(first.assignment.runId);
    expect(second.assignment.attempt).toBe(1);
  });

  it("because it is full, or drains, holds the run back from nobody else", async () => {
    await using node = await NodeBench.start();
    await node.offer();
    const first = await node.executor.nextRun();
    first.end.resolve({ kind: "rejected", code: 4002, reason: "draining" });
    await node.pass(1_500);
    await node.executor.nextRun();
    const wish = node.executor.wishes.at(-1);
    expect(wish).toMatchObject({ avoid: "http://wep-1" });
    expect(wish).not.toHaveProperty("executor");
    // The slot at the one that refused was given back before another was asked for.
    expect(node.executor.events).toEqual(["run 1", "free", "run 1"]);
  });
});

describe("a task whose lease was lost", () => {
  it("is not taken up again while its run is still being stopped", async () => {
    await using node = await NodeBench.start({ cooldownMs: 30_000 });
    await node.offer();
    const run = await node.executor.nextRun();
    node.source.onHeartbeat = async () => ({ kind: "lost", reason: "the lease ran out" });
    await node.pass(21_000);
    await node.whenStored("lost");
    expect(node.executor.cancelled).toEqual(["1 lease_lost"]);
    // The network offers it again at once, since nobody has it.
    await node.offer();
    await settle();
    expect(node.source.count("claim")).toBe(1);
    run.end.resolve(failure({ code: 5002 }));
    await until(() => node.dispatcher.inflight === 0);
    await node.offer();
    await settle();
    expect(node.source.count("claim")).toBe(1);
    await node.pass(31_000);
    await node.offer();
    await node.executor.nextRun();
    expect(node.source.count("claim")).toBe(2);
    expect(node.source.count("complete")).toBe(0);
  });

  it("has no result, though its run succeeds", async () => {
    await using node = await NodeBench.start();
    await node.offer();
    const run = await node.executor.nextRun();
    node.source.onHeartbeat = async () => ({ kind: "lost", reason: "taken over" });
    await node.pass(21_000);
    run.end.resolve(SUCCESS);
    await until(() => node.dispatcher.inflight === 0);
    expect(node.source.count("complete")).toBe(0);
    expect(node.stored()).toEqual({ kind: "lost", reason: "taken over" });
  });

  it("while its inputs were being read is not run", async () => {
    await using node = await NodeBench.start();
    const read = createDeferred();
    node.source.onInputs = async () => {
      await read.promise;
      return { inputs: [], workflowInputs: [] };
    };
    node.source.onHeartbeat = async () => ({ kind: "lost", reason: "taken over" });
    await node.offer();
    await node.pass(21_000);
    await node.whenStored("lost");
    read.resolve();
    await until(() => node.dispatcher.inflight === 0);
    expect(node.executor.runs).toEqual([]);
    expect(node.executor.inUse).toBe(0);
  });
});
