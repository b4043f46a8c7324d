import { describe, expect, test } from "vitest";
import { AbiError, decodeParams, encodeParams, toJson, toTyped } from "./index.ts";

const PARAMS = [
  { name: "processed_object_key", type: "string" },
  { name: "sample_rate_hz", type: "uint32" },
  { name: "duration_ms", type: "uint64" },
  { name: "verdict", type: "(bool,int48,int56)" },
  { name: "digest", type: "bytes4" },
  { name: "owner", type: "address" },
];
const VALUES = {
  processed_object_key: "runs/1/processed.wav",
  sample_rate_hz: 16_000,
  duration_ms: "2500",
  verdict: [true, -1, "-1"],
  digest: "0x01020304",
  owner: "0xab5801a7d398351b8be11c439e05c5b3259aec9b",
};

function problemsOf(run: () => unknown): readonly string[] {
  try {
    run();
  } catch (error) {
    if (error instanceof AbiError) return error.problems;
    throw error;
  }
  return [];
}

test("values come back as JSON: integers of more than 53 bits as decimal strings, narrower ones as numbers", () => {
  expect(decodeParams(PARAMS, encodeParams(PARAMS, VALUES))).toEqual(VALUES);
});

test("an address is accepted in any case and as bytes, and comes back in lower case", () => {
  const params = [{ name: "owner", type: "address" }];
  const mixed = "0xAb5801a7D398351b8bE11C439e05C5B3259aeC9B";
  const data = encodeParams(params, { owner: mixed });
  expect(decodeParams(params, data)).toEqual({ owner: mixed.toLowerCase() });
  expect(encodeParams(params, { owner: Buffer.from(mixed.slice(2), "hex") })).toBe(data);
});

test("the order of the fields does not matter, the order of the parameters does", () => {
  const reversed = Object.fromEntries(Object.entries(VALUES).toReversed());
  expect(encodeParams(PARAMS, reversed)).toBe(encodeParams(PARAMS, VALUES));
});

test("everything that is wrong is said at once, each with its parameter", () => {
  const values = {
    processed_object_key: 1,
    sample_rate: 1,
    duration_ms: -1,
    verdict: [true, 1n << 60n, 0],
    digest: "0x",
    owner: undefined,
    extra: true,
  };
  expect(problemsOf(() => encodeParams(PARAMS, values))).toEqual([
    "sample_rate: no such parameter; did you mean sample_rate_hz?",
    "extra: no such parameter; the parameters are processed_object_key, sample_rate_hz, duration_ms, verdict, digest, owner",
    "processed_object_key: expected string, text, got 1",
    "sample_rate_hz: missing; expected uint32, a whole number",
    "duration_ms: expected uint64, a whole number, best as a decimal string, got -1: it must lie between 0 and 18446744073709551615",
    "verdict[1]: expected int48, a whole number, got 1152921504606846976: it must lie between -140737488355328 and 140737488355327",
    'digest: expected bytes4, 0x and 8 hex digits, got "0x": it must have 4 bytes, not 0',
    "owner: missing; expected address, 0x and 40 hex digits",
  ]);
});

test("bytes that do not decode name the parameter", () => {
  const data = encodeParams(PARAMS, VALUES).replace(/.$/, "1");
  expect(problemsOf(() => decodeParams(PARAMS, data))).toEqual([
    "processed_object_key: its padding is not zero; compare the parameter's type with the contract's",
  ]);
  expect(() => decodeParams(PARAMS, "0x")).toThrow("[BAD_DATA] the data has 0 bytes, too few for 6 values");
});

test("a parameter named like a property of every object is a parameter like any other", () => {
  const params = ["__proto__", "constructor", "toString"].map((name) => ({ name, type: "uint8" }));
  const values = JSON.parse('{"__proto__":1,"constructor":2,"toString":3}') as Record<string, unknown>;
  const back = decodeParams(params, encodeParams(params, values));
  expect(JSON.stringify(back)).toBe('{"__proto__":1,"constructor":2,"toString":3}');
  expect(problemsOf(() => encodeParams(params, {}))).toHaveLength(3);
});

describe("toTyped and toJson", () => {
  test.each([
    { type: "uint48", json: 281_474_976_710_655, typed: 281_474_976_710_655 },
    { type: "uint56", json: "72057594037927935", typed: 72_057_594_037_927_935n },
    { type: "uint64", json: "1", typed: 1n },
    { type: "bytes", json: "0x00ff", typed: new Uint8Array([0, 255]) },
    { type: "bytes2", json: "0x00ff", typed: new Uint8Array([0, 255]) },
    { type: "string", json: "0x00ff", typed: "0x00ff" },
    {
      type: "(bool,int256[])[]",
      json: [
        [true, ["-5"]],
        [false, []],
      ],
      typed: [
        [true, [-5n]],
        [false, []],
      ],
    },
  ])("turn $json into $typed and back for $type", ({ type, json, typed }) => {
    expect(toTyped(type, json)).toEqual(typed);
    expect(toJson(type, typed)).toEqual(json);
  });

  test("refuse what does not fit", () => {
    expect(() => toTyped("uint8[]", [1, 999])).toThrow("[BAD_VALUE] value[1]: expected uint8");
    expect(() => toJson("bool", "yes")).toThrow("[BAD_VALUE] value: expected bool");
  });

  test("do not share bytes with what they were given", () => {
    const given = new Uint8Array([1]);
    const typed = toTyped("bytes", given);
    given[0] = 9;
    expect(typed).toEqual(new Uint8Array([1]));
  });
});
