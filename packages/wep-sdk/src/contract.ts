// What a handler declares of its inputs and outputs, held against what came and what goes.
import { describeValue, toTyped } from "@subnet-worker/activity-spec/abi-value";
import type { InputDescriptor } from "@subnet-worker/protocol";
import { TASK_ERROR } from "@subnet-worker/protocol/task-error";
import type { ActivityDefinition, ActivityParam } from "./activity.ts";
import { type TaskErrorName, TerminalError } from "./errors.ts";
import type { Handler } from "./handler.ts";
import { isInputFile } from "./input-file.ts";
import type { DeclaredOutput } from "./outputs.ts";
import type { SchemaIssue, StandardSchema } from "./standard-schema.ts";
import type { InputValue } from "./values.ts";

/** More problems than this say nothing new. */
const MOST_PROBLEMS = 5;

/**
 * The inputs of a run as its handler is to see them.
 *
 * @param descriptors as they travelled
 * @throws {TerminalError} MISSING_REQUIRED_FIELD or INVALID_INPUT, naming the field, what was expected and what came
 */
export function checkInputs(
  handler: Handler,
  inputs: Readonly<Record<string, InputValue>>,
  descriptors: readonly InputDescriptor[],
): unknown {
  const { activity, input } = handler;
  if (activity !== undefined) return ofActivity(activity, inputs, descriptors);
  return input === undefined ? inputs : ofSchema(input, inputs);
}

/**
 * What a handler returned, as its schema makes it. What its activity says of it is checked
 * where it is encoded.
 *
 * @throws {TerminalError} INVALID_FORMAT, naming the field, what was expected and what was returned
 */
export async function checkOutputs(schema: StandardSchema, outputs: unknown): Promise<unknown> {
  const result = await schema["~standard"].validate(outputs);
  if (result.issues === undefined) return result.value;
  throw terminal("INVALID_FORMAT", problemsOf("output", outputs, result.issues));
}

const DECLARED = new WeakMap<ActivityDefinition, readonly DeclaredOutput[]>();

/** What the result of a run is to have: as its assignment says, else as its handler's activity does. */
export function declaredOutputs(
  { activity }: Handler,
  { outputs }: { readonly outputs: readonly DeclaredOutput[] },
): readonly DeclaredOutput[] {
  if (outputs.length > 0 || activity === undefined) return outputs;
  let declared = DECLARED.get(activity);
  if (declared === undefined) {
    declared = activity.outputs.map(({ name, type, isObjectKey = false, mediaType = "", maxBytes = 0 }) => ({
      name,
      abiType: type,
      isObjectKey,
      mediaType,
      maxBytes: BigInt(maxBytes),
    }));
    DECLARED.set(activity, declared);
  }
  return declared;
}

function ofActivity(
  { kind, version, inputs: params }: ActivityDefinition,
  inputs: Readonly<Record<string, InputValue>>,
  descriptors: readonly InputDescriptor[],
): unknown {
  const where = `${kind} ${version}`;
  const missing = params.filter(({ name }) => !Object.hasOwn(inputs, name));
  if (missing.length > 0) {
    const list = missing.map(({ name, type }) => `"${name}" (${type})`).join(", ");
    throw terminal(
      "MISSING_REQUIRED_FIELD",
      `${where}: missing input ${list}; the spec of who sent it may be another version`,
    );
  }
  const unknown = Object.keys(inputs).filter((name) => params.every((param) => param.name !== name));
  if (unknown.length > 0) {
    throw terminal("INVALID_INPUT", `${where}: ${unexpected(unknown, params)}`);
  }
  const sentTypes = new Map(descriptors.map(({ name, abiType }) => [name, abiType]));
  return Object.fromEntries(
    params.map((param) => [
      param.name,
      // What came with the very type has been brought to it already.
      sentTypes.get(param.name) === param.type && param.isObjectKey !== true
        ? inputs[param.name]
        : checkInput(param, inputs[param.name]),
    ]),
  );
}

function checkInput(param: ActivityParam, value: unknown): unknown {
  const { name, type, isObjectKey = false } = param;
  if (isObjectKey) {
    if (isInputFile(value)) return value;
    throw terminal(
      "INVALID_INPUT",
      `input "${name}": expected an object in storage, got ${describe(value)}; its sender must know that it is an object key`,
    );
  }
  if (isInputFile(value)) {
    throw terminal("INVALID_INPUT", `input "${name}": expected ${type}, got an object in storage`);
  }
  return fitted(param, value);
}

function fitted(param: ActivityParam, value: unknown): unknown {
  try {
    return toTyped(param.type, value);
  } catch (error) {
    // AbiError: "value[2]: expected uint8, ..., got ..."; its place is relative to the parameter.
    const { problems } = error as { problems?: readonly string[] };
    const detail = (problems?.[0] ?? String(error)).replace(/^value/, "");
    const place = /^[^:]*/.exec(detail)?.[0] ?? "";
    throw terminal("INVALID_INPUT", `input "${param.name}${place}"${detail.slice(place.length)}`, error);
  }
}

function unexpected(names: readonly string[], params: readonly ActivityParam[]): string {
  const shown = names.slice(0, MOST_PROBLEMS).map((name) => JSON.stringify(name.slice(0, 100)));
  const known = params.map(({ name }) => name).join(", ") || "none";
  return `there is no input ${shown.join(", ")}; there is: ${known}`;
}

async function ofSchema(schema: StandardSchema, inputs: unknown): Promise<unknown> {
  const result = await schema["~standard"].validate(inputs);
  if (result.issues === undefined) return result.value;
  const isMissing = result.issues.every(({ path = [] }) => path.length > 0 && at(inputs, path) === undefined);
  throw terminal(
    isMissing ? "MISSING_REQUIRED_FIELD" : "INVALID_INPUT",
    problemsOf("input", inputs, result.issues),
  );
}

function problemsOf(what: "input" | "output", value: unknown, issues: readonly SchemaIssue[]): string {
  const shown = issues.slice(0, MOST_PROBLEMS).map(({ message, path = [] }) => {
    const text = message.length > 200 ? `${message.slice(0, 200)}...` : message;
    const place = path.length === 0 ? `${what}s` : `${what} "${formatPath(path)}"`;
    return `${place}: ${text} (got ${describe(at(value, path))})`;
  });
  const more = issues.length - shown.length;
  return `${shown.join("; ")}${more > 0 ? `; and ${more} more` : ""}`;
}

type SchemaPath = NonNullable<SchemaIssue["path"]>;

function keysOf(path: SchemaPath): PropertyKey[] {
  return path.map((segment) => (typeof segment === "object" ? segment.key : segment));
}

function formatPath(path: SchemaPath): string {
  return keysOf(path)
    .map((key, index) => (typeof key === "number" ? `[${key}]` : `${index === 0 ? "" : "."}${String(key)}`))
    .join("")
    .slice(0, 200);
}

function at(value: unknown, path: SchemaPath): unknown {
  return keysOf(path).reduce<unknown>(
    (below, key) =>
      typeof below === "object" && below !== null ? (below as Record<PropertyKey, unknown>)[key] : undefined,
    value,
  );
}

/** A value in a few words. */
export function describe(value: unknown): string {
  return isInputFile(value) ? "an object in storage" : describeValue(value);
}

function terminal(code: TaskErrorName, message: string, cause?: unknown): TerminalError {
  return new TerminalError(`[${code}] ${message}`, { code: TASK_ERROR[code], cause });
}
