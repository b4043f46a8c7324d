import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, expectTypeOf, it } from "vitest";
import {
  type Activity,
  defineActivity,
  defineHandler,
  type InputFile,
  type ObjectOutput,
  RetryableError,
  TerminalError,
} from "../index.ts";
import { FakeClock, runHandler } from "./index.ts";

interface CountInput {
  readonly text: InputFile;
  readonly limit: number;
  readonly total: bigint;
}

interface CountOutput {
  readonly words: number;
  readonly total: number | bigint;
  readonly report: ObjectOutput;
}

const COUNT: Activity<CountInput, CountOutput> = defineActivity({
  kind: "demo.count",
  version: "1.0.0",
  inputs: [
    { name: "text", type: "string", isObjectKey: true, mediaType: "text/plain" },
    { name: "limit", type: "uint32" },
    { name: "total", type: "uint256" },
  ],
  outputs: [
    { name: "words", type: "uint32" },
    { name: "total", type: "uint256" },
    { name: "report", type: "string", isObjectKey: true, mediaType: "text/plain" },
  ],
});

const count = defineHandler(COUNT, {
  async run({ text, limit, total }, ctx) {
    const words = new TextDecoder()
      .decode(await text.bytes())
      .split(/\s+/)
      .slice(0, limit);
    const report = await ctx.upload("words.txt", words.join("\n"), { mediaType: "text/plain" });
    await ctx.progress(50, "counted");
    ctx.log.info({ words: words.length }, "counted");
    return { words: words.length, total: total + BigInt(words.length), report: report.objectKey };
  },
});

const GIVEN = { text: "to be or not", limit: 3, total: 2n ** 200n };

