import { create } from "@bufbuild/protobuf";
import { type Clock, systemClock } from "@subnet-worker/kit/clock";
import { InputDescriptorSchema, OutputDescriptorSchema, TaskAssignmentSchema } from "@subnet-worker/protocol";
import type { ActivityParam } from "../activity.ts";
import { inlineCheckpointRef } from "../checkpoint.ts";
import { type CancelReason, isCancelledError, WepError } from "../errors.ts";
import { type ActivityHandler, type Handler, isHandler } from "../handler.ts";
import { type Middleware, withMiddleware } from "../middleware.ts";
import { MemoryStore, type TestContent } from "./memory-store.ts";
import { TestHost } from "./test-host.ts";
import {
  type ActivityInputs,
  type ActivityOutputs,
  type PlainInputs,
  type PlainOutputs,
  type SentInput,
  sentInputs,
} from "./test-inputs.ts";
import { type TestRun, toTestRun } from "./test-run.ts";

/** How a handler is run in a test; everything may be left out. */
export interface RunHandlerOptions {
  /** Inputs that are objects, as their content, by name. */
  readonly files?: Readonly<Record<string, TestContent>>;
  /** Other objects in storage, by key, that the handler reads with `ctx.download`. */
  readonly objects?: Readonly<Record<string, TestContent>>;
  /** ABI types of inputs by name, for handlers of no activity: `{ total: "uint256" }`. */
  readonly types?: Readonly<Record<string, string>>;
  /** What the activity's spec declares as outputs, for handlers of no activity. Default: nobody says. */
  readonly declares?: readonly ActivityParam[];
  /** What the workflow was started with. Default nothing. */
  readonly workflowInputs?: Readonly<Record<string, unknown>>;
  /** What `ctx.loadCheckpoint` finds. Default nothing. */
  readonly checkpoint?: unknown;
  /** What `ctx.checkpoint` is, where the handler reports text with `ctx.progress`. Default nothing. */
  readonly checkpointRef?: string;
  /** Default 1, or 2 with a checkpoint. */
  readonly attempt?: number;
  /** What `ctx.metadata` is. Default empty. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** After this nobody wants the result, and the run is stopped. Default never. */
  readonly deadline?: Date;
  /** The run is stopped this long after its start; 0: never. Default 600_000. */
  readonly timeoutMs?: number;
  /** How long a handler that was stopped may take to return. Default 5_000. */
  readonly abortGraceMs?: number;
  /** Cancels the run when it aborts: with the reason of a `CancelledError`, else as `requested`. */
  readonly signal?: AbortSignal;
  /** Time as the run sees it; a `FakeClock` stands still until it is advanced. Default the machine's. */
  readonly clock?: Clock;
  /** Around the handler, as `serve({ use })` has it. Default nothing. */
  readonly use?: readonly Middleware[];
  /** Log lines to keep: from here on. Default `info`. */
  readonly logLevel?: "debug" | "info";
}

/** A run under test: a promise of what it came to, and the means to stop it before. */
export interface RunningTest<O> extends Promise<TestRun<O>> {
  /** Stops the run, as a worker client or a shutdown does. Default `requested`. */
  cancel(this: void, reason?: CancelReason): void;
  /** Resolves when the handler has made so many reports of progress, or the run is over. Default 1. */
  progressed(this: void, count?: number): Promise<void>;
}

/**
 * Runs a handler as a worker does, in this process: inputs are encoded, checked and decoded,
 * middleware and handler run, outputs are checked, objects are read and written (in memory,
 * through URLs of this machine), and how it ended is told as the worker client would hear it.
 * Never rejects because of what the handler does.
 *
 * Inputs are plain values. An object is given as its content: text, bytes or `{ path }`, for
 * handlers of an activity among the inputs, for others in `files`.
 *
 * @throws {WepError} INVALID_HANDLER for what `defineHandler` did not make, INVALID_OPTION for an input
 *   that cannot travel
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { test } from "node:test";
 * import { defineHandler, type InputFile } from "@subnet-worker/wep-sdk";
 * import { runHandler } from "@subnet-worker/wep-sdk/testing";
 *
 * const count = defineHandler<{ text: InputFile; limit: number }, { words: number }>({
 *   kind: "demo.count",
 *   version: "1.0.0",
 *   async run({ text, limit }) {
 *     const words = new TextDecoder().decode(await text.bytes()).split(/\s+/);
 *     return { words: Math.min(words.length, limit) };
 *   },
 * });
 *
 * test("counts words", async () => {
 *   const run = await runHandler(count, { inputs: { limit: 10 }, files: { text: "to be or not" } });
 *   assert.equal(run.outputs.words, 4);
 * });
 * ```
 */
export function runHandler<I, O>(
  handler: ActivityHandler<I, O>,
  options: RunHandlerOptions & { readonly inputs: ActivityInputs<I> },
): RunningTest<ActivityOutputs<O>>;
export function runHandler<I, O, Sent>(
  handler: Handler<I, O, Sent>,
  options: RunHandlerOptions & { readonly inputs: PlainInputs<Sent> },
): RunningTest<PlainOutputs<O>>;
export function runHandler(
  handler: Handler,
  options: RunHandlerOptions & { readonly inputs: object },
): RunningTest<unknown> {
  return startRun(handler, options, async (store) => {
    const { activity } = handler;
    const { files = {}, types = {}, workflowInputs = {}, objects = {} } = options;
    for (const [objectKey, content] of Object.entries(objects)) store.put(objectKey, content);
    const values = options.inputs as Readonly<Record<string, unknown>>;
    return {
      inputs: await sentInputs({ values, files, types, activity }, store),
      workflowInputs: await sentInputs(
        { values: workflowInputs, files: {}, types, activity: undefined },
        store,
      ),
      outputs: activity?.outputs ?? options.declares,
    };
  });
}

