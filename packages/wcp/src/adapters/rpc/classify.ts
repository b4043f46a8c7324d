import type { SendOutcome } from "../../ports.ts";

type Verdict = "already_known" | SendOutcome["kind"];

/**
 * What nodes say when they refuse a raw transaction. Matched on the message,
 * because the codes (-32000, -32003, -32603) say nothing that holds across clients.
 */
const PATTERNS: readonly (readonly [RegExp, Verdict])[] = [
  [
    // Not "unknown transaction type".
    /already ?known|already imported|(?<!un)known transaction|already in (the )?(mem)?pool|(tx|transaction) already exists|existing tx with same hash/i,
    "already_known",
  ],
  [
    /nonce (is )?too low|nonce has already been used|nonce is lower|lower than the current nonce|oldnonce|stale nonce/i,
    "nonce_too_low",
  ],
  [
    /insufficient ?(funds|balance)|enough (funds|balance)|upfront cost|exceeds (the )?(account )?balance|overdraft/i,
    "insufficient_funds",
  ],
  [
    /underpriced|insufficient gas price to replace|replacementnotallowed|could not replace|insufficient fee|fee ?too ?low|fee.*(too low|below)|less than (the )?(block )?base fee|gas price.*(too low|below)|provided fee < minimum/i,
    "underpriced",
  ],
];

/** Cosmos chains name both numbers under one phrase: only they tell a nonce that is used from one that is early. */
function isUsedNonce(message: string): boolean {
  const match = /invalid nonce; got (\d+), (?:should be )?expected (\d+)/i.exec(message);
  return match !== null && Number(match[1]) < Number(match[2]);
}

/** How a node's refusal of a raw transaction is to be understood; what no pattern knows may have been taken. */
export function classifySendError(message: string): SendOutcome {
  const known = PATTERNS.find(([pattern]) => pattern.test(message))?.[1];
  const verdict = known ?? (isUsedNonce(message) ? "nonce_too_low" : "unknown");
  switch (verdict) {
    case "already_known":
      return { kind: "accepted" };
    case "accepted":
    case "nonce_too_low":
      return { kind: verdict };
    default:
      return { kind: verdict, message };
  }
}

const HEX_DATA = /^0x(?:[0-9a-fA-F]{2})*$/;

/**
 * The revert data in a node's error, wherever that client puts it: `data`, `data.data`,
 * `data.result`, `data.originalError.data`, or behind "Reverted " in a text. `undefined` when
 * the error is not a revert; `0x` for a revert without data.
 */
export function revertData(message: string, data: unknown): string | undefined {
  const found = findHex(data);
  if (found !== undefined) return found;
  const text = errorText({ message, data });
  return /revert|invalid opcode|bad instruction|out of gas/i.test(text) ? "0x" : undefined;
}

/** An error as a node gave it. */
export interface NodeError {
  readonly message: string;
  readonly data: unknown;
}

/** All that an error says in words: some nodes write "Internal error" and put the rest into `data`. */
export function errorText({ message, data }: NodeError): string {
  if (typeof data === "string") return `${message} ${data}`;
  const inner = (data as { readonly message?: unknown } | null | undefined)?.message;
  return typeof inner === "string" ? `${message} ${inner}` : message;
}

const TEMPORARY =
  /rate.?limit|too many (concurrent )?requests|request (count|rate|limit)|requests? per second|compute units|throttl|limit exceeded|try again|temporar|overload|busy|timed? ?out|unavailable|header not found|unknown block|missing trie node|not available|syncing/i;

/** Invalid request, unknown method, bad parameters: "the method does not exist/is not available" is for good. */
const FOR_GOOD: ReadonlySet<number> = new Set([-32_600, -32_601, -32_602]);

/** Whether asking the same again may be answered: a limit, a node that lags or restarts. A revert never is. */
export function isTemporaryError(error: NodeError & { readonly code: number }): boolean {
  if (FOR_GOOD.has(error.code) || revertData(error.message, error.data) !== undefined) return false;
  return error.code === 429 || TEMPORARY.test(errorText(error));
}

function findHex(data: unknown): string | undefined {
  if (typeof data === "string") {
    const hex = data.replace(/^Reverted /, "");
    return HEX_DATA.test(hex) ? hex : undefined;
  }
  if (typeof data !== "object" || data === null) return undefined;
  for (const key of ["data", "result", "return", "originalError"]) {
    const found = findHex((data as Readonly<Record<string, unknown>>)[key]);
    if (found !== undefined) return found;
  }
  // An older Ganache: what became of it under the transaction's hash.
  const [, outcome] = Object.entries(data).find(([key]) => /^0x[0-9a-fA-F]{64}$/.test(key)) ?? [];
  return outcome === undefined ? undefined : findHex(outcome);
}
