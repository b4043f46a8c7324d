import { id } from "ethers";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { taskQueueReads } from "../src/index.ts";
import {
  bytes,
  Chain,
  enqueueParams,
  eventsOf,
  expectRevert,
  LEASE_S,
  NO_ID,
  NOBODY,
  QUEUE,
  SOME_TYPE,
} from "./_chain.ts";

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

describe("enqueueing", () => {
  it("keeps what was asked for, unassigned, with expiresAt 0", async () => {
    const requester = chain.accounts[9]!;
    const receipt = await chain.send(requester, [
      "taskQueue",
      "enqueueActivity",
      enqueueParams({
        partitionId: 3,
        workflowInstanceId: id("instance"),
        inputData: "0x01",
        initData: "0x02",
      }),
    ]);
    const activityId = String(receipt.events()[0]!.args["activityId"]);
    expect(eventsOf(receipt)).toEqual([
      [
        "ActivityEnqueued",
        {
          activityId,
          queueHash: id(QUEUE),
          workflowInstanceId: id("instance"),
          queueName: QUEUE,
          partitionId: 3n,
          activityType: (await chain.activity(activityId)).activityType,
          requester,
        },
      ],
    ]);
    expect(await chain.activity(activityId)).toEqual({
      activityId,
      workflowInstanceId: id("instance"),
      activityType: expect.stringMatching(new RegExp(SOME_TYPE, "i")),
      inputData: "0x01",
      initData: "0x02",
      resultData: "0x",
      createdAt: await chain.nowS(),
      expiresAt: 0n,
      requester,
      assignedWorker: NOBODY,
      assignedAt: 0n,
      lastHeartbeat: 0n,
      progress: 0,
      isAssigned: false,
      isCompleted: false,
      success: false,
    });
  });

  it("gives equal requests different ids", async () => {
    expect(await chain.enqueue()).not.toBe(await chain.enqueue());
  });

  it("refuses an empty queue name and the zero activity type", async () => {
    await expectRevert(chain.enqueue({ queueName: "" }), "EmptyQueueName");
    await expectRevert(chain.enqueue({ activityType: NOBODY }), "ZeroActivityType");
  });

  it("refuses a payload above 16 KiB and takes one of 16 KiB", async () => {
    await expectRevert(chain.enqueue({ inputData: `0x${"ab".repeat(16_385)}` }), "PayloadTooLarge", {
      sizeBytes: 16_385n,
      maxBytes: 16_384n,
    });
    const inputData = `0x${"ab".repeat(16_384)}`;
    expect((await chain.activity(await chain.enqueue({ inputData }))).inputData).toBe(inputData);
  });

  it("stores equal payloads once", async () => {
    const inputData = `0x${"cd".repeat(1_000)}`;
    const request = ["taskQueue", "enqueueActivity", enqueueParams({ inputData })] as const;
    const first = await chain.send(chain.owner, request);
    const second = await chain.send(chain.owner, request);
    expect(first.gasUsed - second.gasUsed).toBeGreaterThan(32 * 22_000);
  });
});

