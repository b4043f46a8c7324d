import { closeSync, fdatasync, fdatasyncSync, fsyncSync, openSync } from "node:fs";
import { dirname } from "node:path";
import type { Clock } from "@subnet-worker/kit";

/** Called once what was committed before is on disk, or with why it is not. */
export type OnSynced = (error: unknown) => void;

/** The disk, as its tests replace it. */
export interface LogDisk {
  readonly sync: (log: number, done: OnSynced) => void;
  /** Returns when it is done. */
  readonly syncNow: (log: number) => void;
}

export interface WalSyncDeps {
  readonly clock: Pick<Clock, "monotonicMs">;
  /** Default: fdatasync, on libuv's threads or here. */
  readonly disk?: LogDisk;
}

const FDATASYNC: LogDisk = { sync: fdatasync, syncNow: fdatasyncSync };

/** Waking a thread, and being woken by it, takes half a millisecond, longer than a good disk does. */
const QUICK_MS = 2;
/** Changes in a commit. With more, there is other work to do while the disk is busy. */
const FEW = 4;

/**
 * Waits for the disk on another thread. SQLite itself would wait for it inside COMMIT, and with it the
 * whole process: half a millisecond on a good disk, ten on a bad one. Commits that come while a sync is
 * under way share the next.
 *
 * While little is to be done and the disk is quick, it waits here after all, and a task that is alone is not
 * held up by threads. One sync that is slow, and the next are made on the other thread until one is quick.
 *
 * The database is opened with `synchronous = NORMAL`: SQLite then syncs the log before each checkpoint, so
 * that the file is whole after a power failure; that its last commits are in it is this class's part.
 */
export class WalSync implements Disposable {
  readonly #path: string;
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #disk: LogDisk;
  #log: number | undefined;
  #waiting: OnSynced[] = [];
  #isSyncing = false;
  #isClosed = false;
  #lastMs = Number.POSITIVE_INFINITY;

  /** @param path the database's; its log lies beside it */
  constructor(path: string, { clock, disk = FDATASYNC }: WalSyncDeps) {
    this.#path = path;
    this.#clock = clock;
    this.#disk = disk;
  }

  /** For a commit that was made just now. @param changes how many it has */
  after(done: OnSynced, changes: number): void {
    if (!this.#isSyncing && changes <= FEW && this.#lastMs <= QUICK_MS) {
      this.#syncNow(done);
      return;
    }
    this.#waiting.push(done);
    if (!this.#isSyncing) this.#sync();
  }

  #syncNow(done: OnSynced): void {
    try {
      const log = this.#open();
      const startMs = this.#clock.monotonicMs();
      this.#disk.syncNow(log);
      this.#lastMs = this.#clock.monotonicMs() - startMs;
    } catch (error) {
      done(error);
      return;
    }
    done(null);
  }

  #sync(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    try {
      const log = this.#open();
      this.#isSyncing = true;
      const startMs = this.#clock.monotonicMs();
      this.#disk.sync(log, (error) => {
        this.#lastMs = this.#clock.monotonicMs() - startMs;
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
      if (waiting.length > 0) this.#disk.syncNow(this.#open());
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
