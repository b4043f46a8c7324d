/** An endpoint that is shut for longer is tried again meanwhile: limits are lifted, and headers are wrong. */
const LONGEST_MS = 600_000;

/**
 * Milliseconds in a `Retry-After` header: a number of seconds or an HTTP date. `undefined` without one
 * that makes sense.
 */
export function parseRetryAfter(header: string | null, nowMs: number): number | undefined {
  const text = header?.trim() ?? "";
  if (text === "") return undefined;
  const waitMs = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - nowMs;
  return Number.isNaN(waitMs) ? undefined : Math.min(Math.max(waitMs, 0), LONGEST_MS);
}
