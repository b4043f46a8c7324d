import { systemClock } from "@subnet-worker/kit";
import { FakeClock } from "@subnet-worker/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ContractCaller } from "../src/adapters/evm/contract-caller.ts";
import { OfferWatcher } from "../src/adapters/evm/offer-watcher.ts";
import { SpecIndex } from "../src/adapters/evm/spec-index.ts";
import type { Chain } from "../src/chain-ports.ts";
import { type OfferSink, StoppedError, TaskDataError } from "../src/ports.ts";
import { idOf } from "./_builders.ts";
import { ACTIVITY, EvmBench, LEASE_S, Sink, SPEC, WORKER } from "./_evm-bench.ts";
import { MemoryDisk } from "./_memory-store.ts";
import { until } from "./_until.ts";

let bench: EvmBench;

beforeAll(async () => {
  bench = await EvmBench.start();
});
afterAll(() => bench[Symbol.asyncDispose]());

describe("an activity on the chain", () => {
  it("is offered, claimed, read, kept and completed", async () => {
    const id = await bench.enqueue();
    const sink = new Sink();
    await until(() => (bench.on.heads.latest()?.number ?? 0) >= 1);
    await bench.watcher.poll(sink);
    expect(sink.offers).toEqual([
      {
        id,
        source: "evm",
        queue: "audio/1.0.0/processing",
        kind: "audio.preprocess",
        version: "1.0.0",
        workflowInstanceId: "",
        traits: { tenant: bench.dev.contracts.owner.toLowerCase() },
      },
    ]);
    const { task, lease } = await bench.claimed(id);
    expect(lease.durationMs).toBe(LEASE_S * 1_000);
    const { inputs } = await bench.source.inputs(task);
    expect(inputs).toMatchObject([
      { name: "audio_object_key", value: "in/song.wav", objectKey: "in/song.wav" },
      { name: "rate_hz", value: "44100" },
    ]);
    expect(await bench.source.heartbeat(task, 40.7)).toMatchObject({ kind: "extended" });
    const result = bench.source.encodeResult(task, { json: '{"duration_ms":"12"}', ref: "out/song.wav" });
    expect(await bench.source.complete(task, result)).toEqual({ kind: "settled" });
    // Told again, as after a crash before the word was stored.
    expect(await bench.source.complete(task, result)).toEqual({ kind: "settled" });
    expect(await bench.create().evm.complete(bench.taskOf(id), result)).toEqual({ kind: "settled" });
  });

  it("that another worker has is lost, with the contract's word for it", async () => {
    const id = await bench.enqueue();
    const other = await bench.rival();
    await bench.queueCall(other, "claimActivity", [id]);
    const outcome = await bench.source.claim(bench.taskOf(id));
    expect(outcome.kind).toBe("lost");
    expect(JSON.stringify(outcome).toLowerCase()).toContain(other.toLowerCase());
    expect(await bench.source.fail(bench.taskOf(id), "no")).toMatchObject({ kind: "lost" });
  });

  it("fails with a reason that is cut where it would cost too much", async () => {
    const { task } = await bench.claimed(await bench.enqueue());
    expect(await bench.source.fail(task, "x".repeat(5_000))).toEqual({ kind: "settled" });
    const { activity } = await bench.create().caller.activity(task.id);
    expect(activity?.success).toBe(false);
    expect(Buffer.from(activity?.resultData.slice(2) ?? "", "hex").toString()).toHaveLength(1_000);
  });

  it("whose data or result makes no sense is told so", async () => {
    const { task } = await bench.claimed(await bench.enqueue({ inputData: "0x1234" }));
    await expect(bench.source.inputs(task)).rejects.toBeInstanceOf(TaskDataError);
    await expect(bench.source.inputs(task)).rejects.toMatchObject({ code: 1001 });
    for (const json of ["not json", "[1]", '{"duration_ms":"-1"}', ""]) {
      expect(() => bench.source.encodeResult(task, { json, ref: "" })).toThrow(TaskDataError);
    }
  });
});

describe("a lease on the chain", () => {
  it("is told as long as the chain has it, also by a renewal that was made before a restart", async () => {
    const { task, lease } = await bench.claimed(await bench.enqueue());
    const renewed = await bench.source.heartbeat(task, 0);
    expect(renewed).toMatchObject({ kind: "extended", lease: { durationMs: lease.durationMs } });
    const sent = await bench.on.chain.minedCount(WORKER);
    await bench.passChainTime(400);
    // The stored lease is the old one, so the same renewal is asked for again and stands for the one made then.
    const again = await bench.source.heartbeat(task, 0);
    expect(await bench.on.chain.minedCount(WORKER)).toBe(sent);
    if (again.kind !== "extended") throw new Error(again.reason);
    const remainingMs = again.lease.expiresAtMs - systemClock.nowMs();
    expect(remainingMs).toBeLessThanOrEqual(200_000);
    expect(remainingMs).toBeGreaterThan(150_000);
    expect(again.lease.durationMs).toBe(LEASE_S * 1_000);
  });

  it("that has run out is lost, and what it was for can no longer be settled", async () => {
    const { task } = await bench.claimed(await bench.enqueue());
    await bench.passChainTime(LEASE_S + 1);
    expect(await bench.source.heartbeat(task, 10)).toMatchObject({ kind: "lost" });
    expect(await bench.source.complete(task, "0x")).toEqual({ kind: "expired" });
  });
});

