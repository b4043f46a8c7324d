import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test, vi } from "vitest";
import { stringify } from "yaml";
import type { SpecProblem } from "../src/index.ts";
import { DURATION, LARGEST_OBJECT_BYTES, SIZE } from "../src/quantities.ts";
import { CLASSES, MOST_ATTEMPTS, MOST_MEMORY_MB, RESULTS } from "../src/run-options.ts";
import {
  ACTIVITY_KEYS,
  ARTIFACT_KEYS,
  LIMITS_KEYS,
  PARAM_KEYS,
  RETRY_KEYS,
  SINGLE_KEYS,
  WORKFLOW_KEYS,
} from "../src/spec-keys.ts";
import { MEDIA_TYPE, PARAM_NAME, SEMVER, slug, WORKFLOW_VERSION } from "../src/text-rules.ts";
import { check } from "./_arbitraries.ts";
import { definition, isValid, resolved, SCHEMA, type Schema } from "./_schema.ts";
import { goodDocuments, oddDocuments } from "./_spec-documents.ts";
import { activityWith, inputWith, problemsOf } from "./_specs.ts";

vi.setConfig({ testTimeout: 300_000 });

/** What a schema cannot say, or says more loosely. */
const BEYOND_SCHEMA = [
  /is used twice$/,
  /can never agree$/,
  /which require_gpu asks for$/,
  /is less than the first wait/,
  /^only an object in storage has a size$/,
  /cannot be an object key$/,
  /is not an ABI type/,
  // The schema knows the form of an amount, not how much it comes to.
  /^expected a duration, found "[\d.]+(?:ms|s|m|h|d)"$/,
  /^expected a size, found "[\d.]+ ?(?:B|[KMG]i?B)"$/,
];

function isStructural({ message }: SpecProblem): boolean {
  return !BEYOND_SCHEMA.some((pattern) => pattern.test(message));
}

describe("the schema and the parser", () => {
  test.each([
    ["workflow", WORKFLOW_KEYS],
    ["activity", ACTIVITY_KEYS],
    ["single", SINGLE_KEYS],
    ["param", PARAM_KEYS],
    ["artifact", ARTIFACT_KEYS],
    ["limits", LIMITS_KEYS],
    ["retry", RETRY_KEYS],
  ])("know the same keys of %s, and the schema describes each", (name, keys) => {
    const { properties = {}, additionalProperties } = definition(name);
    expect(Object.keys(properties).toSorted()).toEqual([...keys].toSorted());
    expect(additionalProperties).toBe(false);
    const silent = Object.entries(properties).filter(([, each]) => resolved(each).description === undefined);
    expect(silent).toEqual([]);
  });

  test("have the same patterns, words and limits", () => {
    const at = (name: string, key: string): Schema => resolved(definition(name).properties?.[key] as Schema);
    expect(at("workflow", "version").pattern).toBe(WORKFLOW_VERSION.pattern?.source);
    expect(at("single", "task_version").pattern).toBe(SEMVER.pattern?.source);
    expect(at("param", "name").pattern).toBe(PARAM_NAME.pattern?.source);
    expect(at("param", "media_type").pattern).toBe(MEDIA_TYPE.pattern?.source);
    expect(at("param", "max_size").pattern).toBe(SIZE.source);
    expect(at("param", "max_size").maximum).toBe(LARGEST_OBJECT_BYTES);
    expect(at("limits", "memory_mb").maximum).toBe(MOST_MEMORY_MB);
    expect(at("retry", "max_attempts").maximum).toBe(MOST_ATTEMPTS);
    expect(at("activity", "class").enum).toEqual([...CLASSES, null]);
    expect(at("activity", "result").enum).toEqual([...RESULTS, null]);
    expect(definition("slug").pattern).toBe(slug("x").pattern?.source);
    expect(definition("duration").pattern).toBe(DURATION.source);
  });

  test("agree about a file with something odd in it", () => {
    const seen = { accepted: 0, structural: 0 };
    check(oddDocuments, 2_000, (document) => {
      const text = stringify(document);
      const problems = problemsOf(text);
      if (problems.length === 0) seen.accepted += 1;
      if (problems.some(isStructural)) seen.structural += 1;
      // Where the parser refuses for what a schema cannot say, the schema may accept.
      if (problems.length === 0) expect(isValid(text), text).toBe(true);
      if (problems.some(isStructural)) expect(isValid(text), JSON.stringify(problems)).toBe(false);
    });
    expect(seen.accepted).toBeGreaterThan(100);
    expect(seen.structural).toBeGreaterThan(100);
  });

  test("agree about a file with nothing odd in it", () => {
    check(goodDocuments, 500, (document) => {
      const text = stringify(document);
      expect(problemsOf(text).filter(isStructural)).toEqual([]);
      expect(isValid(text)).toBe(true);
    });
  });
});

describe("an editor", () => {
  const folder = new URL("../../../activity-specs/", import.meta.url);
  test.each(readdirSync(folder).filter((name) => name.endsWith(".yaml")))("accepts %s", (name) => {
    expect(isValid(readFileSync(new URL(name, folder), "utf8"))).toBe(true);
  });

  test.each([
    ["", "an empty file"],
    ["- a", "a list"],
    ["version: a/1.0.0\nactivities: []", "no activities"],
    ["task_kind: a\ntask_version: 1.0.0\nactivities: []", "both forms at once"],
    [activityWith("artifact: {upload: true}"), "an unknown key further in"],
    [activityWith("deadline: 5"), "a duration without its unit"],
    [activityWith("limits: {timeout: 5 min}"), "another unit"],
    [activityWith("class: GPU"), "a word in capitals"],
    [inputWith("name: a_object_key", "type: string", "max_size: 5mb"), "megabytes in small letters"],
    [inputWith("name: a", "type: string;"), "what no type has in it"],
  ])("refuses %j: %s", (text) => {
    expect(isValid(text)).toBe(false);
    expect(problemsOf(text)).not.toEqual([]);
  });

  test("is told which draft it is", () => {
    expect(SCHEMA).toMatchObject({ $schema: "https://json-schema.org/draft/2020-12/schema" });
  });
});
