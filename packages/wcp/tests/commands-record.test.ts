import { createHash } from "node:crypto";
import { encodeParams } from "@subnet-worker/activity-spec";
import { systemClock } from "@subnet-worker/kit";
import { parseRecordedRun, type RecordedRun } from "@subnet-worker/protocol/recorded-run";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { uploadPrefix } from "../src/domain/object-key.ts";
import type { TaskState } from "../src/domain/task.ts";
import { runIdOf } from "../src/services/run-id.ts";
import { idOf } from "./_builders.ts";
import { ACTIVITY } from "./_evm-bench.ts";
import { ObjectCommandBench } from "./_object-command-bench.ts";
import { s3Options } from "./_storage-places.ts";

let bench: ObjectCommandBench;

beforeAll(async () => {
  bench = await ObjectCommandBench.start();
  await bench.put("in/song.wav");
});
afterAll(() => bench[Symbol.asyncDispose]());

async function show(id: string, ...options: readonly string[]): Promise<RecordedRun> {
  const { code, out, err } = await bench.wcp(["record", "show", id, ...options], systemClock);
  if (code !== 0) throw new Error(err);
  return parseRecordedRun(out);
}

async function save(id: string, state: TaskState): Promise<void> {
  using store = bench.store();
  await store.saveTask(bench.evm.taskOf(id, state), "new");
}

