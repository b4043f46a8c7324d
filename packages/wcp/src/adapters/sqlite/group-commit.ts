import type { Database, Statement } from "better-sqlite3";
import type { OnSynced } from "./wal-sync.ts";

interface Pending {
  readonly change: () => unknown;
  readonly size: () => number;
  readonly onCommitted: (failure: Failure | undefined) => void;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Why a change is not in the database. */
export interface Failure {
  readonly error: unknown;
}

export interface ChangeOptions {
  /** How many changes it is by the time it is made. Default 1. */
  readonly size?: () => number;
  /**
   * Called before anybody is told and before the disk is waited for: from here on the database has the
   * change, or has not.
   */
  readonly onCommitted?: (failure: Failure | undefined) => void;
}

/** What it needs to know that a commit is on disk. */
export interface Disk {
  after(done: OnSynced, changes: number): void;
}

const ONE = () => 1;
const nothing = () => {};

/**
 * Lets all writes of one turn of the event loop share one commit, and all commits that are made while the
 * disk is busy one sync. A change that throws is undone alone; the others commit. When the commit or the
 * sync itself fails (disk full), every change of it is rejected.
 */
export class GroupCommit {
  readonly #begin: (work: () => void) => void;
  readonly #savepoint: (work: () => unknown) => unknown;
  readonly #beginReading: Statement;
  readonly #endReading: Statement;
  readonly #db: Database;
  readonly #disk: Disk | undefined;
  #pending: Pending[] = [];
  #isReading = false;

  /** @param disk `undefined`: a commit is on disk when it has returned */
  constructor(db: Database, disk?: Disk) {
    const begin = db.transaction((work: () => void) => work());
    this.#begin = (work) => begin.immediate(work);
    this.#savepoint = db.transaction((work: () => unknown) => work());
    this.#beginReading = db.prepare("BEGIN");
    this.#endReading = db.prepare("COMMIT");
    this.#db = db;
    this.#disk = disk;
  }

  /** Runs `change` in this turn's transaction; resolves with its value once it is on disk. */
  write<T>(change: () => T, options: ChangeOptions = {}): Promise<T> {
    const { size = ONE, onCommitted = nothing } = options;
    return new Promise<T>((resolve, reject) => {
      if (this.#pending.length === 0) setImmediate(() => this.flush());
      this.#pending.push({
        change,
        size,
        onCommitted,
        resolve: resolve as (value: unknown) => void,
        reject,
      });
    });
  }

  /** Runs a query. Those of one turn share a transaction: its locks take longer than most queries. */
  read<T>(query: () => T): T {
    if (!this.#db.inTransaction) {
      this.#beginReading.run();
      this.#isReading = true;
      setImmediate(() => this.#stopReading());
    }
    return query();
  }

  #stopReading(): void {
    if (!this.#isReading) return;
    this.#isReading = false;
    // SQLite ends a transaction itself when the file cannot be read.
    if (this.#db.open && this.#db.inTransaction) this.#endReading.run();
  }

  /** Commits what is waiting. */
  flush(): void {
    this.#stopReading();
    const batch = this.#pending;
    this.#pending = [];
    if (batch.length === 0) return;
    const made = this.#commit(batch);
    for (const { pending, failure } of made) pending.onCommitted(failure);
    const kept: Made[] = [];
    for (const each of made) {
      if (each.failure === undefined) kept.push(each);
      else each.pending.reject(each.failure.error);
    }
    if (kept.length === 0) return;
    const settle: OnSynced = (error) => {
      for (const { pending, value } of kept) {
        if (error === null) pending.resolve(value);
        else pending.reject(error);
      }
    };
    if (this.#disk === undefined) settle(null);
    else
      this.#disk.after(
        settle,
        kept.reduce((sum, { pending }) => sum + pending.size(), 0),
      );
  }

  #commit(batch: readonly Pending[]): readonly Made[] {
    try {
      const made: Made[] = [];
      this.#begin(() => {
        for (const pending of batch) made.push(this.#make(pending));
      });
      return made;
    } catch (error) {
      return batch.map((pending) => ({ pending, value: undefined, failure: { error } }));
    }
  }

  #make(pending: Pending): Made {
    try {
      return { pending, value: this.#savepoint(pending.change), failure: undefined };
    } catch (error) {
      // A full disk may end the transaction, and what follows would be written outside it.
      if (!this.#db.inTransaction) throw error;
      return { pending, value: undefined, failure: { error } };
    }
  }
}

/** What became of a change. */
interface Made {
  readonly pending: Pending;
  readonly value: unknown;
  readonly failure: Failure | undefined;
}
