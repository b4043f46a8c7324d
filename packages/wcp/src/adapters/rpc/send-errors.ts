import type { SendOutcome } from "../../chain-ports.ts";

type Kind = SendOutcome["kind"];

/**
 * What nodes say when they refuse a raw transaction, in the order in which they are tried. Matched on
 * the message, because the codes (-32000, -32003, -32603) say nothing that holds across clients. The
 * test beside this names the client of each.
 */
const PATTERNS: readonly (readonly [kind: Kind, patterns: readonly RegExp[]])[] = [
  [
    "accepted",
    [
      /already ?known|already imported|already in (the )?(mem)?pool|(tx|transaction) already exists|existing txn? with same hash/i,
      // Not "unknown transaction type".
      /(?<!un)known transaction/i,
    ],
  ],
  [
    "in_flight_limit",
    [
      /delegated accounts?|delegation (nonce gap|authority has pending)|authority already reserved/i,
      /NotCurrentNonceForDelegation|DelegatorHasPendingTx/,
    ],
  ],
  [
    "replacement_underpriced",
    [
      /replacement (transaction|tx).*(underpriced|too low)|ReplacementNotAllowed|could not replace|insufficient gas price to replace/i,
      /with (the )?same nonce (in the queue|already inserted)/i,
    ],
  ],
  [
    "never_valid",
    [
      // Gas that is too little to start with, or more than a block or a transaction may have.
      /intrinsic ?gas|requires at least \d+ gas|gas for floor data|floor data gas|not enough gas to cover minimal cost|gas ?uint(64)? ?overflow/i,
      /exceeds (the )?block('s)? gas limit|exceeds current gas limit|gas ?limit (is )?(too high|reached|exceeded)|GasLimitExceeded|gas limit cap exceeded|GasLimitCapExceeded|exceeds (the )?(transaction )?gas (limit )?cap|greater than the cap/i,
      /oversized ?data|input data too large|(transaction|tx) (is )?too large|MaxTxSizeExceeded|rlp ?too ?long|init ?code|exceeds max_init_code_size/i,
      // A type, a chain or a form that this chain does not know.
      /(transaction|tx) type.*(not supported|not activated|unsupported|disabled)|(unsupported|invalid|unknown) (transaction|tx) type|NotSupportedTxType|InvalidTxType|7702.*(disabled|not supported|not enabled|before)|not supported (by|in|before|for).*fork|authorization list not supported|fork.*not activated/i,
      /(invalid|wrong|incorrect) ?(tx)?chain ?id|chain ?id (is |does )?(not supported|required|mismatch|not match|required)|InvalidTxChainId|signed for another chain|replay-protected/i,
      /invalid (sender|signature|transaction signature|transaction v, r, s)|InvalidTxSignature|failed to recover sender|sender (is )?not an eoa|sender is ?contract|signer account has bytecode/i,
      /(priority fee|tip).*(higher|greater|above|exceeds).*(max fee|fee cap)|(max fee per gas|priority fee per gas) higher than 2\^256|negative value|nonce has max value|nonce exceeds max nonce/i,
      /authority nonce too low|authorization list.*(empty|invalid)|empty auth(orization)? list|no items in authorization list|must have at least one authorization|MissingAuthorizationList/i,
      /^(call failed: )?(transaction )?invalid(,|$)|transaction (cost )?overflow|\brlp: |failed to decode|typed transaction too short/i,
    ],
  ],
  [
    "nonce_too_low",
    [
      /nonce (is )?too low|nonce has already been used|nonce is lower|lower than the current nonce|oldnonce|stale nonce/i,
    ],
  ],
  [
    "nonce_too_high",
    [
      /nonce (is )?too (high|distant|far)|nonce ?gap|future nonce|nonce is too distant|nonce is higher|nonce too far in future|too distant future/i,
    ],
  ],
  [
    "insufficient_funds",
    [
      /insufficient ?(funds|balance)|enough (funds|balance)|upfront cost|exceeds (the )?(account )?balance|overdraft|overdraws/i,
    ],
  ],
  [
    "underpriced",
    [
      /underpriced|insufficient fee|fee ?too ?low|fee.*(too low|below)|less than (the )?(block )?base fee|gas price.*(too low|below|less than the minimum)|provided fee < minimum/i,
    ],
  ],
];

/** How a node's refusal of a raw transaction is to be understood; what no pattern knows may have been taken. */
export function classifySendError(message: string): SendOutcome {
  const known = PATTERNS.find(([, patterns]) => patterns.some((pattern) => pattern.test(message)));
  const kind = known?.[0] ?? cosmosNonce(message) ?? "unknown";
  return kind === "accepted" || kind === "nonce_too_low" ? { kind } : { kind, message };
}

/** Whether these are words for the refusal of a transaction, which may also come before it is sent. */
export function isKnownRefusal(message: string): boolean {
  return classifySendError(message).kind !== "unknown";
}

/** Cosmos chains name both numbers under one phrase: only they tell a nonce that is used from one that is early. */
function cosmosNonce(message: string): "nonce_too_low" | "nonce_too_high" | undefined {
  const match = /invalid nonce; got (\d+), (?:should be )?expected (\d+)/i.exec(message);
  if (match === null) return undefined;
  return Number(match[1]) < Number(match[2]) ? "nonce_too_low" : "nonce_too_high";
}
