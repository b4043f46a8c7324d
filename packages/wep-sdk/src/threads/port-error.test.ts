import { describe, expect, it } from "vitest";
import { isRetryableError, isTerminalError, RetryableError, TerminalError } from "../errors.ts";
import { NotBrokeredError } from "../grant.ts";
import { TransientFailure } from "../transfer-retry.ts";
import { packError, unpackError } from "./port-error.ts";

function travelled(error: unknown): Error {
  return unpackError(structuredClone(packError(error)));
}

describe("an error on its way to another thread", () => {
  it("stays what it is, with its words", () => {
    const terminal = travelled(new TerminalError("no", { code: "PERMISSION_DENIED" }));
    expect([isTerminalError(terminal), terminal.message]).toEqual([true, "no"]);
    expect(terminal).toMatchObject({ code: 2003 });
    const retryable = travelled(new RetryableError("later", { code: "NETWORK_ERROR", retryAfterMs: 5 }));
    expect(isRetryableError(retryable)).toBe(true);
    expect(retryable).toMatchObject({ message: "later", code: 3001, retryAfterMs: 5 });
    expect(travelled(new RetryableError("later"))).toMatchObject({ retryAfterMs: undefined });
    const transient = travelled(new TransientFailure("not now", { retryAfterMs: 7 }));
    expect(transient).toBeInstanceOf(TransientFailure);
    expect(transient).toMatchObject({ message: "not now", retryAfterMs: 7, isRefusal: false });
    expect(travelled(new TransientFailure("not so", { isRefusal: true }))).toMatchObject({ isRefusal: true });
    expect(travelled(new NotBrokeredError("never"))).toBeInstanceOf(NotBrokeredError);
  });

  it("is a plain error with its words otherwise", () => {
    expect(travelled(new RangeError("odd")).message).toBe("odd");
    expect(travelled("thrown text").message).toBe("thrown text");
  });
});
