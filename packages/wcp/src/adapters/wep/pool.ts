import { lookup as lookupName } from "node:dns/promises";
import type { Clock, Logger, Service } from "@subnet-worker/kit";
import type { CancelReason, Executor, ExecutorDesk, ExecutorView, Slot, SlotWish } from "../../ports.ts";
import type { ActiveRun } from "./active-run.ts";
import type { Connect } from "./connection.ts";
import { type EndpointOptions, LOST_GRACE_MS, type WepEvent, WepEndpoint } from "./endpoint.ts";
import { endpointName } from "./endpoint-url.ts";
import type { GrantEvent } from "./grant-desk.ts";
import type { Lookup } from "./name-book.ts";
import { Roster, type RosterEntry } from "./roster.ts";
import { Unwanted } from "./unwanted.ts";

export interface PoolOptions extends Omit<EndpointOptions, "url" | "target" | "origin"> {
  readonly urls: readonly string[];
  /** A file with more URLs, one per line. Default: none. */
  readonly endpointsFile?: string;
  /** Host names are resolved this often; 0, the default, leaves names to each connection. */
  readonly dnsIntervalMs?: number;
}

export interface PoolDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  /** How to reach a WEP. Default: plain text. */
  readonly connect?: Connect | undefined;
  /**
   * Whether a run that a WEP has, and nobody here waits for, is wanted all the same: its task has not been
   * taken up yet after a restart. Default: yes.
   */
  readonly isWanted?: (activityId: string, runId: string) => boolean;
  readonly onEvent?: (event: WepEvent) => void;
  /** What became of requests for objects. */
  readonly onGrant?: (event: GrantEvent) => void;
  /** Default: the system's resolver. */
  readonly lookup?: Lookup;
}

/** Taken in one message from WEPs that send several. */
const MAX_BATCH = 256;

const systemLookup: Lookup = (host) => lookupName(host, { all: true, order: "verbatim" });

/** All WEPs of this node. Picks the least loaded among those able. */
export class WepPool implements Executor, ExecutorDesk, Service {
  readonly name = "wep-pool";
  readonly #options: PoolOptions;
  readonly #deps: PoolDeps;
  readonly #roster: Roster;
  readonly #unwanted: Unwanted;
  readonly #endpoints = new Map<string, WepEndpoint>();
  /** The same, in the order in which they are asked. */
  #ring: readonly WepEndpoint[] = [];
  #turn = 0;
  readonly #byTask = new Map<string, ActiveRun>();
  readonly #listeners = new Set<() => void>();
  readonly #running = new Map<WepEndpoint, Promise<void>>();
  readonly #failed = Promise.withResolvers<never>();
  readonly #startedAtMs: number;
  #signal: AbortSignal | undefined;

