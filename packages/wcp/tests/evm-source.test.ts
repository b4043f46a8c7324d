import { type ActivitySpec, encodeParams, parseSpec, type WorkflowSpec } from "@subnet-worker/activity-spec";
import {
  activityTypeAddress,
  subnetControlPlaneInterface,
  taskQueueInterface,
} from "@subnet-worker/contracts";
import { systemClock } from "@subnet-worker/kit";
import { FakeClock } from "@subnet-worker/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ContractCaller } from "../src/adapters/evm/contract-caller.ts";
import { OfferWatcher } from "../src/adapters/evm/offer-watcher.ts";
import { SpecIndex } from "../src/adapters/evm/spec-index.ts";
import { EvmTaskSource } from "../src/adapters/evm/task-source.ts";
import { createLocalSigner } from "../src/adapters/signer.ts";
import type { Lease, Task, TaskState } from "../src/domain/task.ts";
import { type Chain, type Offer, type OfferSink, StoppedError, TaskDataError } from "../src/ports.ts";
import { AnvilLane, DevChain, WORKER_KEY } from "./_anvil-lane.ts";
import { idOf } from "./_builders.ts";
import { captureLogs } from "./_logs.ts";
import { MemoryDisk } from "./_memory-store.ts";
import { until } from "./_until.ts";

const SPEC: WorkflowSpec = parseSpec(
  `
name: audio
version: audio/1.0.0
description: A test.
activities:
  - id: audio_preprocess
    kind: audio.preprocess
    name: Preprocess
    description: Prepares.
    worker: processing
    input_params:
      - { name: audio_object_key, type: string, description: The recording. }
      - { name: rate_hz, type: uint64, description: The rate. }
    output_params:
      - { name: processed_object_key, type: string, description: The result. }
      - { name: duration_ms, type: uint64, description: Its length. }
`,
  { fileName: "audio.yaml" },
);
const ACTIVITY = SPEC.activities[0] as ActivitySpec;
const TYPE = activityTypeAddress(SPEC.workflow, ACTIVITY.id);
const INPUT = encodeParams(ACTIVITY.inputs, { audio_object_key: "in/song.wav", rate_hz: "44100" });
const WORKER = createLocalSigner(WORKER_KEY, 31_337n).address;
const LEASE_S = 600;

let dev: DevChain;
let on: AnvilLane;
let source: EvmTaskSource;
let watcher: OfferWatcher;
const logs = captureLogs();
let serial = 0;

class Sink implements OfferSink {
  readonly offers: Offer[] = [];
  isFull = false;

  async offer(offer: Offer): Promise<void> {
    this.offers.push(offer);
  }

  wanted(): boolean {
    return !this.isFull;
  }
}

function createSource(parts: { readonly chain?: Chain; readonly disk?: MemoryDisk } = {}) {
  const { taskQueue, workflowEngine } = dev.contracts;
  const { chain = on.chain, disk = new MemoryDisk() } = parts;
  const specs = new SpecIndex([SPEC]);
  const caller = new ContractCaller({ chain, wallet: WORKER, taskQueue });
  const { heads, lane } = on;
  const { logger } = logs;
  const offers = new OfferWatcher(
    {
      source: "evm",
      taskQueue,
      queues: [ACTIVITY.queue],
      pollIntervalMs: 50,
      logRangeBlocks: 5,
      lookbackBlocks: 1_000,
    },
    { chain, heads, caller, specs, store: disk.open(), clock: systemClock, logger },
  );
  const evm = new EvmTaskSource(
    { name: "evm", wallet: WORKER, taskQueue, workflowEngine },
    { lane, heads, caller, watcher: offers, specs, clock: systemClock, logger },
  );
  return { evm, offers };
}

