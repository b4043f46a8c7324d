import type { RunContext } from "./context.ts";
import type { Handler } from "./handler.ts";

const MIDDLEWARE: unique symbol = Symbol.for("subnet-worker.wep-sdk.Middleware");

/** What a middleware sees of a run. */
export interface MiddlewareRun {
  /** After validation: what the handler would be given. */
  readonly input: unknown;
  /** That of the run, as the handler sees it. */
  readonly ctx: RunContext;
  /** Whose run it is. Its `run` is not to be called: that is what `next` does. */
  readonly handler: Pick<Handler, "kind" | "version" | "class">;
}

/**
 * Goes on to the next middleware, and in the end to the handler.
 *
 * @param input what those are given instead of the input; left out: the input as it is
 * @returns what the handler returned
 */
export type Next = (input?: unknown) => Promise<unknown>;

/** Something around the runs of handlers; see {@link defineMiddleware}. */
export interface Middleware {
  (run: MiddlewareRun, next: Next): unknown;
  readonly [MIDDLEWARE]?: true;
}

/**
 * Makes a middleware: something that happens around the runs of handlers, for example
 * timing, a check of the tenant, or a client that is opened before and closed after.
 *
 * What it returns is the output of the run, so return what `next` gave; what it throws
 * ends the run as if the handler had thrown it, and what the handler throws comes out of
 * `next`. Inputs are validated before the first middleware and outputs after the last.
 *
 * Order, the outermost first: `serve({ use })`, or the middleware that a module exports;
 * then `use` of the handler, in its order. A module's middleware is around all handlers of
 * that module: export one, or several as a list (`export const use = [outer, inner]`);
 * single exports are taken in the alphabetical order of their names.
 *
 * @example
 * ```ts
 * import { defineMiddleware } from "@subnet-worker/wep-sdk";
 *
 * export const timed = defineMiddleware(async ({ ctx }, next) => {
 *   const startMs = performance.now();
 *   try {
 *     return await next();
 *   } finally {
 *     ctx.log.info({ took_ms: Math.round(performance.now() - startMs) }, "handler returned");
 *   }
 * });
 * ```
 */
export function defineMiddleware(around: (run: MiddlewareRun, next: Next) => unknown): Middleware {
  const middleware = (run: MiddlewareRun, next: Next) => around(run, next);
  return Object.freeze(Object.assign(middleware, { [MIDDLEWARE]: true as const }));
}

/** Whether `value` was made by {@link defineMiddleware}, of this or another installed copy. */
export function isMiddleware(value: unknown): value is Middleware {
  return typeof value === "function" && (value as Partial<Middleware>)[MIDDLEWARE] === true;
}

/** The same handler with more around it. */
export function withMiddleware(handler: Handler, use: readonly Middleware[]): Handler {
  return use.length === 0 ? handler : Object.freeze({ ...handler, use: [...use, ...(handler.use ?? [])] });
}

/** Runs a handler through its middleware. */
export function runThrough(handler: Handler, input: unknown, ctx: RunContext): unknown {
  // One that an older copy of this package made has none.
  const use = (handler as Partial<Handler>).use ?? [];
  if (use.length === 0) return handler.run(input, ctx);
  const step = async (index: number, given: unknown): Promise<unknown> => {
    const middleware = use[index];
    if (middleware === undefined) return await handler.run(given, ctx);
    return await middleware({ input: given, ctx, handler }, (changed = given) => step(index + 1, changed));
  };
  return step(0, input);
}
