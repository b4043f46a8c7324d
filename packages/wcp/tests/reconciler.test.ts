import { ScriptedWep } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import type { TaskState } from "../src/domain/task.ts";
import type { RecoveredTask, Standing } from "../src/ports.ts";
import { Runner, RUNNER_DEFAULTS } from "../src/services/runner.ts";
import { runIdOf } from "../src/services/run-id.ts";
import { aLease, anOffer, aRun, idOf } from "./_builders.ts";
import { FakeExecutor, failure, SUCCESS } from "./_fake-executor.ts";
import { FakeSource } from "./_fake-source.ts";
import { MemoryDisk } from "./_memory-store.ts";
import { diskWith, NodeBench, RECONCILE_MS } from "./_node-bench.ts";
import { settle, until } from "./_until.ts";
import { completion, PoolBench, WISH } from "./_wep-bench.ts";

const DONE: TaskState = { kind: "done", outcome: { status: "success", resultHex: "0x01" } };

function held(number: number, lease = aLease({ expiresAtMs: Date.UTC(2025, 0, 2) })): RecoveredTask {
  return { offer: anOffer({ id: idOf(number) }), lease };
}

/** A node at work on task 1, whose lease lasts for all of the test. */
async function working() {
  const source = new FakeSource(new NodeBench().clock);
  const node = new NodeBench({}, { source });
  source.onClaim = async () => ({ kind: "won", lease: source.lease(10 * RECONCILE_MS) });
  source.onHeartbeat = async () => ({ kind: "extended", lease: source.lease(10 * RECONCILE_MS) });
  await node.reconciler.start();
  node.run();
  await node.offer();
  const run = await node.executor.nextRun();
  return { node, run };
}

/** Lets the next round pass. */
async function round(node: NodeBench): Promise<void> {
  await node.clock.advance(RECONCILE_MS);
  await settle();
}

describe("at the start", () => {
  it("a network that cannot be read is asked again, and ends nothing", async () => {
    await using node = new NodeBench();
    const { source } = node;
    let asked = 0;
    source.recover = async () => {
      asked += 1;
      if (asked < 3) throw new Error("Internal error");
      return [held(1)];
    };
    const starting = node.reconciler.start();
    await until(() => asked === 1 && node.clock.pendingCount === 1);
    await node.clock.advance(500);
    await until(() => asked === 2 && node.clock.pendingCount === 1);
    await node.clock.advance(1_000);
    await starting;
    expect(node.repairs).toEqual(["adopted"]);
    expect([node.logs.at("warn").length, node.logs.at("error").length]).toEqual([2, 1]);
  });

  it("a network that cannot be read keeps nobody from stopping", async () => {
    await using node = new NodeBench();
    node.source.recover = () => Promise.reject(new Error("Internal error"));
    const stop = new AbortController();
    const starting = node.reconciler.start(stop.signal);
    await until(() => node.clock.pendingCount === 1);
    stop.abort();
    await starting;
  });

  it("renewed leases are learned anew: what is stored is as long as the claim made them", async () => {
    const disk = await diskWith({ kind: "claimed", lease: aLease({ expiresAtMs: 1 }), attempts: 0 });
    await using node = new NodeBench({}, { disk });
    node.source.held = [held(1)];
    await node.reconciler.start();
    expect(node.book.get(idOf(1))?.state).toMatchObject({ lease: { expiresAtMs: Date.UTC(2025, 0, 2) } });
    expect(node.repairs).toEqual([]);
  });

  it.each<readonly [what: string, standing: Standing, state: string, repair: string]>([
    ["ran out", { kind: "open" }, "expired", "expired"],
    ["went to somebody else", { kind: "taken", by: "0xbb" }, "lost", "taken"],
    ["was settled by another database's process", { kind: "settled", isByUs: true }, "lost", "settled"],
    ["is on no chain any more", { kind: "unknown" }, "lost", "orphaned"],
  ])("work whose lease %s is dropped, and its run is told", async (...[, standing, state, repair]) => {
    const disk = await diskWith({ kind: "assigned", lease: aLease(), run: aRun() });
    await using node = new NodeBench({}, { disk });
    node.source.onInspect = () => standing;
    await node.reconciler.start();
    expect(node.stored()?.kind).toBe(state);
    expect(node.repairs).toEqual([repair]);
    expect(node.executor.cancelled).toEqual(["1 lease_lost"]);
    node.run();
    await node.pass(2_000);
    expect(node.executor.runs).toEqual([]);
  });

  it("what is being claimed or settled is left to its driver", async () => {
    for (const state of [{ kind: "claiming" }, { ...DONE, kind: "settling" }] as const) {
      await using node = new NodeBench({}, { disk: await diskWith(state) });
      node.source.onInspect = () => ({ kind: "taken", by: "0xbb" });
      await node.reconciler.start();
      expect(node.stored()?.kind).toBe(state.kind);
    }
  });
});

