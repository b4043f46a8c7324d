import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The temporary directory of one run: made when first asked for, removed with its content. */
export class ScratchDir {
  readonly #fixedPath: string | undefined;
  #path: Promise<string> | undefined;

  /**
   * @param path where, for a run whose directory somebody else may have to remove; it
   *   must be a name that nobody can guess. Default: a new one in the system's temporary directory
   */
  constructor(path?: string) {
    this.#fixedPath = path;
  }

  path(): Promise<string> {
    this.#path ??= make(this.#fixedPath);
    return this.#path;
  }

  /** Does nothing when {@link path} was never called. */
  async remove(): Promise<void> {
    if (this.#path !== undefined) await removeDir(await this.#path);
  }
}

/** Removes a directory with its content; one that is not there is no error. */
export async function removeDir(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 3 });
}

async function make(path: string | undefined): Promise<string> {
  if (path === undefined) return mkdtemp(join(tmpdir(), "wep-run-"));
  await mkdir(path, { mode: 0o700 });
  return path;
}
