import Database from "better-sqlite3";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FINAL_STATES, type Task, type TaskState } from "../../domain/task.ts";
import { GroupCommit } from "./group-commit.ts";
import { SCHEMA } from "./schema.ts";
import { StoreError } from "./store-error.ts";
import { TaskJournal } from "./task-journal.ts";
import { TaskTable } from "./task-table.ts";

class Bench implements Disposable {
  readonly db = new Database(":memory:");
  nowMs = 1_000;
  /** By another process, so that no commit can begin. */
  isLocked = false;
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
    this.db.exec(SCHEMA);
  }

  /** As after a restart. */
  open(): TaskJournal {
    const commits = new GroupCommit(this.db);
    const orLocked = <T>(write: () => Promise<T>) =>
      this.isLocked ? Promise.reject<T>(new Error("database is locked")) : write();
    return new TaskJournal(this.db, {
      commits: {
        read: (query) => commits.read(query),
        write: (change) => orLocked(() => commits.write(change)),
        writeStatement: (change) => orLocked(() => commits.writeStatement(change)),
      },
      table: new TaskTable(this.db),
      now: () => this.nowMs,
      most: this.#most,
    });
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

  it("goes on from what is stored when moving failed", async () => {
    using bench = new Bench(1);
    const journal = bench.open();
    await journal.save(task("a"), "new");
    bench.db.exec(
      "CREATE TRIGGER full BEFORE INSERT ON tasks BEGIN SELECT raise(ROLLBACK, 'disk full'); END",
    );
    await expect(journal.save(task("b"), "new")).rejects.toThrow("disk full");
    expect([journal.get("a"), journal.get("b")]).toEqual([task("a"), undefined]);
    await expect(journal.prune(0)).rejects.toThrow("disk full");
    bench.db.exec("DROP TRIGGER full");
    await journal.save(task("b"), "new");
    expect(journal.open()).toEqual([task("a"), task("b")]);
    expect(bench.open().open()).toEqual([task("a"), task("b")]);
  });

  it("forgets what it moved in a commit that failed after that", async () => {
    using bench = new Bench(0);
    const journal = bench.open();
    bench.db.exec(
      "CREATE TRIGGER full BEFORE DELETE ON task_journal BEGIN SELECT raise(ROLLBACK, 'disk full'); END",
    );
    await expect(journal.save(task("a"), "new")).rejects.toThrow("disk full");
    bench.db.exec("DROP TRIGGER full");
    await journal.save(task("b"), "new");
    await journal.save(task("a"), "new");
    await journal.save(task("a", LOST), "offered");
    expect([bench.open().get("a"), bench.open().get("b")]).toEqual([task("a", LOST), task("b")]);
  });

  it("is what was written, whatever was moved and however often it was opened anew", async () => {
    const step = fc.record({
      id: fc.constantFrom("a", "b", "c", "d", "e"),
      state: fc.constantFrom<TaskState>(OFFERED, { kind: "claiming" }, LOST, { kind: "expired" }),
      after: fc.constantFrom("same turn", "commit", "restart", "prune"),
    });
    await fc.assert(
      fc.asyncProperty(fc.nat(4), fc.array(step, { maxLength: 40 }), async (most, steps) => {
        using bench = new Bench(most);
        const model = new Map<string, Task>();
        let journal = bench.open();
        let written: Promise<unknown>[] = [];
        for (const { id, state, after } of steps) {
          const before = model.get(id);
          const next = task(id, state, (before?.round ?? 0) + 1);
          model.set(id, next);
          written.push(journal.save(next, before?.state.kind ?? "new"));
          if (after === "same turn") continue;
          await Promise.all(written);
          written = [];
          if (after === "restart") journal = bench.open();
          if (after === "prune") await journal.prune(0); // moves all and forgets none
        }
        await Promise.all(written);
        for (const store of [journal, bench.open()]) {
          for (const id of "abcde") expect(store.get(id)).toEqual(model.get(id));
          const open = [...model.values()].filter(({ state }) => !FINAL_STATES.has(state.kind));
          expect(store.open().toSorted(byId)).toEqual(open.toSorted(byId));
        }
        const rows = [...model.values()].map(({ id, round, state: { kind, ...detail } }) => [
          id,
          { id, round, state: kind, detail },
        ]);
        expect(bench.current()).toEqual(new Map(rows as [string, unknown][]));
      }),
      { numRuns: 300 },
    );
  });
});

function byId(a: Task, b: Task): number {
  return a.id < b.id ? -1 : 1;
}
