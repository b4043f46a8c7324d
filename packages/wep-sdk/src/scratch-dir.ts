import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The temporary directory of one run: made when first asked for, removed with its content. */
export class ScratchDir {
  #path: Promise<string> | undefined;

  path(): Promise<string> {
    this.#path ??= mkdtemp(join(tmpdir(), "wep-run-"));
    return this.#path;
  }

  /** Does nothing when {@link path} was never called. */
  async remove(): Promise<void> {
    if (this.#path === undefined) return;
    await rm(await this.#path, { recursive: true, force: true, maxRetries: 3 });
  }
}
