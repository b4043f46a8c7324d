import { isAbsolute } from "node:path";
import { createLogger, type Logger, systemClock } from "@subnet-worker/kit";
import { WepError } from "../errors.ts";
import { type Handler, isHandler } from "../handler.ts";
import { withMiddleware } from "../middleware.ts";
import type { ServeOptions } from "../server-options.ts";
import { resolveSettings, type Settings } from "../settings.ts";
import { infosOf } from "./handler-info.ts";
import type { ThreadPool } from "./thread-pool.ts";

/** Options whose handlers are all there, wherever they run. */
export interface CompleteOptions extends ServeOptions {
  readonly handlers: readonly Handler[];
  readonly logger: Logger;
  /** Where the handlers of modules run; `undefined` without modules. */
  readonly pool: ThreadPool | undefined;
}

/**
 * Loads the modules of a server into threads. The threads are `stack`'s to end.
 *
 * @throws {WepError} when a module cannot be loaded, INVALID_OPTION, and what `checkHandlers` throws
 */
export async function withModules(
  options: ServeOptions,
  stack: AsyncDisposableStack,
): Promise<CompleteOptions> {
  const { modules = [], use = [], logger = createLogger({ name: "wep" }) } = options;
  if (modules.length > 0 && use.length > 0) {
    throw new WepError(
      "INVALID_OPTION",
      "use is for handlers in this thread, and there are modules: export the middleware from each module, as a list named use",
    );
  }
  const own = (options.handlers ?? []).map((handler) =>
    isHandler(handler) ? withMiddleware(handler, use) : handler,
  );
  const pool = modules.length === 0 ? undefined : await openPool(modules, { ...options, logger });
  stack.use(pool);
  const handlers = [...(pool?.handlers ?? []), ...own];
  options.checkHandlers?.(infosOf(handlers));
  return { ...options, handlers, logger, pool };
}

/** As many as there can be runs that have one each. */
export function threadsOf({ maxConcurrency, classes }: Pick<Settings, "maxConcurrency" | "classes">): number {
  const sharing = classes.find(({ name }) => name === "io")?.slots ?? 0;
  return Math.max(1, maxConcurrency - sharing);
}

async function openPool(
  modules: readonly string[],
  options: ServeOptions & { readonly logger: Logger },
): Promise<ThreadPool> {
  const relative = modules.find((path) => !isAbsolute(path));
  if (relative !== undefined) {
    throw new WepError("INVALID_OPTION", `modules: ${relative} is a relative path; make it absolute`);
  }
  const settings = resolveSettings(options);
  const { transfer, progressIntervalMs } = settings;
  const { logger: log, clock = systemClock, threads } = options;
  const maxIdle = threadsOf(settings);
  // A server without modules starts sooner without it.
  const threading = await import("./thread-pool.ts");
  return await threading.ThreadPool.open(
    { maxIdle, ...threads, modules, transfer, progressIntervalMs },
    { log, clock },
  );
}
