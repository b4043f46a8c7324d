/** A long-running part of a process. */
export interface Service {
  /** Short and stable: it names the service in logs. */
  readonly name: string;
  /** Runs until `signal` aborts, then resolves. A rejection is a fault and stops the process. */
  run(signal: AbortSignal): Promise<void>;
  /** Finishes what is under way and starts nothing new. Called before `signal` aborts. */
  drain?(): Promise<void>;
}

/**
 * Runs services together. The first to fail, or to stop before it is asked to,
 * stops the others; its error is thrown once all have ended. Several failures
 * become one AggregateError.
 */
export async function runServices(services: readonly Service[], signal: AbortSignal): Promise<void> {
  const stop = new AbortController();
  const stopped = AbortSignal.any([signal, stop.signal]);
  const runs = services.map(async (service) => {
    try {
      await service.run(stopped);
      if (!stopped.aborted) throw new Error(`service ${service.name} ended by itself`);
    } finally {
      stop.abort();
    }
  });
  const failures = (await Promise.allSettled(runs))
    .filter((outcome) => outcome.status === "rejected")
    .map((outcome): unknown => outcome.reason);
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) throw new AggregateError(failures, `${failures.length} services failed`);
}
