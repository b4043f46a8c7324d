import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { createDeferred } from "@subnet-worker/testkit";
import { afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../src/clock.ts";
import { createEngine } from "../src/create-engine.ts";
import type { Engine, EngineOptions, Program, RunRequest } from "../src/engine.ts";
import { DEFAULT_LIMITS } from "../src/limits.ts";
import { KeptPrograms } from "../src/pool/kept-programs.ts";
import type { PoolThread } from "../src/pool/pool-thread.ts";
import { RunJob } from "../src/pool/run-job.ts";
import { CELL, type ThreadProgram, type ToRunThread } from "../src/thread/protocol.ts";
import { commandModule, executeModule } from "./_wat.ts";

const SPIN = commandModule("(loop (br 0))");
const engines: Engine[] = [];

afterEach(async () => {
  for (const engine of engines.splice(0)) await engine[Symbol.asyncDispose]();
});

async function open(options: EngineOptions = {}): Promise<{ engine: Engine; spin: Program; quick: Program }> {
  const engine = createEngine({ threads: 1, limits: { fuel: 10n ** 15n }, ...options });
  engines.push(engine);
  return { engine, spin: await engine.prepare(SPIN), quick: await engine.prepare(executeModule()) };
}

async function untilBusy(engine: Engine): Promise<void> {
  while (engine.stats.busyThreads === 0) await new Promise((resolve) => setImmediate(resolve));
}

describe("runs", () => {
  it("wait for a thread in the order in which they came", async () => {
    const { engine, quick } = await open();
    const order: number[] = [];
    const runs = Array.from({ length: 20 }, async (_, index) => {
      const outcome = await engine.run(quick);
      order.push(index);
      return outcome.kind;
    });
    expect(engine.stats.waitingRuns + engine.stats.busyThreads).toBe(20);
    expect(new Set(await Promise.all(runs))).toEqual(new Set(["completed"]));
    expect(order).toEqual(Array.from({ length: 20 }, (_, index) => index));
  });

  it("are cancelled by their signal: before, waiting, and running", async () => {
    const { engine, spin, quick } = await open();
    expect(await engine.run(quick, { signal: AbortSignal.abort() })).toMatchObject({ kind: "cancelled" });
    const running = new AbortController();
    const waiting = new AbortController();
    const first = engine.run(spin, { signal: running.signal });
    const second = engine.run(quick, { signal: waiting.signal });
    const third = engine.run(quick);
    await untilBusy(engine);
    waiting.abort();
    expect(await second).toMatchObject({ kind: "cancelled", fuel: 0n, timeMs: 0 });
    running.abort();
    expect(await first).toMatchObject({ kind: "cancelled" });
    expect(await third).toMatchObject({ kind: "completed", fuel: 2n });
    expect(engine.stats).toMatchObject({ replacedThreads: 1, busyThreads: 0, waitingRuns: 0 });
    // A signal that comes after the end changes nothing.
    const late = new AbortController();
    expect(await engine.run(quick, { signal: late.signal })).toMatchObject({ kind: "completed" });
    late.abort();
    expect(engine.stats.replacedThreads).toBe(1);
  });

  it("end as cancelled when the engine closes, and closing waits until its threads are gone", async () => {
    const { engine, spin, quick } = await open();
    const running = engine.run(spin);
    const waiting = engine.run(quick);
    await untilBusy(engine);
    const closed = engine[Symbol.asyncDispose]();
    expect(await running).toMatchObject({ kind: "cancelled" });
    expect(await waiting).toMatchObject({ kind: "cancelled" });
    await closed;
    await expect(engine.run(quick)).rejects.toMatchObject({ code: "CLOSED" });
    await expect(engine.prepare(SPIN)).rejects.toMatchObject({ code: "CLOSED" });
    await engine[Symbol.asyncDispose]();
  });

  it("a preparation under way is refused when the engine closes", async () => {
    const { engine } = await open();
    const asked = engine.prepare(commandModule("(nop)"));
    const refused = expect(asked).rejects.toMatchObject({ code: "CLOSED" });
    await engine[Symbol.asyncDispose]();
    await refused;
  });

  it("run at the same time where there are threads, each with a memory of its own", async () => {
    const { engine } = await open({ threads: 2 });
    const counts = executeModule({
      // Adds the first byte of the input to what the memory has from the run before, if it had.
      body: "(i32.store8 (i32.const 204) (i32.add (i32.load8_u (i32.const 204)) (i32.load8_u (i32.const 0)))) (i32.const 200)",
      fields: '(data (i32.const 200) "\\01\\00\\00\\00")',
    });
    const program = await engine.prepare(counts);
    const outcomes = await Promise.all(
      Array.from({ length: 40 }, (_, index) => engine.run(program, { input: Uint8Array.of(index + 1) })),
    );
    const outputs = outcomes.map((outcome) =>
      outcome.kind === "completed" ? [...outcome.output] : outcome.kind,
    );
    expect(outputs).toEqual(Array.from({ length: 40 }, (_, index) => [index + 1]));
  });

  it("more programs than a thread keeps are run, and run again", async () => {
    const { engine } = await open();
    const programs = await Promise.all(
      Array.from({ length: 70 }, (_, index) =>
        engine.prepare(executeModule({ body: `i32.const -${index + 1}` })),
      ),
    );
    for (let round = 0; round < 2; round += 1) {
      const codes: unknown[] = [];
      for (const program of programs) {
        const outcome = await engine.run(program);
        codes.push(outcome.kind === "guest_error" ? outcome.code : outcome.kind);
      }
      expect(codes).toEqual(programs.map((_, index) => -1 - index));
    }
  });

  it("a thread keeps of its programs what it may, the last used ones", () => {
    const kept = new KeptPrograms();
    const most = { programs: 3, bytes: 100 };
    expect([1, 2, 3].map((id) => kept.use(id, 10, most))).toEqual([[], [], []]);
    expect(kept.use(1, 10, most)).toEqual([]);
    expect(kept.use(4, 10, most)).toEqual([2]);
    expect(kept.use(5, 85, most)).toEqual([3, 1]);
    expect(kept.use(5, 85, most)).toEqual([]);
    expect(kept.use(6, 500, most)).toEqual([4, 5]);
    expect([1, 2, 3, 4, 5, 6].filter((id) => kept.has(id))).toEqual([6]);
    expect(kept.use(7, 10, most)).toEqual([6]);
  });

  it("a thread is told to forget programs that are more than it may keep", () => {
    const posted: ToRunThread[] = [];
    const cells = new BigInt64Array(new SharedArrayBuffer(8 * CELL.count));
    const post = (message: unknown) => void posted.push(message as ToRunThread);
    const thread = { kept: new KeptPrograms(), cells, post } as unknown as PoolThread;
    for (const programId of [1, 2, 2, 1]) {
      const options = runOptions({});
      const run = { ...options.run, programId };
      const program = { kind: "module" } as ThreadProgram;
      new RunJob({ ...options, run, program, programBytes: 60, keptBytes: 100 }, () => undefined).begin(
        thread,
      );
    }
    expect(posted.map((each) => each.kind === "run" && [each.forget, each.run.program?.kind])).toEqual([
      [[], "module"],
      [[1], "module"],
      [[], undefined],
      [[2], "module"],
    ]);
  });

  it("requests that make no sense are refused before they are queued", async () => {
    const { engine, quick } = await open();
    const bad = [
      { input: "123" },
      { input: new ArrayBuffer(3) },
      { inputType: 7 },
      { abi: "toString" },
      { args: "abc" },
      { args: [() => 1] },
      { env: { A: 1 } },
      { env: null },
      { world: { kind: "other" } },
      { world: null },
      { signal: {} },
      { send: "https://example.org" },
      { onLog: 1 },
      { limits: { timeMS: 5 } },
      { limits: { hostCalls: 0.5 } },
    ] as unknown as RunRequest[];
    for (const request of bad) {
      await expect(engine.run(quick, request)).rejects.toMatchObject({ code: "BAD_REQUEST" });
    }
    expect(engine.stats).toMatchObject({ waitingRuns: 0, busyThreads: 0, replacedThreads: 0 });
  });

  it("limits may be as high as numbers go", async () => {
    const { engine } = await open({ limits: { fuel: 2n ** 62n, timeMs: Number.MAX_SAFE_INTEGER } });
    expect(await engine.run(await engine.prepare(executeModule()))).toMatchObject({ kind: "completed" });
  });

  it("options that make no sense are refused", () => {
    const bad = [
      { threads: 0 },
      { threads: 100_000 },
      { limits: { fule: 1n } },
      { moduleLimits: { bytes: 1 } },
      { cache: { folder: 7 } },
      { cache: { folder: "" } },
    ] as unknown as EngineOptions[];
    for (const options of bad) {
      expect(() => createEngine(options)).toThrow(expect.objectContaining({ code: "BAD_REQUEST" }));
    }
  });

  it("an engine that nothing waits for lets the process end, and one with a run does not", async () => {
    const script = `
      const { createEngine } = await import("./create-engine.ts");
      const engine = createEngine({ threads: 2 });
      const program = await engine.prepare(Uint8Array.from(${JSON.stringify([...executeModule()])}));
      console.log((await engine.run(program)).kind);`;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--input-type=module", "--eval", script],
      {
        cwd: join(import.meta.dirname, "../src"),
        timeout: 150_000,
      },
    );
    expect(stdout).toBe("completed\n");
  });

  it("a thread that dies under a run is a fault of the host", async () => {
    const job = new RunJob(runOptions({}), () => undefined);
    job.lose({ kind: "died", reason: "no memory" }, undefined);
    expect(await job.outcome).toMatchObject({
      kind: "host_fault",
      message: expect.stringContaining("no memory"),
    });
  });

  it("a program that makes its thread hold too much is at fault itself", async () => {
    const job = new RunJob(runOptions({}), () => undefined);
    job.lose({ kind: "overgrown", limitMb: 512 }, undefined);
    expect(await job.outcome).toMatchObject({ kind: "trap", message: expect.stringContaining("512 MiB") });
  });

  it("a callback that throws is told to whoever runs, and ends the run", async () => {
    const givenUp = createDeferred();
    const fault = new Error("fault of the caller");
    const onLog = () => {
      throw fault;
    };
    const job = new RunJob(runOptions({ onLog }), () => givenUp.resolve());
    job.hear({ kind: "log", id: 1, level: "info", message: "" }, undefined as never);
    await givenUp.promise;
    await expect(job.outcome).rejects.toBe(fault);
  });
});

function runOptions(
  request: ConstructorParameters<typeof RunJob>[0]["request"],
): ConstructorParameters<typeof RunJob>[0] {
  const run = {
    id: 1,
    programId: 1,
    abi: "handler",
    args: [],
    env: {},
    limits: DEFAULT_LIMITS,
    world: { kind: "live" },
    maySend: false,
    isProfiled: false,
  } as const;
  return {
    run,
    input: new Uint8Array(),
    program: undefined as never,
    programBytes: 1,
    isKnownQuick: false,
    keptBytes: 1,
    request,
    clock: systemClock,
  };
}
