import { TASK_ERROR } from "@subnet-worker/protocol";
import { describe, expect, expectTypeOf, it } from "vitest";
import {
  CancelledError,
  isCancelledError,
  isRetryableError,
  isTerminalError,
  RetryableError,
  TerminalError,
} from "./errors.ts";
import { defineHandler, isHandler } from "./handler.ts";
import type { InputFile } from "./input-file.ts";
import type { InputValue } from "./values.ts";

describe("defineHandler", () => {
  it("types input by its parameter, or as a record of input values", () => {
    defineHandler<{ clip: InputFile }>({
      kind: "a",
      version: "1.0.0",
      run(input) {
        expectTypeOf(input.clip).toEqualTypeOf<InputFile>();
        return {};
      },
    });
    defineHandler({
      kind: "a",
      version: "1.0.0",
      run(input) {
        expectTypeOf(input).toEqualTypeOf<Record<string, InputValue>>();
        return { total: 1 };
      },
    });
  });

  it("keeps `this` for a handler that is written as an object with helpers", async () => {
    const definition = {
      kind: "a",
      version: "1.0.0",
      factor: 3,
      run: (input: number) => Promise.resolve(input),
    };
    definition.run = function (this: typeof definition, input: number) {
      return Promise.resolve(input * this.factor);
    };
    expect(await defineHandler(definition).run(2, {} as never)).toBe(6);
  });

  it.each([
    [{ kind: "", version: "1.0.0" }, /is not a kind/],
    [{ kind: "has space", version: "1.0.0" }, /is not a kind/],
    [{ kind: "a", version: "1.0" }, /handler a: "1.0" is not a version; write it as 1.0.0/],
    [{ kind: "a", version: "v1.0.0" }, /is not a version/],
  ])("refuses %o", (name, message) => {
    expect(() => defineHandler({ ...name, run: () => ({}) })).toThrow(message);
  });

  it("refuses a handler without a function", () => {
    expect(() => defineHandler({ kind: "a", version: "1.0.0" } as never)).toThrow(
      /has no run\(input, ctx\) function/,
    );
  });

  it("marks what it makes, so that another installed copy knows it", () => {
    const copy = Object.fromEntries(Object.entries({ kind: "a" }));
    expect(isHandler(defineHandler({ kind: "a", version: "1.0.0", run: () => ({}) }))).toBe(true);
    expect(isHandler({ [Symbol.for("subnet-worker.wep-sdk.Handler")]: true })).toBe(true);
    expect([isHandler(copy), isHandler(null), isHandler("a")]).toEqual([false, false, false]);
  });
});

describe("the errors of a handler", () => {
  it("are known by their brand, also when another installed copy made them", () => {
    const foreign = Object.assign(new Error("x"), {
      [Symbol.for("subnet-worker.wep-sdk.TerminalError")]: true,
    });
    expect(isTerminalError(foreign)).toBe(true);
    expect(isTerminalError(new TerminalError("x"))).toBe(true);
    expect(isRetryableError(new RetryableError("x"))).toBe(true);
    expect(isCancelledError(new CancelledError("drain", "x"))).toBe(true);
    expect([
      isTerminalError(new RetryableError("x")),
      isRetryableError(new Error("x")),
      isCancelledError(undefined),
    ]).toEqual([false, false, false]);
  });

  it("take a code or its name, and a cause", () => {
    const cause = new Error("below");
    expect(new TerminalError("x", { code: TASK_ERROR.HTTP_ERROR, cause })).toMatchObject({
      code: 3003,
      cause,
    });
    expect(new RetryableError("x", { code: "NETWORK_ERROR" })).toMatchObject({ code: 3001 });
    expect(new TerminalError("x").code).toBe(TASK_ERROR.EXECUTION_FAILED);
    expect("cause" in new TerminalError("x")).toBe(false);
  });
});
