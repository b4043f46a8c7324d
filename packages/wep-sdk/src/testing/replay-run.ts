import type { RecordedInput, RecordedRun } from "@subnet-worker/protocol/recorded-run";
import { readCheckpointRef } from "../checkpoint.ts";
import { WepError } from "../errors.ts";
import type { Handler } from "../handler.ts";
import { handlerName } from "../handler-registry.ts";
import type { MemoryStore, TestContent } from "./memory-store.ts";
import { type PreparedRun, type RunHandlerOptions, type RunningTest, startRun } from "./run-handler.ts";
import type { SentInput } from "./test-inputs.ts";

/** How a recorded run is run again. */
export interface ReplayOptions extends Pick<
  RunHandlerOptions,
  "signal" | "clock" | "use" | "logLevel" | "abortGraceMs"
> {
  /**
   * Where an object is found; `undefined` where it is not, and then its recorded URL is
   * used. Default: URLs alone.
   */
  readonly findObject?: (objectKey: string) => Promise<TestContent | undefined>;
  /** The run is stopped this long after its start; 0: never. Default: as it was recorded, or never. */
  readonly timeoutMs?: number;
}

/**
 * Runs a run again that was recorded in production (`wcp record show`), in this process:
 * the same inputs and objects, checkpoint, attempt and metadata. What it writes goes nowhere
 * but into the result. The recorded deadline is over by now, and does not count.
 *
 * @param handlers one of them must have the kind and version of the recorded run
 * @throws {WepError} NO_HANDLERS when none has
 * @example
 * ```ts
 * import { readFileSync } from "node:fs";
 * import { parseRecordedRun } from "@subnet-worker/protocol/recorded-run";
 * import { type Handler } from "@subnet-worker/wep-sdk";
 * import { replayRun } from "@subnet-worker/wep-sdk/testing";
 *
 * declare const handlers: Handler[];
 * const run = await replayRun(handlers, parseRecordedRun(readFileSync("run.json", "utf8")));
 * console.log(run.status, run.error?.message);
 * ```
 */
export function replayRun(
  handlers: readonly Handler[],
  recorded: RecordedRun,
  options: ReplayOptions = {},
): RunningTest<Record<string, unknown>> {
  const { activity, run } = recorded;
  const handler = handlers.find(
    ({ kind, version }) => kind === activity.kind && version === activity.version,
  );
  if (handler === undefined) {
    const known = handlers.map(handlerName).join(", ") || "none";
    throw new WepError(
      "NO_HANDLERS",
      `no handler for ${handlerName(activity)}, which the recorded run is of; there is: ${known}`,
    );
  }
  return startRun(
    handler,
    {
      ...options,
      attempt: run.attempt,
      metadata: run.metadata,
      timeoutMs: options.timeoutMs ?? run.timeoutMs ?? 0,
      ...(run.checkpointRef === undefined ? {} : { checkpointRef: run.checkpointRef }),
    },
    (store) => prepare(recorded, options, store),
  );
}

async function prepare(
  recorded: RecordedRun,
  { findObject }: ReplayOptions,
  store: MemoryStore,
): Promise<PreparedRun> {
  const { activity, run, outputs } = recorded;
  const all = [...recorded.inputs, ...recorded.workflowInputs];
  const checkpoint = readCheckpointRef(run.checkpointRef ?? "");
  const keys = new Set([
    ...all.flatMap(({ objectKey }) => objectKey ?? []),
    // A checkpoint may be an object.
    ...(checkpoint !== undefined && "objectKey" in checkpoint ? [checkpoint.objectKey] : []),
  ]);
  for (const objectKey of keys) {
    const content = await findObject?.(objectKey);
    if (content !== undefined) store.put(objectKey, content);
  }
  return {
    inputs: await Promise.all(recorded.inputs.map((input) => toSent(input, store))),
    workflowInputs: await Promise.all(recorded.workflowInputs.map((input) => toSent(input, store))),
    outputs:
      outputs.length === 0 ? undefined : outputs.map(({ abiType, ...rest }) => ({ ...rest, type: abiType })),
    ids: { activityId: activity.id, runId: run.id, workflowInstanceId: activity.workflowInstanceId },
    // A node without storage would refuse uploads; here they are wanted to look at.
    uploadPrefix: run.uploadPrefix || "replay/",
    resultByReference: run.isResultByReference ?? false,
  };
}

async function toSent(input: RecordedInput, store: MemoryStore): Promise<SentInput> {
  const { name, abiType, mediaType, objectKey = "", url, maxBytes = 0 } = input;
  const isObject = objectKey !== "" || url !== undefined;
  const here = store.get(objectKey) === undefined ? undefined : await store.url(objectKey);
  return {
    name,
    abiType,
    mediaType,
    objectKey,
    ref: here ?? url ?? objectKey,
    inlineJson: isObject ? "" : JSON.stringify(input.value ?? null),
    inlineBytes: new Uint8Array(),
    maxBytes,
  };
}
