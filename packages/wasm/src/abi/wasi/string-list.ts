import { WasmError } from "../../errors.ts";
import { ERRNO } from "./errno.ts";
import type { GuestCall } from "./link-imports.ts";

/** Arguments or variables of a command, as C has them: each with a zero byte at its end. */
export interface StringList {
  /** All of them in a row. */
  readonly bytes: Uint8Array;
  /** Where each begins. */
  readonly offsets: readonly number[];
}

const encoder = new TextEncoder();

function createStringList(strings: readonly string[]): StringList {
  const offsets: number[] = [];
  const parts = strings.map((text) => encoder.encode(`${text}\0`));
  let sizeBytes = 0;
  for (const part of parts) {
    offsets.push(sizeBytes);
    sizeBytes += part.length;
  }
  const bytes = new Uint8Array(sizeBytes);
  parts.forEach((part, index) => bytes.set(part, offsets[index]));
  return { bytes, offsets };
}

/**
 * The arguments of a command, with a name in front: C programs count on one.
 *
 * @throws {WasmError} `BAD_REQUEST` for an argument with a zero byte, which would be two
 */
export function createArgs(args: readonly string[]): StringList {
  const bad = args.findIndex((arg) => arg.includes("\0"));
  if (bad !== -1) {
    throw new WasmError("BAD_REQUEST", `argument ${bad} has a zero byte; leave it out`);
  }
  return createStringList(["program", ...args]);
}

/**
 * The environment of a command, in the order of its names, so that it is the same wherever the request comes from.
 *
 * @throws {WasmError} `BAD_REQUEST` for a name that is empty or has `=` in it, and for zero bytes
 */
export function createEnvironment(env: Readonly<Record<string, string>>): StringList {
  const entries = Object.entries(env).sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, value] of entries) {
    if (name === "" || /[=\0]/.test(name) || value.includes("\0")) {
      throw new WasmError(
        "BAD_REQUEST",
        `the environment variable ${JSON.stringify(name)} is none: names are not empty and have no "=", and neither they nor values have zero bytes`,
      );
    }
  }
  return createStringList(entries.map(([name, value]) => `${name}=${value}`));
}

/** `args_sizes_get` and `environ_sizes_get`. */
export function sizesGet({ memory }: GuestCall, list: StringList, to: readonly [number, number]): number {
  memory.check(to[0], 4);
  memory.check(to[1], 4);
  memory.setU32(to[0], list.offsets.length);
  memory.setU32(to[1], list.bytes.length);
  return ERRNO.success;
}

/** `args_get` and `environ_get`: where each begins, and all of them. */
export function stringsGet(
  { host, memory }: GuestCall,
  list: StringList,
  [pointers, target]: readonly [number, number],
): number {
  const pointersBytes = list.offsets.length * 4;
  const first = memory.check(pointers, pointersBytes);
  const copy = memory.range(target, list.bytes.length);
  host.charge(pointersBytes + copy.length);
  copy.set(list.bytes);
  list.offsets.forEach((offset, index) => {
    memory.setU32(first + index * 4, (target >>> 0) + offset);
  });
  return ERRNO.success;
}
