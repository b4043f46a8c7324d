import { AbiError } from "./abi-error.ts";
import { type AbiType, asAbiType, formatAbiType } from "./abi-type.ts";
import { type FieldPath, formatPath } from "./field-path.ts";
import { bytesToHex, hexToBytes, isHex } from "./hex.ts";

/** Anything JSON can hold. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/**
 * A value as handlers see it: integers of more than 53 bits are bigint, narrower
 * ones number; bytes are Uint8Array; an address is lower-case hex; arrays and
 * tuples are arrays.
 */
export type AbiValue = boolean | number | bigint | string | Uint8Array | readonly AbiValue[];

/** Integers of wider types than this are decimal strings in JSON: a double cannot hold them all. */
const WIDEST_NUMBER_BITS = 53;

/**
 * Checks a value against its type and brings it to the form handlers see.
 * Integers may come as number, decimal string or bigint; bytes as 0x hex or
 * Uint8Array; arrays and tuples as arrays.
 *
 * @throws {AbiError} BAD_VALUE naming the place, as in `value[2][0]`
 *
 * @example
 * ```ts
 * import { toTyped } from "@subnet-worker/activity-spec";
 *
 * toTyped("(uint32,uint64)", [7, "7"]); // [7, 7n]
 * ```
 */
export function toTyped(type: AbiType | string, json: unknown): AbiValue {
  return typedAt(asAbiType(type), json, { key: "value" });
}

/**
 * The JSON form of a value: integers of more than 53 bits are decimal strings,
 * narrower ones numbers; bytes and addresses are lower-case 0x hex. Accepts
 * whatever {@link toTyped} accepts.
 *
 * @throws {AbiError} BAD_VALUE
 */
export function toJson(type: AbiType | string, value: unknown): JsonValue {
  return typedToJson(toTyped(type, value));
}

/** JSON form of a value that is known to fit its type. */
export function typedToJson(value: AbiValue): JsonValue {
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Uint8Array) return bytesToHex(value);
  if (typeof value === "object") return value.map(typedToJson);
  return value;
}

/** Whether an integer type's values are `number` (else `bigint`). */
export function isNarrow(bits: number): boolean {
  return bits <= WIDEST_NUMBER_BITS;
}

/** A value on its way into a type. */
interface Candidate<T extends AbiType = AbiType> {
  readonly type: T;
  readonly value: unknown;
  readonly path: FieldPath;
}

/** {@link toTyped} with the place of the value. */
export function typedAt(type: AbiType, value: unknown, path: FieldPath): AbiValue {
  switch (type.kind) {
    case "uint":
    case "int":
      return typedInteger({ type, value, path });
    case "bool":
      return typeof value === "boolean" ? value : refuse({ type, value, path });
    case "string":
      return typedText({ type, value, path });
    case "address":
      return bytesToHex(typedBytes({ type, value, path }, 20));
    case "bytes":
      return typedBytes({ type, value, path });
    case "fixed-bytes":
      return typedBytes({ type, value, path }, type.sizeBytes);
    default:
      return typedSequence({ type, value, path });
  }
}

function typedText(text: Candidate): string {
  const { value } = text;
  if (typeof value !== "string") return refuse(text);
  if (!value.isWellFormed()) refuse(text, "it has half of a surrogate pair, which UTF-8 cannot hold");
  return value;
}

type IntegerType = Extract<AbiType, { kind: "uint" | "int" }>;

function typedInteger(integer: Candidate<IntegerType>): number | bigint {
  const { type, value } = integer;
  const wide = readInteger(value);
  if (wide === undefined) {
    const isRounded = typeof value === "number" && Number.isInteger(value);
    return refuse(
      integer,
      isRounded ? "so large a number may have lost digits; write it as a decimal string" : undefined,
    );
  }
  const [min, max] = integerRange(type);
  if (wide < min || wide > max) refuse(integer, `it must lie between ${min} and ${max}`);
  return isNarrow(type.bits) ? Number(wide) : wide;
}

