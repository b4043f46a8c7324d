import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEngine } from "../src/create-engine.ts";
import type { Program, RunRequest } from "../src/engine.ts";
import { commandComponent, componentOfText, handlerInC } from "./_components.ts";
import { compile, hasTool } from "./_programs.ts";

const engine = createEngine({ threads: 1 });
afterAll(() => engine[Symbol.asyncDispose]());

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const MIB = 1024 * 1024;

describe.skipIf(!hasTool("clang"))("a component of the world handler, in C (needs clang)", () => {
  let program: Program;
  beforeAll(async () => {
    program = await engine.prepare(await handlerInC());
  });

  function run(input: string, request: RunRequest = {}) {
    return engine.run(program, { input: encoder.encode(input), inputType: "text/plain", ...request });
  }

  /** Whatever the run before did, the next on the same thread is right. */
  async function expectNextRunRight() {
    const next = await run("e");
    expect(next.kind === "completed" && decoder.decode(next.output)).toBe("e");
  }

  it("is one, of several core modules that are all metered", () => {
    expect(program.abi).toBe("handler");
    expect(program.modules.length).toBeGreaterThan(1);
    for (const { bytes, meteredBytes } of program.modules) expect(meteredBytes).toBeGreaterThan(bytes);
  });

  it("gets its input as its media type says, and says that of its output", async () => {
    for (const [inputType, outputType] of [
      ["text/csv; charset=utf-8", "text/plain; charset=utf-8"],
      ["application/octet-stream", "application/octet-stream"],
      [undefined, "application/octet-stream"],
    ] as const) {
      const outcome = await run("echo", { inputType });
      expect(outcome).toMatchObject({ kind: "completed", outputType });
      expect(outcome.kind === "completed" && decoder.decode(outcome.output)).toBe("echo");
    }
    // Its case e gives back the case that it got; what begins with a quote falls to the default, which does the same.
    const json = await run('"j"', { inputType: "application/ld+json" });
    expect(json).toMatchObject({ kind: "completed", outputType: "application/json" });
  });

  it("is not called with an input that is said to be text and is not", async () => {
    const refused = run("", { input: Uint8Array.of(0xff), inputType: "application/json" });
    await expect(refused).rejects.toThrow(/^\[WASM_BAD_REQUEST\] .*not UTF-8/);
  });

  it("fails with its own code and whether to try again", async () => {
    expect(await run("f")).toMatchObject({
      kind: "guest_error",
      code: 1,
      message: "it is no good",
      failure: { code: "bad-input", isRetryable: true },
    });
  });

  it("tells how far it is, with fractions cut, and writes to the log", async () => {
    const told: unknown[] = [];
    const outcome = await run("p", {
      onProgress: (fraction, message) => told.push([fraction, message]),
      onLog: (level, message) => told.push([level, message]),
    });
    expect(told).toEqual([
      [0.5, "half way"],
      [1, ""],
      [undefined, ""],
      ["warn", "half way"],
    ]);
    expect(outcome.hostCalls).toBe(4);
  });

  it("burns the same on each run, and runs out one below what it needs", async () => {
    const { fuel } = await run("s");
    for (let repeat = 0; repeat < 5; repeat += 1) expect((await run("s")).fuel).toBe(fuel);
    expect((await run("s", { limits: { fuel } })).kind).toBe("completed");
    expect(await run("s", { limits: { fuel: fuel - 1n } })).toMatchObject({
      kind: "out_of_fuel",
      limit: fuel - 1n,
    });
    await expectNextRunRight();
  });

  it("is not charged a call for the memory that its input is put in", async () => {
    expect((await run("e")).hostCalls).toBe(0);
  });

  it("has its input and output within its memory, and both in its peak", async () => {
    expect((await run("e")).memoryBytes).toBeGreaterThan(MIB);
  });

  describe("is stopped at its limits:", () => {
    it("fuel", async () => {
      const outcome = await run("i", { limits: { fuel: 1_000_000n } });
      expect(outcome).toMatchObject({ kind: "out_of_fuel", limit: 1_000_000n });
      await expectNextRunRight();
    });

    it("time", async () => {
      expect(await run("i", { limits: { timeMs: 100, fuel: 10n ** 15n } })).toMatchObject({
        kind: "timed_out",
        limitMs: 100,
      });
      await expectNextRunRight();
    });

    it("stack", async () => {
      expect(await run("r")).toMatchObject({ kind: "stack_exhausted" });
      await expectNextRunRight();
    });

    it("memory: growth beyond fails in the program, and so does beginning with more", async () => {
      const pages = async (memoryBytes: number) => {
        const outcome = await run("g", { limits: { memoryBytes } });
        return outcome.kind === "completed" ? Number(decoder.decode(outcome.output)) : outcome.kind;
      };
      expect(Number(await pages(64 * MIB)) - Number(await pages(32 * MIB))).toBe((32 * MIB) / 65_536);
      expect(await pages(MIB)).toBe("memory_limit");
    });

    it("output", async () => {
      expect(await run("o", { limits: { outputBytes: 1_000 } })).toMatchObject({
        kind: "output_too_large",
        limitBytes: 1_000,
      });
    });

    it("calls out", async () => {
      expect(await run("l", { limits: { hostCalls: 50 } })).toMatchObject({
        kind: "too_many_host_calls",
        limit: 50,
        hostCalls: 50,
      });
      await expectNextRunRight();
    });

    it("fuel, in a loop of calls out, which cost what passes", async () => {
      expect(await run("l", { limits: { fuel: 100_000n } })).toMatchObject({ kind: "out_of_fuel" });
    });
  });

  describe("that breaks the rules of its interfaces ends:", () => {
    const ends: readonly (readonly [what: string, input: string, kind: string])[] = [
      ["JSON that is none", "j", "bad_output"],
      ["text that is not UTF-8", "u", "bad_output"],
      ["a case that there is not", "v", "bad_output"],
      ["bytes outside of its memory", "w", "trap"],
      ["a message outside of its memory", "x", "bad_output"],
      ["a level that there is not", "y", "bad_output"],
      ["a trap", "t", "trap"],
      ["an output that is longer than its memory", "q", "trap"],
    ];
    for (const [what, input, kind] of ends) {
      it(what, async () => {
        expect((await run(input)).kind).toBe(kind);
        await expectNextRunRight();
      });
    }
  });

  it("is no command", async () => {
    expect(await run("e", { abi: "cli" })).toMatchObject({ kind: "missing_export", name: "wasi:cli/run" });
  });
});

