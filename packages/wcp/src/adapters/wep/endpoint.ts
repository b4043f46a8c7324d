/**
 * One WEP, over all its sessions: what it can take, and what becomes of it. Its runs are at its {@link RunDesk}.
 *
 * Invariants
 *  E1  Slots in use never exceed the peer's slots of their class, except for runs that were there before us.
 *  E2  A WEP that is away for longer than the grace time has lost its runs.
 *  E3  A WEP that is no longer in the list ends when its last slot is given back, not before.
 */
import { type Clock, createBackoff, type Logger } from "@subnet-worker/kit";
import type { Capabilities, Envelope, Inventory } from "@subnet-worker/protocol";
import type { Assignment, ExecutorView, RunListener, RunOutcome, Slot, SlotWish } from "../../ports.ts";
import type { ActiveRun } from "./active-run.ts";
import type { Connect, ConnectTarget } from "./connection.ts";
import { viewOf } from "./endpoint-view.ts";
import type { GrantEvent } from "./grant-desk.ts";
import { freeOf, Room } from "./room.ts";
import { RunDesk } from "./run-desk.ts";
import { type PeerInfo, Session, type SessionEnded, type SessionOptions } from "./session.ts";
import { type SlotOwner, WepSlot } from "./slot.ts";
import type { Unwanted } from "./unwanted.ts";

export interface EndpointOptions extends Omit<SessionOptions, "url" | "address"> {
  /** Names the endpoint: in the store, in logs, and to the operator. */
  readonly url: string;
  /** What is dialled. Default: the URL. */
  readonly target?: ConnectTarget | undefined;
  /** Default `config`. */
  readonly origin?: ExecutorView["origin"] | undefined;
  /** Away for longer than this, it has lost its runs. Default 30 s. */
  readonly lostGraceMs?: number | undefined;
}

/** What the operator reads beside the reason, where it is another than that the WEP is not there. */
const ADVICE: Readonly<Partial<Record<SessionEnded["code"], string>>> & { readonly UNREACHABLE: string } = {
  UNREACHABLE:
    "the WEP is not there; connecting again until it is (check wep_grpc_endpoint and that the WEP runs)",
  INCOMPATIBLE: "the WEP cannot be used; upgrade the older of the two processes",
  REFUSED:
    "the WEP and this node do not trust each other; trying again until that is mended (docs/runbooks/tls.md)",
};

/** What happens to WEPs, for metrics. */
export type WepEvent = "connected" | "disconnected" | "lost" | "run_interrupted";

export interface EndpointDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onCapacity: () => void;
  /** How to reach a WEP. Default: plain text. */
  readonly connect?: Connect | undefined;
  readonly onEvent?: ((event: WepEvent) => void) | undefined;
  /** What became of requests for objects. */
  readonly onGrant?: ((event: GrantEvent) => void) | undefined;
  /** The pool's runs by task. */
  readonly byTask: Map<string, ActiveRun>;
  readonly unwanted: Unwanted;
}

export const LOST_GRACE_MS = 30_000;
const BACKOFF = { initialMs: 100, maxMs: 5_000 };

export class WepEndpoint implements SlotOwner {
  readonly desk: RunDesk;
  readonly #options: EndpointOptions;
  readonly #deps: EndpointDeps;
  readonly #logger: Logger;
  readonly #slots = new Set<WepSlot>();
  readonly #room = new Room();
  readonly #lostGraceMs: number;
  #session: Session | undefined;
  #peer: PeerInfo | undefined;
  #isDraining = false;
  #isHeldBack = false;
  #isRetired = false;
  #isRefused = false;
  #wasConnected = false;
  #stop: AbortController | undefined;
  /** In monotonic time: since when it is in its state, and since when it is away. */
  #sinceMs: number;
  #missingSinceMs: number;
  #grace: Disposable | undefined;
  #failure = "not connected yet";

