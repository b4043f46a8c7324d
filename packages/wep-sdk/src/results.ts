import { inspect } from "node:util";
import { TASK_ERROR, type TaskErrorCode } from "@subnet-worker/protocol/task-error";
import { isRetryableError, isTerminalError, TerminalError } from "./errors.ts";
import { isInputFile } from "./input-file.ts";
import type { Outcome } from "./run-state.ts";

/** Longest error text on the wire, in characters: it may end on a chain. */
const MAX_MESSAGE_CHARS = 4_096;

/** No worker client waits longer than a year for another attempt; a wish may be any number. */
const LONGEST_RETRY_MS = 365 * 24 * 3_600_000;

/**
 * What a handler returned, as UTF-8 JSON.
 *
 * @throws {TerminalError} INVALID_FORMAT naming the output that cannot travel
 */
export function encodeOutputs(outputs: unknown): Uint8Array {
  if (outputs === undefined) return new TextEncoder().encode("{}");
  if (!isPlainObject(outputs)) {
    throw invalid(`the handler returned ${describe(outputs)}; return an object keyed by output name`);
  }
  return encodeEntries(Object.entries(outputs).map(([name, value]) => [name, encodeValue(name, value)]));
}

/** The JSON of one output. @throws {TerminalError} INVALID_FORMAT */
export function encodeValue(name: string, value: unknown): string {
  return encode(value, [name], []);
}

/** A result of outputs that are JSON already. @throws {TerminalError} INVALID_FORMAT when it is too large for any */
export function encodeEntries(entries: readonly (readonly [name: string, json: string])[]): Uint8Array {
  const fields = entries.map(([name, json]) => `${JSON.stringify(name)}:${json}`);
  try {
    return new TextEncoder().encode(`{${fields.join(",")}}`);
  } catch (error) {
    // A string has at most half a gigabyte.
    if (!(error instanceof RangeError)) throw error;
    throw invalid("the result is larger than JSON text can be here; upload the large output with ctx.upload");
  }
}

/** What a run ends as when its handler threw; whatever that is, it can travel. */
export function outcomeOfError(error: unknown): Outcome {
  const failure = {
    status: "ERROR",
    code: TASK_ERROR.EXECUTION_FAILED,
    message: "the handler threw something that cannot be read; throw an Error",
    retryable: false,
    retryAfterMs: 0,
  } as const;
  try {
    const message = messageOf(error);
    if (isTerminalError(error)) return { ...failure, message, code: knownCode(error.code) };
    if (!isRetryableError(error)) return { ...failure, message };
    const { code, retryAfterMs } = error;
    return {
      ...failure,
      message,
      code: knownCode(code),
      retryable: true,
      retryAfterMs: wholeMs(retryAfterMs),
    };
  } catch {
    // A getter of it threw, or a proxy that it is: nothing else can be said of it.
    return failure;
  }
}

function encode(value: unknown, path: readonly string[], parents: readonly object[]): string {
  switch (typeof value) {
    case "string":
    case "boolean":
      return JSON.stringify(value);
    case "bigint":
      return `"${value}"`;
    case "number":
      if (!Number.isFinite(value)) throw unusable(value, path);
      return JSON.stringify(value);
    case "object":
      return value === null ? "null" : encodeObject(value, path, parents);
    default:
      throw unusable(value, path);
  }
}

function encodeObject(value: object, path: readonly string[], parents: readonly object[]): string {
  if (value instanceof Uint8Array) return `"0x${Buffer.from(value).toString("hex")}"`;
  if (parents.includes(value))
    throw invalid(`output ${path.join(".")} contains itself; return a tree of values`);
  const below = [...parents, value];
  if (Array.isArray(value)) {
    return `[${Array.from(value, (item: unknown, index) => encode(item, [...path, String(index)], below)).join(",")}]`;
  }
  if (!isPlainObject(value) || isInputFile(value)) throw unusable(value, path);
  const fields = Object.entries(value).map(
    ([name, field]) => `${JSON.stringify(name)}:${encode(field, [...path, name], below)}`,
  );
  return `{${fields.join(",")}}`;
}

function unusable(value: unknown, path: readonly string[]): TerminalError {
  const hint = isInputFile(value)
    ? "return its objectKey"
    : "return a string, number, boolean, bigint, null, Uint8Array, array or object";
  return invalid(`output ${path.join(".")} is ${describe(value)}, which has no JSON form; ${hint}`);
}

function invalid(message: string): TerminalError {
  return new TerminalError(`[INVALID_FORMAT] ${message}`, { code: TASK_ERROR.INVALID_FORMAT });
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

function describe(value: unknown): string {
  if (value === null || value === undefined || typeof value === "number") return String(value);
  if (isInputFile(value)) return "an input file";
  if (Array.isArray(value)) return "an array";
  if (typeof value !== "object") return `a ${typeof value}`;
  return `an instance of ${value.constructor?.name ?? "a class"}`;
}

function messageOf(error: unknown): string {
  // What is thrown may be anything, and so may the message of an Error.
  const said: unknown = error instanceof Error ? error.message || error.name : error;
  const text = typeof said === "object" && said !== null ? inspect(said) : String(said);
  return text.length <= MAX_MESSAGE_CHARS ? text : `${text.slice(0, MAX_MESSAGE_CHARS)}...`;
}

const CODES: ReadonlySet<unknown> = new Set(Object.values(TASK_ERROR));

/** Handlers in JavaScript may give anything, and what is no number would end the stream of all runs. */
function knownCode(code: TaskErrorCode): TaskErrorCode {
  return CODES.has(code) ? code : TASK_ERROR.EXECUTION_FAILED;
}

function wholeMs(ms: number | undefined): number {
  return ms !== undefined && ms > 0 ? Math.min(Math.ceil(ms), LONGEST_RETRY_MS) : 0;
}
