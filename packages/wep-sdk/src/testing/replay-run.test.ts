import { parseRecordedRun, type RecordedRun } from "@subnet-worker/protocol/recorded-run";
import { describe, expect, it } from "vitest";
import { defineHandler, type InputFile } from "../index.ts";
import { MemoryStore } from "./memory-store.ts";
import { replayRun } from "./index.ts";

const total = defineHandler<{ values: bigint[]; text: InputFile }>({
  kind: "demo.total",
  version: "1.0.0",
  async run({ values, text }, ctx) {
    const words = new TextDecoder().decode(await text.bytes());
    const { objectKey } = await ctx.upload("out.txt", words.toUpperCase(), { mediaType: "text/plain" });
    return {
      total: values.reduce((sum, value) => sum + value, 0n),
      out: objectKey,
      seen: [
        String(ctx.attempt),
        ctx.activityId,
        ctx.metadata["tenant_id"] ?? "",
        JSON.stringify(await ctx.loadCheckpoint()),
      ],
    };
  },
});

function recorded(text: { readonly objectKey?: string; readonly url?: string }): RecordedRun {
  return parseRecordedRun(
    JSON.stringify({
      format: "subnet-worker.recorded-run/1",
      activity: { id: "0xab", kind: "demo.total", version: "1.0.0", workflowInstanceId: "0xcd" },
      run: {
        id: "r-2",
        attempt: 2,
        uploadPrefix: "runs/0xcd/0xab/2/",
        checkpointRef: 'json:{"step":4}',
        metadata: { tenant_id: "t1" },
        deadlineMs: 1,
      },
      inputs: [
        { name: "values", abiType: "uint256[]", mediaType: "", value: ["1", `${2n ** 100n}`] },
        { name: "text", abiType: "string", mediaType: "text/plain", ...text },
      ],
      workflowInputs: [],
      outputs: [
        { name: "total", abiType: "uint256", mediaType: "", isObjectKey: false },
        { name: "out", abiType: "string", mediaType: "text/plain", isObjectKey: true },
        { name: "seen", abiType: "string[]", mediaType: "", isObjectKey: false },
      ],
    }),
  );
}

describe("replayRun", () => {
  const expected = {
    total: 2n ** 100n + 1n,
    out: "runs/0xcd/0xab/2/out.txt",
    seen: ["2", "0xab", "t1", '{"step":4}'],
  };

  it("runs what was recorded, with objects from their URLs", async () => {
    await using store = new MemoryStore();
    store.put("in/text", "to be", "text/plain");
    const run = await replayRun([total], recorded({ objectKey: "in/text", url: await store.url("in/text") }));
    expect(run.outputs).toEqual(expected);
    expect(run.uploads.get("out.txt")?.text()).toBe("TO BE");
  });

  it("takes objects from where it is told, first", async () => {
    const asked: string[] = [];
    const run = await replayRun([total], recorded({ objectKey: "in/text", url: "http://127.0.0.1:1/gone" }), {
      findObject: (objectKey) => {
        asked.push(objectKey);
        return Promise.resolve("or not");
      },
    });
    expect(run.uploads.get("out.txt")?.text()).toBe("OR NOT");
    expect(asked).toEqual(["in/text"]);
  });

  it("names the object that there is neither here nor behind a URL", async () => {
    const { error } = await replayRun([total], recorded({ objectKey: "in/text" }));
    expect(error?.message).toMatch(/download of "in\/text": there is no such object here/);
  });

  it("does not wait for a URL that has expired to work again", async () => {
    await using store = new MemoryStore();
    store.put("in/text", "to be", "text/plain");
    const url = (await store.url("in/text")).replace(/secret=.*/, "secret=old");
    const { error } = await replayRun([total], recorded({ objectKey: "in/text", url }));
    expect(error?.message).toMatch(/"in\/text"/);
    expect(error?.retryable).toBe(false);
  });

  it("refuses when there is no such handler, and lists those there are", () => {
    const other = recorded({ objectKey: "in/text" });
    const later = { ...other, activity: { ...other.activity, version: "2.0.0" } };
    expect(() => replayRun([total], later)).toThrow(
      /no handler for demo.total 2.0.0, which the recorded run is of; there is: demo.total 1.0.0/,
    );
  });
});
