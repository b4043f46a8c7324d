import { decodeNamed } from "./abi-decode.ts";
import { encodeTyped } from "./abi-encode.ts";
import { AbiError } from "./abi-error.ts";
import { parseAbiType } from "./abi-type.ts";
import { type AbiValue, describeExpected, type JsonValue, typedAt, typedToJson } from "./abi-value.ts";
import { bytesToHex } from "./hex.ts";
import { nearest } from "./suggest.ts";

/** The part of a parameter that the codec needs. */
export interface ParamType {
  readonly name: string;
  /** A Solidity ABI type. */
  readonly type: string;
}

/**
 * Decodes ABI bytes into one JSON value for each parameter, keyed by its name.
 * Integers of more than 53 bits become decimal strings, narrower ones numbers;
 * bytes and addresses lower-case 0x hex; tuples and arrays arrays.
 *
 * @param data 0x-prefixed hex, or bytes
 * @throws {AbiError} BAD_DATA naming the parameter
 *
 * @example
 * ```ts
 * import { decodeParams, encodeParams } from "@subnet-worker/activity-spec";
 *
 * const params = [{ name: "sample_rate_hz", type: "uint32" }, { name: "duration_ms", type: "uint64" }];
 * const data = encodeParams(params, { sample_rate_hz: 16000, duration_ms: "2500" });
 * decodeParams(params, data); // { sample_rate_hz: 16000, duration_ms: "2500" }
 * ```
 */
export function decodeParams(
  params: readonly ParamType[],
  data: Uint8Array | string,
): Record<string, JsonValue> {
  const values = decodeNamed(
    params.map((param) => parseAbiType(param.type)),
    data,
    (index) => ({ key: params[index]?.name ?? index }),
  );
  return Object.fromEntries(values.map((value, index) => [params[index]?.name ?? index, typedToJson(value)]));
}

/**
 * Encodes one value for each parameter as ABI bytes.
 *
 * @param values keyed by parameter name, each in any form that `toTyped` accepts
 * @returns 0x-prefixed hex
 * @throws {AbiError} BAD_VALUE with everything that is missing, unknown or does not fit
 */
export function encodeParams(
  params: readonly ParamType[],
  values: Readonly<Record<string, unknown>>,
): string {
  const problems = unknownFields(params, values);
  const types = params.map((param) => parseAbiType(param.type));
  const typed: AbiValue[] = [];
  params.forEach((param, index) => {
    const type = types[index];
    if (type === undefined) return;
    if (!Object.hasOwn(values, param.name) || values[param.name] === undefined) {
      problems.push(`${param.name}: missing; expected ${describeExpected(type)}`);
      return;
    }
    try {
      typed.push(typedAt(type, values[param.name], { key: param.name }));
    } catch (error) {
      if (!(error instanceof AbiError)) throw error;
      problems.push(...error.problems);
    }
  });
  if (problems.length > 0) throw new AbiError("BAD_VALUE", problems);
  return bytesToHex(encodeTyped(types, typed));
}

function unknownFields(params: readonly ParamType[], values: Readonly<Record<string, unknown>>): string[] {
  const names = params.map((param) => param.name);
  return Object.keys(values)
    .filter((key) => !names.includes(key))
    .map((key) => {
      const near = nearest(key, names);
      const remedy =
        near === undefined ? `the parameters are ${names.join(", ") || "none"}` : `did you mean ${near}?`;
      return `${key.slice(0, 60)}: no such parameter; ${remedy}`;
    });
}
