import { AbiError, decodeParams } from "@subnet-worker/activity-spec";
import type { Activity } from "@subnet-worker/contracts";
import { EXIT, StartupError } from "@subnet-worker/kit";
import {
  RECORDED_RUN_FORMAT,
  type RecordedAssignment,
  type RecordedInput,
  type RecordedOutcome,
  type RecordedRun,
} from "@subnet-worker/protocol/recorded-run";
import { type IndexedActivity, SpecIndex } from "../adapters/evm/spec-index.ts";
import { readInputs } from "../adapters/evm/task-inputs.ts";
import { StoreInspector } from "../adapters/sqlite/inspect.ts";
import { StoreError } from "../adapters/sqlite/store-error.ts";
import type { Config } from "../config.ts";
import { checkInputKey, type InputUser } from "../domain/object-access.ts";
import { ObjectKeyError, uploadPrefix } from "../domain/object-key.ts";
import type { Outcome, Run } from "../domain/task.ts";
import { readSpecs } from "../open.ts";
import { storageKind } from "../open-storage.ts";
import { TaskDataError, type TaskInput, type TaskInputs } from "../ports.ts";
import type { StorageBroker } from "../storage-ports.ts";
import { runIdOf } from "../services/run-id.ts";
import { readActivity } from "./activity-reader.ts";
import { type Invocation, loadCommandConfig, type RunCommand } from "./command.ts";
import { lookAtObject } from "./record-objects.ts";
import { askStorage, openCommandStorage } from "./storage-survey.ts";

/** `wcp record show`: an activity's run, as it was or would be made now, as a document that can be run again. */
export const showRecordedRun: RunCommand = async (invocation) => {
  const { io, args } = invocation;
  await using stack = new AsyncDisposableStack();
  const config = loadCommandConfig(invocation);
  const id = wholeId(args[0] ?? "", config);
  const known = storedTask(id, config);
  const activity = await readActivity(id, invocation, config);
  if (activity === undefined) {
    throw new StartupError(
      EXIT.fault,
      `the TaskQueue ${config.ethereum.task_queue_address} does not know the activity ${id}; check the id, and ethereum.rpc_url`,
    );
  }
  const indexed = specOf(activity, { known, config });
  const storage =
    storageKind(config) === "none" ? undefined : await openCommandStorage(invocation, config, stack);
  const hasUrls = wantsUrls(invocation, config);
  const run = await record({ invocation, config, id, known, activity, indexed, storage, hasUrls });
  io.out(`${JSON.stringify(run, undefined, 2)}\n`);
  return EXIT.ok;
};

const TASK_RECORDS = ["inflight:", "done:", "claim_job:"];

interface Sources {
  readonly invocation: Invocation;
  readonly config: Config;
  readonly id: string;
  /** As the database has it; `undefined` where it has not. */
  readonly known: Stored | undefined;
  readonly activity: Activity;
  readonly indexed: IndexedActivity;
  /** `undefined`: the node brokers none. */
  readonly storage: StorageBroker | undefined;
  /** Whether it signs for the inputs. */
  readonly hasUrls: boolean;
}

async function record(from: Sources): Promise<RecordedRun> {
  const { id, activity, indexed, config, invocation } = from;
  const { spec, plan } = indexed;
  const workflowInstanceId = /^0x0*$/.test(activity.workflowInstanceId) ? "" : activity.workflowInstanceId;
  const at = {
    workflowEngine: config.ethereum.workflow_engine_address,
    nowMs: invocation.io.clock.nowMs(),
    chainNowS: undefined,
  };
  const data = inputsOf(() => readInputs({ workflowInstanceId }, { activity, indexed, at }));
  const user = { taskId: id, workflowInstanceId, isInWorkflow: data.isInWorkflow ?? false };
  const recorded = (inputs: readonly TaskInput[]) =>
    Promise.all(inputs.map((input) => toRecorded(input, { ...from, user })));
  return {
    format: RECORDED_RUN_FORMAT,
    activity: { id, kind: spec.kind, version: spec.version, workflowInstanceId },
    run: assignmentOf(from, workflowInstanceId),
    inputs: await recorded(data.inputs),
    workflowInputs: await recorded(data.workflowInputs),
    outputs: plan.outputs,
    ...(await outcomeOf(from)),
  };
}

