import type { SendOutcome } from "../../chain-ports.ts";

/**
 * Which answer counts when endpoints disagree about a transaction, first to last. One that took it is
 * enough. After that, what cannot be a lagging node's mistake goes before what can: a used nonce, another
 * transaction in the pool and a fee floor are facts where they are seen, while missing funds and missing
 * earlier nonces may only be news that has not arrived. `never_valid` gives an intent up, so it counts
 * only when nobody says anything else, a timeout included: the bytes may be in a pool.
 */
const PRECEDENCE: readonly SendOutcome["kind"][] = [
  "accepted",
  "nonce_too_low",
  "replacement_underpriced",
  "in_flight_limit",
  "underpriced",
  "insufficient_funds",
  "nonce_too_high",
  "unknown",
  "never_valid",
];

/** What the endpoints' answers to one transaction come to; the first of equal ones. There must be one. */
export function mergeSendOutcomes(outcomes: readonly SendOutcome[]): SendOutcome {
  for (const kind of PRECEDENCE) {
    const found = outcomes.find((outcome) => outcome.kind === kind);
    if (found !== undefined) return found;
  }
  throw new Error("[NO_OUTCOME] a transaction was sent to no endpoint; report this");
}
