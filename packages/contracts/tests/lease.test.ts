import { id } from "ethers";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { subnetControlPlaneReads, taskQueueReads } from "../src/index.ts";
import { Chain, eventsOf, expectRevert, LEASE_S, NOBODY, QUEUE } from "./_chain.ts";

let chain: Chain;
beforeAll(async () => {
  chain = await Chain.start();
});
afterAll(() => chain[Symbol.asyncDispose]());
beforeEach(() => chain.rewind());

const claim = (worker: string, activityId: string) =>
  chain.send(worker, ["taskQueue", "claimActivity", activityId]);
const heartbeat = (worker: string, activityId: string, progress = 0) =>
  chain.send(worker, ["taskQueue", "heartbeatActivity", activityId, progress]);
const complete = (worker: string, activityId: string, result = "0x") =>
  chain.send(worker, ["taskQueue", "completeActivity", activityId, result]);
const fail = (worker: string, activityId: string, reason = "broken") =>
  chain.send(worker, ["taskQueue", "failActivity", activityId, reason]);
const held = (worker: string) =>
  chain.read(taskQueueReads(chain.contracts.taskQueue).getWorkerActivities(worker));
const statistics = (worker: string) =>
  chain.read(subnetControlPlaneReads(chain.contracts.subnetControlPlane).getWorker(worker));

describe("an expired lease", () => {
  it("can be taken over by another worker, and the first one's slot is free again", async () => {
    const [first, second] = [await chain.worker(1, 1), await chain.worker(2)];
    const activityId = await chain.enqueue();
    await claim(first, activityId);
    await heartbeat(first, activityId, 70);
    const { expiresAt } = await chain.activity(activityId);
    await chain.advance(LEASE_S);
    const receipt = await claim(second, activityId);
    expect(eventsOf(receipt)).toEqual([
      ["ActivityExpired", { activityId, worker: first, expiredAt: expiresAt }],
      ["ActivityClaimed", { activityId, worker: second, expiresAt: (await chain.nowS()) + BigInt(LEASE_S) }],
    ]);
    expect(await chain.activity(activityId)).toMatchObject({ assignedWorker: second, progress: 0 });
    expect(await held(first)).toEqual([]);
    expect(await statistics(first)).toMatchObject({ activeCount: 0, claimed: 1n, expired: 1n });
    await expectRevert(complete(first, activityId), "NotAssignedWorker", { assignedWorker: second });
    await claim(first, await chain.enqueue());
    await complete(second, activityId);
  });

  it("can be claimed again by the same worker", async () => {
    const worker = await chain.worker(1, 1);
    const activityId = await chain.enqueue();
    await claim(worker, activityId);
    await chain.advance(LEASE_S);
    await claim(worker, activityId);
    expect(await held(worker)).toEqual([activityId]);
    expect(await statistics(worker)).toMatchObject({ activeCount: 1, claimed: 2n, expired: 1n });
    await complete(worker, activityId);
  });

  it("can be released by anybody, which frees the worker's slot and leaves the activity claimable", async () => {
    const [worker, stranger] = [await chain.worker(1, 1), chain.accounts[8]!];
    const activityId = await chain.enqueue();
    const release = () => chain.send(stranger, ["taskQueue", "releaseExpired", activityId]);
    await expectRevert(release(), "NotAssignedWorker", { assignedWorker: NOBODY });
    await claim(worker, activityId);
    await expectRevert(release(), "LeaseNotExpired", { activityId });
    await chain.advance(LEASE_S);
    const receipt = await release();
    expect(receipt.events().map(({ name }) => name)).toEqual(["ActivityExpired"]);
    expect(await chain.activity(activityId)).toMatchObject({
      isAssigned: false,
      assignedWorker: NOBODY,
      expiresAt: 0n,
    });
    expect(await statistics(worker)).toMatchObject({ activeCount: 0, expired: 1n });
    expect(await chain.poll()).toBe(activityId);
    await claim(worker, activityId);
    await complete(worker, activityId);
    await expectRevert(release(), "ActivityAlreadySettled", { activityId });
  });
});

