import { readFile } from "node:fs/promises";
import { toTyped } from "@subnet-worker/activity-spec/abi-value";
import { type TaskErrorCode, taskErrorName } from "@subnet-worker/protocol/task-error";
import type { ActivityParam } from "../activity.ts";
import type { MetricType } from "../handler-metrics.ts";
import type { Outcome } from "../run-state.ts";
import type { MemoryStore } from "./memory-store.ts";
import type { TestHost, TestLogLine, TestProgress } from "./test-host.ts";

/** How a run failed, as its worker client would be told. */
export interface TestError {
  /** Numeric code of `TASK_ERROR`. */
  readonly code: TaskErrorCode;
  /** Name of the code: `INVALID_INPUT`. */
  readonly name: string;
  /** As it was thrown, at most 4,096 characters of it. */
  readonly message: string;
  /** Running it again may help. */
  readonly retryable: boolean;
  /** Do not try again sooner; 0: no wish. */
  readonly retryAfterMs: number;
}

/** An object that a run has written. */
export interface TestUpload {
  /** Full key, as `ctx.upload` returned it. */
  readonly objectKey: string;
  /** As it was uploaded with. */
  readonly mediaType: string;
  /** The whole content. */
  readonly bytes: Uint8Array;
  /** The bytes as UTF-8. */
  text(): string;
  /** The bytes as JSON. */
  json(): unknown;
}

/** A metric of the handler's own. */
export interface TestMetric {
  /** What it was made as. */
  readonly type: MetricType;
  /** A counter's total, a gauge's last value, the sum of a histogram's. */
  readonly value: number;
  /** Everything that was added, set or observed, in order. */
  readonly values: readonly number[];
}

/** What one run came to. */
export interface TestRun<O = Record<string, unknown>> {
  /** Whether it has outputs, or an error. */
  readonly status: "success" | "error";
  /**
   * What the worker client gets, by output name.
   *
   * @throws {Error} naming how the run failed, when it did
   */
  readonly outputs: O;
  /** Of a success: why there was nothing to do, as told with `ctx.skip`. `undefined`: there was. */
  readonly skipReason: string | undefined;
  /** `undefined`: the run succeeded. */
  readonly error: TestError | undefined;
  /** Every report, in order and not thinned. */
  readonly progress: readonly TestProgress[];
  /** What was saved with `ctx.saveCheckpoint`, in order, and text that was reported as a checkpoint with `ctx.progress`. */
  readonly checkpoints: readonly unknown[];
  /** What was written, by path below the run's prefix. */
  readonly uploads: ReadonlyMap<string, TestUpload>;
  /** What was logged at `logLevel` and above, parsed. */
  readonly log: readonly TestLogLine[];
  /** Metrics of the handler's own, by name. */
  readonly metrics: ReadonlyMap<string, TestMetric>;
  /** By the clock of the run. */
  readonly durationMs: number;
}

export interface RunRecord {
  readonly host: TestHost;
  readonly store: MemoryStore;
  readonly outcome: Outcome;
  readonly durationMs: number;
  /** `undefined`: nothing says what types the outputs have. */
  readonly outputs: readonly ActivityParam[] | undefined;
}

/** Gathers what a run has left behind. */
export async function toTestRun<O>(record: RunRecord): Promise<TestRun<O>> {
  const { host, store, outcome, durationMs } = record;
  const uploads = await uploadsOf(host, store);
  const common = {
    progress: host.progress,
    checkpoints: host.checkpoints,
    uploads,
    log: host.lines,
    metrics: metricsOf(host),
    durationMs,
  };
  if (outcome.status === "SUCCESS") {
    const outputs = (await outputsOf(outcome, record)) as O;
    const { skipReason } = outcome;
    return { status: "success", outputs, skipReason, error: undefined, ...common };
  }
  const { code, message, retryable, retryAfterMs } = outcome;
  const error = { code, name: taskErrorName(code), message, retryable, retryAfterMs };
  const failed = { status: "error" as const, error, skipReason: undefined, ...common };
  // Not enumerable: what compares or prints the whole run does not ask for it.
  return Object.defineProperty(failed, "outputs", {
    get(): never {
      throw new Error(`the run failed and has no outputs: ${error.name}: ${message}`);
    },
  }) as typeof failed & { readonly outputs: O };
}

async function outputsOf(
  outcome: Extract<Outcome, { status: "SUCCESS" }>,
  { store, outputs }: RunRecord,
): Promise<Record<string, unknown>> {
  const ref = outcome.resultRef ?? "";
  const bytes = ref === "" ? outcome.result : await bytesOf(store, ref);
  const json = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
  if (outputs === undefined) return json;
  const types = new Map(outputs.map(({ name, type }) => [name, type]));
  return Object.fromEntries(
    Object.entries(json).map(([name, value]) => {
      const type = types.get(name);
      return [name, type === undefined || type === "" ? value : toTyped(type, value)];
    }),
  );
}

async function uploadsOf(host: TestHost, store: MemoryStore): Promise<Map<string, TestUpload>> {
  const prefix = host.assignment.uploadPrefix;
  const uploads = new Map<string, TestUpload>();
  for (const objectKey of store.written) {
    const bytes = await bytesOf(store, objectKey);
    const text = () => new TextDecoder().decode(bytes);
    uploads.set(objectKey.slice(prefix.length), {
      objectKey,
      mediaType: store.get(objectKey)?.mediaType ?? "",
      bytes,
      text,
      json: () => JSON.parse(text()) as unknown,
    });
  }
  return uploads;
}

async function bytesOf(store: MemoryStore, objectKey: string): Promise<Uint8Array> {
  const content = store.get(objectKey)?.content;
  if (content === undefined) throw new Error(`there is no object ${objectKey}`);
  return content instanceof Uint8Array ? content : await readFile(content.path);
}

function metricsOf(host: TestHost): Map<string, TestMetric> {
  const metrics = new Map<string, TestMetric>();
  for (const { spec, values } of host.measurements) {
    const all = [...(metrics.get(spec.name)?.values ?? []), ...values];
    const value = spec.type === "gauge" ? (all.at(-1) ?? 0) : all.reduce((sum, each) => sum + each, 0);
    metrics.set(spec.name, { type: spec.type, value, values: all });
  }
  return metrics;
}
