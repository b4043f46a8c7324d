import { describe, expect, it } from "vitest";
import { uploadPrefix } from "../src/domain/object-key.ts";
import { StorageError } from "../src/storage-ports.ts";
import { idOf } from "./_builders.ts";
import { failure } from "./_fake-executor.ts";
import { NodeBench } from "./_node-bench.ts";
import { KEYED, OUTPUT, PLAN, running, sha256, succeed, WORKFLOW } from "./_run-bench.ts";

const INVALID_RESULT = 1003;
const UNAVAILABLE = 2002;

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

  it("is stored with the run that it is of, where that is wanted", async () => {
    for (const keepsRunIds of [true, false]) {
      await using node = await NodeBench.start({ keepsRunIds });
      await node.offer();
      const run = await node.executor.nextRun();
      succeed(run, {});
      await node.whenStored("done");
      const { outcome } = node.stored() as { readonly outcome: { readonly runId?: string } };
      expect(outcome.runId).toBe(keepsRunIds ? run.assignment.runId : undefined);
    }
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
    { what: "is missing", verdict: "missing", message: "is not in storage" },
    {
      what: "has another size",
      content: "sound!",
      told: { sizeBytes: 5 },
      verdict: "different",
      message: "has 6 bytes in storage, and the run wrote 5",
    },
    {
      what: "has another digest",
      content: "soond",
      told: { sizeBytes: 5, sha256: sha256("sound") },
      verdict: "different",
      message: "another SHA-256",
    },
  ])(
    "of which one $what is not settled: the run is made again",
    async ({ content, told, verdict, message }) => {
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

  it("of which one is named by two outputs is held to the smaller limit", async () => {
    for (const names of [
      ["strict", "loose"],
      ["loose", "strict"],
    ]) {
      const outputs = names.map((name) => ({
        ...OUTPUT,
        name,
        ...(name === "strict" ? { maxBytes: 4 } : {}),
      }));
      const { node, run } = await running({ ...PLAN, outputs });
      await using _node = node;
      const objectKey = `${run.assignment.uploadPrefix}out.wav`;
      node.storage.put(objectKey, "sound");
      succeed(run, { strict: objectKey, loose: objectKey });
      await node.whenStored("done");
      expect(node.source.calls.at(-1)).toContain("its spec allows 4 for strict");
    }
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

  it("that waits for storage keeps the node from claiming more, and says why", async () => {
    const { node, run } = await running();
    await using _node = node;
    const objectKey = `${run.assignment.uploadPrefix}out.wav`;
    node.storage.put(objectKey, "sound");
    node.storage.failWith(...Array<"UNAVAILABLE">(6).fill("UNAVAILABLE"));
    succeed(run, { out: objectKey });
    await node.pass(1_000);
    await node.offer(2);
    await node.pass(2_000);
    expect(node.stored(2)?.kind).toBe("offered");
    expect(node.runner.notReady()).toEqual([
      expect.stringMatching(
        /^storage does not answer, and activities wait for it \(1\): \[STORAGE_UNAVAILABLE\]/,
      ),
    ]);
    expect(node.runner.waitingForStorage).toBe(1);
    expect(node.logs.at("warn")).toContain("nothing is claimed for now");
    await node.pass(60_000);
    expect(node.runner.notReady()).toEqual([]);
    expect(node.executor.runs).toHaveLength(2);
  });

  describe("at which storage stumbles for ever", () => {
    const stumbling = async () => {
      const { node, run } = await running();
      const objectKey = `${run.assignment.uploadPrefix}out.wav`;
      const head = node.storage.head.bind(node.storage);
      node.storage.head = (key) =>
        key === objectKey ? Promise.reject(new StorageError("UNAVAILABLE", "odd")) : head(key);
      return { node, run, objectKey };
    };

    it("holds back nothing once storage answers others", async () => {
      const { node, run, objectKey } = await stumbling();
      await using _node = node;
      await node.offer(2);
      const other = await node.executor.nextRun();
      succeed(run, { out: objectKey });
      await node.pass(1_000);
      expect(node.runner.notReady()).toHaveLength(1);
      node.storage.put(`${other.assignment.uploadPrefix}b`, "x");
      succeed(other, { out: `${other.assignment.uploadPrefix}b` });
      await node.whenStored("done", 2);
      expect(node.runner.notReady()).toEqual([]);
      await node.offer(3);
      expect((await node.executor.nextRun()).assignment.task.id).toBe(idOf(3));
      expect(node.runner.waitingForStorage).toBe(1);
    });

    it("holds back others for a quarter of an hour at most", async () => {
      const { node, run, objectKey } = await stumbling();
      await using _node = node;
      succeed(run, { out: objectKey });
      node.source.onInspect = (id) => {
        const state = node.book.get(id)?.state;
        return state !== undefined && "lease" in state
          ? { kind: "held", lease: state.lease }
          : { kind: "open" };
      };
      await node.pass(890_000);
      await node.offer(2);
      await node.pass(1_000);
      expect(node.stored(2)?.kind).toBe("offered");
      expect(node.runner.waitingForStorage).toBe(1);
      await node.pass(20_000);
      expect(node.stored(2)?.kind).toBe("assigned");
    });
  });

  it("waits while storage does not take the node's credential: neither settled nor failed", async () => {
    const { node, run } = await running({ ...PLAN, retry: { maxAttempts: 1 } });
    await using _node = node;
    const objectKey = `${run.assignment.uploadPrefix}out.wav`;
    node.storage.put(objectKey, "sound");
    node.storage.failWith(...Array<"UNAUTHENTICATED">(3).fill("UNAUTHENTICATED"));
    succeed(run, { out: objectKey });
    await node.pass(400);
    expect(node.stored()?.kind).toBe("assigned");
    await node.pass(10_000);
    await node.whenStored("done");
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
    run.end.resolve({
      kind: "succeeded",
      result: { json: "", ref, isRefJson: true, objects, isSkipped: true },
    });
    await node.whenStored("done");
    expect(node.logs.at("info").filter((line) => line.startsWith("the run was skipped"))).toHaveLength(1);
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
    { what: "is not there", message: "which is not in storage" },
    {
      what: "is not what the run wrote",
      content: '{"out":1}',
      objects: [{ sizeBytes: 9, sha256: sha256("other") }],
      message: "another SHA-256",
    },
  ])("that $what has the run made again", async ({ content, objects = [], message }) => {
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
