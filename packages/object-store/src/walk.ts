import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { missing } from "./disk.ts";
import { problemWith } from "./keys.ts";
import type { StoredObject } from "./types.ts";

/**
 * Every object whose key begins with `prefix`, in the order of their keys' bytes, as S3 lists them.
 * Links and what could not be an object are passed over.
 */
export async function* walk(root: string, prefix: string): AsyncGenerator<StoredObject> {
  yield* below({ root, prefix }, "");
}

interface Search {
  readonly root: string;
  readonly prefix: string;
}

/** `folder` is empty or ends in a slash. */
async function* below(search: Search, folder: string): AsyncGenerator<StoredObject> {
  const found = await readdir(join(search.root, folder), { withFileTypes: true }).catch(missing);
  const entries = (found ?? [])
    .filter((entry) => entry.isFile() || entry.isDirectory())
    .map((entry) => ({ key: `${folder}${entry.name}`, isFolder: entry.isDirectory() }))
    .filter(({ key }) => problemWith(key) === undefined)
    // A folder stands where its first key would.
    .map((entry) => ({ ...entry, order: Buffer.from(entry.isFolder ? `${entry.key}/` : entry.key) }))
    .toSorted((a, b) => Buffer.compare(a.order, b.order));
  for (const { key, isFolder } of entries) {
    if (isFolder) {
      const inside = `${key}/`;
      if (inside.startsWith(search.prefix) || search.prefix.startsWith(inside)) yield* below(search, inside);
    } else if (key.startsWith(search.prefix)) {
      const object = await look(search.root, key);
      if (object !== undefined) yield object;
    }
  }
}

/** `undefined` when it was removed meanwhile. */
async function look(root: string, objectKey: string): Promise<StoredObject | undefined> {
  const stats = await lstat(join(root, objectKey)).catch(missing);
  return stats?.isFile() === true
    ? { objectKey, sizeBytes: stats.size, modifiedAtMs: Math.floor(stats.mtimeMs) }
    : undefined;
}
