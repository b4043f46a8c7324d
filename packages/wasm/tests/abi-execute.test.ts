import { afterAll, describe, expect, it } from "vitest";
import { runExecute } from "../src/abi/execute.ts";
import { runCommand } from "../src/abi/wasi/run-command.ts";
import { createEngine } from "../src/create-engine.ts";
import type { RunRequest } from "../src/engine.ts";
import type { ThreadProgram } from "../src/thread/protocol.ts";
import { createTestHost } from "./_host.ts";
import { compile, fromText, hasTool } from "./_programs.ts";

const engine = createEngine({ threads: 1 });
afterAll(() => engine[Symbol.asyncDispose]());

const encoder = new TextEncoder();
const decoder = new TextDecoder();

async function execute(module: Uint8Array | string, request: RunRequest = {}) {
  const bytes = typeof module === "string" ? fromText(`(module ${module})`) : module;
  return engine.run(await engine.prepare(bytes), { abi: "execute", ...request });
}

/** A module of one page whose `execute` does this. */
function body(code: string, before = ""): string {
  return `${before} (memory (export "memory") 1)
    (func (export "execute") (param $at i32) (param $length i32) (result i32) ${code})`;
}

const wasi = (name: string, type: string) =>
  `(import "wasi_snapshot_preview1" "${name}" (func $${name} ${type}))`;

describe("input", () => {
  /** Where the input is and how long, then the first byte. */
  const probe = body(`
    (i32.store (i32.const 60000) (i32.const 12))
    (i32.store (i32.const 60004) (local.get $at))
    (i32.store (i32.const 60008) (local.get $length))
    (i32.store (i32.const 60012) (i32.load8_u (local.get $at)))
    (i32.const 60000)`);

  it("is at offset 0, and its length is told", async () => {
    const outcome = await execute(probe, { input: encoder.encode("ABC") });
    expect(outcome).toMatchObject({ kind: "completed", hostCalls: 0 });
    expect(words(outcome)).toEqual([0, 3, 65]);
  });

  it("may be empty", async () => {
    expect(words(await execute(probe))).toEqual([0, 0, 0]);
  });

  it("may be as long as the memory", async () => {
    const outcome = await execute(probe, { input: new Uint8Array(65_536).fill(7) });
    expect(words(outcome)).toEqual([0, 65_536, 7]);
  });

  it("that is longer than the memory is a trap that says so, and nothing runs", async () => {
    const outcome = await execute(body("(loop (br 0)) (unreachable)"), { input: new Uint8Array(65_537) });
    expect(outcome).toMatchObject({
      kind: "trap",
      reason: "memory_out_of_bounds",
      message:
        "the input of 65537 bytes does not fit into the module's memory of 65536; build the module with a larger initial memory",
      fuel: 0n,
    });
  });

  it("comes after the start section, over what was there", async () => {
    const outcome = await execute(
      `(memory (export "memory") 1) (data (i32.const 0) "data")
       (func $start (i32.store8 (i32.const 2) (i32.const 90))) (start $start)
       (func (export "execute") (param i32 i32) (result i32)
         (i32.store (i32.const 8) (i32.const 4))
         (i32.store (i32.const 12) (i32.load (i32.const 0)))
         (i32.const 8))`,
      { input: encoder.encode("AB") },
    );
    expect(outputText(outcome)).toBe("ABZa");
  });
});

