import { mkdirSync, realpathSync } from "node:fs";
import { dirname } from "node:path";
import type { Clock } from "@subnet-worker/kit";
import Database from "better-sqlite3";
import type { Store } from "../../ports.ts";
import { GroupCommit } from "./group-commit.ts";
import { IntentTable } from "./intent-table.ts";
import { MiscTables } from "./misc-tables.ts";
import { lockForProcess } from "./process-lock.ts";
import { SCHEMA, SCHEMA_VERSION } from "./schema.ts";
import { StoreError } from "./store-error.ts";
import { TaskJournal } from "./task-journal.ts";
import { TaskTable } from "./task-table.ts";
import { TransactionTable } from "./transaction-table.ts";
import { WalSync } from "./wal-sync.ts";

export interface StoreOptions {
  /** Database file; its folder is made if missing. */
  readonly path: string;
  /** The database serves one wallet on one chain, for good. */
  readonly chainId: bigint;
  readonly wallet: string;
  /** Tasks whose last states stay in the journal, or a quarter more. Default 1024. */
  readonly maxJournaled?: number;
}

const MAX_JOURNALED = 1_024;

/**
 * Opens the SQLite store: WAL, one writer. A write resolves once it is on disk, or a power failure could
 * take a signed nonce with it.
 *
 * @throws {StoreError} IN_USE, SCHEMA_VERSION, OTHER_IDENTITY or CANNOT_OPEN
 */
export function openStore(options: StoreOptions, deps: { readonly clock: Clock }): Store {
  using stack = new DisposableStack();
  const db = openDatabase(options.path, stack);
  prepare(db, options);
  const { clock } = deps;
  const disk = new WalSync(realpathSync(options.path), deps);
  const commits = new GroupCommit(db, disk);
  const tasks = new TaskJournal(db, {
    commits,
    table: new TaskTable(db),
    now: () => clock.nowMs(),
    most: options.maxJournaled ?? MAX_JOURNALED,
  });
  const intents = new IntentTable(db);
  const transactions = new TransactionTable(db);
  const misc = new MiscTables(db);
  const owned = stack.move(); // had anything above failed, all would be closed
  return {
    openTasks: () => tasks.open(),
    task: (id) => tasks.get(id),
    saveTask: (task, from) => tasks.save(task, from),
    openIntents: () => intents.open(),
    intentByKey: (key) => intents.byKey(key),
    addIntent: (request, nowMs) => commits.write(() => intents.add(request, nowMs)),
    saveIntents: (changed) =>
      commits.write(() => changed.forEach((intent) => intents.save(intent, clock.nowMs()))),
    openTransactions: () => transactions.open(),
    transactionAt: (nonce) => transactions.at(nonce),
    intentsAt: (nonce) => intents.at(nonce),
    saveTransaction: ({ transaction, attempt, intents: changed = [] }) =>
      commits.write(() => {
        transactions.save(transaction, attempt, clock.nowMs());
        for (const intent of changed) intents.save(intent, clock.nowMs());
      }),
    highestNonce: () => transactions.highestNonce(),
    cursor: (name) => misc.cursor(name),
    saveCursor: (name, at) => commits.write(() => misc.saveCursor(name, at)),
    queuePauses: () => misc.queuePauses(),
    saveQueuePause: (queue, isPaused) => commits.write(() => misc.saveQueuePause(queue, isPaused)),
    openOrders: () => misc.openOrders(),
    answerOrder: (id, answer) => commits.write(() => misc.answerOrder(id, answer)),
    genesisHash: () => misc.genesisHash(),
    saveGenesisHash: (hash) => commits.write(() => misc.saveGenesisHash(hash)),
    prune: async (beforeMs) =>
      sum(
        await Promise.all([
          tasks.prune(beforeMs),
          commits.write(() => intents.prune(beforeMs) + transactions.prune(beforeMs)),
        ]),
      ),
    [Symbol.dispose]() {
      using _closed = owned;
      commits.flush();
      disk[Symbol.dispose]();
      db.pragma("optimize");
    },
  };
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}

function openDatabase(path: string, stack: DisposableStack): Database.Database {
  try {
    mkdirSync(dirname(path), { recursive: true });
    stack.use(lockForProcess(path));
    const db = stack.adopt(new Database(path), (open) => open.close());
    db.pragma("journal_mode = WAL");
    db.pragma("synchronous = NORMAL"); // WalSync waits for the disk
    db.pragma("wal_autocheckpoint = 4000"); // pages: four times the default, as each is written many times over
    db.pragma("foreign_keys = ON");
    db.pragma("cache_size = -2000"); // KiB; what is open fits, and the driver's default is 16 MB
    return db;
  } catch (error) {
    if (error instanceof StoreError) throw error;
    throw new StoreError(
      "CANNOT_OPEN",
      `${path}: ${error instanceof Error ? error.message : String(error)}; check that db.path names a file this process may write, and that the file is this program's database`,
      { cause: error },
    );
  }
}

function prepare(db: Database.Database, options: StoreOptions): void {
  const version = db.pragma("user_version", { simple: true }) as number;
  if (version === 0) {
    db.transaction(() => {
      db.exec(SCHEMA);
      db.prepare("INSERT INTO identity (one, chain_id, wallet) VALUES (1, ?, ?)").run(
        options.chainId.toString(),
        options.wallet,
      );
      db.pragma(`user_version = ${SCHEMA_VERSION}`);
    }).immediate();
    return;
  }
  if (version !== SCHEMA_VERSION) {
    throw new StoreError(
      "SCHEMA_VERSION",
      `${options.path} has schema version ${version}, this program needs ${SCHEMA_VERSION}; run the version that wrote it, or move the file away: the node rebuilds what it holds from the chain`,
    );
  }
  const identity = db.prepare("SELECT chain_id, wallet FROM identity").get() as {
    readonly chain_id: string;
    readonly wallet: string;
  };
  if (identity.chain_id !== options.chainId.toString() || identity.wallet !== options.wallet) {
    throw new StoreError(
      "OTHER_IDENTITY",
      `${options.path} belongs to wallet ${identity.wallet} on chain ${identity.chain_id}, not to ${options.wallet} on chain ${options.chainId}; set db.path to another file for this pair`,
    );
  }
}
