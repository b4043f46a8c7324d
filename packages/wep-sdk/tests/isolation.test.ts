// One suite for handlers in the process and in threads: a run cannot tell the two apart.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadHandlerModules, type ServeOptions } from "../src/index.ts";
import { object, serveObjects, status } from "./_objects.ts";
import { assignment, type TestAssignment, TestStream } from "./_stream.ts";
import { resultOf, startWep, type TestWep, until } from "./_wep.ts";

const MODULE = fileURLToPath(new URL("_handlers.ts", import.meta.url));

const MODES: readonly (readonly [string, () => Promise<Partial<ServeOptions>>])[] = [
  ["in the process", async () => ({ handlers: await loadHandlerModules([MODULE]) })],
  ["in a thread", async () => ({ modules: [MODULE] })],
];

function task(kind: string, input: Record<string, unknown> = {}, more: object = {}): TestAssignment {
  const inputs = Object.entries(input).map(([name, value]) => ({ name, inlineJson: JSON.stringify(value) }));
  return assignment({ taskKind: kind, inputs, ...more });
}

describe.each(MODES)("a handler %s", (_, handlers) => {
  let wep: TestWep;
  beforeAll(async () => {
    wep = await startWep({ abortGraceMs: 30_000, maxConcurrency: 4, ...(await handlers()) });
  });
  afterAll(() => wep[Symbol.asyncDispose]());

  it("sees its inputs and all that came with the activity", async () => {
    await using stream = await TestStream.open(wep.port);
    stream.send(
      "assign",
      assignment({
        taskKind: "see",
        activityId: "0xac",
        workflowInstanceId: "flow-9",
        attempt: 3,
        softDeadlineUnix: 1_900_000_000n,
        deadlineUnixMs: 1_900_000_000_500n,
        checkpointRef: "frame 7",
        metadata: { tenant_id: "t1", traceparent: "00-aa-bb-01" },
        inputs: [
          { name: "wide", inlineJson: `"${2n ** 200n}"`, abiType: "uint256" },
          { name: "narrow", inlineJson: "7", abiType: "uint32" },
          { name: "digest", inlineJson: '"0x00ff"', abiType: "bytes" },
          { name: "raw", inlineBytes: new Uint8Array([7, 8]) },
          { name: "clip", ref: "http://127.0.0.1:1/clip?sig=x", objectKey: "in/clip.wav" },
        ],
        workflowInputs: [{ name: "seed", inlineJson: "7", abiType: "uint8" }],
      }),
    );
    expect(resultOf(await stream.next("completion"))).toEqual({
      input: {
        wide: String(2n ** 200n),
        narrow: 7,
        digest: "0x00ff",
        raw: "0x0708",
        clip: "file in/clip.wav",
      },
      types: ["bigint", "number", "bytes", "bytes", "object"],
      activity: ["0xac", "run-1", "flow-9", "see", "1.0.0"],
      attempt: 3,
      deadline_ms: 1_900_000_000_000,
      deadline: new Date(1_900_000_000_500).toISOString(),
      checkpoint: "frame 7",
      metadata: { tenant_id: "t1", traceparent: "00-aa-bb-01" },
      workflow: { seed: 7 },
      aborted: false,
    });
    stream.send("assign", task("see"));
    expect(resultOf(await stream.next("completion"))).toMatchObject({
      attempt: 1,
      deadline_ms: null,
      deadline: null,
      checkpoint: null,
      metadata: {},
    });
  });

  it.each([10, 2_000_000])("returns a result of %d characters as it is", async (chars) => {
    await using stream = await TestStream.open(wep.port);
    stream.send("assign", task("large", { chars }));
    const completion = await stream.next("completion");
    expect(completion.status).toBe("SUCCESS");
    expect(resultOf(completion)).toEqual({ text: "x".repeat(chars) });
  });

  it("refuses a result that does not travel inline", async () => {
    await using stream = await TestStream.open(wep.port);
    stream.send("assign", task("large", { chars: 4_000_000 }));
    const completion = await stream.next("completion");
    expect(completion).toMatchObject({ status: "ERROR", errorCode: 1003 });
    expect(completion.error).toContain("upload the large output with ctx.upload");
  });

  it.each([
    ["terminal", { error: "not a WAV file", errorCode: 1003, retryable: false, retryAfterMs: 0n }],
    ["retryable", { error: "warming up", errorCode: 2002, retryable: true, retryAfterMs: 1_500n }],
    ["retryable without a wish", { error: "later", errorCode: 2001, retryable: true, retryAfterMs: 0n }],
    ["any error", { error: "index 7 of 5", errorCode: 2001, retryable: false, retryAfterMs: 0n }],
    ["no error", { error: "only words", errorCode: 2001, retryable: false, retryAfterMs: 0n }],
    ["an error without words", { error: "TypeError", errorCode: 2001, retryable: false, retryAfterMs: 0n }],
    ["of another copy", { error: "from elsewhere", errorCode: 2004, retryable: false, retryAfterMs: 0n }],
    [
      "no JSON",
      {
        error: expect.stringContaining("output verdict.at is an instance of Date"),
        errorCode: 1003,
        retryable: false,
      },
    ],
    ["not an object", { error: expect.stringContaining("the handler returned an array"), errorCode: 1003 }],
  ])("fails as its error says: %s", async (how, outcome) => {
    await using stream = await TestStream.open(wep.port);
    stream.send("assign", task("fail", { how }));
    expect(await stream.next("completion")).toMatchObject({ status: "ERROR", ...outcome });
  });

  it("fails before it begins when an input does not fit its type", async () => {
    await using stream = await TestStream.open(wep.port);
    const inputs = [{ name: "rate", inlineJson: '"fast"', abiType: "uint32" }];
    stream.send("assign", assignment({ taskKind: "see", inputs }));
    const completion = await stream.next("completion");
    expect(completion).toMatchObject({ status: "ERROR", errorCode: 1003, retryable: false });
    expect(completion.error).toContain('input "rate": it is not a uint32');
  });

  it("succeeds with no outputs when it returns nothing", async () => {
    await using stream = await TestStream.open(wep.port);
    stream.send("assign", task("fail", { how: "nothing" }));
    expect(resultOf(await stream.next("completion"))).toEqual({});
  });

  it("reads files, has a directory for itself and writes objects", async () => {
    await using store = await serveObjects(object(Buffer.from("a recording")), status(200));
    await using stream = await TestStream.open(wep.port);
    const clip = { name: "clip", ref: `${store.url}/in/clip?sig=x`, objectKey: "in/clip" };
    stream.send("assign", assignment({ taskKind: "transfer", inputs: [clip], uploadPrefix: "runs/1/" }));
    const ask = await stream.next("uploadRequest");
    expect(ask).toMatchObject({ name: "copy.bin", mediaType: "text/plain", sizeBytes: 11n });
    const { requestId } = ask;
    stream.send("uploadGrant", { requestId, objectKey: "runs/1/copy.bin", url: `${store.url}/put` });
    const completion = await stream.next("completion");
    const result = resultOf(completion) as { folder: string };
    expect(result).toEqual({
      folder: expect.stringContaining("wep-run-"),
      object_key: "runs/1/copy.bin",
      size_bytes: 11,
    });
    expect(store.requests.map(({ method, body }) => [method, body.toString()])).toEqual([
      ["GET", ""],
      ["PUT", "a recording"],
    ]);
    await until(() => !existsSync(result.folder));
  });

  it.each([
    ["refused", "runs/1/", /\[PERMISSION_DENIED\] upload "copy.bin": the worker client refused: over quota/],
    ["not to write anywhere", "", /upload "copy.bin": the worker client gave this run no place to write/],
  ])("fails for good when its upload is %s", async (_name, uploadPrefix, message) => {
    await using store = await serveObjects(object(Buffer.from("a recording")));
    await using stream = await TestStream.open(wep.port);
    const clip = { name: "clip", ref: `${store.url}/in/clip?sig=x` };
    stream.send("assign", assignment({ taskKind: "transfer", inputs: [clip], uploadPrefix }));
    if (uploadPrefix !== "") {
      const { requestId } = await stream.next("uploadRequest");
      stream.send("uploadGrant", { requestId, error: "over quota" });
    }
    const completion = await stream.next("completion");
    expect(completion).toMatchObject({ status: "ERROR", errorCode: 2003, retryable: false });
    expect(completion.error).toMatch(message);
  });

  it("fails for good when an object is not there", async () => {
    await using store = await serveObjects(status(404));
    await using stream = await TestStream.open(wep.port);
    const clip = { name: "clip", ref: `${store.url}/in/clip?sig=x`, objectKey: "in/clip" };
    stream.send("assign", assignment({ taskKind: "transfer", inputs: [clip] }));
    const completion = await stream.next("completion");
    expect(completion).toMatchObject({ status: "ERROR", errorCode: 1001, retryable: false });
    expect(completion.error).toContain('input "clip", object "in/clip": no such object');
  });

  it("reports progress, whose last checkpoint stays", async () => {
    await using stream = await TestStream.open(wep.port);
    stream.send("assign", task("checkpoints"));
    const first = await stream.next("progress");
    expect(first).toMatchObject({ percent: 10, message: "first", checkpointRef: "frame 1" });
    const last = await stream.next("progress");
    expect(last).toMatchObject({ percent: 20, message: "third", checkpointRef: "frame 1" });
    await stream.next("completion");
    expect(stream.count("progress")).toBe(2);
  });

  it("logs lines with the ids of its run, at the level of the worker", async () => {
    await using stream = await TestStream.open(wep.port);
    const logged = task("log");
    stream.send("assign", logged);
    await stream.next("completion");
    await until(() => wep.logs.some(({ msg }) => msg === "odd sample"));
    const ids = { component: "wep", pid: process.pid, activity_id: logged.activityId, run_id: "run-1" };
    const [info, warn] = ["resampling", "odd sample"].map((text) => wep.logs.find(({ msg }) => msg === text));
    expect(info).toMatchObject({ level: "info", step: 1, secret: { password: "[REDACTED]" }, ...ids });
    expect(warn).toMatchObject({ level: "warn", err: { type: "TypeError", message: "odd" }, ...ids });
    expect(wep.logs.some(({ msg }) => msg === "not at this level")).toBe(false);
  });

  it.each(["requested", "lease_lost", "deadline", "drain"])(
    "is stopped with the reason: %s",
    async (reason) => {
      await using stream = await TestStream.open(wep.port);
      const stopped = task("wait");
      stream.send("assign", stopped);
      await stream.next("progress");
      stream.send("cancel", { activityId: stopped.activityId, reason });
      expect(resultOf(await stream.next("completion"))).toEqual({ cancelled: true, reason });
    },
  );

  it("counts as cancelled when it gives up", async () => {
    await using stream = await TestStream.open(wep.port);
    const stopped = task("give_up");
    stream.send("assign", stopped);
    await stream.next("progress");
    stream.send("cancel", { activityId: stopped.activityId, reason: "requested" });
    const completion = await stream.next("completion");
    expect(completion).toMatchObject({ status: "ERROR", errorCode: 5001, retryable: false });
  });

  it("is stopped at the time after which nobody wants its result", async () => {
    await using stream = await TestStream.open(wep.port);
    stream.send("assign", task("wait", {}, { deadlineUnixMs: BigInt(Date.now() + 300) }));
    expect(resultOf(await stream.next("completion"))).toEqual({ cancelled: true, reason: "deadline" });
  });
});
