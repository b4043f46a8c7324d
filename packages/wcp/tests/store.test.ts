import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { FakeClock } from "@subnet-worker/testkit";
import Database from "better-sqlite3";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OrderDesk } from "../src/adapters/sqlite/inspect-orders.ts";
import { openStore, type StoreOptions } from "../src/adapters/sqlite/store.ts";
import { StoreError } from "../src/adapters/sqlite/store-error.ts";
import type { Intent } from "../src/domain/intent.ts";
import type { TaskState } from "../src/domain/task.ts";
import type { Transaction } from "../src/domain/transaction.ts";
import type { TxOrder } from "../src/chain-ports.ts";
import type { Store } from "../src/ports.ts";
import {
  aLease,
  anAttempt,
  aReceipt,
  aRequest,
  aRun,
  aTask,
  aTransaction,
  idOf,
  signed,
} from "./_builders.ts";
import { MemoryDisk } from "./_memory-store.ts";
import { describeStore } from "./_store-contract.ts";
import type { StorePlace } from "./_store-place.ts";

class Folder implements StorePlace {
  readonly path: string = mkdtempSync(join(tmpdir(), "wcp-store-"));
  readonly #clock = new FakeClock();
  readonly #maxJournaled: number | undefined;

  constructor(maxJournaled?: number) {
    this.#maxJournaled = maxJournaled;
  }

  get file(): string {
    return join(this.path, "deep", "wcp.db");
  }

  open(options: Partial<StoreOptions> = {}): Store {
    const limits = this.#maxJournaled === undefined ? {} : { maxJournaled: this.#maxJournaled };
    return openStore(
      { path: this.file, chainId: 31_337n, wallet: "0xWallet", ...limits, ...options },
      { clock: this.#clock },
    );
  }

  order(action: TxOrder["action"], nonce: number): void {
    using desk = new OrderDesk(this.file);
    desk.place({ action, nonce }, this.nowMs());
  }

  advance(ms: number): Promise<void> {
    return this.#clock.advance(ms);
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}

describeStore("the SQLite store", () => new Folder());
describeStore("the SQLite store that has no room in its journal", () => new Folder(0));
describeStore("the store of the other tests", () => {
  const clock = new FakeClock();
  const disk = new MemoryDisk(clock);
  return {
    open: () => disk.open(),
    order: (action, nonce) => void disk.order(action, nonce),
    advance: (ms) => clock.advance(ms),
    nowMs: () => clock.nowMs(),
    [Symbol.dispose]: () => undefined,
  };
});

describe("the two stores", () => {
  it("cannot be told apart by any sequence of writes", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(write, { minLength: 1, maxLength: 25 }), async (writes) => {
        using folder = new Folder();
        const disk = new MemoryDisk();
        const seen: unknown[] = [];
        for (const open of [() => folder.open({ maxJournaled: 1 }), () => disk.open()]) {
          const results: unknown[] = [];
          {
            using store = open();
            for (const apply of writes)
              results.push(
                await apply(store).then(
                  () => "ok",
                  () => "refused",
                ),
              );
          }
          using store = open();
          seen.push({ results, ...contentsOf(store) });
        }
        expect(seen[0]).toEqual(seen[1]);
      }),
      { numRuns: 25 },
    );
  });
});

type Write = (store: Store) => Promise<unknown>;

