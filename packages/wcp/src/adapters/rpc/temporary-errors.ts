import { errorText, type NodeError, revertData } from "./revert-data.ts";

/** Why asking again, or asking another, may be answered. */
export type TemporaryKind =
  /** The endpoint wants fewer questions. */
  | "limit"
  /** It has not got what was asked for, yet or any more, or is too busy: another may. */
  | "busy";

const LIMIT =
  /rate.?limit|too many (concurrent )?requests|request (count|rate|limit)|requests? per second|compute units|throttl|limit exceeded|capacity/i;

const BUSY =
  /try again|temporar|overload|busy|timed? ?out|timeout|unavailable|header not found|unknown block|block not found|beyond current head|missing trie node|not available|state.*pruned|syncing|sync is still in progress|no backend/i;

/** Invalid request, unknown method, bad parameters: "the method does not exist/is not available" is for good. */
const FOR_GOOD: ReadonlySet<number> = new Set([-32_600, -32_601, -32_602]);

/** Says that the node has not got the blocks yet, under the code of a bad parameter. */
const BEYOND_HEAD = /beyond current head/i;

export type CodedError = NodeError & { readonly code: number };

/** `undefined` for an error that stays. A revert never passes, whatever its text says. */
export function temporaryKind(error: CodedError): TemporaryKind | undefined {
  const text = errorText(error);
  if (BEYOND_HEAD.test(text)) return "busy";
  if (FOR_GOOD.has(error.code) || revertData(error.message, error.data) !== undefined) return undefined;
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
