// Tells when files change. Their folders are watched, and not they themselves: an editor that saves puts
// another file in their place. What counts is the content, so that saving without a change is none.
import { createHash } from "node:crypto";
import { existsSync, type FSWatcher, readFileSync, watch } from "node:fs";
import { dirname } from "node:path";
import type { Clock } from "@subnet-worker/kit";

/** Saving all files of an editor, or a checkout, is one change. */
const SETTLED_MS = 150;

export class SourceWatch implements Disposable {
  readonly #clock: Clock;
  readonly #folders = new Map<string, FSWatcher>();
  readonly #contents = new Map<string, string>();
  readonly #changed = new Set<string>();
  #timer: Disposable | undefined;
  #wake = Promise.withResolvers<void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Watches these files, absolute, and no others; as they are now is as they should be. */
  follow(files: Iterable<string>): void {
    this.#contents.clear();
    this.#changed.clear();
    for (const path of files) this.#contents.set(path, contentOf(path));
    this.#watchFolders();
  }

  /** What has changed so far is known; what changes from now on is told, also while it is dealt with. */
  forget(): void {
    this.#changed.clear();
  }

  /** Resolves with what has changed since the last {@link follow} or {@link forget}; never while nothing has. */
  async changed(): Promise<readonly string[]> {
    while (this.#changed.size === 0) {
      await this.#wake.promise;
      this.#wake = Promise.withResolvers();
    }
    return [...this.#changed];
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
    for (const watcher of this.#folders.values()) watcher.close();
    this.#folders.clear();
  }

  #watchFolders(): void {
    const wanted = new Set([...this.#contents.keys()].map(nearestFolder));
    for (const [folder, watcher] of this.#folders) {
      if (wanted.has(folder)) continue;
      watcher.close();
      this.#folders.delete(folder);
    }
    for (const folder of wanted) {
      if (this.#folders.has(folder)) continue;
      const watcher = watch(folder, () => this.#look());
      // A folder that goes takes its watcher along; the one above is watched from the next look on.
      watcher.on("error", () => {
        watcher.close();
        this.#folders.delete(folder);
        this.#look();
      });
      this.#folders.set(folder, watcher);
    }
  }

  /** Soon: what comes in a moment belongs to it. */
  #look(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = this.#clock.timer(SETTLED_MS, () => {
      for (const [path, content] of this.#contents) {
        const now = contentOf(path);
        if (now === content) continue;
        this.#contents.set(path, now);
        this.#changed.add(path);
      }
      this.#watchFolders(); // some may be there only now
      if (this.#changed.size > 0) this.#wake.resolve();
    });
  }
}

/** Tells contents apart; empty for what is not there. */
function contentOf(path: string): string {
  try {
    return createHash("sha256").update(readFileSync(path)).digest("base64");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR" || code === "EISDIR") return "";
    throw error;
  }
}

/** The folder a file is in, or would be, as far as that is there. */
function nearestFolder(path: string): string {
  let folder = dirname(path);
  while (!existsSync(folder) && folder !== dirname(folder)) folder = dirname(folder);
  return folder;
}
