/** The bytes that were asked for, both ends included. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/**
 * Which bytes of an object a Range header means. `undefined`: all of it, as for what
 * is no single range; `"unsatisfiable"` when there are no such bytes.
 */
export function parseRange(
  header: string | undefined,
  sizeBytes: number,
): ByteRange | "unsatisfiable" | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  const [, from = "", to = ""] = match ?? [];
  if (from === "") return to === "" ? undefined : lastOf(Number(to), sizeBytes);
  const first = Number(from);
  const last = to === "" ? Infinity : Number(to);
  if (last < first) return undefined; // as RFC 9110 wants what makes no sense ignored
  return first < sizeBytes ? { first, last: Math.min(last, sizeBytes - 1) } : "unsatisfiable";
}

function lastOf(count: number, sizeBytes: number): ByteRange | "unsatisfiable" {
  if (count === 0 || sizeBytes === 0) return "unsatisfiable";
  return { first: Math.max(0, sizeBytes - count), last: sizeBytes - 1 };
}
