import { expect, it } from "vitest";
import { delegateOf } from "./delegation.ts";

it("reads the delegate out of a delegated account's code, checksummed", () => {
  const delegate = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
  expect(delegateOf(`0xef0100${delegate.slice(2).toLowerCase()}`)).toBe(delegate);
  expect(delegateOf(`0xEF0100${delegate.slice(2).toUpperCase()}`)).toBe(delegate);
});

it.each([
  ["no code", "0x"],
  ["a contract", "0x6080604052"],
  ["a delegation to nobody", `0xef0100${"00".repeat(20)}`],
  ["a marker that is cut", `0xef0100${"11".repeat(19)}`],
  ["code that only begins like one", `0xef0100${"11".repeat(21)}`],
  ["another version of the marker", `0xef0101${"11".repeat(20)}`],
])("finds no delegate in %s", (_, code) => {
  expect(delegateOf(code)).toBeUndefined();
});