describe("output", () => {
  it("that is negative is an error of the module, with that number", async () => {
    for (const code of [-1, -42, -2_147_483_648]) {
      expect(await execute(body(`(i32.const ${code})`))).toMatchObject({
        kind: "guest_error",
        code,
        message: "",
      });
    }
  });

  it("may be empty, and may end where the memory ends", async () => {
    const last = await execute(body("(i32.const 65532)"));
    expect(last).toMatchObject({ kind: "completed" });
    expect(outputText(last)).toBe("");
    const full = await execute(body("(i32.store (i32.const 65528) (i32.const 4)) (i32.const 65528)"));
    expect(words(full)).toEqual([0]);
  });

  it("at a pointer outside of memory is refused", async () => {
    for (const pointer of [65_533, 65_536, 2_147_483_647]) {
      expect(await execute(body(`(i32.const ${pointer})`))).toMatchObject({
        kind: "bad_output",
        message: expect.stringContaining(`execute returned ${pointer}, and the memory ends at 65536`),
      });
    }
  });

  it("that goes beyond the memory is refused", async () => {
    expect(
      await execute(body("(i32.store (i32.const 65528) (i32.const 5)) (i32.const 65528)")),
    ).toMatchObject({
      kind: "bad_output",
      message: expect.stringContaining(
        "the output of 5 bytes at 65532 goes beyond the memory of 65536 bytes",
      ),
    });
  });

  it("that claims 4 GB is too large, wherever it would end", async () => {
    expect(await execute(body("(i32.store (i32.const 0) (i32.const -1)) (i32.const 0)"))).toMatchObject({
      kind: "output_too_large",
      limitBytes: 16_777_216,
      actualBytes: 4_294_967_295,
    });
  });

  it("is bounded by the limit of output, to the byte", async () => {
    const ten = body("(i32.store (i32.const 0) (i32.const 10)) (i32.const 0)");
    expect(await execute(ten, { limits: { outputBytes: 10 } })).toMatchObject({ kind: "completed" });
    expect(await execute(ten, { limits: { outputBytes: 9 } })).toMatchObject({
      kind: "output_too_large",
      limitBytes: 9,
      actualBytes: 10,
    });
  });

  it("may be in memory that the module has grown", async () => {
    const outcome = await execute(
      body(`(drop (memory.grow (i32.const 2)))
        (i32.store (i32.const 190000) (i32.const 2)) (i32.store16 (i32.const 190004) (i32.const 0x4241))
        (i32.const 190000)`),
    );
    expect(outputText(outcome)).toBe("AB");
  });
});

describe("what a module must export", () => {
  it("is named when it is missing or is something else", async () => {
    const memory = '(memory (export "memory") 1)';
    const run = '(func (export "execute") (param i32 i32) (result i32) (i32.const 0))';
    expect(await execute(memory)).toMatchObject({ kind: "missing_export", name: "execute" });
    expect(await execute(run)).toMatchObject({ kind: "missing_export", name: "memory" });
    expect(await execute(`${run} (global (export "memory") i32 (i32.const 1))`)).toMatchObject({
      kind: "missing_export",
      name: "memory",
    });
    expect(
      await execute(`${memory} (func (export "execute") (param i32) (result i32) (i32.const 0))`),
    ).toMatchObject({
      kind: "missing_export",
      name: "execute",
      message:
        "the module exports execute as (i32) -> (i32), and not the function execute (i32, i32) -> (i32); export it with that type",
    });
  });

  it("is not there in a component, for commands neither", () => {
    const component = { kind: "component" } as ThreadProgram;
    expect(runExecute(component, createTestHost())).toMatchObject({
      kind: "missing_export",
      name: "execute",
    });
    expect(runCommand(component, createTestHost())).toMatchObject({ kind: "missing_export", name: "_start" });
  });
});