describe("wcp record show", () => {
  it("tells a run as it would be made now, of an activity that only the chain knows", async () => {
    const id = await bench.evm.enqueue();
    const run = await show(id);
    const runId = runIdOf({ taskId: id, token: "0", attempt: 1 });
    expect(run).toMatchObject({
      format: "subnet-worker.recorded-run/1",
      activity: { id, kind: "audio.preprocess", version: "1.0.0", workflowInstanceId: "" },
      run: { id: runId, attempt: 1, uploadPrefix: uploadPrefix("", id, runId), metadata: {} },
      inputs: [
        { name: "audio_object_key", abiType: "string", objectKey: "in/song.wav" },
        { name: "rate_hz", abiType: "uint64", mediaType: "application/json", value: "44100" },
      ],
      workflowInputs: [],
      outputs: [
        { name: "processed_object_key", abiType: "string", isObjectKey: true },
        { name: "duration_ms", abiType: "uint64", isObjectKey: false },
      ],
    });
    expect(run.outcome).toBeUndefined();
    const { url = "", urlExpiresAtMs = 0 } = run.inputs[0] ?? {};
    expect(await (await fetch(url)).text()).toBe("abc");
    expect(urlExpiresAtMs).toBeGreaterThan(Date.now());
  });

  it("has no URLs where none are wanted, and never a secret", async () => {
    const id = await bench.evm.enqueue();
    const run = await show(id, "--no-urls");
    expect(run.inputs[0]).not.toHaveProperty("url");
    expect(run.inputs[0]?.stored).toMatchObject({ sizeBytes: 3 });
    const { secretAccessKey } = s3Options("");
    expect(JSON.stringify([run, await show(id)])).not.toContain(secretAccessKey);
  });

  it("tells size, digest and age of objects, and of those that are not there that they are not", async () => {
    const sha256 = createHash("sha256").update("abc").digest();
    await bench.put("in/plain.wav");
    await bench.putWith("in/song-2.wav", sha256);
    const inputData = (key: string) => encodeParams(ACTIVITY.inputs, { audio_object_key: key, rate_hz: "1" });
    const shown = async (key: string) => await show(await bench.evm.enqueue({ inputData: inputData(key) }));
    const { stored } = (await shown("in/song-2.wav")).inputs[0]!;
    expect(stored).toMatchObject({
      objectKey: "in/song-2.wav",
      sizeBytes: 3,
      sha256: sha256.toString("hex"),
    });
    expect(Math.abs(Date.now() - (stored?.modifiedAtMs ?? 0))).toBeLessThan(3_600_000);
    expect((await shown("in/plain.wav")).inputs[0]?.stored).not.toHaveProperty("sha256");
    const id = await bench.evm.enqueue({ inputData: inputData("in/gone.wav") });
    const { code, out, err } = await bench.wcp(["record", "show", id], systemClock);
    expect([code, err]).toEqual([0, "audio_object_key: in/gone.wav is not in storage\n"]);
    expect(parseRecordedRun(out).inputs[0]).not.toHaveProperty("stored");
  });

  it("does without them while storage does not answer", async () => {
    const id = await bench.evm.enqueue();
    bench.env = { WCP__STORAGE__ENDPOINT: "http://127.0.0.1:9", WCP__STORAGE__REQUEST_TIMEOUT: "1s" };
    const { code, out, err } = await bench.wcp(["record", "show", id], systemClock);
    bench.env = {};
    expect(code).toBe(0);
    expect(err).toMatch(
      /^audio_object_key: size and digest of in\/song\.wav are left out: \[STORAGE_UNAVAILABLE\]/,
    );
    expect(parseRecordedRun(out).inputs[0]).toHaveProperty("url");
  });

  it("tells the run that is under way, and where it goes on from", async () => {
    const { task, lease } = await bench.evm.claimed(await bench.evm.enqueue());
    const past = { checkpointRef: "runs/none/x/y/half", failures: ["once"] };
    const current = { id: "run-2", attempt: 2, executor: "http://wep", past };
    await save(task.id, { kind: "running", lease, run: current, percent: 40 });
    const { run, outcome } = await show(task.id);
    expect(run).toMatchObject({ id: "run-2", attempt: 2, checkpointRef: "runs/none/x/y/half" });
    expect(outcome).toEqual({ state: "running" });
  });

  it("tells what it came to, with the values that the network has, and whose they are", async () => {
    const { task, lease } = await bench.evm.claimed(await bench.evm.enqueue());
    const runId = runIdOf({ taskId: task.id, token: lease.token, attempt: 3 });
    const values = { processed_object_key: `${uploadPrefix("", task.id, runId)}out.wav`, duration_ms: "12" };
    const resultHex = encodeParams(ACTIVITY.outputs, values);
    await bench.evm.source.complete(task, resultHex);
    await save(task.id, { kind: "done", outcome: { status: "success", resultHex, runId } });
    const { run, outcome } = await show(task.id);
    expect(run).toMatchObject({ id: runId, attempt: 3 });
    expect(outcome).toEqual({ state: "done", status: "success", outputs: values });
    await bench.put(values.processed_object_key);
    const { objects } = (await show(task.id)).outcome!;
    expect(objects).toMatchObject([{ objectKey: values.processed_object_key, sizeBytes: 3 }]);
  });

  it("knows an activity of its database by the beginning of its id, where that is one's alone", async () => {
    const id = await bench.evm.enqueue();
    await save(id, { kind: "abandoned", reason: "no room" });
    expect((await show(id.slice(0, 40))).activity.id).toBe(id);
    const twins = [`0x${"77".repeat(31)}01`, `0x${"77".repeat(31)}02`];
    for (const twin of twins) await save(twin, { kind: "abandoned", reason: "no room" });
    const { code, err } = await bench.wcp(["record", "show", "0x7777"], systemClock);
    expect([code, err]).toEqual([78, expect.stringContaining("is the beginning of 2 activities' ids")]);
  });

  it("tells why it failed, by the node's word or else the network's", async () => {
    const { task } = await bench.evm.claimed(await bench.evm.enqueue());
    await bench.evm.source.fail(task, "the disk is full");
    expect((await show(task.id)).outcome).toEqual({
      state: "done",
      status: "error",
      reason: "the disk is full",
    });
    const outcome = { status: "error", code: 2001, reason: "attempt 1: the disk is full" } as const;
    await save(task.id, { kind: "done", outcome });
    expect((await show(task.id)).outcome).toEqual({ state: "done", ...outcome });
    const other = await bench.evm.enqueue();
    await save(other, { kind: "abandoned", reason: "no room" });
    expect((await show(other)).outcome).toEqual({ state: "abandoned", reason: "no room" });
  });

  it("has no URLs of a folder, which end with the command, and says where its files are", async () => {
    const id = await bench.evm.enqueue();
    bench.configure('folder = "objects"', undefined, "");
    const { code, out, err } = await bench.wcp(["record", "show", id], systemClock);
    bench.configure();
    expect([code, err]).toEqual([0, expect.stringContaining(`wep replay --objects ${bench.dir}/objects\n`)]);
    expect(err).toContain("in/song.wav is not in storage");
    expect(parseRecordedRun(out).inputs[0]).not.toHaveProperty("url");
    expect(parseRecordedRun(out).run.uploadPrefix).toMatch(/^runs\/none\//);
  });

  it("signs for no input that a run would not get", async () => {
    const foreign = `runs/${"c".repeat(16)}/${"d".repeat(16)}/run/out.wav`;
    const values = { audio_object_key: foreign, rate_hz: "1" };
    const id = await bench.evm.enqueue({ inputData: encodeParams(ACTIVITY.inputs, values) });
    const { err, out } = await bench.wcp(["record", "show", id], systemClock);
    expect(err).toContain("audio_object_key has no URL: [OBJECT_KEY_REFUSED]");
    expect(parseRecordedRun(out).inputs[0]).toEqual({
      name: "audio_object_key",
      abiType: "string",
      mediaType: "application/octet-stream",
      objectKey: foreign,
    });
  });

  it.each([
    ["is no id", "0x12", 78, "0x and 64 hex digits"],
    ["begins like none", "0x123456", 78, "nor the beginning of one that this node knows"],
    ["nobody knows", idOf(424_242), 1, "does not know the activity"],
  ] as const)("says so of one that %s", async (...[, id, code, message]) => {
    const result = await bench.wcp(["record", "show", id], systemClock);
    expect(result).toMatchObject({ code, err: expect.stringContaining(message) as string });
  });

  it("says so of one that no spec describes, or another one", async () => {
    const type = await bench.evm.enqueue({ activityType: `0x${"12".repeat(20)}`, queueName: "x/1.0.0/y" });
    expect(await bench.wcp(["record", "show", type], systemClock)).toMatchObject({
      code: 78,
      err: expect.stringContaining("no file in specs.files describes the activity") as string,
    });
    const data = await bench.evm.enqueue({ inputData: "0x1234" });
    expect(await bench.wcp(["record", "show", data], systemClock)).toMatchObject({
      code: 1,
      err: expect.stringContaining("is not what its spec says") as string,
    });
  });

  it("says so when no endpoint answers", async () => {
    bench.configure("", "http://127.0.0.1:9");
    const result = await bench.wcp(["record", "show", idOf(1)], systemClock);
    bench.configure();
    expect(result).toMatchObject({
      code: 75,
      err: expect.stringContaining("no RPC endpoint answers") as string,
    });
  });
});