  constructor(options: EndpointOptions, deps: EndpointDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#lostGraceMs = options.lostGraceMs ?? LOST_GRACE_MS;
    this.#missingSinceMs = deps.clock.monotonicMs();
    this.#sinceMs = this.#missingSinceMs;
    this.#logger = deps.logger.child({ wep: options.url });
    this.desk = new RunDesk({
      url: options.url,
      clock: deps.clock,
      logger: this.#logger,
      room: this.#room,
      byTask: deps.byTask,
      unwanted: deps.unwanted,
      whyLost: () => (this.isReady || this.isExpectedBack ? undefined : this.#lostReason()),
      onInterrupted: () => deps.onEvent?.("run_interrupted"),
      onGrant: (event) => deps.onGrant?.(event),
    });
  }

  get url(): string {
    return this.#options.url;
  }

  get isReady(): boolean {
    return this.#peer !== undefined;
  }

  /** Away, but not for long: what runs here had better not be run elsewhere too. */
  get isExpectedBack(): boolean {
    return !this.isReady && this.#awayMs < this.#lostGraceMs;
  }

  /** Why nothing can be assigned here; `undefined` when something can. */
  get failure(): string | undefined {
    if (!this.isReady) return `WEP ${this.url}: ${this.#failure}`;
    if (this.#isHeldBack) return `WEP ${this.url} is drained by the operator`;
    return this.#isClosed ? `WEP ${this.url} is draining` : undefined;
  }

  get free(): number {
    return this.#isClosed || !this.isReady ? 0 : this.#room.free;
  }

  get inUse(): number {
    return this.#slots.size;
  }

  get roundTripMs(): number | undefined {
    return this.#session?.roundTripMs;
  }

  get isRetired(): boolean {
    return this.#isRetired;
  }

  get #isClosed(): boolean {
    return this.#isDraining || this.#isHeldBack || this.#isRetired;
  }

  get #awayMs(): number {
    return this.#deps.clock.monotonicMs() - this.#missingSinceMs;
  }

