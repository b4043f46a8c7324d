import type { TrapReason } from "@subnet-worker/wasm";
import { describe, expect, it } from "vitest";
import { completed, FakeEngine, SPENT } from "./_fake-engine.ts";
import { errorOf, MODULE, setUp } from "./_wasm-handler.ts";

describe("what wasm.execute gives back", () => {
  it("is everything, where no spec says what it is to be", async () => {
    const { run } = setUp();
    const { outputs } = await run({ module: MODULE });
    expect(outputs).toEqual({
      kind: "completed",
      output: `0x${Buffer.from("done").toString("hex")}`,
      exit_code: 0,
      message: "",
      fuel: "1234",
      time_ms: 5,
      memory_peak_bytes: 65_536,
      host_calls: 3,
      stderr: "a warning\n",
    });
  });

  it("is what the spec declares, so that workers whose times differ can agree", async () => {
    const { run } = setUp();
    const declares = [
      { name: "output_text", type: "string" },
      { name: "fuel", type: "uint64" },
      { name: "output_object_key", type: "string", isObjectKey: true, mediaType: "text/plain" },
    ];
    const { outputs, uploads } = await run({ module: MODULE }, { declares });
    expect(outputs).toMatchObject({ output_text: "done", fuel: 1_234n });
    expect(Object.keys(outputs as object)).toHaveLength(3);
    expect([...uploads.values()].map((each) => [each.mediaType, each.text()])).toEqual([
      ["text/plain", "done"],
    ]);
  });

  it("tells the media type of a component's output where the spec asks for it", async () => {
    const engine = new FakeEngine().end({
      ...SPENT,
      kind: "completed",
      output: MODULE,
      outputType: "text/plain",
    });
    const declares = [{ name: "output_type", type: "string" }];
    expect((await setUp({ engine }).run({ module: MODULE }, { declares })).outputs).toEqual({
      output_type: "text/plain",
    });
    expect((await setUp().run({ module: MODULE }, { declares })).outputs).toEqual({ output_type: "" });
  });

  it("refuses a spec that declares what it does not have, before it runs anything", async () => {
    const options = { declares: [{ name: "colour", type: "string" }] };
    expect(await errorOf({ module: MODULE }, {}, options)).toMatchObject({
      name: "INVALID_FORMAT",
      message: expect.stringContaining('wants an output "colour"; wasm.execute has kind, output'),
      runs: 0,
    });
  });

  it("fails when bytes that are no text are wanted as text", async () => {
    const engine = new FakeEngine().end({ ...SPENT, kind: "completed", output: new Uint8Array([0xff]) });
    const options = { declares: [{ name: "output_text", type: "string" }] };
    expect(await errorOf({ module: MODULE }, { engine }, options)).toMatchObject({
      name: "INVALID_FORMAT",
      retryable: false,
      message: expect.stringMatching(/^\[WASM_BAD_OUTPUT\]/),
    });
  });

  it("has the code of a program that failed, where that was asked for", async () => {
    const failed = {
      ...SPENT,
      kind: "guest_error",
      code: 3,
      message: "no match",
      output: new Uint8Array(),
    } as const;
    const { run } = setUp({ engine: new FakeEngine().end(failed) });
    expect((await run({ module: MODULE, on_guest_error: "return" })).outputs).toMatchObject({
      kind: "guest_error",
      exit_code: 3,
      message: "no match",
    });
    expect((await run({ module: MODULE })).error).toMatchObject({ name: "EXECUTION_FAILED" });
  });
});

