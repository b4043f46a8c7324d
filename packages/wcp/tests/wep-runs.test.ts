import { describe, expect, it } from "vitest";
import { ObjectKeyError } from "../src/domain/object-key.ts";
import { StoppedError } from "../src/ports.ts";
import { aTask, idOf } from "./_builders.ts";
import { anAssignment, completion, connect, WISH } from "./_wep-bench.ts";
import { until } from "./_until.ts";

describe("a run", () => {
  it("is assigned with all that it needs, reports progress, and ends with its result", async () => {
    await using link = await connect();
    const { bench, stream } = link;
    const run = bench.start({
      inputs: [
        {
          name: "audio",
          abiType: "string",
          mediaType: "audio/wav",
          value: "k",
          objectKey: "k",
          url: "https://s/k?sig",
        },
        { name: "rate", abiType: "uint32", mediaType: "application/json", value: 16_000 },
      ],
      workflowInputs: [{ name: "who", abiType: "string", mediaType: "application/json", value: "me" }],
      attempt: 2,
    });
    const assigned = await stream.next("assign");
    expect(assigned).toMatchObject({
      activityId: idOf(1),
      workflowInstanceId: idOf(900),
      runId: "run-1",
      taskKind: "audio.preprocess",
      taskVersion: "1.0.0",
      uploadPrefix: "runs/w/t/run-1/",
      softDeadlineUnix: BigInt(Date.UTC(2025, 0, 1, 3) / 1_000),
      heartbeatIntervalS: 10,
      attempt: 2,
    });
    expect(assigned.inputs).toMatchObject([
      { name: "audio", ref: "https://s/k?sig", objectKey: "k", abiType: "string", inlineJson: "" },
      { name: "rate", inlineJson: "16000", ref: "", abiType: "uint32" },
    ]);
    expect(assigned.workflowInputs).toMatchObject([{ name: "who", inlineJson: '"me"' }]);
    stream.send("ack", { activityId: idOf(1), runId: "run-1" });
    stream.send("progress", { activityId: idOf(1), runId: "run-1", percent: 40, message: "half way" });
    stream.send("progress", { activityId: idOf(1), runId: "run-1", percent: 4_000, message: "beyond" });
    stream.send("progress", { activityId: idOf(1), runId: "another", percent: 9 });
    stream.send("completion", completion());
    expect(await run.outcome).toEqual({ kind: "succeeded", result: { json: '{"ok":true}', ref: "" } });
    expect(run.progress).toEqual([
      [40, "half way"],
      [100, "beyond"],
    ]);
  });

  it("has its completion acknowledged when the slot is given back, and not before", async () => {
    await using link = await connect();
    const { bench, stream } = link;
    const run = bench.start();
    await stream.next("assign");
    stream.send("completion", completion());
    await run.outcome;
    stream.send("ping", { nonce: 1n });
    await stream.next("pong");
    expect(stream.kinds()).not.toContain("completionAck");
    run.slot[Symbol.dispose]();
    expect(await stream.next("completionAck")).toMatchObject({ activityId: idOf(1), runId: "run-1" });
    run.slot[Symbol.dispose]();
    stream.send("ping", { nonce: 2n });
    await stream.next("pong", ({ nonce }) => nonce === 2n);
    expect(stream.kinds().filter((kind) => kind === "completionAck")).toHaveLength(1);
  });

  it("has its completion not acknowledged when its outcome could not be stored: the WEP keeps it", async () => {
    await using link = await connect();
    const { bench, stream } = link;
    const run = bench.start();
    await stream.next("assign");
    stream.send("completion", completion());
    await run.outcome;
    run.slot.keepOutcome();
    run.slot[Symbol.dispose]();
    stream.send("ping", { nonce: 1n });
    await stream.next("pong");
    expect(stream.kinds()).not.toContain("completionAck");
  });

  it("has its completion acknowledged when the slot is used again", async () => {
    await using link = await connect();
    const { bench, stream } = link;
    const first = bench.start();
    await stream.next("assign");
    stream.send("completion", completion({ status: "ERROR", error: "once more", retryable: true }));
    await first.outcome;
    const second = bench.start({ runId: "run-2", attempt: 2 }, first.slot);
    await stream.next("completionAck", ({ runId }) => runId === "run-1");
    await stream.next("assign", ({ runId }) => runId === "run-2");
    stream.send("completion", completion({ runId: "run-2" }));
    expect(await second.outcome).toMatchObject({ kind: "succeeded" });
  });

  it("that the WEP refuses ends with its reason", async () => {
    await using link = await connect();
    const run = link.bench.start();
    await link.stream.next("assign");
    link.stream.send("rejection", { activityId: idOf(1), runId: "run-1", errorCode: 4002, reason: "full" });
    expect(await run.outcome).toEqual({ kind: "rejected", code: 4002, reason: "full" });
  });

  it("that nobody waits for has its completion acknowledged, so that the WEP may forget it", async () => {
    await using link = await connect();
    link.stream.send("completion", completion({ runId: "long-gone" }));
    expect(await link.stream.next("completionAck")).toMatchObject({ runId: "long-gone" });
  });

  it("is left alone when its own signal aborts; others go on, and its completion is kept at the WEP", async () => {
    await using link = await connect();
    const { bench, stream } = link;
    const stop = new AbortController();
    const slot = bench.pool.reserve(WISH);
    const none = () => Promise.reject(new Error("none"));
    const listener = { progress: () => undefined, upload: none, download: none, multipart: none };
    const run = slot?.run(
      anAssignment({ runId: "run-2", task: aTask({ id: idOf(2) }) }),
      listener,
      stop.signal,
    );
    const other = bench.start();
    await stream.next("assign", ({ runId }) => runId === "run-1");
    bench.wanted.add("run-2");
    stop.abort();
    await expect(run).rejects.toBeInstanceOf(StoppedError);
    stream.send("completion", completion({ activityId: idOf(2), runId: "run-2" }));
    stream.send("completion", completion());
    expect(await other.outcome).toMatchObject({ kind: "succeeded" });
    expect(stream.kinds()).not.toContain("cancel");
    expect(stream.kinds()).not.toContain("completionAck");
    const late = slot?.run(anAssignment(), listener, stop.signal);
    await expect(late).rejects.toBeInstanceOf(StoppedError);
  });

  it("is left alone when the process stops", async () => {
    const link = await connect();
    const run = link.bench.start();
    await link.stream.next("assign");
    await link.bench.stop();
    await expect(run.outcome).rejects.toBeInstanceOf(StoppedError);
    expect(link.stream.kinds()).not.toContain("cancel");
    await link.wep[Symbol.asyncDispose]();
  });
});

