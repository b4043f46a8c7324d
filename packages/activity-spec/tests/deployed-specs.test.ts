import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import * as fc from "fast-check";
import {
  decodeParams,
  encodeParams,
  formatAbiType,
  parseAbiType,
  parseSpec,
  type Param,
  toTyped,
  type WorkflowSpec,
} from "../src/index.ts";
import { check, valueOf } from "./_arbitraries.ts";
import { ETHERS, forEthers } from "./_ethers.ts";
import { isValid } from "./_schema.ts";

const FOLDER = new URL("fixtures/", import.meta.url);
const FILES = readdirSync(FOLDER).filter((name) => name.startsWith("deployed-"));

function textOf(fileName: string): string {
  return readFileSync(new URL(fileName, FOLDER), "utf8");
}

function load(fileName: string): WorkflowSpec {
  return parseSpec(textOf(fileName), { fileName });
}

function typesOf(params: readonly Param[] | undefined): string[] {
  return (params ?? []).map(({ name, type, isObjectKey }) => `${type} ${name}${isObjectKey ? " (key)" : ""}`);
}

test.each(FILES)("%s reads as it is, and the schema accepts it", (fileName) => {
  expect(load(fileName).activities.length).toBeGreaterThan(0);
  expect(isValid(textOf(fileName))).toBe(true);
});

test.each(FILES)(
  "%s: what a contract encodes for its activities reads, and is written the same",
  (fileName) => {
    for (const params of load(fileName).activities.flatMap(({ inputs, outputs }) => [inputs, outputs])) {
      const types = params.map(({ type }) => parseAbiType(type));
      check(fc.tuple(...types.map(valueOf)), 20, (values) => {
        const onChain = ETHERS.encode(types.map(formatAbiType), values.map(forEthers));
        const decoded = decodeParams(params, onChain);
        expect(params.map(({ name, type }) => toTyped(type, decoded[name]))).toEqual(values);
        expect(encodeParams(params, decoded)).toBe(onChain);
      });
    }
  },
);

test("a deployed file asks for nothing beyond what the node has", () => {
  for (const { limits, retry, result, deadlineMs } of FILES.flatMap((name) => load(name).activities)) {
    expect({ limits, retry, result, deadlineMs }).toEqual({
      limits: {},
      retry: {},
      result: "auto",
      deadlineMs: undefined,
    });
  }
});

describe("the workflow of videos", () => {
  const { workflow, activities } = load("deployed-video.yaml");

  test("has a queue for each class of worker, and GPU slots where it requires a GPU", () => {
    expect(workflow).toBe("video/1.1.0");
    expect(activities.map(({ id, queue, resourceClass }) => [id, queue, resourceClass])).toEqual([
      ["video_preprocess", "video/1.1.0/processing", "gpu"],
      ["video_validation", "video/1.1.0/validation", "cpu"],
      ["video_retry_validation", "video/1.1.0/validation", "cpu"],
      ["video_ip_registration", "video/1.1.0/ip_registration", "cpu"],
    ]);
  });

  test("has its lists, nested tuples and object keys in Solidity's notation", () => {
    expect(typesOf(activities[0]?.inputs)).toEqual([
      "string video_object_key (key)",
      "string subtitle_file_path (key)",
      "string[] tags",
      "(uint32,uint32,(uint32,uint32)) crop",
    ]);
    expect(typesOf(activities[0]?.outputs)).toEqual([
      "string processed_object_key (key)",
      "(string,uint64)[] frames",
      "(string,(uint32,uint32),string[])[] streams",
    ]);
    expect(typesOf(activities[1]?.outputs)).toEqual(["(bool,bool,string,string) verdict", "int64[4] scores"]);
  });

  test("takes a quorum, a step to skip, and a description with nothing in it", () => {
    expect(activities.map(({ numWorkers, quorum }) => `${quorum}/${numWorkers}`)).toEqual([
      "1/1",
      "2/3",
      "1/1",
      "1/1",
    ]);
    expect(activities.map(({ skipOnPrevSuccess }) => skipOnPrevSuccess)).toEqual([false, false, true, false]);
    expect(activities.map(({ uploadToStorage }) => uploadToStorage)).toEqual([true, false, false, false]);
    expect(activities[2]?.description).toBe("");
  });
});

test("the workflow of recordings nests a list in the tuples of a list", () => {
  const { activities } = load("deployed-audio.yaml");
  expect(typesOf(activities[1]?.inputs)).toEqual([
    "string processed_file_path (key)",
    "(uint64,uint64,(string,int32)[])[] segments",
    "string[] channel_names",
  ]);
});

test("the form of a single activity is a workflow of one", () => {
  const { workflow, activities } = load("deployed-single.yaml");
  expect(workflow).toBe("video_preprocess/1.1.0");
  expect(activities).toHaveLength(1);
  expect(typesOf(activities[0]?.inputs)).toEqual([
    "string video_object_key (key)",
    "string subtitle_file_path (key)",
    "string[] tags",
  ]);
});