describe("while the node works", () => {
  it("work is given up only when the network says so twice", async () => {
    const { node, run } = await working();
    node.source.onInspect = () => ({ kind: "open" });
    await round(node);
    expect(node.stored()?.kind).toBe("assigned");
    node.source.held = [held(1)];
    await round(node);
    node.source.held = [];
    await round(node);
    expect(node.stored()?.kind).toBe("assigned");
    await round(node);
    await node.whenStored("expired");
    expect(node.repairs).toEqual(["expired"]);
    expect(node.executor.cancelled).toEqual(["1 lease_lost"]);
    run.end.resolve(failure({ code: 5002 }));
    await until(() => node.dispatcher.inflight === 0);
    expect(node.source.count("fail")).toBe(0);
    await node.stop();
  });

  it("what is ours and was not in the store is taken up at once, and run", async () => {
    const { node, run } = await working();
    node.source.held = [held(1), held(2)];
    await round(node);
    expect(node.repairs).toEqual(["adopted"]);
    const adopted = await node.executor.nextRun();
    expect(adopted.assignment.task.id).toBe(idOf(2));
    adopted.end.resolve(SUCCESS);
    await node.whenStored("done", 2);
    run.end.resolve(SUCCESS);
    await node.whenStored("done", 1);
    await node.stop();
  });

  it("an outcome that the network lost beyond its confirmations is settled again under new keys", async () => {
    const { node, run } = await working();
    run.end.resolve(SUCCESS);
    await node.whenStored("done");
    node.source.held = [held(1)];
    await round(node);
    expect(node.source.count("complete")).toBe(1);
    const rounds: number[] = [];
    node.source.onSettle = async (task) => {
      rounds.push(task.round);
      return { kind: "settled" };
    };
    await round(node);
    await until(() => node.source.count("complete") === 2);
    await node.whenStored("done");
    expect(rounds).toEqual([2]);
    expect(node.repairs).toEqual(["resettled"]);
    expect(node.executor.runs).toHaveLength(1);
    await node.stop();
  });

  it("an activity that was done and is offered again is done anew, once the network has said twice that it is open", async () => {
    const { node, run } = await working();
    run.end.resolve(SUCCESS);
    await node.whenStored("done");
    await until(() => node.dispatcher.inflight === 0);
    await round(node); // until it is no longer left alone
    const asked: string[] = [];
    node.source.onInspect = (id) => {
      asked.push(id);
      return { kind: "open" };
    };
    for (let times = 0; times < 3; times += 1) await node.offer();
    await round(node);
    await node.offer();
    expect([asked, node.stored()?.kind, node.repairs]).toEqual([[idOf(1)], "done", []]);
    await round(node);
    expect(node.repairs).toEqual(["redone"]);
    const again = await node.executor.nextRun();
    expect(again.assignment.task.round).toBe(2);
    again.end.resolve(SUCCESS);
    await node.whenStored("done");
    await node.stop();
  });

  it("an activity that was done and is offered by an endpoint that is behind is asked about once", async () => {
    const { node, run } = await working();
    run.end.resolve(SUCCESS);
    await node.whenStored("done");
    await until(() => node.dispatcher.inflight === 0);
    await round(node);
    let asked = 0;
    node.source.onInspect = () => {
      asked += 1;
      return { kind: "settled", isByUs: true };
    };
    await node.offer();
    await round(node);
    await round(node);
    await round(node);
    expect([asked, node.stored()?.kind, node.repairs]).toEqual([1, "done", []]);
    await node.stop();
  });

  it("what the executor refused is not taken up again by the process that gave it up", async () => {
    const { node, run } = await working();
    run.end.resolve({ kind: "rejected", code: 1001, reason: "no handler" });
    await node.whenStored("abandoned");
    node.source.held = [held(1)];
    await round(node);
    await round(node);
    expect(node.stored()?.kind).toBe("abandoned");
    expect(node.repairs).toEqual([]);
    await node.stop();
  });

  it("a run that is still being stopped says nothing about the same task taken up again", async () => {
    const { node, run } = await working();
    node.source.onHeartbeat = async () => ({ kind: "lost", reason: "an endpoint that was behind" });
    await node.pass(RECONCILE_MS * 4);
    await node.whenStored("lost");
    node.source.onHeartbeat = async () => ({ kind: "extended", lease: node.source.lease(RECONCILE_MS * 10) });
    node.source.held = [held(1)];
    await round(node);
    await round(node);
    // Its driver is still there: nothing is adopted before it is gone.
    expect(node.stored()?.kind).toBe("lost");
    run.end.resolve(failure({ code: 5002, message: "cancelled" }));
    await until(() => node.dispatcher.inflight === 0);
    await round(node);
    const again = await node.executor.nextRun();
    expect(again.assignment.task.round).toBe(2);
    again.end.resolve(SUCCESS);
    await node.whenStored("done");
    expect(node.source.count("fail")).toBe(0);
    await node.stop();
  });

  it("a round that fails is a word in the log, and the next one does it", async () => {
    const { node, run } = await working();
    const recover = node.source.recover.bind(node.source);
    node.source.recover = () => Promise.reject(new Error("no answer makes sense"));
    await round(node);
    expect(node.logs.at("warn").at(-1)).toContain("could not be read");
    node.source.recover = recover;
    node.source.held = [held(1), held(2)];
    await round(node);
    expect(node.repairs).toEqual(["adopted"]);
    run.end.resolve(SUCCESS);
    (await node.executor.nextRun()).end.resolve(SUCCESS);
    await node.whenStored("done", 2);
    await node.stop();
  });

  it("offers that wait are looked at some at a time, in turn, and leave when they are not to be had", async () => {
    await using node = await NodeBench.start({}, { executor: new FakeExecutor(0) });
    for (let number = 1; number <= 7; number += 1) await node.offer(number);
    const asked: number[] = [];
    node.source.onInspect = (id) => {
      asked.push(Number(id));
      return Number(id) % 2 === 0 ? { kind: "taken", by: "0xbb" } : { kind: "open" };
    };
    for (let turn = 0; turn < 3; turn += 1) await round(node);
    expect(asked).toEqual([1, 2, 3, 4, 5, 6, 7]);
    const left = [...node.book.all()].map(({ id }) => Number(id));
    expect(left.toSorted((a, b) => a - b)).toEqual([1, 3, 5, 7]);
    expect(node.repairs).toEqual(["stale_offer", "stale_offer", "stale_offer"]);
  });
});

