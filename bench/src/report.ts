import type { Report } from "./benchmark.ts";

/** Prints the table, and last the line for machines. */
export function printReport(name: string, { rows, metrics }: Report): void {
  const width = (key: "what" | "value") => Math.max(...rows.map((row) => row[key].length));
  for (const row of rows) {
    process.stdout.write(
      `${row.what.padEnd(width("what"))}  ${row.value.padStart(width("value"))}  ${row.beside}\n`,
    );
  }
  process.stdout.write(`${JSON.stringify({ name, metrics })}\n`);
}

/** The value below which `share` (0 to 1) of the samples lie, by nearest rank. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const value = sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)];
  if (value === undefined) throw new RangeError("no samples");
  return value;
}

/** At most `digits` decimals. */
export function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