describe("core modules of one component", () => {
  const LOOP = (count: number) => `
    (global $i (mut i32) (i32.const ${count}))
    (func (export "spin") (loop $again
      (global.set $i (i32.sub (global.get $i) (i32.const 1)))
      (br_if $again (global.get $i))))`;
  const TWO = `(component
    (import "wasi:cli/environment@0.2.0" (instance))
    (core module $a ${LOOP(1000)} (memory 100))
    (core module $b (import "a" "spin" (func $other)) ${LOOP(500)} (memory 100)
      (func $mine (loop $l (global.set $i (i32.sub (global.get $i) (i32.const 1))) (br_if $l (global.get $i))))
      (func (export "run") (result i32) (call $other) (call $mine) (i32.const 0)))
    (core instance $a (instantiate $a))
    (core instance $b (instantiate $b (with "a" (instance $a))))
    (func $run (result (result)) (canon lift (core func $b "run")))
    (instance $cli (export "run" (func $run)))
    (export "wasi:cli/run@0.2.3" (instance $cli)))`;

  it("count in the same fuel, by the cost model", async () => {
    const program = await engine.prepare(await componentOfText(TWO));
    // A round: get, const, sub, set, get, br_if. Around them: entries of run, spin and mine, two calls, a constant.
    const fuel = BigInt(6 * 1000 + 6 * 500 + 3 + 2 + 1);
    expect(await engine.run(program)).toMatchObject({ kind: "completed", fuel });
    expect((await engine.run(program, { limits: { fuel: fuel - 1n } })).kind).toBe("out_of_fuel");
  });

  it("share the limit of memory", async () => {
    const program = await engine.prepare(await componentOfText(TWO));
    const bytes = 200 * 65_536;
    expect((await engine.run(program, { limits: { memoryBytes: bytes } })).kind).toBe("completed");
    expect(await engine.run(program, { limits: { memoryBytes: bytes - 1 } })).toMatchObject({
      kind: "memory_limit",
      neededBytes: bytes,
    });
  });
});

it("a component that imports a function that an interface has not is refused by its name", async () => {
  const program = await engine.prepare(
    await componentOfText(`(component
      (import "wasi:cli/environment@0.2.0" (instance $e (export "get-secrets" (func))))
      (core func $f (canon lower (func $e "get-secrets")))
      (core module $m (import "e" "f" (func $f)) (func (export "run") (result i32) (call $f) i32.const 0))
      (core instance $i (instantiate $m (with "e" (instance (export "f" (func $f))))))
      (func $run (result (result)) (canon lift (core func $i "run")))
      (instance $cli (export "run" (func $run)))
      (export "wasi:cli/run@0.2.3" (instance $cli)))`),
  );
  expect(await engine.run(program)).toMatchObject({
    kind: "refused_import",
    name: "wasi:cli/environment#getSecrets",
  });
});

