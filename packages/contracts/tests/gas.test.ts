import { readFileSync, writeFileSync } from "node:fs";
import { id } from "ethers";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { taskQueueInterface } from "../src/index.ts";
import { type Call, Chain, enqueueParams, LEASE_S } from "./_chain.ts";
import { claims, DelegatingWallet } from "./_wallet.ts";
import { startWorkflow, type Workflows, workflowsOf } from "./_workflows.ts";

// Measures what the README's gas table says. UPDATE_GAS=1 writes the table anew.

const README = new URL("../README.md", import.meta.url);
const HEAD = "| Transaction | Gas |\n|---|---:|\n";
const INPUT = `0x${"11".repeat(128)}`;
const RESULT = `0x${"22".repeat(128)}`;

let chain: Chain;
let workflows: Workflows;
let worker: string;
beforeAll(async () => {
  chain = await Chain.start();
  workflows = workflowsOf(chain);
  worker = await chain.worker(1, 16);
  // What a running network has behind it: slots that were written once are cheaper to write again.
  await chain.send(worker, ["taskQueue", "claimActivity", await chain.enqueue()]);
  const [first, second] = [await chain.enqueue(), await chain.enqueue()];
  await chain.send(worker, ["taskQueue", "claimActivity", first]);
  await chain.send(worker, ["taskQueue", "completeActivity", first, "0x"]);
  await chain.send(worker, ["taskQueue", "claimActivity", second]);
  await chain.enqueue();
  await chain.remember();
});
afterAll(() => chain[Symbol.asyncDispose]());
beforeEach(() => chain.rewind());

async function gasOf(from: string, ...call: Call): Promise<number> {
  return (await chain.send(from, call)).gasUsed;
}

async function claimed(): Promise<string> {
  const activityId = await chain.enqueue({ inputData: INPUT });
  await chain.send(worker, ["taskQueue", "claimActivity", activityId]);
  return activityId;
}

const measurements: Readonly<Record<string, () => Promise<number>>> = {
  "`claimActivity`": async () => gasOf(worker, "taskQueue", "claimActivity", await chain.enqueue()),
  "`claimActivity`, replica of a step": async () => {
    const activityId = await chain.enqueue({ exclusiveGroup: id("group") });
    return gasOf(worker, "taskQueue", "claimActivity", activityId);
  },
  "`claimActivity`, takes over an expired lease": async () => {
    const activityId = await claimed();
    await chain.advance(LEASE_S);
    return gasOf(await chain.worker(2), "taskQueue", "claimActivity", activityId);
  },
  "`claimActivity`, each of 100 in one batch, in the order of the queue": () => batchedClaims((ids) => ids),
  "`claimActivity`, each of 100 in one batch, in another order": () => batchedClaims(shuffled),
  "`claimActivity`, each of 100 in one batch, scattered over a queue of 300": () =>
    batchedClaims((ids) => shuffled(ids).slice(0, 100), 300),
  "`heartbeatActivity`": async () => gasOf(worker, "taskQueue", "heartbeatActivity", await claimed(), 50),
  "`heartbeatActivity`, once per lease duration": async () => {
    const activityId = await claimed();
    await chain.advance(LEASE_S / 2);
    await chain.send(worker, ["taskQueue", "heartbeatActivity", activityId, 50]);
    await chain.advance(LEASE_S / 2);
    return gasOf(worker, "taskQueue", "heartbeatActivity", activityId, 60);
  },
  "`completeActivity`, no result": async () =>
    gasOf(worker, "taskQueue", "completeActivity", await claimed(), "0x"),
  "`completeActivity`, result of 128 bytes": async () =>
    gasOf(worker, "taskQueue", "completeActivity", await claimed(), RESULT),
  "`completeActivity`, the same result as an earlier one": async () => {
    await chain.send(worker, ["taskQueue", "completeActivity", await claimed(), RESULT]);
    return gasOf(worker, "taskQueue", "completeActivity", await claimed(), RESULT);
  },
  "`completeActivity`, result of 1 KiB": async () =>
    gasOf(worker, "taskQueue", "completeActivity", await claimed(), `0x${"33".repeat(1024)}`),
  "`failActivity`, reason of 60 bytes": async () =>
    gasOf(worker, "taskQueue", "failActivity", await claimed(), "x".repeat(60)),
  "`releaseExpired`": async () => {
    const activityId = await claimed();
    await chain.advance(LEASE_S);
    return gasOf(chain.owner, "taskQueue", "releaseExpired", activityId);
  },
  "`enqueueActivity`, input of 128 bytes": () =>
    gasOf(chain.accounts[9]!, "taskQueue", "enqueueActivity", enqueueParams({ inputData: INPUT })),
  "`startWorkflow`, input of 128 bytes": async () => {
    await workflows.register("audio/1.0.0", [{}, {}]);
    return (await startWorkflow(chain, "audio/1.0.0", INPUT)).receipt.gasUsed;
  },
  "`resumeWorkflow`, to the next step": () => resumption(1, 1),
  "`resumeWorkflow`, to the next step, 2 of 3 workers each": () => resumption(3, 2),
  "`resumeWorkflow`, to the end": () => resumption(1, 1, "last"),
  "`resumeWorkflow`, to failure with a reason of 60 bytes": async () => {
    await workflows.register("audio/1.0.0", [{}, {}]);
    const { instance } = await startWorkflow(chain, "audio/1.0.0", INPUT);
    await workflows.fail(worker, (await workflows.activities(instance, 0))[0]!, "x".repeat(60));
    return (await workflows.resume(instance)).gasUsed;
  },
  "`registerWorker`": () => gasOf(chain.accounts[3]!, "subnetControlPlane", "registerWorker", 4),
};

