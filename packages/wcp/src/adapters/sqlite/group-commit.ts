import type { Database, Statement } from "better-sqlite3";
import type { OnSynced } from "./wal-sync.ts";

interface Pending {
  readonly change: () => unknown;
  /** How many changes it is by the time it is made. */
  readonly size: () => number;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** What it needs to know that a commit is on disk. */
export interface Disk {
  after(done: OnSynced, changes: number): void;
}

const ONE = () => 1;

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
  write<T>(change: () => T): Promise<T> {
    return this.writeStatement(() => this.#savepoint(change) as T);
  }

  /**
   * As {@link write}, for a change of one statement, which SQLite undoes alone when it fails.
   *
   * @param size how many changes the statement carries by the time it is run. Default 1
   */
  writeStatement<T>(change: () => T, size: () => number = ONE): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#pending.length === 0) setImmediate(() => this.flush());
      this.#pending.push({ change, size, resolve: resolve as (value: unknown) => void, reject });
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
    if (this.#db.open) this.#endReading.run();
  }

  /** Commits what is waiting. */
  flush(): void {
    this.#stopReading();
    const batch = this.#pending;
    this.#pending = [];
    if (batch.length === 0) return;
    const changes = batch.reduce((sum, { size }) => sum + size(), 0);
    const results: unknown[] = [];
    const failures = new Map<number, unknown>();
    try {
      this.#begin(() => {
        for (const [index, { change }] of batch.entries()) {
          try {
            results[index] = change();
          } catch (error) {
            // A full disk may end the transaction, and what follows would be written outside it.
            if (!this.#db.inTransaction) throw error;
            failures.set(index, error);
          }
        }
      });
    } catch (error) {
      for (const { reject } of batch) reject(error);
      return;
    }
    const settle: OnSynced = (error) => {
      for (const [index, { resolve, reject }] of batch.entries()) {
        if (failures.has(index)) reject(failures.get(index));
        else if (error === null) resolve(results[index]);
        else reject(error);
      }
    };
    if (this.#disk === undefined) settle(null);
    else this.#disk.after(settle, changes);
  }
}
