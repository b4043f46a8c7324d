import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RetryableError, TerminalError } from "./errors.ts";
import { createInputFile } from "./input-file.ts";
import { encodeOutputs, outcomeOfError } from "./results.ts";

function decoded(outputs: unknown): unknown {
  return JSON.parse(new TextDecoder().decode(encodeOutputs(outputs)));
}

const file = createInputFile({
  name: "clip",
  mediaType: "",
  objectKey: "in/clip",
  url: "http://localhost/in/clip",
  stream: () => new ReadableStream(),
  bytes: () => Promise.resolve(new Uint8Array()),
  saveTo: () => Promise.resolve({ sizeBytes: 0 }),
});

const cyclic: Record<string, unknown> = {};
cyclic["self"] = { again: cyclic };

describe("encodeOutputs", () => {
  it("leaves what JSON can say as it is", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (outputs) => {
        expect(decoded({ ...outputs })).toEqual(JSON.parse(JSON.stringify(outputs)));
      }),
    );
  });

  it("writes bigint as a decimal string and bytes as hex, at any depth", () => {
    expect(decoded({ a: [-(2n ** 200n), { b: new Uint8Array([0, 171]) }], c: Buffer.from("z") })).toEqual({
      a: [(-(2n ** 200n)).toString(), { b: "0x00ab" }],
      c: "0x7a",
    });
  });

  it("writes a value twice when it is there twice, which is no cycle", () => {
    const shared = { x: 1 };
    expect(decoded({ a: shared, b: [shared, shared] })).toEqual({ a: { x: 1 }, b: [{ x: 1 }, { x: 1 }] });
  });

  it.each([
    ["undefined", { a: undefined }, "output a is undefined"],
    ["NaN", { a: { b: Number.NaN } }, "output a.b is NaN"],
    ["a function", { a: [() => 1] }, "output a.0 is a function"],
    ["a hole in an array", { a: Object.assign([], { length: 2 }) }, "output a.0 is undefined"],
    ["a symbol", { a: Symbol("s") }, "output a is a symbol"],
    ["a Map", { a: new Map() }, "output a is an instance of Map"],
    ["an input file", { a: file }, "output a is an input file, which has no JSON form; return its objectKey"],
    ["a cycle", { a: cyclic }, "output a.self.again contains itself"],
    ["a string for everything", "done", "the handler returned a string"],
    ["an array for everything", [1], "the handler returned an array"],
    ["null for everything", null, "the handler returned null"],
  ])("refuses %s, saying where", (_, outputs, message) => {
    expect(() => encodeOutputs(outputs)).toThrow(message);
    expect(() => encodeOutputs(outputs)).toThrow(/^\[INVALID_FORMAT\]/);
  });
});

describe("outcomeOfError", () => {
  it("keeps the words of the handler, up to a length", () => {
    const outcome = outcomeOfError(new TerminalError("x".repeat(10_000)));
    expect(outcome).toMatchObject({ message: `${"x".repeat(4_096)}...` });
    expect(outcomeOfError("thrown text")).toMatchObject({
      message: "thrown text",
      code: 2001,
      retryable: false,
    });
    expect(outcomeOfError(new TypeError())).toMatchObject({ message: "TypeError" });
  });

  it.each([
    [undefined, 0],
    [-5, 0],
    [Number.NaN, 0],
    [0.2, 1],
    [1_500, 1_500],
    [1e300, 365 * 24 * 3_600_000],
  ])("makes whole milliseconds of retryAfterMs %s", (retryAfterMs, expected) => {
    const error = new RetryableError("later", retryAfterMs === undefined ? {} : { retryAfterMs });
    expect(outcomeOfError(error)).toMatchObject({ retryable: true, retryAfterMs: expected });
  });

  it.each<[string, () => unknown, string]>([
    ["an object without a prototype", () => Object.create(null), "[Object: null prototype] {}"],
    ["a plain object", () => ({ status: 5 }), "{ status: 5 }"],
    [
      "a message that is no text",
      () => Object.assign(new Error("x"), { message: { detail: 1 } }),
      "{ detail: 1 }",
    ],
    ["a symbol", () => Symbol("s"), "Symbol(s)"],
    ["nothing", () => undefined, "undefined"],
    [
      "what throws when it is read",
      () => Object.defineProperty(new Error("x"), "message", { get: () => encodeOutputs(0) }),
      "cannot be read",
    ],
    ["a proxy that is no more", revoked, "cannot be read"],
  ])("has words for %s", (_, thrown, message) => {
    expect(outcomeOfError(thrown())).toMatchObject({
      status: "ERROR",
      code: 2001,
      message: expect.stringContaining(message) as string,
    });
  });

  it.each([1.5, -1, 2 ** 40, "NO_SUCH", null])("has a code that can travel for %s", (code) => {
    expect(outcomeOfError(new TerminalError("x", { code: code as 2001 }))).toMatchObject({ code: 2001 });
    expect(outcomeOfError(new RetryableError("x", { code: code as 2001 }))).toMatchObject({ code: 2001 });
  });
});

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}