/** Per claim, everything that the batch costs included. */
async function batchedClaims(pick: (ids: string[]) => string[], queued = 100): Promise<number> {
  await chain.send(worker, ["subnetControlPlane", "registerWorker", 200]);
  const wallet = new DelegatingWallet(chain, 1);
  await wallet.delegate();
  const ids: string[] = [];
  while (ids.length < queued) ids.push(await chain.enqueue());
  const calls = pick(ids).map((activityId) => ({
    to: chain.contracts.taskQueue,
    data: taskQueueInterface.encodeFunctionData("claimActivity", [activityId]),
    gas: 100_000,
  }));
  const receipt = await wallet.execute(calls);
  expect(claims(receipt)).toHaveLength(100);
  return Math.ceil(Number(receipt.gasUsed) / 100);
}

/** Always the same way. */
function shuffled(ids: readonly string[]): string[] {
  return ids.toSorted((one, other) => (id(one) < id(other) ? -1 : 1));
}

async function resumption(numWorkers: number, quorum: number, which?: "last"): Promise<number> {
  const step = { numWorkers, quorum };
  await workflows.register("audio/1.0.0", which === "last" ? [step] : [step, step]);
  const { instance } = await startWorkflow(chain, "audio/1.0.0", INPUT);
  for (const [index, activityId] of (await workflows.activities(instance, 0)).entries()) {
    await workflows.complete(await chain.worker(index + 1, 16), activityId, RESULT);
  }
  return (await workflows.resume(instance)).gasUsed;
}

const measured = new Map<string, number>();

it.each(Object.keys(measurements))("%s costs what the README says", async (name) => {
  const gas = await measurements[name]!();
  measured.set(name, gas);
  if (process.env["UPDATE_GAS"] === undefined)
    expect(readFileSync(README, "utf8")).toContain(rowOf(name, gas));
});

it("a batched claim costs at most 60 percent of a single one, in whatever order", () => {
  const [single, ...batched] = [...measured].filter(([name]) => /^`claimActivity`(, each|$)/.test(name));
  expect(batched).toHaveLength(3);
  for (const [, gas] of batched) expect(gas).toBeLessThan(0.6 * (single?.[1] ?? 0));
});

it.runIf(process.env["UPDATE_GAS"] !== undefined)("the README's table is written anew", () => {
  const rows = [...measured].map(([name, gas]) => rowOf(name, gas)).join("");
  const text = readFileSync(README, "utf8");
  const start = text.indexOf(HEAD);
  const end = text.indexOf("\n\n", start);
  expect(start).toBeGreaterThan(0);
  writeFileSync(README, `${text.slice(0, start)}${HEAD}${rows.trimEnd()}${text.slice(end)}`);
});

function rowOf(name: string, gas: number): string {
  return `| ${name} | ${gas.toLocaleString("en-US")} |\n`;
}
