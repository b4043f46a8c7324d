/** `0x70997970C51812dc3A010C7d01b50e0d17dc79C8` as `0x7099…79C8`. */
export function shortHex(hex: string): string {
  return hex.length > 12 ? `${hex.slice(0, 6)}…${hex.slice(-4)}` : hex;
}

/** `840 ms`, `12.3 s`, `3 min 5 s`. */
export function durationText(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1_000)} s`;
}

/** `1234567` as `1,234,567`. */
export function grouped(value: number | bigint): string {
  return value.toLocaleString("en-US");
}

const STRANGE = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;

/**
 * Text from outside, a failure reason for one, safe to print: a handler's
 * message may hold anything, and control characters would reach the terminal.
 */
export function printable(text: string, maxLength = 600): string {
  const oneLine = text.replace(/\s+/g, " ").replace(STRANGE, "·").trim();
  return oneLine.length > maxLength ? `${oneLine.slice(0, maxLength - 1)}…` : oneLine;
}
