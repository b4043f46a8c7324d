import { hash } from "node:crypto";
import type { Logger } from "@subnet-worker/kit";
import { ObjectKeyError, type ObjectRefusal, showName } from "../domain/object-key.ts";
import { parseResult } from "../domain/run-result.ts";
import { type AssignedOutput, type RunOutcome, type RunResult, TaskDataError } from "../ports.ts";
import { type StorageBroker, StorageError, type StoredObject, type WrittenObject } from "../storage-ports.ts";
import { type StoragePatience, WaitOver } from "./storage-patience.ts";
import type { TaskRun } from "./task-run.ts";

/**
 * What is held against storage before a result is settled. `strict`: objects exist, have the size and the
 * digest that the executor told, and are within their spec. `exists`: they exist. `off`: nothing.
 */
export type VerifyMode = "strict" | "exists" | "off";

export interface ResultCheckDeps {
  readonly storage: StorageBroker | undefined;
  readonly patience: StoragePatience;
  readonly logger: Logger;
  /** An object was refused. */
  readonly onRefusal: (reason: ObjectRefusal) => void;
  /** What a check of one result came to. */
  readonly onChecked: (verdict: Verdict) => void;
}

export type Verdict = "verified" | "missing" | "different" | "outside" | "too_large";

const INVALID_RESULT = 1003;
const RESOURCE_UNAVAILABLE = 2002;
const CANCELLED_BY_TIMEOUT = 5002;
/**
 * Longest JSON text that is read as a result. What a transaction carries is 128 KiB, and JSON takes at most six
 * times the bytes of the text that it holds.
 */
const LONGEST_JSON_BYTES = 1_024 ** 2;
/** Objects of one result that are looked at. A spec has few outputs; each is one object. */
const HEADS_AT_ONCE = 8;

/** A named object of a result. */
interface Claimed {
  readonly objectKey: string;
  /** The output that names it; `undefined` for the result itself. */
  readonly output: AssignedOutput | undefined;
}

/** Something is not as the executor said; another run may do better. */
class Mismatch extends Error {
  readonly verdict: Verdict;

  constructor(verdict: Verdict, message: string) {
    super(message);
    this.verdict = verdict;
  }
}

/** Holds results against what is stored. A result without objects costs nothing here. */
export class ResultCheck {
  readonly #mode: VerifyMode;
  readonly #patienceMs: number;
  readonly #deps: ResultCheckDeps;

  constructor(options: { readonly mode: VerifyMode; readonly patienceMs: number }, deps: ResultCheckDeps) {
    this.#mode = options.mode;
    this.#patienceMs = options.patienceMs;
    this.#deps = deps;
  }

  /** Whether there is anything to check. */
  isNeeded({ assignment }: TaskRun, { ref, isRefJson = false }: RunResult): boolean {
    if (ref !== "" && isRefJson) return true;
    if (this.#deps.storage === undefined || this.#mode === "off") return false;
    return ref !== "" || (assignment.outputs?.some(({ isObjectKey }) => isObjectKey) ?? false);
  }

  /**
   * The outcome that may be settled: the result, read where it came by reference, or a failure that another
   * run may mend. `undefined` when the task's lease was lost meanwhile.
   *
   * @throws {TaskDataError} for a result that no other run would better
   */
  async check(run: TaskRun, result: RunResult, signal: AbortSignal): Promise<RunOutcome | undefined> {
    const { patience } = this.#deps;
    const { task, runId, deadlineMs } = run.assignment;
    const setting = "storage.result_patience" as const;
    const waiting = { task, runId, signal, deadlineMs, setting, patienceMs: this.#patienceMs };
    try {
      const outcome = await patience.ask(() => this.#settleable(run, result), waiting);
      if (outcome !== undefined) this.#deps.onChecked("verified");
      return outcome;
    } catch (error) {
      return this.#failure(error);
    }
  }

  #failure(error: unknown): RunOutcome {
    if (error instanceof Mismatch) {
      this.#deps.onChecked(error.verdict);
      return failed(error.message);
    }
    if (error instanceof WaitOver) {
      if (error.why === "deadline") {
        throw new TaskDataError(CANCELLED_BY_TIMEOUT, error.message, { cause: error });
      }
      // Another run writes other objects, which storage may not stumble on.
      return failed(`its objects could not be verified: ${error.message}`);
    }
    if (error instanceof StorageError) {
      // Storage does not allow this node to look: nothing is settled that nobody has seen.
      return failed(`its objects could not be verified: ${error.message}`);
    }
    throw error;
  }

  async #settleable(run: TaskRun, told: RunResult): Promise<RunOutcome> {
    const result = told.ref !== "" && told.isRefJson === true ? await this.#read(run, told) : told;
    const claimed = this.#mode === "off" ? [] : claimedObjects(run, result);
    for (const { objectKey } of claimed) this.#refuseForeign(run, objectKey);
    for (let start = 0; start < claimed.length; start += HEADS_AT_ONCE) {
      const some = claimed.slice(start, start + HEADS_AT_ONCE);
      await Promise.all(some.map((object) => this.#verify(object, told.objects ?? [])));
    }
    return { kind: "succeeded", result };
  }

  /** The values behind a reference. Only what the run has written is read in its name: the chain tells everybody. */
  async #read(run: TaskRun, { ref, objects = [], isSkipped = false }: RunResult): Promise<RunResult> {
    const { storage } = this.#deps;
    if (storage === undefined) {
      throw new TaskDataError(
        INVALID_RESULT,
        `the result came by reference (${showName(ref)}), and this node has no object store configured; the operator sets [storage] in the WCP's configuration`,
      );
    }
    if (!run.isOwn(ref)) throw this.#foreign(run, ref);
    const content = await readResult(storage, ref).catch((error: unknown) => {
      if (!(error instanceof TaskDataError)) throw error;
      this.#deps.onChecked("too_large");
      throw error;
    });
    compare(ref, objects, {
      sizeBytes: content.length,
      sha256: Buffer.from(hash("sha256", content, "hex"), "hex"),
    });
    try {
      return { json: new TextDecoder("utf-8", { fatal: true }).decode(content), ref: "", isSkipped };
    } catch (error) {
      throw new TaskDataError(INVALID_RESULT, `the result in ${showName(ref)} is no UTF-8 text`, {
        cause: error,
      });
    }
  }

  #refuseForeign(run: TaskRun, objectKey: string): void {
    if (!run.isOwn(objectKey) && !run.isInput(objectKey)) throw this.#foreign(run, objectKey);
  }

  #foreign({ assignment }: TaskRun, objectKey: string): TaskDataError {
    const message = `the result names the object ${showName(objectKey)}, which is neither written by a run of this activity nor one of its inputs`;
    this.#deps.onRefusal("outside");
    this.#deps.onChecked("outside");
    this.#deps.logger.warn(
      { activity_id: assignment.task.id, run_id: assignment.runId, object: showName(objectKey) },
      "result refused: it names an object that is not the run's",
    );
    return new TaskDataError(INVALID_RESULT, message, {
      cause: new ObjectKeyError("outside", message),
    });
  }

  async #verify({ objectKey, output }: Claimed, objects: readonly WrittenObject[]): Promise<void> {
    const { storage } = this.#deps;
    if (storage === undefined) return;
    const stored = await storage.head(objectKey);
    if (stored === undefined) {
      throw new Mismatch(
        "missing",
        `the result names the object ${objectKey}, which is not in storage; upload it before the handler returns`,
      );
    }
    if (this.#mode !== "strict") return;
    compare(objectKey, objects, stored);
    const { maxBytes } = output ?? {};
    if (maxBytes === undefined || stored.sizeBytes <= maxBytes) return;
    this.#deps.onChecked("too_large");
    throw new TaskDataError(
      INVALID_RESULT,
      `the object ${objectKey} has ${stored.sizeBytes} bytes, and its spec allows ${maxBytes} for ${output?.name}; make it smaller, or raise max_size in the spec`,
    );
  }
}