beforeAll(async () => {
  dev = await DevChain.start();
  on = new AnvilLane(dev, "evm");
  const data = subnetControlPlaneInterface.encodeFunctionData("registerWorker", [100]);
  await on.lane.submit({ ...dev.enqueue(0, "register"), to: dev.contracts.subnetControlPlane, data });
  ({ evm: source, offers: watcher } = createSource());
});
afterAll(async () => {
  await on[Symbol.asyncDispose]();
  await dev[Symbol.asyncDispose]();
});

/** Enqueues an activity from anvil's first account and gives its id. */
async function enqueue(overrides: Record<string, unknown> = {}): Promise<string> {
  const params = {
    queueName: ACTIVITY.queue,
    partitionId: 0,
    workflowInstanceId: idOf(0),
    activityType: TYPE,
    inputData: INPUT,
    initData: "0x",
    exclusiveGroup: idOf(0),
    ...overrides,
  };
  const data = taskQueueInterface.encodeFunctionData("enqueueActivity", [params]);
  const hash = await send(dev.contracts.owner, data);
  const { logs: events } = await mined(hash);
  return events[0]?.topics[1] ?? "";
}

interface RawReceipt {
  readonly logs: readonly { readonly topics: readonly string[] }[];
}

async function mined(hash: unknown): Promise<RawReceipt> {
  for (;;) {
    const receipt = (await dev.rpc("eth_getTransactionReceipt", hash)) as RawReceipt | null;
    if (receipt !== null) return receipt;
  }
}

function send(from: string, data: string, to: string = dev.contracts.taskQueue): Promise<unknown> {
  return dev.rpc("eth_sendTransaction", { from, to, data, gas: "0x4c4b40" });
}

function taskOf(id: string, state: TaskState = { kind: "claiming" }): Task {
  serial += 1;
  const { queue, kind, version } = ACTIVITY;
  return { id, source: "evm", queue, kind, version, workflowInstanceId: "", round: serial, state };
}

async function claimed(id: string): Promise<{ readonly task: Task; readonly lease: Lease }> {
  const task = taskOf(id);
  const outcome = await source.claim(task);
  if (outcome.kind !== "won") throw new Error(outcome.reason);
  return {
    task: { ...task, state: { kind: "claimed", lease: outcome.lease, attempts: 0 } },
    lease: outcome.lease,
  };
}

/** Lets chain time pass, and waits until the head says so. */
async function passChainTime(seconds: number): Promise<void> {
  await dev.rpc("evm_increaseTime", seconds);
  await dev.rpc("evm_mine");
  const number = await dev.block();
  await until(() => (on.heads.latest()?.number ?? 0) >= number, Number.POSITIVE_INFINITY);
}

