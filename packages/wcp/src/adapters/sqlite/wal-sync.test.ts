import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@subnet-worker/kit";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { GroupCommit } from "./group-commit.ts";
import { type OnSynced, WalSync } from "./wal-sync.ts";

class Folder implements Disposable {
  readonly path: string = mkdtempSync(join(tmpdir(), "wal-sync-"));

  get file(): string {
    return join(this.path, "numbers.db");
  }

  /** A database with its log, as the store opens it. */
  open(): Database.Database & Disposable {
    const db = new Database(this.file);
    db.pragma("journal_mode = WAL");
    db.exec("CREATE TABLE numbers (number INTEGER PRIMARY KEY) STRICT");
    return Object.assign(db, { [Symbol.dispose]: () => void db.close() });
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}

/** A disk that is done when the test says so. */
class SlowDisk {
  readonly waiting: ((error: unknown) => void)[] = [];

  after(done: (error: unknown) => void): void {
    this.waiting.push(done);
  }

  /** Some turns of the event loop on, a commit must have come. */
  async asked(): Promise<void> {
    for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate);
    expect(this.waiting).not.toEqual([]);
  }
}

describe("a commit", () => {
  it("is not told of before the disk has it", async () => {
    using folder = new Folder();
    using db = folder.open();
    const disk = new SlowDisk();
    const commits = new GroupCommit(db, disk);
    let isTold = false;
    const write = async () => {
      await commits.write(() => db.exec("INSERT INTO numbers VALUES (1)"));
      isTold = true;
    };
    const written = write();
    await disk.asked();
    await new Promise(setImmediate);
    expect(isTold).toBe(false);
    expect(db.prepare("SELECT count(*) FROM numbers").pluck().get()).toBe(1);
    disk.waiting[0]?.(null);
    await written;
    expect(isTold).toBe(true);
  });

  it("that the disk does not take is refused to all its writers", async () => {
    using folder = new Folder();
    using db = folder.open();
    const disk = new SlowDisk();
    const commits = new GroupCommit(db, disk);
    const written = Promise.allSettled([commits.write(() => 1), commits.write(() => 2)]);
    await disk.asked();
    disk.waiting[0]?.(new Error("EIO"));
    expect((await written).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  });
});

describe("a sync of the log", () => {
  it("is shared by the commits that came while another was under way", async () => {
    using folder = new Folder();
    using db = folder.open();
    using disk = new WalSync(folder.file, { clock: systemClock });
    db.exec("INSERT INTO numbers VALUES (1)");
    const order: string[] = [];
    const first = Promise.withResolvers<void>();
    const last = Promise.withResolvers<void>();
    disk.after((error) => {
      order.push(`first ${String(error)}`);
      first.resolve();
    }, 1);
    disk.after(() => order.push("second"), 1);
    disk.after(() => {
      order.push("third");
      last.resolve();
    }, 1);
    await first.promise;
    expect(order).toEqual(["first null"]);
    await last.promise;
    expect(order).toEqual(["first null", "second", "third"]);
  });

  it("is made at once for what still waits when the store is closed", () => {
    using folder = new Folder();
    using db = folder.open();
    const disk = new WalSync(folder.file, { clock: systemClock });
    db.exec("INSERT INTO numbers VALUES (1)");
    const told: unknown[] = [];
    disk.after(() => undefined, 1);
    disk.after((error) => told.push(error), 1);
    disk[Symbol.dispose]();
    expect(told).toEqual([null]);
  });

  it("that failed is the last: what the system forgot to write, a later one would not", async () => {
    using folder = new Folder();
    using db = folder.open();
    let made = 0;
    const sync = (_: number, done: OnSynced) => {
      made += 1;
      setImmediate(() => done(new Error("EIO")));
    };
    const syncNow = () => void (made += 1);
    const log = new WalSync(folder.file, { clock: systemClock, disk: { sync, syncNow } });
    db.exec("INSERT INTO numbers VALUES (1)");
    const told: unknown[] = [];
    const first = Promise.withResolvers<void>();
    log.after(() => first.resolve(), 1);
    log.after((error) => told.push(error), 1);
    await first.promise;
    log.after((error) => told.push(error), 1);
    log[Symbol.dispose]();
    const refused = expect.objectContaining({ code: "NOT_DURABLE" }) as unknown;
    expect(told).toEqual([refused, refused]);
    expect(made).toBe(1);
  });

  it("that cannot be made is told to who waits, also when it cannot even begin", () => {
    using folder = new Folder();
    using disk = new WalSync(join(folder.path, "nothing", "here.db"), { clock: systemClock });
    const told: unknown[] = [];
    disk.after((error) => told.push(error), 1);
    expect(told).toEqual([
      expect.objectContaining({ code: "NOT_DURABLE", cause: expect.objectContaining({ code: "ENOENT" }) }),
    ]);
  });
});

/** Syncs that take as long as the test says, and where each was made. */
class TimedDisk {
  readonly made: string[] = [];
  takesMs = 0.3;
  #nowMs = 0;
  readonly clock = { monotonicMs: () => this.#nowMs };

  readonly sync = (_: number, done: OnSynced) => {
    this.#made("thread");
    done(null);
  };

  readonly syncNow = () => this.#made("here");

  #made(where: string): void {
    this.made.push(where);
    this.#nowMs += this.takesMs;
  }
}

describe("a commit of few changes", () => {
  it("waits for the disk here while the disk is quick, and one of many never does", () => {
    using folder = new Folder();
    using db = folder.open();
    const disk = new TimedDisk();
    using log = new WalSync(folder.file, { clock: disk.clock, disk });
    db.exec("INSERT INTO numbers VALUES (1)");
    let told = 0;
    for (const changes of [1, 1, 4, 5, 1]) log.after(() => (told += 1), changes);
    expect(disk.made).toEqual(["thread", "here", "here", "thread", "here"]);
    expect(told).toBe(5);
  });

  it("is left to the thread from the first slow sync on, until one is quick", () => {
    using folder = new Folder();
    using db = folder.open();
    const disk = new TimedDisk();
    using log = new WalSync(folder.file, { clock: disk.clock, disk });
    db.exec("INSERT INTO numbers VALUES (1)");
    for (const takesMs of [0.3, 10, 10, 0.3, 0.3]) {
      disk.takesMs = takesMs;
      log.after(() => undefined, 1);
    }
    expect(disk.made).toEqual(["thread", "here", "thread", "thread", "here"]);
  });

  it("is left to the thread for long after the disk has stalled", () => {
    using folder = new Folder();
    using db = folder.open();
    const disk = new TimedDisk();
    using log = new WalSync(folder.file, { clock: disk.clock, disk });
    db.exec("INSERT INTO numbers VALUES (1)");
    for (const takesMs of [0.3, 60, ...Array.from({ length: 501 }, () => 0.3)]) {
      disk.takesMs = takesMs;
      log.after(() => undefined, 1);
    }
    expect(disk.made.filter((where) => where === "here")).toHaveLength(2);
    expect(disk.made.at(-1)).toBe("here");
  });

  it("tells its writer when the disk refuses", () => {
    using folder = new Folder();
    using db = folder.open();
    const disk = new TimedDisk();
    const broken = () => {
      throw new Error("EIO");
    };
    const { clock, sync } = disk;
    using log = new WalSync(folder.file, { clock, disk: { sync, syncNow: broken } });
    db.exec("INSERT INTO numbers VALUES (1)");
    const told: unknown[] = [];
    for (let count = 0; count < 2; count += 1) log.after((error) => told.push(error), 1);
    expect(told).toEqual([
      null,
      expect.objectContaining({ message: expect.stringMatching(/^\[NOT_DURABLE\] .*\(EIO\).*make room/) }),
    ]);
  });
});
