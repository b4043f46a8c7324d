import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { subnetControlPlaneReads, type Worker } from "../src/index.ts";
import { Chain, eventsOf, expectRevert, LEASE_S, NOBODY } from "./_chain.ts";

let chain: Chain;
beforeAll(async () => {
  chain = await Chain.start();
});
afterAll(() => chain[Symbol.asyncDispose]());
beforeEach(() => chain.rewind());

const reads = () => subnetControlPlaneReads(chain.contracts.subnetControlPlane);
const worker = (address: string): Promise<Worker> => chain.read(reads().getWorker(address));
const isActive = (address: string) => chain.read(reads().isWorkerActive(address));
const send = (from: string, name: string, ...args: unknown[]) =>
  chain.send(from, ["subnetControlPlane", name, ...args]);

describe("a worker", () => {
  it("that never registered is not active and has no statistics", async () => {
    expect(await isActive(chain.accounts[1]!)).toBe(false);
    expect(await worker(chain.accounts[1]!)).toEqual({
      isRegistered: false,
      isActive: false,
      isSuspended: false,
      capacity: 0,
      activeCount: 0,
      registeredAt: 0n,
      claimed: 0n,
      completed: 0n,
      failed: 0n,
      expired: 0n,
    });
  });

  it("registers itself with a capacity of 1 to 1024", async () => {
    const address = chain.accounts[1]!;
    await expectRevert(send(address, "registerWorker", 0), "CapacityOutOfRange", {
      capacity: 0n,
      maxCapacity: 1024n,
    });
    await expectRevert(send(address, "registerWorker", 1025), "CapacityOutOfRange");
    await expectRevert(send(address, "registerWorker", 2 ** 32 - 1), "CapacityOutOfRange");
    const receipt = await send(address, "registerWorker", 1024);
    expect(eventsOf(receipt)).toEqual([["WorkerRegistered", { worker: address, capacity: 1024n }]]);
    expect(await worker(address)).toMatchObject({
      isActive: true,
      capacity: 1024,
      registeredAt: await chain.nowS(),
    });
  });

  it("may register again: the capacity changes, the statistics and the date stay", async () => {
    const address = await chain.worker(1, 2);
    await chain.send(address, ["taskQueue", "claimActivity", await chain.enqueue()]);
    const before = await worker(address);
    await chain.advance(100);
    await send(address, "registerWorker", 8);
    expect(await worker(address)).toEqual({ ...before, capacity: 8 });
  });

  it("may register below what it holds, which only stops further claims", async () => {
    const address = await chain.worker(1, 2);
    const ids = [await chain.enqueue(), await chain.enqueue(), await chain.enqueue()];
    await chain.send(address, ["taskQueue", "claimActivity", ids[0]]);
    await chain.send(address, ["taskQueue", "claimActivity", ids[1]]);
    await send(address, "registerWorker", 1);
    await expectRevert(chain.send(address, ["taskQueue", "claimActivity", ids[2]]), "CapacityExceeded", {
      activeCount: 2n,
      capacity: 1n,
    });
    await chain.send(address, ["taskQueue", "completeActivity", ids[0], "0x"]);
  });

  it("deactivates itself, and is active again when it registers", async () => {
    const address = chain.accounts[1]!;
    await expectRevert(send(address, "deactivateWorker"), "WorkerNotRegistered", { worker: address });
    await chain.worker(1);
    expect(eventsOf(await send(address, "deactivateWorker"))).toEqual([
      ["WorkerDeactivated", { worker: address }],
    ]);
    expect(await isActive(address)).toBe(false);
    await expectRevert(send(address, "deactivateWorker"), "WorkerNotActive", { worker: address });
    await send(address, "registerWorker", 1);
    expect(await isActive(address)).toBe(true);
  });

  it("is suspended and reinstated by the owner, and cannot register out of a suspension", async () => {
    const address = await chain.worker(1);
    await expectRevert(send(address, "suspendWorker", address), "NotOwner", {
      caller: address,
      owner: chain.owner,
    });
    await expectRevert(send(chain.owner, "suspendWorker", chain.accounts[2]), "WorkerNotRegistered");
    expect(eventsOf(await send(chain.owner, "suspendWorker", address))).toEqual([
      ["WorkerSuspended", { worker: address }],
    ]);
    expect(await worker(address)).toMatchObject({ isRegistered: true, isActive: false, isSuspended: true });
    await expectRevert(send(chain.owner, "suspendWorker", address), "WorkerIsSuspended", { worker: address });
    await expectRevert(send(address, "registerWorker", 4), "WorkerIsSuspended", { worker: address });
    await expectRevert(send(address, "reinstateWorker", address), "NotOwner");
    expect(eventsOf(await send(chain.owner, "reinstateWorker", address))).toEqual([
      ["WorkerReinstated", { worker: address }],
    ]);
    await expectRevert(send(chain.owner, "reinstateWorker", address), "WorkerIsNotSuspended", {
      worker: address,
    });
    expect(await isActive(address)).toBe(true);
  });

  it("has statistics that count every claim and how it ended", async () => {
    const address = await chain.worker(1);
    const ids: string[] = [];
    for (const _ of [0, 1, 2, 3]) ids.push(await chain.enqueue());
    for (const activityId of ids) await chain.send(address, ["taskQueue", "claimActivity", activityId]);
    await chain.send(address, ["taskQueue", "completeActivity", ids[0], "0x"]);
    await chain.send(address, ["taskQueue", "failActivity", ids[1], ""]);
    await chain.advance(LEASE_S);
    await chain.send(address, ["taskQueue", "claimActivity", ids[2]]);
    expect(await worker(address)).toMatchObject({
      activeCount: 2,
      claimed: 5n,
      completed: 1n,
      failed: 1n,
      expired: 1n,
    });
  });
});

