import { createHash } from "node:crypto";
import { type BigIntStats } from "node:fs";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { missing } from "./disk.ts";

/** What is known of an object beyond its bytes. */
export interface Facts {
  readonly mediaType: string;
  /** With its quotes. */
  readonly etag: string;
  /** In hex; empty: none was given. */
  readonly sha256: string;
  /** Of the upload in parts that made it; empty: it came in one piece. */
  readonly uploadId: string;
}

interface Stored extends Facts {
  readonly objectKey: string;
  /** Size and time of the file that this is about: another one has been put there by hand. */
  readonly sizeBytes: string;
  readonly modifiedNs: string;
}

/**
 * What a file of the store's own says. `undefined` for one that a full disk or a power cut has cut short: then
 * there is nothing known, as where there is no file.
 */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Facts of objects, each in a file named for the hash of its key. */
export class FactBook {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async write(objectKey: string, file: BigIntStats, facts: Facts): Promise<void> {
    const stored: Stored = {
      ...facts,
      objectKey,
      sizeBytes: String(file.size),
      modifiedNs: String(file.mtimeNs),
    };
    const path = this.#pathOf(objectKey);
    await writeFile(`${path}.part`, JSON.stringify(stored), { mode: 0o600 });
    await rename(`${path}.part`, path);
  }

  /** What is known of a file; made up from it where nobody has told. */
  async read(objectKey: string, file: BigIntStats): Promise<Facts> {
    const text = await readFile(this.#pathOf(objectKey), "utf8").catch(missing);
    const stored = text === undefined ? undefined : (parsed(text) as Stored | undefined);
    if (stored?.sizeBytes === String(file.size) && stored.modifiedNs === String(file.mtimeNs)) return stored;
    const etag = `"${file.size.toString(16)}-${file.mtimeNs.toString(16)}"`;
    return { mediaType: "application/octet-stream", etag, sha256: "", uploadId: "" };
  }

  async forget(objectKey: string): Promise<void> {
    await rm(this.#pathOf(objectKey), { force: true });
  }

  #pathOf(objectKey: string): string {
    return join(this.#directory, `${createHash("sha256").update(objectKey).digest("hex")}.json`);
  }
}