describe("a connection that is lost", () => {
  it("costs no work: the run is assigned again under its id, and its one completion counts", async () => {
    await using link = await connect();
    const { bench, wep, stream } = link;
    const run = bench.start();
    await stream.next("assign");
    wep.cut();
    await until(() => bench.pool.stats().connected === 0);
    expect(bench.pool.stats().slotsInUse).toBe(1);
    const again = await bench.reconnected(wep);
    await again.welcome();
    const assigned = await again.next("assign");
    expect(assigned).toMatchObject({ activityId: idOf(1), runId: "run-1", attempt: 1 });
    again.send("completion", completion());
    again.send("completion", completion({ status: "ERROR", error: "a late echo" }));
    expect(await run.outcome).toMatchObject({ kind: "succeeded" });
    run.slot[Symbol.dispose]();
    await again.next("completionAck");
    await until(() => again.kinds().filter((kind) => kind === "completionAck").length === 2);
    expect(bench.pool.stats()).toEqual({ connected: 1, slotsInUse: 0, slotsFree: 2 });
  });

  it("while nothing was assigned leaves nothing to assign again", async () => {
    await using link = await connect();
    const { bench, wep, stream } = link;
    const run = bench.start();
    await stream.next("assign");
    stream.send("completion", completion());
    await run.outcome;
    wep.cut();
    const again = await bench.reconnected(wep);
    await again.welcome();
    await bench.ready();
    run.slot[Symbol.dispose]();
    await again.next("completionAck");
    expect(again.kinds()).not.toContain("assign");
  });

  it("makes a run wait that is started meanwhile", async () => {
    await using link = await connect();
    const { bench, wep } = link;
    const slot = bench.pool.reserve(WISH);
    wep.cut();
    await until(() => bench.pool.stats().connected === 0);
    const run = bench.start({}, slot);
    const again = await bench.reconnected(wep);
    await again.welcome();
    await again.next("assign");
    again.send("completion", completion());
    expect(await run.outcome).toMatchObject({ kind: "succeeded" });
  });

  it("forgets what the old peer could do: the new one may be another", async () => {
    await using link = await connect({ maxConcurrency: 8, kinds: [{ kind: "video.cut", version: "1.0.0" }] });
    const { bench, wep } = link;
    expect(bench.pool.reserve(WISH)).toBeUndefined();
    wep.cut();
    await until(() => bench.pool.stats().connected === 0);
    const again = await bench.reconnected(wep);
    await again.next("hello");
    again.send("helloAck", { min: "1.0.0", max: "1.0.0" });
    await bench.ready();
    expect(bench.pool.stats().slotsFree).toBe(1);
    expect(bench.pool.reserve(WISH)).toBeDefined();
  });
});

