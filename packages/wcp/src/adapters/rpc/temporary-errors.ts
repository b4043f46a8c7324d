import { errorText, type NodeError, revertData } from "./revert-data.ts";

/** Why asking again, or asking another, may be answered. */
export type TemporaryKind =
  /** The endpoint wants fewer questions. */
  | "limit"
  /** It has not got that block, yet or any more: another may, and after a reorg nobody. */
  | "no_block"
  /** It is too busy, syncing or out of order: another may be better. */
  | "busy";

export type CodedError = NodeError & { readonly code: number };

const LIMIT =
  /rate.?limit|too many (concurrent )?requests|request (count|rate|limit)|requests? per second|\bRPS\b|compute units|throttl|(?<!gas )limit exceeded|exceeded its .*capacity/i;

const NO_BLOCK =
  /header (for hash )?not found|unknown block|block not found|beyond current head|BlockOutOfRange/i;

const BUSY =
  /try again|temporar|overload|busy|timed? ?out|timeout|unavailable|missing trie node|not available|pruned|syncing|sync is still in progress|no backend/i;

/** Invalid request, unknown method, bad parameters: "the method does not exist/is not available" is for good. */
const FOR_GOOD: ReadonlySet<number> = new Set([-32_600, -32_601, -32_602]);

/** `undefined` for an error that stays. A revert never passes, whatever its text says. */
export function temporaryKind(error: CodedError): TemporaryKind | undefined {
  if (revertData(error.message, error.data) !== undefined) return undefined;
  const text = errorText(error);
  // Geth and anvil say it under the code of a bad parameter.
  if (NO_BLOCK.test(text)) return "no_block";
  if (FOR_GOOD.has(error.code)) return undefined;
  if (error.code === 429 || LIMIT.test(text)) return "limit";
  return BUSY.test(text) ? "busy" : undefined;
}

/** How long an endpoint that limits the rate asks to be left alone; Infura says it in the error's data. */
export function backoffIn(data: unknown): number | undefined {
  const rate = (data as { readonly rate?: { readonly backoff_seconds?: unknown } } | null | undefined)?.rate;
  const seconds = rate?.backoff_seconds;
  return typeof seconds === "number" && seconds > 0 ? seconds * 1_000 : undefined;
}

/** The endpoint does not know this method. A spelling of ours would show in every test; so it is a lack of its own. */
export function isUnknownMethod({ code, message }: CodedError): boolean {
  return (
    code === -32_601 ||
    code === -32_604 ||
    /method .*(not found|not exist|not (available|supported|allowed|enabled|whitelisted))|unsupported method|unknown method/i.test(
      message,
    )
  );
}
