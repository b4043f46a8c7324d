import { encodeParams, parseSpec } from "@subnet-worker/activity-spec";
import { type Activity, activityTypeAddress } from "@subnet-worker/contracts";
import { FakeClock } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import { SpecIndex } from "../src/adapters/evm/spec-index.ts";
import { readInputs, specDeadlineMs } from "../src/adapters/evm/task-inputs.ts";
import { EvmTaskSource, type EvmTaskSourceDeps } from "../src/adapters/evm/task-source.ts";
import { TaskDataError } from "../src/ports.ts";
import { aTask, idOf } from "./_builders.ts";

const SPECS = new SpecIndex([
  parseSpec(
    `
name: video
version: video/1.1.0
activities:
  - id: encode
    worker: processing
    class: gpu
    limits: { timeout: 2m, memory_mb: 512 }
    deadline: 1h
    retry: { max_attempts: 2, initial: 5s }
    result: reference
    input_params:
      - { name: video_object_key, type: string, max_size: 5GB, media_type: video/mp4 }
      - { name: width, type: uint32 }
    output_params:
      - { name: encoded_object_key, type: string, max_size: 1MB }
      - { name: report, type: bytes }
  - id: check
    worker: validation
`,
    { fileName: "video.yaml" },
  ),
]);
const ENGINE = `0x${"Ee".repeat(20)}`;
const TASK = aTask({ queue: "video/1.1.0/processing", kind: "encode", version: "1.1.0" });
const INDEXED = SPECS.ofTask(TASK);
const NOW_S = 1_700_000_000;
const AT = { workflowEngine: ENGINE, nowMs: NOW_S * 1_000, chainNowS: NOW_S };

function activity(changes: Partial<Activity> = {}): Activity {
  return {
    activityId: idOf(1),
    workflowInstanceId: idOf(900),
    activityType: activityTypeAddress("video/1.1.0", "encode"),
    inputData: encodeParams(INDEXED.spec.inputs, { video_object_key: "in/a.mp4", width: 640 }),
    initData: encodeParams(INDEXED.workflowInputs, { video_object_key: "in/b.mp4", width: 320 }),
    resultData: "0x",
    createdAt: BigInt(NOW_S - 600),
    expiresAt: 0n,
    requester: ENGINE.toLowerCase(),
    assignedWorker: ENGINE,
    assignedAt: 0n,
    lastHeartbeat: 0n,
    progress: 0,
    isAssigned: true,
    isCompleted: false,
    success: false,
    ...changes,
  };
}

describe("what a spec says of runs", () => {
  it("is told by kind, the same object for every task, and by default nothing but the outputs", () => {
    expect(INDEXED.plan).toEqual({
      outputs: [
        {
          name: "encoded_object_key",
          abiType: "string",
          mediaType: "application/octet-stream",
          isObjectKey: true,
          maxBytes: 1_000_000,
        },
        { name: "report", abiType: "bytes", mediaType: "application/json", isObjectKey: false },
      ],
      timeoutMs: 120_000,
      memoryMb: 512,
      isResultByReference: true,
      retry: { maxAttempts: 2, initialMs: 5_000 },
    });
    expect(SPECS.ofTask({ ...TASK }).plan).toBe(INDEXED.plan);
    const bare = SPECS.ofTask({ queue: "video/1.1.0/validation", kind: "check", version: "1.1.0" });
    expect(bare.plan).toEqual({
      outputs: [],
      timeoutMs: undefined,
      memoryMb: undefined,
      isResultByReference: false,
      retry: {},
    });
  });

  it("has its executor be one with a GPU", () => {
    expect(INDEXED.needs).toEqual(["gpu"]);
  });
});

describe("inputs", () => {
  it("that are objects have the largest size that the spec allows", () => {
    const { inputs, workflowInputs } = readInputs(TASK, { activity: activity(), indexed: INDEXED, at: AT });
    expect(inputs).toEqual([
      {
        name: "video_object_key",
        abiType: "string",
        mediaType: "video/mp4",
        value: "in/a.mp4",
        objectKey: "in/a.mp4",
        maxBytes: 5_000_000_000,
      },
      { name: "width", abiType: "uint32", mediaType: "application/json", value: 640 },
    ]);
    expect(workflowInputs).toMatchObject([{ objectKey: "in/b.mp4" }, { value: 320 }]);
  });

  it("are a workflow step's when the engine enqueued them, and nobody else", () => {
    const read = (requester: string) =>
      readInputs(TASK, { activity: activity({ requester }), indexed: INDEXED, at: AT }).isInWorkflow;
    expect(read(ENGINE.toLowerCase())).toBe(true);
    expect(read(`0x${"ab".repeat(20)}`)).toBe(false);
  });

  it("are wanted for as long as the spec says, from when they were enqueued, by the chain's clock", () => {
    const from = { activity: activity(), indexed: INDEXED, at: { ...AT, nowMs: 5_000_000 } };
    expect(readInputs(TASK, from).deadlineMs).toBe(5_000_000 + 3_000_000);
    expect(specDeadlineMs(undefined, { ...AT, createdAtS: NOW_S })).toBeUndefined();
    expect(specDeadlineMs(1_000, { nowMs: 7_000, chainNowS: undefined, createdAtS: 5 })).toBe(8_000);
  });

  it("that are not what the spec says are told with their spec", () => {
    const from = { activity: activity({ inputData: "0x12" }), indexed: INDEXED, at: AT };
    expect(() => readInputs(TASK, from)).toThrow("the input of encode is not what its spec says");
  });
});

describe("a result", () => {
  const deps = { specs: SPECS, clock: new FakeClock() } as Partial<EvmTaskSourceDeps> as EvmTaskSourceDeps;
  const options = { name: "evm", wallet: ENGINE, taskQueue: ENGINE, workflowEngine: ENGINE };
  const source = new EvmTaskSource(options, deps);
  const resultOf = (bytes: number) => ({
    json: JSON.stringify({ encoded_object_key: "runs/a", report: `0x${"00".repeat(bytes)}` }),
    ref: "",
  });

  it("that a transaction can carry is encoded", () => {
    expect(source.encodeResult(TASK, resultOf(120_000))).toMatch(/^0x0/);
  });

  it("that none can carry fails with its size, the limit, and what to do", () => {
    expect(() => source.encodeResult(TASK, resultOf(131_000))).toThrow(TaskDataError);
    expect(() => source.encodeResult(TASK, resultOf(131_000))).toThrow(
      /^\[RESULT_TOO_LARGE\] the result of encode takes 131\d+ bytes, and a transaction carries at most 130048 .*128 KiB.*object keys/,
    );
  });
});
