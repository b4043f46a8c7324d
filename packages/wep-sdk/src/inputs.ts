import { toTyped } from "@subnet-worker/activity-spec/abi-value";
import type { InputDescriptor } from "@subnet-worker/protocol";
import { TASK_ERROR } from "@subnet-worker/protocol/task-error";
import { TerminalError } from "./errors.ts";
import type { InputFile } from "./input-file.ts";
import type { InputValue } from "./values.ts";

/** Turns a reference to storage into the file a handler sees. */
export type OpenFile = (descriptor: InputDescriptor) => InputFile;

/**
 * The inputs of an assignment by name, as handlers see them.
 *
 * @throws {TerminalError} INVALID_FORMAT naming the input that does not fit its type
 */
export function decodeInputs(
  descriptors: readonly InputDescriptor[],
  openFile: OpenFile,
): Readonly<Record<string, InputValue>> {
  return Object.fromEntries(
    descriptors.map((descriptor) => [descriptor.name, decodeInput(descriptor, openFile)] as const),
  );
}

function decodeInput(descriptor: InputDescriptor, openFile: OpenFile): InputValue {
  if (descriptor.ref !== "") return openFile(descriptor);
  if (descriptor.inlineJson !== "") return decodeJson(descriptor);
  return descriptor.inlineBytes;
}

function decodeJson({ name, inlineJson, abiType }: InputDescriptor): InputValue {
  let json: InputValue;
  try {
    json = JSON.parse(inlineJson) as InputValue;
  } catch (error) {
    throw unfit(name, "its JSON does not parse", error);
  }
  // Peers of 1.0.0 send no types: then the value is what JSON says it is.
  if (abiType === "") return json;
  try {
    return toTyped(abiType, json);
  } catch (error) {
    throw unfit(name, `it is not a ${abiType}`, error);
  }
}

function unfit(name: string, what: string, cause: unknown): TerminalError {
  const detail = cause instanceof Error ? cause.message : String(cause);
  return new TerminalError(`[INVALID_FORMAT] input "${name}": ${what}: ${detail}`, {
    code: TASK_ERROR.INVALID_FORMAT,
    cause,
  });
}