async function readResult(storage: StorageBroker, ref: string): Promise<Uint8Array> {
  try {
    return await storage.read(ref, LONGEST_JSON_BYTES);
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    if (error.code === "NOT_FOUND") {
      throw new Mismatch("missing", `the result is said to be in ${ref}, which is not in storage`);
    }
    if (error.code !== "TOO_LARGE") throw error;
    throw new TaskDataError(
      INVALID_RESULT,
      `[RESULT_TOO_LARGE] the result in ${ref} has more than ${LONGEST_JSON_BYTES} bytes, and what a transaction carries is less; declare what is large as outputs that are object keys, and upload it`,
      { cause: error },
    );
  }
}

/** Objects that the result names, each once. What is no string is told when the result is encoded. */
function claimedObjects({ assignment }: TaskRun, result: RunResult): readonly Claimed[] {
  const outputs = assignment.outputs ?? [];
  const claimed = new Map<string, Claimed>();
  if (result.ref !== "") claimed.set(result.ref, { objectKey: result.ref, output: undefined });
  const values = valuesOf(result, outputs);
  for (const output of outputs) {
    const objectKey = output.isObjectKey ? values[output.name] : undefined;
    // An empty key names no object: a step that was skipped has none.
    if (typeof objectKey !== "string" || objectKey === "") continue;
    const before = claimed.get(objectKey)?.output;
    claimed.set(objectKey, { objectKey, output: stricter(before, output) });
  }
  return [...claimed.values()];
}

/** Two outputs may name one object; the smaller limit holds. */
function stricter(one: AssignedOutput | undefined, other: AssignedOutput): AssignedOutput {
  const { maxBytes = Number.POSITIVE_INFINITY } = other;
  return one?.maxBytes !== undefined && one.maxBytes < maxBytes ? one : other;
}

function valuesOf(result: RunResult, outputs: readonly AssignedOutput[]): Readonly<Record<string, unknown>> {
  try {
    return parseResult(result, outputs);
  } catch (error) {
    if (error instanceof SyntaxError) return {}; // told when the result is encoded
    throw error;
  }
}

/** @throws {Mismatch} when it is not what the executor says it has written */
function compare(
  objectKey: string,
  objects: readonly WrittenObject[],
  stored: Pick<StoredObject, "sizeBytes" | "sha256">,
): void {
  const told = objects.find((object) => object.objectKey === objectKey);
  if (told === undefined) return;
  if (told.sizeBytes !== stored.sizeBytes) {
    throw new Mismatch(
      "different",
      `the object ${objectKey} has ${stored.sizeBytes} bytes in storage, and the run wrote ${told.sizeBytes}`,
    );
  }
  if (told.sha256 === undefined || stored.sha256 === undefined) return;
  if (Buffer.compare(told.sha256, stored.sha256) !== 0) {
    throw new Mismatch(
      "different",
      `the object ${objectKey} has another SHA-256 in storage than what the run wrote`,
    );
  }
}

function failed(message: string): RunOutcome {
  return { kind: "failed", code: RESOURCE_UNAVAILABLE, message, retryable: true, retryAfterMs: 0 };
}