describe("an activity on the chain", () => {
  it("is offered, claimed, read, kept and completed", async () => {
    const id = await enqueue();
    const sink = new Sink();
    await until(() => (on.heads.latest()?.number ?? 0) >= 1, Number.POSITIVE_INFINITY);
    await watcher.poll(sink);
    expect(sink.offers).toEqual([
      {
        id,
        source: "evm",
        queue: "audio/1.0.0/processing",
        kind: "audio.preprocess",
        version: "1.0.0",
        workflowInstanceId: "",
      },
    ]);
    const { task, lease } = await claimed(id);
    expect(lease.durationMs).toBe(LEASE_S * 1_000);
    const { inputs } = await source.inputs(task);
    expect(inputs).toMatchObject([
      { name: "audio_object_key", value: "in/song.wav", objectKey: "in/song.wav" },
      { name: "rate_hz", value: "44100" },
    ]);
    expect(await source.heartbeat(task, 40.7)).toMatchObject({ kind: "extended" });
    const result = source.encodeResult(task, { json: '{"duration_ms":"12"}', ref: "out/song.wav" });
    expect(await source.complete(task, result)).toEqual({ kind: "settled" });
    // Told again, as after a crash before the word was stored.
    expect(await source.complete(task, result)).toEqual({ kind: "settled" });
    expect(await createSource().evm.complete(taskOf(id), result)).toEqual({ kind: "settled" });
  });

  it("that another worker has is lost, with the contract's word for it", async () => {
    const id = await enqueue();
    const [, , other = ""] = (await dev.rpc("eth_accounts")) as string[];
    const register = subnetControlPlaneInterface.encodeFunctionData("registerWorker", [1]);
    await mined(await send(other, register, dev.contracts.subnetControlPlane));
    await mined(await send(other, taskQueueInterface.encodeFunctionData("claimActivity", [id])));
    const outcome = await source.claim(taskOf(id));
    expect(outcome.kind).toBe("lost");
    expect(JSON.stringify(outcome).toLowerCase()).toContain(other.toLowerCase());
    expect(await source.fail(taskOf(id), "no")).toMatchObject({ kind: "lost" });
  });

  it("fails with a reason that is cut where it would cost too much", async () => {
    const { task } = await claimed(await enqueue());
    expect(await source.fail(task, "x".repeat(5_000))).toEqual({ kind: "settled" });
    const caller = new ContractCaller({
      chain: on.chain,
      wallet: WORKER,
      taskQueue: dev.contracts.taskQueue,
    });
    const { resultData, success } = await caller.activity(task.id);
    expect(success).toBe(false);
    expect(Buffer.from(resultData.slice(2), "hex").toString()).toHaveLength(1_000);
  });

  it("whose data or result makes no sense is told so", async () => {
    const { task } = await claimed(await enqueue({ inputData: "0x1234" }));
    await expect(source.inputs(task)).rejects.toBeInstanceOf(TaskDataError);
    await expect(source.inputs(task)).rejects.toMatchObject({ code: 1001 });
    for (const json of ["not json", "[1]", '{"duration_ms":"-1"}', ""]) {
      expect(() => source.encodeResult(task, { json, ref: "" })).toThrow(TaskDataError);
    }
  });
});

describe("a lease on the chain", () => {
  it("is told as long as the chain has it, also by a renewal that was made before a restart", async () => {
    const { task, lease } = await claimed(await enqueue());
    const renewed = await source.heartbeat(task, 0);
    expect(renewed).toMatchObject({ kind: "extended", lease: { durationMs: lease.durationMs } });
    const sent = await on.chain.minedCount(WORKER);
    await passChainTime(400);
    // The stored lease is the old one, so the same renewal is asked for again and stands for the one made then.
    const again = await source.heartbeat(task, 0);
    expect(await on.chain.minedCount(WORKER)).toBe(sent);
    if (again.kind !== "extended") throw new Error(again.reason);
    const remainingMs = again.lease.expiresAtMs - systemClock.nowMs();
    expect(remainingMs).toBeLessThanOrEqual(200_000);
    expect(remainingMs).toBeGreaterThan(150_000);
    expect(again.lease.durationMs).toBe(LEASE_S * 1_000);
  });

  it("that has run out is lost, and what it was for can no longer be settled", async () => {
    const { task } = await claimed(await enqueue());
    await passChainTime(LEASE_S + 1);
    expect(await source.heartbeat(task, 10)).toMatchObject({ kind: "lost" });
    expect(await source.complete(task, "0x")).toEqual({ kind: "expired" });
  });
});

describe("what a wallet holds", () => {
  it("is found on the chain without any database", async () => {
    const { task } = await claimed(await enqueue());
    const held = await createSource().evm.recover();
    expect(held.map(({ offer }) => offer.id)).toContain(task.id);
    expect(held.find(({ offer }) => offer.id === task.id)).toMatchObject({
      offer: { queue: ACTIVITY.queue, kind: "audio.preprocess", version: "1.0.0" },
      lease: { durationMs: LEASE_S * 1_000 },
    });
    await source.complete(task, "0x");
    expect((await createSource().evm.recover()).map(({ offer }) => offer.id)).not.toContain(task.id);
  });
});

