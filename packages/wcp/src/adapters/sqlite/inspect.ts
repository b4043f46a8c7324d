import { existsSync } from "node:fs";
import Database from "better-sqlite3";
import { InspectedRecords, type RecordEntry } from "./inspect-records.ts";
import { InspectedTransactions, type IntentView, type TransactionView } from "./inspect-transactions.ts";
import { SCHEMA_VERSION } from "./schema.ts";
import { StoreError } from "./store-error.ts";

/** Whom a database is for. */
export interface StoreIdentity {
  readonly chainId: bigint;
  readonly wallet: string;
  /** `undefined` before the node has read it. */
  readonly genesisHash: string | undefined;
}

/**
 * A database as its operator sees it, while the node runs or not: takes none of the node's locks and
 * changes nothing in it.
 */
export class StoreInspector implements Disposable {
  readonly identity: StoreIdentity;
  readonly #db: Database.Database;
  readonly #records: InspectedRecords;
  readonly #transactions: InspectedTransactions;

  /** @throws {StoreError} CANNOT_OPEN or SCHEMA_VERSION */
  constructor(path: string) {
    this.#db = openReadOnly(path);
    try {
      const { chain_id, wallet, genesis_hash } = this.#db
        .prepare<[], IdentityRow>("SELECT chain_id, wallet, genesis_hash FROM identity")
        .get() as IdentityRow;
      this.identity = { chainId: BigInt(chain_id), wallet, genesisHash: genesis_hash ?? undefined };
      this.#transactions = new InspectedTransactions(this.#db);
      this.#records = new InspectedRecords(this.#db, this.#transactions);
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  /** Records by the names `claim_job:`, `inflight:`, `done:`, `tx:` and `nonce:last`, as they are read. */
  records(prefix: string): IterableIterator<RecordEntry> {
    return this.#records.list(prefix);
  }

  /** The records of all activities, as one moment has them. */
  tasks(): IterableIterator<RecordEntry> {
    return this.#records.tasks();
  }

  record(key: string): RecordEntry | undefined {
    return this.#records.find(key);
  }

  /** By nonce; only those that are not final unless `isAll`. */
  transactions(isAll: boolean): readonly TransactionView[] {
    return this.#transactions.list(isAll);
  }

  transaction(nonce: number): TransactionView | undefined {
    return this.#transactions.byNonce(nonce);
  }

  /** By the hash of any of its attempts. */
  transactionByHash(hash: string): TransactionView | undefined {
    return this.#transactions.byHash(hash);
  }

  intent(key: string): IntentView | undefined {
    return this.#transactions.intent(key);
  }

  /** Intents that have no nonce yet. */
  queuedCount(): number {
    return this.#transactions.queuedCount();
  }

  highestNonce(): number | undefined {
    return this.#transactions.highestNonce();
  }

  /** What SQLite finds wrong in the file; empty when it is sound. */
  damage(): readonly string[] {
    const rows = this.#db.pragma("quick_check(5)") as readonly { readonly quick_check: string }[];
    return rows.map((row) => row.quick_check).filter((text) => text !== "ok");
  }

  /**
   * Copies the database as it is at one moment, in one step: further ones would start over with every
   * commit of the node. The node goes on writing meanwhile.
   *
   * @returns pages copied
   */
  async backup(destination: string): Promise<number> {
    const { totalPages } = await this.#db.backup(destination, { progress: () => EVERY_PAGE });
    return totalPages;
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }
}

interface IdentityRow {
  readonly chain_id: string;
  readonly wallet: string;
  readonly genesis_hash: string | null;
}

const EVERY_PAGE = 2 ** 31 - 1;

function openReadOnly(path: string): Database.Database {
  if (!existsSync(path)) {
    throw new StoreError(
      "CANNOT_OPEN",
      `${path} is not there; the node makes it at its first start (db.path)`,
    );
  }
  let db: Database.Database | undefined;
  try {
    db = new Database(path, { readonly: true, fileMustExist: true });
    const version = db.pragma("user_version", { simple: true }) as number;
    if (version === SCHEMA_VERSION) return db;
    throw new StoreError(
      "SCHEMA_VERSION",
      `${path} has schema version ${version}, this program needs ${SCHEMA_VERSION}; run the version that wrote it, or move the file away: the node rebuilds what it holds from the chain`,
    );
  } catch (error) {
    db?.close();
    if (error instanceof StoreError) throw error;
    throw new StoreError(
      "CANNOT_OPEN",
      `${path}: ${error instanceof Error ? error.message : String(error)}; check that db.path is this program's database and that this user may read it and write beside it`,
      { cause: error },
    );
  }
}
