import { id, keccak256 } from "ethers";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { multicall3Interface, taskQueueInterface, taskQueueReads } from "../src/index.ts";
import { Chain, enqueueParams, LEASE_S, QUEUE } from "./_chain.ts";

let chain: Chain;
beforeAll(async () => {
  chain = await Chain.start();
});
afterAll(() => chain[Symbol.asyncDispose]());
beforeEach(() => chain.rewind());

const claim = (worker: string, activityId: string) =>
  chain.send(worker, ["taskQueue", "claimActivity", activityId]);
const complete = (worker: string, activityId: string) =>
  chain.send(worker, ["taskQueue", "completeActivity", activityId, "0x"]);
const poll = (gas?: number, from?: string) =>
  chain.read(taskQueueReads(chain.contracts.taskQueue).pollActivity(QUEUE, 0), {
    ...(gas !== undefined && { gas }),
    ...(from !== undefined && { from }),
  });
const depth = () => chain.read(taskQueueReads(chain.contracts.taskQueue).getQueueDepth(QUEUE, 0));

/** Ids are made of chain, contract and a counter that starts at 1. */
function idOf(serial: number): string {
  return keccak256(`0x${word(31_337)}${word(BigInt(chain.contracts.taskQueue))}${word(serial)}`);
}

/** Of which 21,000 are for being a transaction at all. */
const POLL_GAS = 120_000;
const ENQUEUE = taskQueueInterface.encodeFunctionData("enqueueActivity", [enqueueParams()]);
const CLAIM = taskQueueInterface.getFunction("claimActivity")!.selector;
const COMPLETE = taskQueueInterface.getFunction("completeActivity")!.selector;
// Encoded by hand below: ethers takes a millisecond for each call of a batch, longer than to run it.
const AGGREGATE3 = multicall3Interface.getFunction("aggregate3")!.selector;
const WITHDRAW = taskQueueInterface.getFunction("withdrawActivity")!.selector;
const claimData = (activityId: string) => CLAIM + activityId.slice(2);
const completeData = (activityId: string) => COMPLETE + activityId.slice(2) + word(0x40) + word(0);

/** Many calls of the TaskQueue, with Multicall3 as their sender: it makes a fine worker. */
async function sendMany(calls: readonly string[], perTransaction = 60): Promise<void> {
  const { multicall3, taskQueue } = chain.contracts;
  for (let start = 0; start < calls.length; start += perTransaction) {
    const data = aggregate3Data(taskQueue, calls.slice(start, start + perTransaction));
    const transaction = { from: chain.owner, to: multicall3, data, gas: "0x1c9c380" };
    const receipt = await chain.receipt(await chain.rpc("eth_sendTransaction", transaction));
    expect(receipt.status).toBe("0x1");
  }
}

function aggregate3Data(target: string, calls: readonly string[]): string {
  const offsets: string[] = [];
  const bodies: string[] = [];
  let offset = calls.length * 32;
  for (const call of calls) {
    const sizeBytes = (call.length - 2) / 2;
    const padded = call.slice(2).padEnd(Math.ceil(sizeBytes / 32) * 64, "0");
    offsets.push(word(offset));
    bodies.push(word(BigInt(target)), word(0), word(0x60), word(sizeBytes), padded);
    offset += 128 + padded.length / 2;
  }
  return [AGGREGATE3, word(0x20), word(calls.length), ...offsets, ...bodies].join("");
}

function word(value: number | bigint): string {
  return value.toString(16).padStart(64, "0");
}

async function registerMulticall3(capacity: number): Promise<void> {
  await chain.rpc("anvil_setBalance", chain.contracts.multicall3, "0x56bc75e2d63100000");
  await chain.rpc("anvil_impersonateAccount", chain.contracts.multicall3);
  await chain.send(chain.contracts.multicall3, ["subnetControlPlane", "registerWorker", capacity]);
}