describe("events", () => {
  it("are read from where the last process stopped, range by range, and each offer is stored first", async () => {
    const disk = new MemoryDisk();
    const { offers } = createSource({ disk });
    const first = await enqueue();
    await passChainTime(1);
    const sink = new Sink();
    while (await offers.syncEvents(sink));
    expect(sink.offers.map(({ id }) => id)).toContain(first);
    const cursor = disk.open().cursor("enqueued");
    expect(cursor).toBe(on.heads.latest()?.number);
    const second = await enqueue();
    await passChainTime(1);
    const later = new Sink();
    const again = createSource({ disk }).offers;
    while (await again.syncEvents(later));
    expect(later.offers.map(({ id }) => id)).toEqual([second]);
  });

  it("are left where they are while no more offers are wanted", async () => {
    const disk = new MemoryDisk();
    const { offers } = createSource({ disk });
    const sink = new Sink();
    sink.isFull = true;
    expect(await offers.syncEvents(sink)).toBe(false);
    expect(disk.open().cursor("enqueued")).toBeUndefined();
  });

  it("do not pass the cursor when an offer could not be stored", async () => {
    const disk = new MemoryDisk();
    const { offers } = createSource({ disk });
    await enqueue();
    await passChainTime(1);
    const broken: OfferSink = { wanted: () => true, offer: () => Promise.reject(new Error("disk is full")) };
    await expect(
      (async () => {
        while (await offers.syncEvents(broken));
      })(),
    ).rejects.toThrow("disk is full");
    const cursor = disk.open().cursor("enqueued") ?? 0;
    expect(cursor).toBeLessThan(on.heads.latest()?.number ?? 0);
  });

  it("of a type that no spec describes are left alone, with one word in the log", async () => {
    const twice = createSource().offers;
    const seen = {
      activityId: idOf(1),
      workflowInstanceId: idOf(2),
      queue: "other/1.0.0/x",
      activityType: idOf(3),
    };
    expect(twice.toOffer(seen)).toBeUndefined();
    expect(twice.toOffer(seen)).toBeUndefined();
    const warnings = logs.at("warn").filter((line) => line.includes("no spec describes them"));
    expect(warnings).toHaveLength(1);
  });

  it("go on after a fault of the endpoint, and end at once with the process", async () => {
    const clock = new FakeClock();
    const { heads, chain } = on;
    let asked = 0;
    const failing: Chain = Object.assign(Object.create(chain) as Chain, {
      logs: () => {
        asked += 1;
        return Promise.reject(new Error("range too large"));
      },
      call: () => Promise.reject(new Error("no backend")),
    });
    const { logger } = logs;
    const { taskQueue } = dev.contracts;
    const caller = new ContractCaller({ chain: failing, wallet: WORKER, taskQueue });
    const specs = new SpecIndex([SPEC]);
    const offers = new OfferWatcher(
      {
        source: "evm",
        taskQueue,
        queues: [ACTIVITY.queue],
        pollIntervalMs: 50,
        logRangeBlocks: 5,
        lookbackBlocks: 9,
      },
      { chain: failing, heads, caller, specs, store: new MemoryDisk().open(), clock, logger },
    );
    const stop = new AbortController();
    const watching = offers.watch(new Sink(), stop.signal);
    await until(() => asked === 1 && clock.pendingCount === 2);
    await clock.advance(1_000);
    await dev.rpc("evm_mine");
    await until(() => asked === 2, Number.POSITIVE_INFINITY);
    stop.abort();
    await watching;
  });

  it("end with the process also in the middle of a call", async () => {
    const chain: Chain = Object.assign(Object.create(on.chain) as Chain, {
      logs: () => Promise.reject(new StoppedError()),
      call: () => Promise.reject(new StoppedError()),
    });
    const watching = createSource({ chain }).offers.watch(new Sink(), new AbortController().signal);
    await expect(watching).rejects.toBeInstanceOf(StoppedError);
  });
});
