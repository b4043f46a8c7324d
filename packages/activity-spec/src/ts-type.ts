import type { AbiType } from "./abi-type.ts";
import { isNarrow } from "./abi-value.ts";

/** Which side of a handler: what it is given, or what it may return. */
export type Side = "input" | "output";

/**
 * The TypeScript type of a value. For inputs that of {@link AbiValue}; outputs may
 * also be a number where the type is wide, and hex where it is bytes. `toTyped` takes
 * yet more, which would hide mistakes: integers as text, a bigint for a narrow one.
 */
export function tsType(type: AbiType, side: Side): string {
  switch (type.kind) {
    case "uint":
    case "int":
      return integerType(type.bits, side);
    case "bool":
      return "boolean";
    case "string":
      return "string";
    case "list":
    case "array":
      return `readonly ${asItem(tsType(type.item, side))}[]`;
    case "tuple":
      return `readonly [${type.items.map((item) => tsType(item, side)).join(", ")}]`;
    default:
      return bytesType(type, side);
  }
}

function integerType(bits: number, side: Side): string {
  if (isNarrow(bits)) return "number";
  return side === "output" ? "number | bigint" : "bigint";
}

function bytesType(type: AbiType & { kind: "address" | "bytes" | "fixed-bytes" }, side: Side): string {
  const hex = "`0x${string}`";
  if (side === "output") return `Uint8Array | ${hex}`;
  return type.kind === "address" ? hex : "Uint8Array";
}

/** A type that `[]` may follow. */
function asItem(type: string): string {
  return type.includes(" ") ? `(${type})` : type;
}
