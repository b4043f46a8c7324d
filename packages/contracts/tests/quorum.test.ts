import { id } from "ethers";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { bytes, Chain, eventsOf, expectRevert, LEASE_S } from "./_chain.ts";
import { startWorkflow, type Workflows, workflowsOf } from "./_workflows.ts";

const QUEUE = "vote/1.0.0/processing";
const RIGHT = bytes("right");

let chain: Chain;
let workflows: Workflows;
beforeAll(async () => {
  chain = await Chain.start();
  workflows = workflowsOf(chain);
});
afterAll(() => chain[Symbol.asyncDispose]());
beforeEach(() => chain.rewind());

/** An instance of a workflow whose first step has this many replicas, and that many registered workers. */
async function vote(numWorkers: number, quorum: number) {
  await workflows.register("vote/1.0.0", [{ numWorkers, quorum }, {}]);
  const { instance } = await startWorkflow(chain, "vote/1.0.0", bytes("question"));
  const workers: string[] = [];
  for (let index = 1; index <= numWorkers; index += 1) workers.push(await chain.worker(index));
  return { instance, workers, replicas: await workflows.activities(instance, 0) };
}

describe("a step with a quorum", () => {
  it("enqueues one replica for each worker, with equal inputs", async () => {
    const { replicas } = await vote(3, 2);
    expect(new Set(replicas).size).toBe(3);
    for (const replica of replicas) {
      expect(await chain.activity(replica)).toMatchObject({
        inputData: bytes("question"),
        initData: bytes("question"),
      });
    }
  });

  it("succeeds once two of three workers gave equal results", async () => {
    const { instance, workers, replicas } = await vote(3, 2);
    await workflows.complete(workers[0]!, replicas[0]!, bytes("wrong"));
    await workflows.complete(workers[1]!, replicas[1]!, RIGHT);
    expect(await workflows.isResumable(instance)).toBe(false);
    await expectRevert(workflows.resume(instance), "StepNotFinalised", {
      settledCount: 2n,
      activityCount: 3n,
    });
    await workflows.complete(workers[2]!, replicas[2]!, RIGHT);
    const receipt = await workflows.resume(instance);
    expect(eventsOf(receipt)[1]).toEqual([
      "StepFinalised",
      { instance, step: 0n, success: true, resultHash: id("right") },
    ]);
    const [next] = await workflows.activities(instance, 1);
    expect((await chain.activity(next!)).inputData).toBe(RIGHT);
  });

  it("succeeds before its last replica is claimed, and withdraws that one", async () => {
    const { instance, workers, replicas } = await vote(3, 2);
    await workflows.complete(workers[0]!, replicas[0]!, RIGHT);
    await workflows.complete(workers[1]!, replicas[1]!, RIGHT);
    const receipt = await workflows.resume(instance);
    expect(eventsOf(receipt)).toContainEqual([
      "ActivityWithdrawn",
      { activityId: replicas[2], requester: chain.contracts.workflowEngine },
    ]);
    expect(await chain.poll(QUEUE)).toBe((await workflows.activities(instance, 1))[0]);
    await expectRevert(
      chain.send(workers[2]!, ["taskQueue", "claimActivity", replicas[2]]),
      "ActivityAlreadySettled",
    );
  });

  it("lets a worker finish a replica that it held when the step was decided, to no effect", async () => {
    const { instance, workers, replicas } = await vote(3, 2);
    await chain.send(workers[2]!, ["taskQueue", "claimActivity", replicas[2]]);
    await workflows.complete(workers[0]!, replicas[0]!, RIGHT);
    await workflows.complete(workers[1]!, replicas[1]!, RIGHT);
    await workflows.resume(instance);
    const before = await workflows.view(instance);
    await chain.send(workers[2]!, ["taskQueue", "completeActivity", replicas[2], bytes("late")]);
    expect(await workflows.view(instance)).toEqual(before);
    await expectRevert(workflows.resume(instance), "StepNotFinalised", { step: 1n });
  });

  it.each([
    { order: [0, 1, 2, 3], results: ["right", "right", "late", "late"] },
    { order: [3, 2, 0, 1], results: ["right", "right", "late", "late"] },
    { order: [0, 1, 2, 3], results: ["late", "right", "right", "late"] },
    { order: [3, 0, 2, 1], results: ["late", "right", "right", "late"] },
  ])("keeps to the result that reached the quorum first: $results by $order", async ({ order, results }) => {
    const { instance, workers, replicas } = await vote(4, 2);
    for (const [turn, index] of order.entries()) {
      await workflows.complete(workers[turn]!, replicas[index]!, bytes(results[turn]!));
    }
    await workflows.resume(instance);
    expect((await workflows.view(instance)).result).toBe(RIGHT);
  });

  it("takes the first result when one is enough", async () => {
    const { instance, workers, replicas } = await vote(2, 1);
    await workflows.complete(workers[0]!, replicas[1]!, bytes("first"));
    await workflows.complete(workers[1]!, replicas[0]!, bytes("second"));
    await workflows.resume(instance);
    expect((await workflows.view(instance)).result).toBe(bytes("first"));
  });

  it("fails when all results differ", async () => {
    const { instance, workers, replicas } = await vote(3, 2);
    for (const index of [0, 1, 2]) {
      await workflows.complete(workers[index]!, replicas[index]!, bytes(`answer ${index}`));
    }
    const receipt = await workflows.resume(instance);
    const reason = "quorum not reached: fewer than 2 of 3 results are equal";
    expect(eventsOf(receipt).at(-1)).toEqual(["WorkflowFailed", { instance, step: 0n, reason }]);
    expect(await workflows.view(instance)).toMatchObject({
      status: "failed",
      failureReason: reason,
      result: "0x",
    });
  });

  it("fails as soon as the open replicas cannot make the quorum, with the reason of one that failed", async () => {
    const { instance, workers, replicas } = await vote(3, 2);
    await workflows.fail(workers[0]!, replicas[0]!, "disk full");
    expect(await workflows.isResumable(instance)).toBe(false);
    await workflows.fail(workers[1]!, replicas[1]!, "no memory");
    expect(await workflows.isResumable(instance)).toBe(true);
    await workflows.resume(instance);
    expect(await workflows.view(instance)).toMatchObject({ status: "failed", failureReason: "disk full" });
    expect(await chain.poll(QUEUE)).toBeUndefined();
  });

  it("does not count a failure whose reason equals a result", async () => {
    const { instance, workers, replicas } = await vote(3, 2);
    await workflows.fail(workers[0]!, replicas[0]!, "same");
    await workflows.complete(workers[1]!, replicas[1]!, bytes("same"));
    expect(await workflows.isResumable(instance)).toBe(false);
    await workflows.complete(workers[2]!, replicas[2]!, bytes("other"));
    await workflows.resume(instance);
    expect(await workflows.view(instance)).toMatchObject({ status: "failed", failureReason: "same" });
  });

  it("still succeeds after a failure when enough replicas remain", async () => {
    const { instance, workers, replicas } = await vote(3, 2);
    await workflows.fail(workers[0]!, replicas[0]!, "broken");
    await workflows.complete(workers[1]!, replicas[1]!, RIGHT);
    await workflows.complete(workers[2]!, replicas[2]!, RIGHT);
    await workflows.resume(instance);
    expect(await workflows.view(instance)).toMatchObject({ status: "running", result: RIGHT });
  });

  it("refuses a second replica to the same worker, also after it settled its first", async () => {
    const { workers, replicas } = await vote(3, 2);
    const second = () => chain.send(workers[0]!, ["taskQueue", "claimActivity", replicas[1]]);
    await chain.send(workers[0]!, ["taskQueue", "claimActivity", replicas[0]]);
    const refusal = { activityId: replicas[1], worker: workers[0], claimedActivityId: replicas[0] };
    await expectRevert(second(), "GroupAlreadyClaimed", refusal);
    await chain.send(workers[0]!, ["taskQueue", "completeActivity", replicas[0], RIGHT]);
    await expectRevert(second(), "GroupAlreadyClaimed", refusal);
  });

  it("lets one worker take a replica of each step and of each instance", async () => {
    await workflows.register("vote/1.0.0", [
      { numWorkers: 2, quorum: 1 },
      { numWorkers: 2, quorum: 1 },
    ]);
    const worker = await chain.worker(1);
    for (const _ of [1, 2]) {
      const { instance } = await startWorkflow(chain, "vote/1.0.0");
      await workflows.complete(worker, (await workflows.activities(instance, 0))[0]!);
      await workflows.resume(instance);
      await workflows.complete(worker, (await workflows.activities(instance, 1))[0]!);
      await workflows.resume(instance);
      expect((await workflows.view(instance)).status).toBe("completed");
    }
  });

  it("waits for a replica whose lease ran out until another worker takes it", async () => {
    const { instance, workers, replicas } = await vote(2, 2);
    const late = await chain.worker(5);
    await workflows.complete(workers[0]!, replicas[0]!, RIGHT);
    await chain.send(workers[1]!, ["taskQueue", "claimActivity", replicas[1]]);
    await chain.advance(LEASE_S);
    await expectRevert(workflows.resume(instance), "StepNotFinalised", { settledCount: 1n });
    await workflows.complete(late, replicas[1]!, RIGHT);
    await workflows.resume(instance);
    expect((await workflows.view(instance)).currentStep).toBe(1);
  });
});

describe("the largest step", () => {
  it("is enqueued, decided and left within one block's gas, at the largest payloads", async () => {
    const large = (byte: string) => `0x${byte.repeat(16_384)}`;
    const step = { numWorkers: 32, quorum: 32 };
    await workflows.register("vote/1.0.0", [step, step]);
    const { instance, receipt } = await startWorkflow(chain, "vote/1.0.0", large("11"));
    expect(receipt.gasUsed).toBeLessThan(30_000_000);
    const replicas = await workflows.activities(instance, 0);
    for (const [index, replica] of replicas.entries()) {
      await workflows.complete(await chain.worker(index + 1), replica, large("22"));
    }
    const resumed = await workflows.resume(instance);
    expect(resumed.gasUsed).toBeLessThan(30_000_000);
    expect(await workflows.activities(instance, 1)).toHaveLength(32);
  });

  it("reads a reason of the largest size within one block's gas", async () => {
    const { instance, workers, replicas } = await vote(1, 1);
    await workflows.fail(workers[0]!, replicas[0]!, "x".repeat(16_384));
    expect((await workflows.resume(instance)).gasUsed).toBeLessThan(5_000_000);
    expect((await workflows.view(instance)).failureReason).toHaveLength(16_384);
  });
});
