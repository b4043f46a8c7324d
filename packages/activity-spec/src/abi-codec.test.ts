import { describe, expect, test } from "vitest";
import { AbiError, bytesToHex, decodeAbi, encodeAbi } from "./index.ts";

/** Hex of 32-byte words: numbers as they are, text right-padded. */
function words(...parts: readonly (number | bigint | string)[]): string {
  const hex = parts.map((part) =>
    typeof part === "string"
      ? Buffer.from(part).toString("hex").padEnd(64, "0")
      : part.toString(16).padStart(64, "0"),
  );
  return `0x${hex.join("")}`;
}

describe("the encoding in the Solidity ABI specification", () => {
  // https://docs.soliditylang.org/en/latest/abi-spec.html#examples, without the selectors
  test.each([
    { types: ["uint32", "bool"], values: [69, true], data: words(69, 1) },
    {
      types: ["bytes", "bool", "uint256[]"],
      values: [new TextEncoder().encode("dave"), true, [1n, 2n, 3n]],
      data: words(0x60, 1, 0xa0, 4, "dave", 3, 1, 2, 3),
    },
    {
      types: ["uint256", "uint32[]", "bytes10", "bytes"],
      values: [
        0x123n,
        [0x456, 0x789],
        new TextEncoder().encode("1234567890"),
        new TextEncoder().encode("Hello, world!"),
      ],
      data: words(0x123, 0x80, "1234567890", 0xe0, 2, 0x456, 0x789, 13, "Hello, world!"),
    },
    {
      types: ["uint256[][]", "string[]"],
      values: [
        [[1n, 2n], [3n]],
        ["one", "two", "three"],
      ],
      data: words(
        0x40,
        0x140,
        2,
        0x40,
        0xa0,
        2,
        1,
        2,
        1,
        3,
        3,
        0x60,
        0xa0,
        0xe0,
        3,
        "one",
        3,
        "two",
        5,
        "three",
      ),
    },
  ])("of $types is met in both directions", ({ types, values, data }) => {
    expect(bytesToHex(encodeAbi(types, values))).toBe(data);
    expect(decodeAbi(types, data)).toEqual(values);
  });
});

test("no values are no bytes", () => {
  expect(encodeAbi([], [])).toHaveLength(0);
  expect(decodeAbi([], "0x")).toEqual([]);
});

test("a byte order mark at the start of a text is kept", () => {
  expect(decodeAbi(["string"], encodeAbi(["string"], ["\uFEFFa"]))).toEqual(["\uFEFFa"]);
});

test("decoded bytes are a copy, so a reused buffer does not change them", () => {
  const data = encodeAbi(["bytes", "bytes4"], ["0x0102", "0x03040506"]);
  const before = decodeAbi(["bytes", "bytes4"], data);
  data.fill(0xff);
  expect(before).toEqual([new Uint8Array([1, 2]), new Uint8Array([3, 4, 5, 6])]);
});

test("a view into a larger buffer decodes like its copy", () => {
  const buffer = Buffer.concat([Buffer.from([9, 9, 9]), encodeAbi(["uint64", "string"], [5n, "key"])]);
  expect(decodeAbi(["uint64", "string"], buffer.subarray(3))).toEqual([5n, "key"]);
});

describe("bytes that abi.encode does not make are refused", () => {
  const max = (1n << 256n) - 1n;
  test.each([
    { what: "not hex", types: ["bool"], data: "0xzz", why: "not hex" },
    { what: "half a byte", types: ["bool"], data: "0x0", why: "not hex" },
    {
      what: "too short for the heads",
      types: ["bool", "bool"],
      data: words(1),
      why: "the data has 32 bytes, too few for 2 values",
    },
    { what: "left-over bytes", types: ["bool"], data: words(1, 0), why: "32 bytes are left over" },
    { what: "left-over half word", types: ["bool"], data: `${words(1)}00`, why: "1 bytes are left over" },
    { what: "a bool of 2", types: ["bool"], data: words(2), why: "value[0]: a bool must be 0 or 1" },
    {
      what: "dirty high bits",
      types: ["uint8"],
      data: words(256),
      why: "value[0]: the number does not fit uint8",
    },
    { what: "a sign that is not extended", types: ["int8"], data: words(0xff), why: "does not fit int8" },
    {
      what: "dirty bytes before an address",
      types: ["address"],
      data: words(1n << 160n),
      why: "padding is not zero",
    },
    { what: "dirty bytes after bytes1", types: ["bytes1"], data: words("ab"), why: "padding is not zero" },
    {
      what: "dirty bytes after a text",
      types: ["string"],
      data: words(32, 1, "ab"),
      why: "padding is not zero",
    },
    { what: "broken UTF-8", types: ["string"], data: words(32, 1, 0xffn << 248n), why: "not valid UTF-8" },
    {
      what: "an overlong UTF-8 form",
      types: ["string"],
      data: words(32, 2, 0xc0afn << 240n),
      why: "not valid UTF-8",
    },
    {
      what: "an encoded surrogate",
      types: ["string"],
      data: words(32, 3, 0xeda080n << 232n),
      why: "not valid UTF-8",
    },
    {
      what: "an offset behind",
      types: ["string"],
      data: words(0, 0),
      why: "its offset is 0, where abi.encode writes 32",
    },
    { what: "an offset ahead", types: ["string"], data: words(64, 0, 0), why: "its offset is 64" },
    { what: "an offset beyond everything", types: ["string"], data: words(max, 0), why: "its offset is" },
    {
      what: "two offsets to one tail",
      types: ["string", "string"],
      data: words(64, 64, 1, "a"),
      why: "value[1]: its offset is 64, where abi.encode writes 128",
    },
    { what: "an absurd length", types: ["bytes"], data: words(32, max), why: "its length of" },
    {
      what: "a length one byte too long",
      types: ["bytes"],
      data: words(32, 33, "a"),
      why: "its length of 33 exceeds the 32 bytes",
    },
    { what: "an absurd count", types: ["bool[]"], data: words(32, max), why: "its length of" },
    {
      what: "a count beyond the items",
      types: ["bool[]"],
      data: words(32, 2, 1),
      why: "value[0]: it takes 64 bytes, but only 32 are left",
    },
    {
      what: "an unpadded text",
      types: ["string"],
      data: `${words(32, 1)}61`,
      why: "it takes 32 bytes, but only 1 are left",
    },
    {
      what: "a missing length",
      types: ["string"],
      data: words(32),
      why: "it takes 32 bytes, but only 0 are left",
    },
    {
      what: "a bad item deep inside",
      types: ["(bool,bool[])[]"],
      data: words(32, 1, 32, 1, 64, 2, 1, 7),
      why: "value[0][0][1][1]: a bool must be 0 or 1",
    },
  ])("$what", ({ types, data, why }) => {
    expect(() => decodeAbi(types, data)).toThrow(why);
    expect(() => decodeAbi(types, data)).toThrow(AbiError);
  });

  test("a list whose items all point at one tail does not grow exponentially", () => {
    // 40 lists deep, each of two items that point at the same place: 2^40 values, were it followed.
    const level = [2, 0x40, 0x40];
    const data = words(32, ...Array.from({ length: 40 }, () => level).flat(), 0);
    expect(() => decodeAbi([`bool${"[]".repeat(41)}`], data)).toThrow("its offset is");
  });

  test("a fixed array larger than any memory is refused before anything is allocated", () => {
    expect(() => decodeAbi(["uint8[999999999][999999999]"], words(1))).toThrow("too few");
    expect(() => decodeAbi(["string[999999999]"], words(32))).toThrow("but only 0 are left");
    expect(() => decodeAbi(["uint8[999999999][]"], words(32, 3, 1))).toThrow("but only 32 are left");
  });
});

