import { closeSync, fdatasync, fdatasyncSync, fsyncSync, openSync } from "node:fs";
import { dirname } from "node:path";

/** Called once what was committed before is on disk, or with why it is not. */
export type OnSynced = (error: unknown) => void;

/**
 * Waits for the disk on another thread. SQLite itself would wait for it inside COMMIT, and with it the
 * whole process: half a millisecond on a good disk, ten on a bad one. Commits that come while a sync is
 * under way share the next.
 *
 * The database is opened with `synchronous = NORMAL`: SQLite then syncs the log before each checkpoint, so
 * that the file is whole after a power failure; that its last commits are in it is this class's part.
 */
export class WalSync implements Disposable {
  readonly #path: string;
  #log: number | undefined;
  #waiting: OnSynced[] = [];
  #isSyncing = false;
  #isClosed = false;

  /** @param path the database's; its log lies beside it */
  constructor(path: string) {
    this.#path = path;
  }

  /** For commits that were made just now. */
  after(done: OnSynced): void {
    this.#waiting.push(done);
    if (!this.#isSyncing) this.#sync();
  }

  #sync(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    try {
      const log = this.#open();
      this.#isSyncing = true;
      fdatasync(log, (error) => {
        this.#isSyncing = false;
        this.#closeIfIdle();
        for (const done of waiting) done(error);
        if (this.#waiting.length > 0 && !this.#isSyncing) this.#sync();
      });
    } catch (error) {
      for (const done of waiting) done(error);
    }
  }

  #open(): number {
    if (this.#log !== undefined) return this.#log;
    this.#log = openSync(`${this.#path}-wal`, "r");
    // The log was made by the first commit, and without this its name may be lost.
    const folder = openSync(dirname(this.#path), "r");
    fsyncSync(folder);
    closeSync(folder);
    return this.#log;
  }

  /** Syncs what waits, before it returns. */
  [Symbol.dispose](): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    try {
      if (waiting.length > 0) fdatasyncSync(this.#open());
      for (const done of waiting) done(null);
    } catch (error) {
      for (const done of waiting) done(error);
    } finally {
      this.#isClosed = true;
      this.#closeIfIdle();
    }
  }

  #closeIfIdle(): void {
    if (!this.#isClosed || this.#isSyncing || this.#log === undefined) return;
    closeSync(this.#log);
    this.#log = undefined;
  }
}