describe("a cancel", () => {
  it("reaches the WEP that runs the activity, with its reason, and the run still ends with an outcome", async () => {
    await using link = await connect();
    const { bench, stream } = link;
    const run = bench.start();
    await stream.next("assign");
    bench.pool.cancel(idOf(1), "lease_lost");
    expect(await stream.next("cancel")).toMatchObject({ activityId: idOf(1), reason: "lease_lost" });
    stream.send("completion", completion({ status: "ERROR", error: "cancelled", errorCode: 5002 }));
    expect(await run.outcome).toMatchObject({ kind: "failed", code: 5002 });
  });

  it("of what does not run there is not sent", async () => {
    await using link = await connect();
    link.bench.pool.cancel(idOf(7), "requested");
    link.stream.send("ping", { nonce: 1n });
    await link.stream.next("pong");
    expect(link.stream.kinds()).not.toContain("cancel");
  });

  it("that found nobody is told as soon as the WEP is back, and the run ends there", async () => {
    await using link = await connect();
    const { bench, wep, stream } = link;
    const run = bench.start();
    await stream.next("assign");
    wep.cut();
    await until(() => bench.pool.stats().connected === 0);
    bench.pool.cancel(idOf(1), "lease_lost");
    const again = await bench.reconnected(wep);
    await again.welcome();
    // Assigned, or a WEP that was restarted would never answer; and cancelled at once.
    await again.next("assign");
    expect(await again.next("cancel")).toMatchObject({ activityId: idOf(1), reason: "lease_lost" });
    again.send("completion", completion({ status: "ERROR", error: "cancelled", errorCode: 5002 }));
    expect(await run.outcome).toMatchObject({ kind: "failed", code: 5002 });
  });
});

describe("uploads", () => {
  it("are granted with a URL, the headers that must go with it, and its end", async () => {
    await using link = await connect();
    const { bench, stream } = link;
    const wishes: unknown[] = [];
    bench.onUpload = async (wish) => {
      wishes.push(wish);
      return {
        objectKey: `runs/w/t/run-1/${wish.name}`,
        url: "https://store/put",
        headers: { "content-type": wish.mediaType, "content-length": "12" },
        expiresAtMs: 1_700_000_000_999,
      };
    };
    bench.start();
    await stream.next("assign");
    const request = {
      activityId: idOf(1),
      runId: "run-1",
      name: "a.png",
      mediaType: "image/png",
      sizeBytes: 12n,
    };
    stream.send("uploadRequest", { ...request, requestId: 5n });
    expect(await stream.next("uploadGrant")).toMatchObject({
      requestId: 5n,
      objectKey: "runs/w/t/run-1/a.png",
      url: "https://store/put",
      headers: { "content-type": "image/png", "content-length": "12" },
      expiresUnix: 1_700_000_000n,
      error: "",
    });
    expect(wishes).toEqual([{ name: "a.png", mediaType: "image/png", sizeBytes: 12 }]);
  });

  it("are refused with the reason, which the handler sees", async () => {
    await using link = await connect();
    const { bench, stream } = link;
    bench.onUpload = () => Promise.reject(new ObjectKeyError("bad_name", '"../x" is not an object name'));
    bench.start();
    await stream.next("assign");
    stream.send("uploadRequest", { activityId: idOf(1), runId: "run-1", requestId: 1n, name: "../x" });
    expect(await stream.next("uploadGrant")).toMatchObject({
      requestId: 1n,
      url: "",
      error: '[OBJECT_KEY_REFUSED] "../x" is not an object name',
    });
    expect(bench.logs.at("warn")).toEqual(["request for an object refused"]);
  });

  it("are refused to a run that is not there, whatever it names", async () => {
    await using link = await connect();
    const { bench, stream } = link;
    bench.onUpload = () => Promise.reject(new Error("must not be asked"));
    bench.start();
    await stream.next("assign");
    stream.send("uploadRequest", {
      activityId: idOf(1),
      runId: "run-of-another",
      requestId: 9n,
      name: "a.png",
    });
    expect(await stream.next("uploadGrant")).toMatchObject({
      requestId: 9n,
      error: '[OBJECT_KEY_REFUSED] run "run-of-another" is not assigned here, so it may not have objects',
    });
  });
});

describe("an activity with two runs in a row", () => {
  it("is never mistaken: each completion ends the run that it names", async () => {
    await using link = await connect();
    const { bench, stream } = link;
    const one = bench.start({ runId: "run-a" });
    const two = bench.start({ runId: "run-b", task: aTask({ id: idOf(2) }) });
    await stream.next("assign", ({ runId }) => runId === "run-b");
    stream.send(
      "completion",
      completion({ runId: "run-b", activityId: idOf(2), status: "ERROR", error: "b" }),
    );
    expect(await two.outcome).toMatchObject({ message: "b" });
    stream.send("completion", completion({ runId: "run-a" }));
    expect(await one.outcome).toMatchObject({ kind: "succeeded" });
  });
});
