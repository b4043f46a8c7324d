import { parseSpec, type WorkflowSpec } from "@subnet-worker/activity-spec";

/** A workflow with one step for each kind, each with the same inputs. */
export function specOf({
  kinds = ["text.one"],
  inputs = ["{ name: text, type: string }"],
}: {
  readonly kinds?: readonly string[];
  readonly inputs?: readonly string[];
} = {}): WorkflowSpec {
  const steps = kinds.map(
    (kind, index) =>
      `  - { id: step_${index}, kind: ${kind}, worker: processing, input_params: [${inputs.join(", ")}], output_params: [] }`,
  );
  return parseSpec(["version: text/1.0.0", "activities:", ...steps].join("\n"), { fileName: "test.yaml" });
}
