import { AbiError } from "./abi-error.ts";
import { formatAbiType, parseAbiType } from "./abi-type.ts";
import { readMaxBytes, readRunOptions } from "./run-options.ts";
import type { ActivitySpec, Param, WorkflowSpec } from "./spec.ts";
import { SpecError } from "./spec-error.ts";
import { ACTIVITY_KEYS, PARAM_KEYS, SINGLE_KEYS, WORKFLOW_KEYS } from "./spec-keys.ts";
import { ANY_TEXT, MEDIA_TYPE, PARAM_NAME, SEMVER, slug, TYPE, WORKFLOW_VERSION } from "./text-rules.ts";
import { type YamlFields, YamlSource } from "./yaml-fields.ts";

/** What {@link parseSpec} needs beside the text. */
export interface ParseSpecOptions {
  /** The file as messages name it. */
  readonly fileName: string;
}

/**
 * Reads an activity spec from YAML: a workflow file (`name`, `version`,
 * `activities`) or the single-activity form (`task_kind`, `task_version`,
 * `inputs`, `outputs`), which becomes a workflow of one activity on the queue
 * `<task_kind>/<task_version>/default`. Unknown keys are refused.
 *
 * Keys of our own beside the deployed ones: `kind`, `class`, `limits`, `deadline`,
 * `retry` and `result` on an activity, `object_key`, `media_type` and `max_size` on
 * a parameter. `schema.json` of this package describes each.
 *
 * @throws {SpecError} with every problem, each with its line
 *
 * @example
 * ```ts
 * import { readFileSync } from "node:fs";
 * import { parseSpec } from "@subnet-worker/activity-spec";
 *
 * const fileName = "activity-specs/audio.yaml";
 * const spec = parseSpec(readFileSync(fileName, "utf8"), { fileName });
 * ```
 */
export function parseSpec(text: string, options: ParseSpecOptions): WorkflowSpec {
  const source = new YamlSource(text, options.fileName);
  let isSingle = false;
  const root = source.root((found) => {
    isSingle = ["task_kind", "task_version", "inputs", "outputs"].some((key) => found.has(key));
    return isSingle ? SINGLE_KEYS : WORKFLOW_KEYS;
  });
  if (root === undefined) throw new SpecError(source.problems);
  const spec = isSingle ? readSingle(root) : readWorkflow(root);
  if (source.problems.length > 0) throw new SpecError(source.problems);
  return deepFreeze(spec);
}

function readWorkflow(root: YamlFields): WorkflowSpec {
  const workflow = root.requiredText("version", WORKFLOW_VERSION) ?? "?/0.0.0";
  const [name = "", version = ""] = workflow.split("/");
  const fields = root.list("activities", ACTIVITY_KEYS);
  if (root.isEmpty("activities")) root.report("activities", "there are none", "list at least one activity");
  const activities = fields.map((activity) => readActivity(activity, workflow));
  refuseDuplicates(fields, activities, "id");
  return {
    workflow,
    version,
    name: root.text("name", ANY_TEXT) ?? name,
    description: root.text("description", ANY_TEXT) ?? "",
    activities,
  };
}

function readSingle(root: YamlFields): WorkflowSpec {
  const kind = root.requiredText("task_kind", slug("audio.preprocess")) ?? "?";
  const version = root.requiredText("task_version", SEMVER) ?? "0.0.0";
  const name = root.text("name", ANY_TEXT) ?? kind;
  const description = root.text("description", ANY_TEXT) ?? "";
  const workflow = `${kind}/${version}`;
  const activity: ActivitySpec = {
    id: kind,
    name,
    description,
    kind,
    version,
    workerClass: "default",
    queue: `${workflow}/default`,
    inputs: readParams(root, "inputs"),
    outputs: readParams(root, "outputs"),
    ...readRunOptions(root),
  };
  return { workflow, version, name, description, activities: [activity] };
}

function readActivity(fields: YamlFields, workflow: string): ActivitySpec {
  const id = fields.requiredText("id", slug("audio_preprocess")) ?? "?";
  const workerClass = fields.requiredText("worker", slug("processing")) ?? "?";
  return {
    id,
    name: fields.text("name", ANY_TEXT) ?? id,
    description: fields.text("description", ANY_TEXT) ?? "",
    kind: fields.text("kind", slug("audio.preprocess")) ?? id,
    version: workflow.split("/")[1] ?? "",
    workerClass,
    queue: `${workflow}/${workerClass}`,
    inputs: readParams(fields, "input_params"),
    outputs: readParams(fields, "output_params"),
    ...readRunOptions(fields),
  };
}

function readParams(activity: YamlFields, key: string): readonly Param[] {
  const fields = activity.list(key, PARAM_KEYS);
  const params = fields.map(readParam);
  refuseDuplicates(fields, params, "name");
  return params;
}

function readParam(fields: YamlFields): Param {
  const name = fields.requiredText("name", PARAM_NAME) ?? "?";
  const type = readType(fields);
  const isKeyByName = type === "string" && /_(?:object_key|file_path)$/.test(name);
  const explicit = fields.flag("object_key");
  if (explicit === true && type !== undefined && type !== "string") {
    fields.report(
      "object_key",
      `a ${type} cannot be an object key`,
      "write type: string, or object_key: false",
    );
  }
  const mediaType = fields.text("media_type", MEDIA_TYPE);
  const isObjectKey = explicit ?? isKeyByName;
  return {
    name,
    type: type ?? "?",
    description: fields.text("description", ANY_TEXT) ?? "",
    isObjectKey,
    ...(mediaType === undefined ? {} : { mediaType }),
    ...readMaxBytes(fields, isObjectKey),
  };
}

function readType(fields: YamlFields): string | undefined {
  const text = fields.requiredText("type", TYPE);
  if (text === undefined) return undefined;
  try {
    return formatAbiType(parseAbiType(text));
  } catch (error) {
    if (!(error instanceof AbiError)) throw error;
    fields.report("type", error.problems.join("; "), TYPE.remedy);
    return undefined;
  }
}

function refuseDuplicates<K extends "id" | "name">(
  fields: readonly YamlFields[],
  values: readonly Readonly<Record<K, string>>[],
  key: K,
): void {
  const seen = new Set<string>();
  values.forEach((value, index) => {
    if (value[key] !== "?" && seen.has(value[key])) {
      fields[index]?.report(key, `${value[key]} is used twice`, "give each its own");
    }
    seen.add(value[key]);
  });
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null) {
    for (const child of Object.values(value)) deepFreeze(child);
    Object.freeze(value);
  }
  return value;
}
