/**
 * The known name that was most likely meant: its last part is nearly the same,
 * and among several such the one in the nearest section.
 *
 * @param separator between the parts of a name: `.` or `__`
 */
export function suggest(name: string, known: readonly string[], separator: string): string | undefined {
  const wanted = splitName(name, separator);
  const near = known
    .map((other) => ({ other, ...distanceOf(wanted, splitName(other, separator)) }))
    .filter(
      ({ key, other }) =>
        key <= Math.ceil(splitName(other, separator).key.length / 3) && key < wanted.key.length,
    )
    .toSorted((a, b) => a.key + a.section - (b.key + b.section));
  return near[0]?.other;
}

interface Name {
  readonly section: string;
  readonly key: string;
}

function splitName(name: string, separator: string): Name {
  const at = name.lastIndexOf(separator);
  if (at < 0) return { section: "", key: name.slice(0, 60) };
  return { section: name.slice(0, at).slice(0, 60), key: name.slice(at + separator.length).slice(0, 60) };
}

function distanceOf(a: Name, b: Name): { readonly key: number; readonly section: number } {
  return { key: editDistance(a.key, b.key), section: Math.min(editDistance(a.section, b.section), 3) };
}

/** Levenshtein distance, one row at a time; case does not count. */
function editDistance(left: string, right: string): number {
  const a = left.toLowerCase();
  const b = right.toLowerCase();
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
