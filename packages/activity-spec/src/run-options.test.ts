import { describe, expect, test } from "vitest";
import { activityWith, inputWith, parse, problemsOf } from "../tests/_specs.ts";
import type { ActivitySpec, Param } from "./spec.ts";

function activityOf(text: string): ActivitySpec | undefined {
  return parse(text).activities[0];
}

function maxBytesOf(maxSize: string): number | undefined {
  const [input]: readonly Param[] =
    activityOf(inputWith("name: a_object_key", "type: string", `max_size: ${maxSize}`))?.inputs ?? [];
  return input?.maxBytes;
}

describe("an activity says how it is run", () => {
  const LINES = [
    "class: io",
    "limits: {timeout: 10m, memory_mb: 2048}",
    "deadline: 2h",
    "retry: {max_attempts: 5, initial: 2s, max: 1m}",
    "result: reference",
  ];
  const RUN = {
    resourceClass: "io",
    limits: { timeoutMs: 600_000, memoryMb: 2_048 },
    deadlineMs: 7_200_000,
    retry: { maxAttempts: 5, initialMs: 2_000, maxMs: 60_000 },
    result: "reference",
  };

  test("in a workflow file", () => {
    expect(activityOf(activityWith(...LINES))).toMatchObject(RUN);
  });

  test("in the single-activity form", () => {
    expect(activityOf(["task_kind: a", "task_version: 1.0.0", ...LINES].join("\n"))).toMatchObject(RUN);
  });

  test("or leaves it, all or in part, to the node", () => {
    const bare = activityOf(activityWith("limits:", "retry: {max: 1m}", "deadline:"));
    expect(bare).toMatchObject({
      resourceClass: "cpu",
      limits: {},
      retry: { maxMs: 60_000 },
      result: "auto",
    });
    expect(Object.keys(bare ?? {})).not.toContain("deadlineMs");
    expect(Object.keys(bare?.retry ?? {})).toEqual(["maxMs"]);
  });

  test.each([
    { lines: ["require_gpu: true"], resourceClass: "gpu" },
    { lines: ["require_gpu: true", "class: gpu"], resourceClass: "gpu" },
    { lines: ["require_gpu: false", "class: gpu"], resourceClass: "gpu" },
    { lines: ["require_gpu: false"], resourceClass: "cpu" },
  ])("with $lines its slots are $resourceClass", ({ lines, resourceClass }) => {
    expect(activityOf(activityWith(...lines))?.resourceClass).toBe(resourceClass);
  });
});

describe("a duration", () => {
  test.each([
    ["500ms", 500],
    ["1.5s", 1_500],
    ["10m", 600_000],
    ["2h", 7_200_000],
    ["24d", 2_073_600_000],
  ])("%s is %d ms", (text, deadlineMs) => {
    expect(activityOf(activityWith(`deadline: ${text}`))?.deadlineMs).toBe(deadlineMs);
  });
});

describe("a size", () => {
  test.each([
    ["1", 1],
    ["52428800", 52_428_800],
    ["800B", 800],
    ["50MB", 50_000_000],
    ["1.5 KB", 1_500],
    ["3KiB", 3_072],
    ["2MiB", 2_097_152],
    ["1GB", 1_000_000_000],
    ["5120GiB", 5_497_558_138_880],
  ])("%s is %d bytes", (text, maxBytes) => {
    expect(maxBytesOf(text)).toBe(maxBytes);
  });
});

describe("what will not do is refused with its line, its field and what to do", () => {
  test.each<[text: string, place: string, message: string, remedy: string]>([
    [activityWith("class: tpu"), "5 activities[0].class", 'no such choice as "tpu"', "cpu or gpu or io"],
    [
      activityWith("class: cpu", "require_gpu: true"),
      "5 activities[0].class",
      "a slot of class cpu has no GPU, which require_gpu asks for",
      "class: gpu",
    ],
    [
      activityWith("class: io", "require_gpu: true"),
      "5 activities[0].class",
      "class io has no GPU",
      "class: gpu",
    ],
    [
      activityWith("limits: 10m"),
      "5 activities[0].limits",
      'expected a mapping, found "10m"',
      "timeout, memory_mb",
    ],
    [activityWith("limits: {time: 1s}"), "5 activities[0].limits.time", "no such key", "timeout"],
    [
      activityWith("limits: {timeout: 10}"),
      "5 activities[0].limits.timeout",
      "found the number 10",
      "10s, 5m",
    ],
    [
      activityWith("limits: {timeout: 0s}"),
      "5 activities[0].limits.timeout",
      'a duration, found "0s"',
      "above 0",
    ],
    [
      activityWith("limits: {memory_mb: 2GB}"),
      "5 activities[0].limits.memory_mb",
      'found "2GB"',
      "at most 4294967295",
    ],
    [activityWith("deadline: 2 h"), "5 activities[0].deadline", 'found "2 h"', "2h or 1d"],
    [activityWith("deadline: 25d"), "5 activities[0].deadline", 'found "25d"', "at most 24d"],
    [
      activityWith("retry: {max_attempts: 0}"),
      "5 activities[0].retry.max_attempts",
      "found the number 0",
      "at least 1",
    ],
    [
      activityWith("retry: {max_attempts: 1001}"),
      "5 activities[0].retry.max_attempts",
      "number 1001",
      "at most 1000",
    ],
    [
      activityWith("retry: {initial: 1m, max: 2s}"),
      "5 activities[0].retry.max",
      "2000 ms is less than the first wait, 60000 ms",
      "at least initial",
    ],
    [
      activityWith("result: big"),
      "5 activities[0].result",
      'no such choice as "big"',
      "auto or inline or reference",
    ],
    [
      inputWith("name: a_object_key", "type: string", "max_size: 5mb"),
      "8 activities[0].input_params[0].max_size",
      'expected a size, found "5mb"',
      "like 50MB",
    ],
    [
      inputWith("name: a_object_key", "type: string", "max_size: 0"),
      "8 activities[0].input_params[0].max_size",
      "found the number 0",
      "like 50MB",
    ],
    [
      inputWith("name: a_object_key", "type: string", "max_size: 5121GiB"),
      "8 activities[0].input_params[0].max_size",
      'found "5121GiB"',
      "at most 5120GiB",
    ],
    [
      inputWith("name: a", "type: bytes", "max_size: 5MB"),
      "8 activities[0].input_params[0].max_size",
      "only an object in storage has a size",
      "object_key: true",
    ],
    [
      inputWith("name: a_object_key", "type: string", "object_key: false", "max_size: 5MB"),
      "9 activities[0].input_params[0].max_size",
      "only an object in storage",
      "remove max_size",
    ],
  ])("%j: %s: %s", (...[text, place, message, remedy]) => {
    const [problem, ...others] = problemsOf(text);
    expect(others).toEqual([]);
    expect(`${problem?.line} ${problem?.field}`).toBe(place);
    expect(problem?.message).toContain(message);
    expect(problem?.remedy).toContain(remedy);
  });
});
