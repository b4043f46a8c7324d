import { toTyped } from "@subnet-worker/activity-spec/abi-value";
import { parseVersion } from "@subnet-worker/protocol/version";
import { WORK_CLASSES, type WorkClass } from "./classes.ts";
import { WepError } from "./errors.ts";

const ACTIVITY: unique symbol = Symbol.for("subnet-worker.wep-sdk.Activity");
declare const TYPES: unique symbol;

/** One named input or output of an activity. */
export interface ActivityParam {
  readonly name: string;
  /** Solidity type: `string`, `uint64`, `(bool,string)[]`. */
  readonly type: string;
  /** The value is the key of an object in storage. Default false. */
  readonly isObjectKey?: boolean;
  /** Of the object, or of the value itself. Default: nobody says. */
  readonly mediaType?: string;
  /** Largest object in bytes. `undefined`: no limit. */
  readonly maxBytes?: number;
}

/** What an activity's spec says that its handler has to know. */
export interface ActivityDefinition {
  /** Name of the work: `audio.preprocess`. */
  readonly kind: string;
  /** Semantic version, matched exactly: `1.0.0`. */
  readonly version: string;
  /** Whose slots its runs take. Default `cpu`. */
  readonly class?: WorkClass;
  readonly inputs: readonly ActivityParam[];
  readonly outputs: readonly ActivityParam[];
}

/**
 * An activity with the types of its inputs and outputs, as `wep spec types` writes it.
 * `defineHandler(activity, ...)` takes them from it.
 */
export interface Activity<I = unknown, O = unknown> extends ActivityDefinition {
  readonly [ACTIVITY]: true;
  /** For the compiler alone. */
  readonly [TYPES]?: { readonly input: I; readonly output: O };
}

/**
 * Makes an activity out of what its spec says. `wep spec types` writes calls of it, so
 * there is rarely a need to write one by hand.
 *
 * @throws {WepError} INVALID_HANDLER for a kind, version, class or type that is none, and for a name given twice
 * @example
 * ```ts
 * import { type Activity, defineActivity, type InputFile, type ObjectOutput } from "@subnet-worker/wep-sdk";
 *
 * export const count: Activity<{ text: InputFile; limit: number }, { words: number; report: ObjectOutput }> =
 *   defineActivity({
 *     kind: "demo.count",
 *     version: "1.0.0",
 *     inputs: [
 *       { name: "text", type: "string", isObjectKey: true },
 *       { name: "limit", type: "uint32" },
 *     ],
 *     outputs: [
 *       { name: "words", type: "uint32" },
 *       { name: "report", type: "string", isObjectKey: true, mediaType: "text/plain" },
 *     ],
 *   });
 * ```
 */
export function defineActivity<I, O>(definition: ActivityDefinition): Activity<I, O> {
  const { kind, version, class: workClass, inputs, outputs } = definition;
  checkIdentity({ kind, version, class: workClass });
  checkParams(definition, "inputs");
  checkParams(definition, "outputs");
  return Object.freeze({
    [ACTIVITY]: true as const,
    kind,
    version,
    inputs,
    outputs,
    ...(workClass === undefined ? {} : { class: workClass }),
  });
}

/** Whether `value` was made by {@link defineActivity}, of this or another installed copy. */
export function isActivity(value: unknown): value is Activity {
  return typeof value === "object" && value !== null && (value as Partial<Activity>)[ACTIVITY] === true;
}

/** @throws {WepError} INVALID_HANDLER naming what is wrong with the name, version or class of a kind of work */
export function checkIdentity(named: {
  readonly kind: string;
  readonly version: string;
  readonly class?: WorkClass | undefined;
}): void {
  const { kind, version, class: workClass = "cpu" } = named;
  if (typeof kind !== "string" || !/^[A-Za-z0-9][A-Za-z0-9._/-]*$/.test(kind)) {
    throw invalid(`"${kind}" is not a kind; use letters, digits and . _ / - as in "audio.preprocess"`);
  }
  try {
    parseVersion(version);
  } catch (error) {
    throw invalid(`handler ${kind}: "${version}" is not a version; write it as 1.0.0`, error);
  }
  if (!WORK_CLASSES.includes(workClass)) {
    throw invalid(`handler ${kind} ${version}: "${workClass}" is no class; use ${WORK_CLASSES.join(", ")}`);
  }
}

function checkParams({ kind, version, ...lists }: ActivityDefinition, list: "inputs" | "outputs"): void {
  const params = lists[list];
  const where = `activity ${kind} ${version}, ${list}`;
  if (!Array.isArray(params)) throw invalid(`${where}: give a list of { name, type }`);
  const names = new Set<string>();
  for (const { name, type } of lists[list]) {
    if (names.has(name)) throw invalid(`${where}: there are two named "${name}"; rename one`);
    names.add(name);
    checkType(`${where}, "${name}"`, type);
  }
}

/** The codec parses a type before it looks at a value, and no type takes a symbol. */
function checkType(where: string, type: string): void {
  try {
    toTyped(type, Symbol("no value"));
  } catch (error) {
    const { code, message } = error as { code?: unknown; message: string };
    if (code === "BAD_TYPE") throw invalid(`${where}: ${message}`, error);
  }
}

function invalid(message: string, cause?: unknown): WepError {
  return new WepError("INVALID_HANDLER", message, cause === undefined ? {} : { cause });
}