/** What a run is given, once the store is there. */
export interface PreparedRun {
  readonly inputs: readonly SentInput[];
  readonly workflowInputs: readonly SentInput[];
  readonly outputs: readonly ActivityParam[] | undefined;
  /** Default: those of a test. */
  readonly ids?: { readonly activityId: string; readonly runId: string; readonly workflowInstanceId: string };
  readonly uploadPrefix?: string;
  readonly resultByReference?: boolean;
}

/** Starts a run of a handler with what `prepare` gives it. */
export function startRun<O>(
  handler: Handler,
  options: RunHandlerOptions,
  prepare: (store: MemoryStore) => Promise<PreparedRun>,
): RunningTest<O> {
  if (!isHandler(handler)) {
    throw new WepError("INVALID_HANDLER", "runHandler() takes what defineHandler() returned");
  }
  const started = Promise.withResolvers<TestHost>();
  started.promise.catch(() => undefined);
  const cancel = (reason: CancelReason = "requested") => {
    void started.promise.then(
      (host) => host.stop(reason),
      () => undefined,
    );
  };
  const result = (async () => {
    await using store = new MemoryStore();
    const prepared = await prepare(store).catch((error: unknown) => {
      started.reject(error);
      throw error;
    });
    const host = hostOf({ handler, options, prepared, store });
    const startMs = host.clock.monotonicMs();
    using _ = keepAlive();
    using __ = onAbort(options.signal, cancel);
    const running = host.run();
    started.resolve(host);
    const outcome = await running;
    const durationMs = host.clock.monotonicMs() - startMs;
    return await toTestRun<O>({ host, store, outcome, durationMs, outputs: prepared.outputs });
  })();
  return Object.assign(result, {
    cancel,
    progressed: async (count = 1) => (await started.promise).progressed(count),
  });
}

function hostOf(run: {
  readonly handler: Handler;
  readonly options: RunHandlerOptions;
  readonly prepared: PreparedRun;
  readonly store: MemoryStore;
}): TestHost {
  const { handler, options, prepared, store } = run;
  const { use = [], clock = systemClock, logLevel = "info" } = options;
  const { timeoutMs = 600_000, abortGraceMs = 5_000 } = options;
  return new TestHost({
    handler: withMiddleware(handler, use),
    assignment: assignmentOf(handler, options, prepared),
    clock,
    store,
    logLevel,
    timeoutMs,
    abortGraceMs,
  });
}

const TEST_IDS = { activityId: "test-activity", runId: "test-run", workflowInstanceId: "test-workflow" };

function assignmentOf(handler: Handler, options: RunHandlerOptions, prepared: PreparedRun) {
  const { checkpoint, checkpointRef, metadata = {}, deadline } = options;
  const ref = checkpointRef ?? (checkpoint === undefined ? "" : inlineCheckpointRef(checkpoint));
  const { attempt = ref === "" ? 1 : 2 } = options;
  const { inputs, workflowInputs, outputs = [], ids = TEST_IDS } = prepared;
  const { uploadPrefix = `runs/test-workflow/test-activity/${attempt}/` } = prepared;
  return create(TaskAssignmentSchema, {
    ...ids,
    taskKind: handler.kind,
    taskVersion: handler.version,
    inputs: inputs.map(toDescriptor),
    workflowInputs: workflowInputs.map(toDescriptor),
    outputs: outputs.map((param) =>
      create(OutputDescriptorSchema, {
        name: param.name,
        abiType: param.type,
        mediaType: param.mediaType ?? "",
        isObjectKey: param.isObjectKey ?? false,
        maxBytes: BigInt(param.maxBytes ?? 0),
      }),
    ),
    uploadPrefix,
    attempt,
    checkpointRef: ref,
    metadata,
    deadlineUnixMs: BigInt(deadline?.getTime() ?? 0),
    resultByReference: prepared.resultByReference ?? false,
  });
}

function toDescriptor(input: SentInput) {
  return create(InputDescriptorSchema, { ...input, maxBytes: BigInt(input.maxBytes) });
}

/** A test runner ends when nothing but waiting is left, and a run may be no more than that. */
function keepAlive(): Disposable {
  const over = new AbortController();
  void systemClock.sleep(2 ** 31 - 1, over.signal);
  return { [Symbol.dispose]: () => over.abort() };
}

function onAbort(signal: AbortSignal | undefined, cancel: (reason: CancelReason) => void): Disposable {
  const abort = () => cancel(isCancelledError(signal?.reason) ? signal.reason.reason : "requested");
  if (signal?.aborted === true) abort();
  signal?.addEventListener("abort", abort, { once: true });
  return { [Symbol.dispose]: () => signal?.removeEventListener("abort", abort) };
}