describe("polling", () => {
  it("answers nothing for an empty queue and for one that never was", async () => {
    expect(await chain.poll("never/1.0.0/seen")).toBeUndefined();
    const worker = await chain.worker(1);
    await claim(worker, await chain.enqueue());
    expect(await poll()).toBeUndefined();
  });

  it("keeps queues and partitions apart", async () => {
    const other = await chain.enqueue({ queueName: "audio/1.0.0/validation" });
    await chain.enqueue({ partitionId: 1 });
    expect(await poll()).toBeUndefined();
    expect(await chain.poll("audio/1.0.0/validation")).toBe(other);
  });

  it("answers the oldest claimable activity, in the order of enqueueing", async () => {
    const worker = await chain.worker(1);
    const ids = [await chain.enqueue(), await chain.enqueue(), await chain.enqueue(), await chain.enqueue()];
    expect(ids).toEqual([1, 2, 3, 4].map((serial) => idOf(serial)));
    await claim(worker, ids[1]!);
    const seen: (string | undefined)[] = [];
    for (let round = 0; round < 4; round += 1) {
      const next = await chain.poll();
      seen.push(next);
      if (next !== undefined) await claim(worker, next);
      if (next !== undefined) await complete(worker, next);
    }
    expect(seen).toEqual([ids[0], ids[2], ids[3], undefined]);
  });

  it("puts an expired lease back in its place between older and newer activities", async () => {
    const worker = await chain.worker(1);
    const [oldest, middle, newest] = [await chain.enqueue(), await chain.enqueue(), await chain.enqueue()];
    await claim(worker, middle);
    expect(await chain.poll()).toBe(oldest);
    await chain.advance(LEASE_S);
    expect(await chain.poll()).toBe(oldest);
    await claim(worker, oldest);
    expect(await chain.poll()).toBe(middle);
    await claim(worker, middle);
    expect(await chain.poll()).toBe(newest);
  });

  it("answers the oldest of several expired leases, whatever the order of their claims", async () => {
    const worker = await chain.worker(1);
    const ids = [await chain.enqueue(), await chain.enqueue(), await chain.enqueue()] as const;
    for (const index of [2, 0, 1] as const) await claim(worker, ids[index]);
    await chain.advance(LEASE_S);
    expect(await chain.poll()).toBe(ids[0]);
  });

  it("finds an expired lease behind one that heartbeats keep alive", async () => {
    const worker = await chain.worker(1);
    const [alive, dying] = [await chain.enqueue(), await chain.enqueue()];
    await claim(worker, alive);
    await claim(worker, dying);
    for (let beat = 0; beat < 5; beat += 1) {
      await chain.advance(LEASE_S / 2);
      await chain.send(worker, ["taskQueue", "heartbeatActivity", alive, beat]);
    }
    expect(await chain.poll()).toBe(dying);
    await claim(worker, dying);
    await complete(worker, alive);
    await complete(worker, dying);
    expect(await depth()).toEqual({ waiting: 0, leased: 0 });
  });

  it("counts what waits and what is leased", async () => {
    const worker = await chain.worker(1);
    const ids = [await chain.enqueue(), await chain.enqueue(), await chain.enqueue()] as const;
    await claim(worker, ids[1]);
    expect(await depth()).toEqual({ waiting: 2, leased: 1 });
    await complete(worker, ids[1]);
    expect(await depth()).toEqual({ waiting: 2, leased: 0 });
  });
});

describe("a long queue", () => {
  it("is polled as cheaply with thousands of settled activities behind one that is still held", async () => {
    const worker = await chain.worker(1);
    await registerMulticall3(1024);
    const held = await chain.enqueue();
    await claim(worker, held);
    const ids = Array.from({ length: 3_000 }, (_, index) => idOf(index + 2));
    await sendMany(ids.map(() => ENQUEUE));
    expect((await poll(POLL_GAS))?.activityId).toBe(ids[0]);
    await sendMany(
      ids.slice(0, 1000).flatMap((activityId) => [claimData(activityId), completeData(activityId)]),
    );
    expect((await poll(POLL_GAS))?.activityId).toBe(ids[1000]);
    // The others leave the queue in the other way, which anvil runs ten times as fast.
    await sendMany(ids.slice(1000).map((activityId) => WITHDRAW + activityId.slice(2)));
    expect(await depth()).toEqual({ waiting: 0, leased: 1 });
    expect(await poll(POLL_GAS)).toBeUndefined();
    const last = await chain.enqueue();
    expect((await poll(POLL_GAS))?.activityId).toBe(last);
    const claimGas = (await claim(worker, last)).gasUsed;
    expect(claimGas).toBeLessThan(200_000);
    await chain.advance(LEASE_S);
    expect((await poll(POLL_GAS))?.activityId).toBe(held);
  }, 120_000);

  it("is polled with bounded gas when the caller may claim nothing near its head", async () => {
    await registerMulticall3(1024);
    const groups = Array.from({ length: 501 }, (_, index) => index);
    const enqueueAll = groups.map((index) =>
      taskQueueInterface.encodeFunctionData("enqueueActivity", [
        enqueueParams({ exclusiveGroup: id(`group ${index}`) }),
      ]),
    );
    // One requester for all, or the groups would differ.
    await sendMany(enqueueAll);
    await sendMany(groups.map((index) => claimData(idOf(index + 1))));
    await sendMany(enqueueAll);
    const reachable = await chain.enqueue();
    expect((await poll(POLL_GAS))?.activityId).toBe(idOf(502));
    expect(await poll(10_000_000, chain.contracts.multicall3)).toBeUndefined();
    await claim(await chain.worker(1), idOf(502));
    await claim(await chain.worker(2), idOf(503));
    expect((await poll(10_000_000, chain.contracts.multicall3))?.activityId).toBe(reachable);
    // All leases have run out, and none of them is this caller's to take a second time.
    await chain.advance(LEASE_S);
    expect((await poll(16_000_000, chain.contracts.multicall3))?.activityId).toBe(idOf(1));
  }, 60_000);
});
