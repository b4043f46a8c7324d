// Handlers as a partner writes them: a module of its own, which runs in a thread or in the process.
import { writeFileSync } from "node:fs";
import { access, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isMainThread, threadId } from "node:worker_threads";
import { systemClock } from "@subnet-worker/kit";
import {
  defineHandler,
  type InputFile,
  isCancelledError,
  isInputFile,
  RetryableError,
  TerminalError,
} from "../src/index.ts";

const version = "1.0.0";

/** Everything a run can see, as JSON. */
export const describe = defineHandler({
  kind: "see",
  version,
  run(input, ctx) {
    return {
      input: Object.fromEntries(
        Object.entries(input).map(([name, value]) => [
          name,
          isInputFile(value) ? `file ${value.objectKey}` : value,
        ]),
      ),
      types: Object.values(input).map((value) => (value instanceof Uint8Array ? "bytes" : typeof value)),
      activity: [ctx.activityId, ctx.runId, ctx.workflowInstanceId, ctx.kind, ctx.version],
      attempt: ctx.attempt,
      deadline_ms: ctx.deadlineMs ?? null,
      deadline: ctx.deadline?.toISOString() ?? null,
      checkpoint: ctx.checkpoint ?? null,
      metadata: ctx.metadata,
      workflow: { ...ctx.workflowInput } as Record<string, string>,
      aborted: ctx.signal.aborted,
    };
  },
});

export const large = defineHandler<{ chars: number }>({
  kind: "large",
  version,
  run: ({ chars }) => ({ text: "x".repeat(chars) }),
});

const FAILURES: Readonly<Record<string, () => unknown>> = {
  terminal: () => {
    throw new TerminalError("not a WAV file", { code: "INVALID_FORMAT", cause: new Error("no RIFF") });
  },
  retryable: () =>
    Promise.reject(new RetryableError("warming up", { code: "RESOURCE_UNAVAILABLE", retryAfterMs: 1_500 })),
  "retryable without a wish": () => Promise.reject(new RetryableError("later")),
  "any error": () => {
    throw new RangeError("index 7 of 5");
  },
  "no error": () => {
    throw "only words";
  },
  "an error without words": () => {
    throw new TypeError("");
  },
  "of another copy": () => {
    const foreign = Object.assign(new Error("from elsewhere"), { code: 2004 });
    throw Object.defineProperty(foreign, Symbol.for("subnet-worker.wep-sdk.TerminalError"), { value: true });
  },
  "no JSON": () => ({ verdict: { at: new Date(0) } }),
  "not an object": () => [1, 2],
  nothing: () => undefined,
};

export const fail = defineHandler<{ how: string }, unknown>({
  kind: "fail",
  version,
  run: ({ how }) => FAILURES[how]?.(),
});

/** Reads a file, keeps it in the scratch directory and writes an object. */
export const transfer = defineHandler<{ clip: InputFile }>({
  kind: "transfer",
  version,
  async run({ clip }, { scratchDir, upload, progress }) {
    const folder = await scratchDir();
    await clip.saveTo(join(folder, "clip"));
    await writeFile(join(folder, "more"), "more");
    await progress(50, "read");
    const object = await upload("copy.bin", { path: join(folder, "clip") }, { mediaType: "text/plain" });
    return { folder, object_key: object.objectKey, size_bytes: object.sizeBytes };
  },
});

export const checkpoints = defineHandler({
  kind: "checkpoints",
  version,
  async run(_, ctx) {
    await ctx.progress(10, "first", { checkpoint: "frame 1" });
    await ctx.progress(20, "second");
    void ctx.progress(Number.NaN, "third");
    return {};
  },
});

export const log = defineHandler({
  kind: "log",
  version,
  run(_, ctx) {
    ctx.log.info({ step: 1, secret: { password: "hush" } }, "resampling");
    ctx.log.warn({ err: new TypeError("odd") }, "odd sample");
    ctx.log.trace("not at this level");
    return {};
  },
});

/** Waits to be stopped, then tells what it was told. */
export const wait = defineHandler({
  kind: "wait",
  version,
  async run(_, ctx) {
    void ctx.progress(1, "waiting");
    await systemClock.sleep(60_000, ctx.signal);
    const { reason } = ctx.signal;
    return { cancelled: isCancelledError(reason), reason: isCancelledError(reason) ? reason.reason : "none" };
  },
});

export const give_up = defineHandler({
  kind: "give_up",
  version,
  async run(_, ctx) {
    void ctx.progress(1, "waiting");
    await systemClock.sleep(60_000, ctx.signal);
    ctx.signal.throwIfAborted();
    return {};
  },
});

/** Which thread this is, and how many runs it has had. */
let runs = 0;
export const where = defineHandler({
  kind: "where",
  version,
  run: () => ({ main: isMainThread, thread: threadId, runs: ++runs }),
});

/** As `where`, and writes a file some turns of the thread's event loop after its result has been sent. */
export const where_told = defineHandler<{ told: string }>({
  kind: "where_told",
  version,
  run: ({ told }) => {
    let turns = 0;
    const turn = () => {
      turns += 1;
      if (turns < 10) setImmediate(turn);
      else writeFileSync(told, "");
    };
    setImmediate(turn);
    return { main: isMainThread };
  },
});

export const where_io = defineHandler<{ until: string }>({
  kind: "where_io",
  version,
  class: "io",
  run: async ({ until }, ctx) => {
    void ctx.progress(1, "waiting");
    while (!(await exists(until))) {
      await systemClock.sleep(10, ctx.signal);
      ctx.signal.throwIfAborted();
    }
    return { thread: threadId };
  },
});

/** Computes without looking up, after it has said so. */
export const spin = defineHandler({
  kind: "spin",
  version,
  async run(_, ctx) {
    const folder = await ctx.scratchDir();
    await ctx.progress(5, folder, { checkpoint: "before" });
    forever();
    return {};
  },
});

export const spin_io = defineHandler({
  kind: "spin_io",
  version,
  class: "io",
  async run(_, ctx) {
    await ctx.progress(5, "spinning");
    forever();
    return {};
  },
});

export const deaf_io = defineHandler({
  kind: "deaf_io",
  version,
  class: "io",
  async run(_, ctx) {
    await ctx.progress(5, "deaf");
    await new Promise(() => undefined);
    return {};
  },
});

const CRASHES: Readonly<Record<string, () => unknown>> = {
  exit: () => process.exit(3),
  exception: () => {
    setImmediate(() => {
      throw new TypeError("nobody catches this");
    });
    return new Promise(() => undefined);
  },
  memory: () => {
    const kept: unknown[] = [];
    for (;;) kept.push(Array.from({ length: 1_000 }, (_, index) => ({ index })));
  },
  rejection: () => {
    void Promise.reject(new Error("nobody awaits this"));
    return {};
  },
};

export const crash = defineHandler<{ how: string }, unknown>({
  kind: "crash",
  version,
  async run({ how }, ctx) {
    await ctx.scratchDir();
    return CRASHES[how]?.();
  },
});

export const crash_io = defineHandler<{ how: string }, unknown>({
  kind: "crash_io",
  version,
  class: "io",
  run: ({ how }) => CRASHES[how]?.(),
});

function forever(): never {
  for (let count = 0; ; count += 1) if (count === Number.MAX_SAFE_INTEGER) count = 0;
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
