const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const UNITS_BYTES: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
};

/** A number with a unit of time after it. */
export const DURATION: RegExp = /^\d{1,9}(?:\.\d{1,9})?(?:ms|s|m|h|d)$/;
/** A number with a unit of size after it, and a space between them or none. */
export const SIZE: RegExp = /^\d{1,15}(?:\.\d{1,9})? ?(?:B|[KMG]i?B)$/;

/** Timers of Node.js count up to 2^31 - 1 ms: a longer wait would end too early. */
export const LONGEST_DURATION_MS: number = 24 * 86_400_000;
/** What S3 takes as one object, 5 TiB. */
export const LARGEST_OBJECT_BYTES: number = 5 * 2 ** 40;

/** Milliseconds of `500ms`, `1.5s`, `10m`, `2h` or `1d`; `undefined` for any other text. */
export function parseDurationMs(text: string): number | undefined {
  return DURATION.test(text) ? withUnit(text, UNITS_MS) : undefined;
}

/**
 * Bytes of `800B`, `1.5 MB` or `2GiB`: KB, MB and GB are powers of 1000, KiB, MiB
 * and GiB of 1024; `undefined` for any other text.
 */
export function parseSizeBytes(text: string): number | undefined {
  return SIZE.test(text) ? withUnit(text, UNITS_BYTES) : undefined;
}

function withUnit(text: string, units: Readonly<Record<string, number>>): number {
  const digits = /^[\d.]+/.exec(text)?.[0] ?? "";
  const unit = units[text.slice(digits.length).trim()];
  if (unit === undefined) throw new RangeError(`no unit in ${text}`);
  return Math.round(Number(digits) * unit);
}