describe("the counters", () => {
  it("are moved by the TaskQueue only", async () => {
    const address = await chain.worker(1);
    const refusal = { caller: chain.owner, taskQueue: chain.contracts.taskQueue };
    await expectRevert(send(chain.owner, "recordClaim", address), "NotTaskQueue", refusal);
    await expectRevert(send(chain.owner, "recordSettlement", address, true), "NotTaskQueue", refusal);
    await expectRevert(send(chain.owner, "recordExpiry", address), "NotTaskQueue", refusal);
  });

  it("belong to the TaskQueue that the owner sets", async () => {
    const next = chain.accounts[5]!;
    await expectRevert(send(next, "setTaskQueue", next), "NotOwner");
    expect(eventsOf(await send(chain.owner, "setTaskQueue", next))).toEqual([
      ["TaskQueueChanged", { previousTaskQueue: chain.contracts.taskQueue, taskQueue: next }],
    ]);
    const address = await chain.worker(1);
    await send(next, "recordClaim", address);
    await expectRevert(
      chain.send(address, ["taskQueue", "claimActivity", await chain.enqueue()]),
      "NotTaskQueue",
      {
        taskQueue: next,
      },
    );
  });
});

describe("the protocol version", () => {
  it("is what it was deployed with, until the owner changes it", async () => {
    expect(await chain.read(reads().getProtocolVersion())).toBe("0.2.0");
    await expectRevert(send(chain.accounts[3]!, "setProtocolVersion", "9.0.0"), "NotOwner");
    await expectRevert(send(chain.owner, "setProtocolVersion", ""), "EmptyProtocolVersion");
    expect(eventsOf(await send(chain.owner, "setProtocolVersion", "0.3.0"))).toEqual([
      ["ProtocolVersionChanged", { previousVersion: "0.2.0", version: "0.3.0" }],
    ]);
    expect(await chain.read(reads().getProtocolVersion())).toBe("0.3.0");
  });
});

describe("ownership", () => {
  it("can be offered and taken back before it is accepted", async () => {
    const next = chain.accounts[3]!;
    await send(chain.owner, "transferOwnership", next);
    await send(chain.owner, "transferOwnership", NOBODY);
    await expectRevert(send(next, "acceptOwnership"), "NotPendingOwner", {
      caller: next,
      pendingOwner: NOBODY,
    });
  });
});
