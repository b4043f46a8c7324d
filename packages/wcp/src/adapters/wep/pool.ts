import type { Service } from "@subnet-worker/kit";
import type { Executor, Slot, SlotWish } from "../../ports.ts";
import { type EndpointDeps, type EndpointOptions, WepEndpoint } from "./endpoint.ts";

export interface PoolOptions extends Omit<EndpointOptions, "url"> {
  readonly urls: readonly string[];
}

/** All WEPs of this node. Picks the one with the most room among those able. */
export class WepPool implements Executor, Service {
  readonly name = "wep-pool";
  readonly #endpoints: readonly WepEndpoint[];
  readonly #listeners = new Set<() => void>();

  constructor(options: PoolOptions, deps: Omit<EndpointDeps, "onCapacity">) {
    const onCapacity = () => {
      for (const listener of this.#listeners) listener();
    };
    this.#endpoints = options.urls.map(
      (url) => new WepEndpoint({ ...options, url }, { ...deps, onCapacity }),
    );
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#endpoints.map((endpoint) => endpoint.run(signal)));
  }

  reserve(wish: SlotWish): Slot | undefined {
    const able = this.#endpoints.filter((endpoint) => endpoint.canRun(wish));
    const home = this.#endpoints.find((endpoint) => endpoint.url === wish.executor);
    if (home !== undefined && able.includes(home)) return home.take();
    if (home?.isExpectedBack === true) return undefined;
    const [best] = able.filter((endpoint) => endpoint.free > 0).toSorted((a, b) => b.free - a.free);
    return best?.take();
  }

  onCapacity(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  cancel(taskId: string, reason: string): void {
    for (const endpoint of this.#endpoints) endpoint.cancel(taskId, reason);
  }

  notReady(): readonly string[] {
    const failures = this.#endpoints.flatMap((endpoint) => endpoint.failure ?? []);
    return failures.length === this.#endpoints.length ? failures : [];
  }

  /** Counts for metrics. */
  stats(): { readonly connected: number; readonly slotsInUse: number; readonly slotsFree: number } {
    return {
      connected: this.#endpoints.filter((endpoint) => endpoint.isReady).length,
      slotsInUse: this.#endpoints.reduce((sum, endpoint) => sum + endpoint.inUse, 0),
      slotsFree: this.#endpoints.reduce((sum, endpoint) => sum + endpoint.free, 0),
    };
  }
}