describe("runHandler with an activity", () => {
  it("gives inputs as their types say, keeps what was written, reported and logged", async () => {
    const run = await runHandler(count, { inputs: GIVEN });
    expectTypeOf(run.outputs.report).toEqualTypeOf<string>();
    expect(run).toMatchObject({ status: "success", error: undefined });
    expect(run.outputs).toEqual({
      words: 3,
      total: 2n ** 200n + 3n,
      report: "runs/test-workflow/test-activity/1/words.txt",
    });
    const written = run.uploads.get("words.txt");
    expect(written).toMatchObject({ mediaType: "text/plain", objectKey: run.outputs.report });
    expect(written?.text()).toBe("to\nbe\nor");
    expect(run.progress).toEqual([{ percent: 50, message: "counted", checkpoint: "" }]);
    expect(run.log).toMatchObject([
      { level: "info", msg: "counted", words: 3, activity_id: "test-activity" },
    ]);
    expect(run.durationMs).toBeGreaterThan(0);
  });

  it("takes objects as bytes, and as a file", async () => {
    const folder = await mkdtemp(join(tmpdir(), "wep-test-"));
    await writeFile(join(folder, "text"), "a b");
    const fromBytes = await runHandler(count, { inputs: { ...GIVEN, text: Buffer.from("a b c d") } });
    const fromFile = await runHandler(count, { inputs: { ...GIVEN, text: { path: join(folder, "text") } } });
    expect([fromBytes.outputs.words, fromFile.outputs.words]).toEqual([3, 2]);
    await rm(folder, { recursive: true });
  });

  it.each([
    [{ ...GIVEN, limit: -1 }, 1001, /input "limit": expected uint32, .*got -1/],
    [{ ...GIVEN, limit: "many" }, 1001, /input "limit": expected uint32, .*got "many"/],
    [{ ...GIVEN, text: 7 }, 1001, /input "text": expected an object in storage, got 7/],
    [{ ...GIVEN, extra: 1 }, 1001, /there is no input "extra"; there is: text, limit, total/],
    [{ limit: 1 }, 1002, /missing input "text" \(string\), "total" \(uint256\)/],
  ])("refuses %o before the handler runs", async (inputs, code, message) => {
    const run = await runHandler(count, { inputs: inputs as never });
    expect(run.error).toMatchObject({ code, retryable: false, message: expect.stringMatching(message) });
    expect(run.progress).toHaveLength(0);
    expect(() => run.outputs).toThrow(/the run failed and has no outputs: [A-Z_]+: /);
  });

  it.each([
    [{ total: 1, report: "k" }, /returned no output "words"/],
    [{ words: 1, total: 1, report: "k", more: 1 }, /there is no output "more"/],
    [{ words: 1.5, total: 1, report: "k" }, /output "words": expected uint32, .*got 1.5/],
    [{ words: 1, total: 1, report: 5 }, /output "report": expected string, text, got 5/],
    [undefined, /returned no output/],
    [[1], /returned an array of 1; return an object/],
  ])("refuses the outputs %o", async (outputs, message) => {
    const handler = defineHandler(COUNT, { run: () => outputs as never });
    const { error } = await runHandler(handler, { inputs: GIVEN });
    expect(error).toMatchObject({
      code: 1003,
      name: "INVALID_FORMAT",
      message: expect.stringMatching(message),
    });
  });

  it("uploads content that is returned for an object", async () => {
    const handler = defineHandler(COUNT, {
      run: () => ({ words: 1, total: 1, report: new TextEncoder().encode("all of it") }),
    });
    const run = await runHandler(handler, { inputs: GIVEN });
    const [[name, upload] = []] = [...run.uploads];
    expect([name, upload?.text(), upload?.mediaType]).toEqual(["report.txt", "all of it", "text/plain"]);
    expect(run.outputs.report).toBe(upload?.objectKey);
  });

  it("tells why a run was skipped, of a success alone", async () => {
    const idle = defineHandler(COUNT, {
      run: ({ limit, total }, ctx) => {
        ctx.skip("the limit is 0");
        if (limit > 0) throw new Error("too many");
        return { words: 0, total, report: "runs/none/a/b/old.txt" };
      },
    });
    const run = await runHandler(idle, { inputs: { ...GIVEN, limit: 0 } });
    expect(run).toMatchObject({ status: "success", skipReason: "the limit is 0", outputs: { words: 0 } });
    expect(await runHandler(idle, { inputs: GIVEN })).toMatchObject({
      status: "error",
      skipReason: undefined,
    });
    expect((await runHandler(count, { inputs: GIVEN })).skipReason).toBeUndefined();
    const odd = defineHandler<Record<string, never>>({
      kind: "test.odd",
      version: "1.0.0",
      run: (_, ctx) => (ctx.skip("x".repeat(5_000)), {}),
    });
    expect((await runHandler(odd, { inputs: {} })).skipReason).toHaveLength(4_096);
  });

  it("says what a misuse of it is", async () => {
    expect(() =>
      defineHandler({ kind: "a", version: "1.0.0" } as never, { run: () => ({}) } as never),
    ).toThrow(/the first of two arguments is no activity/);
    expect(() => defineActivity({ ...COUNT, inputs: [{ name: "a", type: "uint7" }] })).toThrow(
      /activity demo.count 1.0.0, inputs, "a": .*uint7/,
    );
    expect(() =>
      defineActivity({ ...COUNT, outputs: [COUNT.outputs[0], COUNT.outputs[0]] as never }),
    ).toThrow(/outputs: there are two named "words"/);
    expect(() => runHandler({} as never, { inputs: {} })).toThrow(/takes what defineHandler\(\) returned/);
  });
});

