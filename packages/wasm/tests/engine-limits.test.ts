import { FakeClock } from "@subnet-worker/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEngine } from "../src/create-engine.ts";
import type { Engine, RunRequest } from "../src/engine.ts";
import type { RunOutcome } from "../src/outcome.ts";
import {
  branchTables,
  importsModule,
  largeModule,
  leb,
  nested,
  repeated,
  startModule,
} from "./_hostile-modules.ts";
import { commandModule, executeModule, wat } from "./_wat.ts";

const WASI = "wasi_snapshot_preview1";
const MIB = 1024 * 1024;
const LOTS = 10n ** 15n;

let engine: Engine;
const overruns: string[] = [];
beforeAll(() => {
  engine = createEngine({ threads: 2, limits: { fuel: LOTS, timeMs: 60_000 } });
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  // What issue readers look for: how long after its time each of them was answered.
  process.stdout.write(`${overruns.join("\n")}\n`);
});

interface Stopped {
  readonly outcome: RunOutcome;
  /** From asking to the answer, beyond the time limit, milliseconds. */
  readonly overrunMs: number;
}

async function stop(name: string, bytes: Uint8Array, request: RunRequest): Promise<Stopped> {
  const program = await engine.prepare(bytes);
  const began = performance.now();
  const outcome = await engine.run(program, request);
  const overrunMs = performance.now() - began - (request.limits?.timeMs ?? 60_000);
  if (outcome.kind === "timed_out") overruns.push(`${name}: ${overrunMs.toFixed(0)} ms after its limit`);
  await expectNextRunRight();
  return { outcome, overrunMs };
}

async function expectNextRunRight(): Promise<void> {
  const next = await engine.run(await engine.prepare(executeModule()));
  expect(next).toMatchObject({ kind: "completed", fuel: 2n });
}

