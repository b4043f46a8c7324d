/** Where a value sits: `items[2][0]`. A chain, so that the text is built only for an error. */
export interface FieldPath {
  readonly parent?: FieldPath;
  /** A name at the root, an index below it. */
  readonly key: string | number;
}

export function formatPath(path: FieldPath): string {
  const keys: string[] = [];
  for (let at: FieldPath | undefined = path; at !== undefined; at = at.parent) {
    keys.push(typeof at.key === "number" ? `[${at.key}]` : at.key);
  }
  return keys.toReversed().join("");
}
