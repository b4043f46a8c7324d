import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { Readable } from "node:stream";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createDeferred } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import { currentRun, defineHandler, maybeCurrentRun, RetryableError, type RunContext } from "../index.ts";
import { FakeClock, runHandler } from "./index.ts";

/** Collects garbage, and lets be told who waits for that. */
async function collectGarbage(): Promise<void> {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  setFlagsFromString("--no-expose-gc");
  await new Promise((resolve) => void setImmediate(resolve));
}

describe("the context of a run", () => {
  it("saves checkpoints, small and large, that the next attempt loads", async () => {
    const steps = defineHandler<{ size: number }, { from: unknown }>({
      kind: "steps",
      version: "1.0.0",
      async run({ size }, ctx) {
        const from = await ctx.loadCheckpoint<{ step: number }>();
        void ctx.progress(30, "at work");
        for (let step = 1; step <= 3; step += 1) {
          await ctx.saveCheckpoint({ step, pad: "x".repeat(size) });
        }
        return { from: from?.step ?? null };
      },
    });
    const small = await runHandler(steps, { inputs: { size: 1 } });
    expect(small.checkpoints).toEqual([1, 2, 3].map((step) => ({ step, pad: "x" })));
    expect(small.uploads.size).toBe(0);
    expect(small.progress.at(-1)).toMatchObject({ percent: 30, message: "at work" });
    const large = await runHandler(steps, { inputs: { size: 5_000 }, checkpoint: { step: 9 } });
    expect(large.outputs.from).toBe(9);
    expect(large.checkpoints).toMatchObject([{ step: 1 }, { step: 2 }, { step: 3 }]);
    expect([...large.uploads.keys()].toSorted()).toEqual(["checkpoint-1.json", "checkpoint-2.json"]);
    expect(large.uploads.get("checkpoint-1.json")?.json()).toMatchObject({ step: 3 });
    const ref = large.progress.at(-1)!.checkpoint;
    const objects = { [ref.slice("json@".length)]: JSON.stringify({ step: 3 }) };
    const next = await runHandler(steps, { inputs: { size: 1 }, checkpointRef: ref, objects });
    expect(next.outputs.from).toBe(3);
  });

  it.each([
    ["an object that is gone", "json@runs/a/b/1/checkpoint-1.json"],
    ["what is no JSON", "json:{"],
    ["a text that was reported with progress", "frame 7"],
  ])("begins anew with a checkpoint that is %s, and says so", async (_, checkpointRef) => {
    const load = defineHandler({
      kind: "load",
      version: "1.0.0",
      run: async (_, ctx) => ({
        loaded: (await ctx.loadCheckpoint()) === undefined,
        ref: ctx.checkpoint ?? null,
        attempt: ctx.attempt,
      }),
    });
    const run = await runHandler(load, { inputs: {}, checkpointRef });
    expect(run.outputs).toEqual({ loaded: true, ref: checkpointRef, attempt: 2 });
    expect(run.log).toMatchObject([{ level: "warn", msg: expect.stringMatching(/begins anew/) as string }]);
  });

  it("refuses a checkpoint without a JSON form", async () => {
    for (const value of [undefined, 5n]) {
      const save = defineHandler({
        kind: "save",
        version: "1.0.0",
        run: async (_, ctx) => {
          await ctx.saveCheckpoint(value);
        },
      });
      const run = await runHandler(save, { inputs: {} });
      expect(run.error?.message).toMatch(/\[INVALID_CHECKPOINT\]/);
    }
  });

  it("retries within the time that is left, and no longer", async () => {
    const clock = new FakeClock();
    const calls: number[] = [];
    const retrying = defineHandler({
      kind: "retrying",
      version: "1.0.0",
      run: async (_, ctx) => {
        await ctx.progress(1);
        await ctx.retry(
          () => {
            calls.push(ctx.timeLeftMs());
            throw new RetryableError("down", { retryAfterMs: 400 });
          },
          { initialMs: 1 },
        );
      },
    });
    const run = runHandler(retrying, { inputs: {}, clock, timeoutMs: 1_000 });
    await run.progressed();
    for (let turn = 0; turn < 5; turn += 1) await clock.advance(400);
    const { error, durationMs } = await run;
    expect([error?.message, error?.retryable, durationMs]).toEqual(["down", true, 800]);
    expect(calls).toEqual([1_000, 600, 200]);
  });

  it("bounds a step with within(), which leaves no timer behind", async () => {
    const clock = new FakeClock();
    const step = defineHandler<{ ms: number }>({
      kind: "step",
      version: "1.0.0",
      run: async ({ ms }, ctx) => {
        await ctx.progress(1);
        const signal = ctx.within(ms);
        await clock.sleep(500, signal);
        signal.throwIfAborted();
        return {};
      },
    });
    const short = runHandler(step, { inputs: { ms: 200 }, clock });
    await short.progressed();
    await clock.advance(200);
    expect((await short).error).toMatchObject({
      code: 3002,
      retryable: true,
      message: /longer than the 200 ms/,
    });
    const long = runHandler(step, { inputs: { ms: 900 }, clock, timeoutMs: 0 });
    await long.progressed();
    await clock.advance(500);
    expect(await long).toMatchObject({ status: "success" });
    expect(clock.pendingCount).toBe(0);
    const cancelled = runHandler(step, { inputs: { ms: 900 }, clock });
    await cancelled.progressed();
    cancelled.cancel("lease_lost");
    expect((await cancelled).error).toMatchObject({ code: 5001, message: /lease_lost/ });
  });

  it("bounds as many steps as there are with a bounded number of timers", async () => {
    const clock = new FakeClock();
    const fired: string[] = [];
    const steps = defineHandler({
      kind: "steps",
      version: "1.0.0",
      run: async (_, ctx) => {
        let mostPending = 0;
        for (let step = 0; step < 5_000; step += 1) {
          ctx.within(step % 2 === 0 ? 3_600_000 : 60_000 + step).throwIfAborted();
          await clock.advance(2);
          mostPending = Math.max(mostPending, clock.pendingCount);
        }
        ctx.within(1_000).addEventListener("abort", () => fired.push("listened to"));
        const made = AbortSignal.any([ctx.within(1_000)]);
        await collectGarbage();
        await clock.advance(1_000 + 1_000 / 32);
        expect(made.reason).toMatchObject({ code: 3002, message: /longer than the 1000 ms/ });
        expect(ctx.within(Infinity).aborted).toBe(false);
        return { fired, mostPending };
      },
    });
    const run = await runHandler(steps, { inputs: {}, clock, timeoutMs: 0 });
    expect(run).toMatchObject({ status: "success", outputs: { fired: ["listened to"] } });
    expect(run.outputs.mostPending).toBeLessThan(400);
    expect(clock.pendingCount).toBe(0);
  });

  it("has metrics of the handler's own", async () => {
    const measuring = defineHandler({
      kind: "measuring",
      version: "1.0.0",
      run: (_, { metrics }) => {
        metrics.counter("pages_total").inc(2);
        metrics.counter("pages_total").inc();
        metrics.gauge("depth").set(4);
        metrics.histogram("page_bytes").observe(10);
      },
    });
    const run = await runHandler(measuring, { inputs: {} });
    expect(run.metrics.get("pages_total")).toEqual({ type: "counter", value: 3, values: [2, 1] });
    expect(run.metrics.get("depth")?.value).toBe(4);
    expect(run.metrics.get("page_bytes")?.values).toEqual([10]);
  });

  it("is found from anywhere below the handler, by each run its own, and nowhere else", async () => {
    const below = async () => {
      await new Promise((resolve) => setImmediate(resolve));
      return currentRun().attempt;
    };
    const deep = defineHandler({
      kind: "deep",
      version: "1.0.0",
      run: async () => ({ attempt: await below() }),
    });
    const runs = await Promise.all([1, 2, 3].map((attempt) => runHandler(deep, { inputs: {}, attempt })));
    expect(runs.map(({ outputs }) => outputs["attempt"])).toEqual([1, 2, 3]);
    expect(maybeCurrentRun()).toBeUndefined();
    expect(() => currentRun()).toThrow(/\[NO_RUN\] currentRun\(\) was called outside of a handler/);
  });
});

