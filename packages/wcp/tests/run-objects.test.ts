import { describe, expect, it } from "vitest";
import { uploadPrefix } from "../src/domain/object-key.ts";
import type { TaskInput } from "../src/ports.ts";
import { runIdOf } from "../src/services/run-id.ts";
import { idOf } from "./_builders.ts";
import { failure } from "./_fake-executor.ts";
import { LEASE_MS } from "./_fake-source.ts";
import { NodeBench } from "./_node-bench.ts";
import { KEYED, OUTPUT, PLAN, running, WORKFLOW } from "./_run-bench.ts";
import { settle } from "./_until.ts";

function inputAt(objectKey: string): TaskInput {
  return { ...KEYED, value: objectKey, objectKey };
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
