import type { IntentOutcome } from "../../chain-ports.ts";

/**
 * What the contract will say again however often it is asked: the outcome itself is the trouble. All
 * else that it refuses has to do with whose the activity is, which the contract tells.
 */
const NEVER = new Set(["PayloadTooLarge"]);

/** Why an intent came to nothing, for people. */
export function reasonOf(outcome: IntentOutcome): string {
  switch (outcome.kind) {
    case "refused":
    case "reverted":
      return outcome.revert.message;
    case "dropped":
      return outcome.message;
    default:
      return "it took effect, and a reorganisation of the chain took it back";
  }
}

/** Whether the same data can never take effect. */
export function isHopeless(outcome: IntentOutcome): boolean {
  if (outcome.kind === "dropped") return outcome.reason === "purged";
  return (outcome.kind === "refused" || outcome.kind === "reverted") && NEVER.has(outcome.revert.name);
}