describe("imports", () => {
  it("are five functions of WASI and no others, each refused by its name", async () => {
    for (const [module, name] of [
      ["wasi_snapshot_preview1", "fd_read"],
      ["wasi_snapshot_preview1", "clock_time_get"],
      ["wasi_snapshot_preview1", "args_get"],
      ["wasi_unstable", "fd_write"],
      ["env", "abort"],
    ]) {
      const imported = `(import "${module}" "${name}" (func (param i32 i32 i32 i32) (result i32)))`;
      expect(await execute(body("(i32.const 0)", imported))).toMatchObject({
        kind: "refused_import",
        name: `${module}.${name}`,
        message:
          "a module with execute may import only random_get, fd_write, environ_get, environ_sizes_get, proc_exit of wasi_snapshot_preview1; build the module without it",
      });
    }
  });

  it("of memories, tables and globals are refused as well", async () => {
    for (const kind of ["(memory 1)", "(table 1 funcref)", "(global i32)"]) {
      const run = '(func (export "execute") (param i32 i32) (result i32) (i32.const 0))';
      expect(await execute(`(import "env" "it" ${kind}) ${run}`)).toMatchObject({ kind: "missing_export" });
      const memory = kind === "(memory 1)" ? '(export "memory" (memory 0))' : '(memory (export "memory") 1)';
      expect(await execute(`(import "env" "it" ${kind}) ${memory} ${run}`)).toMatchObject({
        kind: "refused_import",
        name: "env.it",
      });
    }
  });

  it("that are for show return 0 and write nothing, and exiting goes on", async () => {
    const shown = [
      wasi("fd_write", "(param i32 i32 i32 i32) (result i32)"),
      wasi("environ_get", "(param i32 i32) (result i32)"),
      wasi("environ_sizes_get", "(param i32 i32) (result i32)"),
      wasi("proc_exit", "(param i32)"),
    ].join("\n");
    const outcome = await execute(
      body(
        `(memory.fill (i32.const 100) (i32.const 0xff) (i32.const 20))
         (i32.store (i32.const 96) (i32.const 24))
         (i32.store (i32.const 100) (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 112)))
         (i32.store (i32.const 104) (call $environ_get (i32.const 112) (i32.const 116)))
         (i32.store (i32.const 108) (call $environ_sizes_get (i32.const 112) (i32.const 116)))
         (call $proc_exit (i32.const 3))
         (i32.store (i32.const 120) (call $fd_write (i32.const -1) (i32.const -1) (i32.const -1) (i32.const -1)))
         (i32.const 96)`,
        shown,
      ),
      { input: encoder.encode("hello"), env: { SECRET: "x" } },
    );
    expect(outcome).toMatchObject({ kind: "completed", hostCalls: 5 });
    expect(words(outcome)).toEqual([0, 0, 0, 0xffff_ffff, 0xffff_ffff, 0]);
    expect(outcome.stderr).toHaveLength(0);
  });

  it("of randomness are those of the run's world, and faults are errors", async () => {
    const random = body(
      `(i32.store (i32.const 96) (i32.const 24))
       (i32.store (i32.const 100) (call $random_get (i32.const 104) (i32.const 16)))
       (i32.store (i32.const 120) (call $random_get (i32.const 65530) (i32.const 16)))
       (i32.const 96)`,
      wasi("random_get", "(param i32 i32) (result i32)"),
    );
    const [first, again, other, live, liveAgain] = await Promise.all([
      execute(random),
      execute(random),
      execute(random, { world: { kind: "seeded", seed: 1n } }),
      execute(random, { world: { kind: "live" } }),
      execute(random, { world: { kind: "live" } }),
    ]);
    expect([words(first)[0], words(first)[5]]).toEqual([0, 21]);
    expect(words(again)).toEqual(words(first));
    expect(new Set([first, other, live, liveAgain].map((outcome) => words(outcome).join())).size).toBe(4);
  });
});

describe.skipIf(!hasTool("clang"))("a module in C (needs clang and wasm-ld)", () => {
  it("reverses its input", async () => {
    const flags = ["-O2", "-nostdlib", "-Wl,--no-entry", "-Wl,--global-base=1048576"];
    const module = compile("clang", "execute.c", flags);
    expect(outputText(await execute(module, { input: encoder.encode("hello") }))).toBe("olleh");
    expect(await execute(module, { input: encoder.encode("!hello") })).toMatchObject({
      kind: "guest_error",
      code: -6,
    });
    const long = await execute(module, { input: new Uint8Array(1_000_000).fill(120) });
    expect(long).toMatchObject({ kind: "completed" });
    expect(outputText(long)).toBe("x".repeat(1_000_000));
  });
});

const RUST_FLAGS = ["--edition=2021", "--crate-type=cdylib", "-O", "-Cstrip=debuginfo"];
const TARGETS = [
  ["rustc", "wasm32-unknown-unknown, which imports nothing"],
  ["rustc-wasi", "wasm32-wasi, which imports the five functions"],
] as const;

describe.for(TARGETS)("a module in Rust (needs %s for %s)", ([tool]) => {
  it.skipIf(!hasTool(tool))("counts words", async () => {
    const module = compile(tool, "execute.rs", RUST_FLAGS);
    const request = { input: encoder.encode("a bc a\nd ä bc a") };
    const first = await execute(module, request);
    expect(outputText(first)).toBe("a 3\nbc 2\nd 1\nä 1");
    expect(first.fuel).toBeGreaterThan(1000n);
    const again = await execute(module, request);
    expect([outputText(again), again.fuel]).toEqual([outputText(first), first.fuel]);
    const bad = { input: Uint8Array.of(0xff) };
    expect(await execute(module, bad)).toMatchObject({ kind: "guest_error", code: -22 });
  });
});

function outputText(outcome: Awaited<ReturnType<typeof execute>>): string {
  if (outcome.kind !== "completed") throw new Error(`ended as ${outcome.kind}`);
  return decoder.decode(outcome.output);
}

function words(outcome: Awaited<ReturnType<typeof execute>>): number[] {
  if (outcome.kind !== "completed") throw new Error(`ended as ${outcome.kind}`);
  const { buffer, byteOffset, length } = outcome.output;
  const view = new DataView(buffer, byteOffset, length);
  return Array.from({ length: length / 4 }, (_, index) => view.getUint32(index * 4, true));
}