  constructor(options: PoolOptions, deps: PoolDeps) {
    this.#options = { maxBatch: MAX_BATCH, ...options };
    this.#deps = deps;
    this.#unwanted = new Unwanted(deps.isWanted);
    this.#startedAtMs = deps.clock.monotonicMs();
    this.#failed.promise.catch(() => undefined); // told by run()
    this.#roster = new Roster(
      {
        urls: options.urls,
        endpointsFile: options.endpointsFile ?? "",
        dnsIntervalMs: options.dnsIntervalMs ?? 0,
      },
      {
        clock: deps.clock,
        logger: deps.logger,
        lookup: deps.lookup ?? systemLookup,
        onChange: () => this.#onRoster(),
      },
    );
    this.#onRoster();
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    for (const endpoint of this.#ring) this.#start(endpoint, signal);
    await Promise.race([this.#roster.run(signal), this.#failed.promise]);
    await Promise.all(this.#running.values());
  }

  reserve(wish: SlotWish): Slot | undefined {
    if (wish.executor !== undefined) {
      const home = this.#endpoints.get(wish.executor) ?? this.#endpoints.get(endpointName(wish.executor));
      const slot = home?.take(wish, true);
      if (slot !== undefined) return slot;
      if (home === undefined ? this.#mayAppear : home.isExpectedBack) return undefined;
    }
    return this.#leastLoaded(wish)?.take(wish);
  }

  onCapacity(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  cancel(taskId: string, reason: CancelReason): void {
    const run = this.#byTask.get(taskId);
    if (run !== undefined) this.#endpoints.get(run.slot.executor)?.desk.cancel(run, reason);
  }

  notReady(): readonly string[] {
    const failures = this.#ring.flatMap((endpoint) => endpoint.failure ?? []);
    if (failures.length < this.#ring.length) return [];
    const problems = [...failures, ...this.#roster.problems()];
    return problems.length > 0 ? problems : ["no WEP is configured; add one to wep_grpc_endpoint"];
  }

  executors(): readonly ExecutorView[] {
    return this.#ring.map((endpoint) => endpoint.view());
  }

  setDraining(url: string, isDraining: boolean): boolean {
    const endpoint = this.#endpoints.get(endpointName(url));
    endpoint?.holdBack(isDraining);
    return endpoint !== undefined;
  }

  async ping(url: string): Promise<number> {
    const endpoint = this.#endpoints.get(endpointName(url));
    if (endpoint === undefined) {
      const known = this.#ring.map((each) => each.url).join(", ");
      throw new Error(`there is no WEP ${url}; those in the pool are: ${known}`);
    }
    try {
      return await endpoint.ping();
    } catch (error) {
      throw new Error(`WEP ${endpoint.url} gives no answer: ${(error as Error).message}`, { cause: error });
    }
  }

  /** Counts for metrics. */
  stats(): { readonly connected: number; readonly slotsInUse: number; readonly slotsFree: number } {
    let [connected, slotsInUse, slotsFree] = [0, 0, 0];
    for (const endpoint of this.#ring) {
      connected += endpoint.isReady ? 1 : 0;
      slotsInUse += endpoint.inUse;
      slotsFree += endpoint.free;
    }
    return { connected, slotsInUse, slotsFree };
  }

  /** The longest round trip to a WEP, in milliseconds; `undefined` when none has been measured. */
  get roundTripMs(): number | undefined {
    const known = this.#ring.flatMap(({ roundTripMs }) => roundTripMs ?? []);
    return known.length === 0 ? undefined : Math.max(...known);
  }

  /** By the share of slots that are taken, then in turn; the one to avoid only when there is no other. */
  #leastLoaded(wish: SlotWish): WepEndpoint | undefined {
    const count = this.#ring.length;
    const avoid = wish.avoid === undefined ? undefined : endpointName(wish.avoid);
    let best: WepEndpoint | undefined;
    let bestLoad = Infinity;
    for (let step = 1; step <= count; step += 1) {
      const endpoint = this.#ring[(this.#turn + step) % count];
      const load = endpoint?.loadWith(wish);
      if (endpoint === undefined || load === undefined) continue;
      const cost = endpoint.url === avoid ? load + 1_000 : load;
      if (cost >= bestLoad) continue;
      best = endpoint;
      bestLoad = cost;
    }
    if (best !== undefined) this.#turn = this.#ring.indexOf(best);
    return best;
  }

  /** The list is not known yet: a run's home may still turn up. */
  get #mayAppear(): boolean {
    const graceMs = this.#options.lostGraceMs ?? LOST_GRACE_MS;
    return !this.#roster.isComplete && this.#deps.clock.monotonicMs() - this.#startedAtMs < graceMs;
  }

  #onRoster(): void {
    const wanted = new Map(this.#roster.list().map((entry) => [entry.url, entry]));
    for (const [url, endpoint] of this.#endpoints) endpoint.retire(!wanted.has(url));
    for (const entry of wanted.values()) {
      if (!this.#endpoints.has(entry.url)) this.#add(entry);
    }
    this.#ring = [...this.#endpoints.values()];
  }

  #add(entry: RosterEntry): void {
    const { clock, logger, connect, onEvent, onGrant } = this.#deps;
    const endpoint = new WepEndpoint(
      { ...this.#options, ...entry },
      {
        clock,
        logger,
        connect,
        onEvent,
        onGrant,
        onCapacity: () => this.#onCapacity(),
        byTask: this.#byTask,
        unwanted: this.#unwanted,
      },
    );
    this.#endpoints.set(entry.url, endpoint);
    if (this.#signal !== undefined) this.#start(endpoint, this.#signal);
  }

  #start(endpoint: WepEndpoint, signal: AbortSignal): void {
    const running = this.#carry(endpoint, signal);
    running.catch(this.#failed.reject);
    this.#running.set(endpoint, running);
  }

  async #carry(endpoint: WepEndpoint, signal: AbortSignal): Promise<void> {
    await endpoint.run(signal);
    this.#running.delete(endpoint);
    if (signal.aborted) return;
    this.#endpoints.delete(endpoint.url);
    this.#onRoster(); // it may have come back while it ended
  }

  #onCapacity(): void {
    for (const listener of this.#listeners) listener();
  }
}