describe("claiming", () => {
  it("assigns the activity for one lease and answers true", async () => {
    const worker = await chain.worker(1);
    const activityId = await chain.enqueue();
    expect(await chain.call(["taskQueue", "claimActivity", activityId], { from: worker })).toBe(true);
    const receipt = await claim(worker, activityId);
    const now = await chain.nowS();
    const expiresAt = now + BigInt(LEASE_S);
    expect(eventsOf(receipt)).toEqual([["ActivityClaimed", { activityId, worker, expiresAt }]]);
    expect(await chain.activity(activityId)).toMatchObject({
      assignedWorker: worker,
      assignedAt: now,
      lastHeartbeat: now,
      expiresAt,
      isAssigned: true,
      isCompleted: false,
    });
    expect(await held(worker)).toEqual([activityId]);
  });

  it("refuses an activity that somebody holds, also to its holder", async () => {
    const [worker, other] = [await chain.worker(1), await chain.worker(2)];
    const activityId = await chain.enqueue();
    await claim(worker, activityId);
    const { expiresAt } = await chain.activity(activityId);
    await expectRevert(claim(other, activityId), "ActivityAlreadyClaimed", { activityId, worker, expiresAt });
    await expectRevert(claim(worker, activityId), "ActivityAlreadyClaimed", {
      activityId,
      worker,
      expiresAt,
    });
  });

  it("refuses a settled activity", async () => {
    const worker = await chain.worker(1);
    const activityId = await chain.enqueue();
    await claim(worker, activityId);
    await complete(worker, activityId);
    await expectRevert(claim(worker, activityId), "ActivityAlreadySettled", { activityId });
  });

  it("refuses unregistered, deactivated and suspended workers", async () => {
    const activityId = await chain.enqueue();
    await expectRevert(claim(chain.accounts[5]!, activityId), "WorkerNotActive", {
      worker: chain.accounts[5],
    });
    const worker = await chain.worker(1);
    await chain.send(worker, ["subnetControlPlane", "deactivateWorker"]);
    await expectRevert(claim(worker, activityId), "WorkerNotActive", { worker });
    const suspended = await chain.worker(2);
    await chain.send(chain.owner, ["subnetControlPlane", "suspendWorker", suspended]);
    await expectRevert(claim(suspended, activityId), "WorkerNotActive", { worker: suspended });
  });

  it("refuses more than the worker's capacity until one is settled", async () => {
    const worker = await chain.worker(1, 2);
    const ids = [await chain.enqueue(), await chain.enqueue(), await chain.enqueue()] as const;
    await claim(worker, ids[0]);
    await claim(worker, ids[1]);
    await expectRevert(claim(worker, ids[2]), "CapacityExceeded", { worker, activeCount: 2n, capacity: 2n });
    await complete(worker, ids[0]);
    await claim(worker, ids[2]);
    expect([...(await held(worker))].sort()).toEqual([ids[1], ids[2]].sort());
  });

  it("knows only activities that were enqueued", async () => {
    const worker = await chain.worker(1);
    const activityId = id("nothing");
    const refusal = { activityId };
    await expectRevert(chain.activity(activityId), "UnknownActivity", refusal);
    await expectRevert(claim(worker, activityId), "UnknownActivity", refusal);
    await expectRevert(heartbeat(worker, activityId), "UnknownActivity", refusal);
    await expectRevert(complete(worker, activityId), "UnknownActivity", refusal);
    await expectRevert(fail(worker, activityId), "UnknownActivity", refusal);
    await expectRevert(
      chain.send(worker, ["taskQueue", "releaseExpired", activityId]),
      "UnknownActivity",
      refusal,
    );
    await expectRevert(
      chain.send(worker, ["taskQueue", "withdrawActivity", activityId]),
      "UnknownActivity",
      refusal,
    );
    await expectRevert(chain.call(["taskQueue", "getOutcome", activityId]), "UnknownActivity", refusal);
    await expectRevert(chain.activity(NO_ID), "UnknownActivity", { activityId: NO_ID });
  });
});

describe("heartbeats", () => {
  it("extend the lease from now and store the progress", async () => {
    const worker = await chain.worker(1);
    const activityId = await chain.enqueue();
    await claim(worker, activityId);
    await chain.advance(LEASE_S - 10);
    const receipt = await heartbeat(worker, activityId, 40);
    const now = await chain.nowS();
    const expiresAt = now + BigInt(LEASE_S);
    expect(eventsOf(receipt)).toEqual([
      ["ActivityHeartbeat", { activityId, worker, progress: 40n, expiresAt }],
    ]);
    expect(await chain.activity(activityId)).toMatchObject({ progress: 40, lastHeartbeat: now, expiresAt });
    await chain.advance(LEASE_S - 10);
    await complete(worker, activityId);
  });

  it("are refused from a stranger, and before assignment", async () => {
    const [worker, stranger] = [await chain.worker(1), await chain.worker(2)];
    const activityId = await chain.enqueue();
    await expectRevert(heartbeat(stranger, activityId), "NotAssignedWorker", { assignedWorker: NOBODY });
    await claim(worker, activityId);
    await expectRevert(heartbeat(stranger, activityId), "NotAssignedWorker", {
      activityId,
      assignedWorker: worker,
      caller: stranger,
    });
  });

  it("are refused once the lease ran out", async () => {
    const worker = await chain.worker(1);
    const activityId = await chain.enqueue();
    await claim(worker, activityId);
    const { expiresAt } = await chain.activity(activityId);
    await chain.advance(LEASE_S);
    await expectRevert(heartbeat(worker, activityId), "LeaseExpired", { activityId, expiredAt: expiresAt });
  });

  it("are refused above 100 percent", async () => {
    const worker = await chain.worker(1);
    const activityId = await chain.enqueue();
    await claim(worker, activityId);
    await heartbeat(worker, activityId, 100);
    await expectRevert(heartbeat(worker, activityId, 101), "ProgressOutOfRange", {
      activityId,
      progress: 101n,
    });
  });

  it("are refused after settlement", async () => {
    const worker = await chain.worker(1);
    const activityId = await chain.enqueue();
    await claim(worker, activityId);
    await fail(worker, activityId);
    await expectRevert(heartbeat(worker, activityId), "ActivityAlreadySettled", { activityId });
  });
});