const SOME_STATES: readonly TaskState[] = [
  { kind: "offered" },
  { kind: "claiming" },
  { kind: "running", lease: aLease(), run: aRun(), percent: 5 },
  { kind: "lost", reason: "late" },
];
const state = fc.constantFrom(...SOME_STATES);
const small = fc.nat(3);
const write: fc.Arbitrary<Write> = fc.oneof(
  fc.record({ id: small, state, from: fc.constantFrom("new", ...SOME_STATES.map(({ kind }) => kind)) }).map(
    ({ id, state: next, from }): Write =>
      (store) =>
        store.saveTask(aTask({ id: idOf(id), round: id + 1, state: next }), from),
  ),
  small.map(
    (key): Write =>
      (store) =>
        store.addIntent(aRequest({ key: `key-${key}` }), key),
  ),
  fc
    .record({ keys: fc.uniqueArray(small, { maxLength: 2 }), nonce: small })
    .map(({ keys, nonce }): Write => async (store) => {
      const intents = keys.map((key) => intentOf(store, key));
      const attempts = store.transactionAt(nonce)?.attempts ?? [];
      const name = `0x${nonce}-${attempts.length}`;
      const attempt = anAttempt({ txHash: name, raw: name, isNoop: keys.length === 0 });
      const intentIds = intents.map(({ id }) => id);
      await store.saveTransaction({
        transaction: aTransaction({ nonce, intentIds, attempts: [...attempts, attempt] }),
        attempt,
        intents: intents.map((intent) => signed(intent, nonce)),
      });
    }),
  fc
    .record({ key: small, end: fc.constantFrom("mined", "confirmed", "displaced") })
    .map(({ key, end }): Write => async (store) => {
      const intent = intentOf(store, key);
      if (intent.state.kind !== "signed") throw new Error("not signed");
      const { nonce } = intent.state;
      const transaction = store.transactionAt(nonce);
      if (transaction === undefined) throw new Error("no such transaction");
      await store.saveTransaction(endOf(intent, transaction, end));
    }),
  small.map((key): Write => async (store) => {
    const state = { kind: "dropped", reason: "expired", message: "late" } as const;
    await store.saveIntents([{ ...intentOf(store, key), state }]);
  }),
  small.map(
    (block): Write =>
      (store) =>
        store.saveCursor("enqueued", { blockNumber: block, blockHash: `0xb${block}` }),
  ),
);

function endOf(intent: Intent, transaction: Transaction, end: string) {
  const receipt = aReceipt();
  if (end === "displaced") {
    return {
      transaction: { ...transaction, state: { kind: "displaced" } as const },
      intents: [{ ...intent, state: { kind: "queued" } as const }],
    };
  }
  const isConfirmed = end === "confirmed";
  const kind = isConfirmed ? ("confirmed" as const) : ("included" as const);
  const state = { kind: "mined", nonce: transaction.nonce, receipt, isConfirmed } as const;
  return { transaction: { ...transaction, state: { kind, receipt } }, intents: [{ ...intent, state }] };
}

function intentOf(store: Store, key: number): Intent {
  const intent = store.intentByKey(`key-${key}`);
  if (intent === undefined) throw new Error("no such intent");
  return intent;
}

function contentsOf(store: Store) {
  return {
    tasks: store.openTasks(),
    every: [0, 1, 2, 3].map((id) => store.task(idOf(id))),
    open: store.openIntents(),
    intents: [0, 1, 2, 3].map((key) => store.intentByKey(`key-${key}`)),
    openTransactions: store.openTransactions(),
    transactions: [0, 1, 2, 3].map((nonce) => store.transactionAt(nonce)),
    nonce: store.highestNonce(),
    cursor: store.cursor("enqueued"),
  };
}

