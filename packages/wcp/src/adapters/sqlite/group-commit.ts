import type { Database } from "better-sqlite3";

interface Pending {
  readonly change: () => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Lets all writes of one turn of the event loop share one commit, hence one
 * fsync. A change that throws is undone alone (savepoint); the others commit.
 * When the commit itself fails (disk full), every change of the turn is rejected.
 */
export class GroupCommit {
  readonly #begin: (work: () => void) => void;
  readonly #savepoint: (work: () => unknown) => unknown;
  #pending: Pending[] = [];

  constructor(db: Database) {
    const begin = db.transaction((work: () => void) => work());
    this.#begin = (work) => begin.immediate(work);
    this.#savepoint = db.transaction((work: () => unknown) => work());
  }

  /** Runs `change` in this turn's transaction; resolves with its value once it is on disk. */
  write<T>(change: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#pending.length === 0) setImmediate(() => this.flush());
      this.#pending.push({ change, resolve: resolve as (value: unknown) => void, reject });
    });
  }

  /** Commits what is waiting. */
  flush(): void {
    const batch = this.#pending;
    this.#pending = [];
    if (batch.length === 0) return;
    const settle: (() => void)[] = [];
    try {
      this.#begin(() => {
        for (const { change, resolve, reject } of batch) {
          try {
            const value = this.#savepoint(change);
            settle.push(() => resolve(value));
          } catch (error) {
            settle.push(() => reject(error));
          }
        }
      });
    } catch (error) {
      for (const { reject } of batch) reject(error);
      return;
    }
    for (const done of settle) done();
  }
}