function assignmentOf(
  { known, activity, id, indexed, config }: Sources,
  workflowInstanceId: string,
): RecordedAssignment {
  const { timeoutMs, memoryMb, isResultByReference } = indexed.plan;
  const run = runOf(known, { id, token: String(activity.assignedAt) });
  const checkpointRef = run.past?.checkpointRef;
  return {
    id: run.id,
    attempt: run.attempt,
    uploadPrefix: storageKind(config) === "none" ? "" : uploadPrefix(workflowInstanceId, id, run.id),
    metadata: {},
    ...(checkpointRef === undefined ? {} : { checkpointRef }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(memoryMb === undefined ? {} : { memoryMb }),
    ...(isResultByReference ? { isResultByReference } : {}),
  };
}

const MOST_ATTEMPTS = 1_000;

/** The run that is under way or gave the result; else the first that would be made of the claim. */
function runOf(
  known: Stored | undefined,
  { id, token }: { readonly id: string; readonly token: string },
): Pick<Run, "id" | "attempt" | "past"> {
  if (known?.run !== undefined) return known.run;
  const idAt = (attempt: number) => runIdOf({ taskId: id, token, attempt });
  const winner = known?.outcome?.status === "success" ? known.outcome.runId : undefined;
  if (winner === undefined) return { id: idAt(1), attempt: 1 };
  let attempt = 1;
  while (attempt < MOST_ATTEMPTS && idAt(attempt) !== winner) attempt += 1;
  return { id: winner, attempt: attempt === MOST_ATTEMPTS ? 1 : attempt };
}

async function toRecorded(
  input: TaskInput,
  { storage, config, user, invocation, hasUrls }: Sources & { readonly user: InputUser },
): Promise<RecordedInput> {
  const { name, abiType, mediaType, value, objectKey, maxBytes } = input;
  const head = { name, abiType, mediaType };
  if (objectKey === undefined) return { ...head, value };
  const object = { ...head, objectKey, ...(maxBytes === undefined ? {} : { maxBytes }) };
  if (storage === undefined || objectKey === "") return object;
  try {
    checkInputKey(objectKey, user, { inputPrefixes: config.storage.input_prefixes });
  } catch (error) {
    if (!(error instanceof ObjectKeyError)) throw error;
    invocation.io.err(`${name} has no URL: ${error.message}\n`);
    return object;
  }
  const stored = await lookAtObject({ name, objectKey }, { storage, io: invocation.io });
  const looked = { ...object, ...(stored === undefined ? {} : { stored }) };
  if (!hasUrls) return looked;
  const { url, expiresAtMs: urlExpiresAtMs } = await askStorage(() => storage.downloadTicket(objectKey));
  return { ...looked, url, urlExpiresAtMs };
}

async function outcomeOf(from: Sources): Promise<{ readonly outcome?: RecordedOutcome }> {
  const { known, activity, indexed, invocation } = from;
  const resultHex = activity.isCompleted && activity.success ? activity.resultData : resultOf(known);
  if (known === undefined && !activity.isCompleted) return {};
  const outcome: RecordedOutcome = {
    state: known?.state ?? "done",
    ...statusOf(known, activity),
    ...(known?.reason === undefined ? {} : { reason: known.reason }),
  };
  if (resultHex === undefined) return { outcome };
  try {
    const outputs = decodeParams(indexed.spec.outputs, resultHex);
    return { outcome: { ...outcome, outputs, ...(await objectsOf(outputs, from)) } };
  } catch (error) {
    if (!(error instanceof AbiError)) throw error;
    invocation.io.err(`The result is not what the spec says, and is left out: ${error.message}\n`);
    return { outcome };
  }
}

/** Objects that a result names. An empty key names none. */
async function objectsOf(
  outputs: Readonly<Record<string, unknown>>,
  { indexed, storage, invocation }: Sources,
): Promise<Pick<RecordedOutcome, "objects">> {
  if (storage === undefined) return {};
  const named = new Map<string, string>();
  for (const { name, isObjectKey } of indexed.plan.outputs) {
    const objectKey = outputs[name];
    if (isObjectKey && typeof objectKey === "string" && objectKey !== "") named.set(objectKey, name);
  }
  const looks = [...named].map(([objectKey, name]) =>
    lookAtObject({ name, objectKey }, { storage, io: invocation.io }),
  );
  const objects = (await Promise.all(looks)).filter((object) => object !== undefined);
  return objects.length === 0 ? {} : { objects };
}

function statusOf(
  known: Stored | undefined,
  { isCompleted, success, resultData }: Activity,
): Pick<RecordedOutcome, "status" | "code" | "reason"> {
  const outcome = known?.outcome;
  if (outcome?.status === "error") return { status: "error", code: outcome.code, reason: outcome.reason };
  if (outcome !== undefined || (isCompleted && success)) return { status: "success" };
  if (!isCompleted) return {};
  return { status: "error", reason: Buffer.from(resultData.slice(2), "hex").toString() };
}

function resultOf(known: Stored | undefined): string | undefined {
  return known?.outcome?.status === "success" ? known.outcome.resultHex : undefined;
}

function inputsOf(read: () => TaskInputs): TaskInputs {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof TaskDataError)) throw error;
    throw new StartupError(
      EXIT.fault,
      `${error.message}; put the spec that it was enqueued under into specs.files`,
      {
        cause: error,
      },
    );
  }
}