describe("a SQLite file", () => {
  it("stays readable for other programs while it is in use", async () => {
    using folder = new Folder();
    using store = folder.open();
    await store.saveTask(aTask(), "new");
    using reader = open(folder.file);
    expect(reader.db.prepare("SELECT count(*) AS tasks FROM current_tasks").get()).toEqual({ tasks: 1 });
    expect(reader.db.pragma("journal_mode", { simple: true })).toBe("wal");
  });

  it("may be named by a link", async () => {
    using folder = new Folder();
    folder.open()[Symbol.dispose]();
    const link = join(folder.path, "link.db");
    symlinkSync(folder.file, link);
    using store = folder.open({ path: link });
    await store.saveTask(aTask(), "new");
    expect(store.task(idOf(1))).toEqual(aTask());
  });

  it("is refused when it belongs to another wallet or chain, with what to do", async () => {
    using folder = new Folder();
    folder.open()[Symbol.dispose]();
    expect(() => folder.open({ wallet: "0xOther" })).toThrow(
      /^\[OTHER_IDENTITY\] .* belongs to wallet 0xWallet on chain 31337, not to 0xOther on chain 31337; set db\.path to another file/,
    );
    expect(() => folder.open({ chainId: 1n })).toThrow(/^\[OTHER_IDENTITY\]/);
    folder.open()[Symbol.dispose]();
  });

  it("is refused when another version of the program wrote it, with what to do", () => {
    using folder = new Folder();
    folder.open()[Symbol.dispose]();
    using other = open(folder.file);
    other.db.pragma("user_version = 99");
    other[Symbol.dispose]();
    expect(() => folder.open()).toThrow(
      /^\[SCHEMA_VERSION\] .* has schema version 99, this program needs 4; run the version that wrote it, or move the file away/,
    );
  });

  it("is refused when it is no database at all", () => {
    using folder = new Folder();
    const path = join(folder.path, "notes.txt");
    writeFileSync(path, "this is not a database, ".repeat(1_000));
    expect(() => folder.open({ path })).toThrow(
      /^\[CANNOT_OPEN\] .*notes\.txt: .*check that db\.path names a file/,
    );
  });

  it("is refused when its place cannot be written, with what to do", () => {
    using folder = new Folder();
    writeFileSync(join(folder.path, "file"), "");
    mkdirSync(join(folder.path, "folder.db"));
    for (const path of [join(folder.path, "file", "wcp.db"), join(folder.path, "folder.db")]) {
      expect(() => folder.open({ path })).toThrow(/^\[CANNOT_OPEN\] .*: .*; check that db\.path/);
    }
  });

  it("is refused while another process has it, and free as soon as that one is gone", () => {
    using folder = new Folder();
    const first = folder.open();
    expect(() => folder.open()).toThrow(StoreError);
    expect(() => folder.open()).toThrow(/^\[IN_USE\] .* is in use by another process; stop that one first/);
    first[Symbol.dispose]();
    folder.open()[Symbol.dispose]();
  });

  it("has everything that was acknowledged to a process that was then killed", async () => {
    using folder = new Folder();
    const acknowledged: number[] = [];
    const child = spawn(
      process.execPath,
      ["--conditions=@subnet-worker/source", join(import.meta.dirname, "_store-writer.ts"), folder.file],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    const exited = once(child, "exit");
    for await (const line of createInterface(child.stdout)) {
      acknowledged.push(Number(line));
      // While it writes, its lock holds; then it dies in the middle of a write.
      if (acknowledged.length === 1) expect(() => folder.open()).toThrow("IN_USE");
      if (acknowledged.length === 100) child.kill("SIGKILL");
    }
    expect(await exited).toEqual([null, "SIGKILL"]);
    using store = folder.open();
    expect(acknowledged.length).toBeGreaterThanOrEqual(100);
    for (const number of acknowledged) {
      expect(store.task(idOf(number))?.state).toEqual({ kind: "claiming" });
      expect(store.intentByKey(`intent-${number}`)?.state).toMatchObject({ kind: "signed", nonce: number });
      expect(store.transactionAt(number)?.attempts.map(({ raw }) => raw)).toEqual([`0x02${number}`]);
    }
    expect(store.cursor("enqueued")?.blockNumber).toBeGreaterThanOrEqual(acknowledged.at(-1) ?? 0);
  });
});

function open(path: string): Disposable & { readonly db: Database.Database } {
  const db = new Database(path);
  return { db, [Symbol.dispose]: () => db.close() };
}

describe("states that a task goes through within one commit", () => {
  it("are one write, which has the last of them", async () => {
    using folder = new Folder();
    using store = folder.open();
    const task = aTask({ state: { kind: "offered" } });
    const writes = [
      store.saveTask(task, "new"),
      store.saveTask({ ...task, state: { kind: "claiming" } }, "offered"),
      store.saveTask({ ...task, state: { kind: "lost", reason: "late" } }, "claiming"),
    ];
    expect(store.task(task.id)).toBeUndefined();
    await Promise.all(writes);
    expect(store.task(task.id)?.state).toEqual({ kind: "lost", reason: "late" });
    expect(store.openTasks()).toEqual([]);
    await store.saveTask({ ...task, state: { kind: "offered" } }, "lost");
    expect(store.openTasks()).toHaveLength(1);
  });

  it("are refused where they do not follow from each other, and the others stay", async () => {
    using folder = new Folder();
    using store = folder.open();
    const task = aTask({ state: { kind: "offered" } });
    const [first, second] = await Promise.allSettled([
      store.saveTask(task, "new"),
      store.saveTask({ ...task, state: { kind: "lost", reason: "late" } }, "running"),
    ]);
    expect(first.status).toBe("fulfilled");
    expect(second).toMatchObject({ status: "rejected", reason: { code: "CONFLICT" } });
    expect(store.task(task.id)?.state).toEqual({ kind: "offered" });
  });
});