describe("what a wallet holds", () => {
  it("is found on the chain without any database", async () => {
    const { task } = await bench.claimed(await bench.enqueue());
    const held = await bench.create().evm.recover();
    expect(held.map(({ offer }) => offer.id)).toContain(task.id);
    expect(held.find(({ offer }) => offer.id === task.id)).toMatchObject({
      offer: { queue: ACTIVITY.queue, kind: "audio.preprocess", version: "1.0.0" },
      lease: { durationMs: LEASE_S * 1_000 },
    });
    await bench.source.complete(task, "0x");
    expect((await bench.create().evm.recover()).map(({ offer }) => offer.id)).not.toContain(task.id);
  });
});

describe("events", () => {
  it("are read from where the last process stopped, range by range, and each offer is stored first", async () => {
    const disk = new MemoryDisk();
    const { offers } = bench.create({ disk });
    const first = await bench.enqueue();
    await bench.passChainTime(1);
    const sink = new Sink();
    while (await offers.syncEvents(sink));
    expect(sink.offers.map(({ id }) => id)).toContain(first);
    expect(disk.open().cursor("enqueued")?.blockNumber).toBeGreaterThan(0);
    const second = await bench.enqueue();
    await bench.passChainTime(1);
    const later = new Sink();
    const again = bench.create({ disk }).offers;
    while (await again.syncEvents(later));
    expect(later.offers.map(({ id }) => id)).toContain(second);
  });

  it("are left where they are while no more offers are wanted", async () => {
    const disk = new MemoryDisk();
    const { offers } = bench.create({ disk });
    const sink = new Sink();
    sink.isFull = true;
    expect(await offers.syncEvents(sink)).toBe(false);
    expect(disk.open().cursor("enqueued")).toBeUndefined();
  });

  it("do not pass the cursor when an offer could not be stored", async () => {
    const disk = new MemoryDisk();
    const { offers } = bench.create({ disk });
    await bench.enqueue();
    await bench.passChainTime(1);
    const broken: OfferSink = {
      wanted: () => true,
      offer: () => Promise.reject(new Error("disk is full")),
      gone: () => undefined,
    };
    await expect(
      (async () => {
        while (await offers.syncEvents(broken));
      })(),
    ).rejects.toThrow("disk is full");
    const cursor = disk.open().cursor("enqueued")?.blockNumber ?? 0;
    expect(cursor).toBeLessThan(bench.on.heads.latest()?.number ?? 0);
  });

  it("of a type that no spec describes are left alone, with one word in the log", async () => {
    const twice = bench.create().offers;
    const seen = {
      activityId: idOf(1),
      workflowInstanceId: idOf(2),
      queue: "other/1.0.0/x",
      activityType: idOf(3),
      requester: idOf(4),
    };
    expect(twice.toOffer(seen)).toBeUndefined();
    expect(twice.toOffer(seen)).toBeUndefined();
    const warnings = bench.logs.at("warn").filter((line) => line.includes("no spec describes them"));
    expect(warnings).toHaveLength(1);
  });

  it("go on after a fault of the endpoint, and end at once with the process", async () => {
    const clock = new FakeClock();
    const { heads, chain } = bench.on;
    let asked = 0;
    const failing: Chain = Object.assign(Object.create(chain) as Chain, {
      logs: () => {
        asked += 1;
        return Promise.reject(new Error("range too large"));
      },
      call: () => Promise.reject(new Error("no backend")),
    });
    const { logger } = bench.logs;
    const { taskQueue, multicall3 } = bench.dev.contracts;
    const stop = new AbortController();
    const { signal } = stop;
    const caller = new ContractCaller({
      chain: failing,
      wallet: WORKER,
      taskQueue,
      multicall3,
      clock,
      logger,
      signal,
    });
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
    const watching = offers.watch(new Sink(), signal);
    await until(() => asked === 1 && clock.pendingCount === 2);
    await clock.advance(1_000);
    await bench.dev.rpc("evm_mine");
    await until(() => asked === 2);
    stop.abort();
    await expect(watching).rejects.toThrow(StoppedError);
  });

  it("end with the process also in the middle of a call", async () => {
    const chain: Chain = Object.assign(Object.create(bench.on.chain) as Chain, {
      logs: () => Promise.reject(new StoppedError()),
      call: () => Promise.reject(new StoppedError()),
    });
    const watching = bench.create({ chain }).offers.watch(new Sink(), new AbortController().signal);
    await expect(watching).rejects.toBeInstanceOf(StoppedError);
  });
});
