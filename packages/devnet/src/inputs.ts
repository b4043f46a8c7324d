import { access, constants, stat } from "node:fs/promises";
import { extname } from "node:path";
import { AbiError, encodeParams, type Param, type WorkflowSpec } from "@subnet-worker/activity-spec";
import { DevnetError } from "./errors.ts";

/** One field of a workflow's input, from the command line. */
export type InputValue =
  | { readonly kind: "file"; readonly param: string; readonly path: string; readonly sizeBytes: number }
  | { readonly kind: "value"; readonly param: string; readonly value: unknown };

export type InputFile = InputValue & { readonly kind: "file" };

const FIELD = /^([A-Za-z_]\w*)=(.*)$/s;

/**
 * Turns `--input` values into a workflow's input, and checks them as far as
 * that goes without the network: fields, types, and that files can be read.
 *
 * @param resolvePath makes a typed path absolute
 * @throws {DevnetError} `BAD_INPUT`
 */
export async function parseInputs(
  spec: WorkflowSpec,
  args: readonly string[],
  resolvePath: (path: string) => string,
): Promise<readonly InputValue[]> {
  const params = spec.activities[0]?.inputs ?? [];
  const inputs: InputValue[] = [];
  for (const arg of args) {
    const field = FIELD.exec(arg);
    const param =
      field === null ? onlyFileParam(spec, params, arg) : namedParam(spec, params, field[1] ?? "");
    if (inputs.some((input) => input.param === param.name)) throw badInput(`${param.name} is given twice`);
    inputs.push(await readValue(param, field === null ? `@${arg}` : (field[2] ?? ""), resolvePath));
  }
  checkTypes(spec, params, inputs);
  return inputs;
}

function onlyFileParam(spec: WorkflowSpec, params: readonly Param[], arg: string): Param {
  const files = params.filter(({ isObjectKey }) => isObjectKey);
  const [only] = files;
  if (only !== undefined && files.length === 1) return only;
  throw badInput(
    files.length === 0
      ? `${spec.workflow} takes no file; name the field, like --input ${params[0]?.name ?? "field"}=${arg}`
      : `${spec.workflow} takes several files; say which one this is, like --input ${files[0]?.name}=@${arg}`,
  );
}

function namedParam(spec: WorkflowSpec, params: readonly Param[], name: string): Param {
  const found = params.find((param) => param.name === name);
  if (found !== undefined) return found;
  const names = params.map((param) => param.name).join(", ") || "none";
  throw badInput(
    `${spec.workflow} has no input "${name}"; its inputs: ${names}. (a file with "=" in its name is written ./${name}=...)`,
  );
}

async function readValue(
  param: Param,
  text: string,
  resolvePath: (path: string) => string,
): Promise<InputValue> {
  if (param.isObjectKey && text.startsWith("@")) {
    const path = resolvePath(text.slice(1));
    return { kind: "file", param: param.name, path, sizeBytes: await readableSize(path) };
  }
  return { kind: "value", param: param.name, value: param.type === "string" ? text : parseLoosely(text) };
}

// Lists, tuples and booleans are JSON; numbers, addresses and bytes are themselves.
function parseLoosely(text: string): unknown {
  if (/^\d+$/.test(text)) return text; // a number could lose digits
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

async function readableSize(path: string): Promise<number> {
  try {
    const found = await stat(path);
    if (found.isDirectory()) throw badInput(`${path} is a directory; give a file`);
    if (!found.isFile()) throw badInput(`${path} is not a regular file`);
    await access(path, constants.R_OK);
    return found.size;
  } catch (error) {
    if (error instanceof DevnetError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR")
      throw badInput(`${path} does not exist; check the path`, error);
    if (code === "EACCES") throw badInput(`${path} may not be read; check its permissions`, error);
    throw error;
  }
}

function checkTypes(spec: WorkflowSpec, params: readonly Param[], inputs: readonly InputValue[]): void {
  try {
    encodeParams(
      params,
      valuesOf(inputs, () => "to be uploaded"),
    );
  } catch (error) {
    if (!(error instanceof AbiError)) throw error;
    const lines = error.problems.map((problem) => `\n  - ${problem}`).join("");
    throw badInput(
      `the input of ${spec.workflow} is not complete or not right:${lines}\nGive each field as --input FIELD=VALUE, files as --input FIELD=@FILE`,
      error,
    );
  }
}

/** The values by field, with `keyOf` for what a file was or will be uploaded as. */
export function valuesOf(
  inputs: readonly InputValue[],
  keyOf: (file: InputFile) => string,
): Record<string, unknown> {
  return Object.fromEntries(
    inputs.map((input) => [input.param, input.kind === "file" ? keyOf(input) : input.value]),
  );
}

/** Where in `folder` a file goes in the object store: `input.wav`, or after its field when there are several. */
export function objectKey(folder: string, file: InputFile, isOnly: boolean): string {
  const extension = /^\.\w{1,10}$/.exec(extname(file.path))?.[0].toLowerCase() ?? "";
  return `${folder}/${isOnly ? "input" : file.param}${extension}`;
}

function badInput(message: string, cause?: unknown): DevnetError {
  return new DevnetError("BAD_INPUT", `--input: ${message}.`, { cause });
}
