import { createLogger, systemClock } from "@subnet-worker/kit";
import { composeEvm } from "./compose-evm.ts";
import { readConfig } from "./config.ts";
import { Metrics } from "./metrics.ts";
import { openSigner, openWalletStore, withoutKey } from "./open.ts";
import type { TransactionLane } from "./chain-ports.ts";

/** A lane that runs, until it is disposed of. */
export interface BenchLane extends AsyncDisposable {
  readonly lane: TransactionLane;
}

export interface BenchLaneOptions {
  /** The whole configuration, as `WCP__SECTION__KEY`. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

/** The lane as the process composes it, without what claims and runs work: for benchmarks, not published. */
export async function openBenchLane(options: BenchLaneOptions): Promise<BenchLane> {
  await using stack = new AsyncDisposableStack();
  const configured = readConfig({ file: undefined, ...options });
  const clock = systemClock;
  const logger = createLogger({ name: "bench", level: configured.log.level });
  const signer = await openSigner(configured, { logger });
  const config = withoutKey(configured);
  const store = stack.use(openWalletStore(config, { wallet: signer.address, clock }));
  const stop = new AbortController();
  const { lane, services } = composeEvm({
    config,
    clock,
    logger,
    metrics: new Metrics(),
    signer,
    store,
    stop,
  });
  const running = Promise.all(services.map((service) => service.run(stop.signal)));
  running.catch(() => undefined); // disposing rejects with it
  stack.defer(async () => {
    stop.abort();
    await running;
  });
  const owned = stack.move();
  return { lane, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