describe("runHandler with a handler of no activity", () => {
  const echo = defineHandler<Record<string, unknown>, Record<string, unknown>>({
    kind: "echo",
    version: "1.0.0",
    run: async ({ file, ...rest }) => ({
      ...rest,
      ...(file === undefined ? {} : { file: new TextDecoder().decode(await (file as InputFile).bytes()) }),
      types: Object.values(rest).map((value) => (value instanceof Uint8Array ? "bytes" : typeof value)),
    }),
  });

  it("gives values as they are, and takes files beside them", async () => {
    const run = await runHandler(echo, {
      inputs: { name: "x", big: 5n, bytes: new Uint8Array([1]), list: [1, 2] },
      files: { file: "content" },
    });
    expect(run.outputs).toEqual({
      name: "x",
      big: "5",
      bytes: "0x01",
      list: [1, 2],
      file: "content",
      types: ["string", "bigint", "bytes", "object"],
    });
  });

  it("tells which outputs the spec declares, and holds the result against them", async () => {
    const all = { words: 3, total: 7n, more: true };
    const some = defineHandler({
      kind: "some",
      version: "1.0.0",
      run: (_input, { outputs }) =>
        outputs.length === 0
          ? { outputs, ...all }
          : Object.fromEntries(Object.entries(all).filter(([name]) => outputs.includes(name))),
    });
    const declares = [
      { name: "total", type: "uint256" },
      { name: "words", type: "uint32" },
    ];
    expect((await runHandler(some, { inputs: {}, declares })).outputs).toEqual({ total: 7n, words: 3 });
    const none = await runHandler(some, { inputs: {} });
    expect(none.outputs).toEqual({ outputs: [], words: 3, total: "7", more: true });
    const ofActivity = defineHandler(COUNT, {
      run: (_input, { outputs }) => ({ words: outputs.length, total: 0, report: "k" }),
    });
    expect((await runHandler(ofActivity, { inputs: GIVEN })).outputs).toMatchObject({ words: 3 });
  });

  it("wants to know the type of a bigint within a list", async () => {
    await expect(runHandler(echo, { inputs: { all: [1n] } })).rejects.toThrow(
      /\[INVALID_OPTION\] inputs.all has a bigint in it.*types: \{ all: "uint256\[\]" \}/,
    );
    const run = await runHandler(echo, { inputs: { all: [1n] }, types: { all: "uint256[]" } });
    expect(run.outputs["all"]).toEqual(["1"]);
  });

  it("tells errors as the worker client hears them", async () => {
    const failing = (error: unknown) =>
      runHandler(
        defineHandler({
          kind: "fail",
          version: "1.0.0",
          run: () => {
            throw error;
          },
        }),
        { inputs: {} },
      );
    expect((await failing(new TerminalError("no", { code: "PERMISSION_DENIED" }))).error).toEqual({
      code: 2003,
      name: "PERMISSION_DENIED",
      message: "no",
      retryable: false,
      retryAfterMs: 0,
    });
    expect((await failing(new RetryableError("later", { retryAfterMs: 70 }))).error).toMatchObject({
      retryable: true,
      retryAfterMs: 70,
    });
    expect((await failing(new RangeError("oops"))).error).toMatchObject({ code: 2001, message: "oops" });
  });
});

describe("a run under test", () => {
  const wait = defineHandler({
    kind: "wait",
    version: "1.0.0",
    async run(_, ctx) {
      await ctx.progress(1, "waiting");
      await new Promise((_, reject) => {
        ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason as Error));
      });
    },
  });

  it("is cancelled with a reason", async () => {
    const run = runHandler(wait, { inputs: {} });
    await run.progressed();
    run.cancel("drain");
    expect((await run).error).toMatchObject({
      code: 5001,
      retryable: true,
      message: /shutting down \(drain\)/,
    });
  });

  it("is cancelled by a signal, also by one that has aborted before", async () => {
    const { error } = await runHandler(wait, { inputs: {}, signal: AbortSignal.abort() });
    expect(error).toMatchObject({ code: 5001, retryable: false });
  });

  it("is stopped at its deadline and at its timeout, by the clock it is given", async () => {
    for (const options of [{ timeoutMs: 3_000 }, { deadline: new Date(Date.UTC(2025, 0, 1, 0, 0, 3)) }]) {
      const clock = new FakeClock();
      const run = runHandler(wait, { inputs: {}, clock, ...options });
      await run.progressed();
      await clock.advance(2_999);
      await clock.advance(1);
      expect(await run).toMatchObject({ durationMs: 3_000, error: { code: 5002 } });
    }
  });

  it("is given up after the grace when its handler ignores the signal", async () => {
    const deaf = defineHandler({
      kind: "deaf",
      version: "1.0.0",
      run: async (_, ctx) => {
        await ctx.progress(1);
        await new Promise(() => undefined);
      },
    });
    const run = runHandler(deaf, { inputs: {}, abortGraceMs: 20 });
    await run.progressed();
    run.cancel();
    expect((await run).error).toMatchObject({ code: 5001 });
  });

  it("removes its scratch directory", async () => {
    const scratch = defineHandler<object, { folder: string }>({
      kind: "scratch",
      version: "1.0.0",
      run: async (_, ctx) => ({ folder: await ctx.scratchDir() }),
    });
    const { outputs } = await runHandler(scratch, { inputs: {} });
    await expect(writeFile(join(outputs.folder, "x"), "")).rejects.toThrow(/ENOENT/);
  });
});
