import { readdirSync, readFileSync } from "node:fs";
import {
  type AbiValue,
  bytesToHex,
  formatAbiType,
  parseSpec,
  SpecError,
  specTypes,
} from "@subnet-worker/activity-spec";
import { describe, expect, test } from "vitest";
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

describe("a handler of a spec's activity", () => {
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

  function problemsOf(spec: string, handler = HANDLER): readonly string[] {
    using project = new Project();
    project.write("audio.activity.ts", typesOf(spec));
    project.write("handler.ts", handler);
    return project.problems();
  }

  test("compiles", () => {
    expect(problemsOf(AUDIO)).toEqual([]);
  });

  test("no longer compiles when the spec calls an input by another name", () => {
    const [problem, ...others] = problemsOf(AUDIO.replaceAll("duration_ms", "length_ms"));
    expect(others).toEqual([]);
    expect(problem).toMatch(/^handler\.ts: TS2\d+: Property 'duration_ms' does not exist/);
  });

  test("no longer compiles when the spec calls an output by another name", () => {
    const problems = problemsOf(AUDIO.replaceAll("clipped_ppm", "clipping_ppm"));
    expect(problems.join("\n")).toMatch(/^handler\.ts: TS2\d+: .*clipped_ppm/s);
  });

  test.each([
    ["text for a number", "clipped_ppm: 0", 'clipped_ppm: "0"'],
    ["a number for a verdict", "accepted: isLong", "accepted: 1"],
    ["an object in storage for its key", "input.processed_object_key.name", "input.processed_object_key"],
    ["no verdict", "verdict: input.processed_object_key.name,", ""],
  ])("does not compile when it returns %s", (_what, good, bad) => {
    expect(HANDLER).toContain(good);
    expect(problemsOf(AUDIO, HANDLER.replace(good, bad)).join("\n")).toMatch(/^handler\.ts: TS2322: /);
  });
});