interface Stored {
  readonly queue: string;
  readonly state: string;
  readonly run?: Run | undefined;
  readonly outcome?: Outcome | undefined;
  readonly reason?: string | undefined;
}

/** `undefined` where there is no database, or it does not know the activity. */
function storedTask(id: string, { db }: Config): Stored | undefined {
  try {
    using inspector = new StoreInspector(db.path);
    for (const name of TASK_RECORDS) {
      const value = inspector.record(`${name}${id}`)?.value;
      if (value !== undefined) return { ...(value as unknown as Stored), queue: String(value["queue_name"]) };
    }
    return undefined;
  } catch (error) {
    if (error instanceof StoreError && error.code === "CANNOT_OPEN") return undefined; // the chain knows enough
    throw error;
  }
}

/** @throws {StartupError} exit code 78 when no spec describes it */
function specOf(
  activity: Activity,
  { known, config }: { readonly known: Stored | undefined; readonly config: Config },
): IndexedActivity {
  const found = new SpecIndex(readSpecs(config)).find(known?.queue ?? "", activity.activityType);
  if (found !== undefined) return found;
  throw new StartupError(
    EXIT.badConfig,
    `no file in specs.files describes the activity ${activity.activityId} (activity type ${activity.activityType}); add the workflow's file`,
  );
}

function wantsUrls({ options, io }: Invocation, config: Config): boolean {
  if (options["no-urls"] === true) return false;
  const kind = storageKind(config);
  if (kind === "folder") {
    io.err(
      `Inputs that are objects have no URLs: those of storage.folder end with the process that serves it. Run it again with wep replay --objects ${config.storage.folder}\n`,
    );
  }
  return kind === "s3" || kind === "subnet-api";
}

/** The id that the text is, or is the beginning of in the database. @throws {StartupError} exit code 78 */
function wholeId(text: string, { db }: Config): string {
  const id = text.toLowerCase();
  if (/^0x[0-9a-f]{64}$/.test(id)) return id;
  const found = /^0x[0-9a-f]{4,}$/.test(id) ? idsFrom(id, db.path) : [];
  if (found.length === 1 && found[0] !== undefined) return found[0];
  const problem =
    found.length > 1
      ? `is the beginning of ${found.length} activities' ids`
      : "is neither an activity id, 0x and 64 hex digits, nor the beginning of one that this node knows";
  throw new StartupError(EXIT.badConfig, `"${text}" ${problem}; wcp db ls lists those of this node`);
}

function idsFrom(prefix: string, path: string): readonly string[] {
  using inspector = new StoreInspector(path);
  return TASK_RECORDS.flatMap((name) => [...inspector.records(`${name}${prefix}`)]).map(({ value }) =>
    String(value["activity_id"]),
  );
}
