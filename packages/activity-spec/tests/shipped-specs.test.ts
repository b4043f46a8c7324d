import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  decodeParams,
  encodeParams,
  parseSpec,
  type ActivitySpec,
  type Param,
  type WorkflowSpec,
} from "../src/index.ts";

const FOLDER = new URL("../../../activity-specs/", import.meta.url);

function load(fileName: string): WorkflowSpec {
  return parseSpec(readFileSync(new URL(fileName, FOLDER), "utf8"), { fileName });
}

function twoOf({ activities: [first, second] }: WorkflowSpec): readonly [ActivitySpec, ActivitySpec] {
  if (first === undefined || second === undefined) throw new Error("expected two activities or more");
  return [first, second];
}

const FILES = readdirSync(FOLDER).filter((name) => name.endsWith(".yaml"));

test.each(FILES)("%s loads, and each step takes what the one before gives", (fileName) => {
  const { activities } = load(fileName);
  activities.slice(1).forEach((activity, index) => {
    expect(activity.inputs).toEqual(activities[index]?.outputs);
  });
});

test("audio.yaml describes the sample", () => {
  const spec = load("audio.yaml");
  expect(spec.workflow).toBe("audio/1.0.0");
  expect(spec.activities.map(({ id, kind, queue }) => [id, kind, queue])).toEqual([
    ["audio_preprocess", "audio.preprocess", "audio/1.0.0/processing"],
    ["audio_validate", "audio.validate", "audio/1.0.0/validation"],
  ]);
  const [preprocess, validate] = twoOf(spec);
  const short = (params: readonly Param[]) => params.map(({ name, type }) => `${type} ${name}`);
  expect(short(preprocess.inputs)).toEqual(["string audio_object_key"]);
  expect(short(preprocess.outputs)).toEqual([
    "string processed_object_key",
    "string waveform_object_key",
    "uint32 sample_rate_hz",
    "uint64 duration_ms",
    "uint64 trimmed_ms",
    "int32 gain_millidb",
  ]);
  expect(short(validate.outputs)).toEqual([
    "bool accepted",
    "string verdict",
    "int32 integrated_millilufs",
    "uint32 clipped_ppm",
    "uint32 silence_ppm",
    "int32 snr_millidb",
  ]);
  expect(
    preprocess.outputs
      .filter(({ isObjectKey }) => isObjectKey)
      .map(({ name, mediaType }) => [name, mediaType]),
  ).toEqual([
    ["processed_object_key", "audio/wav"],
    ["waveform_object_key", "image/png"],
  ]);
});

describe("video.yaml", () => {
  test("says what a run may take", () => {
    const [preprocess, validate] = twoOf(load("video.yaml"));
    expect(preprocess).toMatchObject({
      resourceClass: "gpu",
      limits: { timeoutMs: 3_600_000, memoryMb: 8_192 },
      deadlineMs: 7_200_000,
      retry: { maxAttempts: 3, initialMs: 10_000, maxMs: 300_000 },
      result: "auto",
    });
    expect(preprocess.inputs[0]).toMatchObject({ mediaType: "video/*", maxBytes: 20 * 2 ** 30 });
    expect(validate).toMatchObject({ resourceClass: "cpu", limits: {}, retry: {} });
  });

  test("has nested tuples, lists and file paths, and its values go there and back", () => {
    const [preprocess, validate] = twoOf(load("video.yaml"));
    const outputs = {
      processed_object_key: "runs/1/video.mp4",
      audio_file_path: "runs/1/audio.m4a",
      thumbnails: ["a.png", "b.png"],
      tracks: [
        ["h264", [1920, 1080], "60000"],
        ["aac", [0, 0], "59999"],
      ],
    };
    const resultData = encodeParams(preprocess.outputs, outputs);
    expect(decodeParams(validate.inputs, resultData)).toEqual(outputs);
    expect(validate.inputs.filter(({ isObjectKey }) => isObjectKey)).toHaveLength(2);
    expect(validate.quorum).toBe(2);
  });
});
