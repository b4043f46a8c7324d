import { EXIT, type Registry, StartupError } from "@subnet-worker/kit";
import type { Engine } from "@subnet-worker/wasm";
import type { Handler } from "@subnet-worker/wep-sdk";
import { engineOptionsOf, type WasmConfig } from "./wasm-config.ts";
import { createFetchModule, createSend } from "./wasm-egress.ts";
import { createWasmExecute } from "./wasm-execute.ts";
import { createWasmMetrics } from "./wasm-metrics.ts";

/** The built-in handler of WebAssembly, and the engine below it. */
export interface OpenWasm extends AsyncDisposable {
  readonly handler: Handler;
}

/**
 * Opens the engine that the configuration describes. Disposing it ends its threads.
 *
 * @param engine instead of one of its own; it is the caller's to dispose
 * @throws {StartupError} exit code 78 for a folder of modules that cannot be used
 */
export async function openWasm(
  config: WasmConfig,
  { metrics: registry, engine }: { readonly metrics: Registry; readonly engine?: Engine | undefined },
): Promise<OpenWasm> {
  await using stack = new AsyncDisposableStack();
  const own = engine ?? stack.use(await createOwnEngine(config));
  const metrics = createWasmMetrics(registry, () => own.stats);
  const handler = createWasmExecute(config, {
    engine: own,
    metrics,
    fetchModule: createFetchModule(config),
    send: createSend(config),
  });
  const owned = stack.move();
  return { handler, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function createOwnEngine(config: WasmConfig): Promise<Engine> {
  // Loaded where it is wanted: a worker without it need not wait for it.
  const { checkCacheFolder, createEngine, WasmError } = await import("@subnet-worker/wasm");
  const { folder } = config.cache;
  try {
    if (folder !== "") checkCacheFolder(folder);
  } catch (error) {
    if (!(error instanceof WasmError)) throw error;
    throw new StartupError(EXIT.badConfig, `wasm.cache.folder: ${error.message}`, { cause: error });
  }
  return createEngine(engineOptionsOf(config));
}
