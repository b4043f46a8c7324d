import Database from "better-sqlite3";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FINAL_STATES, type Task, type TaskState } from "../../domain/task.ts";
import { GroupCommit } from "./group-commit.ts";
import { SCHEMA } from "./schema.ts";
import { StoreError } from "./store-error.ts";
import { TaskJournal } from "./task-journal.ts";
import { TaskTable } from "./task-table.ts";
import type { OnSynced } from "./wal-sync.ts";

type Fault = readonly [
  how: "ABORT" | "ROLLBACK",
  event: "INSERT" | "UPDATE" | "DELETE",
  table: "tasks" | "task_journal",
];

/** Answers in the next turn, or when it is told to. */
class LateDisk {
  isHeld = false;
  #waiting: OnSynced[] = [];

  after(done: OnSynced): void {
    this.#waiting.push(done);
    if (!this.isHeld) setImmediate(() => this.answer(null));
  }

  answer(error: unknown): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const done of waiting) done(error);
  }
}

class Bench implements Disposable {
  readonly db = new Database(":memory:");
  nowMs = 1_000;
  /** By another process, so that no commit can begin. */
  isLocked = false;
  readonly disk = new LateDisk();
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
    this.db.exec(SCHEMA);
  }

  /** As after a restart. */
  open(limits: { readonly mostRows?: number; readonly mostLength?: number } = {}): TaskJournal {
    const commits = new GroupCommit(this.db, this.disk);
    return new TaskJournal(this.db, {
      commits: {
        read: (query) => commits.read(query),
        write: (change, options) => {
          if (!this.isLocked) return commits.write(change, options);
          return new Promise((_, reject) => {
            setImmediate(() => {
              const error = new Error("database is locked");
              options?.onCommitted?.({ error });
              reject(error);
            });
          });
        },
      },
      table: new TaskTable(this.db),
      now: () => this.nowMs,
      most: this.#most,
      ...limits,
    });
  }

  /** From now on what does this to a table fails, and SQLite undoes the statement, or the transaction. */
  break([how, event, table]: Fault): void {
    this.db.exec(
      `CREATE TRIGGER full BEFORE ${event} ON ${table} BEGIN SELECT raise(${how}, 'disk full'); END`,
    );
  }

  mend(): void {
    this.db.exec("DROP TRIGGER IF EXISTS full");
  }

  count(of: string): unknown {
    return this.db.prepare(`SELECT count(*) FROM ${of}`).pluck().get();
  }

  /** As an operator's command reads them. */
  current(): ReadonlyMap<unknown, unknown> {
    const rows = this.db.prepare("SELECT id, round, state, detail FROM current_tasks").all() as Row[];
    expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length);
    return new Map(rows.map((row) => [row.id, { ...row, detail: JSON.parse(row.detail) as unknown }]));
  }

  [Symbol.dispose](): void {
    this.db.close();
  }
}

interface Row {
  readonly id: string;
  readonly round: number;
  readonly state: string;
  readonly detail: string;
}

const OFFERED: TaskState = { kind: "offered" };
const LOST: TaskState = { kind: "lost", reason: "late" };

function task(id: string, state: TaskState = OFFERED, round = 1): Task {
  const workflowInstanceId = "0xw";
  return { id, source: "s", queue: "q", kind: "k", version: "1", workflowInstanceId, round, state };
}

