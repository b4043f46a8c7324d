import { describe, expect, test } from "vitest";
import { activityWith, inputWith, parse } from "../tests/_specs.ts";
import { specTypes } from "./spec-types.ts";

function typesOf(text: string): string {
  return specTypes(parse(text), { source: "a.yaml" });
}

/** The type that each side gives to a parameter of a type. */
function fieldsOf(type: string): readonly (string | undefined)[] {
  const param = `- {name: it, type: "${type}"}`;
  const text = typesOf(activityWith("input_params:", param, "output_params:", param));
  return Array.from(text.matchAll(/ readonly it: (.*);$/gm), ([, found]) => found);
}

test("a module has the inputs, the outputs and the activity itself", () => {
  const text = activityWith(
    "description: Counts words",
    "name: Count",
    "kind: demo.count",
    "class: io",
    "input_params:",
    "- {name: text_object_key, type: string, description: What to read, media_type: text/plain, max_size: 1KB}",
    "output_params:",
    "- {name: words, type: uint32}",
    "- {name: report_file_path, type: string, description: Which ones.}",
  );
  expect(typesOf(text)).toBe(`\
// Types of the activities in a.yaml, written by this command, run in this directory:
//   wep spec types a.yaml
// Change the spec, not this file.
/* eslint-disable */

import { type Activity, defineActivity, type InputFile, type ObjectOutput } from "@subnet-worker/wep-sdk";

/** What step is given. */
export interface StepInput {
  /** What to read. An object in storage, text/plain, at most 1000 bytes. */
  readonly text_object_key: InputFile;
}

/** What step returns. */
export interface StepOutput {
  /** \`uint32\`. */
  readonly words: number;
  /** Which ones. An object in storage. */
  readonly report_file_path: ObjectOutput;
}

/** Count: Counts words */
export const step: Activity<StepInput, StepOutput> = defineActivity({
  kind: "demo.count",
  version: "1.0.0",
  class: "io",
  inputs: [
    {
      name: "text_object_key",
      type: "string",
      isObjectKey: true,
      mediaType: "text/plain",
      maxBytes: 1000,
    },
  ],
  outputs: [
    { name: "words", type: "uint32" },
    { name: "report_file_path", type: "string", isObjectKey: true },
  ],
});
`);
});

test("what is not used is not imported", () => {
  expect(typesOf(activityWith())).toContain('import { type Activity, defineActivity } from "@subnet-worker');
  expect(typesOf(inputWith("name: a_object_key", "type: string"))).not.toContain("ObjectOutput");
});

test.each([
  ["bool", "boolean", "boolean"],
  ["uint48", "number", "number"],
  ["int56", "bigint", "number | bigint"],
  ["address", "`0x${string}`", "Uint8Array | `0x${string}`"],
  ["bytes3", "Uint8Array", "Uint8Array | `0x${string}`"],
  ["[]string", "readonly string[]", "readonly string[]"],
  ["uint64[2]", "readonly bigint[]", "readonly (number | bigint)[]"],
  [
    "(bool,(uint8,int256))[][]",
    "readonly (readonly (readonly [boolean, readonly [number, bigint]])[])[]",
    "readonly (readonly (readonly [boolean, readonly [number, number | bigint]])[])[]",
  ],
])("%s is given as %s and may be returned as %s", (type, input, output) => {
  expect(fieldsOf(type)).toEqual([input, output]);
});

describe("a description", () => {
  function docOf(description: string): string {
    const text = typesOf(activityWith(`description: ${JSON.stringify(description)}`));
    return /[^]*(\/\*\*[^]*)\nexport const/.exec(text)?.[1] ?? "";
  }

  test("cannot end its comment, nor be a tag or a directive", () => {
    expect(docOf("a */ b")).toBe("/** a *\\/ b */");
    expect(docOf("@ts-expect-error")).toBe("/** \\@ts-expect-error */");
  });

  test("is wrapped, whatever its lines were", () => {
    const doc = docOf(`one\ntwo\u2028${"three ".repeat(30)}`);
    expect(doc.split("\n")[1]).toMatch(/^ \* one two three/);
    expect(Math.max(...doc.split("\n").map((line) => line.length))).toBeLessThan(95);
  });
});

test("the header says from what and by what, on one line each", () => {
  const text = specTypes(parse(activityWith()), {
    source: "../x\ny.yaml",
    command: "wep spec types ../x.yaml --out x.ts",
  });
  expect(text.split("\n").slice(0, 2)).toEqual([
    "// Types of the activities in ../x y.yaml, written by this command, run in this directory:",
    "//   wep spec types ../x.yaml --out x.ts",
  ]);
});
