import { parseSpec, type WorkflowSpec } from "@subnet-worker/activity-spec";
import { type Activity, activityTypeAddress, taskQueueInterface } from "@subnet-worker/contracts";
import { FakeClock } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import { ContractCaller } from "../src/adapters/evm/contract-caller.ts";
import { OfferWatcher } from "../src/adapters/evm/offer-watcher.ts";
import { SpecIndex } from "../src/adapters/evm/spec-index.ts";
import type { Chain, Heads } from "../src/chain-ports.ts";
import type { Offer, OfferSink } from "../src/ports.ts";
import { idOf } from "./_builders.ts";
import { captureLogs } from "./_logs.ts";
import { MemoryDisk } from "./_memory-store.ts";

const SPEC = parseSpec(
  `
name: video
version: video/1.1.0
description: A test.
activities:
  - id: encode
    name: Encode
    description: Encodes.
    worker: processing
    require_gpu: true
  - id: check
    name: Check
    description: Checks.
    worker: validation
`,
  { fileName: "video.yaml" },
);
const [GPU_QUEUE, CPU_QUEUE] = ["video/1.1.0/processing", "video/1.1.0/validation"];
const REQUESTER = `0x${"Ab".repeat(20)}`;
const ZERO_ADDRESS = `0x${"00".repeat(20)}`;
/** The chain's clock, an hour behind ours. */
const CHAIN_NOW_S = Date.UTC(2025, 0, 1) / 1_000 - 3_600;

/** A watcher of one queue, which a poll answers with this. */
function watching(
  spec: WorkflowSpec,
  { queue = CPU_QUEUE, answer = "0x" }: { readonly queue?: string; readonly answer?: string } = {},
): { readonly watcher: OfferWatcher } {
  const chain = { call: async () => answer } as Partial<Chain> as Chain;
  const head = { number: 1, hash: "0xb1", parentHash: "0xb0", timestampS: CHAIN_NOW_S };
  const heads = { latest: () => head } as Partial<Heads> as Heads;
  const clock = new FakeClock();
  const { logger } = captureLogs();
  const at = { taskQueue: ZERO_ADDRESS, multicall3: ZERO_ADDRESS };
  const { signal } = new AbortController();
  const caller = new ContractCaller({ ...at, chain, wallet: ZERO_ADDRESS, clock, logger, signal });
  const options = { source: "evm", queues: [queue], pollIntervalMs: 1, logRangeBlocks: 1, lookbackBlocks: 1 };
  const specs = new SpecIndex([spec]);
  const store = new MemoryDisk().open();
  const watcher = new OfferWatcher(
    { ...options, taskQueue: ZERO_ADDRESS },
    { chain, heads, caller, specs, store, clock, logger },
  );
  return { watcher };
}

/** Offers made of what `pollActivity` answers. */
async function polled(changes: Partial<Activity>, queue = CPU_QUEUE, spec = SPEC): Promise<readonly Offer[]> {
  const activity = {
    activityId: idOf(1),
    workflowInstanceId: idOf(0),
    activityType: activityTypeAddress("video", queue === GPU_QUEUE ? "encode" : "check"),
    inputData: "0x",
    initData: "0x",
    resultData: "0x",
    createdAt: 1n,
    expiresAt: 0n,
    requester: REQUESTER.toLowerCase(),
    assignedWorker: ZERO_ADDRESS,
    assignedAt: 0n,
    lastHeartbeat: 0n,
    progress: 0,
    isAssigned: false,
    isCompleted: false,
    success: false,
    ...changes,
  };
  const answer = taskQueueInterface.encodeFunctionResult("pollActivity", [activity, true]);
  const { watcher } = watching(spec, { queue, answer });
  const offers: Offer[] = [];
  const sink: OfferSink = {
    wanted: () => true,
    offer: async (offer) => offers.push(offer) > 0,
    gone: () => undefined,
  };
  await watcher.poll(sink);
  return offers;
}

describe("what the chain says of an activity", () => {
  it("is whose it is, in one spelling", async () => {
    const [offer] = await polled({ requester: REQUESTER.toLowerCase() });
    expect(offer?.traits).toEqual({ tenant: REQUESTER.toLowerCase() });
  });

  it("is what its executor must have, by its spec", async () => {
    const [gpu] = await polled({}, GPU_QUEUE);
    expect(gpu?.traits?.needs).toEqual(["gpu"]);
    const [cpu] = await polled({}, CPU_QUEUE);
    expect(cpu?.traits?.needs).toBeUndefined();
  });

  it("is when it expires unclaimed, by this machine's clock", async () => {
    const [offer] = await polled({ expiresAt: BigInt(CHAIN_NOW_S + 60) });
    expect(offer?.traits?.deadlineMs).toBe(Date.UTC(2025, 0, 1) + 60_000);
  });

  it("is no deadline when it is the end of somebody's lease", async () => {
    const lease = { expiresAt: BigInt(CHAIN_NOW_S - 5), isAssigned: true, assignedWorker: REQUESTER };
    const [offer] = await polled({ ...lease, assignedWorker: REQUESTER.toLowerCase() });
    expect(offer?.traits?.deadlineMs).toBeUndefined();
  });
});

describe("a deadline of the spec", () => {
  const spec = parseSpec(
    `
name: video
version: video/1.1.0
activities:
  - { id: check, worker: validation, deadline: 10m }
`,
    { fileName: "video.yaml" },
  );
  const nowMs = Date.UTC(2025, 0, 1);

  it("counts from when the activity was enqueued, and the earlier of two holds", async () => {
    const enqueued = { createdAt: BigInt(CHAIN_NOW_S - 60) };
    const [offer] = await polled(enqueued, CPU_QUEUE, spec);
    expect(offer?.traits?.deadlineMs).toBe(nowMs + 9 * 60_000);
    const [soon] = await polled({ ...enqueued, expiresAt: BigInt(CHAIN_NOW_S + 5) }, CPU_QUEUE, spec);
    expect(soon?.traits?.deadlineMs).toBe(nowMs + 5_000);
    const [late] = await polled({ ...enqueued, expiresAt: BigInt(CHAIN_NOW_S + 5_000) }, CPU_QUEUE, spec);
    expect(late?.traits?.deadlineMs).toBe(nowMs + 9 * 60_000);
  });

  it("that is known to nobody else comes with an event too, counted from when it is read", async () => {
    const { watcher } = watching(spec);
    const offer = watcher.toOffer({
      activityId: idOf(1),
      workflowInstanceId: idOf(0),
      queue: CPU_QUEUE ?? "",
      activityType: activityTypeAddress("video", "check"),
      requester: REQUESTER,
    });
    expect(offer?.traits?.deadlineMs).toBe(nowMs + 10 * 60_000);
  });
});
