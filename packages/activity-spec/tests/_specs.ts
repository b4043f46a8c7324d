import { parseSpec, SpecError, type SpecProblem, type WorkflowSpec } from "../src/index.ts";

export function parse(text: string): WorkflowSpec {
  return parseSpec(text, { fileName: "specs/a.yaml" });
}

export function problemsOf(text: string): readonly SpecProblem[] {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof SpecError) return error.problems;
    throw error;
  }
  return [];
}

/** A workflow of one activity, with further lines in it. */
export function activityWith(...lines: readonly string[]): string {
  const head = ["version: a/1.0.0", "activities:", "  - id: step", "    worker: w"];
  return [...head, ...lines.map((line) => `    ${line}`)].join("\n");
}

/** A workflow of one activity with one input, which starts on line 6. */
export function inputWith(...lines: readonly string[]): string {
  return activityWith("input_params:", ...lines.map((line, index) => `${index === 0 ? "- " : "  "}${line}`));
}
