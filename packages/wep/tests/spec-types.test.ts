import { readdirSync, readFileSync } from "node:fs";
import {
  type AbiValue,
  bytesToHex,
  formatAbiType,
  parseSpec,
  SpecError,
  specTypes,
} from "@subnet-worker/activity-spec";
import { beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { sampleCases, sampleSeed } from "../../activity-spec/tests/_arbitraries.ts";
import { sampleDocuments } from "../../activity-spec/tests/_spec-documents.ts";
import { Project } from "./_compile.ts";

const FOLDERS = ["../../../activity-specs/", "../../activity-spec/tests/fixtures/"].map(
  (path) => new URL(path, import.meta.url),
);
const AUDIO = readFileSync(new URL("audio.yaml", FOLDERS[0]), "utf8");

function typesOf(text: string): string {
  return specTypes(parseSpec(text, { fileName: "spec.yaml" }), { source: "spec.yaml" });
}

/** `undefined`: the file contradicts itself. */
function typesIfGood(text: string): string | undefined {
  try {
    return typesOf(text);
  } catch (error) {
    if (error instanceof SpecError) return undefined;
    throw error;
  }
}

/** A value as TypeScript has it. */
function literalOf(value: AbiValue): string {
  if (typeof value === "bigint") return `${value}n`;
  if (value instanceof Uint8Array) return `new Uint8Array([${value.join(", ")}])`;
  return typeof value === "object" ? `[${value.map(literalOf).join(", ")}]` : JSON.stringify(value);
}

/** The same value in another form that a handler may return. */
function otherForm(value: AbiValue): AbiValue {
  if (value instanceof Uint8Array) return bytesToHex(value);
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  return typeof value === "object" ? value.map(otherForm) : value;
}

describe("the types of a spec compile", () => {
  test("for the specs that are shipped, and for deployed ones", () => {
    using project = new Project();
    const files = FOLDERS.flatMap((folder) => readdirSync(folder).map((name) => new URL(name, folder)));
    const specs = files.filter(({ pathname }) => pathname.endsWith(".yaml"));
    expect(specs.length).toBeGreaterThanOrEqual(5);
    specs.forEach((file, index) => project.write(`spec-${index}.ts`, typesOf(readFileSync(file, "utf8"))));
    expect(project.problems()).toEqual([]);
  });

  test("for any spec", () => {
    using project = new Project();
    const seed = sampleSeed();
    const modules = sampleDocuments(200, seed).flatMap((document) => typesIfGood(stringify(document)) ?? []);
    expect(modules.length).toBeGreaterThan(50);
    modules.forEach((text, index) => project.write(`spec-${index}.ts`, text));
    expect(project.problems(), `FC_SEED=${seed} replays it`).toEqual([]);
  });

  test("and are those of every value that the codec gives, and of the forms that it takes", () => {
    using project = new Project();
    const seed = sampleSeed();
    const cases = sampleCases(200, seed);
    const params = cases.map(({ type }, index) => ({ name: `p${index}`, type: formatAbiType(type) }));
    const spec = { task_kind: "step", task_version: "1.0.0", inputs: params, outputs: params };
    const fields = (form: (value: AbiValue) => AbiValue) =>
      cases.map(({ value }, index) => `  p${index}: ${literalOf(form(value))},`).join("\n");
    project.write("spec.ts", typesOf(stringify(spec)));
    project.write(
      "values.ts",
      [
        'import type { StepInput, StepOutput } from "./spec.ts";',
        `export const input: StepInput = {\n${fields((value) => value)}\n};`,
        "export const passedOn: StepOutput = input;",
        `export const output: StepOutput = {\n${fields(otherForm)}\n};`,
      ].join("\n"),
    );
    expect(project.problems(), `FC_SEED=${seed} replays it`).toEqual([]);
  });
});

describe("a handler of a spec's activity, compiled when", () => {
  const HANDLER = `
    import { defineHandler } from "@subnet-worker/wep-sdk";
    import { audioValidate } from "./audio.activity.ts";

    export const validate: unknown = defineHandler(audioValidate, {
      run(input) {
        const isLong: boolean = input.duration_ms > 1_000n;
        return {
          accepted: isLong,
          verdict: input.processed_object_key.name,
          integrated_millilufs: -23_000,
          clipped_ppm: 0,
          silence_ppm: 0,
          snr_millidb: input.gain_millidb,
        };
      },
    });`;

  /** What is changed in the spec, or in the handler, and what the compiler then says of the handler. */
  const CHANGES: readonly {
    readonly what: string;
    readonly spec?: readonly [string, string];
    readonly handler?: readonly [string, string];
    readonly says?: RegExp;
  }[] = [
    { what: "nothing" },
    {
      what: "an input has another name in the spec",
      spec: ["duration_ms", "length_ms"],
      says: /^TS2\d+: Property 'duration_ms' does not exist/,
    },
    {
      what: "an output has another name in the spec",
      spec: ["clipped_ppm", "clipping_ppm"],
      says: /^TS2\d+: .*clipp/s,
    },
    {
      what: "an output has another type in the spec",
      spec: ["name: clipped_ppm\n        type: uint32", "name: clipped_ppm\n        type: bool"],
      says: /^TS2322: /,
    },
    {
      what: "it returns text for a number",
      handler: ["clipped_ppm: 0", 'clipped_ppm: "0"'],
      says: /^TS2322: /,
    },
    {
      what: "it returns a number for a verdict",
      handler: ["accepted: isLong", "accepted: 1"],
      says: /^TS2322: /,
    },
    {
      what: "it returns an object in storage for text",
      handler: ["input.processed_object_key.name", "input.processed_object_key"],
      says: /^TS2322: /,
    },
    {
      what: "it leaves an output out",
      handler: ["verdict: input.processed_object_key.name,", ""],
      says: /^TS2322: /,
    },
  ];

  const problems = new Map<number, string[]>();
  beforeAll(() => {
    using project = new Project();
    for (const [
      index,
      { spec: [before, after] = ["", ""], handler: [good, bad] = ["", ""] },
    ] of CHANGES.entries()) {
      if (!AUDIO.includes(before) || !HANDLER.includes(good))
        throw new Error(`${before}${good} is not there`);
      project.write(`${index}/audio.activity.ts`, typesOf(AUDIO.replaceAll(before, after)));
      project.write(`${index}/handler.ts`, HANDLER.replace(good, bad));
    }
    for (const problem of project.problems()) {
      const [, index, says = problem] = /^(\d+)\/handler\.ts: (.*)$/s.exec(problem) ?? [];
      problems.set(Number(index), [...(problems.get(Number(index)) ?? []), says]);
    }
  });

  test.each(CHANGES.map((change, index) => ({ ...change, index })))("$what", ({ says, index }) => {
    const found = problems.get(index) ?? [];
    expect(problems.get(Number.NaN)).toBeUndefined();
    if (says === undefined) expect(found).toEqual([]);
    else expect(found.join("\n")).toMatch(says);
  });
});