describe("how a run fails", () => {
  const trap = (reason: TrapReason) => ({ kind: "trap", reason, message: "unreachable" }) as const;

  it.each([
    ["WASM_GUEST_ERROR", "EXECUTION_FAILED", { kind: "guest_error", code: 2, message: "no", output: MODULE }],
    ["WASM_TRAP", "EXECUTION_FAILED", trap("unreachable")],
    ["WASM_OUT_OF_FUEL", "QUOTA_EXCEEDED", { kind: "out_of_fuel", limit: 1_000n }],
    ["WASM_STACK_EXHAUSTED", "QUOTA_EXCEEDED", { kind: "stack_exhausted", limitBytes: 1 }],
    ["WASM_MEMORY_LIMIT", "QUOTA_EXCEEDED", { kind: "memory_limit", limitBytes: 1, neededBytes: 2 }],
    ["WASM_TABLE_LIMIT", "QUOTA_EXCEEDED", { kind: "table_limit", limitElements: 1, neededElements: 2 }],
    ["WASM_TIMED_OUT", "CANCELLED_BY_TIMEOUT", { kind: "timed_out", limitMs: 1 }],
    ["WASM_OUTPUT_TOO_LARGE", "QUOTA_EXCEEDED", { kind: "output_too_large", limitBytes: 1, actualBytes: 2 }],
    ["WASM_TOO_MANY_HOST_CALLS", "QUOTA_EXCEEDED", { kind: "too_many_host_calls", limit: 1 }],
    [
      "WASM_MISSING_EXPORT",
      "INVALID_INPUT",
      { kind: "missing_export", name: "execute", message: "no execute" },
    ],
    [
      "WASM_REFUSED_IMPORT",
      "PERMISSION_DENIED",
      { kind: "refused_import", name: "env.f", message: "no env.f" },
    ],
    ["WASM_BAD_OUTPUT", "INVALID_FORMAT", { kind: "bad_output", message: "outside" }],
  ] as const)("with %s as %s, for good, and says what was used", async (prefix, name, end) => {
    const engine = new FakeEngine().end({ ...SPENT, ...end });
    const error = await errorOf({ module: MODULE }, { engine });
    expect(error).toMatchObject({ name, retryable: false });
    expect(error.message).toMatch(new RegExp(`^\\[${prefix}\\] `));
    expect(error.message).toMatch(/ \(fuel=1234 time_ms=5 memory_peak_bytes=65536 host_calls=3\)$/);
  });

  it("with a fault of the machine, which another try may not have", async () => {
    const engine = new FakeEngine().end({ ...SPENT, kind: "host_fault", message: "no memory" });
    expect(await errorOf({ module: MODULE }, { engine })).toMatchObject({
      name: "RESOURCE_UNAVAILABLE",
      retryable: true,
      message: expect.stringMatching(/^\[WASM_HOST_FAULT\].*no memory.*fuel=1234/),
    });
  });

  it("as a component says: with its own code, and whether another try may help", async () => {
    const failure = { code: "busy", isRetryable: true };
    const end = { kind: "guest_error", code: 1, message: "the model loads", output: MODULE } as const;
    const engine = new FakeEngine().end({ ...SPENT, ...end, failure });
    expect(await errorOf({ module: MODULE }, { engine })).toMatchObject({
      name: "EXECUTION_FAILED",
      retryable: true,
      message: expect.stringMatching(
        /^\[WASM_GUEST_ERROR\] the program failed with code "busy": the model loads \(fuel/,
      ),
    });
    engine.end({ ...SPENT, ...end, failure: { ...failure, isRetryable: false } });
    expect(await errorOf({ module: MODULE }, { engine })).toMatchObject({ retryable: false });
  });

  it("with words of the program that may be long, and the figures behind them", async () => {
    const message = "x".repeat(100_000);
    const engine = new FakeEngine().end({ ...SPENT, kind: "guest_error", code: 1, message, output: MODULE });
    const error = await errorOf({ module: MODULE }, { engine });
    expect(error.message.length).toBeLessThan(2_200);
    expect(error.message).toMatch(/x\.\.\. \(fuel=1234 /);
  });

  it("as cancelled when it is cancelled, with its reason", async () => {
    const started = Promise.withResolvers<void>();
    const engine = new FakeEngine().end(async ({ signal }) => {
      started.resolve();
      await new Promise((resolve) => signal!.addEventListener("abort", resolve, { once: true }));
      return { ...SPENT, kind: "cancelled" };
    });
    const { run, metric } = setUp({ engine });
    const running = run({ module: MODULE });
    await started.promise;
    running.cancel("deadline");
    expect((await running).error).toMatchObject({ name: "CANCELLED_BY_TIMEOUT", retryable: false });
    expect(await metric("wep_wasm_runs_total")).toEqual({ cancelled: 1 });
  });
});

describe("what a run tells while it runs", () => {
  it("reaches the progress and the log of the activity, a bounded number of lines", async () => {
    const engine = new FakeEngine().end((request) => {
      request.onProgress?.(0.25, "a quarter");
      request.onProgress?.(undefined, "somewhere");
      request.onLog?.("warn", "y".repeat(10_000));
      for (let line = 0; line < 1_500; line += 1) request.onLog?.("info", `line ${line}`);
      return Promise.resolve(completed(""));
    });
    const { progress, log } = await setUp({ engine }).run({ module: MODULE });
    expect(progress).toMatchObject([
      { percent: 25, message: "a quarter" },
      { percent: 25, message: "somewhere" },
    ]);
    expect(log).toHaveLength(1_001);
    expect(log[0]?.msg).toHaveLength(4_096);
    expect(log.at(-1)?.msg).toContain("more than 1000 lines");
  });
});

describe("the metrics of WebAssembly", () => {
  it("count runs by how they ended, fuel, time and refusals", async () => {
    const { engine, run, metric } = setUp();
    await run({ module: MODULE });
    engine.end({ ...SPENT, kind: "out_of_fuel", limit: 1n });
    await run({ module: MODULE });
    await run({});
    expect(await metric("wep_wasm_runs_total")).toEqual({ completed: 1, out_of_fuel: 1, refused: 1 });
    expect(await metric("wep_wasm_fuel_total")).toEqual({ "": 2_468 });
    expect(await metric("wep_wasm_run_duration_seconds")).toMatchObject({ "0.005": 0, "0.02": 2 });
    expect(await metric("wep_wasm_prepare_duration_seconds")).toMatchObject({ "0.005": 0, "0.02": 2 });
  });

  it("are joined by a line of the log when the folder of modules cannot be used, once", async () => {
    const { engine, run, metric } = setUp();
    expect(await metric("wep_wasm_cache_folder_failing")).toEqual({ "": 0 });
    engine.stats = { ...engine.stats, folderFailure: "ENOSPC" };
    const logs = [await run({ module: MODULE }), await run({ module: MODULE })].map(({ log }) => log);
    expect(logs).toMatchObject([[{ level: "warn", failure: "ENOSPC" }], []]);
  });

  it("show what the engine holds", async () => {
    const { engine, metric } = setUp();
    engine.stats = {
      busyThreads: 1,
      waitingRuns: 2,
      replacedThreads: 3,
      memoryHits: 4,
      folderHits: 5,
      misses: 6,
      memoryBytes: 7,
      folderFailure: "the disk is full",
    };
    expect(await metric("wep_wasm_threads_busy")).toEqual({ "": 1 });
    expect(await metric("wep_wasm_runs_waiting")).toEqual({ "": 2 });
    expect(await metric("wep_wasm_threads_replaced_total")).toEqual({ "": 3 });
    expect(await metric("wep_wasm_programs_total")).toEqual({ memory: 4, folder: 5, nowhere: 6 });
    expect(await metric("wep_wasm_cache_bytes")).toEqual({ "": 7 });
    expect(await metric("wep_wasm_cache_folder_failing")).toEqual({ "": 1 });
  });
});
