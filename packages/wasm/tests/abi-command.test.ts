import { afterAll, describe, expect, it } from "vitest";
import { createEngine } from "../src/create-engine.ts";
import type { RunRequest } from "../src/engine.ts";
import { fromText } from "./_programs.ts";

const engine = createEngine({ threads: 1 });
afterAll(() => engine[Symbol.asyncDispose]());

const encoder = new TextEncoder();
const decoder = new TextDecoder();

async function command(module: string, request: RunRequest = {}) {
  return engine.run(await engine.prepare(fromText(`(module ${module})`)), { abi: "command", ...request });
}

function text(outcome: Awaited<ReturnType<typeof command>>): string {
  if (outcome.kind !== "completed" && outcome.kind !== "guest_error") {
    throw new Error(`ended as ${outcome.kind}`);
  }
  return decoder.decode(outcome.output);
}

const TYPES = {
  fd_write: "(param i32 i32 i32 i32) (result i32)",
  fd_read: "(param i32 i32 i32 i32) (result i32)",
  clock_time_get: "(param i32 i64 i32) (result i32)",
  poll_oneoff: "(param i32 i32 i32 i32) (result i32)",
  random_get: "(param i32 i32) (result i32)",
  sched_yield: "(result i32)",
  proc_exit: "(param i32)",
} as const;

/** Imports all of the above, has one page, and does this. */
function start(code: string, more = ""): string {
  const imports = Object.entries(TYPES).map(
    ([name, type]) => `(import "wasi_snapshot_preview1" "${name}" (func $${name} ${type}))`,
  );
  return `${imports.join("\n")} (memory (export "memory") 1) ${more}
    (func $write (param $fd i32) (param $at i32) (param $length i32) (result i32)
      (i32.store (i32.const 0) (local.get $at))
      (i32.store (i32.const 4) (local.get $length))
      (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)))
    (func (export "_start") ${code})`;
}

const HELLO = '(data (i32.const 100) "hello")';

describe("a command", () => {
  it("completes with what it wrote to stdout", async () => {
    const outcome = await command(
      start(
        `(drop (call $write (i32.const 1) (i32.const 100) (i32.const 5)))
         (drop (call $write (i32.const 2) (i32.const 100) (i32.const 4)))
         (drop (call $write (i32.const 1) (i32.const 104) (i32.const 1)))`,
        HELLO,
      ),
    );
    expect(outcome).toMatchObject({ kind: "completed", hostCalls: 3 });
    expect([text(outcome), decoder.decode(outcome.stderr)]).toEqual(["helloo", "hell"]);
  });

  it("needs nothing but _start, of its type", async () => {
    expect(await command('(func (export "_start"))')).toMatchObject({ kind: "completed", hostCalls: 0 });
    expect(await command('(func (export "start"))')).toMatchObject({
      kind: "missing_export",
      name: "_start",
    });
    expect(await command('(func (export "_start") (result i32) (i32.const 0))')).toMatchObject({
      kind: "missing_export",
      name: "_start",
      message:
        "the module exports _start as () -> (i32), and not the function _start () -> (); export it with that type",
    });
  });

  it("is refused by the name of an import that is not of WASI, and where the type differs", async () => {
    const run = '(func (export "_start"))';
    expect(await command(`(import "env" "system" (func (param i32))) ${run}`)).toMatchObject({
      kind: "refused_import",
      name: "env.system",
    });
    const sock = '(import "wasi_snapshot_preview1" "sock_open" (func (param i32) (result i32)))';
    expect(await command(`${sock} ${run}`)).toMatchObject({
      kind: "refused_import",
      name: "wasi_snapshot_preview1.sock_open",
    });
    const wrong = '(import "wasi_snapshot_preview1" "fd_close" (func (param i64) (result i64)))';
    expect(await command(`${wrong} ${run}`)).toMatchObject({
      kind: "refused_import",
      name: "wasi_snapshot_preview1.fd_close",
      message:
        "it is imported as (i64) -> (i64), and is (i32) -> (i32); build the module against WASI preview 1",
    });
  });

  it("that has no memory gets a fault for every pointer", async () => {
    const outcome = await command(
      `(import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
       (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
       (func (export "_start") (call $exit (call $random (i32.const 0) (i32.const 1))))`,
    );
    expect(outcome).toMatchObject({ kind: "guest_error", code: 21 });
  });

  it("writes from its start section too", async () => {
    const outcome = await command(
      start(
        "",
        `${HELLO} (func $early (drop (call $write (i32.const 1) (i32.const 100) (i32.const 5)))) (start $early)`,
      ),
    );
    expect(text(outcome)).toBe("hello");
  });

  it("writes from memory that it has grown", async () => {
    const outcome = await command(
      start(
        `(drop (call $write (i32.const 1) (i32.const 100) (i32.const 5)))
         (drop (memory.grow (i32.const 1)))
         (i32.store (i32.const 131000) (i32.const 0x21))
         (drop (call $write (i32.const 1) (i32.const 131000) (i32.const 1)))`,
        HELLO,
      ),
    );
    expect(text(outcome)).toBe("hello!");
  });

  it("is not run with arguments or variables that would arrive as others", async () => {
    const module = '(func (export "_start"))';
    for (const request of [{ args: ["a\0b"] }, { env: { "A=B": "" } }]) {
      await expect(command(module, request)).rejects.toMatchObject({
        name: "WasmError",
        code: "BAD_REQUEST",
      });
    }
    expect(await command(module)).toMatchObject({ kind: "completed" });
  });

  it("goes on after a fault", async () => {
    const outcome = await command(
      start("(call $proc_exit (call $write (i32.const 1) (i32.const 65530) (i32.const 7)))"),
    );
    expect(outcome).toMatchObject({ kind: "guest_error", code: 21 });
  });
});

