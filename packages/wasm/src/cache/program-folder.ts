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
import { dirname, join } from "node:path";
import { WasmError } from "../errors.ts";
import { decodeStored, encodeStored, type StoredProgram } from "./stored-program.ts";

const SUFFIX = ".metered";
const TEMPORARY = ".writing";
/** What another process may still be writing is younger, milliseconds. */
const STALE_MS = 60 * 60 * 1000;

const WRITABLE_BY_OTHERS = 0o022;

export interface ProgramFolderOptions {
  readonly folder: string;
  /** What it may hold; the longest unused go first. */
  readonly maxBytes: number;
}

/**
 * Metered programs in a folder, which several processes may use. A file is there whole or not at all, and is not
 * believed before its checksum was looked at. A checksum is no signature: what is in the folder is run as if it were
 * our own, so a folder that others can write to is not used. Everything is synchronous: only the thread that compiles
 * uses it.
 */
export class ProgramFolder {
  readonly #options: ProgramFolderOptions;

  /** @throws what the file system says when the folder cannot be made or written, or why it is not to be trusted */
  constructor(options: ProgramFolderOptions) {
    this.#options = options;
    this.#open();
    const probe = join(options.folder, `${randomUUID()}${TEMPORARY}`);
    writeFileSync(probe, "");
    rmSync(probe);
  }

  /**
   * The program of that key; `undefined` when there is none. A damaged file is removed.
   *
   * @throws what the file system says
   */
  read(key: string): StoredProgram | undefined {
    this.#open();
    const path = this.#pathOf(key);
    const bytes = ifThere(() => readFileSync(path));
    if (bytes === undefined) return undefined;
    const program = decodeStored(key, bytes);
    if (program === undefined) {
      this.remove(key);
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
    const bytes = encodeStored(key, program);
    if (bytes.length > this.#options.maxBytes) return;
    this.#open();
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

  /** Removes the program of that key, if there is one. */
  remove(key: string): void {
    rmSync(this.#pathOf(key), { force: true });
  }

  /** Makes the folder, which someone may have removed in the meantime, and looks whose it is. */
  #open(): void {
    const { folder } = this.#options;
    makeFolder(folder);
    const own = process.getuid?.();
    if (own === undefined) return;
    const { uid, mode } = statSync(folder);
    if ((uid !== own && uid !== 0) || (mode & WRITABLE_BY_OTHERS) !== 0) {
      throw new Error(
        `${folder} is not used as a cache, since others may write to it; make it your own: chmod 700 ${folder}`,
      );
    }
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

/**
 * Looks whether an engine can keep metered modules in a folder, which is made where it is missing. An engine itself
 * does without a folder that it cannot use; this is for saying so before one is created.
 *
 * @throws {WasmError} `BAD_REQUEST`: it cannot be made or written, or others may write to it
 * @example
 *   checkCacheFolder("/var/cache/worker/modules");
 */
export function checkCacheFolder(folder: string): void {
  try {
    void new ProgramFolder({ folder, maxBytes: 0 });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new WasmError(
      "BAD_REQUEST",
      `${folder} cannot keep metered modules: ${reason}; name a folder that this process can make and write`,
      { cause: error },
    );
  }
}

/**
 * Makes a folder and those above it. Not by the option `recursive`: below /proc, where folders are missing however often
 * they are made, that never comes back.
 */
function makeFolder(folder: string): void {
  if (makeOne(folder)) return;
  makeFolder(dirname(folder));
  if (!makeOne(folder)) throw new Error(`${folder} cannot be made: the folder above it takes none`);
}

/** Makes one folder, or finds it; `false` when there is none above. */
function makeOne(folder: string): boolean {
  try {
    mkdirSync(folder, { mode: 0o700 });
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST" && statSync(folder).isDirectory()) return true;
    if (code === "ENOENT" && dirname(folder) !== folder) return false;
    throw error;
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
