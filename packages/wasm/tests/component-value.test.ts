import { expect, it } from "vitest";
import { caseOf, toEnd, toValue } from "../src/component/value.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

it("a media type means a case", () => {
  const cases = {
    json: [
      "application/json",
      "APPLICATION/JSON",
      "application/json; charset=utf-8",
      "application/ld+json",
      "text/x+json",
    ],
    text: ["text/plain", "text/html;charset=utf-8", "Text/CSV", " text/plain "],
    bytes: [
      undefined,
      "",
      "application/octet-stream",
      "image/png",
      "application/jsonp",
      "texts/plain",
      "json",
    ],
  } as const;
  for (const [name, types] of Object.entries(cases)) {
    for (const type of types) expect([type, caseOf(type)]).toEqual([type, name]);
  }
});

it("an input keeps every byte: a mark of byte order, and none at all", () => {
  expect(toValue(bytes("\uFEFFa"), "text/plain")).toEqual({ tag: "text", val: "\uFEFFa" });
  expect(toValue(bytes(""), "application/json")).toEqual({ tag: "json", val: "" });
  expect(toValue(Uint8Array.of(0xff), undefined)).toEqual({ tag: "bytes", val: Uint8Array.of(0xff) });
  expect(toValue(Uint8Array.of(0xff), "text/plain")).toBeUndefined();
});

it("an output is its bytes and a media type, within its limit, and JSON is JSON", () => {
  expect(toEnd({ tag: "json", val: '{"a": 1}' }, 8)).toEqual({
    kind: "completed",
    output: bytes('{"a": 1}'),
    outputType: "application/json",
  });
  expect(toEnd({ tag: "text", val: "ä" }, 1)).toEqual({
    kind: "output_too_large",
    limitBytes: 1,
    actualBytes: 2,
  });
  expect(toEnd({ tag: "bytes", val: bytes("ab") }, 2)).toMatchObject({
    outputType: "application/octet-stream",
  });
  expect(toEnd({ tag: "json", val: "{" }, 10)).toMatchObject({ kind: "bad_output" });
});

it("what is no value of the world is a bad output", () => {
  for (const value of [
    undefined,
    null,
    7,
    "text",
    {},
    { tag: "other", val: "" },
    { tag: "text", val: 1 },
    { tag: "bytes", val: "a" },
  ]) {
    expect(toEnd(value, 100)).toMatchObject({ kind: "bad_output" });
  }
  // A function that only has the right name may give back a promise.
  expect(toEnd(Promise.resolve(), 100)).toMatchObject({ kind: "bad_output" });
});
