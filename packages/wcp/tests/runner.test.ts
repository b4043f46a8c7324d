import { createDeferred } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import type { TaskInput } from "../src/ports.ts";
import { failure, SUCCESS } from "./_fake-executor.ts";
import { NodeBench } from "./_node-bench.ts";
import { anOffer, idOf } from "./_builders.ts";
import { settle } from "./_until.ts";

const KEYED: TaskInput = {
  name: "audio",
  abiType: "string",
  mediaType: "audio/wav",
  value: "in/song.wav",
  objectKey: "in/song.wav",
};
const PLAIN: TaskInput = { name: "rate", abiType: "uint32", mediaType: "application/json", value: 16_000 };

describe("an assignment", () => {
  it("has object keys as URLs and values as they are, and nothing that is a credential", async () => {
    await using node = await NodeBench.start();
    node.source.onInputs = async () => ({ inputs: [KEYED, PLAIN], workflowInputs: [KEYED] });
    await node.offer();
    const { assignment } = await node.executor.nextRun();
    const signed = {
      ...KEYED,
      url: expect.stringMatching(/^https:\/\/storage\.example\/in\/song\.wav\?grant=/) as string,
      urlExpiresAtMs: node.clock.nowMs() + 900_000,
    };
    expect(assignment.inputs).toEqual([signed, PLAIN]);
    expect(assignment.workflowInputs).toEqual([signed]);
    expect(assignment).toMatchObject({ attempt: 1, progressIntervalS: 10 });
    expect(assignment.leaseExpiresAtMs).toBe(node.clock.nowMs() + 60_000);
  });

  it("names a prefix of its own run to write under", async () => {
    await using node = await NodeBench.start();
    await node.offer();
    const first = await node.executor.nextRun();
    expect(first.assignment.uploadPrefix).toContain(`/${first.assignment.runId}/`);
    first.end.resolve(failure({ retryable: true }));
    await node.pass(1_500);
    const second = await node.executor.nextRun();
    expect(second.assignment.uploadPrefix).not.toBe(first.assignment.uploadPrefix);
  });

  it("without an object store has keys as they are and no place to write", async () => {
    await using node = await NodeBench.start({}, { storage: undefined });
    node.source.onInputs = async () => ({ inputs: [KEYED], workflowInputs: [] });
    await node.offer();
    const { assignment, listener } = await node.executor.nextRun();
    expect(assignment.inputs).toEqual([KEYED]);
    expect(assignment.uploadPrefix).toBe("");
    await expect(listener.upload({ name: "a.png", mediaType: "image/png", sizeBytes: 1 })).rejects.toThrow(
      "this node has no object store configured; the operator sets [storage]",
    );
  });

  it("with an empty object key has no URL for it", async () => {
    await using node = await NodeBench.start();
    const empty = { ...KEYED, value: "", objectKey: "" };
    node.source.onInputs = async () => ({ inputs: [empty], workflowInputs: [] });
    await node.offer();
    expect((await node.executor.nextRun()).assignment.inputs).toEqual([empty]);
  });
});

describe("what travels beside a task", () => {
  const traits = { metadata: { traceparent: "00-network", tenant_id: "t-7" } };

  it("is what its network gave, and nothing where it gave none", async () => {
    await using node = await NodeBench.start();
    await node.dispatcher.offer(anOffer({ id: idOf(1), traits }));
    expect((await node.executor.nextRun()).assignment.metadata).toEqual(traits.metadata);
    await node.offer(2);
    expect((await node.executor.nextRun()).assignment.metadata).toBeUndefined();
  });
});

describe("an upload", () => {
  it("is granted under the run's prefix", async () => {
    await using node = await NodeBench.start();
    await node.offer();
    const { assignment, listener } = await node.executor.nextRun();
    const ticket = await listener.upload({ name: "out/a.png", mediaType: "image/png", sizeBytes: 12 });
    expect(ticket).toMatchObject({
      objectKey: `${assignment.uploadPrefix}out/a.png`,
      url: expect.stringContaining(`https://storage.example/${assignment.uploadPrefix}out/a.png`) as string,
    });
  });

  it.each(["../other/a.png", "/etc/passwd", "a/../../b", "..", "a%2f..%2fb", "a\\..\\b", ""])(
    "outside of it is refused: %j",
    async (name) => {
      await using node = await NodeBench.start();
      await node.offer();
      const { listener } = await node.executor.nextRun();
      await expect(listener.upload({ name, mediaType: "image/png", sizeBytes: 1 })).rejects.toThrow(
        "[OBJECT_KEY_REFUSED]",
      );
      expect(node.storage.calls).toEqual([]);
    },
  );
});

describe("progress", () => {
  it("moves the task to running once, on disk, and goes on in memory", async () => {
    await using node = await NodeBench.start();
    await node.offer();
    const { listener } = await node.executor.nextRun();
    listener.progress(10, "decoding");
    listener.progress(20, "resampling");
    await node.whenStored("running");
    listener.progress(30, "");
    await settle();
    expect(node.stored()).toMatchObject({ kind: "running", percent: 10 });
    expect(node.book.get(idOf(1))?.state).toMatchObject({ percent: 30 });
    expect(node.statesOf().filter((state) => state === "running")).toHaveLength(1);
  });

  it("of a run that is over, or was run before, is not heard", async () => {
    await using node = await NodeBench.start();
    await node.offer();
    const first = await node.executor.nextRun();
    first.end.resolve(failure({ retryable: true }));
    await node.whenStored("claimed");
    first.listener.progress(99, "late");
    await node.pass(1_500);
    const second = await node.executor.nextRun();
    first.listener.progress(99, "later");
    expect(node.book.get(idOf(1))?.state.kind).toBe("assigned");
    second.end.resolve(SUCCESS);
    await node.whenStored("done");
    second.listener.progress(99, "too late");
    await settle();
    expect(node.stored()?.kind).toBe("done");
  });
});

describe("inputs that take long to read", () => {
  it("do not start the run before they are there", async () => {
    await using node = await NodeBench.start();
    const read = createDeferred();
    node.source.onInputs = async () => {
      await read.promise;
      return { inputs: [], workflowInputs: [] };
    };
    await node.offer();
    await node.pass(2_000);
    expect(node.stored()?.kind).toBe("claimed");
    read.resolve();
    await node.executor.nextRun();
  });
});