describe("the journal of tasks", () => {
  it("has one row for each commit, whatever changed in it", async () => {
    using bench = new Bench(10);
    const journal = bench.open();
    await Promise.all([journal.save(task("a"), "new"), journal.save(task("b"), "new")]);
    await journal.save(task("a", LOST), "offered");
    expect(bench.count("task_journal")).toBe(2);
    expect(bench.count("tasks")).toBe(0);
  });

  it("moves the oldest into the table when it has too many, each with its last state", async () => {
    using bench = new Bench(4);
    const journal = bench.open();
    for (const id of ["a", "b", "c", "d", "e"]) await journal.save(task(id), "new");
    await journal.save(task("a", LOST), "offered");
    expect(bench.count("tasks")).toBe(0);
    await journal.save(task("f"), "new");
    expect(bench.db.prepare("SELECT id, state FROM tasks").all()).toEqual([
      { id: "a", state: "lost" },
      { id: "b", state: "offered" },
    ]);
    expect(bench.count("task_journal")).toBe(5);
    expect(journal.get("a")).toEqual(task("a", LOST));
    expect(journal.open().map(({ id }) => id)).toEqual(["b", "c", "d", "e", "f"]);
  });

  it("moves hundreds at once, in the order in which they came", async () => {
    using bench = new Bench(100);
    const journal = bench.open();
    const ids = Array.from({ length: 250 }, (_, index) => `task-${index}`);
    await Promise.all(
      ids.map((id, index) => journal.save(task(id, index % 2 === 0 ? OFFERED : LOST), "new")),
    );
    expect([bench.count("tasks"), bench.count("task_journal")]).toEqual([150, 1]);
    expect(journal.open().map(({ id }) => id)).toEqual(ids.filter((_, index) => index % 2 === 0));
    expect(journal.get("task-149")).toEqual(task("task-149", LOST));
    expect(bench.current().size).toBe(250);
  });

  it("moves everything before it forgets what is old, and counts that", async () => {
    using bench = new Bench(10);
    const journal = bench.open();
    await journal.save(task("a", LOST), "new");
    bench.nowMs = 2_000;
    await journal.save(task("b", LOST), "new");
    await journal.save(task("c"), "new");
    expect(await journal.prune(2_000)).toBe(1);
    expect([journal.get("a"), journal.get("b")]).toEqual([undefined, task("b", LOST)]);
    expect([bench.count("task_journal"), bench.count("tasks")]).toEqual([0, 2]);
    await journal.save(task("a"), "new");
    expect(journal.get("a")).toEqual(task("a"));
  });

  it("adds a task anew that was looked for, was not there, came and went to the table", async () => {
    using bench = new Bench(0);
    const journal = bench.open();
    expect(journal.get("a")).toBeUndefined();
    await journal.save(task("a"), "new");
    expect(bench.count("tasks")).toBe(1);
    expect(journal.get("a")).toEqual(task("a"));
    await expect(journal.save(task("a"), "new")).rejects.toThrow(StoreError);
  });

  it("goes on from what is stored when a commit could not begin", async () => {
    using bench = new Bench(10);
    const journal = bench.open();
    await journal.save(task("a"), "new");
    bench.isLocked = true;
    await expect(journal.save(task("a", LOST), "offered")).rejects.toThrow("database is locked");
    bench.isLocked = false;
    expect(journal.get("a")).toEqual(task("a"));
    await journal.save(task("a", LOST), "offered");
    expect(bench.open().get("a")).toEqual(task("a", LOST));
  });

  it.each(["ABORT", "ROLLBACK"] as const)(
    "goes on from what is stored when moving failed with %s, while the disk is late",
    async (how) => {
      using bench = new Bench(1);
      const journal = bench.open();
      await journal.save(task("a"), "new");
      bench.break([how, "INSERT", "tasks"]);
      bench.disk.isHeld = true;
      await expect(journal.save(task("b"), "new")).rejects.toThrow("disk full");
      expect([journal.get("a"), journal.get("b")]).toEqual([task("a"), undefined]);
      await expect(journal.prune(0)).rejects.toThrow("disk full");
      bench.mend();
      const written = [journal.save(task("b"), "new"), journal.save(task("a", LOST), "offered")];
      await new Promise(setImmediate);
      bench.disk.answer(null);
      await Promise.all(written);
      for (const store of [journal, bench.open()]) {
        expect([store.get("a"), store.get("b")]).toEqual([task("a", LOST), task("b")]);
      }
      expect(bench.current().size).toBe(2);
    },
  );

  it("changes no row of another task after a move that was undone", async () => {
    using bench = new Bench(10);
    const journal = bench.open();
    await journal.save(task("a"), "new");
    bench.break(["ABORT", "DELETE", "task_journal"]);
    await expect(journal.prune(0)).rejects.toThrow("disk full");
    bench.mend();
    await journal.save(task("b"), "new");
    await journal.save(task("a", LOST), "offered");
    await journal.prune(0);
    expect([bench.open().get("a"), bench.open().get("b")]).toEqual([task("a", LOST), task("b")]);
  });

  it("keeps what is in the database when the disk did not take it, as a restart will find it", async () => {
    using bench = new Bench(10);
    const journal = bench.open();
    bench.disk.isHeld = true;
    const written = journal.save(task("a"), "new");
    await new Promise(setImmediate);
    bench.disk.answer(new Error("EIO"));
    await expect(written).rejects.toThrow("EIO");
    expect([journal.get("a"), bench.open().get("a")]).toEqual([task("a"), task("a")]);
  });

  it("refuses what the table would refuse later, and that alone", async () => {
    using bench = new Bench(10);
    const journal = bench.open();
    const bad = { ...task("a"), kind: undefined } as unknown as Task;
    const [first, second] = await Promise.allSettled([
      journal.save(bad, "new"),
      journal.save(task("b"), "new"),
    ]);
    expect(first).toMatchObject({ status: "rejected", reason: { code: "INVALID" } });
    expect(second.status).toBe("fulfilled");
  });

  it("stores nothing more when it cannot know what is stored", async () => {
    using bench = new Bench(10);
    const journal = bench.open();
    await journal.save(task("a"), "new");
    bench.db.exec("INSERT INTO task_journal (at_ms, tasks) VALUES (0, 'no JSON')");
    bench.break(["ABORT", "INSERT", "task_journal"]);
    await expect(journal.save(task("b"), "new")).rejects.toThrow("disk full");
    bench.mend();
    await expect(journal.save(task("b"), "new")).rejects.toMatchObject({ code: "UNREADABLE" });
    expect(() => journal.get("a")).toThrow("[UNREADABLE]");
  });

  it("stays short where few tasks change often", async () => {
    using bench = new Bench(1_000);
    const journal = bench.open({ mostRows: 20 });
    await journal.save(task("a"), "new");
    await journal.save(task("b"), "new");
    for (let round = 1; round <= 100; round += 1) await journal.save(task("b", OFFERED, round), "offered");
    expect(bench.count("task_journal")).toBeLessThan(25);
    expect(bench.open().open()).toEqual(journal.open());
  });

  it("stays short where results are long", async () => {
    using bench = new Bench(1_000);
    const journal = bench.open({ mostLength: 10_000 });
    for (let number = 0; number < 30; number += 1) {
      await journal.save(task(`long-${number}`, { kind: "lost", reason: "x".repeat(1_000) }), "new");
    }
    expect(bench.count("task_journal")).toBeLessThan(12);
    expect(bench.current().size).toBe(30);
  });

  it("forgets what it moved in a commit that failed after that", async () => {
    using bench = new Bench(0);
    const journal = bench.open();
    bench.break(["ROLLBACK", "DELETE", "task_journal"]);
    await expect(journal.save(task("a"), "new")).rejects.toThrow("disk full");
    bench.mend();
    await journal.save(task("b"), "new");
    await journal.save(task("a"), "new");
    await journal.save(task("a", LOST), "offered");
    expect([bench.open().get("a"), bench.open().get("b")]).toEqual([task("a", LOST), task("b")]);
  });

  it("is what was written, whatever was moved, failed or was opened anew", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(4), fc.array(STEP, { maxLength: 40 }), async (most, steps) => {
        using bench = new Bench(most);
        const play = new Play(bench);
        for (const step of steps) await play.make(step);
        await play.check();
      }),
      { numRuns: 300 },
    );
  });
});

