import { existsSync } from "node:fs";
import { chmod, copyFile, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { FakeClock } from "@subnet-worker/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { decodeStored, encodeStored } from "../src/cache/stored-program.ts";
import { createEngine } from "../src/create-engine.ts";
import type { Engine, EngineOptions } from "../src/engine.ts";
import { largeModule, repeated } from "./_hostile-modules.ts";
import { commandModule, executeModule, wat } from "./_wat.ts";

const MIB = 1024 * 1024;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "wasm-cache-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function open(cache: EngineOptions["cache"] = {}): Engine {
  return createEngine({ threads: 1, cache });
}

async function expectRight(engine: Engine, bytes: Uint8Array): Promise<void> {
  expect(await engine.run(await engine.prepare(bytes))).toMatchObject({ kind: "completed", fuel: 2n });
}

/** The cache is written after the program was given out. */
async function filesWritten(count: number): Promise<string[]> {
  for (;;) {
    const names = (await readdir(folder)).filter((name) => name.endsWith(".metered"));
    if (names.length >= count) return names.map((name) => join(folder, name));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe("preparing", () => {
  it("the same bytes again come from memory, other views of them too", async () => {
    await using engine = open();
    const bytes = executeModule();
    const first = await engine.prepare(bytes);
    expect(first).toMatchObject({ abi: "execute", sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(first.prepareMs).toBeGreaterThan(0);
    const again = await engine.prepare(Buffer.from(bytes));
    expect(again.sha256).toBe(first.sha256);
    expect(again.prepareMs).toBe(0);
    expect(engine.stats).toMatchObject({ memoryHits: 1, folderHits: 0, misses: 1 });
    const [facts] = first.modules;
    expect(engine.stats.memoryBytes).toBe(bytes.length + facts!.meteredBytes);
  });

  it("who asks for the same bytes at the same time shares one preparation", async () => {
    await using engine = open();
    const bytes = largeModule(MIB);
    const programs = await Promise.all(Array.from({ length: 5 }, () => engine.prepare(bytes)));
    expect(new Set(programs.map(({ sha256 }) => sha256)).size).toBe(1);
    expect(engine.stats.misses).toBe(1);
  });

  it("bytes that the caller changes meanwhile do not change what was asked for", async () => {
    await using engine = open();
    const bytes = executeModule();
    const asked = engine.prepare(bytes);
    bytes.fill(0);
    expect(await engine.run(await asked)).toMatchObject({ kind: "completed" });
    await expect(engine.prepare(bytes)).rejects.toMatchObject({ code: "BAD_MODULE" });
  });

  it("what is longest unused leaves the memory first, and runs on for who holds it", async () => {
    const modules = [1, 2, 3].map((number) => commandModule(`(drop (i32.const ${number}))`));
    await using probe = open();
    await probe.prepare(modules[0]!);
    const each = probe.stats.memoryBytes;
    await using engine = open({ memoryBytes: each * 2 });
    const first = await engine.prepare(modules[0]!);
    await engine.prepare(modules[1]!);
    await engine.prepare(modules[0]!);
    await engine.prepare(modules[2]!);
    expect(engine.stats).toMatchObject({ memoryBytes: each * 2, misses: 3 });
    await engine.prepare(modules[0]!);
    expect(engine.stats.misses).toBe(3);
    await engine.prepare(modules[1]!);
    expect(engine.stats.misses).toBe(4);
    expect(await engine.run(first)).toMatchObject({ kind: "completed" });
  });

  it("a bad module is said to be one, and is not remembered", async () => {
    await using engine = open();
    for (const bytes of [new Uint8Array(), Buffer.from("not wasm"), executeModule().subarray(0, 40)]) {
      await expect(engine.prepare(bytes)).rejects.toMatchObject({ code: "BAD_MODULE" });
    }
    const threads = wat("(module)");
    await expect(engine.prepare(threads.subarray(0, 7))).rejects.toThrow(/^\[WASM_BAD_MODULE\] .*; /);
    expect(engine.stats).toMatchObject({ misses: 0, memoryBytes: 0, replacedThreads: 0 });
    await expectRight(engine, executeModule());
  });

  it("a preparation over its time is refused in time, and costs its thread", async () => {
    const clock = new FakeClock();
    await using engine = createEngine({ threads: 1, moduleLimits: { compileMs: 700 } }, { clock });
    const large = engine.prepare(largeModule(60 * MIB));
    const refused = expect(large).rejects.toMatchObject({
      code: "COMPILE_TIMEOUT",
      details: { limitMs: 700 },
    });
    // One timer for the module, one for looking at its thread.
    while (clock.pendingCount < 2) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(700);
    await refused;
    expect(engine.stats.replacedThreads).toBe(1);
    await expectRight(engine, executeModule());
  });

  it("who gives up waiting is let go, and the others are served", async () => {
    await using engine = open();
    const bytes = largeModule(4 * MIB);
    const leaving = new AbortController();
    const left = engine.prepare(bytes, leaving.signal);
    const stays = engine.prepare(bytes);
    leaving.abort(new Error("no time"));
    await expect(left).rejects.toThrow("no time");
    expect(await stays).toMatchObject({ abi: "command" });
    await expect(engine.prepare(bytes, leaving.signal)).rejects.toThrow("no time");
  });

  it("what nobody waits for any longer is not made: it frees its place, waiting and under way", async () => {
    const clock = new FakeClock();
    await using engine = createEngine({ threads: 1, moduleLimits: { compileMs: 3_600_000 } }, { clock });
    // Both threads that compile are there once both had work: the second takes as long to begin as a large module.
    const warm: Promise<unknown>[] = [];
    const isUnderWay = (count: number) => clock.pendingCount > count;
    while (!isUnderWay(2)) {
      // One under way, and one for a thread that is free.
      if (engine.stats.misses >= warm.length - 1) {
        warm.push(engine.prepare(largeModule(MIB + warm.length * 100_000)));
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(warm);
    const before = engine.stats.misses;
    const leaving = new AbortController();
    // Seconds to meter, and a fraction of one until they are all asked for.
    const branches = repeated(9000, [0x02, 0x40, 0x41, 0, 0x0d, 0, 0x0b]);
    const modules = Array.from({ length: 5 }, (_, index) => largeModule(8 * MIB + index * 100_000, branches));
    const left = modules.map((bytes) => engine.prepare(bytes, leaving.signal));
    const next = executeModule({ body: "i32.const -3" });
    // Two are under way, each with a timer; the others wait behind them.
    while (!isUnderWay(2)) await new Promise((resolve) => setImmediate(resolve));
    leaving.abort(new Error("no time"));
    for (const each of await Promise.allSettled(left)) {
      expect(each).toMatchObject({ status: "rejected", reason: leaving.signal.reason });
    }
    expect(await engine.run(await engine.prepare(next))).toMatchObject({ kind: "guest_error", code: -3 });
    expect(engine.stats).toMatchObject({ misses: before + 1, replacedThreads: 2 });
  });

  it("a profiled run that is cancelled does not wait for its program", async () => {
    await using engine = open();
    const program = await engine.prepare(largeModule(20 * MIB));
    const leaving = new AbortController();
    const run = engine.run(program, { profile: true, signal: leaving.signal });
    leaving.abort();
    expect(await run).toMatchObject({ kind: "cancelled", fuel: 0n });
    expect(engine.stats.misses).toBe(1);
  });

  it("what is no bytes is refused", async () => {
    await using engine = open();
    await expect(engine.prepare("asm" as never)).rejects.toMatchObject({ code: "BAD_REQUEST" });
  });

  it("a profile is metered anew, once, and counts the same", async () => {
    await using engine = open();
    const program = await engine.prepare(executeModule());
    const plain = await engine.run(program);
    const profiled = await engine.run(program, { profile: true });
    expect(plain.profile).toBeUndefined();
    expect(profiled).toMatchObject({ kind: "completed", fuel: plain.fuel });
    expect(profiled.profile?.foldedStacks).toMatch(/ 2\n$/);
    await engine.run(program, { profile: true });
    expect(engine.stats.misses).toBe(2);
  });
});

describe("the folder of metered modules", () => {
  it("is read by the next engine", async () => {
    {
      await using engine = open({ folder });
      await expectRight(engine, executeModule());
      await filesWritten(1);
    }
    await using next = open({ folder });
    await expectRight(next, executeModule());
    expect(next.stats).toMatchObject({ folderHits: 1, misses: 0, folderFailure: undefined });
  });

  it("has what was prepared though the engine is closed at once", async () => {
    const modules = Array.from({ length: 5 }, (_, index) => largeModule(MIB + index * 100_000));
    for (const bytes of modules) {
      // However long a write takes, its time is not over.
      await using engine = createEngine({ threads: 1, cache: { folder } }, { clock: new FakeClock() });
      await engine.prepare(bytes);
    }
    const names = await readdir(folder);
    expect(names.length).toBe(modules.length);
    expect(names.every((name) => name.endsWith(".metered"))).toBe(true);
  });

  const damages: readonly (readonly [string, (file: Buffer) => Uint8Array])[] = [
    ["a bit is turned", (file) => file.fill(file.at(-10)! ^ 1, file.length - 10, file.length - 9)],
    ["it is cut", (file) => file.subarray(0, -1)],
    ["it is empty", () => new Uint8Array()],
    [
      "it is something else",
      () => Buffer.from("something else, and long enough to hold what begins a file here ....."),
    ],
    ["it is longer", (file) => Buffer.concat([file, Buffer.from([0])])],
  ];
  for (const [name, damage] of damages) {
    it(`a damaged file is dropped and made anew: ${name}`, async () => {
      {
        await using engine = open({ folder });
        await expectRight(engine, executeModule());
        await filesWritten(1);
      }
      const [path] = await filesWritten(1);
      const before = await readFile(path!);
      await writeFile(path!, damage(Buffer.from(before)));
      await using next = open({ folder });
      await expectRight(next, executeModule());
      expect(next.stats).toMatchObject({ folderHits: 0, misses: 1 });
      while (!(await readFile(await filesWritten(1).then(([file]) => file!))).equals(before)) {
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
  }

  it("holds no more than it may; the longest unused go first", async () => {
    await using probe = open({ folder });
    await probe.prepare(commandModule("(drop (i32.const 0))"));
    const [first] = await filesWritten(1);
    const { size } = await stat(first!);
    await utimes(first!, 1000, 1000);
    await using engine = open({ folder, folderBytes: size * 2 });
    await engine.prepare(commandModule("(drop (i32.const 1))"));
    const [a, b] = await filesWritten(2);
    await utimes(
      [a, b].find((path) => path !== first)!,
      2000,
      2000,
    );
    // Used again, so the other one goes.
    await engine.prepare(commandModule("(drop (i32.const 0))"));
    await engine.prepare(commandModule("(drop (i32.const 2))"));
    let names: string[] = [];
    while (
      names.length !== 2 ||
      !names.includes(first!) ||
      names.includes([a, b].find((path) => path !== first)!)
    ) {
      names = await filesWritten(1);
    }
    expect(engine.stats.folderHits).toBe(1);
  });

  it("a folder that cannot be used costs speed and is told; programs run", async () => {
    const file = join(folder, "a-file");
    await writeFile(file, "");
    await using engine = open({ folder: file });
    await expectRight(engine, executeModule());
    expect(engine.stats.folderFailure).toMatch(/EEXIST|ENOTDIR/);
  });

  it.skipIf(process.platform !== "linux")("a folder below /proc holds nothing up", async () => {
    await using engine = open({ folder: "/proc/none/modules" });
    await expectRight(engine, executeModule());
    expect(engine.stats.folderFailure).toContain("/proc/none cannot be made");
  });

  it("a file that is that of another program is not taken for it", async () => {
    const other = executeModule({ body: "i32.const -7" });
    {
      await using engine = open({ folder });
      await expectRight(engine, executeModule());
      const [right] = await filesWritten(1);
      await engine.prepare(other);
      const files = await filesWritten(2);
      await copyFile(
        files.find((path) => path !== right)!,
        right!,
      );
    }
    await using next = open({ folder });
    await expectRight(next, executeModule());
    expect(next.stats).toMatchObject({ folderHits: 0, misses: 1 });
  });

  it("a file that V8 does not take is made anew, and the reason told", async () => {
    {
      await using engine = open({ folder });
      await expectRight(engine, executeModule());
    }
    const [path] = await filesWritten(1);
    const key = basename(path!, ".metered");
    const stored = decodeStored(key, await readFile(path!));
    if (stored?.kind !== "module") throw new Error("no module was kept");
    const core = { ...stored.core, bytes: Uint8Array.from([0, 97, 115, 109, 1, 0, 0, 0, 99]) };
    await writeFile(path!, encodeStored(key, { ...stored, core }));
    await using next = open({ folder });
    await expectRight(next, executeModule());
    expect(next.stats).toMatchObject({ folderHits: 0, misses: 1 });
    expect(next.stats.folderFailure).toContain("V8");
  });

  it("a folder that others may write to is not used", async () => {
    await chmod(folder, 0o777);
    await using engine = open({ folder });
    await expectRight(engine, executeModule());
    expect(engine.stats.folderFailure).toContain(`chmod 700 ${folder}`);
    expect(await readdir(folder)).toEqual([]);
  });

  it("a folder that is removed meanwhile is made again", async () => {
    await using engine = open({ folder });
    await expectRight(engine, executeModule());
    await filesWritten(1);
    await rm(folder, { recursive: true });
    await engine.prepare(executeModule({ body: "i32.const -1" }));
    while (!existsSync(folder)) await new Promise((resolve) => setImmediate(resolve));
    await filesWritten(1);
    expect(engine.stats.folderFailure).toBeUndefined();
  });

  it("what was metered under other limits is not taken", async () => {
    {
      await using engine = open({ folder });
      await engine.prepare(largeModule(MIB));
      await filesWritten(1);
    }
    await using strict = createEngine({
      threads: 1,
      cache: { folder },
      moduleLimits: { functionBytes: 1000 },
    });
    await expect(strict.prepare(largeModule(MIB))).rejects.toMatchObject({ code: "MODULE_TOO_LARGE" });
  });
});
