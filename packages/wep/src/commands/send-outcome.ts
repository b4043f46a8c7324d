import { AbiError, type ActivitySpec, encodeParams } from "@subnet-worker/activity-spec";
import { type Completion, TASK_ERROR, taskErrorName } from "@subnet-worker/protocol";
import type { ObjectStore } from "./send-storage.ts";
import type { Ending } from "./send-stream.ts";

/** What a run came to, for people and scripts. */
export type SendOutcome =
  | { readonly status: "success" | "skipped"; readonly outputs: Readonly<Record<string, unknown>> }
  | {
      /** `rejected`: the WEP did not begin it. */
      readonly status: "error" | "rejected";
      readonly error: SendError;
      /** What was returned, where that is what is wrong. */
      readonly outputs?: Readonly<Record<string, unknown>>;
    };

export interface SendError {
  /** Of the task error taxonomy: 2001. */
  readonly code: number;
  /** `EXECUTION_FAILED` */
  readonly name: string;
  readonly message: string;
  /** A node would try the activity again. */
  readonly retryable: boolean;
  /** Not before this long; 0: no wish. */
  readonly retryAfterMs: number;
}

/** Largest result by reference that is read. */
const MAX_RESULT_BYTES = 64 * 1024 * 1024;
const UTF8 = new TextDecoder();

export interface OutcomeDeps {
  readonly store: ObjectStore & { read(objectKey: string, maxBytes: number): Promise<Uint8Array> };
  /** Whose outputs the result has to have; `undefined`: anything goes. */
  readonly activity: ActivitySpec | undefined;
}

/** What an ending means, held against the spec as a node would before it settles. */
export async function outcomeOf(ending: Ending, deps: OutcomeDeps): Promise<SendOutcome> {
  if (ending.kind === "rejected") {
    const { errorCode, reason } = ending.rejection;
    return { status: "rejected", error: errorWith(errorCode, reason) };
  }
  const { completion } = ending;
  if (completion.status === "ERROR") {
    const { errorCode, error, retryable, retryAfterMs } = completion;
    const code = errorCode === 0 ? TASK_ERROR.EXECUTION_FAILED : errorCode;
    return {
      status: "error",
      error: { ...errorWith(code, error), retryable, retryAfterMs: Number(retryAfterMs) },
    };
  }
  try {
    const outputs = await outputsOf(completion, deps);
    const problem = await problemOf(outputs, deps);
    if (problem !== undefined) return { status: "error", outputs, error: unfit(problem) };
    return { status: completion.status === "SKIPPED" ? "skipped" : "success", outputs };
  } catch (error) {
    return { status: "error", error: unfit(error instanceof Error ? error.message : String(error)) };
  }
}

async function outputsOf(
  { resultInline, resultRef, resultRefIsOutputs }: Completion,
  { store, activity }: OutcomeDeps,
): Promise<Readonly<Record<string, unknown>>> {
  if (resultRef === "") return parseOutputs(resultInline);
  if (resultRefIsOutputs) return parseOutputs(await store.read(resultRef, MAX_RESULT_BYTES));
  // The simplest workers send the one object that there is to send as the result itself.
  const [only, ...others] = activity?.outputs.filter(({ isObjectKey }) => isObjectKey) ?? [];
  const outputs = parseOutputs(resultInline);
  return only === undefined || others.length > 0 ? outputs : { [only.name]: resultRef, ...outputs };
}

function parseOutputs(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  const value: unknown = bytes.length === 0 ? {} : JSON.parse(UTF8.decode(bytes));
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new Error("the result is no JSON object with one key for each output");
}

/** Why a node would not settle this. */
async function problemOf(
  outputs: Readonly<Record<string, unknown>>,
  { store, activity }: OutcomeDeps,
): Promise<string | undefined> {
  if (activity === undefined) return undefined;
  try {
    encodeParams(activity.outputs, outputs);
  } catch (error) {
    if (!(error instanceof AbiError)) throw error;
    return `the result is not what the spec declares:\n${error.problems.map((each) => `  - ${each}`).join("\n")}`;
  }
  for (const { name, isObjectKey, maxBytes } of activity.outputs) {
    const problem = isObjectKey ? await objectProblem(store, String(outputs[name]), maxBytes) : undefined;
    if (problem !== undefined) return `output ${name}: ${problem}`;
  }
  return undefined;
}

async function objectProblem(
  store: ObjectStore,
  objectKey: string,
  maxBytes: number | undefined,
): Promise<string | undefined> {
  const found = await store.head(objectKey);
  if (found === undefined) {
    return `there is no object ${JSON.stringify(objectKey)}; upload it with ctx.upload and return its objectKey`;
  }
  if (maxBytes === undefined || found.sizeBytes <= maxBytes) return undefined;
  return `${objectKey} has ${found.sizeBytes} bytes, and the spec allows ${maxBytes}`;
}

function errorWith(code: number, message: string): SendError {
  return { code, name: taskErrorName(code), message, retryable: false, retryAfterMs: 0 };
}

function unfit(message: string): SendError {
  return errorWith(TASK_ERROR.INVALID_FORMAT, message);
}
