import { AbiError } from "./abi-error.ts";
import { formatAbiType, parseAbiType } from "./abi-type.ts";
import type { ActivitySpec, Param, WorkflowSpec } from "./spec.ts";
import { SpecError } from "./spec-error.ts";
import { type TextRule, type YamlFields, YamlSource } from "./yaml-fields.ts";

export interface ParseSpecOptions {
  /** For messages. */
  readonly fileName: string;
}

const WORKFLOW_KEYS = ["name", "version", "description", "activities"];
const RUN_KEYS = ["num_workers", "quorum", "skip_on_prev_success", "require_gpu", "artifact"];
const ACTIVITY_KEYS = [
  "id",
  "name",
  "description",
  "kind",
  "worker",
  "input_params",
  "output_params",
  ...RUN_KEYS,
];
const SINGLE_KEYS = ["task_kind", "task_version", "name", "description", "inputs", "outputs", ...RUN_KEYS];
const PARAM_KEYS = ["name", "type", "description", "object_key", "media_type"];

const ANY_TEXT: TextRule = { remedy: "write text" };
const WORKFLOW_VERSION: TextRule = {
  pattern: /^[A-Za-z0-9][\w.-]*\/\d{1,9}\.\d{1,9}\.\d{1,9}$/,
  remedy: "write the workflow's name and semantic version, like video/1.1.0",
};
const SEMVER: TextRule = {
  pattern: /^\d{1,9}\.\d{1,9}\.\d{1,9}$/,
  remedy: 'write a semantic version, like "1.0.0"',
};
const PARAM_NAME: TextRule = {
  pattern: /^[A-Za-z_]\w*$/,
  remedy: "write letters, digits and _, like audio_object_key",
};
const TYPE: TextRule = {
  remedy: "write a Solidity ABI type, like string or (bool,uint256)[]; within { } it needs quotes",
};
const MEDIA_TYPE: TextRule = {
  pattern: /^[\w.+-]+\/[\w.+*-]+$/,
  remedy: "write a media type, like audio/wav",
};

/** A name that can be a part of a queue name and a handler's name. */
function slug(example: string): TextRule {
  return {
    pattern: /^[A-Za-z0-9][\w.-]*$/,
    remedy: `write letters, digits, ".", "_" and "-", like ${example}`,
  };
}

/**
 * Reads an activity spec from YAML: a workflow file (`name`, `version`,
 * `activities`) or the single-activity form (`task_kind`, `task_version`,
 * `inputs`, `outputs`), which becomes a workflow of one activity on the queue
 * `<task_kind>/<task_version>/default`. Unknown keys are refused.
 *
 * Keys of our own beside the deployed ones: `kind` on an activity, `object_key`
 * and `media_type` on a parameter.
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

type RunOptions = Pick<
  ActivitySpec,
  "numWorkers" | "quorum" | "skipOnPrevSuccess" | "requireGpu" | "uploadToStorage"
>;

function readRunOptions(fields: YamlFields): RunOptions {
  const numWorkers = fields.count("num_workers") ?? 1;
  const quorum = fields.count("quorum") ?? 1;
  if (quorum > numWorkers) {
    fields.report(
      "quorum",
      `${quorum} of ${numWorkers} can never agree`,
      "write a quorum of at most num_workers",
    );
  }
  return {
    numWorkers,
    quorum,
    skipOnPrevSuccess: fields.flag("skip_on_prev_success") ?? false,
    requireGpu: fields.flag("require_gpu") ?? false,
    uploadToStorage: fields.map("artifact", ["upload_to_storage"])?.flag("upload_to_storage") ?? false,
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
  return {
    name,
    type: type ?? "?",
    description: fields.text("description", ANY_TEXT) ?? "",
    isObjectKey: explicit ?? isKeyByName,
    ...(mediaType === undefined ? {} : { mediaType }),
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