  /** How full the class that would run this is with one more, 0 to 1; `undefined` when it has no room. */
  loadWith(wish: SlotWish): number | undefined {
    if (!this.isReady || this.#isClosed) return undefined;
    const room = this.#room.find(wish);
    return room === undefined ? undefined : (room.slots - freeOf(room) + 1) / room.slots;
  }

  /** Takes a slot if one can run this; `isHome`: also when all are taken, since its run is here already (E1). */
  take(wish: SlotWish, isHome = false): Slot | undefined {
    if (!this.isReady || (this.#isClosed && !isHome)) return undefined;
    const room = this.#room.find(wish, isHome);
    if (room === undefined) return undefined;
    const slot = new WepSlot(this, room.name);
    this.#slots.add(slot);
    room.inUse += 1;
    return slot;
  }

  execute(
    slot: WepSlot,
    what: { readonly assignment: Assignment; readonly listener: RunListener },
    signal: AbortSignal,
  ): Promise<RunOutcome> {
    return this.desk.execute(slot, what, signal);
  }

  acknowledge({ task, runId }: Assignment): void {
    this.desk.acknowledge(task.id, runId);
  }

  release(slot: WepSlot): void {
    this.#slots.delete(slot);
    this.#room.release(slot);
    this.#endIfIdle();
    this.#deps.onCapacity();
  }

  /** Keeps a session up until `signal` aborts, or it was retired and nothing runs here any more. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = new AbortController();
    this.#stop = stop;
    const onAbort = () => stop.abort();
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) stop.abort();
    this.#endIfIdle();
    const backoff = createBackoff(BACKOFF);
    while (!stop.signal.aborted) {
      await this.#connect(stop.signal, () => backoff.reset());
      if (this.#isOver) break;
      await this.#deps.clock.sleep(backoff.nextMs(), stop.signal);
    }
    signal.removeEventListener("abort", onAbort);
    this.#grace?.[Symbol.dispose]();
    this.desk.stop();
  }

  /** Not in the list any more: assigns nothing new, and ends when nothing runs here (E3). Or in it again. */
  retire(isRetired: boolean): void {
    if (this.#isRetired === isRetired) return;
    this.#isRetired = isRetired;
    this.#sinceMs = this.#deps.clock.monotonicMs();
    this.#logger.info(
      { slots_in_use: this.inUse },
      isRetired ? "WEP is no longer in the list" : "WEP is back",
    );
    this.#endIfIdle();
    this.#deps.onCapacity();
  }

  /** Assigns nothing new, by the operator's wish, or again. */
  holdBack(isHeldBack: boolean): void {
    if (this.#isHeldBack === isHeldBack) return;
    this.#isHeldBack = isHeldBack;
    this.#sinceMs = this.#deps.clock.monotonicMs();
    this.#logger.info(isHeldBack ? "drained by the operator: nothing new is assigned" : "in use again");
    this.#deps.onCapacity();
  }

  /** Round trip in milliseconds. */
  ping(): Promise<number> {
    if (this.#session !== undefined) return this.#session.ping();
    return Promise.reject(new Error(this.#failure));
  }

  view(): ExecutorView {
    return viewOf({
      url: this.url,
      origin: this.#options.origin ?? "config",
      reason: this.failure ?? "",
      isReady: this.isReady,
      isClosed: this.#isClosed,
      isRefused: this.#isRefused,
      wasConnected: this.#wasConnected,
      peer: this.#peer,
      nowMs: this.#deps.clock.monotonicMs(),
      sinceMs: this.#sinceMs,
      room: this.#room,
      runs: this.desk.all(),
      roundTripMs: this.roundTripMs,
    });
  }

  async #connect(signal: AbortSignal, onReady: () => void): Promise<void> {
    const { url, target, ...options } = this.#options;
    const session: Session = new Session(
      { ...options, ...(target ?? { url }) },
      {
        clock: this.#deps.clock,
        logger: this.#logger,
        connect: this.#deps.connect,
        isBusy: () => this.desk.size > 0,
        events: {
          onReady: (peer, inventory) => {
            onReady();
            this.#onReady({ session, peer }, inventory);
          },
          onCapabilities: (capabilities) => this.#onCapabilities(capabilities),
          onMessage: (message) => this.#onMessage(message, session),
        },
      },
    );
    await session.run(signal).catch((error: unknown) => this.#onEnd(error as SessionEnded));
  }

  #onReady(
    { session, peer }: { readonly session: Session; readonly peer: PeerInfo },
    inventory: Inventory | undefined,
  ): void {
    this.#grace?.[Symbol.dispose]();
    this.#session = session;
    this.#peer = peer;
    this.#isRefused = false;
    this.#wasConnected = true;
    this.#sinceMs = this.#deps.clock.monotonicMs();
    const { version, agent, instanceId } = peer;
    this.#logger.info(
      { version, agent, instance_id: instanceId, max_concurrency: this.#room.slots, runs: this.desk.size },
      "WEP connected",
    );
    this.#deps.onEvent?.("connected");
    this.desk.attach({ session, peer }, inventory);
    this.#deps.onCapacity();
  }

  #onEnd(error: SessionEnded): void {
    const wasReady = this.isReady;
    const nowMs = this.#deps.clock.monotonicMs();
    if (wasReady) {
      this.#missingSinceMs = nowMs;
      this.#grace = this.#deps.clock.timer(this.#lostGraceMs, () => this.#onLost());
      this.#deps.onEvent?.("disconnected");
    }
    const isRefused = error.code === "INCOMPATIBLE";
    if (wasReady || isRefused !== this.#isRefused) this.#sinceMs = nowMs;
    this.#isRefused = isRefused;
    this.#session = undefined;
    this.#peer = undefined;
    this.#isDraining = false;
    this.desk.detach();
    this.#room.forget(this.#slots);
    const isNews = wasReady || this.#failure !== error.message;
    this.#failure = error.message;
    if (!isNews || error.code === "CLOSED") return;
    const advice = ADVICE[error.code] ?? ADVICE.UNREACHABLE;
    this.#logger[isRefused ? "error" : "warn"]({ reason: error.message, runs: this.desk.size }, advice);
  }

  /** E2 */
  #onLost(): void {
    if (this.isReady) return;
    const reason = this.#lostReason();
    this.#logger.warn({ reason, runs: this.desk.size }, "WEP lost; its runs go on elsewhere");
    this.#deps.onEvent?.("lost");
    this.desk.interruptAll(reason);
    this.#deps.onCapacity(); // what waits for it may go elsewhere
  }

  #lostReason(): string {
    return `WEP ${this.url} has been away for ${Math.round(this.#awayMs / 1_000)} s, and the run with it (${this.#failure})`;
  }

  get #isOver(): boolean {
    return this.#isRetired && this.#slots.size === 0;
  }

  /** Gently: the last acknowledgement may not be written yet. */
  #endIfIdle(): void {
    if (!this.#isOver) return;
    if (this.#session === undefined) this.#stop?.abort();
    else this.#session.finish();
  }

  #onCapabilities(capabilities: Capabilities): void {
    this.#room.tell(capabilities, this.#slots);
    this.#deps.onCapacity();
  }

  #onMessage(msg: Envelope["msg"], session: Session): void {
    if (msg.case === "capacity") {
      // One of the deployed peers may tell it once and never again.
      if (session.hasAdditions) this.#room.report(msg.value);
      this.#deps.onCapacity();
    } else if (msg.case === "drain") {
      this.#isDraining = true;
      this.#sinceMs = this.#deps.clock.monotonicMs();
      this.#logger.info({ reason: msg.value.reason || undefined }, "WEP is draining");
    } else this.desk.receive(msg);
  }
}
