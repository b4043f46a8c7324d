import type { Registry } from "@subnet-worker/kit";
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
 */
export async function openWasm(
  config: WasmConfig,
  { metrics: registry, engine }: { readonly metrics: Registry; readonly engine?: Engine | undefined },
): Promise<OpenWasm> {
  await using stack = new AsyncDisposableStack();
  // Loaded where it is wanted: a worker without it need not wait for it.
  const own =
    engine ?? stack.use((await import("@subnet-worker/wasm")).createEngine(engineOptionsOf(config)));
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
