import { closeSync, fdatasync, fdatasyncSync, fsyncSync, openSync } from "node:fs";
import { dirname } from "node:path";
import type { Clock } from "@subnet-worker/kit";
import { StoreError } from "./store-error.ts";

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
/** A disk that took so long once does so again: no signs of life would be sent meanwhile. */
const STALL_MS = 10;
/** Syncs left to the thread after that. */
const WARY_FOR = 500;

/**
 * Waits for the disk on another thread. SQLite itself would wait for it inside COMMIT, and with it the
 * whole process: half a millisecond on a good disk, ten on a bad one. Commits that come while a sync is
 * under way share the next.
 *
 * While little is to be done and the disk is quick, it waits here after all, and a task that is alone is not
 * held up by threads. One sync that is slow, and the next are made on the other thread until one is quick; one
 * that stalls, and the next hundreds are.
 *
 * One sync that fails, and none is made any more: the system takes what it could not write for written, and a
 * later sync would say that all is well with a hole in the log. What is then to be stored is refused until the
 * node is started again, which writes the log into the database and begins a new one.
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
  /** Syncs that are still left to the thread, whatever the last one took. */
  #wary = 0;
  #broken: StoreError | undefined;

  /** @param path the database's, links resolved; its log lies beside it */
  constructor(path: string, { clock, disk = FDATASYNC }: WalSyncDeps) {
    this.#path = path;
    this.#clock = clock;
    this.#disk = disk;
  }

  /** For a commit that was made just now. @param changes how many it has */
  after(done: OnSynced, changes: number): void {
    if (this.#broken !== undefined) {
      done(this.#broken);
      return;
    }
    const isQuick = this.#wary === 0 && this.#lastMs <= QUICK_MS;
    if (!this.#isSyncing && changes <= FEW && isQuick) {
      this.#syncNow(done);
      return;
    }
    this.#waiting.push(done);
    if (!this.#isSyncing) this.#sync();
  }

  #syncNow(done: OnSynced): void {
    let error: unknown = null;
    try {
      const log = this.#open();
      const startMs = this.#clock.monotonicMs();
      this.#disk.syncNow(log);
      this.#took(startMs);
    } catch (cause) {
      error = this.#failed(cause);
    }
    done(error);
  }

  #sync(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    try {
      const log = this.#open();
      this.#isSyncing = true;
      const startMs = this.#clock.monotonicMs();
      this.#disk.sync(log, (cause) => {
        this.#took(startMs);
        this.#isSyncing = false;
        this.#closeIfIdle();
        const error = cause === null ? null : this.#failed(cause);
        for (const done of waiting) done(error);
        this.#syncRest();
      });
    } catch (cause) {
      const error = this.#failed(cause);
      for (const done of waiting) done(error);
    }
  }

  /** What came while a sync was under way. */
  #syncRest(): void {
    if (this.#waiting.length === 0 || this.#isSyncing) return;
    if (this.#broken === undefined) {
      this.#sync();
      return;
    }
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const done of waiting) done(this.#broken);
  }

  #took(startMs: number): void {
    this.#lastMs = this.#clock.monotonicMs() - startMs;
    if (this.#lastMs > STALL_MS) this.#wary = WARY_FOR;
    else if (this.#wary > 0) this.#wary -= 1;
  }

  #failed(cause: unknown): StoreError {
    const why = cause instanceof Error ? cause.message : String(cause);
    this.#broken ??= new StoreError(
      "NOT_DURABLE",
      `${this.#path}: the disk did not take what was written (${why}), so nothing more is stored; make room or mend the disk and start the node again`,
      { cause },
    );
    return this.#broken;
  }

  #open(): number {
    if (this.#log !== undefined) return this.#log;
    const log = openSync(`${this.#path}-wal`, "r");
    try {
      // The log was made by the first commit, and without this its name may be lost.
      const folder = openSync(dirname(this.#path), "r");
      try {
        fsyncSync(folder);
      } finally {
        closeSync(folder);
      }
    } catch (error) {
      closeSync(log);
      throw error;
    }
    this.#log = log;
    return log;
  }

  /** Syncs what waits, before it returns. */
  [Symbol.dispose](): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    let error: unknown = this.#broken ?? null;
    try {
      if (waiting.length > 0 && error === null) this.#disk.syncNow(this.#open());
    } catch (cause) {
      error = this.#failed(cause);
    }
    for (const done of waiting) done(error);
    this.#isClosed = true;
    this.#closeIfIdle();
  }

  #closeIfIdle(): void {
    if (!this.#isClosed || this.#isSyncing || this.#log === undefined) return;
    closeSync(this.#log);
    this.#log = undefined;
  }
}