describe("withdrawing", () => {
  it("takes an unclaimed activity out of the queue, for its requester only", async () => {
    const [worker, requester] = [await chain.worker(1), chain.accounts[9]!];
    const activityId = await chain.enqueue({}, requester);
    const withdraw = (from: string) => chain.send(from, ["taskQueue", "withdrawActivity", activityId]);
    await expectRevert(withdraw(worker), "NotRequester", { activityId, requester, caller: worker });
    expect(eventsOf(await withdraw(requester))).toEqual([["ActivityWithdrawn", { activityId, requester }]]);
    expect(await chain.poll()).toBeUndefined();
    expect(await chain.activity(activityId)).toMatchObject({
      isAssigned: false,
      isCompleted: true,
      success: false,
    });
    await expectRevert(claim(worker, activityId), "ActivityAlreadySettled", { activityId });
  });

  it("does nothing while a lease is valid, and takes back an expired one", async () => {
    const [worker, requester] = [await chain.worker(1), chain.accounts[9]!];
    const activityId = await chain.enqueue({}, requester);
    await claim(worker, activityId);
    const withdraw = ["taskQueue", "withdrawActivity", activityId] as const;
    expect(await chain.call(withdraw, { from: requester })).toBe(false);
    expect((await chain.send(requester, withdraw)).events()).toEqual([]);
    await chain.advance(LEASE_S);
    const receipt = await chain.send(requester, withdraw);
    expect(receipt.events().map(({ name }) => name)).toEqual(["ActivityExpired", "ActivityWithdrawn"]);
    expect(await statistics(worker)).toMatchObject({ activeCount: 0, expired: 1n });
    expect(await chain.poll()).toBeUndefined();
  });
});

describe("exclusive groups", () => {
  const group = { exclusiveGroup: id("group") };

  it("give a worker one activity of a group, while it holds it and after it settled it", async () => {
    const [worker, other] = [await chain.worker(1), await chain.worker(2)];
    const [first, second] = [await chain.enqueue(group), await chain.enqueue(group)];
    await claim(worker, first);
    const refusal = { activityId: second, worker, claimedActivityId: first };
    await expectRevert(claim(worker, second), "GroupAlreadyClaimed", refusal);
    await fail(worker, first);
    await expectRevert(claim(worker, second), "GroupAlreadyClaimed", refusal);
    await claim(other, second);
  });

  it("bind a worker no more once its lease ran out", async () => {
    const [worker, other] = [await chain.worker(1), await chain.worker(2)];
    const [first, second] = [await chain.enqueue(group), await chain.enqueue(group)];
    await claim(worker, first);
    await chain.advance(LEASE_S);
    await claim(worker, second);
    await expectRevert(claim(worker, first), "GroupAlreadyClaimed", { claimedActivityId: second });
    await claim(other, first);
  });

  it("are the requester's own: a stranger cannot keep workers from them", async () => {
    const worker = await chain.worker(1);
    const bait = await chain.enqueue(group, chain.accounts[7]);
    const real = await chain.enqueue(group, chain.accounts[9]);
    await claim(worker, bait);
    await claim(worker, real);
  });

  it("are passed over when that worker polls", async () => {
    const worker = await chain.worker(1);
    const [first, second] = [await chain.enqueue(group), await chain.enqueue(group)];
    const third = await chain.enqueue();
    await claim(worker, first);
    expect(await chain.poll(QUEUE, worker)).toBe(third);
    expect(await chain.poll(QUEUE, chain.accounts[2])).toBe(second);
    expect(await chain.poll()).toBe(second);
  });
});

describe("the owner", () => {
  it("sets the lease for later claims only", async () => {
    const worker = await chain.worker(1);
    const [before, after] = [await chain.enqueue(), await chain.enqueue()];
    await claim(worker, before);
    const { expiresAt } = await chain.activity(before);
    await chain.send(chain.owner, ["taskQueue", "setLeaseDuration", 30]);
    expect(await chain.read(taskQueueReads(chain.contracts.taskQueue).leaseDurationS())).toBe(30);
    await claim(worker, after);
    expect((await chain.activity(before)).expiresAt).toBe(expiresAt);
    expect((await chain.activity(after)).expiresAt).toBe((await chain.nowS()) + 30n);
  });

  it("is the only one to do so, within 1 second and 30 days", async () => {
    const stranger = chain.accounts[3]!;
    const set = (from: string, seconds: number) =>
      chain.send(from, ["taskQueue", "setLeaseDuration", seconds]);
    await expectRevert(set(stranger, 30), "NotOwner", { caller: stranger, owner: chain.owner });
    await expectRevert(set(chain.owner, 0), "LeaseDurationOutOfRange");
    await expectRevert(set(chain.owner, 30 * 86_400 + 1), "LeaseDurationOutOfRange");
    await set(chain.owner, 30 * 86_400);
  });

  it("changes in two steps", async () => {
    const [next, stranger] = [chain.accounts[3]!, chain.accounts[4]!];
    await chain.send(chain.owner, ["taskQueue", "transferOwnership", next]);
    await expectRevert(chain.send(stranger, ["taskQueue", "acceptOwnership"]), "NotPendingOwner", {
      caller: stranger,
    });
    await chain.send(chain.owner, ["taskQueue", "setLeaseDuration", 30]);
    await chain.send(next, ["taskQueue", "acceptOwnership"]);
    await expectRevert(chain.send(chain.owner, ["taskQueue", "setLeaseDuration", 31]), "NotOwner", {
      owner: next,
    });
    await chain.send(next, ["taskQueue", "setLeaseDuration", 31]);
  });
});
