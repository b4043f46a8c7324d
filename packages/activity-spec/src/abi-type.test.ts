import { describe, expect, test } from "vitest";
import { AbiError, formatAbiType, parseAbiType } from "./index.ts";

describe("parseAbiType", () => {
  test.each([
    ["uint", "uint256"],
    ["int", "int256"],
    ["uint8", "uint8"],
    ["bytes32", "bytes32"],
    [" string ", "string"],
    ["[]string", "string[]"],
    ["[3]uint8", "uint8[3]"],
    ["[2][]uint8", "uint8[][2]"],
    ["[][2]uint8", "uint8[2][]"],
    ["uint8[2][]", "uint8[2][]"],
    ["(bool,bool,string,string)", "(bool,bool,string,string)"],
    ["( bool , ( uint , []string )[] )", "(bool,(uint256,string[])[])"],
    ["tuple(bool,uint8)[]", "(bool,uint8)[]"],
    ["[](bool,string)", "(bool,string)[]"],
    ["string[ 2 ]", "string[2]"],
  ])("reads %j as %s", (text, normal) => {
    expect(formatAbiType(parseAbiType(text))).toBe(normal);
  });

  test.each([
    ["", "a type is missing"],
    ["strng", 'did you mean "string"'],
    ["String", 'did you mean "string"'],
    ["adress", 'did you mean "address"'],
    ["number", "there is no type"],
    ["uint7", "8 to 256 bits in steps of 8"],
    ["uint0", "8 to 256 bits"],
    ["uint264", "8 to 256 bits"],
    ["uint08", "8 to 256 bits"],
    ["bytes0", "bytes1 to bytes32"],
    ["bytes33", "bytes1 to bytes32"],
    ["function", "write bytes24"],
    ["fixed128x18", "fixed-point"],
    ["uint8[0]", "at least 1"],
    ["uint8[-1]", "bad array length"],
    ["uint8[1", "bad array length"],
    ["uint8]", 'more after the type: "]"'],
    ["[]uint8[]", "brackets stand on both sides"],
    ["()", "a type is missing"],
    ["tuple", "there is no type"],
    ["(bool", 'expected "," or ")"'],
    ["(bool,)", "a type is missing"],
    ["(bool ok)", "without names"],
    ["bool bool", "more after the type"],
  ])("refuses %j: %s", (text, why) => {
    expect(() => parseAbiType(text)).toThrow(why);
    expect(() => parseAbiType(text)).toThrow(AbiError);
  });

  test("refuses nesting that would exhaust the stack", () => {
    expect(() => parseAbiType("(".repeat(100_000))).toThrow("split it up");
    expect(() => parseAbiType(`uint8${"[]".repeat(300)}`)).toThrow("split it up");
    expect(formatAbiType(parseAbiType(`uint8${"[]".repeat(256)}`))).toHaveLength(517);
  });
});
