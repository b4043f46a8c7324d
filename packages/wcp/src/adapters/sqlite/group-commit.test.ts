import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { GroupCommit } from "./group-commit.ts";

interface Bench extends Disposable {
  readonly db: Database.Database;
  readonly commits: GroupCommit;
  /** Statements that began, ended or undid a transaction. */
  readonly transactions: string[];
  insert(number: number): Promise<unknown>;
  rows(): unknown[];
}

function createBench(): Bench {
  const transactions: string[] = [];
  const db = new Database(":memory:", {
    verbose: (sql) => {
      if (/^(BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE)/.test(String(sql))) transactions.push(String(sql));
    },
  });
  db.exec("CREATE TABLE numbers (number INTEGER PRIMARY KEY, filler TEXT) STRICT");
  const commits = new GroupCommit(db);
  const insert = db.prepare("INSERT INTO numbers (number, filler) VALUES (?, ?)");
  return {
    db,
    commits,
    transactions,
    insert: (number) => commits.write(() => insert.run(number, "x".repeat(1_000)).changes),
    rows: () => db.prepare("SELECT number FROM numbers ORDER BY number").pluck().all(),
    [Symbol.dispose]: () => db.close(),
  };
}

describe("writes of one turn of the event loop", () => {
  it("share one commit, and each resolves with its own value", async () => {
    using bench = createBench();
    const values = await Promise.all([
      bench.insert(1),
      bench.commits.write(() => "second"),
      bench.insert(3),
      Promise.resolve().then(() => bench.insert(4)),
    ]);
    expect(values).toEqual([1, "second", 1, 1]);
    expect(bench.transactions.filter((sql) => sql.startsWith("BEGIN"))).toEqual(["BEGIN IMMEDIATE"]);
    expect(bench.transactions.filter((sql) => sql === "COMMIT")).toHaveLength(1);
    expect(bench.rows()).toEqual([1, 3, 4]);
  });

  it("take a commit of their own in the next turn", async () => {
    using bench = createBench();
    await bench.insert(1);
    await bench.insert(2);
    expect(bench.transactions.filter((sql) => sql === "COMMIT")).toHaveLength(2);
  });

  it("are not resolved before the commit", async () => {
    using bench = createBench();
    let isDone = false;
    const written = (async () => {
      await bench.insert(1);
      isDone = true;
      expect(bench.db.inTransaction).toBe(false);
    })();
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
    expect(isDone).toBe(false);
    expect(bench.rows()).toEqual([]);
    await written;
    expect(bench.rows()).toEqual([1]);
  });

  it("survive one among them that fails, which is undone alone", async () => {
    using bench = createBench();
    const failing = bench.commits.write(() => {
      bench.db.exec("INSERT INTO numbers (number) VALUES (20)");
      throw new Error("half done");
    });
    const results = await Promise.allSettled([bench.insert(1), failing, bench.insert(1), bench.insert(2)]);
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected", "fulfilled"]);
    expect(bench.rows()).toEqual([1, 2]);
  });

  it("are all reported as failed when the disk is full", async () => {
    using bench = createBench();
    const pages = bench.db.pragma("page_count", { simple: true }) as number;
    bench.db.pragma(`max_page_count = ${pages + 3}`);
    const numbers = Array.from({ length: 40 }, (_, index) => index);
    const results = await Promise.allSettled(numbers.map((number) => bench.insert(number)));
    const failures = results.filter(({ status }) => status === "rejected").length;
    expect(failures).toBeGreaterThan(0);
    // Whatever was acknowledged is there.
    const kept = new Set(bench.rows());
    for (const [number, { status }] of results.entries()) {
      if (status === "fulfilled") expect(kept.has(number)).toBe(true);
    }
    expect(bench.db.inTransaction).toBe(false);
    bench.db.pragma("max_page_count = 1000");
    await bench.insert(99);
    expect(bench.rows()).toContain(99);
  });

  it("are all reported as failed when the disk is full", async () => {
    using bench = createBench();
    const pages = bench.db.pragma("page_count", { simple: true }) as number;
    bench.db.pragma(`max_page_count = ${pages + 3}`);
    const insert = bench.db.prepare("INSERT INTO numbers (number, filler) VALUES (?, ?)");
    const numbers = Array.from({ length: 40 }, (_, index) => index);
    const results = await Promise.allSettled(
      numbers.map((number) => bench.commits.write(() => insert.run(number, "x".repeat(1_000)))),
    );
    expect(results.some(({ status }) => status === "rejected")).toBe(true);
    const kept = new Set(bench.rows());
    // What was told is what is there, either way.
    for (const [number, { status }] of results.entries())
      expect(kept.has(number)).toBe(status === "fulfilled");
    expect(bench.db.inTransaction).toBe(false);
  });

  it("are rejected, not lost in silence, when the database is closed under them", async () => {
    using bench = createBench();
    const written = bench.insert(1);
    bench.db.close();
    await expect(written).rejects.toThrow("not open");
  });
});

describe("queries", () => {
  it("of one turn share a transaction, which ends before a commit begins and in any case with the turn", async () => {
    using bench = createBench();
    const count = bench.db.prepare("SELECT count(*) FROM numbers").pluck();
    const counts = [bench.commits.read(() => count.get()), bench.commits.read(() => count.get())];
    await bench.insert(1);
    expect(bench.transactions.filter((sql) => !/SAVEPOINT|RELEASE/.test(sql))).toEqual([
      "BEGIN",
      "COMMIT",
      "BEGIN IMMEDIATE",
      "COMMIT",
    ]);
    counts.push(bench.commits.read(() => count.get()));
    expect(counts).toEqual([0, 0, 1]);
    expect(bench.db.inTransaction).toBe(true);
    await new Promise(setImmediate);
    expect(bench.db.inTransaction).toBe(false);
  });

  it("within a change are part of it", async () => {
    using bench = createBench();
    const count = bench.db.prepare("SELECT count(*) FROM numbers").pluck();
    bench.commits.read(() => count.get());
    const seen = await bench.commits.write(() => {
      bench.db.exec("INSERT INTO numbers VALUES (1, '')");
      return bench.commits.read(() => count.get());
    });
    expect(seen).toBe(1);
    expect(bench.rows()).toEqual([1]);
  });
});
