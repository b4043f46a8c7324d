import * as fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import {
  AbiError,
  type AbiType,
  type AbiValue,
  bytesToHex,
  decodeAbi,
  decodeParams,
  encodeAbi,
  encodeParams,
  formatAbiType,
  parseAbiType,
  toJson,
  toTyped,
} from "../src/index.ts";
import { abiType, bracketsInFront, check, typedCases } from "./_arbitraries.ts";
import { ETHERS, forEthers, fromEthers } from "./_ethers.ts";

// Thousands of runs take seconds on an idle machine, and much longer on a busy one.
vi.setConfig({ testTimeout: 300_000 });

function decodedOrRefused(types: readonly AbiType[], data: Uint8Array): AbiValue[] | undefined {
  try {
    return decodeAbi(types, data);
  } catch (error) {
    expect(error).toBeInstanceOf(AbiError);
    return undefined;
  }
}

describe("the codec and ethers' AbiCoder", () => {
  test("encode to the same bytes", () => {
    check(typedCases, 2_000, (cases) => {
      const ours = encodeAbi(
        cases.map(({ type }) => type),
        cases.map(({ value }) => value),
      );
      const theirs = ETHERS.encode(
        cases.map(({ type }) => formatAbiType(type)),
        cases.map(({ value }) => forEthers(value)),
      );
      expect(bytesToHex(ours)).toBe(theirs);
    });
  });

  test("decode each other's bytes to the same values", () => {
    check(typedCases, 2_000, (cases) => {
      const types = cases.map(({ type }) => formatAbiType(type));
      const values = cases.map(({ value }) => value);
      expect(decodeAbi(types, ETHERS.encode(types, values.map(forEthers)))).toEqual(values);
      const theirs = ETHERS.decode(types, encodeAbi(types, values)).toArray(true);
      expect(theirs.map(fromEthers)).toEqual(values.map(forEthers));
    });
  });
});

test("JSON carries every value there and back without loss", () => {
  check(typedCases, 1_000, (cases) => {
    const params = cases.map(({ type }, index) => ({ name: `p${index}`, type: formatAbiType(type) }));
    const values = Object.fromEntries(cases.map(({ value }, index) => [`p${index}`, value]));
    const data = encodeParams(params, values);
    const json: unknown = JSON.parse(JSON.stringify(decodeParams(params, data)));
    expect(encodeParams(params, json as Record<string, unknown>)).toBe(data);
    for (const { type, value } of cases) expect(toTyped(type, toJson(type, value))).toEqual(value);
  });
});

test("a type reads back from either notation", () => {
  check(abiType, 2_000, (type) => {
    expect(parseAbiType(formatAbiType(type))).toEqual(type);
    expect(parseAbiType(bracketsInFront(type))).toEqual(type);
  });
});

test("text that is no type is refused with AbiError and nothing else", () => {
  const pieces = fc.constantFrom(
    "uint",
    "8",
    "256",
    "(",
    ")",
    "[",
    "]",
    ",",
    " ",
    "bool",
    "3",
    "tuple",
    "bytes",
    "é",
  );
  check(
    fc.oneof(
      fc.string(),
      fc.array(pieces, { maxLength: 30 }).map((all) => all.join("")),
    ),
    2_000,
    (text) => {
      try {
        expect(parseAbiType(formatAbiType(parseAbiType(text)))).toEqual(parseAbiType(text));
      } catch (error) {
        expect(error).toBeInstanceOf(AbiError);
      }
    },
  );
});

describe("hostile bytes", () => {
  // Words that look like lengths and offsets reach further into the decoder than random bytes do.
  const word = fc.oneof(
    fc.integer({ min: 0, max: 12 }).map((words) => BigInt(words * 32)),
    fc.integer({ min: 0, max: 4 }).map(BigInt),
    fc.bigInt({ min: 0n, max: (1n << 256n) - 1n }),
  );
  const plausible = fc
    .array(word, { maxLength: 24 })
    .map(
      (words) =>
        new Uint8Array(Buffer.from(words.map((each) => each.toString(16).padStart(64, "0")).join(""), "hex")),
    );

  test("are refused with AbiError, or are exactly what encoding the result gives", () => {
    const types = fc.array(abiType, { maxLength: 3 });
    check(fc.tuple(types, fc.oneof(fc.uint8Array({ maxLength: 300 }), plausible)), 4_000, ([types, data]) => {
      const values = decodedOrRefused(types, data);
      if (values !== undefined) expect(bytesToHex(encodeAbi(types, values))).toBe(bytesToHex(data));
    });
  });

  test("that differ from a good encoding in one byte never decode to the same values", () => {
    const flip = fc.record({ cases: typedCases, at: fc.nat(), by: fc.integer({ min: 1, max: 255 }) });
    check(flip, 2_000, ({ cases, at, by }) => {
      const types = cases.map(({ type }) => type);
      const data = encodeAbi(
        types,
        cases.map(({ value }) => value),
      );
      if (data.length === 0) return;
      const index = at % data.length;
      data[index] = (data[index] ?? 0) ^ by;
      const values = decodedOrRefused(types, data);
      if (values !== undefined) expect(bytesToHex(encodeAbi(types, values))).toBe(bytesToHex(data));
    });
  });
});
