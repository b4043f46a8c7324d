import type { Database, Statement } from "better-sqlite3";
import type { Cursor, TxOrder } from "../../chain-ports.ts";

/** The small tables: cursors, the operator's orders, the database's identity. */
export class MiscTables {
  readonly #cursor: Statement<[string], { readonly block_number: number; readonly block_hash: string }>;
  readonly #saveCursor: Statement<[string, number, string]>;
  readonly #openOrders: Statement<[], TxOrder>;
  readonly #answerOrder: Statement<[string, number]>;
  readonly #genesis: Statement<[], { readonly genesis_hash: string | null }>;
  readonly #saveGenesis: Statement<[string]>;

  constructor(db: Database) {
    this.#cursor = db.prepare("SELECT block_number, block_hash FROM cursors WHERE name = ?");
    this.#saveCursor = db.prepare(
      `INSERT INTO cursors (name, block_number, block_hash) VALUES (?, ?, ?)
       ON CONFLICT (name) DO UPDATE SET block_number = excluded.block_number, block_hash = excluded.block_hash`,
    );
    this.#openOrders = db.prepare("SELECT id, action, nonce FROM orders WHERE answer IS NULL ORDER BY id");
    this.#answerOrder = db.prepare("UPDATE orders SET answer = ? WHERE id = ?");
    this.#genesis = db.prepare("SELECT genesis_hash FROM identity");
    this.#saveGenesis = db.prepare("UPDATE identity SET genesis_hash = ?");
  }

  cursor(name: string): Cursor | undefined {
    const row = this.#cursor.get(name);
    return row === undefined ? undefined : { blockNumber: row.block_number, blockHash: row.block_hash };
  }

  saveCursor(name: string, { blockNumber, blockHash }: Cursor): void {
    this.#saveCursor.run(name, blockNumber, blockHash);
  }

  openOrders(): TxOrder[] {
    return this.#openOrders.all();
  }

  answerOrder(id: number, answer: string): void {
    this.#answerOrder.run(answer, id);
  }

  genesisHash(): string | undefined {
    return this.#genesis.get()?.genesis_hash ?? undefined;
  }

  saveGenesisHash(hash: string): void {
    this.#saveGenesis.run(hash);
  }
}
