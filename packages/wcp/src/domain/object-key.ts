/** Why an object is refused to a run; the label of a metric. */
export type ObjectRefusal =
  /** The name means, or could mean, something else than it says. */
  | "bad_name"
  /** Another activity's, or another part of the store. */
  | "outside"
  /** Sizes, part numbers or digests that no store takes. */
  | "bad_request"
  /** More requests at once than a run may have. */
  | "too_many"
  /** No such run is under way where the request comes from. */
  | "no_run"
  /** This node brokers no storage. */
  | "no_storage";

/** An object that a run may not read or write, or a name that is none. */
export class ObjectKeyError extends Error {
  override readonly name = "ObjectKeyError";
  readonly code = "OBJECT_KEY_REFUSED";
  readonly reason: ObjectRefusal;

  constructor(reason: ObjectRefusal, message: string) {
    super(`[OBJECT_KEY_REFUSED] ${message}`);
    this.reason = reason;
  }

  /** Asking again in a moment may help. */
  get isRetryable(): boolean {
    return this.reason === "too_many";
  }
}

const SAFE_SEGMENT = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/;
const LONGEST_NAME = 512;
const LONGEST_SHOWN = 120;

/** A name as messages and logs have it: quoted, and no longer than helps. */
export function showName(name: string): string {
  return JSON.stringify(name.length <= LONGEST_SHOWN ? name : `${name.slice(0, LONGEST_SHOWN)}…`);
}

/**
 * Joins an upload prefix and a name that a handler chose. Names are `/`-separated
 * segments of letters, digits, `.`, `_` and `-` that do not start with a dot: whatever
 * could mean something else after decoding, normalising or globbing is refused.
 *
 * @throws {ObjectKeyError}
 */
export function uploadKey(prefix: string, name: string): string {
  if (name.length === 0 || name.length > LONGEST_NAME) {
    throw new ObjectKeyError(
      "bad_name",
      `an object name has 1 to ${LONGEST_NAME} characters, this one ${name.length}`,
    );
  }
  if (!name.split("/").every((segment) => SAFE_SEGMENT.test(segment))) {
    throw new ObjectKeyError(
      "bad_name",
      `${showName(name)} is not an object name; use letters, digits, ".", "_", "-" and "/" between them, like "images/waveform.png"`,
    );
  }
  return `${prefix}${name}`;
}

/** Where all runs of all activities write, and nobody else. */
export const RUNS_AREA = "runs/";

const SHORT_ID = 16;

/** An id as keys have it. */
export function shortId(id: string): string {
  return id.replace(/^0x/, "").slice(0, SHORT_ID);
}

/** The segment of a workflow instance in a key; `none` for a task that belongs to none. */
export function workflowSegment(workflowInstanceId: string): string {
  return shortId(workflowInstanceId) || "none";
}

/**
 * Where a run may write; ends in a slash. The ids are cut short, because keys end
 * up in results, where every byte costs gas; the run id alone makes it unique.
 */
export function uploadPrefix(workflowInstanceId: string, taskId: string, runId: string): string {
  return `${RUNS_AREA}${workflowSegment(workflowInstanceId)}/${shortId(taskId)}/${runId}/`;
}

/** A key as {@link uploadKey} makes it, taken apart. */
export interface RunKey {
  /** Of the workflow instance's id, 16 digits; `none` where there is none. */
  readonly workflow: string;
  /** Of the task's id, 16 digits. */
  readonly task: string;
  readonly runId: string;
  /** Path below the run's prefix. */
  readonly name: string;
}

const LONGEST_KEY = 1_024;

/** `undefined` for a key that no run of any node has written. */
export function parseRunKey(objectKey: string): RunKey | undefined {
  if (objectKey.length > LONGEST_KEY || !objectKey.startsWith(RUNS_AREA)) return undefined;
  const segments = objectKey.slice(RUNS_AREA.length).split("/");
  if (!segments.every((segment) => SAFE_SEGMENT.test(segment))) return undefined;
  const [workflow, task, runId, ...name] = segments;
  if (workflow === undefined || task === undefined || runId === undefined || name.length === 0)
    return undefined;
  return { workflow, task, runId, name: name.join("/") };
}
