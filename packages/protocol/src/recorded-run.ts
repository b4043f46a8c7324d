/** What `format` says in a recorded run; another number is another layout. */
export const RECORDED_RUN_FORMAT = "subnet-worker.recorded-run/1";

/**
 * One run of an activity as a JSON document: what `wcp record show` prints and `wep replay` runs again. It
 * holds no credential; its presigned URLs work for some minutes and for these objects only.
 */
export interface RecordedRun {
  readonly format: typeof RECORDED_RUN_FORMAT;
  readonly activity: RecordedActivity;
  readonly run: RecordedAssignment;
  readonly inputs: readonly RecordedInput[];
  /** What the whole workflow was started with; empty where there is none. */
  readonly workflowInputs: readonly RecordedInput[];
  /** What the result is to have; empty where no spec says. */
  readonly outputs: readonly RecordedOutput[];
  /** What it has come to so far. `undefined`: the node that recorded it does not know the activity. */
  readonly outcome?: RecordedOutcome;
}

/** The activity that was run. */
export interface RecordedActivity {
  readonly id: string;
  /** The handler that runs it: `audio.preprocess`. */
  readonly kind: string;
  readonly version: string;
  /** Empty where it belongs to no workflow. */
  readonly workflowInstanceId: string;
}

/** What the run was given besides its inputs. */
export interface RecordedAssignment {
  readonly id: string;
  /** 1 for the first. */
  readonly attempt: number;
  /** Ends in a slash; empty where the node brokers no storage. */
  readonly uploadPrefix: string;
  /** Where an attempt before it got to. `undefined`: it began anew. */
  readonly checkpointRef?: string;
  /** Trace context and correlation ids. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The run is stopped this long after its start. `undefined`: as the WEP has it. */
  readonly timeoutMs?: number;
  /** Heap and buffers that it may take, in MiB. `undefined`: as the WEP has it. */
  readonly memoryMb?: number;
  /** In Unix milliseconds; nobody wants the result afterwards. `undefined`: no such time. */
  readonly deadlineMs?: number;
  /** The result is wanted as an object, however small it is. Default false. */
  readonly isResultByReference?: boolean;
}

/** One named input: a value, or an object. */
export interface RecordedInput {
  readonly name: string;
  /** Solidity type as the activity spec has it; empty where none says. */
  readonly abiType: string;
  readonly mediaType: string;
  /** Integers wider than 53 bits as decimal strings, bytes and addresses as 0x hex. Not there for an object. */
  readonly value?: unknown;
  /** Names an object in storage. `undefined`: the value is here. */
  readonly objectKey?: string;
  /** Presigned GET URL of the object. `undefined`: it was recorded without. */
  readonly url?: string;
  /** In Unix milliseconds, when `url` stops working. */
  readonly urlExpiresAtMs?: number;
  /** The object as it was stored when the run was recorded. `undefined`: storage did not tell, or has none. */
  readonly stored?: RecordedObject;
  /** Of the object. `undefined`: no limit. */
  readonly maxBytes?: number;
}

/** An object as it is stored. */
export interface RecordedObject {
  readonly objectKey: string;
  readonly sizeBytes: number;
  /** In Unix milliseconds. */
  readonly modifiedAtMs: number;
  /** 64 hex digits, as it was given at the upload. `undefined`: the store has none. */
  readonly sha256?: string;
}

/** One named output that the spec declares. */
export interface RecordedOutput {
  readonly name: string;
  readonly abiType: string;
  readonly mediaType: string;
  readonly isObjectKey: boolean;
  /** Of the object. `undefined`: no limit. */
  readonly maxBytes?: number;
}

/** What the run came to. */
export interface RecordedOutcome {
  /** As the node has the activity: `running`, `settling`, `done`, `lost`, `expired`, `abandoned`, ... */
  readonly state: string;
  /** `undefined`: its run has not ended, or nobody knows how. */
  readonly status?: "success" | "error";
  /** Of an error: the task error code. */
  readonly code?: number;
  /** Of an error, and why an activity was given up. */
  readonly reason?: string;
  /** Of a success: the values by name, as the network has them. */
  readonly outputs?: Readonly<Record<string, unknown>>;
  /** Those objects among them that are stored, each once. `undefined`: none was looked at. */
  readonly objects?: readonly RecordedObject[];
}

/** A document is no recorded run. The message names the field and what to do. */
export class RecordedRunError extends Error {
  override readonly name = "RecordedRunError";
  readonly code = "BAD_RECORDED_RUN";

  constructor(problem: string) {
    super(
      `[BAD_RECORDED_RUN] ${problem}; record the run again with \`wcp record show ACTIVITY-ID > run.json\``,
    );
  }
}

/**
 * Reads a recorded run. Fields that it does not know are left out, so that documents of later versions
 * of the same format can be read.
 *
 * @param document as `wcp record show` printed it
 * @throws {RecordedRunError} BAD_RECORDED_RUN naming the first field that is wrong
 *
 * @example
 * ```ts
 * import { readFileSync } from "node:fs";
 * import { parseRecordedRun } from "@subnet-worker/protocol/recorded-run";
 *
 * const { activity, inputs } = parseRecordedRun(readFileSync("run.json", "utf8"));
 * console.log(activity.kind, inputs.map(({ name }) => name));
 * ```
 */
