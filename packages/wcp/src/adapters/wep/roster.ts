import type { Clock, Logger } from "@subnet-worker/kit";
import type { ExecutorView } from "../../ports.ts";
import type { ConnectTarget } from "./connection.ts";
import { atAddress, endpointName, hostNameOf } from "./endpoint-url.ts";
import { EndpointsFile } from "./endpoints-file.ts";
import { type Lookup, NameBook } from "./name-book.ts";

/** One WEP that is wanted in the pool. */
export interface RosterEntry {
  /** Its name everywhere. */
  readonly url: string;
  readonly target: ConnectTarget;
  readonly origin: ExecutorView["origin"];
}

export interface RosterOptions {
  /** From the configuration. */
  readonly urls: readonly string[];
  /** A file with more; empty for none. */
  readonly endpointsFile: string;
  /** Host names are resolved this often; 0 leaves names to each connection. */
  readonly dnsIntervalMs: number;
}

export interface RosterDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly lookup: Lookup;
  readonly onChange: () => void;
}

/** Which WEPs there are: from the configuration, a file, and the addresses of the names in both. */
export class Roster {
  readonly #configured: readonly string[];
  readonly #deps: RosterDeps;
  readonly #file: EndpointsFile | undefined;
  readonly #names: NameBook | undefined;
  #wanted: Promise<void> = Promise.resolve();

  constructor(options: RosterOptions, deps: RosterDeps) {
    const { clock, logger, lookup } = deps;
    this.#deps = deps;
    this.#configured = options.urls.map(endpointName);
    if (options.endpointsFile !== "") {
      const onChange = () => this.#onList();
      this.#file = new EndpointsFile(options.endpointsFile, { clock, logger, onChange });
    }
    if (options.dnsIntervalMs > 0) {
      const onChange = () => this.#deps.onChange();
      this.#names = new NameBook({ intervalMs: options.dnsIntervalMs }, { clock, logger, lookup, onChange });
    }
  }

  /** The WEPs that are known now, each once. */
  list(): readonly RosterEntry[] {
    const entries = new Map<string, RosterEntry>();
    for (const [origin, urls] of this.#sources()) {
      for (const entry of urls.flatMap((url) => this.#resolve(url, origin))) {
        if (!entries.has(entry.url)) entries.set(entry.url, entry);
      }
    }
    return [...entries.values()];
  }

  /** Whether every source has answered once: before, a WEP that is not in the list may still appear. */
  get isComplete(): boolean {
    if (this.#file?.isRead === false) return false;
    return this.#hosts().every((host) => this.#names?.addresses(host) !== undefined);
  }

  /** What keeps WEPs out of the list; for the operator. */
  problems(): readonly string[] {
    const unresolved = this.#hosts().flatMap((host) => {
      if (this.#names?.addresses(host) !== undefined) return [];
      return `WEP ${host}: its name is not resolved (${this.#names?.problem(host) ?? "not asked yet"})`;
    });
    return [...unresolved, ...(this.#file?.problem === undefined ? [] : [this.#file.problem])];
  }

  /** Follows the sources until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    this.#onList();
    await Promise.all([this.#file?.run(signal), this.#names?.run(signal)]);
    await this.#wanted;
  }

  #onList(): void {
    this.#deps.onChange();
    if (this.#names === undefined) return;
    const looked = this.#names.want(new Set(this.#hosts()));
    this.#wanted = Promise.all([this.#wanted, looked]).then(() => undefined);
  }

  #sources(): readonly (readonly ["config" | "file", readonly string[]])[] {
    return [
      ["config", this.#configured],
      ["file", this.#file?.urls ?? []],
    ];
  }

  #hosts(): string[] {
    if (this.#names === undefined) return [];
    const hosts = this.#sources().flatMap(([, urls]) => urls.flatMap((url) => hostNameOf(url) ?? []));
    return [...new Set(hosts)];
  }

  #resolve(url: string, origin: "config" | "file"): RosterEntry[] {
    const host = hostNameOf(url);
    if (this.#names === undefined || host === undefined) return [{ url, target: { url }, origin }];
    const addresses = this.#names.addresses(host) ?? [];
    return addresses.map((address) => ({
      url: atAddress(url, address),
      target: { url, address },
      origin: "dns",
    }));
  }
}
