import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { CompletionSchema } from "@subnet-worker/protocol";
import { describe, expect, it } from "vitest";
import { aTask } from "../../../tests/_builders.ts";
import type { Assignment } from "../../ports.ts";
import { toAssignMessage, toRunOutcome } from "./wire.ts";

function outcomeOf(init: MessageInitShape<typeof CompletionSchema>) {
  return toRunOutcome(create(CompletionSchema, init));
}

describe("a completion", () => {
  it.each([
    ["SUCCESS", {}],
    ["SKIPPED", { isSkipped: true }],
  ])("with %s is a success, with the result by value or by reference", (status, more) => {
    expect(
      outcomeOf({ status, resultInline: new TextEncoder().encode('{"ä":1}'), resultRef: "out/a" }),
    ).toEqual({
      kind: "succeeded",
      result: { json: '{"ä":1}', ref: "out/a", ...more },
    });
    expect(outcomeOf({ status })).toEqual({ kind: "succeeded", result: { json: "", ref: "", ...more } });
  });

  it("with ERROR tells code, reason, and whether to run again", () => {
    expect(
      outcomeOf({ status: "ERROR", error: "busy", errorCode: 2001, retryable: true, retryAfterMs: 5_000n }),
    ).toEqual({ kind: "failed", code: 2001, message: "busy", retryable: true, retryAfterMs: 5_000 });
  });

  it("with ERROR tells nobody a URL that is still good, and no more than can be read", () => {
    const url = "https://store.example/b/in/a.wav?X-Amz-Expires=900&X-Amz-Signature=abc";
    const error = `403 Client Error: Forbidden for url: ${url} (try 1)`;
    expect(outcomeOf({ status: "ERROR", error })).toMatchObject({
      message: "403 Client Error: Forbidden for url: https://store.example/b/in/a.wav?… (try 1)",
    });
    const path = "Max retries exceeded with url: /b/in/a.wav?X-Amz-Expires=900&X-Amz-Signature=abc";
    expect(outcomeOf({ status: "ERROR", error: path })).toMatchObject({
      message: "Max retries exceeded with url: /b/in/a.wav?X-Amz-Expires=900&X-Amz-Signature=…",
    });
    const long = outcomeOf({ status: "ERROR", error: `${"http://".repeat(200_000)}?` });
    expect((long as { readonly message: string }).message.length).toBeLessThan(10_000);
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

describe("a completion's objects", () => {
  it("are told with size and digest, and without a digest where there is none", () => {
    const sha256 = new Uint8Array(32).fill(7);
    const outcome = outcomeOf({
      status: "SUCCESS",
      resultRef: "runs/w/t/r/result.json",
      resultRefIsOutputs: true,
      objects: [
        { objectKey: "runs/w/t/r/result.json", sizeBytes: 12n, sha256 },
        { objectKey: "runs/w/t/r/b", sizeBytes: 0n },
      ],
    });
    expect(outcome).toEqual({
      kind: "succeeded",
      result: {
        json: "",
        ref: "runs/w/t/r/result.json",
        isRefJson: true,
        objects: [
          { objectKey: "runs/w/t/r/result.json", sizeBytes: 12, sha256 },
          { objectKey: "runs/w/t/r/b", sizeBytes: 0 },
        ],
      },
    });
  });
});

describe("an assignment", () => {
  it("says what its spec says, and of what no spec says nothing", () => {
    const assignment: Assignment = {
      task: aTask(),
      runId: "run-1",
      attempt: 1,
      inputs: [
        {
          name: "audio",
          abiType: "string",
          mediaType: "audio/wav",
          value: "in/a.wav",
          objectKey: "in/a.wav",
          url: "https://s/in/a.wav?sig",
          urlExpiresAtMs: 1_700_000_000_900,
          maxBytes: 5_000_000_000,
        },
      ],
      workflowInputs: [],
      uploadPrefix: "",
      leaseExpiresAtMs: 0,
      progressIntervalS: 1,
    };
    const bare = toAssignMessage(assignment).msg.value;
    expect(bare).toMatchObject({ outputs: [], timeoutMs: 0n, memoryMb: 0, resultByReference: false });
    expect(bare).toMatchObject({ inputs: [{ expiresUnix: 1_700_000_000n, maxBytes: 5_000_000_000n }] });
    const output = { name: "key", abiType: "string", mediaType: "audio/wav", isObjectKey: true };
    const full = toAssignMessage({
      ...assignment,
      outputs: [{ ...output, maxBytes: 9 }, output],
      timeoutMs: 60_000,
      memoryMb: 256,
      isResultByReference: true,
    });
    expect(full.msg.value).toMatchObject({
      outputs: [
        { ...output, maxBytes: 9n },
        { ...output, maxBytes: 0n },
      ],
      timeoutMs: 60_000n,
      memoryMb: 256,
      resultByReference: true,
    });
  });
});
