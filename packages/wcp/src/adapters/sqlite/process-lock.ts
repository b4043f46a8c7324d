import Database from "better-sqlite3";
import { StoreError } from "./store-error.ts";

/**
 * Keeps a second process away from a database: two would hand out the same nonces.
 * A lock on a file beside it, which the kernel gives back however this process ends,
 * and which leaves the database itself readable for tools.
 *
 * @throws {StoreError} IN_USE
 */
export function lockForProcess(path: string): Disposable {
  const lock = new Database(`${path}-lock`, { timeout: 0 });
  try {
    lock.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    lock.close();
    if (!(error instanceof Database.SqliteError) || error.code !== "SQLITE_BUSY") throw error;
    throw new StoreError(
      "IN_USE",
      `${path} is in use by another process; stop that one first, or set db.path to another file: one wallet has one process`,
      { cause: error },
    );
  }
  return { [Symbol.dispose]: () => lock.close() };
}
