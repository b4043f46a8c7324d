import { type Clock, type Logger, runServices, type Service } from "@subnet-worker/kit";
import { StoppedError } from "../ports.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { Gates } from "./gates.ts";
import type { Reconciler } from "./reconciler.ts";

export interface LifeDeps {
  readonly gates: Gates;
  readonly dispatcher: Dispatcher;
  readonly reconciler: Reconciler;
  readonly services: readonly Service[];
  /** Aborting it ends everything that waits on the chain or runs. */
  readonly stop: AbortController;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The process from start to end: gates, a first reconciliation, services; when asked to stop, a drain and then the end. */
export class Life {
  readonly #drainMs: number;
  readonly #deps: LifeDeps;
  #started = false;
  #isStopping = false;

  /** `drainMs`: how long activities under way may take to settle. What is left goes on at the next start. */
  constructor(options: { readonly drainMs: number }, deps: LifeDeps) {
    this.#drainMs = options.drainMs;
    this.#deps = deps;
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** Runs until `signal` aborts and the drain is over. @throws {StartupError} when a gate refuses */
  async run(signal: AbortSignal): Promise<void> {
    const { gates, reconciler, stop, logger } = this.#deps;
    const stopping = () => void this.#drain();
    signal.addEventListener("abort", stopping, { once: true });
    try {
      await gates.pass(signal);
      if (!signal.aborted) await reconciler.start(signal);
      this.#started = !signal.aborted;
      if (this.#started) await runServices(this.#untilOneFails(), stop.signal);
    } catch (error) {
      if (!signal.aborted || !isStop(error)) throw faultOf(error);
    } finally {
      signal.removeEventListener("abort", stopping);
      stop.abort();
    }
    logger.info("stopped");
  }

  /** A service that fails aborts what others wait for on the chain, or they would wait for an endpoint that is down. */
  #untilOneFails(): readonly Service[] {
    const { services, stop } = this.#deps;
    return services.map((service) => ({
      name: service.name,
      run: async (signal) => {
        try {
          await service.run(signal);
        } catch (error) {
          stop.abort();
          throw error;
        }
      },
    }));
  }

  async #drain(): Promise<void> {
    const { dispatcher, stop, clock, logger } = this.#deps;
    this.#isStopping = true;
    logger.info(
      { inflight: dispatcher.undelivered, deadline_ms: this.#drainMs },
      "stopping: no new claims, settling what is under way",
    );
    if (this.#started) await Promise.race([dispatcher.drain(), clock.sleep(this.#drainMs, stop.signal)]);
    if (dispatcher.undelivered > 0) {
      logger.warn(
        { inflight: dispatcher.undelivered },
        "stopping with activities under way; they are stored and go on at the next start",
      );
    }
    stop.abort();
  }
}

/** Several services may be stopped in the middle of a call. */
function isStop(error: unknown): boolean {
  return error instanceof AggregateError ? error.errors.every(isStop) : error instanceof StoppedError;
}

/** What ended the process, without those that were stopped by it. */
function faultOf(error: unknown): unknown {
  if (!(error instanceof AggregateError)) return error;
  const faults = (error.errors as readonly unknown[]).filter((each) => !isStop(each));
  return faults.length === 1 ? faults[0] : error;
}
