import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEngine } from "../src/create-engine.ts";
import type { Engine, RunRequest } from "../src/engine.ts";
import type { RunOutcome } from "../src/outcome.ts";
import { commandModule, executeModule, wat } from "./_wat.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const WASI = "wasi_snapshot_preview1";

let engine: Engine;
beforeAll(() => {
  engine = createEngine({ threads: 1 });
});
afterAll(() => engine[Symbol.asyncDispose]());

async function run(bytes: Uint8Array, request: RunRequest = {}): Promise<RunOutcome> {
  return engine.run(await engine.prepare(bytes), request);
}

/** The next run on the same thread is right, whatever the one before did. */
async function expectNextRunRight(): Promise<void> {
  const next = await run(executeModule());
  expect(next).toMatchObject({ kind: "completed", fuel: 2n });
}

describe("outcomes", () => {
  it("a run that returns has its output, fuel, memory and calls", async () => {
    const outcome = await run(executeModule());
    expect(outcome).toMatchObject({ kind: "completed", fuel: 2n, memoryBytes: 65_536, hostCalls: 0 });
    expect(outcome.timeMs).toBeGreaterThan(0);
    if (outcome.kind === "completed") expect(text(outcome.output)).toBe("abc");
  });

  it("what it says itself is a guest error with its code", async () => {
    expect(await run(executeModule({ body: "i32.const -7" }))).toMatchObject({
      kind: "guest_error",
      code: -7,
    });
  });

  it("an exit code is a guest error, and 0 is none", async () => {
    const exits = (code: number) =>
      commandModule(
        `(call $exit (i32.const ${code}))`,
        `(import "${WASI}" "proc_exit" (func $exit (param i32))) (memory (export "memory") 1)`,
      );
    expect(await run(exits(3))).toMatchObject({ kind: "guest_error", code: 3, hostCalls: 1 });
    expect(await run(exits(0))).toMatchObject({ kind: "completed", hostCalls: 1 });
  });

  const traps = [
    ["unreachable", "unreachable", ""],
    ["memory_out_of_bounds", "(i32.load (i32.const 65536))", ""],
    [
      "memory_out_of_bounds",
      "(memory.fill (i32.const 65530) (i32.const 0) (i32.const 7)) (i32.const 100)",
      "",
    ],
    [
      "memory_out_of_bounds",
      "(memory.init $p (i32.const 0) (i32.const 2) (i32.const 9)) (i32.const 100)",
      '(data $p "xyz")',
    ],
    ["table_out_of_bounds", "(drop (table.get $t (i32.const 9))) (i32.const 100)", "(table $t 2 funcref)"],
    ["table_out_of_bounds", "(call_indirect (result i32) (i32.const 9))", "(table $t 2 funcref)"],
    [
      "table_out_of_bounds",
      "(table.init $t $e (i32.const 1) (i32.const 0) (i32.const 2)) (i32.const 100)",
      "(table $t 2 funcref) (elem $e func $execute $execute)",
    ],
    ["indirect_call_mismatch", "(call_indirect (result i32) (i32.const 0))", "(table $t 2 funcref)"],
    [
      "indirect_call_mismatch",
      "(call_indirect (result i32) (i32.const 0))",
      "(table $t 2 funcref) (elem (i32.const 0) $execute)",
    ],
    ["divide_by_zero", "(i32.div_s (i32.const 1) (i32.const 0))", ""],
    ["divide_by_zero", "(i32.wrap_i64 (i64.rem_u (i64.const 1) (i64.const 0)))", ""],
    ["integer_overflow", "(i32.div_s (i32.const 0x80000000) (i32.const -1))", ""],
    ["invalid_conversion", "(i32.trunc_f64_s (f64.const 1e300))", ""],
    ["invalid_conversion", "(i32.trunc_f32_u (f32.const nan))", ""],
    ["uncaught_exception", "(throw $e)", "(tag $e)"],
  ] as const;
  for (const [reason, body, fields] of traps) {
    it(`a trap says why: ${reason}, ${body}`, async () => {
      expect(await run(executeModule({ body, fields }))).toMatchObject({ kind: "trap", reason });
      await expectNextRunRight();
    });
  }

  it("a trap in a start section is a trap, and data beyond the memory too", async () => {
    const start = "(func $s unreachable) (start $s)";
    expect(await run(executeModule({ fields: start }))).toMatchObject({
      kind: "trap",
      reason: "unreachable",
    });
    const data = '(data (i32.const 65536) "x")';
    expect(await run(executeModule({ fields: data }))).toMatchObject({
      kind: "trap",
      reason: "memory_out_of_bounds",
    });
  });

  it("a missing export and an import that is not granted are said by name", async () => {
    const nothing = await engine.prepare(wat("(module)"));
    expect(nothing.abi).toBeUndefined();
    expect(await engine.run(nothing, { abi: "execute" })).toMatchObject({
      kind: "missing_export",
      name: "execute",
    });
    await expect(engine.run(nothing)).rejects.toMatchObject({ code: "BAD_REQUEST" });
    const wants = executeModule({ imports: '(import "env" "open" (func))' });
    expect(await run(wants)).toMatchObject({ kind: "refused_import", name: "env.open" });
  });

  it("a program that is called by an ABI that it has not is an outcome", async () => {
    expect(await run(executeModule(), { abi: "command" })).toMatchObject({
      kind: "missing_export",
      name: "_start",
    });
    const outcome = await run(executeModule(), { abi: "handler" });
    expect(outcome.kind).toBe("missing_export");
  });

  it("output outside of memory is bad output, and 4 GB of it are too large", async () => {
    expect(await run(executeModule({ body: "i32.const 65535" }))).toMatchObject({ kind: "bad_output" });
    const claims = "(i32.store (i32.const 200) (i32.const -1)) (i32.const 200)";
    expect(await run(executeModule({ body: claims }))).toMatchObject({
      kind: "output_too_large",
      actualBytes: 4_294_967_295,
    });
  });

  it("input goes in as it is, and stays the caller's", async () => {
    const echo = "(i32.store (i32.const 200) (i32.load8_u (i32.const 2))) (i32.const 196)";
    const lengthOne = '(data (i32.const 196) "\\01\\00\\00\\00")';
    const pool = Buffer.from("secret-[abc]-secret");
    const input = pool.subarray(8, 11);
    const outcome = await run(executeModule({ body: echo, fields: lengthOne }), { input });
    expect(outcome.kind === "completed" && text(outcome.output)).toBe("c");
    expect(input.toString()).toBe("abc");
  });

  it("limits of a request are capped by the engine's, and nonsense is refused", async () => {
    const program = await engine.prepare(executeModule());
    const most = await engine.run(program, { limits: { fuel: 2n ** 61n, hostCalls: 2 ** 40 } });
    expect(most.kind).toBe("completed");
    const bad = [{ fuel: -1n }, { timeMs: 0 }, { memoryBytes: Number.NaN }, { stackBytes: -1 }] as const;
    for (const limits of bad) {
      await expect(engine.run(program, { limits })).rejects.toMatchObject({ code: "BAD_REQUEST" });
    }
  });

  it("a program of another engine is refused", async () => {
    await using other = createEngine({ threads: 1 });
    const program = await other.prepare(executeModule());
    await expect(engine.run(program)).rejects.toMatchObject({ code: "BAD_REQUEST" });
  });

  it("what a guest cannot catch ends it, in try and catch_all too", async () => {
    const catches = (inner: string) =>
      commandModule(
        `(loop $again (try (do ${inner}) (catch_all)) (br $again))`,
        `(import "${WASI}" "proc_exit" (func $exit (param i32)))
         (import "${WASI}" "sched_yield" (func $yield (result i32))) (memory (export "memory") 1)
         (func $deep (call $deep) (call $deep))`,
      );
    const limits = { fuel: 10_000_000n, hostCalls: 1000 };
    expect(await run(catches("(call $exit (i32.const 9))"), { limits })).toMatchObject({
      kind: "guest_error",
      code: 9,
    });
    expect(await run(catches("(drop (call $yield))"), { limits })).toMatchObject({
      kind: "too_many_host_calls",
    });
    expect(await run(catches("(call $deep)"), { limits })).toMatchObject({ kind: "stack_exhausted" });
    expect(await run(catches("(loop (br 0))"), { limits })).toMatchObject({ kind: "out_of_fuel" });
    await expectNextRunRight();
  });

  it("clocks and randomness are the seed's: the same again, others for another seed", async () => {
    const random = executeModule({
      imports: `(import "${WASI}" "random_get" (func $random (param i32 i32) (result i32)))`,
      fields: '(data (i32.const 200) "\\10\\00\\00\\00")',
      body: "(drop (call $random (i32.const 204) (i32.const 16))) (i32.const 200)",
    });
    const bytes = async (world: RunRequest["world"]) => {
      const outcome = await run(random, world === undefined ? {} : { world });
      return outcome.kind === "completed" ? Buffer.from(outcome.output).toString("hex") : outcome.kind;
    };
    // The keystream of AES-256 in counter mode with a key of zeros: its first block is that of the FIPS 197 vectors.
    expect(await bytes(undefined)).toBe("dc95c078a2408989ad48a21492842087");
    expect(await bytes({ kind: "seeded", seed: 0n })).toBe("dc95c078a2408989ad48a21492842087");
    const other = await bytes({ kind: "seeded", seed: 1n });
    expect(other).not.toBe("dc95c078a2408989ad48a21492842087");
    expect(await bytes({ kind: "seeded", seed: 1n })).toBe(other);
    expect(await bytes({ kind: "live" })).not.toBe(await bytes({ kind: "live" }));
  });
});
