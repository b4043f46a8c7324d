import { create } from "@bufbuild/protobuf";
import { BatchSchema, type Envelope, envelope, EnvelopeSchema } from "@subnet-worker/protocol";
import { ScriptedWep, type WepStream } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import { TaskDataError } from "../src/ports.ts";
import { aTask, idOf } from "./_builders.ts";
import { completion, type Greeting, greet, heard, PoolBench } from "./_wep-bench.ts";
import { until } from "./_until.ts";

async function open(greeting: Greeting = {}) {
  const wep = await ScriptedWep.listen();
  const bench = new PoolBench([wep.url]).run();
  const stream = await wep.next();
  await greet(stream, { capabilities: { maxConcurrency: 500 }, ...greeting });
  await bench.ready();
  return {
    bench,
    wep,
    stream,
    async [Symbol.asyncDispose]() {
      await bench.stop();
      await wep[Symbol.asyncDispose]();
    },
  };
}

function batchOf(...envelopes: Envelope[]): Envelope {
  const batch = create(BatchSchema);
  batch.envelopes = envelopes;
  return create(EnvelopeSchema, { msg: { case: "batch", value: batch } });
}

/** Starts that many runs in one turn of the event loop. */
function startMany(bench: PoolBench, count: number) {
  return Array.from({ length: count }, (_, index) =>
    bench.start({ runId: `run-${index}`, task: aTask({ id: idOf(index + 1) }) }),
  );
}

/** Sizes of the messages heard, and the run ids of the assignments in them. */
function assignmentsIn(stream: WepStream): string[][] {
  return stream.heard.flatMap(({ msg }) => {
    const all = msg.case === "batch" ? msg.value.envelopes.map((each) => each.msg) : [msg];
    const ids = all.flatMap((each) => (each.case === "assign" ? [each.value.runId] : []));
    return ids.length === 0 ? [] : [ids];
  });
}

describe("many messages", () => {
  it("of one turn go to a WEP that takes batches as one, in their order and up to its limit", async () => {
    await using link = await open({ maxBatch: 40 });
    startMany(link.bench, 100);
    await until(() => assignmentsIn(link.stream).flat().length === 100);
    const messages = assignmentsIn(link.stream);
    expect(messages.map(({ length }) => length)).toEqual([40, 40, 20]);
    expect(messages.flat()).toEqual(Array.from({ length: 100 }, (_, index) => `run-${index}`));
  });

  it("go one by one to a WEP that takes none", async () => {
    await using link = await open({ maxBatch: 0 });
    startMany(link.bench, 10);
    await until(() => assignmentsIn(link.stream).flat().length === 10);
    expect(assignmentsIn(link.stream)).toHaveLength(10);
    expect(link.stream.kinds()).not.toContain("batch");
  });

  it("go one by one to a peer of 1.0.0, whatever it announces", async () => {
    await using wep = await ScriptedWep.listen();
    await using bench = new PoolBench([wep.url]).run();
    const stream = await wep.next();
    await stream.next("hello");
    stream.send("helloAck", { min: "1.0.0", max: "1.0.0", maxBatch: 50 });
    stream.send("capabilities", { maxConcurrency: 10 });
    await until(() => bench.pool.stats().slotsFree === 10);
    startMany(bench, 10);
    await until(() => assignmentsIn(stream).flat().length === 10);
    expect(stream.kinds()).not.toContain("batch");
  });

  it("are no batch when there is only one", async () => {
    await using link = await open({ maxBatch: 40 });
    link.bench.start();
    await link.stream.next("assign");
    expect(link.stream.kinds()).not.toContain("batch");
  });

  it("from the WEP are taken in their order; a batch in a batch is passed over", async () => {
    await using link = await open();
    const { bench, stream } = link;
    const [one, two] = startMany(bench, 2);
    await stream.next("assign", ({ runId }) => runId === "run-1");
    const run = { activityId: idOf(1), runId: "run-0" };
    stream.sendEnvelope(
      batchOf(
        envelope("ack", run),
        envelope("progress", { ...run, percent: 10 }),
        batchOf(envelope("progress", { ...run, percent: 99 })),
        envelope("progress", { ...run, percent: 20 }),
        envelope("completion", completion(run)),
        envelope("completion", completion({ activityId: idOf(2), runId: "run-1", status: "ERROR" })),
      ),
    );
    expect(await one?.outcome).toMatchObject({ kind: "succeeded" });
    expect(await two?.outcome).toMatchObject({ kind: "failed" });
    expect(one?.progress).toEqual([
      [10, ""],
      [20, ""],
    ]);
  });
});

