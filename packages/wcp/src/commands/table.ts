/** Rows under a head, columns aligned. The last column is as long as it is. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join("  ")
      .trimEnd();
  return `${all.map(line).join("\n")}\n`;
}

/** Names and values below each other. */
export function formatFields(fields: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(...fields.map(([name]) => name.length));
  return fields.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join("");
}

/** How long ago, in its largest unit: `12s`, `5m`, `3h`, `2d`. */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.round(seconds / 3_600)}h`;
  return `${Math.round(seconds / 86_400)}d`;
}

/** Milliseconds with the largest unit that holds them exactly: `30s`, `1500ms`. */
export function formatDuration(ms: number): string {
  const units = [
    [86_400_000, "d"],
    [3_600_000, "h"],
    [60_000, "m"],
    [1_000, "s"],
  ] as const;
  const [unitMs, name] = units.find(([each]) => ms >= each && ms % each === 0) ?? [1, "ms"];
  return `${ms / unitMs}${name}`;
}

/** Wei as gwei, with up to `digits` digits after the point. */
export function formatGwei(wei: bigint | string, digits = 3): string {
  return formatUnits(BigInt(wei), 9, digits);
}

/** Wei as whole coins of the chain, with up to 6 digits after the point. */
export function formatCoins(wei: bigint): string {
  return formatUnits(wei, 18, 6);
}

function formatUnits(wei: bigint, decimals: number, digits: number): string {
  const unit = 10n ** BigInt(decimals);
  const fraction = (wei % unit).toString().padStart(decimals, "0").slice(0, digits).replace(/0+$/, "");
  // Something is not nothing.
  if (wei > 0n && wei < unit && fraction === "") return `<0.${"0".repeat(digits - 1)}1`;
  return fraction === "" ? `${wei / unit}` : `${wei / unit}.${fraction}`;
}

export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1_024 ** power;
  return `${value >= 10 || power === 0 ? Math.round(value) : value.toFixed(1)} ${units[power]}`;
}
