import { LARGEST_OBJECT_BYTES, LONGEST_DURATION_MS, parseDurationMs, parseSizeBytes } from "./quantities.ts";
import type { ActivitySpec, Param, RetryLimits, RunLimits } from "./spec.ts";
import { ARTIFACT_KEYS, LIMITS_KEYS, RETRY_KEYS } from "./spec-keys.ts";
import type { AmountRule, YamlFields } from "./yaml-fields.ts";

/** What an activity says of how it is run, in either form of a file. */
export type RunOptions = Pick<
  ActivitySpec,
  | "numWorkers"
  | "quorum"
  | "skipOnPrevSuccess"
  | "requireGpu"
  | "uploadToStorage"
  | "resourceClass"
  | "limits"
  | "deadlineMs"
  | "retry"
  | "result"
>;

export const CLASSES = ["cpu", "gpu", "io"] as const;
export const RESULTS = ["auto", "inline", "reference"] as const;
/** Of `memory_mb`: what the wire can say. */
export const MOST_MEMORY_MB: number = 2 ** 32 - 1;
/** Of `max_attempts`: more would be a loop. */
export const MOST_ATTEMPTS = 1_000;

const DURATION_RULE: AmountRule = {
  what: "a duration",
  parse: parseDurationMs,
  max: LONGEST_DURATION_MS,
  remedy: "write a number above 0 and its unit, like 500ms, 10s, 5m, 2h or 1d, at most 24d",
};
const SIZE_RULE: AmountRule = {
  what: "a size",
  parse: parseSizeBytes,
  isNumberAllowed: true,
  max: LARGEST_OBJECT_BYTES,
  remedy: "write a number of bytes, or one with its unit, like 50MB or 2GiB, at most 5120GiB",
};

/** Reads what is the same in both forms of a file. */
export function readRunOptions(fields: YamlFields): RunOptions {
  const requireGpu = fields.flag("require_gpu") ?? false;
  return {
    ...readQuorum(fields),
    skipOnPrevSuccess: fields.flag("skip_on_prev_success") ?? false,
    requireGpu,
    uploadToStorage: fields.map("artifact", ARTIFACT_KEYS)?.flag("upload_to_storage") ?? false,
    resourceClass: readClass(fields, requireGpu),
    limits: readLimits(fields.map("limits", LIMITS_KEYS)),
    ...given("deadlineMs", fields.amount("deadline", DURATION_RULE)),
    retry: readRetry(fields.map("retry", RETRY_KEYS)),
    result: fields.choice("result", RESULTS) ?? "auto",
  };
}

/** Reads how large an object may be; only where the value is a key of one. */
export function readMaxBytes(fields: YamlFields, isObjectKey: boolean): Pick<Param, "maxBytes"> {
  const maxBytes = fields.amount("max_size", SIZE_RULE);
  if (maxBytes !== undefined && !isObjectKey) {
    fields.report(
      "max_size",
      "only an object in storage has a size",
      "write object_key: true and type: string, or remove max_size",
    );
  }
  return given("maxBytes", maxBytes);
}

function readQuorum(fields: YamlFields): Pick<ActivitySpec, "numWorkers" | "quorum"> {
  const numWorkers = fields.count("num_workers") ?? 1;
  const quorum = fields.count("quorum") ?? 1;
  if (quorum > numWorkers) {
    fields.report(
      "quorum",
      `${quorum} of ${numWorkers} can never agree`,
      "write a quorum of at most num_workers",
    );
  }
  return { numWorkers, quorum };
}

function readClass(fields: YamlFields, requireGpu: boolean): ActivitySpec["resourceClass"] {
  const given = fields.choice("class", CLASSES);
  if (given !== undefined && given !== "gpu" && requireGpu) {
    fields.report(
      "class",
      `a slot of class ${given} has no GPU, which require_gpu asks for`,
      "write class: gpu, or require_gpu: false",
    );
  }
  return given ?? (requireGpu ? "gpu" : "cpu");
}

function readLimits(fields: YamlFields | undefined): RunLimits {
  return {
    ...given("timeoutMs", fields?.amount("timeout", DURATION_RULE)),
    ...given("memoryMb", fields?.count("memory_mb", MOST_MEMORY_MB)),
  };
}

function readRetry(fields: YamlFields | undefined): RetryLimits {
  const maxAttempts = fields?.count("max_attempts", MOST_ATTEMPTS);
  const initialMs = fields?.amount("initial", DURATION_RULE);
  const maxMs = fields?.amount("max", DURATION_RULE);
  if (initialMs !== undefined && maxMs !== undefined && maxMs < initialMs) {
    fields?.report(
      "max",
      `${maxMs} ms is less than the first wait, ${initialMs} ms`,
      "write a max of at least initial",
    );
  }
  return { ...given("maxAttempts", maxAttempts), ...given("initialMs", initialMs), ...given("maxMs", maxMs) };
}

/** A property, or nothing where the value is undefined. */
function given<K extends string>(key: K, value: number | undefined): { readonly [P in K]?: number } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [P in K]: number });
}