describe("an assignment", () => {
  const value = (bytes: number) => [
    { name: "x", abiType: "string", mediaType: "application/json", value: "x".repeat(bytes) },
  ];

  it("over 16 MiB fails its task with advice, and nothing else", async () => {
    await using link = await open({ maxBatch: 40 });
    const { bench, stream } = link;
    const other = bench.start({ runId: "run-2", task: aTask({ id: idOf(2) }) });
    const run = bench.start({ inputs: value(16 * 1024 * 1024) });
    await expect(run.outcome).rejects.toThrow(TaskDataError);
    await expect(run.outcome).rejects.toMatchObject({
      code: 1001,
      message: expect.stringMatching(/^\[ASSIGNMENT_TOO_LARGE\].*put large values into storage/) as string,
    });
    await stream.next("assign", ({ runId }) => runId === "run-2");
    stream.send("completion", completion({ activityId: idOf(2), runId: "run-2" }));
    expect(await other.outcome).toMatchObject({ kind: "succeeded" });
    expect(stream.kinds().filter((kind) => kind === "assign")).toHaveLength(1);
  });

  it("just below goes through, and each of several goes alone", async () => {
    await using link = await open({ maxBatch: 40 });
    const { bench, stream } = link;
    const bytes = 15 * 1024 * 1024;
    for (const index of [1, 2, 3]) {
      bench.start({ runId: `run-${index}`, task: aTask({ id: idOf(index) }), inputs: value(bytes) });
    }
    await until(() => assignmentsIn(stream).flat().length === 3);
    expect(assignmentsIn(stream)).toEqual([["run-1"], ["run-2"], ["run-3"]]);
    expect(bench.pool.stats().connected).toBe(1);
  });

  it("that was started while its WEP was away is looked at when it is back", async () => {
    await using link = await open();
    const { bench, wep } = link;
    wep.cut();
    const slot = bench.pool.reserve({ kind: "audio.preprocess", version: "1.0.0" });
    await until(() => bench.pool.stats().connected === 0);
    const run = bench.start({ inputs: value(17 * 1024 * 1024) }, slot);
    await greet(await bench.reconnected(wep));
    await expect(run.outcome).rejects.toThrow(TaskDataError);
  });
});

describe("the log at level trace", () => {
  it("has each envelope as JSON, and no presigned query", async () => {
    await using link = await open();
    const { bench, stream } = link;
    bench.logs.logger.level = "trace";
    const query = "X-Amz-Signature=c0ffee";
    bench.onUpload = async ({ name }) => ({
      objectKey: name,
      url: `https://store/put?${query}`,
      headers: { "content-type": "text/plain", "x-amz-security-token": "s3cret" },
      expiresAtMs: 0,
    });
    const url = `https://store/get?${query}`;
    bench.start({
      inputs: [
        { name: "a", abiType: "string", mediaType: "audio/wav", value: "k", objectKey: "k", url },
        { name: "b", abiType: "string", mediaType: "text/plain", value: `see ${url} and more` },
      ],
    });
    await stream.next("assign");
    stream.send("uploadRequest", { activityId: idOf(1), runId: "run-1", requestId: 1n, name: "a.txt" });
    await stream.next("uploadGrant");
    stream.send("completion", completion({ resultInline: new TextEncoder().encode(`{"u":"${url}"}`) }));
    await heard(stream);
    const lines = bench.logs.lines.filter(({ msg }) => msg === "envelope");
    expect(JSON.stringify(lines)).not.toMatch(/c0ffee|s3cret/);
    const kinds = lines.map(({ direction, envelope: said }) => [direction, Object.keys(said as object)[0]]);
    expect(kinds).toEqual([
      ["sent", "assign"],
      ["received", "uploadRequest"],
      ["sent", "uploadGrant"],
      ["received", "completion"],
      ["received", "ping"],
      ["sent", "pong"],
    ]);
    expect(lines[0]?.["envelope"]).toMatchObject({
      assign: { runId: "run-1", inputs: [{ ref: "https://store/get?…" }, {}] },
    });
    expect(lines[3]?.["envelope"]).toMatchObject({
      completion: { resultInline: '{"u":"https://store/get?…"}' },
    });
  });
});