describe("settling", () => {
  it("completes with a result, once", async () => {
    const worker = await chain.worker(1);
    const activityId = await chain.enqueue();
    await claim(worker, activityId);
    const receipt = await complete(worker, activityId, bytes("done"));
    expect(eventsOf(receipt)).toEqual([
      ["ActivityCompleted", { activityId, worker, resultHash: id("done") }],
    ]);
    expect(await chain.activity(activityId)).toMatchObject({
      resultData: bytes("done"),
      assignedWorker: worker,
      progress: 100,
      isAssigned: true,
      isCompleted: true,
      success: true,
    });
    expect(await held(worker)).toEqual([]);
    await expectRevert(complete(worker, activityId), "ActivityAlreadySettled", { activityId });
    await expectRevert(fail(worker, activityId), "ActivityAlreadySettled", { activityId });
  });

  it("fails with the reason as the result", async () => {
    const worker = await chain.worker(1);
    const activityId = await chain.enqueue();
    await claim(worker, activityId);
    const receipt = await fail(worker, activityId, "kein WAV: größe 0");
    expect(eventsOf(receipt)).toEqual([
      ["ActivityFailed", { activityId, worker, reason: "kein WAV: größe 0" }],
    ]);
    expect(await chain.activity(activityId)).toMatchObject({
      resultData: bytes("kein WAV: größe 0"),
      isCompleted: true,
      success: false,
    });
  });

  it("is refused to anybody but the assigned worker", async () => {
    const [worker, stranger] = [await chain.worker(1), await chain.worker(2)];
    const activityId = await chain.enqueue();
    await expectRevert(complete(worker, activityId), "NotAssignedWorker", { assignedWorker: NOBODY });
    await claim(worker, activityId);
    const refusal = { activityId, assignedWorker: worker, caller: stranger };
    await expectRevert(complete(stranger, activityId), "NotAssignedWorker", refusal);
    await expectRevert(fail(stranger, activityId), "NotAssignedWorker", refusal);
  });

  it("is refused once the lease ran out, from its very last second on", async () => {
    const worker = await chain.worker(1);
    const activityId = await chain.enqueue();
    await claim(worker, activityId);
    const { expiresAt } = await chain.activity(activityId);
    await chain.rpc("evm_setNextBlockTimestamp", Number(expiresAt));
    await chain.rpc("evm_mine");
    await expectRevert(complete(worker, activityId), "LeaseExpired", { activityId, expiredAt: expiresAt });
    await expectRevert(fail(worker, activityId), "LeaseExpired", { activityId });
  });

  it("is taken one second before the lease runs out", async () => {
    const worker = await chain.worker(1);
    const activityId = await chain.enqueue();
    await claim(worker, activityId);
    const { expiresAt } = await chain.activity(activityId);
    await chain.rpc("evm_setNextBlockTimestamp", Number(expiresAt) - 1);
    await complete(worker, activityId);
  });

  it.each([[[0, 1, 2, 3]], [[3, 2, 1, 0]], [[0, 3, 1, 2]], [[1, 3, 0, 2]]])(
    "in the order %j leaves exactly the others with the worker",
    async (order) => {
      const worker = await chain.worker(1);
      const ids: string[] = [];
      for (const _ of order) ids.push(await chain.enqueue());
      for (const activityId of ids) await claim(worker, activityId);
      const remaining = new Set(ids);
      for (const index of order) {
        await complete(worker, ids[index]!);
        remaining.delete(ids[index]!);
        expect(new Set(await held(worker))).toEqual(remaining);
      }
    },
  );

  it("refuses a result above 16 KiB and leaves the activity to its worker", async () => {
    const worker = await chain.worker(1);
    const activityId = await chain.enqueue();
    await claim(worker, activityId);
    await expectRevert(complete(worker, activityId, `0x${"ab".repeat(16_385)}`), "PayloadTooLarge");
    await expectRevert(fail(worker, activityId, "x".repeat(16_385)), "PayloadTooLarge");
    await fail(worker, activityId, "the result is too large");
  });

  it("is refused to a suspended worker, whose lease then runs out", async () => {
    const [worker, other] = [await chain.worker(1), await chain.worker(2)];
    const activityId = await chain.enqueue();
    await claim(worker, activityId);
    await chain.send(chain.owner, ["subnetControlPlane", "suspendWorker", worker]);
    await expectRevert(heartbeat(worker, activityId), "WorkerIsSuspended", { worker });
    await expectRevert(complete(worker, activityId), "WorkerIsSuspended", { worker });
    await expectRevert(fail(worker, activityId), "WorkerIsSuspended", { worker });
    await chain.advance(LEASE_S);
    await claim(other, activityId);
  });

  it("is allowed to a worker that deactivated itself", async () => {
    const worker = await chain.worker(1);
    const activityId = await chain.enqueue();
    await claim(worker, activityId);
    await chain.send(worker, ["subnetControlPlane", "deactivateWorker"]);
    await heartbeat(worker, activityId, 50);
    await complete(worker, activityId);
  });
});
