import { AsyncLocalStorage } from "node:async_hooks";
import type { RunContext } from "./context.ts";
import { WepError } from "./errors.ts";

// On a well-known symbol, so that a library with a copy of its own finds the run too.
const STORAGE = Symbol.for("subnet-worker.wep-sdk.currentRun");

const storage = ((globalThis as { [STORAGE]?: AsyncLocalStorage<RunContext> })[STORAGE] ??=
  new AsyncLocalStorage<RunContext>());

/** Calls `work` so that {@link currentRun} finds `context` in it, and in all that it awaits. */
export function withinRun<T>(context: RunContext, work: () => T): T {
  return storage.run(context, work);
}

/**
 * The context of the run that is calling, from anywhere under its handler: a function
 * deep below, a middleware, a callback. Also in threads, and where several runs share one.
 *
 * @throws {WepError} NO_RUN outside of a handler; {@link maybeCurrentRun} gives `undefined` there
 * @example
 * ```ts
 * import { currentRun } from "@subnet-worker/wep-sdk";
 *
 * export function logStep(step: string): void {
 *   currentRun().log.info({ step }, "step done");
 * }
 * ```
 */
export function currentRun(): RunContext {
  const context = storage.getStore();
  if (context !== undefined) return context;
  throw new WepError(
    "NO_RUN",
    "currentRun() was called outside of a handler: when its module was loaded, or from something that a run did not start; call it under run(), or pass the context on",
  );
}

/** {@link currentRun}, or `undefined` outside of a handler. */
export function maybeCurrentRun(): RunContext | undefined {
  return storage.getStore();
}