const STEP = fc.record({
  id: fc.constantFrom("a", "b", "c", "d", "e"),
  state: fc.constantFrom<TaskState>(OFFERED, { kind: "claiming" }, LOST, { kind: "expired" }),
  after: fc.constantFrom("same turn", "commit", "restart", "prune", "failure"),
  fault: fc.tuple(
    fc.constantFrom<Fault[0]>("ABORT", "ROLLBACK"),
    fc.constantFrom<Fault[1]>("INSERT", "UPDATE", "DELETE"),
    fc.constantFrom<Fault[2]>("tasks", "task_journal"),
  ),
});
type Step = typeof STEP extends fc.Arbitrary<infer S> ? S : never;

/** A journal beside a plain map that is to have the same in it. */
class Play {
  readonly #bench: Bench;
  readonly #model = new Map<string, Task>();
  #journal: TaskJournal;
  #written: Promise<unknown>[] = [];

  constructor(bench: Bench) {
    this.#bench = bench;
    this.#journal = bench.open();
  }

  async make({ id, state, after, fault }: Step): Promise<void> {
    const before = this.#model.get(id);
    const next = task(id, state, (before?.round ?? 0) + 1);
    if (after === "failure") {
      await this.#settle();
      this.#bench.break(fault);
      const [saved] = await Promise.allSettled([this.#journal.save(next, before?.state.kind ?? "new")]);
      this.#bench.mend();
      if (saved.status === "fulfilled") this.#model.set(id, next);
      return;
    }
    this.#model.set(id, next);
    this.#written.push(this.#journal.save(next, before?.state.kind ?? "new"));
    if (after === "same turn") return;
    await this.#settle();
    if (after === "restart") this.#journal = this.#bench.open();
    if (after === "prune") await this.#journal.prune(0); // moves all and forgets none
  }

  async check(): Promise<void> {
    await this.#settle();
    const tasks = [...this.#model.values()];
    const open = tasks.filter(({ state }) => !FINAL_STATES.has(state.kind));
    for (const store of [this.#journal, this.#bench.open()]) {
      for (const id of "abcde") expect(store.get(id)).toEqual(this.#model.get(id));
      expect(store.open().toSorted(byId)).toEqual(open.toSorted(byId));
    }
    const rows = tasks.map(({ id, round, state: { kind, ...detail } }) => ({
      id,
      round,
      state: kind,
      detail,
    }));
    expect(this.#bench.current()).toEqual(new Map(rows.map((row) => [row.id, row])));
  }

  async #settle(): Promise<void> {
    await Promise.all(this.#written);
    this.#written = [];
  }
}

function byId(a: Task, b: Task): number {
  return a.id < b.id ? -1 : 1;
}
