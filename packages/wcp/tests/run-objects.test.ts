import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { uploadPrefix } from "../src/domain/object-key.ts";
import type { RunPlan, RunResult, TaskInput } from "../src/ports.ts";
import { runIdOf } from "../src/services/run-id.ts";
import { idOf } from "./_builders.ts";
import { failure, type FakeRun } from "./_fake-executor.ts";
import { LEASE_MS } from "./_fake-source.ts";
import { NodeBench } from "./_node-bench.ts";
import { settle } from "./_until.ts";

const KEYED: TaskInput = {
  name: "audio",
  abiType: "string",
  mediaType: "audio/wav",
  value: "in/song.wav",
  objectKey: "in/song.wav",
};
const OUTPUT = { name: "out", abiType: "string", mediaType: "audio/wav", isObjectKey: true };
const PLAN: RunPlan = { outputs: [OUTPUT], isResultByReference: false, retry: {} };
const WORKFLOW = idOf(900);
const INVALID_RESULT = 1003;
const UNAVAILABLE = 2002;

function inputAt(objectKey: string): TaskInput {
  return { ...KEYED, value: objectKey, objectKey };
}

function sha256(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

/** A node with one run under way, of a spec whose only output is an object. */
async function running(plan: RunPlan = PLAN): Promise<{ readonly node: NodeBench; readonly run: FakeRun }> {
  const node = await NodeBench.start();
  node.source.spec = plan;
  node.source.onInputs = async () => ({ inputs: [KEYED], workflowInputs: [] });
  await node.offer();
  return { node, run: await node.executor.nextRun() };
}

function succeed(run: FakeRun, values: Record<string, unknown>, more: Partial<RunResult> = {}): void {
  run.end.resolve({ kind: "succeeded", result: { json: JSON.stringify(values), ref: "", ...more } });
}

describe("an assignment", () => {
  it("has what the spec says of outputs, time, memory and the result, and nothing where there is none", async () => {
    const plan = { ...PLAN, timeoutMs: 60_000, memoryMb: 256, isResultByReference: true };
    const { node, run } = await running(plan);
    await using _node = node;
    const { outputs, timeoutMs, memoryMb, isResultByReference } = run.assignment;
    expect({ outputs, timeoutMs, memoryMb, isResultByReference }).toEqual({
      outputs: [OUTPUT],
      timeoutMs: 60_000,
      memoryMb: 256,
      isResultByReference: true,
    });
    node.source.spec = undefined;
    await node.offer(2);
    const bare = (await node.executor.nextRun()).assignment;
    expect([bare.outputs, bare.timeoutMs, bare.memoryMb, bare.isResultByReference]).toEqual(
      Array(4).fill(undefined),
    );
  });

  it("has the earlier of the network's deadline and the spec's", async () => {
    await using node = await NodeBench.start();
    const deadlineMs = node.clock.nowMs() + 5_000;
    node.source.onInputs = async () => ({ inputs: [], workflowInputs: [], deadlineMs });
    await node.offer();
    expect((await node.executor.nextRun()).assignment.deadlineMs).toBe(deadlineMs);
  });

  it("whose deadline has passed is not made: the network hears why", async () => {
    await using node = await NodeBench.start();
    node.source.onInputs = async () => ({ inputs: [], workflowInputs: [], deadlineMs: node.clock.nowMs() });
    await node.offer();
    await node.whenStored("done");
    expect(node.stored()).toMatchObject({ outcome: { code: 5002 } });
    expect(node.source.calls.at(-1)).toContain(
      "fail 1 its deadline, 2025-01-01T00:00:00.000Z, passed before",
    );
    expect(node.executor.runs).toEqual([]);
  });

  it("waits for storage that does not answer, and says so once a minute", async () => {
    await using node = await NodeBench.start();
    node.source.onInputs = async () => ({ inputs: [KEYED], workflowInputs: [] });
    node.storage.failWith(...Array<"UNAVAILABLE">(25).fill("UNAVAILABLE"));
    await node.offer();
    await node.pass(90_000);
    expect(node.executor.runs).toEqual([]);
    expect(node.logs.at("warn").filter((line) => line.includes("storage does not answer"))).toHaveLength(2);
    await node.pass(240_000);
    expect((await node.executor.nextRun()).assignment.inputs[0]?.url).toContain("in/song.wav");
  });

  it("of a task that is lost while storage does not answer is not made, and its slot is free", async () => {
    await using node = await NodeBench.start();
    node.source.onInputs = async () => ({ inputs: [KEYED], workflowInputs: [] });
    node.source.onHeartbeat = async () => ({ kind: "lost", reason: "somebody has it" });
    node.storage.failWith(...Array<"UNAVAILABLE">(1_000).fill("UNAVAILABLE"));
    await node.offer();
    await node.pass(LEASE_MS);
    expect(node.stored()?.kind).toBe("lost");
    expect(node.executor.inUse).toBe(0);
  });

  it("that storage gives no URLs for is left to another worker", async () => {
    await using node = await NodeBench.start();
    node.source.onInputs = async () => ({ inputs: [KEYED], workflowInputs: [] });
    node.storage.failWith("REFUSED");
    await node.offer();
    await node.whenStored("abandoned");
    expect(node.stored()).toMatchObject({ reason: expect.stringContaining("[STORAGE_REFUSED]") as string });
  });

  it("whose input is not in storage fails with its key", async () => {
    await using node = await NodeBench.start();
    node.source.onInputs = async () => ({ inputs: [KEYED], workflowInputs: [] });
    node.storage.failWith("NOT_FOUND");
    await node.offer();
    await node.whenStored("done");
    expect(node.source.calls.at(-1)).toMatch(/^fail 1 an input is not in storage: .*in\/song\.wav/);
  });
});

describe("an input that the activity may not read", () => {
  const foreign = `runs/${"c".repeat(16)}/${"d".repeat(16)}/run/out.wav`;

  it.each([foreign, "in/../secret", "/etc/passwd", "in/%2e%2e/x"])(
    "fails the activity with a reason, is logged and counted, and never signed for: %j",
    async (key) => {
      await using node = await NodeBench.start();
      node.source.onInputs = async () => ({ inputs: [], workflowInputs: [inputAt(key)], isInWorkflow: true });
      await node.offer();
      await node.whenStored("done");
      expect(node.source.calls.at(-1)).toMatch(/^fail 1 audio: \[OBJECT_KEY_REFUSED\]/);
      expect(node.stored()).toMatchObject({ outcome: { code: 1001 } });
      expect(node.refusals).toHaveLength(1);
      expect(node.storage.calls).toEqual([]);
      const [line] = node.logs.lines.filter(({ msg }) => msg.startsWith("an input was refused"));
      expect(line).toMatchObject({ activity_id: idOf(1), object: JSON.stringify(key) });
    },
  );

  it("is one of its own workflow's, where nobody vouches for that", async () => {
    const own = uploadPrefix(WORKFLOW, idOf(77), "run-7");
    await using node = await NodeBench.start();
    node.source.onInputs = async () => ({
      inputs: [inputAt(`${own}a`)],
      workflowInputs: [],
      isInWorkflow: true,
    });
    await node.offer();
    expect((await node.executor.nextRun()).assignment.inputs[0]?.url).toContain(own);
    node.source.onInputs = async () => ({ inputs: [inputAt(`${own}a`)], workflowInputs: [] });
    await node.offer(2);
    await node.whenStored("done", 2);
    expect(node.refusals).toEqual(["outside"]);
  });

  it("is what the operator does not list", async () => {
    await using node = await NodeBench.start({}, { runner: { inputPrefixes: ["media/"] } });
    node.source.onInputs = async () => ({ inputs: [KEYED], workflowInputs: [] });
    await node.offer();
    await node.whenStored("done");
    expect(node.source.calls.at(-1)).toContain("the operator sets storage.input_prefixes");
  });
});

describe("a run that asks for objects", () => {
  it("may read its inputs again, and what it or an attempt before it wrote", async () => {
    const { node, run: first } = await running();
    await using _node = node;
    first.listener.progress(50, "half", `${first.assignment.uploadPrefix}half`);
    first.end.resolve(failure({ retryable: true }));
    await node.pass(2_000);
    const second = await node.executor.nextRun();
    expect(second.assignment.checkpointRef).toBe(`${first.assignment.uploadPrefix}half`);
    const { listener, assignment } = second;
    for (const key of [
      "in/song.wav",
      `${first.assignment.uploadPrefix}half`,
      `${assignment.uploadPrefix}a`,
    ]) {
      expect((await listener.download(key)).url).toContain(key);
    }
  });

  it.each([
    [
      "of another activity",
      uploadPrefix(WORKFLOW, idOf(2), runIdOf({ taskId: idOf(2), token: "1", attempt: 1 })),
    ],
    [
      "of another run of an activity whose id begins alike",
      uploadPrefix(WORKFLOW, idOf(1), "run-of-another"),
    ],
    [
      "of an attempt that is still to come",
      uploadPrefix(WORKFLOW, idOf(1), runIdOf({ taskId: idOf(1), token: "1", attempt: 2 })),
    ],
    [
      "of a claim before this one",
      uploadPrefix(WORKFLOW, idOf(1), runIdOf({ taskId: idOf(1), token: "0", attempt: 1 })),
    ],
    ["outside of all runs", "in/other.wav?"],
    ["above its own prefix", `${uploadPrefix(WORKFLOW, idOf(1), "r")}../`],
  ])("may not read what is %s", async (_what, prefix) => {
    const { node, run } = await running();
    await using _node = node;
    node.storage.calls.length = 0;
    await expect(run.listener.download(`${prefix}a`)).rejects.toThrow("[OBJECT_KEY_REFUSED]");
    expect(node.storage.calls).toEqual([]);
  });

  it("uploads in parts under its own prefix", async () => {
    const { node, run } = await running();
    await using _node = node;
    const { listener, assignment } = run;
    const name = "big.bin";
    const created = await listener.multipart({ kind: "create", name, mediaType: "", sizeBytes: undefined });
    const { uploadId = "", objectKey } = created;
    expect(objectKey).toBe(`${assignment.uploadPrefix}${name}`);
    const body = Buffer.from("part");
    const part = await listener.multipart({
      kind: "part",
      name,
      uploadId,
      partNumber: 1,
      sizeBytes: body.length,
    });
    const { url = "", headers = {} } = part.ticket ?? {};
    const { headers: answered } = await node.storage.fetch(url, { method: "PUT", headers, body });
    const etag = answered.get("etag") ?? "";
    await listener.multipart({ kind: "complete", name, uploadId, parts: [{ partNumber: 1, etag }] });
    expect(node.storage.objects.get(objectKey)?.content).toEqual(body);
    await listener.multipart({ kind: "abort", name, uploadId });
  });

  it.each(["../x", "/x", "a/../../x", "%2e%2e/x", ""])("may not upload %j in parts", async (name) => {
    const { node, run } = await running();
    await using _node = node;
    node.storage.calls.length = 0;
    const step = { name, uploadId: "u", partNumber: 1, sizeBytes: 5 } as const;
    await expect(run.listener.multipart({ ...step, kind: "part" })).rejects.toThrow("[OBJECT_KEY_REFUSED]");
    await expect(run.listener.multipart({ ...step, kind: "abort" })).rejects.toThrow("[OBJECT_KEY_REFUSED]");
    expect(node.storage.calls).toEqual([]);
  });

  it("has no more of anything than a store would take", async () => {
    const { node, run } = await running();
    await using _node = node;
    node.storage.calls.length = 0;
    const wish = { name: "a", mediaType: "", sizeBytes: 6 * 1_024 ** 3 };
    await expect(run.listener.upload(wish)).rejects.toThrow("is uploaded in parts");
    const part = { kind: "part", name: "a", uploadId: "u", partNumber: 10_001, sizeBytes: 1 } as const;
    await expect(run.listener.multipart(part)).rejects.toThrow("1 to 10000");
    expect(node.storage.calls).toEqual([]);
  });
});

describe("a result with objects", () => {
  it("is settled when all of them are as the run said", async () => {
    const { node, run } = await running();
    await using _node = node;
    const objectKey = `${run.assignment.uploadPrefix}out.wav`;
    node.storage.put(objectKey, "sound", sha256("sound"));
    succeed(run, { out: objectKey }, { objects: [{ objectKey, sizeBytes: 5, sha256: sha256("sound") }] });
    await node.whenStored("done");
    expect(node.source.count("complete")).toBe(1);
    expect(node.verdicts).toEqual(["verified"]);
  });

  it("may name an input, an attempt before it, or no object at all", async () => {
    const second = { ...OUTPUT, name: "second" };
    const third = { ...OUTPUT, name: "third" };
    const { node, run: first } = await running({ ...PLAN, outputs: [OUTPUT, second, third] });
    await using _node = node;
    const earlier = `${first.assignment.uploadPrefix}early`;
    node.storage.put(earlier, "x");
    node.storage.put("in/song.wav", "y");
    first.end.resolve(failure({ retryable: true }));
    await node.pass(2_000);
    succeed(await node.executor.nextRun(), { out: "in/song.wav", second: earlier, third: "" });
    await node.whenStored("done");
    expect(node.source.count("complete")).toBe(1);
  });

  it.each([
    ["is missing", undefined, {}, "missing", "is not in storage"],
    [
      "has another size",
      "sound!",
      { sizeBytes: 5 },
      "different",
      "has 6 bytes in storage, and the run wrote 5",
    ],
    [
      "has another digest",
      "soond",
      { sizeBytes: 5, sha256: sha256("sound") },
      "different",
      "another SHA-256",
    ],
  ] as const)(
    "of which one %s is not settled: the run is made again",
    async (_what, content, told, verdict, message) => {
      const { node, run } = await running();
      await using _node = node;
      const objectKey = `${run.assignment.uploadPrefix}out.wav`;
      if (content !== undefined) node.storage.put(objectKey, content, sha256(content));
      succeed(run, { out: objectKey }, { objects: [{ objectKey, sizeBytes: 0, ...told }] });
      await node.whenStored("claimed");
      expect(node.stored()).toMatchObject({
        past: { failures: [expect.stringContaining(message) as string] },
      });
      expect(node.stored()).toMatchObject({
        past: { failures: [expect.stringContaining(objectKey) as string] },
      });
      expect(node.verdicts).toEqual([verdict]);
      await node.pass(2_000);
      expect((await node.executor.nextRun()).assignment.attempt).toBe(2);
      expect(node.source.count("complete")).toBe(0);
    },
  );

  it("that stays wrong fails with the code for what is not there", async () => {
    const { node, run } = await running({ ...PLAN, retry: { maxAttempts: 1 } });
    await using _node = node;
    succeed(run, { out: `${run.assignment.uploadPrefix}gone.wav` });
    await node.whenStored("done");
    expect(node.stored()).toMatchObject({ outcome: { status: "error", code: UNAVAILABLE } });
  });

  it.each([
    ["another activity's", uploadPrefix(WORKFLOW, idOf(2), "run-1")],
    ["no run's", "in/other/"],
    ["above its own", `${uploadPrefix(WORKFLOW, idOf(1), "r")}../`],
  ])(
    "of which one is %s fails at once, and is counted as a refusal; nothing of it is looked at",
    async (_what, prefix) => {
      const { node, run } = await running();
      await using _node = node;
      node.storage.put(`${prefix}a`, "theirs");
      node.storage.calls.length = 0;
      succeed(run, { out: `${prefix}a` });
      await node.whenStored("done");
      expect(node.stored()).toMatchObject({ outcome: { status: "error", code: INVALID_RESULT } });
      expect(node.refusals).toEqual(["outside"]);
      expect(node.verdicts).toEqual(["outside"]);
      expect(node.storage.calls).toEqual([]);
      expect(node.logs.at("warn")).toContain("result refused: it names an object that is not the run's");
    },
  );

  it("of which one is larger than its spec allows fails at once, with both sizes", async () => {
    const { node, run } = await running({ ...PLAN, outputs: [{ ...OUTPUT, maxBytes: 4 }] });
    await using _node = node;
    const objectKey = `${run.assignment.uploadPrefix}out.wav`;
    node.storage.put(objectKey, "sound");
    succeed(run, { out: objectKey });
    await node.whenStored("done");
    expect(node.source.calls.at(-1)).toContain("has 5 bytes, and its spec allows 4 for out");
    expect(node.verdicts).toEqual(["too_large"]);
  });

  it("waits for storage that does not answer, with its lease kept, and is settled then", async () => {
    const { node, run } = await running();
    await using _node = node;
    const objectKey = `${run.assignment.uploadPrefix}out.wav`;
    node.storage.put(objectKey, "sound");
    node.storage.failWith(...Array<"UNAVAILABLE">(30).fill("UNAVAILABLE"));
    succeed(run, { out: objectKey });
    await node.pass(120_000);
    expect(node.source.count("complete")).toBe(0);
    expect(node.source.count("heartbeat")).toBeGreaterThan(2);
    const told = node.logs.at("warn").filter((line) => line.includes("storage does not answer"));
    expect(told.length).toBeGreaterThanOrEqual(2);
    expect(told.length).toBeLessThanOrEqual(3);
    await node.pass(240_000);
    expect(node.stored()?.kind).toBe("done");
    expect(node.source.count("complete")).toBe(1);
  });

  it("that storage refuses to show is not settled", async () => {
    const { node, run } = await running({ ...PLAN, retry: { maxAttempts: 1 } });
    await using _node = node;
    const objectKey = `${run.assignment.uploadPrefix}out.wav`;
    node.storage.put(objectKey, "sound");
    node.storage.failWith("REFUSED");
    succeed(run, { out: objectKey });
    await node.whenStored("done");
    expect(node.source.count("complete")).toBe(0);
    expect(node.source.calls.at(-1)).toContain("its objects could not be verified: [STORAGE_REFUSED]");
  });

  it("is looked at again by a node that was stopped while it waited", async () => {
    const { node, run } = await running();
    const objectKey = `${run.assignment.uploadPrefix}out.wav`;
    node.storage.failWith(...Array<"UNAVAILABLE">(50).fill("UNAVAILABLE"));
    succeed(run, { out: objectKey });
    await node.pass(2_000);
    expect(node.stored()?.kind).toBe("assigned");
    const { disk, clock, executor, source } = node;
    await node[Symbol.asyncDispose]();
    await using next = await NodeBench.start({}, { disk, clock, executor, source });
    await next.pass(5_000);
    const again = await executor.nextRun();
    expect(again.assignment.runId).toBe(run.assignment.runId);
    succeed(again, { out: objectKey });
    await next.whenStored("claimed");
    expect(next.verdicts).toEqual(["missing"]);
  });

  it("asks nothing of storage when its outputs are values, or there is no spec", async () => {
    const { node, run } = await running({ ...PLAN, outputs: [{ ...OUTPUT, isObjectKey: false }] });
    await using _node = node;
    node.source.spec = undefined;
    node.storage.calls.length = 0;
    succeed(run, { out: "runs/x/y/z/a" });
    await node.whenStored("done");
    expect(node.storage.calls).toEqual([]);
    expect(node.verdicts).toEqual([]);
    expect(node.source.count("complete")).toBe(1);
  });

  it("is settled as it is where the operator turned that off, and only looked for where he wants no more", async () => {
    for (const verify of ["off", "exists"] as const) {
      await using node = await NodeBench.start({}, { runner: { verify } });
      node.source.spec = { ...PLAN, outputs: [{ ...OUTPUT, maxBytes: 1 }] };
      await node.offer();
      const run = await node.executor.nextRun();
      const objectKey = `${run.assignment.uploadPrefix}out.wav`;
      if (verify === "exists") node.storage.put(objectKey, "sound");
      succeed(run, { out: objectKey }, { objects: [{ objectKey, sizeBytes: 99 }] });
      await node.whenStored("done");
      expect(node.source.count("complete")).toBe(1);
      expect(node.storage.calls).toEqual(verify === "off" ? [] : [`head ${objectKey}`]);
    }
  });

  it("by name of a store that is not there is settled as ever", async () => {
    await using node = await NodeBench.start({}, { storage: undefined });
    node.source.spec = PLAN;
    await node.offer();
    succeed(await node.executor.nextRun(), { out: "wherever" });
    await node.whenStored("done");
    expect(node.source.count("complete")).toBe(1);
  });
});

describe("a result by reference", () => {
  it("is read and settled with its values", async () => {
    const { node, run } = await running({ ...PLAN, outputs: [{ ...OUTPUT, isObjectKey: false }] });
    await using _node = node;
    const ref = `${run.assignment.uploadPrefix}result.json`;
    node.storage.put(ref, '{"out":"ä"}');
    const objects = [{ objectKey: ref, sizeBytes: 12, sha256: sha256('{"out":"ä"}') }];
    run.end.resolve({ kind: "succeeded", result: { json: "", ref, isRefJson: true, objects } });
    await node.whenStored("done");
    expect(node.source.calls.at(-1)).toBe(`complete 1 0x${Buffer.from('{"out":"ä"}').toString("hex")}`);
  });

  it("has its own objects looked at too", async () => {
    const { node, run } = await running();
    await using _node = node;
    const ref = `${run.assignment.uploadPrefix}result.json`;
    node.storage.put(ref, JSON.stringify({ out: `${run.assignment.uploadPrefix}missing` }));
    run.end.resolve({ kind: "succeeded", result: { json: "", ref, isRefJson: true } });
    await node.whenStored("claimed");
    expect(node.verdicts).toEqual(["missing"]);
  });

  it.each([
    ["of another run", "runs/c/d/e/result.json"],
    ["that is an input", "in/song.wav"],
  ])("%s is not read: the chain would tell everybody", async (_what, ref) => {
    await using node = await NodeBench.start({}, { runner: { verify: "off" } });
    node.source.onInputs = async () => ({ inputs: [KEYED], workflowInputs: [] });
    await node.offer();
    const run = await node.executor.nextRun();
    node.storage.put(ref, "{}");
    node.storage.calls.length = 0;
    run.end.resolve({ kind: "succeeded", result: { json: "", ref, isRefJson: true } });
    await node.whenStored("done");
    expect(node.stored()).toMatchObject({ outcome: { status: "error", code: INVALID_RESULT } });
    expect(node.storage.calls).toEqual([]);
    expect(node.refusals).toEqual(["outside"]);
  });

  it.each([
    ["is not there", undefined, [], "which is not in storage"],
    [
      "is not what the run wrote",
      '{"out":1}',
      [{ sizeBytes: 9, sha256: sha256("other") }],
      "another SHA-256",
    ],
  ] as const)("that %s has the run made again", async (_what, content, objects, message) => {
    const { node, run } = await running();
    await using _node = node;
    const ref = `${run.assignment.uploadPrefix}result.json`;
    if (content !== undefined) node.storage.put(ref, content);
    const told = objects.map((object) => ({ ...object, objectKey: ref }));
    run.end.resolve({ kind: "succeeded", result: { json: "", ref, isRefJson: true, objects: told } });
    await node.whenStored("claimed");
    expect(node.stored()).toMatchObject({ past: { failures: [expect.stringContaining(message) as string] } });
  });

  it.each([
    ["is longer than any chain takes", "x".repeat(1_024 ** 2 + 1), "[RESULT_TOO_LARGE]"],
    ["is no text", new Uint8Array([0xff, 0xfe]), "is no UTF-8 text"],
  ] as const)("that %s fails at once", async (_what, content, message) => {
    const { node, run } = await running();
    await using _node = node;
    const ref = `${run.assignment.uploadPrefix}result.json`;
    node.storage.put(ref, content);
    run.end.resolve({ kind: "succeeded", result: { json: "", ref, isRefJson: true } });
    await node.whenStored("done");
    expect(node.source.calls.at(-1)).toContain(message);
  });

  it("needs a store", async () => {
    await using node = await NodeBench.start({}, { storage: undefined });
    await node.offer();
    const run = await node.executor.nextRun();
    run.end.resolve({ kind: "succeeded", result: { json: "", ref: "a", isRefJson: true } });
    await node.whenStored("done");
    expect(node.source.calls.at(-1)).toContain("the operator sets [storage]");
  });

  it("of a simple executor, which is the object itself, must be there and the run's own", async () => {
    const { node, run } = await running();
    await using _node = node;
    const ref = `${run.assignment.uploadPrefix}out.wav`;
    node.storage.put(ref, "sound");
    run.end.resolve({ kind: "succeeded", result: { json: "", ref } });
    await node.whenStored("done");
    expect(node.storage.calls.filter((call) => call.startsWith("head"))).toEqual([`head ${ref}`]);
    await node.offer(2);
    const second = await node.executor.nextRun();
    second.end.resolve({ kind: "succeeded", result: { json: "", ref } });
    await node.whenStored("done", 2);
    expect(node.stored(2)).toMatchObject({ outcome: { status: "error", code: INVALID_RESULT } });
  });
});

describe("a failed run", () => {
  it("is made again as its spec says, and as the node has it where that says nothing", async () => {
    await using node = await NodeBench.start({ retry: { maxAttempts: 5, initialMs: 1_000, maxMs: 60_000 } });
    node.source.spec = { ...PLAN, retry: { maxAttempts: 2, initialMs: 7_000 } };
    await node.offer();
    (await node.executor.nextRun()).end.resolve(failure({ retryable: true }));
    await node.pass(6_500);
    expect(node.executor.runs).toHaveLength(1);
    await node.pass(1_000);
    (await node.executor.nextRun()).end.resolve(failure({ retryable: true }));
    await node.whenStored("done");
    await settle();
    expect(node.executor.runs).toHaveLength(2);
  });
});
