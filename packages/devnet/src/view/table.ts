/** A table of cells, each of any number of lines. */
export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly (readonly string[])[])[];
}

const GAP = "  ";
const NARROWEST_LAST_COLUMN = 24;

/**
 * Lays a table out as text. Columns are as wide as their longest line; the last
 * one is wrapped so that the whole fits into `maxWidth` characters where it can.
 */
export function renderTable(table: Table, maxWidth: number): readonly string[] {
  const last = table.head.length - 1;
  const widths = table.head.map((title, column) =>
    Math.max(title.length, ...table.rows.flatMap((row) => (row[column] ?? []).map((line) => line.length))),
  );
  const before = widths.slice(0, last).reduce((sum, width) => sum + width + GAP.length, 0);
  widths[last] = Math.min(widths[last] ?? 0, Math.max(NARROWEST_LAST_COLUMN, maxWidth - before));

  const rule = widths.map((width) => "─".repeat(width)).join(GAP);
  const wrapped = table.rows.map((row) =>
    row.map((cell, column) => cell.flatMap((line) => wrap(line, widths[column] ?? 0))),
  );
  return [
    ...layOut(
      table.head.map((title) => [title]),
      widths,
    ),
    rule,
    ...wrapped.flatMap((row, index) => [...(index === 0 ? [] : [""]), ...layOut(row, widths)]),
    rule,
  ];
}

function layOut(row: readonly (readonly string[])[], widths: readonly number[]): string[] {
  const height = Math.max(...row.map((cell) => cell.length));
  return Array.from({ length: height }, (_, line) =>
    row
      .map((cell, column) => (cell[line] ?? "").padEnd(widths[column] ?? 0))
      .join(GAP)
      .trimEnd(),
  );
}

/** Breaks at spaces and, where there are none, after a path separator or anywhere. */
function wrap(line: string, width: number): string[] {
  const lines: string[] = [];
  let rest = line;
  while (rest.length > width) {
    const head = rest.slice(0, width + 1);
    const at = Math.max(head.lastIndexOf(" "), head.slice(0, width).lastIndexOf("/") + 1);
    const cut = at > 0 ? at : width;
    lines.push(rest.slice(0, cut).trimEnd());
    rest = rest.slice(cut).trimStart();
  }
  return [...lines, rest];
}