describe("fault 24: the database is deleted while a handler runs", () => {
  it("and the work is rebuilt from contract views: the run goes on under its id, and its completion settles", async () => {
    const before = await NodeBench.start();
    before.source.token = "1735689600";
    await before.offer();
    const first = await before.executor.nextRun();
    await before.stop();
    await using after = new NodeBench({}, { disk: new MemoryDisk(), clock: before.clock });
    after.source.held = [
      { offer: anOffer(), lease: aLease({ expiresAtMs: Date.UTC(2025, 0, 2), token: "1735689600" }) },
    ];
    await after.reconciler.start();
    after.run();
    await after.pass(1_000);
    const again = await after.executor.nextRun();
    expect(again.assignment.runId).toBe(first.assignment.runId);
    expect(after.source.count("claim")).toBe(0);
    again.end.resolve(SUCCESS);
    await after.whenStored("done");
    expect(after.source.count("complete")).toBe(1);
    expect(after.repairs).toEqual(["adopted"]);
  });

  it("and a WEP that has the run is assigned it under the same id, over a real stream", async () => {
    await using wep = await ScriptedWep.listen();
    const ids: string[] = [];
    for (const life of ["before", "after"]) {
      // Each life has a store of its own, and a pool that has never spoken to the WEP.
      await using bench = new PoolBench([wep.url]).run();
      const stream = await wep.next();
      await stream.welcome({ maxConcurrency: 1 });
      await bench.ready();
      const node = new NodeBench();
      const lease = aLease({ token: "1735689600" });
      await node.book.adopt(anOffer(), lease);
      const { source, book } = node;
      const runner = new Runner(RUNNER_DEFAULTS, {
        source,
        book,
        storage: undefined,
        clock: node.clock,
        logger: node.logs.logger,
      });
      const slot = bench.pool.reserve(WISH);
      const task = book.get(idOf(1));
      if (slot === undefined || task === undefined) throw new Error("nothing to run, or nowhere");
      const outcome = runner.run(task, slot, AbortSignal.timeout(60_000));
      outcome.catch(() => undefined); // the first life ends before its run does
      const { runId } = await stream.next("assign");
      ids.push(runId);
      if (life === "before") continue;
      stream.send("completion", completion({ runId }));
      expect(await outcome).toMatchObject({ kind: "succeeded" });
    }
    expect(ids[1]).toBe(ids[0]);
  });
});

describe("a run id", () => {
  const claim = { taskId: idOf(1), token: "1735689600", attempt: 1 };

  it("has the form of a UUID", () => {
    expect(runIdOf(claim)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it("is the same for the same task, claim and attempt, and another for any other", () => {
    const others = [
      { ...claim, taskId: idOf(2) },
      { ...claim, token: "1735689601" },
      { ...claim, attempt: 2 },
    ];
    expect(runIdOf({ ...claim })).toBe(runIdOf(claim));
    expect(new Set([claim, ...others].map(runIdOf)).size).toBe(4);
  });
});