describe("a sloppy handler", () => {
  const run = (work: (ctx: RunContext) => unknown) =>
    runHandler(defineHandler({ kind: "sloppy", version: "1.0.0", run: (_, ctx) => work(ctx) }), {
      inputs: {},
    });

  it("reports progress that can travel, whatever it says", async () => {
    const { progress } = await run(async (ctx) => {
      await ctx.progress(40, "at work");
      await ctx.progress("50%" as unknown as number, 7 as unknown as string);
      await ctx.progress(60, "x".repeat(5_000_000));
    });
    expect(progress.map(({ percent, message }) => [percent, message.length])).toEqual([
      [40, 7],
      [40, 1],
      [60, 4_099],
    ]);
  });

  it.each([
    ["long", "x".repeat(65_537), /at most 65536 characters; save it with ctx\.saveCheckpoint/],
    ["no text", { frame: 7 }, /is text; save a value with ctx\.saveCheckpoint/],
  ])("is told at once of a checkpoint that is %s", async (_, checkpoint, message) => {
    const { error } = await run((ctx) => ctx.progress(1, "", { checkpoint: checkpoint as string }));
    expect(error?.message).toMatch(message);
  });

  it.each<[string, Parameters<RunContext["upload"]>, RegExp]>([
    ["a number", ["x", 42 as never, { mediaType: "a/b" }], /upload "x": its body is 42; give text/],
    ["null", ["x", null as never, { mediaType: "a/b" }], /its body is null/],
    ["a list", ["x", ["a"] as never, { mediaType: "a/b" }], /its body is an array of 1/],
    ["a blob", ["x", new Blob(["a"]) as never, { mediaType: "a/b" }], /its body is an object/],
    ["no options", ["x", "a", undefined as never], /mediaType is ""; give it as in/],
    ["two lines of media type", ["x", "a", { mediaType: "a/b\r\nx: y" }], /mediaType is "a\/b/],
    ["a name that is none", [5 as never, "a", { mediaType: "a/b" }], /upload name 5 is not a relative path/],
  ])("is told what is wrong with an upload of %s", async (_, given, message) => {
    const { error } = await run((ctx) => ctx.upload(...given));
    expect(error).toMatchObject({ code: 1003, message: expect.stringMatching(message) as string });
  });

  it("is told that a pipe is no file, which is not waited for", async () => {
    const { error } = await run(async (ctx) => {
      const path = join(await ctx.scratchDir(), "pipe");
      execFileSync("mkfifo", [path]);
      await ctx.upload("x", { path }, { mediaType: "a/b" });
    });
    expect(error?.message).toMatch(/pipe cannot be uploaded: it is no regular file/);
  });

  it("leaves no stream open that it could not upload", async () => {
    const streams: Readable[] = [];
    const newStream = () => {
      const stream = new Readable({ read: () => undefined });
      streams.push(stream);
      return stream;
    };
    await run((ctx) => ctx.upload("../x", newStream(), { mediaType: "a/b" }));
    const late = run(async (ctx) => {
      await ctx.progress(1);
      await once(ctx.signal, "abort");
      await ctx.upload("x", newStream(), { mediaType: "a/b" });
    });
    await late.progressed();
    late.cancel();
    await late;
    const hung = run(async (ctx) => {
      const upload = ctx.upload("x", newStream(), { mediaType: "a/b" });
      await ctx.progress(1);
      await upload;
    });
    await hung.progressed();
    hung.cancel();
    await hung;
    expect(streams.map(({ destroyed }) => destroyed)).toEqual([true, true, true]);
  });

  it("gets nothing for a run that is over", async () => {
    const over = createDeferred();
    const late: Promise<unknown>[] = [];
    await run((ctx) => {
      const after = (work: () => Promise<unknown>) =>
        late.push(over.promise.then(work).catch((error: unknown) => String(error)));
      after(() => ctx.scratchDir());
      after(() => ctx.upload("x", "a", { mediaType: "a/b" }));
      after(() => ctx.download("inputs/x").bytes());
    });
    over.resolve();
    for (const error of await Promise.all(late)) expect(error).toMatch(/the handler returned before this/);
  });
});
