import { createDeferred, FakeClock } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import { claimRank, isContested, seedOf } from "../src/domain/claim-policy.ts";
import type { ClaimOutcome, SettleOutcome } from "../src/ports.ts";
import { Backlog } from "../src/services/backlog.ts";
import { anOffer, aTask, idOf } from "./_builders.ts";
import { FakeExecutor, SUCCESS } from "./_fake-executor.ts";
import { NodeBench } from "./_node-bench.ts";
import { settle, until } from "./_until.ts";

const LOST: ClaimOutcome = { kind: "lost", reason: "0xbb has it" };

function aBacklog(identity = "0xaa") {
  const clock = new FakeClock();
  return { clock, backlog: new Backlog({ identity, most: 1_000, claimsAtOnce: 4 }, { clock }) };
}

const IDS = Array.from({ length: 50 }, (_, index) => idOf(index + 1));

/** Takes up to `most`, one claim at a time, as long as there is one to take. */
function takeAll(backlog: Backlog, most = 1_000): string[] {
  const ids: string[] = [];
  backlog.newRound();
  while (ids.length < most) {
    const taken = backlog.take({ canTake: () => true, contested: () => 0 });
    if (taken === undefined) break;
    backlog.ended(taken.id);
    ids.push(taken.id);
  }
  return ids;
}

/** The order, which taking does not change: all come back. */
function orderOf(backlog: Backlog): string[] {
  const ids = takeAll(backlog);
  for (const id of ids) backlog.add(aTask({ id }));
  return ids;
}

describe("the order of claims", () => {
  it("is another one for every wallet", () => {
    const orders = ["0xaa", "0xbb"].map((identity) => {
      const { backlog } = aBacklog(identity);
      for (const id of IDS) backlog.add(aTask({ id }));
      return takeAll(backlog);
    });
    expect(orders[0]).not.toEqual(orders[1]);
    expect(orders[0]?.toSorted()).toEqual(orders[1]?.toSorted());
  });

  it("never has an offer wait for newer ones for longer than ten minutes", async () => {
    const { backlog, clock } = aBacklog();
    const last = IDS.toSorted((a, b) => seedOf(a) - seedOf(b)).at(-1) ?? "";
    for (const id of IDS) backlog.add(aTask({ id }));
    await clock.advance(600_000);
    for (let number = 100; number < 150; number += 1) backlog.add(aTask({ id: idOf(number) }));
    expect(takeAll(backlog, 50)).toContain(last);
  });

  it("changes when a rival shows itself, and back when it has not been seen for long", async () => {
    const { backlog, clock } = aBacklog();
    for (const id of IDS) backlog.add(aTask({ id }));
    const alone = orderOf(backlog);
    backlog.rival("0xAA");
    expect(orderOf(backlog)).toEqual(alone); // ourselves
    backlog.rival("0xbb");
    await clock.advance(30_001); // it leaves what it is nearer to
    const withRival = orderOf(backlog);
    expect(withRival).not.toEqual(alone);
    expect(withRival.toSorted()).toEqual(alone.toSorted());
    await clock.advance(600_001);
    expect(orderOf(backlog)).toEqual(alone);
  });

  it("leaves out what was deleted, and takes it again", () => {
    const { backlog } = aBacklog();
    const task = aTask();
    backlog.add(task);
    expect(backlog.delete(task.id)).toBe(true);
    expect(backlog.delete(task.id)).toBe(false);
    expect(takeAll(backlog)).toEqual([]);
    backlog.add(task);
    expect(takeAll(backlog)).toEqual([task.id]);
  });
});

describe("races that are lost", () => {
  it("leave fewer claims at once, down to one, and wins bring them back", async () => {
    await using node = await NodeBench.start({ maxInflight: 8 }, { executor: new FakeExecutor(32) });
    const claims: ((outcome: ClaimOutcome) => void)[] = [];
    node.source.onClaim = () => {
      const claim = createDeferred<ClaimOutcome>();
      claims.push((outcome) => claim.resolve(outcome));
      return claim.promise;
    };
    for (let number = 1; number <= 60; number += 1) await node.offer(number);
    const sizes: number[] = [];
    const end = async (outcome: () => ClaimOutcome) => {
      await settle();
      sizes.push(claims.length);
      for (const claim of claims.splice(0)) claim(outcome());
      await settle();
    };
    const won = (): ClaimOutcome => ({ kind: "won", lease: node.source.lease() });
    await end(won);
    for (const run of node.executor.runs.splice(0)) run.end.resolve(SUCCESS);
    await until(() => node.dispatcher.inflight === claims.length);
    for (let round = 0; round < 4; round += 1) await end(() => LOST);
    await end(won);
    await end(won);
    // Twice as many with each win until the first loss; then half as many, and one more with each win.
    expect(sizes).toEqual([2, 8, 4, 2, 1, 1, 2]);
    node.source.onClaim = async () => LOST;
    for (const claim of claims.splice(0)) claim(LOST);
    while (node.executor.runs.length < 3) await settle();
    for (const run of node.executor.runs) run.end.resolve(SUCCESS);
  });

  it("are told from refusals, which say nothing about races", async () => {
    await using node = await NodeBench.start({ maxInflight: 8 }, { executor: new FakeExecutor(32) });
    let asked = 0;
    const gate = createDeferred();
    node.source.onClaim = async () => {
      asked += 1;
      if (asked > 14) await gate.promise;
      return { kind: "refused", reason: "a replica of the same step" };
    };
    for (let number = 1; number <= 20; number += 1) await node.offer(number);
    await until(() => asked === 16);
    expect(node.stored(1)).toEqual({ kind: "lost", reason: "a replica of the same step" });
    gate.resolve();
  });
});

