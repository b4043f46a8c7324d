import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { CompletionSchema } from "@subnet-worker/protocol";
import { describe, expect, it } from "vitest";
import { toGrantMessage, toRunOutcome } from "./wire.ts";

function outcomeOf(init: MessageInitShape<typeof CompletionSchema>) {
  return toRunOutcome(create(CompletionSchema, init));
}

describe("a completion", () => {
  it.each(["SUCCESS", "SKIPPED"])(
    "with %s is a success, with the result by value or by reference",
    (status) => {
      expect(
        outcomeOf({ status, resultInline: new TextEncoder().encode('{"ä":1}'), resultRef: "out/a" }),
      ).toEqual({
        kind: "succeeded",
        result: { json: '{"ä":1}', ref: "out/a" },
      });
      expect(outcomeOf({ status })).toEqual({ kind: "succeeded", result: { json: "", ref: "" } });
    },
  );

  it("with ERROR tells code, reason, and whether to run again", () => {
    expect(
      outcomeOf({ status: "ERROR", error: "busy", errorCode: 2001, retryable: true, retryAfterMs: 5_000n }),
    ).toEqual({ kind: "failed", code: 2001, message: "busy", retryable: true, retryAfterMs: 5_000 });
  });

  it("with ERROR and no more than that fails for good, as one of the simplest peers means it", () => {
    expect(outcomeOf({ status: "ERROR" })).toEqual({
      kind: "failed",
      code: 2001,
      message: "the handler failed and gave no reason",
      retryable: false,
      retryAfterMs: 0,
    });
  });

  it.each([2002, 3001, 3002, 4002])(
    "with the code %i is run again only if its handler says so",
    (errorCode) => {
      expect(outcomeOf({ status: "ERROR", errorCode })).toMatchObject({ code: errorCode, retryable: false });
      expect(outcomeOf({ status: "ERROR", errorCode, retryable: true })).toMatchObject({ retryable: true });
    },
  );

  it.each(["", "success", "DONE"])("with the status %j is an error of the WEP, told as such", (status) => {
    expect(outcomeOf({ status })).toMatchObject({
      kind: "failed",
      code: 4001,
      retryable: false,
      message: expect.stringContaining(
        `the status ${JSON.stringify(status)}; it must be SUCCESS, ERROR or SKIPPED`,
      ) as string,
    });
  });
});

describe("an upload grant", () => {
  it("that is refused has the reason and nothing else", () => {
    const { msg } = toGrantMessage(7n, new Error("no object store"));
    expect(msg).toMatchObject({
      case: "uploadGrant",
      value: { requestId: 7n, error: "no object store", url: "" },
    });
  });
});