describe("exiting", () => {
  it("with 0 completes the run", async () => {
    const outcome = await command(
      start(
        `(drop (call $write (i32.const 1) (i32.const 100) (i32.const 5)))
         (call $proc_exit (i32.const 0)) (unreachable)`,
        HELLO,
      ),
    );
    expect(outcome).toMatchObject({ kind: "completed" });
    expect(text(outcome)).toBe("hello");
  });

  it("with another code is an error of the program, with stderr as its message", async () => {
    const outcome = await command(
      start(
        `(drop (call $write (i32.const 1) (i32.const 100) (i32.const 2)))
         (drop (call $write (i32.const 2) (i32.const 100) (i32.const 6)))
         (call $proc_exit (i32.const 3)) (unreachable)`,
        '(data (i32.const 100) "hello\\n")',
      ),
    );
    expect(outcome).toMatchObject({ kind: "guest_error", code: 3, message: "hello" });
    expect([text(outcome), decoder.decode(outcome.stderr)]).toEqual(["he", "hello\n"]);
  });

  it("cannot be caught by the program", async () => {
    const outcome = await command(
      start(`(try (do (call $proc_exit (i32.const 3))) (catch_all (call $proc_exit (i32.const 4))))`),
    );
    expect(outcome).toMatchObject({ kind: "guest_error", code: 3, hostCalls: 1 });
  });
});

describe("limits of a command", () => {
  it("of stdout end the run", async () => {
    const endless = start("(loop (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1000))) (br 0))");
    expect(await command(endless, { limits: { outputBytes: 10_500 } })).toMatchObject({
      kind: "output_too_large",
      limitBytes: 10_500,
      actualBytes: 11_000,
      hostCalls: 11,
    });
  });

  it("of stderr cut it", async () => {
    const outcome = await command(
      start(
        `(drop (call $write (i32.const 2) (i32.const 100) (i32.const 5)))
         (drop (call $write (i32.const 2) (i32.const 100) (i32.const 5)))
         (call $proc_exit (i32.const 1))`,
        HELLO,
      ),
      { limits: { stderrBytes: 7 } },
    );
    expect(outcome).toMatchObject({ kind: "guest_error", message: "hellohe" });
  });

  it("of fuel count what the host does", async () => {
    const fuelOf = async (length: number, fd: number) => {
      const outcome = await command(
        start(`(drop (call $write (i32.const ${fd}) (i32.const 100) (i32.const ${length})))`),
      );
      expect(outcome.kind).toBe("completed");
      return outcome.fuel;
    };
    const none = await fuelOf(0, 1);
    expect((await fuelOf(1000, 1)) - none).toBe(1000n);
    expect((await fuelOf(1000, 2)) - none).toBe(1000n);
    const random = (length: number) =>
      command(start(`(drop (call $random_get (i32.const 100) (i32.const ${length})))`));
    expect((await random(5000)).fuel - (await random(0)).fuel).toBe(5000n);
    const drain = start("(loop (drop (call $random_get (i32.const 0) (i32.const 65536))) (br 0))");
    expect(await command(drain, { limits: { fuel: 1_000_000n } })).toMatchObject({
      kind: "out_of_fuel",
      limit: 1_000_000n,
      hostCalls: 16,
    });
  });

  it("of calls of the host end a loop of them", async () => {
    const busy = start("(loop (drop (call $sched_yield)) (br 0))");
    expect(await command(busy, { limits: { hostCalls: 1000 } })).toMatchObject({
      kind: "too_many_host_calls",
      limit: 1000,
      hostCalls: 1000,
    });
  });
});