describe("what a rival is nearer to", () => {
  it("is left to it when little is left, until it has claimed nothing for half a minute", async () => {
    const { backlog, clock } = aBacklog();
    const ids = IDS.slice(0, 40);
    for (const id of ids) backlog.add(aTask({ id }));
    backlog.rival("0xbb");
    const [self, rival] = [seedOf("0xaa"), [seedOf("0xbb")]];
    const contested = ids.filter((id) => isContested(claimRank(seedOf(id), self, rival)));
    expect(contested.length).toBeGreaterThan(10);
    // Four are what the rival claims now and four what it claims next; of the others it may be a quarter of what is open.
    expect(backlog.mostContested).toBe(Math.min(contested.length - 8, 10));
    const room = { canTake: () => true, contested: () => 100 };
    const taken = ids.map(() => backlog.take(room)?.id);
    expect(taken.filter((id) => id !== undefined).toSorted()).toEqual(
      ids.filter((id) => !contested.includes(id)),
    );
    for (const id of contested.slice(8)) backlog.delete(id);
    expect(backlog.mostContested).toBe(0);
    await clock.advance(30_001);
    expect(backlog.mostContested).toBeGreaterThan(0);
    for (const id of contested) backlog.delete(id);
    expect(backlog.mostContested).toBe(0);
  });
});

describe("what somebody else took", () => {
  it("leaves the backlog before a claim is tried", async () => {
    await using node = await NodeBench.start({}, { executor: new FakeExecutor(0) });
    await node.offer(1);
    await node.offer(2);
    node.dispatcher.gone(idOf(1), "0xbb");
    await node.whenStored("lost");
    node.executor.grow(4);
    await node.executor.nextRun();
    await settle();
    expect(node.source.calls).toEqual(["claim 2"]);
  });

  it("and is offered again is claimed after all", async () => {
    await using node = await NodeBench.start({}, { executor: new FakeExecutor(0) });
    await node.offer(1);
    node.dispatcher.gone(idOf(1), "0xbb");
    await node.whenStored("lost");
    await node.offer(1);
    node.executor.grow(1);
    const run = await node.executor.nextRun();
    expect(run.assignment.task.round).toBe(2);
  });

  it("changes nothing about what is ours already", async () => {
    await using node = await NodeBench.start();
    await node.offer(1);
    const run = await node.executor.nextRun();
    node.dispatcher.gone(idOf(1), "0xbb");
    run.end.resolve(SUCCESS);
    await node.whenStored("done");
  });
});

describe("leases that could not be held", () => {
  it("are not taken on", async () => {
    await using node = await NodeBench.start();
    node.source.trouble = "a lease lasts 5 s and a heartbeat takes 60 s";
    await node.offer(1);
    await node.pass(3_000);
    expect(node.source.calls).toEqual([]);
    expect(node.logs.at("warn")).toEqual(["nothing is claimed for now"]);
    node.source.trouble = undefined;
    await node.pass(1_000);
    expect(node.source.calls).toEqual(["claim 1"]);
  });
});

describe("what is being settled", () => {
  const settling = async (maxInflight: number) => {
    const node = await NodeBench.start({ maxInflight }, { executor: new FakeExecutor(4) });
    const waiting: { readonly include: () => void; readonly end: (outcome: SettleOutcome) => void }[] = [];
    node.source.onSettle = (_task, onIncluded) => {
      const end = createDeferred<SettleOutcome>();
      waiting.push({ include: () => onIncluded?.(), end: (outcome) => end.resolve(outcome) });
      return end.promise;
    };
    return { node, waiting };
  };

  it("does not count as in flight, up to sixteen times the limit", async () => {
    const { node, waiting } = await settling(1);
    for (let number = 1; number <= 30; number += 1) await node.offer(number);
    for (let run = 1; run <= 16; run += 1) {
      (await node.executor.nextRun()).end.resolve(SUCCESS);
      await until(() => waiting.length === run);
    }
    await settle();
    expect(node.source.count("claim")).toBe(16);
    waiting[0]?.end({ kind: "settled" });
    await node.executor.nextRun();
    expect(node.source.count("claim")).toBe(17);
    for (const each of waiting) each.end({ kind: "settled" });
    await node.stop();
  });

  it("does not hold up a drain once the network has it", async () => {
    const { node, waiting } = await settling(4);
    await node.offer(1);
    (await node.executor.nextRun()).end.resolve(SUCCESS);
    await until(() => waiting.length === 1);
    let isDrained = false;
    const drained = node.dispatcher.drain().then(() => (isDrained = true));
    await settle();
    expect(isDrained).toBe(false);
    waiting[0]?.include();
    await drained;
    expect(node.stored()?.kind).toBe("settling");
    expect(node.dispatcher.undelivered).toBe(0);
    waiting[0]?.end({ kind: "settled" });
    await node.stop();
  });

  it("and will never be taken is failed instead, with the reason", async () => {
    await using node = await NodeBench.start();
    node.source.onSettle = async () =>
      node.source.count("fail") === 0
        ? { kind: "refused", reason: "payload of 99999 bytes" }
        : { kind: "settled" };
    await node.offer(1);
    (await node.executor.nextRun()).end.resolve(SUCCESS);
    await node.whenStored("done");
    expect(node.source.calls).toEqual(["claim 1", "complete 1 0x7b7d", "fail 1 payload of 99999 bytes"]);
    expect(node.stored()).toMatchObject({ outcome: { status: "error", code: 1003 } });
  });

  it("and is refused as a failure too is abandoned", async () => {
    await using node = await NodeBench.start();
    node.source.onSettle = async () => ({ kind: "refused", reason: "no" });
    await node.dispatcher.offer(anOffer());
    (await node.executor.nextRun()).end.resolve(SUCCESS);
    await node.whenStored("abandoned");
  });
});
