import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEngine } from "../src/create-engine.ts";
import type { Program, RunRequest } from "../src/engine.ts";
import { compile, hasTool } from "./_programs.ts";

const engine = createEngine({ threads: 2 });
afterAll(() => engine[Symbol.asyncDispose]());

const encoder = new TextEncoder();
const decoder = new TextDecoder();

async function outcomeOf(program: Program, args: readonly string[], request: RunRequest = {}) {
  const outcome = await engine.run(program, { abi: "command", args, ...request });
  const stdout = outcome.kind === "completed" || outcome.kind === "guest_error" ? outcome.output : undefined;
  return { ...outcome, stdout: decoder.decode(stdout), stderr: decoder.decode(outcome.stderr) };
}

async function stdoutOf(
  program: Program,
  args: readonly string[],
  request: RunRequest = {},
): Promise<string> {
  const outcome = await outcomeOf(program, args, request);
  if (outcome.kind !== "completed") throw new Error(`ended as ${outcome.kind}: ${outcome.stderr}`);
  return outcome.stdout;
}

describe.skipIf(!hasTool("clang-wasi"))("commands in C (need clang with the C library of WASI)", () => {
  let program: Program;
  beforeAll(async () => {
    program = await engine.prepare(compile("clang-wasi", "command.c", ["-O2"]));
  });

  it("link whatever they use of preview 1", async () => {
    const all = await engine.prepare(compile("clang-wasi", "all-of-preview1.c", ["-O1"]));
    expect(await stdoutOf(all, [])).toBe("45\n");
  });

  it("copy stdin to stdout", async () => {
    const input = encoder.encode("all of it\n".repeat(1000));
    expect(await stdoutOf(program, ["echo"], { input })).toBe("all of it\n".repeat(1000));
    expect(await stdoutOf(program, ["echo"])).toBe("");
  });

  it("have arguments and an environment, and only what was passed", async () => {
    expect(await stdoutOf(program, ["args", "", "a b", "ä"])).toBe("program\nargs\n\na b\nä\n");
    expect(await stdoutOf(program, ["env"], { env: { B: "2=2", A: "" } })).toBe("A=\nB=2=2\n");
    expect(await stdoutOf(program, ["env"])).toBe("");
  });

  it("fail by their exit code, and are believed", async () => {
    expect(await outcomeOf(program, ["exit", "3"])).toMatchObject({
      kind: "guest_error",
      code: 3,
      message: "leaving",
      stdout: "partial",
      stderr: "leaving\n",
    });
    expect(await outcomeOf(program, ["exit", "0"])).toMatchObject({ kind: "completed", stdout: "partial" });
    expect(await outcomeOf(program, ["return", "7"])).toMatchObject({
      kind: "guest_error",
      code: 7,
      message: "",
    });
    expect(await outcomeOf(program, ["return", "0"])).toMatchObject({ kind: "completed" });
  });

  it("see the time of a seeded world, in which sleeping takes none", async () => {
    const world = { kind: "seeded", startMs: 1_000_000 } as const;
    expect(await stdoutOf(program, ["time"], { world })).toBe(
      "wall 1000.000001000\nslept 0 86400.000001005\n",
    );
  });

  it("compute and print floating point as C does", async () => {
    expect(await stdoutOf(program, ["floats", "2.5e-3"])).toBe(
      "0.10000000000000001 1e+301 2.500000e-03 0x1.5555555555555p-2 -inf\n",
    );
  });

  it("write as much as they may", async () => {
    const outcome = await outcomeOf(program, ["write", "5000000"]);
    expect([outcome.kind, outcome.stdout.length]).toEqual(["completed", 5_000_000]);
    expect(
      await outcomeOf(program, ["write", "5000000"], { limits: { outputBytes: 4_999_999 } }),
    ).toMatchObject({
      kind: "output_too_large",
      limitBytes: 4_999_999,
    });
  });

  it("trap when they abort, or write outside of their memory", async () => {
    expect(await outcomeOf(program, ["abort"])).toMatchObject({ kind: "trap", reason: "unreachable" });
    expect(await outcomeOf(program, ["wild"])).toMatchObject({
      kind: "trap",
      reason: "memory_out_of_bounds",
    });
  });

  it("find no file", async () => {
    expect(await stdoutOf(program, ["open", "/etc/passwd"])).toBe(
      [
        "r /etc/passwd: Capabilities insufficient",
        "stat /etc/passwd: Capabilities insufficient",
        "w /etc/passwd: Capabilities insufficient",
        "stat /etc/passwd: Capabilities insufficient\n",
      ].join("\n"),
    );
  });
});