describe("time", () => {
  /** Reads the clock, sleeps so long, reads it again, and writes both times. */
  const sleepy = (durationNs: bigint, clock = 1) =>
    start(
      `(drop (call $clock_time_get (i32.const ${clock}) (i64.const 0) (i32.const 200)))
       (i32.store (i32.const 316) (i32.const 1)) (i64.store (i32.const 324) (i64.const ${durationNs}))
       (drop (call $poll_oneoff (i32.const 300) (i32.const 400) (i32.const 1) (i32.const 500)))
       (drop (call $clock_time_get (i32.const ${clock}) (i64.const 0) (i32.const 208)))
       (drop (call $write (i32.const 1) (i32.const 200) (i32.const 16)))`,
    );

  function times(outcome: Awaited<ReturnType<typeof command>>): [bigint, bigint] {
    if (outcome.kind !== "completed") throw new Error(`ended as ${outcome.kind}`);
    const view = new DataView(outcome.output.buffer, outcome.output.byteOffset);
    return [view.getBigUint64(0, true), view.getBigUint64(8, true)];
  }

  it("in a seeded world begins where it is told to, and passes at once", async () => {
    const year = 365n * 24n * 3_600_000_000_000n;
    const wall = await command(sleepy(year, 0), { world: { kind: "seeded", startMs: 1_700_000_000_000 } });
    const beganNs = 1_700_000_000_000_000_000n;
    expect(times(wall)).toEqual([beganNs + 1000n, beganNs + year + 2000n]);
    expect(times(await command(sleepy(year, 0)))).toEqual([1000n, year + 2000n]);
  });

  it("in a live world is that of the machine, and is waited for", async () => {
    const live = { world: { kind: "live" } } as const;
    const [before, after] = times(await command(sleepy(20_000_000n), live));
    expect(after - before).toBeGreaterThanOrEqual(20_000_000n);
    const nowNs = BigInt(Date.now()) * 1_000_000n;
    const [wall] = times(await command(sleepy(0n, 0), live));
    expect(Number(wall - nowNs) / 1e9).toBeLessThan(60);
    expect(wall).toBeGreaterThanOrEqual(nowNs);
  });

  it("is limited while a program waits", async () => {
    for (const durationNs of [3_600_000_000_000n, 2n ** 63n - 1n, -1n]) {
      const request = { world: { kind: "live" }, limits: { timeMs: 50 } } as const;
      expect(await command(sleepy(durationNs), request)).toMatchObject({ kind: "timed_out", limitMs: 50 });
    }
    expect(await command(start(""))).toMatchObject({ kind: "completed" });
  });
});

describe("stdin", () => {
  it("is the input", async () => {
    const outcome = await command(
      start(
        `(i32.store (i32.const 0) (i32.const 1000)) (i32.store (i32.const 4) (i32.const 3))
         (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
         (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
         (drop (call $write (i32.const 1) (i32.const 1000) (i32.load (i32.const 8))))`,
      ),
      { input: encoder.encode("abcde") },
    );
    expect(text(outcome)).toBe("de");
  });
});