describe("limits", () => {
  const SPIN = "(loop (br 0))";

  it("an infinite loop ends when its fuel does, having burned all of it", async () => {
    const { outcome } = await stop("loop", commandModule(SPIN), { limits: { fuel: 1_000_000n } });
    expect(outcome).toMatchObject({ kind: "out_of_fuel", limit: 1_000_000n, fuel: 1_000_000n });
  });

  it("an infinite loop ends when its time does", async () => {
    const { outcome } = await stop("loop", commandModule(SPIN), { limits: { timeMs: 100 } });
    expect(outcome).toMatchObject({ kind: "timed_out", limitMs: 100 });
  });

  it("a thread that watches its run's time says what was burned, and goes on to the next", async () => {
    // The engine's own clock stands still, so it is the thread that ends the run.
    await using watched = createEngine({ threads: 1, limits: { fuel: LOTS } }, { clock: new FakeClock() });
    const program = await watched.prepare(commandModule(SPIN));
    const outcome = await watched.run(program, { limits: { timeMs: 100 } });
    expect(outcome).toMatchObject({ kind: "timed_out", limitMs: 100, memoryBytes: 65_536 });
    expect(outcome.fuel).toBeGreaterThan(0n);
    expect(outcome.timeMs).toBeGreaterThanOrEqual(99);
    expect((await watched.run(await watched.prepare(executeModule()))).kind).toBe("completed");
    expect(watched.stats.replacedThreads).toBe(0);
  });

  it("a program that is slow by its operators says what it burned, and is watched again when it was quick once", async () => {
    const grows = executeModule({
      body: "(loop (drop (memory.grow (i32.const 0))) (br_if 0 (local.get 1))) (i32.const 100)",
    });
    // The engine's own clock stands still: what it ends is what the test lets it end.
    const clock = new FakeClock();
    await using own = createEngine({ threads: 1 }, { clock });
    const program = await own.prepare(grows);
    const limits = { fuel: 15_000_000n, timeMs: 100 };
    const slow = { limits, input: Uint8Array.of(1) };
    const first = await own.run(program, slow);
    expect(first.kind).toBe("timed_out");
    expect(first.fuel).toBeGreaterThan(100n);
    expect(await own.run(program, { limits: { ...limits, timeMs: 60_000 } })).toMatchObject({ fuel: 6n });
    expect(own.stats.replacedThreads).toBe(0);
    // It was quick, so its thread does not watch.
    const unwatched = own.run(program, slow);
    while (own.stats.busyThreads === 0) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(100);
    expect((await unwatched).kind).toBe("timed_out");
    expect(own.stats.replacedThreads).toBe(1);
    const next = await own.run(program, slow);
    expect(next.kind).toBe("timed_out");
    expect(next.fuel).toBeGreaterThan(100n);
    expect(own.stats.replacedThreads).toBe(1);
  });

  it("a run that only its thread's end can stop costs that thread, and is answered before it is gone", async () => {
    // Fuel and time such that the thread does not watch, and a busy one comes to the call within the time.
    const limits = { fuel: 100_000n, timeMs: 3_000 };
    const sleeps = commandModule(
      `(i32.store8 (i32.const 0) (i32.const 0))
       (i64.store (i32.const 24) (i64.const 1000000000000))
       (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 96)))`,
      `(import "${WASI}" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32))) (memory (export "memory") 1)`,
    );
    const before = engine.stats.replacedThreads;
    const { outcome } = await stop("sleep", sleeps, { limits, world: { kind: "live" } });
    expect(outcome).toMatchObject({ kind: "timed_out", limitMs: 3_000, hostCalls: 1 });
    expect(engine.stats.replacedThreads).toBe(before + 1);
  });

  it("a start function that spins ends like any other code", async () => {
    const spins = commandModule("", `(func $s ${SPIN}) (start $s)`);
    expect((await stop("start", spins, { limits: { timeMs: 100 } })).outcome.kind).toBe("timed_out");
    const { outcome } = await stop("start", spins, { limits: { fuel: 1000n } });
    expect(outcome).toMatchObject({ kind: "out_of_fuel", fuel: 1000n });
  });

  const recursions = [
    ["direct", "(call $f)", "(func $f (call $f) (call $f))"],
    ["mutual", "(call $f)", "(func $f (call $g) (call $g)) (func $g (call $f) (call $f))"],
    [
      "indirect",
      "(call_indirect (i32.const 0))",
      "(table 1 funcref) (elem (i32.const 0) $f) (func $f (call_indirect (i32.const 0)) (call_indirect (i32.const 0)))",
    ],
    [
      "vectors",
      "(drop (call $f (v128.const i64x2 1 2)))",
      "(func $f (param v128) (result v128) (i64x2.add (call $f (local.get 0)) (call $f (local.get 0))))",
    ],
  ] as const;
  for (const [name, body, fields] of recursions) {
    it(`infinite recursion, ${name}: the same depth each time`, async () => {
      const burned = new Set<bigint>();
      for (let time = 0; time < 3; time += 1) {
        const { outcome } = await stop(name, commandModule(body, fields), {});
        expect(outcome).toMatchObject({ kind: "stack_exhausted", limitBytes: MIB });
        burned.add(outcome.fuel);
      }
      expect(burned.size).toBe(1);
    });
  }

  it("memory from the start that is more than it may have is refused, before there is any", async () => {
    const large = commandModule("", '(memory (export "memory") 65536)');
    const { outcome } = await stop("memory", large, {});
    expect(outcome).toMatchObject({
      kind: "memory_limit",
      limitBytes: 128 * MIB,
      neededBytes: 65_536 * 65_536,
    });
  });

  it("growth beyond the limit fails in the program, and what it has is what it may", async () => {
    const grows = executeModule({
      body: "(loop (br_if 0 (i32.ge_s (memory.grow (i32.const 16)) (i32.const 0)))) (i32.const 100)",
    });
    const { outcome } = await stop("growth", grows, { limits: { memoryBytes: 10 * MIB } });
    expect(outcome).toMatchObject({ kind: "completed", memoryBytes: 9 * MIB + 65_536 });
  });

  it("memories are so many and no more, since each takes addresses from all runs", async () => {
    const memories = (count: number) =>
      wat(`(module ${"(memory 0)".repeat(count)} (func (export "_start")))`);
    expect((await stop("memories", memories(100), {})).outcome).toMatchObject({ kind: "completed" });
    expect((await stop("memories", memories(101), {})).outcome).toMatchObject({
      kind: "trap",
      message: expect.stringContaining("101 memories"),
    });
    expect((await stop("memories", memories(20_000), {})).outcome).toMatchObject({ kind: "trap" });
  });

  it("tables likewise", async () => {
    const large = commandModule("", "(table 9999999 funcref)");
    expect((await stop("table", large, {})).outcome).toMatchObject({
      kind: "table_limit",
      limitElements: 1_000_000,
      neededElements: 9_999_999,
    });
    const grows = wat(`(module (memory (export "memory") 1) (table $t 1 funcref)
      (func (export "execute") (param i32 i32) (result i32)
        (loop (br_if 0 (i32.ge_s (table.grow $t (ref.null func) (i32.const 10)) (i32.const 0))))
        (i32.sub (i32.const 0) (table.size $t))))`);
    const limits = { tableElements: 105 };
    expect((await stop("table", grows, { limits })).outcome).toMatchObject({
      kind: "guest_error",
      code: -101,
    });
  });

  it("a host call in a tight loop ends at the limit of calls", async () => {
    const calls = commandModule(
      "(loop (drop (call $yield)) (br 0))",
      `(import "${WASI}" "sched_yield" (func $yield (result i32))) (memory (export "memory") 1)`,
    );
    const { outcome } = await stop("calls", calls, { limits: { hostCalls: 5000 } });
    expect(outcome).toMatchObject({ kind: "too_many_host_calls", limit: 5000, hostCalls: 5000 });
  });

  it("output without end, and 4 GB of it in one call, end at the limit of output", async () => {
    const writes = (lengthBytes: number) =>
      commandModule(
        `(i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const ${lengthBytes}))
         (loop (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16))) (br 0))`,
        `(import "${WASI}" "fd_write" (func $write (param i32 i32 i32 i32) (result i32))) (memory (export "memory") 1)`,
      );
    const limits = { outputBytes: 100_000, hostCalls: 10_000 };
    expect((await stop("output", writes(1000), { limits })).outcome).toMatchObject({
      kind: "output_too_large",
    });
    // Not in its memory: each call is an error in the program, which goes on until its calls end.
    expect((await stop("output", writes(-1), { limits })).outcome).toMatchObject({
      kind: "too_many_host_calls",
    });
  });

  it("br_table of as many targets as V8 takes is metered and runs, and one of 100,000 is refused", async () => {
    const branches = (targets: number) =>
      startModule([
        0x03,
        0x40,
        0x41,
        7,
        0x0e,
        ...leb(targets),
        ...Array.from({ length: targets + 1 }, () => 0),
        0x0b,
      ]);
    const { outcome } = await stop("br_table", branches(65_000), { limits: { fuel: 1_000_000n } });
    expect(outcome).toMatchObject({ kind: "out_of_fuel", fuel: 1_000_000n });
    await expect(engine.prepare(branches(100_000))).rejects.toMatchObject({ code: "BAD_MODULE" });
    await expectNextRunRight();
  });

  it("100,000 blocks, one in the other, are metered and run", async () => {
    const blocks = nested(100_000, [0x02, 0x40]);
    expect((await stop("blocks", startModule(blocks), {})).outcome).toMatchObject({
      kind: "completed",
      fuel: 1n,
    });
    const branches = nested(100_000, [0x02, 0x40, 0x41, 0, 0x0d, 0]);
    expect((await stop("branches", startModule(branches), {})).outcome).toMatchObject({ kind: "completed" });
  });

  it("a module of 50 MB is metered off the caller's thread, and its time ends it", async () => {
    const large = largeModule(50 * MIB);
    let turns = 0;
    let isDone = false;
    const turn = () => {
      turns += 1;
      if (!isDone) setImmediate(turn);
    };
    turn();
    const program = await engine.prepare(large);
    isDone = true;
    expect(turns).toBeGreaterThan(100);
    expect(program.modules[0]).toMatchObject({ functionCount: expect.any(Number), bytes: large.length });
    expect((await stop("50 MB", large, { limits: { timeMs: 200 } })).outcome.kind).toBe("timed_out");
  });

  const explosions = [
    ["10,000 loops, one in the other", startModule(nested(10_000, [0x03, 0x40]))],
    [
      "40,000 locals and 20,000 branches",
      startModule(repeated(20_000, [0x02, 0x40, 0x41, 0, 0x0d, 0, 0x0b]), { count: 40_000, type: 0x7e }),
    ],
    [
      "9,000 operands and 20,000 branches above them",
      startModule([
        ...repeated(9000, [0x41, 0]),
        ...repeated(20_000, [0x41, 0, 0x04, 0x40, 0x0b]),
        ...repeated(9000, [0x1a]),
      ]),
    ],
  ] as const;
  for (const [name, bytes] of explosions) {
    it(`what V8's compilers would take all memory or time for is refused: ${name}`, async () => {
      await expect(engine.prepare(bytes)).rejects.toMatchObject({ code: "MODULE_TOO_LARGE" });
      await expectNextRunRight();
    });
  }

  const crowds = [
    ["loops", largeModule(13 * MIB, repeated(20_000, [0x03, 0x40, 0x0b])), 12_000_000],
    ["targets", largeModule(11 * MIB, branchTables(100, 500)), 8_000_000],
  ] as const;
  for (const [name, bytes, limit] of crowds) {
    it(`what the meter would take gigabytes for at the largest is refused: ${name}`, async () => {
      await expect(engine.prepare(bytes)).rejects.toMatchObject({
        code: "MODULE_TOO_LARGE",
        details: { limit },
        message: expect.stringContaining("whatever its limits are set to"),
      });
      await expectNextRunRight();
    });
  }

  it("imports of everything are refused by the name of the first, and too many of them at once", async () => {
    const names = Array.from({ length: 5000 }, (_, index) => `f${index}`);
    const { outcome } = await stop("imports", importsModule(names, WASI), {});
    expect(outcome).toMatchObject({ kind: "refused_import", name: `${WASI}.f0` });
    const many = importsModule(
      Array.from({ length: 100_001 }, () => ""),
      "",
    );
    await expect(engine.prepare(many)).rejects.toMatchObject({ code: "MODULE_TOO_LARGE" });
  });

  it("a module that is too large, or has too large a function, is refused", async () => {
    await using small = createEngine({
      threads: 1,
      moduleLimits: { moduleBytes: 300_000, functionBytes: 1000, functions: 2 },
    });
    await expect(small.prepare(largeModule(400_000))).rejects.toMatchObject({
      code: "MODULE_TOO_LARGE",
      details: { limit: 300_000 },
    });
    await expect(small.prepare(startModule(nested(1000, [0x02, 0x40])))).rejects.toMatchObject({
      code: "MODULE_TOO_LARGE",
    });
    await expect(small.prepare(largeModule(200_000))).rejects.toMatchObject({ code: "MODULE_TOO_LARGE" });
    expect((await small.run(await small.prepare(executeModule()))).kind).toBe("completed");
  });
});
