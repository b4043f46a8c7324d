import { StoppedError } from "../ports.ts";

/**
 * Work started in the background by a service that must not end before it, and
 * whose failure is the service's own. Work that ends with StoppedError has not failed.
 */
export class TaskGroup {
  readonly #running = new Set<Promise<void>>();
  readonly #failure = Promise.withResolvers<never>();

  constructor() {
    // Also when nobody waits on it just now, a failure is not an unhandled rejection: `run` rethrows it.
    this.#failure.promise.catch(() => undefined);
  }

  get size(): number {
    return this.#running.size;
  }

  start(work: () => Promise<void>): void {
    const running = work()
      .catch((error: unknown) => {
        if (!(error instanceof StoppedError)) this.#failure.reject(error);
      })
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Waits for `main`, then for all that was started; rejects at the first failure of either. */
  async run(main: Promise<void>): Promise<void> {
    await Promise.race([main, this.#failure.promise]);
    await this.idle();
    await Promise.race([Promise.resolve(), this.#failure.promise]);
  }

  /** Resolves when nothing runs. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}