describe.skipIf(!hasTool("clang-wasi"))(
  "a command in C as a component (needs clang with the C library of WASI)",
  () => {
    let program: Program;
    beforeAll(async () => {
      program = await engine.prepare(await commandComponent(compile("clang-wasi", "command.c", ["-O2"])));
    });

    async function said(args: readonly string[], request: RunRequest = {}): Promise<string> {
      const outcome = await engine.run(program, { args, ...request });
      if (outcome.kind !== "completed") throw new Error(JSON.stringify(outcome, (_, v) => String(v)));
      return decoder.decode(outcome.output);
    }

    it("reads stdin and writes stdout, over many pieces", async () => {
      expect(program.abi).toBe("cli");
      const input = encoder.encode("0123456789".repeat(30_000));
      expect((await said(["echo"], { input })).length).toBe(300_000);
    });

    it("has the arguments and the environment of the run, and no others", async () => {
      expect(await said(["args", "b c"])).toBe("program\nargs\nb c\n");
      expect(await said(["env"])).toBe("");
      expect(await said(["env"], { env: { B: "ü", A: "1" } })).toBe("A=1\nB=ü\n");
    });

    it("ends with its exit code, what it said, and what it had written", async () => {
      const outcome = await engine.run(program, { args: ["exit", "3"] });
      expect(outcome).toMatchObject({ kind: "guest_error", message: "leaving\n" });
      expect(outcome.kind === "guest_error" && decoder.decode(outcome.output)).toBe("partial");
      expect((await engine.run(program, { args: ["exit", "0"] })).kind).toBe("completed");
      expect((await engine.run(program, { args: ["return", "5"] })).kind).toBe("guest_error");
    });

    it("sleeps a day of its own world at once, and wakes in it", async () => {
      const [wall, slept] = (await said(["time"], { world: { kind: "seeded", startMs: 1_000_000 } })).split(
        "\n",
      );
      expect(wall).toMatch(/^wall 1000\.0000/);
      expect(slept).toMatch(/^slept 0 86400\.0000/);
    });

    it("draws the same for the same seed, and something else for another", async () => {
      const drawn = (seed: bigint) => said(["random"], { world: { kind: "seeded", seed } });
      expect(await drawn(1n)).toBe(await drawn(1n));
      expect(await drawn(1n)).not.toBe(await drawn(2n));
      const live = () => said(["random"], { world: { kind: "live" } });
      expect(await live()).not.toBe(await live());
    });

    it("opens no file", async () => {
      expect(await said(["open", "/etc/passwd"])).not.toMatch(/opened|: there/);
      expect(await said(["open", "passwd"], { world: { kind: "live" } })).not.toMatch(/opened|: there/);
    });

    it("writes no more than it may", async () => {
      expect((await said(["write", "1000"], { limits: { outputBytes: 1_000 } })).length).toBe(1_000);
      expect(
        (await engine.run(program, { args: ["write", "1001"], limits: { outputBytes: 1_000 } })).kind,
      ).toBe("output_too_large");
    });

    it("traps as itself", async () => {
      expect(await engine.run(program, { args: ["wild"] })).toMatchObject({
        kind: "trap",
        reason: "memory_out_of_bounds",
      });
      expect(await engine.run(program, { args: ["abort"] })).toMatchObject({
        kind: "trap",
        reason: "unreachable",
      });
    });

    it("burns the same in another engine", async () => {
      await using other = createEngine({ threads: 2 });
      const again = await other.prepare(await commandComponent(compile("clang-wasi", "command.c", ["-O2"])));
      const request: RunRequest = { args: ["time"] };
      const { fuel, hostCalls } = await engine.run(program, request);
      expect(await other.run(again, request)).toMatchObject({ kind: "completed", fuel, hostCalls });
      expect((await engine.run(program, { ...request, limits: { fuel: fuel - 1n } })).kind).toBe(
        "out_of_fuel",
      );
    });
  },
);

describe.skipIf(!hasTool("rustc-wasi"))("a command in Rust as a component (needs rustc for WASI)", () => {
  let program: Program;
  beforeAll(async () => {
    program = await engine.prepare(
      await commandComponent(compile("rustc-wasi", "command.rs", ["-O", "--edition=2021"])),
    );
  });

  const run = (args: readonly string[], request: RunRequest = {}) =>
    engine.run(program, { args, ...request });

  it("reads lines and writes them", async () => {
    const outcome = await run(["lines"], { input: encoder.encode("a\nb\n") });
    expect(outcome.kind === "completed" && decoder.decode(outcome.output)).toBe("1: A\n2: B\n");
  });

  it("panics as a guest whose message is kept", async () => {
    const outcome = await run(["panic"]);
    expect(["guest_error", "trap"]).toContain(outcome.kind);
    expect(decoder.decode(outcome.stderr)).toContain("index out of bounds");
  });

  it("has no file, no network, no process and no thread", async () => {
    const said = async (args: readonly string[]) => {
      const outcome = await run(args, { world: { kind: "live" } });
      return outcome.kind === "completed" ? decoder.decode(outcome.output) : outcome.kind;
    };
    expect(await said(["open", "/etc/passwd"])).not.toContain("Ok(");
    expect(await said(["connect", "127.0.0.1:80"])).toContain("Err(");
    expect(await said(["spawn", "/bin/true"])).toContain("Err(");
    expect(await said(["thread"])).not.toContain("Ok(");
  });

  it("repeats its random order by seed", async () => {
    const order = async (seed: bigint) => {
      const outcome = await run(["random"], { world: { kind: "seeded", seed } });
      return outcome.kind === "completed" ? decoder.decode(outcome.output) : outcome.kind;
    };
    expect(await order(7n)).toBe(await order(7n));
    expect(await order(7n)).not.toBe(await order(8n));
  });
});