describe.skipIf(!hasTool("rustc-wasi"))("commands in Rust (need rustc with its library for WASI)", () => {
  let program: Program;
  beforeAll(async () => {
    program = await engine.prepare(
      compile("rustc-wasi", "command.rs", ["--edition=2021", "-O", "-Cstrip=debuginfo"]),
    );
  });

  it("read stdin by lines and whole", async () => {
    expect(await stdoutOf(program, ["lines"], { input: encoder.encode("one\ntwo") })).toBe(
      "1: ONE\n2: TWO\n",
    );
    const input = new Uint8Array(300_000).fill(2);
    expect(await stdoutOf(program, ["count"], { input })).toBe("300000 bytes, sum 600000\n");
  });

  it("have arguments and an environment, and only what was passed", async () => {
    expect(await stdoutOf(program, ["args", "ä b"])).toBe('["program", "args", "ä b"]\n');
    expect(await stdoutOf(program, ["env"], { env: { A: "1" } })).toBe('[("A", "1")]\n');
  });

  it("fail by their exit code", async () => {
    expect(await outcomeOf(program, ["exit", "5"])).toMatchObject({
      kind: "guest_error",
      code: 5,
      message: "leaving",
    });
  });

  it("trap when they panic, with what they said on stderr", async () => {
    const outcome = await outcomeOf(program, ["panic"]);
    expect(outcome).toMatchObject({ kind: "trap", reason: "unreachable" });
    expect(outcome.stderr).toContain(
      "panicked at 'index out of bounds: the len is 0 but the index is 0', command.rs",
    );
  });

  it("see the time of a seeded world, in which sleeping takes none", async () => {
    const world = { kind: "seeded", startMs: 1_000_000 } as const;
    expect(await stdoutOf(program, ["time"], { world })).toBe("1000.000001s 3600.000001s\n");
  });

  it("compute and print floating point as Rust does", async () => {
    expect(await stdoutOf(program, ["floats"])).toBe("0.30000000000000004 inf 1.1754944e-38 NaN\n");
  });

  it("write much at once, and many pieces at once", async () => {
    const outcome = await outcomeOf(program, ["write", "3000000"]);
    expect([outcome.kind, outcome.stdout.length]).toEqual(["completed", 3_000_000]);
    expect(await stdoutOf(program, ["vectored"])).toBe(`${"ab".repeat(3000)}6000\n`);
  });

  it("get errors, and go on, for files, connections, processes and threads", async () => {
    expect(await stdoutOf(program, ["open", "/etc/passwd"])).not.toContain("Ok");
    for (const [what, argument] of [
      ["connect", "127.0.0.1:80"],
      ["spawn", "ls"],
      ["thread", ""],
    ] as const) {
      expect([what, await stdoutOf(program, [what, argument])]).toEqual([what, "Err(Unsupported)\n"]);
    }
  });
});

describe.for([
  ["clang-wasi", "command.c", ["-O2"]],
  ["rustc-wasi", "command.rs", ["--edition=2021", "-O", "-Cstrip=debuginfo"]],
] as const)("two runs with the same seed (need %s)", ([tool, source, flags]) => {
  it.skipIf(!hasTool(tool))("are the same in bytes, fuel and clock, on another engine too", async () => {
    await using other = createEngine({ threads: 1 });
    const bytes = compile(tool, source, flags);
    const here = await engine.prepare(bytes);
    const there = await other.prepare(bytes);
    for (const what of ["random", "time"]) {
      const request = {
        abi: "command",
        args: [what],
        world: { kind: "seeded", seed: 42n, startMs: 5000 },
      } as const;
      const runs = await Promise.all([
        ...Array.from({ length: 10 }, () => engine.run(here, request)),
        other.run(there, request),
      ]);
      const seen = runs.map(({ timeMs: _timeMs, ...rest }) => rest);
      expect(seen[0]).toMatchObject({ kind: "completed" });
      for (const run of seen) expect(run).toEqual(seen[0]);
    }
    const random = { abi: "command", args: ["random"] } as const;
    const seeds = [0n, 1n, 42n].map((seed) =>
      engine.run(here, { ...random, world: { kind: "seeded", seed } }),
    );
    const lives = [1, 2].map(() => engine.run(here, { ...random, world: { kind: "live" } }));
    const outputs = (await Promise.all([...seeds, ...lives])).map((outcome) =>
      outcome.kind === "completed" ? decoder.decode(outcome.output) : outcome.kind,
    );
    expect(new Set(outputs).size).toBe(5);
  });
});
