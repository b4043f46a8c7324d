import { describe, expect, it } from "vitest";
import { parseRecordedRun, type RecordedRun, RecordedRunError } from "./recorded-run.ts";

const RUN: RecordedRun = {
  format: "subnet-worker.recorded-run/1",
  activity: { id: "0x01", kind: "audio.preprocess", version: "1.0.0", workflowInstanceId: "" },
  run: {
    id: "run-1",
    attempt: 2,
    uploadPrefix: "runs/none/01/run-1/",
    checkpointRef: "runs/none/01/run-0/half",
    metadata: { traceparent: "00-1-2-01" },
    timeoutMs: 60_000,
    memoryMb: 256,
    deadlineMs: 1_700_000_000_000,
    isResultByReference: true,
  },
  inputs: [
    { name: "rate_hz", abiType: "uint64", mediaType: "application/json", value: "44100" },
    {
      name: "audio_object_key",
      abiType: "string",
      mediaType: "audio/wav",
      objectKey: "in/song.wav",
      url: "https://store/in/song.wav?X-Amz-Signature=1",
      urlExpiresAtMs: 1_700_000_000_000,
      stored: { objectKey: "in/song.wav", sizeBytes: 3, modifiedAtMs: 1_700_000_000_000, sha256: "ab" },
      maxBytes: 1_000,
    },
    { name: "nothing", abiType: "", mediaType: "application/json", value: null },
  ],
  workflowInputs: [],
  outputs: [{ name: "key", abiType: "string", mediaType: "audio/wav", isObjectKey: true, maxBytes: 9 }],
  outcome: {
    state: "done",
    status: "error",
    code: 2001,
    reason: "it broke",
    outputs: { key: "a" },
    objects: [{ objectKey: "a", sizeBytes: 1, modifiedAtMs: 2 }],
  },
};

function broken(change: (run: { [name: string]: unknown }) => void): string {
  const run = structuredClone(RUN) as unknown as { [name: string]: unknown };
  change(run);
  return JSON.stringify(run);
}

function tableAt(run: { [name: string]: unknown }, name: string): { [name: string]: unknown } {
  return run[name] as { [name: string]: unknown };
}

describe("a recorded run", () => {
  it("is read as it was written", () => {
    expect(parseRecordedRun(JSON.stringify(RUN))).toEqual(RUN);
  });

  it("needs nothing that is optional", () => {
    const { outcome: _, ...run } = RUN;
    const { id, attempt, uploadPrefix } = run.run;
    const least = { ...run, run: { id, attempt, uploadPrefix, metadata: {} } };
    expect(parseRecordedRun(JSON.stringify(least))).toEqual(least);
  });

  it("leaves out what it does not know, so that later programs may say more", () => {
    const more = broken((run) => {
      run["extra"] = 1;
      tableAt(run, "activity")["extra"] = 1;
    });
    expect(parseRecordedRun(more)).toEqual(RUN);
  });

  it.each([
    ["not json", "it is not JSON"],
    ["[]", "the document must be an object, and is []"],
    ["{}", "format is not there"],
    [broken((run) => (run["format"] = "subnet-worker.recorded-run/2")), 'recorded-run/2", and this program'],
    [broken((run) => delete run["activity"]), "activity must be an object, and is not there"],
    [broken((run) => (tableAt(run, "activity")["kind"] = 7)), "activity.kind must be a string, and is 7"],
    [broken((run) => (tableAt(run, "run")["attempt"] = -1)), "run.attempt must be a whole number, 0 or more"],
    [broken((run) => (tableAt(run, "run")["attempt"] = 1.5)), "and is 1.5"],
    [broken((run) => (tableAt(run, "run")["metadata"] = { a: 1 })), "run.metadata.a must be a string"],
    [broken((run) => (run["inputs"] = {})), "inputs must be a list, and is {}"],
    [broken((run) => (run["inputs"] = [{ name: "a" }])), "inputs[0] has neither value nor objectKey"],
    [broken((run) => (run["workflowInputs"] = [3])), "workflowInputs[0] must be an object"],
    [broken((run) => (run["outputs"] = [{ name: "a" }])), "outputs[0].abiType must be a string"],
    [
      broken((run) => (tableAt(run, "outcome")["status"] = "ok")),
      'must be "success" or "error", and is "ok"',
    ],
    [broken((run) => (tableAt(run, "outcome")["outputs"] = [])), "outcome.outputs must be an object"],
  ])("that is none is refused: %#", (document, problem) => {
    expect(() => parseRecordedRun(document)).toThrow(RecordedRunError);
    expect(() => parseRecordedRun(document)).toThrow(problem);
    expect(() => parseRecordedRun(document)).toThrow("wcp record show");
  });

  it("quotes no more of a wrong value than helps", () => {
    const long = broken((run) => (tableAt(run, "run")["attempt"] = "x".repeat(10_000)));
    expect(() => parseRecordedRun(long)).toThrow(/^.{0,400}$/s);
  });
});
