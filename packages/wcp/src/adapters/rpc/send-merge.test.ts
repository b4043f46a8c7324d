import { describe, expect, it } from "vitest";
import type { SendOutcome } from "../../chain-ports.ts";
import { mergeSendOutcomes } from "./send-merge.ts";

type Kind = SendOutcome["kind"];

const outcome = (kind: Kind, message = "as said"): SendOutcome =>
  kind === "accepted" || kind === "nonce_too_low" ? { kind } : { kind, message };

describe("what endpoints that disagree about a transaction come to", () => {
  it.each<readonly [verdict: Kind, why: string, answers: readonly Kind[]]>([
    ["accepted", "one that took it is enough", ["nonce_too_low", "accepted"]],
    ["accepted", "one that took it is enough", ["unknown", "never_valid", "accepted"]],
    ["nonce_too_low", "the other lags", ["nonce_too_high", "nonce_too_low"]],
    [
      "nonce_too_low",
      "the other still has the earlier one in its pool",
      ["replacement_underpriced", "nonce_too_low"],
    ],
    [
      "replacement_underpriced",
      "another transaction is there, wherever it is",
      ["underpriced", "replacement_underpriced"],
    ],
    [
      "replacement_underpriced",
      "the other may have dropped it",
      ["insufficient_funds", "replacement_underpriced"],
    ],
    ["in_flight_limit", "a fee that is too low would be raised in vain", ["underpriced", "in_flight_limit"]],
    [
      "underpriced",
      "the one with the lower floor may not have seen the funds",
      ["insufficient_funds", "underpriced"],
    ],
    ["insufficient_funds", "it knows the earlier nonces", ["nonce_too_high", "insufficient_funds"]],
    ["nonce_too_high", "it is at least an answer", ["unknown", "nonce_too_high"]],
    ["unknown", "it may have been taken", ["never_valid", "unknown"]],
    ["underpriced", "not all say that it never can", ["never_valid", "underpriced"]],
    ["never_valid", "all say so", ["never_valid", "never_valid"]],
  ])("is %s: %s", (verdict, _why, answers) => {
    expect(mergeSendOutcomes(answers.map((kind) => outcome(kind))).kind).toBe(verdict);
    expect(mergeSendOutcomes(answers.map((kind) => outcome(kind)).toReversed()).kind).toBe(verdict);
  });

  it("keeps the words of the one that counts", () => {
    const answers = [
      outcome("unknown", "pool full"),
      outcome("underpriced", "need 7"),
      outcome("underpriced", "need 9"),
    ];
    expect(mergeSendOutcomes(answers)).toEqual({ kind: "underpriced", message: "need 7" });
  });

  it("is asked of nobody in vain", () => {
    expect(() => mergeSendOutcomes([])).toThrow("[NO_OUTCOME]");
  });
});
