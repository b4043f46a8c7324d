import type { Clock, Logger } from "@subnet-worker/kit";

/** An address as `dns.lookup` gives it. */
export interface FoundAddress {
  readonly address: string;
  readonly family: number;
}

export type Lookup = (host: string) => Promise<readonly FoundAddress[]>;

export interface NameBookOptions {
  readonly intervalMs: number;
}

export interface NameBookDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly lookup: Lookup;
  /** Addresses have changed. */
  readonly onChange: () => void;
}

interface Entry {
  addresses: readonly string[] | undefined;
  problem: string | undefined;
}

/** Host names and their addresses, looked up again over time. A resolver that fails leaves the last answer in force. */
export class NameBook {
  readonly #options: NameBookOptions;
  readonly #deps: NameBookDeps;
  readonly #entries = new Map<string, Entry>();

  constructor(options: NameBookOptions, deps: NameBookDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** Sorted; `undefined` until the name was found for the first time. */
  addresses(host: string): readonly string[] | undefined {
    return this.#entries.get(host)?.addresses;
  }

  problem(host: string): string | undefined {
    return this.#entries.get(host)?.problem;
  }

  /** Which names are wanted; new ones are looked up at once. */
  async want(hosts: ReadonlySet<string>): Promise<void> {
    for (const host of this.#entries.keys()) if (!hosts.has(host)) this.#entries.delete(host);
    const news = [...hosts].filter((host) => !this.#entries.has(host));
    for (const host of news) this.#entries.set(host, { addresses: undefined, problem: undefined });
    await this.#look(news);
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#deps.clock.sleep(this.#options.intervalMs, signal);
      if (!signal.aborted) await this.#look([...this.#entries.keys()]);
    }
  }

  async #look(hosts: readonly string[]): Promise<void> {
    const changed = await Promise.all(hosts.map((host) => this.#lookAt(host)));
    if (changed.includes(true)) this.#deps.onChange();
  }

  async #lookAt(host: string): Promise<boolean> {
    const found = await this.#ask(host);
    const entry = this.#entries.get(host);
    if (entry === undefined) return false; // no longer wanted
    if (found instanceof Error) {
      if (entry.problem === undefined) {
        const kept = entry.addresses?.length ?? 0;
        this.#deps.logger.warn(
          { host, reason: found.message, addresses: kept },
          "the name of WEPs cannot be resolved; the last answer stays in force",
        );
      }
      entry.problem = found.message;
      return false;
    }
    if (entry.problem !== undefined) this.#deps.logger.info({ host }, "the name of WEPs is resolved again");
    entry.problem = undefined;
    if (entry.addresses?.join() === found.join()) return false;
    this.#deps.logger.info({ host, addresses: found }, "addresses of WEPs");
    entry.addresses = found;
    return true;
  }

  async #ask(host: string): Promise<readonly string[] | Error> {
    try {
      const found = await this.#deps.lookup(host);
      // A host with addresses of both families is one WEP, not two; the resolver puts the better one first.
      const family = found[0]?.family;
      const addresses = found.filter((each) => each.family === family).map(({ address }) => address);
      if (addresses.length === 0) return new Error(`${host} has no address`);
      return [...new Set(addresses)].toSorted();
    } catch (error) {
      return error as Error;
    }
  }
}
