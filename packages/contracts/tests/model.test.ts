import { id } from "ethers";
import * as fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { subnetControlPlaneReads, taskQueueReads } from "../src/index.ts";
import { Chain, LEASE_S, NO_ID, NOBODY, QUEUE, Reverted } from "./_chain.ts";

// Random histories on chain beside a model that keeps plain arrays: what the linked lists, the packed
// slots and the counters of the contracts must amount to. CONTRACTS_MODEL_RUNS sets how many.

const RUNS = Number(process.env["CONTRACTS_MODEL_RUNS"] ?? 12);
const WORKERS = 3;
const CAPACITY = 3;

let chain: Chain;
let workers: string[];
beforeAll(async () => {
  chain = await Chain.start();
  workers = [];
  for (let index = 1; index <= WORKERS; index += 1) workers.push(await chain.worker(index, CAPACITY));
  await chain.remember();
});
afterAll(() => chain[Symbol.asyncDispose]());

interface ModelActivity {
  readonly id: string;
  readonly group: number;
  status: "open" | "completed" | "failed" | "withdrawn";
  /** Index into workers; whoever held it last, unless released. */
  worker: number | undefined;
  expiresAt: number;
}

type Operation =
  | { readonly kind: "enqueue"; readonly group: number }
  | { readonly kind: "advance"; readonly seconds: number }
  | { readonly kind: "release" | "withdraw"; readonly activity: number }
  | {
      readonly kind: "claim" | "heartbeat" | "complete" | "fail";
      readonly worker: number;
      readonly activity: number;
    };

const anActivity = fc.nat({ max: 9 });
const aWorker = fc.nat({ max: WORKERS - 1 });
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("enqueue" as const), group: fc.nat({ max: 2 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("advance" as const),
      seconds: fc.constantFrom(LEASE_S / 3, LEASE_S / 2, LEASE_S, 2 * LEASE_S),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom("release" as const, "withdraw" as const),
      activity: anActivity,
    }),
  },
  {
    weight: 9,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        "claim" as const,
        "claim" as const,
        "heartbeat" as const,
        "complete" as const,
        "fail" as const,
      ),
      worker: aWorker,
      activity: anActivity,
    }),
  },
);

class Model {
  readonly activities: ModelActivity[] = [];
  readonly counts = Array.from({ length: WORKERS }, () => ({
    claimed: 0,
    completed: 0,
    failed: 0,
    expired: 0,
  }));
  /** Worker and group to the activity last claimed. */
  readonly groupClaims = new Map<string, ModelActivity>();
  nowS = 0;

  isLapsed(activity: ModelActivity): boolean {
    return activity.worker !== undefined && this.nowS >= activity.expiresAt;
  }

  isClaimable(activity: ModelActivity): boolean {
    return activity.status === "open" && (activity.worker === undefined || this.isLapsed(activity));
  }

  held(worker: number): ModelActivity[] {
    return this.activities.filter((activity) => activity.status === "open" && activity.worker === worker);
  }

  isBound(worker: number, group: number): boolean {
    const claimed = this.groupClaims.get(`${worker}/${group}`);
    return group !== 0 && claimed !== undefined && claimed.worker === worker && !this.isClaimable(claimed);
  }

  oldest(worker: number | undefined): string | undefined {
    return this.activities.find(
      (activity) =>
        this.isClaimable(activity) && (worker === undefined || !this.isBound(worker, activity.group)),
    )?.id;
  }

  /** Takes a lapsed lease from its worker. */
  expire(activity: ModelActivity): void {
    if (activity.worker === undefined) return;
    this.counts[activity.worker]!.expired += 1;
    activity.worker = undefined;
  }

  /** The error, or undefined after making the change. */
  claim(worker: number, activity: ModelActivity): string | undefined {
    if (activity.status !== "open") return "ActivityAlreadySettled";
    if (!this.isClaimable(activity)) return "ActivityAlreadyClaimed";
    if (this.isBound(worker, activity.group)) return "GroupAlreadyClaimed";
    const others = this.held(worker).filter((held) => held !== activity);
    if (others.length >= CAPACITY) return "CapacityExceeded";
    this.expire(activity);
    activity.worker = worker;
    activity.expiresAt = this.nowS + LEASE_S;
    this.groupClaims.set(`${worker}/${activity.group}`, activity);
    this.counts[worker]!.claimed += 1;
    return undefined;
  }

