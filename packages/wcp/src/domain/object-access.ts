import { ObjectKeyError, parseRunKey, RUNS_AREA, shortId, showName, workflowSegment } from "./object-key.ts";

/** The task that somebody wants to read an object for. */
export interface ObjectUser {
  readonly taskId: string;
  /** Empty when it belongs to no workflow. */
  readonly workflowInstanceId: string;
}

/**
 * Whether a key was written by one of the task's own runs, as far as `isOwnRun` knows them.
 *
 * Segments are compared as a whole, so no id that begins like another passes for it. The two ids in a key are
 * cut to 64 bits, which another activity may share, by chance or because somebody made many; the run id is
 * 122 bits of a hash over the whole task id, and is what decides.
 */
export function isOwnObject(
  objectKey: string,
  user: ObjectUser,
  isOwnRun: (runId: string) => boolean,
): boolean {
  const key = parseRunKey(objectKey);
  return (
    key !== undefined &&
    key.workflow === workflowSegment(user.workflowInstanceId) &&
    key.task === shortId(user.taskId) &&
    isOwnRun(key.runId)
  );
}

export interface InputRules {
  /**
   * Inputs must begin with one of these, whole segments; empty, the default, for all keys outside `runs/`.
   * What the task's own workflow has written may always be read.
   */
  readonly inputPrefixes: readonly string[];
}

export interface InputUser extends ObjectUser {
  /** The network vouches that it is a step of that workflow. */
  readonly isInWorkflow: boolean;
}

/**
 * Whether the broker signs for an object that the network names as an input. Whoever enqueues a task can name
 * any key, so what is under `runs/` is for steps of the workflow that wrote it: a step's inputs are the outputs
 * of the step before. Two instances whose ids share their first 64 bits are one to this rule; ids are hashes,
 * and to find one that shares them takes 2^64 tries.
 *
 * @throws {ObjectKeyError}
 */
export function checkInputKey(objectKey: string, user: InputUser, { inputPrefixes }: InputRules): void {
  const plain = plainForm(objectKey);
  const isListed = inputPrefixes
    .map((prefix) => (prefix.endsWith("/") ? prefix : `${prefix}/`))
    .some((prefix) => objectKey.startsWith(prefix));
  if (isListed) return;
  // In a folder that knows no upper and lower case, both are one.
  if (!`${plain.toLowerCase()}/`.startsWith(RUNS_AREA)) {
    if (inputPrefixes.length === 0) return;
    throw new ObjectKeyError(
      "outside",
      `the input ${showName(objectKey)} is not under ${inputPrefixes.join(" or ")}, where this node reads inputs; the operator sets storage.input_prefixes`,
    );
  }
  const isOfWorkflow =
    user.isInWorkflow &&
    user.workflowInstanceId !== "" &&
    parseRunKey(objectKey)?.workflow === workflowSegment(user.workflowInstanceId);
  if (isOfWorkflow) return;
  throw new ObjectKeyError(
    "outside",
    `the input ${showName(objectKey)} was written by a run of another workflow, which this activity may not read; pass a copy outside ${RUNS_AREA}, or the operator allows it with storage.input_prefixes`,
  );
}

const LONGEST_KEY_BYTES = 1_024;
const MOST_DECODINGS = 8;
/** Control characters, invisible ones, and halves of pairs. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}]/u;
/** What looks like a slash and is none: division and fraction slashes, backslashes. */
const SLASHES = /[\\\u2044\u2215\u2216\u29f5\u29f8\u29f9]/g;
const UTF8 = new TextEncoder();

/**
 * What a store, a proxy or a file system could make of a key: decoded to the end, in one Unicode form, with
 * plain slashes.
 *
 * @throws {ObjectKeyError} when a segment of that is empty, `.` or `..`, or the key cannot be one
 */
function plainForm(objectKey: string): string {
  const refuse = (what: string) =>
    new ObjectKeyError("bad_name", `the object key ${showName(objectKey)} ${what}; use another key`);
  if (UTF8.encode(objectKey).length > LONGEST_KEY_BYTES) {
    throw refuse(`is longer than the ${LONGEST_KEY_BYTES} bytes that stores take`);
  }
  const decoded = decodeToTheEnd(objectKey);
  if (decoded === undefined) throw refuse("has percent signs that mean no text");
  if (UNSEEN.test(decoded)) throw refuse("has characters that cannot be seen");
  const plain = decoded.replace(SLASHES, "/");
  if (plain.split("/").some((segment) => segment === "" || segment === "." || segment === "..")) {
    throw refuse('has an empty segment, "." or ".." in it, as it is or once it is decoded');
  }
  return plain;
}

/** In one Unicode form; `undefined` when there is no end, or no text. */
function decodeToTheEnd(text: string): string | undefined {
  let current = text;
  for (let round = 0; round < MOST_DECODINGS; round += 1) {
    let next: string;
    try {
      // In turns: a full-width percent sign is one after normalising.
      next = current.normalize("NFKC").replace(/(?:%[0-9A-Fa-f]{2})+/g, (bytes) => decodeURIComponent(bytes));
    } catch {
      return undefined; // URIError: bytes that are no UTF-8
    }
    if (next === current) return current;
    current = next;
  }
  return undefined;
}
