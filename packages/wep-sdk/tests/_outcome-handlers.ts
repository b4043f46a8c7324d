// Handlers that do each thing that a handler should not, and one that does its work beside them.
import { access, appendFile } from "node:fs/promises";
import { threadId } from "node:worker_threads";
import { systemClock } from "@subnet-worker/kit/clock";
import { type Activity, currentRun, defineActivity, defineHandler, defineMiddleware } from "../src/index.ts";

const version = "1.0.0";

/** Has nothing to do, and may fail after having said so. */
export const idle = defineHandler<{ thrown: string }>({
  kind: "idle",
  version,
  run({ thrown }, ctx) {
    ctx.skip("nothing new");
    if (thrown !== "") throw new Error(thrown);
    return { seen: 0 };
  },
});

/** Works until there is the file, and adds a byte to another each time that it looks. */
export const steady = defineHandler<{ until: string; ticks: string }>({
  kind: "steady",
  version,
  async run({ until, ticks: path }, ctx) {
    for (let ticks = 0; ; ticks += 1) {
      if (ticks === 1) await ctx.progress(1, "steady");
      await systemClock.sleep(10, ctx.signal);
      ctx.signal.throwIfAborted();
      await appendFile(path, ".");
      if (await exists(until)) return { ticks };
    }
  },
});

const kept: unknown[] = [];

const DEEDS: Readonly<Record<string, (signal: AbortSignal) => unknown>> = {
  throws: () => {
    throw new RangeError("index 7 of 5");
  },
  rejects: () => Promise.reject(new TypeError("no such model")),
  "rejects unawaited": () => {
    void Promise.reject(new Error("nobody awaits this"));
    return { done: true };
  },
  "throws later": () => {
    setImmediate(() => {
      throw new Error("thrown by nobody's child");
    });
    return new Promise(() => undefined);
  },
  exits: () => process.exit(3),
  "leaks a timer": () => {
    // oxlint-disable-next-line no-restricted-globals -- the very thing
    setInterval(() => kept.push(1), 5);
    return { done: true };
  },
  "tells its thread": () => ({ thread: threadId }),
  "leaks many timers": () => {
    // oxlint-disable-next-line no-restricted-globals -- the very thing
    for (let count = 0; count < 30; count += 1) setInterval(() => kept.push(1), 50);
    return { done: true };
  },
  "never returns": () => new Promise(() => undefined),
  "blocks for ever": () => {
    for (let count = 0; ; count += 1) if (count === Number.MAX_SAFE_INTEGER) count = 0;
  },
  "ignores abort": async () => {
    for (;;) await systemClock.sleep(10);
  },
  "measures without end": () => {
    const { observe } = currentRun().metrics.histogram("samples");
    for (;;) observe(1);
  },
  "logs without end": () => {
    const { log } = currentRun();
    for (;;) log.info("again");
  },
  "grows an array": () => {
    for (let count = 0; ; count += 1) kept.push(count);
  },
  "fills its heap": () => {
    for (;;) kept.push(Array.from({ length: 1_000 }, (_, index) => ({ index })));
  },
  "fills buffers": async () => {
    for (;;) {
      kept.push(Buffer.alloc(4 * 1024 * 1024, 1));
      await systemClock.sleep(1);
    }
  },
  "fills buffers without a pause": () => {
    for (;;) kept.push(Buffer.alloc(1024 * 1024, 1));
  },
  "returns a list": () => [1, 2],
  "returns what has no JSON": () => ({ at: new Date(0) }),
  "returns 50 MB": () => ({ text: "x".repeat(50 * 1024 * 1024) }),
};

export const deed = defineHandler<{ how: string }, unknown>({
  kind: "deed",
  version,
  async run({ how }, ctx) {
    await ctx.progress(1, how);
    return DEEDS[how]?.(ctx.signal);
  },
});

const SHAPE: Activity<{ readonly how: string }, { readonly words: number }> = defineActivity({
  kind: "shape",
  version,
  inputs: [{ name: "how", type: "string" }],
  outputs: [{ name: "words", type: "uint32" }],
});

export const shape = defineHandler(SHAPE, {
  run: ({ how }) => (how === "wrong type" ? { words: "many" } : { sentences: 1 }) as never,
});

export const measured = defineHandler<{ by: number }>({
  kind: "measured",
  version,
  run({ by }, { metrics }) {
    const counter = metrics.counter("steps_total", { help: "Steps that were taken." });
    for (let step = 0; step < by; step += 1) counter.inc();
    metrics.gauge("last_by").set(by);
    return { attempt: deep(), around: aroundOf() };
  },
});

let around = "";

/** Around all handlers of this module. */
export const use = [
  defineMiddleware((run, next) => {
    around = `${run.handler.kind} of ${run.ctx.runId}`;
    return next();
  }),
];

const aroundOf = (): string => around;
const deep = (): number => currentRun().attempt;

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