  settle(
    worker: number,
    activity: ModelActivity,
    kind: "heartbeat" | "complete" | "fail",
  ): string | undefined {
    if (activity.status !== "open") return "ActivityAlreadySettled";
    if (activity.worker !== worker) return "NotAssignedWorker";
    if (this.isLapsed(activity)) return "LeaseExpired";
    if (kind === "heartbeat") activity.expiresAt = this.nowS + LEASE_S;
    else {
      activity.status = kind === "complete" ? "completed" : "failed";
      this.counts[worker]![activity.status] += 1;
    }
    return undefined;
  }

  release(activity: ModelActivity): string | undefined {
    if (activity.status !== "open") return "ActivityAlreadySettled";
    if (activity.worker === undefined) return "NotAssignedWorker";
    if (!this.isLapsed(activity)) return "LeaseNotExpired";
    this.expire(activity);
    return undefined;
  }

  withdraw(activity: ModelActivity): undefined {
    if (!this.isClaimable(activity)) return;
    this.expire(activity);
    activity.status = "withdrawn";
  }
}

/** Runs one operation on both. Every block is one second after the last, so that the model knows its time. */
async function apply(model: Model, step: Operation): Promise<void> {
  model.nowS += step.kind === "advance" ? step.seconds : 1;
  await chain.rpc("evm_setNextBlockTimestamp", model.nowS);
  if (step.kind === "advance") {
    await chain.rpc("evm_mine");
    return;
  }
  if (step.kind === "enqueue") {
    const exclusiveGroup = step.group === 0 ? NO_ID : id(`group ${step.group}`);
    const activityId = await chain.enqueue({ exclusiveGroup });
    model.activities.push({
      id: activityId,
      group: step.group,
      status: "open",
      worker: undefined,
      expiresAt: 0,
    });
    return;
  }
  const activity = model.activities[step.activity % Math.max(model.activities.length, 1)];
  if (activity === undefined) {
    await chain.rpc("evm_mine");
    return;
  }
  const [expected, outcome] = await attempt(model, step, activity);
  expect(outcome, JSON.stringify(step)).toBe(expected);
}

async function attempt(
  model: Model,
  step: Exclude<Operation, { kind: "enqueue" | "advance" }>,
  activity: ModelActivity,
): Promise<[string | undefined, string | undefined]> {
  const send = (from: string, name: string, ...args: unknown[]) =>
    chain.send(from, ["taskQueue", name, activity.id, ...args]).then(
      () => undefined,
      (error: unknown) => {
        if (error instanceof Reverted) return error.revert.name;
        throw error;
      },
    );
  switch (step.kind) {
    case "release":
      return [model.release(activity), await send(chain.accounts[7]!, "releaseExpired")];
    case "withdraw":
      return [model.withdraw(activity), await send(chain.accounts[9]!, "withdrawActivity")];
    case "claim":
      return [model.claim(step.worker, activity), await send(workers[step.worker]!, "claimActivity")];
    case "heartbeat":
      return [
        model.settle(step.worker, activity, step.kind),
        await send(workers[step.worker]!, "heartbeatActivity", 1),
      ];
    case "complete":
      return [
        model.settle(step.worker, activity, step.kind),
        await send(workers[step.worker]!, "completeActivity", "0x"),
      ];
    case "fail":
      return [
        model.settle(step.worker, activity, step.kind),
        await send(workers[step.worker]!, "failActivity", "x"),
      ];
  }
}

async function compare(model: Model): Promise<void> {
  const queue = taskQueueReads(chain.contracts.taskQueue);
  const plane = subnetControlPlaneReads(chain.contracts.subnetControlPlane);
  expect(await chain.poll(QUEUE, NOBODY)).toBe(model.oldest(undefined));
  for (const [index, worker] of workers.entries()) {
    expect(await chain.poll(QUEUE, worker)).toBe(model.oldest(index));
    const held = model.held(index).map((activity) => activity.id);
    expect([...(await chain.read(queue.getWorkerActivities(worker)))].sort()).toEqual(held.sort());
    const { activeCount, claimed, completed, failed, expired } = await chain.read(plane.getWorker(worker));
    expect(activeCount).toBe(held.length);
    const counts = { claimed, completed, failed, expired };
    expect(Object.fromEntries(Object.entries(counts).map(([key, count]) => [key, Number(count)]))).toEqual(
      model.counts[index],
    );
  }
  const { waiting, leased } = await chain.read(queue.getQueueDepth(QUEUE, 0));
  expect(waiting + leased).toBe(model.activities.filter(({ status }) => status === "open").length);
}

it("any history leaves queue, workers and counters as the model says", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { minLength: 15, maxLength: 45 }), async (history) => {
      await chain.rewind();
      const model = new Model();
      model.nowS = Number(await chain.nowS());
      for (const step of history) {
        await apply(model, step);
        await compare(model);
      }
    }),
    { numRuns: RUNS },
  );
}, 300_000);
