import type { SendOutcome } from "../../ports.ts";

type Verdict = "already_known" | SendOutcome["kind"];

/**
 * What nodes say when they refuse a raw transaction. Matched on the message,
 * because the codes (-32000, -32003, -32603) say nothing that holds across clients.
 */
const PATTERNS: readonly (readonly [RegExp, Verdict])[] = [
  [
    /already known|already imported|known transaction|already in (the )?(mem)?pool|transaction already exists/i,
    "already_known",
  ],
  [
    /nonce (is )?too low|nonce has already been used|invalid nonce.*expected|lower than the current nonce|oldnonce|stale nonce/i,
    "nonce_too_low",
  ],
  [
    /replacement transaction underpriced|underpriced|fee.*(too low|below)|less than block base fee|feecap.*(less|below)|gas price too low|could not replace/i,
    "underpriced",
  ],
  [
    /insufficient (funds|balance)|not enough (funds|balance)|upfront cost|exceeds (the )?balance/i,
    "insufficient_funds",
  ],
];

/** How a node's refusal of a raw transaction is to be understood; what no pattern knows may have been taken. */
export function classifySendError(message: string): SendOutcome {
  const verdict = PATTERNS.find(([pattern]) => pattern.test(message))?.[1] ?? "unknown";
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
 * The revert data in a node's error, wherever that client puts it: `data`,
 * `data.data`, `data.result`, or behind "Reverted " in a text. `undefined` when
 * the error is not a revert; `0x` for a revert without data.
 */
export function revertData(message: string, data: unknown): string | undefined {
  const found = findHex(data);
  if (found !== undefined) return found;
  return /revert|invalid opcode|out of gas/i.test(message) ? "0x" : undefined;
}

function findHex(data: unknown): string | undefined {
  if (typeof data === "string") {
    const hex = data.replace(/^Reverted /, "");
    return HEX_DATA.test(hex) ? hex : undefined;
  }
  if (typeof data !== "object" || data === null) return undefined;
  const { data: inner, result } = data as { readonly data?: unknown; readonly result?: unknown };
  return findHex(inner) ?? findHex(result);
}