function readInteger(value: unknown): bigint | undefined {
  if (typeof value === "bigint") return value;
  if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : undefined;
  // 256 bits take 78 digits; the bound keeps BigInt from chewing on megabytes.
  if (typeof value === "string" && /^-?(?:0|[1-9]\d{0,79})$/.test(value)) return BigInt(value);
  return undefined;
}

function integerRange(type: IntegerType): readonly [min: bigint, max: bigint] {
  if (type.kind === "uint") return [0n, (1n << BigInt(type.bits)) - 1n];
  const half = 1n << BigInt(type.bits - 1);
  return [-half, half - 1n];
}

/** Bytes of the given size, or of any when that is undefined. */
function typedBytes(given: Candidate, sizeBytes?: number): Uint8Array {
  const bytes = readBytes(given.value) ?? refuse(given);
  if (sizeBytes !== undefined && bytes.length !== sizeBytes) {
    refuse(given, `it must have ${sizeBytes} bytes, not ${bytes.length}`);
  }
  return bytes;
}

function readBytes(value: unknown): Uint8Array | undefined {
  if (value instanceof Uint8Array) return new Uint8Array(value);
  return typeof value === "string" && isHex(value) ? hexToBytes(value) : undefined;
}

type SequenceType = Extract<AbiType, { kind: "list" | "array" | "tuple" }>;

function typedSequence(sequence: Candidate<SequenceType>): AbiValue {
  const { type, value, path } = sequence;
  if (!Array.isArray(value)) return refuse(sequence);
  const expected = fixedCount(type) ?? value.length;
  if (value.length !== expected) refuse(sequence, `it must have ${expected} items, not ${value.length}`);
  // Array.from, not map: map skips holes, and a hole is a missing item.
  return Array.from(value, (item: unknown, index) =>
    typedAt(itemType(type, index), item, { parent: path, key: index }),
  );
}

function fixedCount(type: SequenceType): number | undefined {
  if (type.kind === "tuple") return type.items.length;
  return type.kind === "array" ? type.length : undefined;
}

function itemType(type: SequenceType, index: number): AbiType {
  const item = type.kind === "tuple" ? type.items[index] : type.item;
  if (item === undefined) throw new RangeError(`no item ${index}`);
  return item;
}

/** What a type wants, for people. */
export function describeExpected(type: AbiType): string {
  const text = formatAbiType(type);
  switch (type.kind) {
    case "uint":
    case "int":
      return `${text}, a whole number${isNarrow(type.bits) ? "" : ", best as a decimal string"}`;
    case "bool":
      return "bool, true or false";
    case "string":
      return "string, text";
    case "address":
      return "address, 0x and 40 hex digits";
    case "bytes":
      return "bytes, 0x and an even number of hex digits";
    case "fixed-bytes":
      return `${text}, 0x and ${type.sizeBytes * 2} hex digits`;
    default:
      return `${text}, an array`;
  }
}

function refuse({ type, value, path }: Candidate, why?: string): never {
  const detail = why === undefined ? "" : `: ${why}`;
  throw new AbiError("BAD_VALUE", [
    `${formatPath(path)}: expected ${describeExpected(type)}, got ${describeValue(value)}${detail}`,
  ]);
}

/** A value in a few words: it may be large, or a secret's neighbour. */
export function describeValue(value: unknown): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}...` : value);
    case "number":
    case "boolean":
      return `${value}`;
    case "bigint":
      return BigInt.asIntN(300, value) === value ? `${value}` : "a huge bigint";
    case "undefined":
      return "nothing";
    case "object":
      return describeObject(value);
    default:
      return `a ${typeof value}`;
  }
}

function describeObject(value: object | null): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return `an array of ${value.length}`;
  return value instanceof Uint8Array ? `${value.length} bytes` : "an object";
}