export function parseRecordedRun(document: string): RecordedRun {
  const { table: root } = tableOf(parseJson(document), "the document");
  const format = root["format"];
  if (format !== RECORDED_RUN_FORMAT) {
    throw new RecordedRunError(
      `format is ${show(format)}, and this program reads ${JSON.stringify(RECORDED_RUN_FORMAT)}`,
    );
  }
  return {
    format: RECORDED_RUN_FORMAT,
    activity: toActivity(tableOf(root["activity"], "activity")),
    run: toAssignment(tableOf(root["run"], "run")),
    inputs: listOf(root["inputs"], "inputs").map(toInput),
    workflowInputs: listOf(root["workflowInputs"], "workflowInputs").map(toInput),
    outputs: listOf(root["outputs"], "outputs").map(toOutput),
    ...(root["outcome"] === undefined ? {} : { outcome: toOutcome(tableOf(root["outcome"], "outcome")) }),
  };
}

interface Place {
  readonly table: Readonly<Record<string, unknown>>;
  readonly path: string;
}

function toActivity(at: Place): RecordedActivity {
  return {
    id: text(at, "id"),
    kind: text(at, "kind"),
    version: text(at, "version"),
    workflowInstanceId: text(at, "workflowInstanceId"),
  };
}

function toAssignment(at: Place): RecordedAssignment {
  const metadata = tableOf(at.table["metadata"], `${at.path}.metadata`);
  return {
    id: text(at, "id"),
    attempt: count(at, "attempt"),
    uploadPrefix: text(at, "uploadPrefix"),
    metadata: Object.fromEntries(Object.keys(metadata.table).map((name) => [name, text(metadata, name)])),
    ...optional(at, "checkpointRef", text),
    ...optional(at, "timeoutMs", count),
    ...optional(at, "memoryMb", count),
    ...optional(at, "deadlineMs", count),
    ...optional(at, "isResultByReference", flag),
  };
}

function toInput(at: Place): RecordedInput {
  if (!("value" in at.table) && !("objectKey" in at.table)) {
    throw new RecordedRunError(`${at.path} has neither value nor objectKey`);
  }
  return {
    name: text(at, "name"),
    abiType: text(at, "abiType"),
    mediaType: text(at, "mediaType"),
    ...("value" in at.table ? { value: at.table["value"] } : {}),
    ...optional(at, "objectKey", text),
    ...optional(at, "url", text),
    ...optional(at, "urlExpiresAtMs", count),
    ...optional(at, "stored", (place, name) => toObject(tableOf(place.table[name], `${place.path}.${name}`))),
    ...optional(at, "maxBytes", count),
  };
}

function toObject(at: Place): RecordedObject {
  return {
    objectKey: text(at, "objectKey"),
    sizeBytes: count(at, "sizeBytes"),
    modifiedAtMs: count(at, "modifiedAtMs"),
    ...optional(at, "sha256", text),
  };
}

function toOutput(at: Place): RecordedOutput {
  return {
    name: text(at, "name"),
    abiType: text(at, "abiType"),
    mediaType: text(at, "mediaType"),
    isObjectKey: flag(at, "isObjectKey"),
    ...optional(at, "maxBytes", count),
  };
}

function toOutcome(at: Place): RecordedOutcome {
  const { outputs } = at.table;
  return {
    state: text(at, "state"),
    ...optional(at, "status", status),
    ...optional(at, "code", count),
    ...optional(at, "reason", text),
    ...(outputs === undefined ? {} : { outputs: tableOf(outputs, `${at.path}.outputs`).table }),
    ...optional(at, "objects", (place, name) =>
      listOf(place.table[name], `${place.path}.${name}`).map(toObject),
    ),
  };
}

function parseJson(document: string): unknown {
  try {
    return JSON.parse(document);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new RecordedRunError(`it is not JSON (${reason})`);
  }
}

function tableOf(value: unknown, path: string): Place {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw wrong(path, "an object", value);
  }
  return { table: value as Record<string, unknown>, path };
}

function listOf(value: unknown, path: string): readonly Place[] {
  if (!Array.isArray(value)) throw wrong(path, "a list", value);
  return value.map((item, index) => tableOf(item, `${path}[${index}]`));
}

function text({ table, path }: Place, name: string): string {
  const value = table[name];
  if (typeof value !== "string") throw wrong(`${path}.${name}`, "a string", value);
  return value;
}

function count({ table, path }: Place, name: string): number {
  const value = table[name];
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    throw wrong(`${path}.${name}`, "a whole number, 0 or more", value);
  }
  return value;
}

function flag({ table, path }: Place, name: string): boolean {
  const value = table[name];
  if (typeof value !== "boolean") throw wrong(`${path}.${name}`, "true or false", value);
  return value;
}

function status({ table, path }: Place, name: string): "success" | "error" {
  const value = table[name];
  if (value !== "success" && value !== "error") throw wrong(`${path}.${name}`, '"success" or "error"', value);
  return value;
}

function optional<K extends string, T>(
  at: Place,
  name: K,
  read: (at: Place, name: string) => T,
): { readonly [P in K]?: T } {
  return at.table[name] === undefined ? {} : ({ [name]: read(at, name) } as { readonly [P in K]?: T });
}

function wrong(path: string, expected: string, value: unknown): RecordedRunError {
  return new RecordedRunError(`${path} must be ${expected}, and is ${show(value)}`);
}

const LONGEST_SHOWN = 60;

function show(value: unknown): string {
  if (value === undefined) return "not there";
  const json = JSON.stringify(value);
  return json.length <= LONGEST_SHOWN ? json : `${json.slice(0, LONGEST_SHOWN)}…`;
}
