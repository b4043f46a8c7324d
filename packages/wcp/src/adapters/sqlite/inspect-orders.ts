import Database from "better-sqlite3";
import type { OrderAnswer, TxOrder } from "../../chain-ports.ts";
import { StoreError } from "./store-error.ts";

/** Leaves word for the node, which looks once a second; it need not be running. */
export class OrderDesk implements Disposable {
  readonly #db: Database.Database;

  /** @throws {StoreError} CANNOT_OPEN. The caller has seen that the file is a database of this program. */
  constructor(path: string) {
    try {
      this.#db = new Database(path, { fileMustExist: true });
      // The node's own settings: what an operator ordered must outlive a power failure too.
      this.#db.pragma("synchronous = FULL");
    } catch (error) {
      throw new StoreError(
        "CANNOT_OPEN",
        `${path}: ${error instanceof Error ? error.message : String(error)}; run this as the user of the node`,
        { cause: error },
      );
    }
  }

  /** @returns the order's id */
  place({ action, nonce }: Omit<TxOrder, "id">, nowMs: number): number {
    try {
      const { lastInsertRowid } = this.#db
        .prepare("INSERT INTO orders (action, nonce, created_at_ms) VALUES (?, ?, ?)")
        .run(action, nonce, nowMs);
      return Number(lastInsertRowid);
    } catch (error) {
      throw new StoreError(
        "CANNOT_OPEN",
        `the order cannot be written: ${error instanceof Error ? error.message : String(error)}; run this as the user of the node`,
        { cause: error },
      );
    }
  }

  /** What the node said; `undefined` before it has. */
  answer(id: number): OrderAnswer | undefined {
    const row = this.#db
      .prepare<[number], { readonly answer: string | null }>("SELECT answer FROM orders WHERE id = ?")
      .get(id);
    const answer = row?.answer ?? undefined;
    return answer === undefined ? undefined : (JSON.parse(answer) as OrderAnswer);
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }
}
