import {
  createLogger,
  createRegistry,
  EXIT,
  type Logger,
  type Registry,
  StartupError,
  systemClock,
} from "@subnet-worker/kit";
import type { Engine } from "@subnet-worker/wasm";
import { type Handler, serve, type ServeOptions, WepError } from "@subnet-worker/wep-sdk";
import type { Config } from "./config.ts";
import { loadHandlers } from "./handler-modules.ts";
import { openTracing } from "./open-tracing.ts";
import { readableLog } from "./readable-log.ts";
import { checkSpecs } from "./specs.ts";
import { openWasm } from "./wasm/open-wasm.ts";

export interface App extends AsyncDisposable {
  /** Serves until `signal` aborts, then drains. */
  run(signal: AbortSignal): Promise<void>;
}

/** Parts that a test may replace. */
export interface Overrides {
  readonly logger?: Logger;
  readonly handlers?: readonly Handler[];
  /** Of WebAssembly, where the configuration has it; the caller's to dispose. */
  readonly engine?: Engine;
  readonly clock?: NonNullable<ServeOptions["clock"]>;
}

/**
 * Builds a WEP from its configuration and starts listening.
 *
 * @throws {StartupError} 78 for handlers that cannot be loaded and a folder that cannot be used, 75 for a port that is taken
 */
export async function compose(config: Config, overrides: Overrides = {}): Promise<App> {
  const log = overrides.logger ?? createOwnLogger(config.logging);
  await using stack = new AsyncDisposableStack();
  const tracing = await openTracing(config, { clock: overrides.clock ?? systemClock, logger: log });
  if (tracing !== undefined) stack.use(tracing);
  const metrics = createRegistry();
  const builtIn = await builtInHandlers(config, { metrics, overrides, stack });
  const server = await listen({
    ...withBuiltIn(await handlersOf(config, overrides), builtIn),
    metrics,
    checkHandlers: (found) => checkSpecs(config.specs, found, log),
    host: config.server.host,
    port: config.server.port,
    allowPlaintext: config.server.allow_plaintext,
    ...tlsOptions(config.server.tls),
    health: config.health,
    maxConcurrency: config.runtime.max_concurrency,
    tags: config.runtime.tags,
    classes: classesOf(config.runtime.classes),
    handlerTimeoutMs: config.runtime.handler_timeout_s * 1_000,
    shutdownGraceMs: config.runtime.graceful_shutdown_s * 1_000,
    protocol: { min: config.protocol.proto_min, max: config.protocol.proto_max },
    logger: log,
    ...(tracing === undefined ? {} : { tracer: tracing }),
    ...(overrides.clock === undefined ? {} : { clock: overrides.clock }),
  });
  stack.use(server); // before the last spans are sent
  const { handlers } = server;
  const names = handlers.map(({ kind, version }) => `${kind} ${version}`);
  log.info({ ...server.address, health_url: server.healthUrl, handlers: names }, "wep listening");
  if (handlers.length === 0) {
    log.warn(
      "no handlers: every assignment will be refused; name modules with --handlers or handlers.modules",
    );
  }
  const owned = stack.move();
  return {
    async run(signal) {
      using _ = guardRejections(log);
      await aborted(signal);
      await server.drain();
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function createOwnLogger({ level, json }: Config["logging"]): Logger {
  return createLogger({ name: "wep", level, ...(json ? {} : { destination: readableLog(process.stdout) }) });
}

async function handlersOf(
  { handlers: { modules }, runtime }: Config,
  overrides: Overrides,
): Promise<Pick<ServeOptions, "handlers" | "modules" | "threads">> {
  if (overrides.handlers !== undefined) return { handlers: overrides.handlers };
  if (runtime.isolation === "none") return { handlers: await loadHandlers(modules) };
  const { thread_memory_mb: memoryMb } = runtime;
  return { modules, threads: memoryMb === 0 ? {} : { memoryMb } };
}

/** Handlers of the worker's own, which run in this process: what computes has threads of its own. */
async function builtInHandlers(
  { wasm }: Config,
  {
    metrics,
    overrides: { engine },
    stack,
  }: {
    readonly metrics: Registry;
    readonly overrides: Overrides;
    readonly stack: AsyncDisposableStack;
  },
): Promise<readonly Handler[]> {
  // Disposed after the server, which waits for its runs.
  return wasm.enabled ? [stack.use(await openWasm(wasm, { metrics, engine })).handler] : [];
}

function withBuiltIn<O extends Pick<ServeOptions, "handlers">>(options: O, builtIn: readonly Handler[]): O {
  return { ...options, handlers: [...(options.handlers ?? []), ...builtIn] };
}

/** Only those that have slots. */
function classesOf(classes: Config["runtime"]["classes"]): NonNullable<ServeOptions["classes"]> {
  return Object.fromEntries(Object.entries(classes).filter(([, slots]) => slots > 0));
}

function tlsOptions(tls: Config["server"]["tls"]): Pick<ServeOptions, "tls"> {
  if (!tls.enabled) return {};
  const { cert_file: certFile, key_file: keyFile, ca_cert_file: caFile, client_names: clientNames } = tls;
  return { tls: { certFile, keyFile, caFile, ...(clientNames.length === 0 ? {} : { clientNames }) } };
}

async function listen(options: ServeOptions) {
  try {
    return await serve(options);
  } catch (error) {
    if (!(error instanceof WepError)) throw error;
    const exitCode = error.code === "ADDRESS_IN_USE" ? EXIT.tryLater : EXIT.badConfig;
    throw new StartupError(exitCode, error.message, { cause: error });
  }
}

/**
 * A handler that drops a promise would otherwise take down the process, and with
 * it the runs of all other handlers.
 */
function guardRejections(log: Logger): Disposable {
  const onRejection = (error: unknown) => {
    log.error(
      { err: error },
      "a promise was rejected and nobody awaited it; look for a missing await in a handler",
    );
  };
  process.on("unhandledRejection", onRejection);
  return { [Symbol.dispose]: () => void process.off("unhandledRejection", onRejection) };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