describe("values that do not fit are refused", () => {
  test.each([
    {
      type: "uint8",
      value: 256,
      why: "value[0]: expected uint8, a whole number, got 256: it must lie between 0 and 255",
    },
    { type: "uint8", value: -1, why: "it must lie between 0 and 255" },
    { type: "int8", value: 128, why: "it must lie between -128 and 127" },
    { type: "uint32", value: 1.5, why: "expected uint32, a whole number, got 1.5" },
    { type: "uint32", value: Number.NaN, why: "got NaN" },
    { type: "uint32", value: "0x10", why: 'got "0x10"' },
    { type: "uint32", value: "", why: 'got ""' },
    { type: "uint32", value: "007", why: 'got "007"' },
    { type: "uint32", value: null, why: "got null" },
    { type: "uint256", value: 2 ** 53, why: "may have lost digits; write it as a decimal string" },
    { type: "uint256", value: `1${"0".repeat(1_000_000)}`, why: "expected uint256" },
    { type: "uint256", value: 1n << 4_000n, why: "got a huge bigint" },
    { type: "bool", value: 1, why: "expected bool, true or false, got 1" },
    { type: "bool", value: "true", why: 'got "true"' },
    { type: "string", value: 5, why: "expected string, text, got 5" },
    { type: "string", value: "\uD800", why: "half of a surrogate pair" },
    { type: "address", value: "0x12", why: "it must have 20 bytes, not 1" },
    { type: "address", value: "00".repeat(20), why: "expected address, 0x and 40 hex digits" },
    { type: "bytes", value: "0x123", why: "an even number of hex digits" },
    { type: "bytes", value: [1], why: "got an array of 1" },
    { type: "bytes4", value: "0x0102030405", why: "it must have 4 bytes, not 5" },
    { type: "bool[]", value: { length: 1 }, why: "got an object" },
    { type: "bool[2]", value: [true], why: "it must have 2 items, not 1" },
    { type: "(bool,bool)", value: [true], why: "it must have 2 items, not 1" },
    { type: "(bool,uint8[])", value: [true, [1, 2, 300]], why: "value[0][1][2]: expected uint8" },
    {
      type: "bool[]",
      value: [true, undefined],
      why: "value[0][1]: expected bool, true or false, got nothing",
    },
  ])("as $type: $why", ({ type, value, why }) => {
    expect(() => encodeAbi([type], [value])).toThrow(why);
    expect(() => encodeAbi([type], [value])).toThrow(AbiError);
  });

  test("a hole in an array is a missing item", () => {
    const holed = [true];
    holed.length = 2;
    expect(() => encodeAbi(["bool[]"], [holed])).toThrow(
      "value[0][1]: expected bool, true or false, got nothing",
    );
  });

  test("a wrong count of values", () => {
    expect(() => encodeAbi(["bool"], [])).toThrow("expected 1 values, got 0");
  });
});

test("integers may come as number, decimal string or bigint", () => {
  const types = ["uint32", "uint32", "uint32", "int256", "int256", "int256"];
  expect(decodeAbi(types, encodeAbi(types, [7, "7", 7n, -7, "-7", -7n]))).toEqual([7, 7, 7, -7n, -7n, -7n]);
});

test("minus zero is zero", () => {
  expect(decodeAbi(["int8"], encodeAbi(["int8"], [-0]))).toEqual([0]);
  expect(encodeAbi(["int256"], ["-0"])).toEqual(new Uint8Array(32));
});

test("ten megabytes of bytes are coded without trouble", () => {
  const blob = new Uint8Array(10_000_001).fill(7);
  const [back] = decodeAbi(["bytes"], encodeAbi(["bytes"], [blob]));
  expect(Buffer.compare(back as Uint8Array, blob)).toBe(0);
});
