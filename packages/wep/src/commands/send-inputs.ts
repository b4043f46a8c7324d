import { readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import {
  AbiError,
  type ActivitySpec,
  decodeParams,
  encodeParams,
  type JsonValue,
  type Param,
} from "@subnet-worker/activity-spec";
import { EXIT, StartupError } from "@subnet-worker/kit";
import { mediaTypeOf } from "./media-type.ts";

/** One input of a run, as it is to be sent: a value, or a file that becomes an object. */
export type SendInput = {
  readonly name: string;
  readonly mediaType: string;
  /** Empty where there is no spec. */
  readonly abiType: string;
} & (
  | { readonly kind: "value"; readonly value: JsonValue }
  | {
      readonly kind: "file";
      /** Absolute. */
      readonly path: string;
      readonly sizeBytes: number;
      readonly maxBytes: number | undefined;
    }
);

/** A value as it was given, and what paths in it are relative to. */
interface Given {
  readonly value: unknown;
  readonly base: string;
}

const FIELD = /^([A-Za-z_]\w*)=(.*)$/s;

/**
 * Reads `--input` options: `name=value` for one input, anything else a JSON file with
 * an object of them; later ones win. With a spec the values are brought to their types, as
 * the chain would carry them, and each object-key input is the path of a file, with or without `@`
 * before it. Without one a text that begins with `@` is such a path, and `@@` begins a text with `@`.
 * Paths in a JSON file are relative to it, others to `cwd`.
 *
 * @throws {StartupError} 78 with everything that is missing, unknown or does not fit
 */
export function readSendInputs(
  options: readonly string[],
  { activity, cwd }: { readonly activity: ActivitySpec | undefined; readonly cwd: string },
): readonly SendInput[] {
  const given = new Map<string, Given>();
  for (const option of options) {
    const field = FIELD.exec(option);
    if (field === null) {
      for (const [name, each] of fromFile(option, cwd)) given.set(name, each);
    } else {
      const [, name = "", text = ""] = field;
      const param = activity?.inputs.find((each) => each.name === name);
      given.set(name, { value: parseText(text, param), base: cwd });
    }
  }
  return activity === undefined ? untyped(given) : typed(given, activity);
}

function fromFile(option: string, cwd: string): readonly (readonly [string, Given])[] {
  const path = resolve(cwd, option);
  const value = parseJson(readText(path, option), option);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw badInput(`${option} must hold a JSON object with one key for each input`);
  }
  return Object.entries(value).map(([name, each]) => [name, { value: each, base: dirname(path) }] as const);
}

function readText(path: string, option: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "there is no such file" : message;
    throw badInput(`${option}: ${why}; give a JSON file with the inputs, or one input as name=value`);
  }
}

function parseJson(text: string, option: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badInput(
      `${option} is not JSON: ${error instanceof Error ? error.message : String(error)}; a file that is itself an input is given as name=@${option}`,
    );
  }
}

/** Lists, tuples and booleans are JSON; a text, a number, an address or bytes are themselves. */
function parseText(text: string, param: Param | undefined): unknown {
  if (param?.type === "string" || text.startsWith("@")) return text;
  // With a spec, as text: a number could lose digits.
  if (param !== undefined && /^-?\d+$/.test(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function untyped(given: ReadonlyMap<string, Given>): readonly SendInput[] {
  return [...given].map(([name, { value, base }]) => {
    const isPath = typeof value === "string" && value.startsWith("@") && !value.startsWith("@@");
    if (isPath) return fileInput({ name, abiType: "" }, resolve(base, value.slice(1)));
    const plain = typeof value === "string" && value.startsWith("@@") ? value.slice(1) : value;
    return {
      kind: "value",
      name,
      abiType: "",
      mediaType: "application/json",
      value: plain as JsonValue,
    };
  });
}

function typed(given: ReadonlyMap<string, Given>, activity: ActivitySpec): readonly SendInput[] {
  const values = Object.fromEntries([...given].map(([name, { value }]) => [name, value]));
  const onChain = checked(activity, values);
  return activity.inputs.map((param) => {
    const { name, type: abiType, mediaType = "application/json" } = param;
    if (!param.isObjectKey) {
      return { kind: "value", name, abiType, mediaType, value: onChain[name] ?? null };
    }
    const path = String(values[name]).replace(/^@/, "");
    return fileInput({ ...param, abiType }, resolve(given.get(name)?.base ?? ".", path));
  });
}

/** The values as they would come off the chain. @throws {StartupError} with every problem */
function checked(activity: ActivitySpec, values: Record<string, unknown>): Record<string, JsonValue> {
  try {
    return decodeParams(activity.inputs, encodeParams(activity.inputs, values));
  } catch (error) {
    if (!(error instanceof AbiError)) throw error;
    const lines = error.problems.map((problem) => `\n  - ${problem}`).join("");
    throw badInput(
      `the inputs of ${activity.kind} ${activity.version} are not complete or not right:${lines}\nGive them as --input FILE.json or --input name=value, and files as --input name=@FILE`,
    );
  }
}

type FileParam = Pick<Param, "name" | "mediaType" | "maxBytes"> & { readonly abiType: string };

function fileInput({ name, abiType, mediaType, maxBytes }: FileParam, path: string): SendInput {
  const sizeBytes = readableSize(name, path);
  if (maxBytes !== undefined && sizeBytes > maxBytes) {
    throw badInput(
      `${name}: ${path} has ${sizeBytes} bytes, and the spec allows ${maxBytes}; give a smaller file or raise max_size`,
    );
  }
  return {
    kind: "file",
    name,
    abiType,
    mediaType: mediaType ?? mediaTypeOf(path),
    path,
    sizeBytes,
    maxBytes,
  };
}

function readableSize(name: string, path: string): number {
  try {
    const found = statSync(path);
    if (!found.isFile()) throw badInput(`${name}: ${path} is no file; give the path of one`);
    return found.size;
  } catch (error) {
    if (error instanceof StartupError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" || code === "ENOTDIR" ? "does not exist" : `cannot be read: ${message}`;
    throw badInput(`${name}: ${path} ${why}; this input is a file, and its value the path of it`);
  }
}

function badInput(problem: string): StartupError {
  return new StartupError(EXIT.badConfig, `[BAD_INPUT] ${problem}`);
}
