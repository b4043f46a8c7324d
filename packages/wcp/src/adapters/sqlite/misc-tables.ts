import type { Database, Statement } from "better-sqlite3";
import type { Cursor, OrderAnswer, TxOrder } from "../../chain-ports.ts";

/** The small tables: cursors, pauses of queues, the operator's orders, the database's identity. */
export class MiscTables {
  readonly #cursor: Statement<[string], { readonly block_number: number; readonly block_hash: string }>;
  readonly #saveCursor: Statement<[string, number, string]>;
  readonly #pauses: Statement<[], { readonly queue: string; readonly is_paused: number }>;
  readonly #savePause: Statement<[string, number]>;
  readonly #deletePause: Statement<[string]>;
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
    this.#pauses = db.prepare("SELECT queue, is_paused FROM queue_pauses");
    this.#savePause = db.prepare(
      `INSERT INTO queue_pauses (queue, is_paused) VALUES (?, ?)
       ON CONFLICT (queue) DO UPDATE SET is_paused = excluded.is_paused`,
    );
    this.#deletePause = db.prepare("DELETE FROM queue_pauses WHERE queue = ?");
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

  queuePauses(): ReadonlyMap<string, boolean> {
    return new Map(this.#pauses.all().map((row) => [row.queue, row.is_paused === 1]));
  }

  saveQueuePause(queue: string, isPaused: boolean | undefined): void {
    if (isPaused === undefined) this.#deletePause.run(queue);
    else this.#savePause.run(queue, isPaused ? 1 : 0);
  }

  openOrders(): TxOrder[] {
    return this.#openOrders.all();
  }

  answerOrder(id: number, answer: OrderAnswer): void {
    this.#answerOrder.run(JSON.stringify(answer), id);
  }

  genesisHash(): string | undefined {
    return this.#genesis.get()?.genesis_hash ?? undefined;
  }

  saveGenesisHash(hash: string): void {
    this.#saveGenesis.run(hash);
  }
}
