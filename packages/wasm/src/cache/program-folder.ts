import { randomUUID } from "node:crypto";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { decodeStored, encodeStored, type StoredProgram } from "./stored-program.ts";

const SUFFIX = ".metered";
const TEMPORARY = ".writing";
/** What another process may still be writing is younger, milliseconds. */
const STALE_MS = 60 * 60 * 1000;

export interface ProgramFolderOptions {
  readonly folder: string;
  /** What it may hold; the longest unused go first. */
  readonly maxBytes: number;
}

/**
 * Metered programs in a folder, which several processes may use. A file is there whole or not at all, and is not
 * believed before its checksum was looked at. Everything is synchronous: only the thread that compiles uses it.
 */
export class ProgramFolder {
  readonly #options: ProgramFolderOptions;

  /** @throws what the file system says when the folder cannot be made */
  constructor(options: ProgramFolderOptions) {
    this.#options = options;
    mkdirSync(options.folder, { recursive: true, mode: 0o700 });
  }

  /** The program of that key; `undefined` when there is none. A damaged file is removed. */
  read(key: string): StoredProgram | undefined {
    const path = this.#pathOf(key);
    const bytes = ifThere(() => readFileSync(path));
    if (bytes === undefined) return undefined;
    const program = decodeStored(bytes);
    if (program === undefined) {
      rmSync(path, { force: true });
      return undefined;
    }
    const now = new Date();
    ifThere(() => utimesSync(path, now, now));
    return program;
  }

  /**
   * Keeps a program, and removes the longest unused where there are too many.
   *
   * @throws what the file system says, with nothing half written left behind
   */
  write(key: string, program: StoredProgram): void {
    const bytes = encodeStored(program);
    if (bytes.length > this.#options.maxBytes) return;
    const path = this.#pathOf(key);
    const temporary = `${path}.${randomUUID()}${TEMPORARY}`;
    try {
      writeFileSync(temporary, bytes, { mode: 0o600, flush: true });
      renameSync(temporary, path);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
    this.#trim();
  }

  #trim(): void {
    const { folder, maxBytes } = this.#options;
    const files: { readonly path: string; readonly sizeBytes: number; readonly usedMs: number }[] = [];
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      const stat = ifThere(() => statSync(path));
      if (stat === undefined) continue;
      if (name.endsWith(SUFFIX)) files.push({ path, sizeBytes: stat.size, usedMs: stat.mtimeMs });
      else if (name.endsWith(TEMPORARY) && Date.now() - stat.mtimeMs > STALE_MS)
        rmSync(path, { force: true });
    }
    files.sort((a, b) => a.usedMs - b.usedMs);
    let totalBytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    for (const { path, sizeBytes } of files) {
      if (totalBytes <= maxBytes) return;
      rmSync(path, { force: true });
      totalBytes -= sizeBytes;
    }
  }

  #pathOf(key: string): string {
    return join(this.#options.folder, `${key}${SUFFIX}`);
  }
}

/** `undefined` when another process has removed the file in the meantime. */
function ifThere<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
