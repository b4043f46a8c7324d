/** An endpoint that is shut for longer is tried again meanwhile: limits are lifted, and headers are wrong. */
const LONGEST_MS = 600_000;

const SECONDS = /^\d+(\.\d+)?$/;
/** Date.parse makes a date of nearly anything. */
const HTTP_DATE = /^[A-Z][a-z]+, /;

/**
 * Milliseconds in a `Retry-After` header: a number of seconds or an HTTP date. `undefined` without one
 * that makes sense.
 */
export function parseRetryAfter(header: string | null, nowMs: number): number | undefined {
  const text = header?.trim() ?? "";
  const waitMs = SECONDS.test(text) ? Number(text) * 1_000 : dateIn(text) - nowMs;
  return Number.isNaN(waitMs) ? undefined : Math.min(Math.max(waitMs, 0), LONGEST_MS);
}

function dateIn(text: string): number {
  return HTTP_DATE.test(text) ? Date.parse(text) : Number.NaN;
}
