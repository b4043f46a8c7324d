import { createHash } from "node:crypto";
import { deserialize, serialize } from "node:v8";
import type { Abi } from "../abi/abi.ts";
import type { Metered } from "../meter/meter.ts";

/** A program as it is kept in a folder: metered, not compiled. */
export type StoredProgram =
  | { readonly kind: "module"; readonly abi: Abi | undefined; readonly core: Metered }
  | {
      readonly kind: "component";
      readonly abi: Abi | undefined;
      readonly modules: ReadonlyMap<string, Metered>;
      readonly glue: string;
      readonly imports: readonly string[];
      readonly exports: readonly string[];
    };

/** Raised when what the meter writes changes, or how it is kept: what was written before is then not found. */
export const STORED_VERSION = 2;

const MAGIC = Buffer.from("subnet-worker metered 2\n");
const DIGEST_BYTES = 32;

/** Bytes of a file: a line that says what it is, the SHA-256 of the key and the rest, the rest. */
export function encodeStored(key: string, program: StoredProgram): Uint8Array {
  const body = serialize(program);
  return Buffer.concat([MAGIC, digestOf(key, body), body]);
}

/** The program in a file; `undefined` when the file is damaged, or is that of another key. */
export function decodeStored(key: string, bytes: Uint8Array): StoredProgram | undefined {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const begin = MAGIC.length + DIGEST_BYTES;
  if (file.length < begin || !file.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  const body = file.subarray(begin);
  if (!digestOf(key, body).equals(file.subarray(MAGIC.length, begin))) return undefined;
  return deserialize(body) as StoredProgram;
}

function digestOf(key: string, body: Uint8Array): Buffer {
  return createHash("sha256").update(`${key}\n`).update(body).digest();
}
