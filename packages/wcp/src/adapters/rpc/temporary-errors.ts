import { isKnownRefusal } from "./send-errors.ts";
import { errorText, type NodeError, revertData } from "./revert-data.ts";

/** Why asking again, or asking another, may be answered. */
export type TemporaryKind =
  /** The endpoint wants fewer questions. */
  | "limit"
  /** It has not got that block, yet or any more: another may, and after a reorg nobody. */
  | "no_block"
  /** It keeps no state or events that old: another may, and where nobody does waiting brings nothing. */
  | "gone"
  /** It failed and does not say at what: mostly it passes, and a question that it always fails at must end. */
  | "fault"
  /** It is too busy, syncing or out of order: another may be better. */
  | "busy";

export type CodedError = NodeError & { readonly code: number };

const LIMIT =
  /rate.?limit|too many (concurrent )?requests|request (count|rate|limit)|requests? per second|\bRPS\b|compute units|throttl|(?<!gas )limit exceeded|exceeded its .*capacity/i;

const NO_BLOCK =
  /header (for hash )?not found|unknown block|block not found|beyond current head|BlockOutOfRange/i;

const GONE =
  /missing trie node|\bstates?\b.*(not available|unavailable|not found|missing|pruned|discarded)|no (historical )?state available|pruned|archive/i;

const BUSY =
  /try again|temporar|overload|busy|timed? ?out|timeout|unavailable|not available|syncing|sync is still in progress|no backend/i;

const FAULT = /internal (json-?rpc |server )?error|server error|shutting down/i;

/**
 * Rounds after which a question is given up, with waits of 100 ms and doubling in between: some 15 s, and
 * 3 s. A kind that is not here is asked for until somebody answers.
 */
const MOST_ROUNDS: Readonly<Partial<Record<TemporaryKind, number>>> = { no_block: 9, fault: 9, gone: 6 };

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
  if (GONE.test(text)) return "gone";
  if (BUSY.test(text)) return "busy";
  // By its words: under the same code (-32603) nodes refuse transactions, and tell what the EVM stopped at.
  return FAULT.test(text) && !isKnownRefusal(text) ? "fault" : undefined;
}

/** In how many rounds to ask on after this error, in all. Infinity for one that only time can mend. */
export function mostRounds(error: CodedError): number {
  // A node that lacks a method that no chain can do without is out of order.
  const kind = isUnknownMethod(error) ? "fault" : temporaryKind(error);
  return (kind === undefined ? undefined : MOST_ROUNDS[kind]) ?? Number.POSITIVE_INFINITY;
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
