// Every key that may occur in a spec file; schema.json lists the same, which a test holds it to.

const RUN_KEYS = [
  "num_workers",
  "quorum",
  "skip_on_prev_success",
  "require_gpu",
  "artifact",
  "class",
  "limits",
  "deadline",
  "retry",
  "result",
];

export const WORKFLOW_KEYS: readonly string[] = ["name", "version", "description", "activities"];
export const ACTIVITY_KEYS: readonly string[] = [
  "id",
  "name",
  "description",
  "kind",
  "worker",
  "input_params",
  "output_params",
  ...RUN_KEYS,
];
export const SINGLE_KEYS: readonly string[] = [
  "task_kind",
  "task_version",
  "name",
  "description",
  "inputs",
  "outputs",
  ...RUN_KEYS,
];
export const PARAM_KEYS: readonly string[] = [
  "name",
  "type",
  "description",
  "object_key",
  "media_type",
  "max_size",
];
export const ARTIFACT_KEYS: readonly string[] = ["upload_to_storage"];
export const LIMITS_KEYS: readonly string[] = ["timeout", "memory_mb"];
export const RETRY_KEYS: readonly string[] = ["max_attempts", "initial", "max"];
