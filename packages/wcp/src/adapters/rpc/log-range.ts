import { LogRangeTooWide } from "../../chain-ports.ts";
import type { NodeError } from "./revert-data.ts";

/** A number of blocks: "2000", "10,000", "10k". */
const N = String.raw`(\d[\d,._]*k?)\b`;

/** Patterns whose group is the most blocks that the endpoint answers. */
const LIMITS: readonly RegExp[] = [
  `up to an? ${N}[ -]block range`,
  `limited to (?:an? |0 - )?${N} (?:blocks? )?(?:range|blocks?)`,
  `ranges over ${N} blocks`,
  String.raw`allowed for your plan \(\d+ > ${N}\)`,
  `(?:at most|must not exceed|allowed is) ${N} blocks`,
  `range (?:\\d+ )?(?:exceeds(?: limit of)?|is bigger than range limit|greater than) ${N}`,
  `max(?:imum)?(?: block)? range(?::| =| is)? ${N}`,
  String.raw`\(maximum ${N}\)`,
  `max(?:imum)? is (?:set to )?${N}`,
  `number of requested blocks is ${N}`,
  `blocks distance: ${N}`,
  `smaller than size ${N}`,
].map((pattern) => new RegExp(pattern, "i"));

/** Patterns whose groups are the first and the last block of a range that would have been answered. */
const SPANS: readonly RegExp[] = [
  /range(?: should work:)? \[(0x[0-9a-f]+), ?(0x[0-9a-f]+)\]/i,
  /retry with the range (\d+)-(\d+)/i,
];

/** The same complaint without a number of blocks. */
const TOO_WIDE =
  /\brange\b.*\b(large|wide|high|exceed\w*|limit\w*|greater|max\w*)\b|\b(exceed\w*|reduc\w*|narrow\w*) .*\brange\b|more than [\d,]+ (results|logs)|max(imum)? (results|logs)|too many (logs|results|blocks)|matched by query exceeds|response (is )?too large|response size/i;

/** Speaks of a range, and means something else: a node that has not got these blocks yet, or a nonsensical question. */
const OTHERWISE = /beyond|invalid block range|per second/i;

/**
 * The error of an eth_getLogs as {@link LogRangeTooWide}, when that is what it says; `undefined` otherwise.
 * There is no code for it (-32000, -32005, -32600, -32602, -32614, -32701 and 35 were seen), only the words.
 */
export function asLogRangeTooWide({ message, data }: NodeError): LogRangeTooWide | undefined {
  // Gateways put the sentence anywhere in the data.
  const text = data === undefined || data === null ? message : `${message} ${JSON.stringify(data)}`;
  const maxBlocks = rangeIn(text) ?? limitIn(text);
  if (maxBlocks === undefined && (OTHERWISE.test(text) || !TOO_WIDE.test(text))) return undefined;
  return new LogRangeTooWide(text, maxBlocks);
}

/** Worth more than a limit in the same message: it also heeds how many logs there are. */
function rangeIn(text: string): number | undefined {
  const match = firstMatch(SPANS, text);
  const width = match === undefined ? 0 : Number(match[2]) - Number(match[1]) + 1;
  return width > 0 ? width : undefined;
}

function limitIn(text: string): number | undefined {
  const digits = firstMatch(LIMITS, text)?.[1]?.replaceAll(/[,._]/g, "").toLowerCase() ?? "";
  const limit = digits.endsWith("k") ? Number(digits.slice(0, -1)) * 1_000 : Number(digits);
  return limit > 0 ? limit : undefined;
}

function firstMatch(patterns: readonly RegExp[], text: string): RegExpMatchArray | undefined {
  for (const pattern of patterns) {
    const match = pattern.exec(text);
    if (match !== null) return match;
  }
  return undefined;
}
