/**
 * One WEP, over all its sessions.
 *
 * Invariants
 *  E1  A run belongs to the endpoint it was assigned to until it ends; every new session assigns it again
 *      under the same run id, which a WEP that still has it takes as "go on" or answers with its completion.
 *  E2  Slots in use never exceed the peer's max_concurrency, except for runs that were there before us.
 *  E3  A completion is acknowledged when the slot's holder has stored it: on the next run or on disposal.
 */
import { type Clock, createBackoff, type Logger } from "@subnet-worker/kit";
import {
  type Capabilities,
  type Completion,
  type Envelope,
  envelope,
  type UploadRequest,
} from "@subnet-worker/protocol";
import {
  type Assignment,
  type RunListener,
  type RunOutcome,
  type Slot,
  type SlotWish,
  StoppedError,
} from "../../ports.ts";
import { type PeerInfo, Session, type SessionEnded, type SessionOptions } from "./session.ts";
import { toAssignMessage, toGrantMessage, toRunOutcome } from "./wire.ts";

export type EndpointOptions = Omit<SessionOptions, "url"> & { readonly url: string };

export interface EndpointDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onCapacity: () => void;
}

interface ActiveRun {
  readonly assignment: Assignment;
  readonly listener: RunListener;
  readonly ended: PromiseWithResolvers<RunOutcome>;
  /** Why it was cancelled, if it was. A WEP that was away when that happened is told when it is back. */
  cancelled: string | undefined;
}

/** A WEP that is out of reach for no longer than this is expected back with the runs it had. */
const EXPECTED_BACK_MS = 30_000;

export class WepEndpoint {
  readonly #options: EndpointOptions;
  readonly #deps: EndpointDeps;
  readonly #logger: Logger;
  readonly #runs = new Map<string, ActiveRun>();
  #session: Session | undefined;
  #peer: PeerInfo | undefined;
  #capabilities: { readonly maxConcurrency: number; readonly kinds: ReadonlySet<string> } | undefined;
  #inUse = 0;
  #isDraining = false;
  #missingSinceMs: number;
  #failure = "not connected yet";

  constructor(options: EndpointOptions, deps: EndpointDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#missingSinceMs = deps.clock.monotonicMs();
    this.#logger = deps.logger.child({ wep: options.url });
  }

  get url(): string {
    return this.#options.url;
  }

  get isReady(): boolean {
    return this.#peer !== undefined;
  }

  /** Away, but not for long: what runs here had better not be run elsewhere too. */
  get isExpectedBack(): boolean {
    return !this.isReady && this.#deps.clock.monotonicMs() - this.#missingSinceMs < EXPECTED_BACK_MS;
  }

  /** Why nothing can be assigned here; `undefined` when something can. */
  get failure(): string | undefined {
    if (!this.isReady) return `WEP ${this.url}: ${this.#failure}`;
    return this.#isDraining ? `WEP ${this.url} is draining` : undefined;
  }

  get free(): number {
    return this.#isDraining || !this.isReady
      ? 0
      : Math.max(0, (this.#capabilities?.maxConcurrency ?? 1) - this.#inUse);
  }

  get inUse(): number {
    return this.#inUse;
  }

  canRun(wish: SlotWish): boolean {
    const kinds = this.#capabilities?.kinds;
    return (
      this.isReady && (kinds === undefined || kinds.size === 0 || kinds.has(`${wish.kind} ${wish.version}`))
    );
  }

  /** Keeps a session up until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const backoff = createBackoff({ initialMs: 100, maxMs: 5_000 });
    while (!signal.aborted) {
      const session = new Session(this.#options, {
        clock: this.#deps.clock,
        events: {
          onReady: (peer) => {
            backoff.reset();
            this.#onReady(session, peer);
          },
          onCapabilities: (capabilities) => this.#onCapabilities(capabilities),
          onMessage: (message) => this.#onMessage(message),
        },
      });
      await session.run(signal).catch((error: unknown) => this.#onEnd(error as SessionEnded));
      await this.#deps.clock.sleep(backoff.nextMs(), signal);
    }
    for (const run of this.#runs.values()) run.ended.reject(new StoppedError());
    this.#runs.clear();
  }

  /** Takes a slot; the caller has checked that one is free, or has a run here already (E2). */
  take(): Slot {
    this.#inUse += 1;
    let taken = true;
    let unacknowledged: Assignment | undefined;
    const acknowledge = () => {
      if (unacknowledged !== undefined) this.#acknowledge(unacknowledged);
      unacknowledged = undefined;
    };
    return {
      executor: this.url,
      run: async (assignment, listener, signal) => {
        acknowledge();
        const outcome = await this.#execute({ assignment, listener }, signal);
        unacknowledged = assignment;
        return outcome;
      },
      [Symbol.dispose]: () => {
        if (!taken) return;
        taken = false;
        acknowledge();
        this.#inUse -= 1;
        this.#deps.onCapacity();
      },
    };
  }

  cancel(taskId: string, reason: string): void {
    for (const run of this.#runs.values()) {
      if (run.assignment.task.id !== taskId) continue;
      run.cancelled = reason;
      this.#session?.send(envelope("cancel", { activityId: taskId, reason }));
    }
  }

  async #execute(what: Pick<ActiveRun, "assignment" | "listener">, signal: AbortSignal): Promise<RunOutcome> {
    if (signal.aborted) throw new StoppedError();
    const { runId } = what.assignment;
    const run: ActiveRun = {
      ...what,
      ended: Promise.withResolvers<RunOutcome>(),
      cancelled: undefined,
    };
    this.#runs.set(runId, run);
    const stop = () => run.ended.reject(new StoppedError());
    signal.addEventListener("abort", stop, { once: true });
    try {
      if (this.isReady) this.#session?.send(toAssignMessage(run.assignment));
      return await run.ended.promise;
    } finally {
      signal.removeEventListener("abort", stop);
      this.#runs.delete(runId);
    }
  }

  #acknowledge({ task, runId }: Assignment): void {
    if (this.#session?.hasAdditions !== true) return;
    this.#session.send(envelope("completionAck", { activityId: task.id, runId }));
  }

  #onReady(session: Session, peer: PeerInfo): void {
    this.#session = session;
    this.#peer = peer;
    this.#isDraining = false;
    this.#logger.info(
      {
        version: peer.version,
        agent: peer.agent,
        max_concurrency: this.#capabilities?.maxConcurrency ?? 1,
        runs: this.#runs.size,
      },
      "WEP connected",
    );
    for (const { assignment, cancelled } of this.#runs.values()) {
      session.send(toAssignMessage(assignment)); // E1
      // Assigned all the same: a WEP that was restarted would otherwise never answer.
      if (cancelled !== undefined) {
        session.send(envelope("cancel", { activityId: assignment.task.id, reason: cancelled }));
      }
    }
    this.#deps.onCapacity();
  }

  #onEnd(error: SessionEnded): void {
    const wasReady = this.isReady;
    if (wasReady) this.#missingSinceMs = this.#deps.clock.monotonicMs();
    this.#session = undefined;
    this.#peer = undefined;
    this.#capabilities = undefined;
    const isNews = wasReady || this.#failure !== error.message;
    this.#failure = error.message;
    if (!isNews || error.code === "CLOSED") return;
    const advice =
      error.code === "INCOMPATIBLE"
        ? "the WEP cannot be used; upgrade the older of the two processes"
        : "the WEP is not there; connecting again until it is (check wep_grpc_endpoint and that the WEP runs)";
    this.#logger[error.code === "INCOMPATIBLE" ? "error" : "warn"](
      { reason: error.message, runs: this.#runs.size },
      advice,
    );
  }

  #onCapabilities({ maxConcurrency, kinds }: Capabilities): void {
    this.#capabilities = {
      maxConcurrency: Math.max(1, maxConcurrency),
      kinds: new Set(kinds.map((kind) => `${kind.kind} ${kind.version}`)),
    };
    this.#deps.onCapacity();
  }

  #onMessage(msg: Envelope["msg"]): void {
    switch (msg.case) {
      case "progress":
        this.#runs
          .get(msg.value.runId)
          ?.listener.progress(Math.min(100, msg.value.percent), msg.value.message);
        break;
      case "completion":
        this.#onCompletion(msg.value);
        break;
      case "rejection":
        this.#runs
          .get(msg.value.runId)
          ?.ended.resolve({ kind: "rejected", code: msg.value.errorCode, reason: msg.value.reason });
        break;
      case "uploadRequest":
        void this.#onUploadRequest(msg.value);
        break;
      case "drain":
        this.#isDraining = true;
        this.#logger.info("WEP is draining");
        break;
      case "capacity":
        this.#deps.onCapacity();
        break;
      default:
        break; // acks need no action; what a newer peer adds is ignored
    }
  }

  #onCompletion(completion: Completion): void {
    const run = this.#runs.get(completion.runId) ?? this.#runOf(completion);
    if (run !== undefined) {
      run.ended.resolve(toRunOutcome(completion));
      return;
    }
    // A run that nobody waits for any more, because its lease was lost: the WEP may forget it.
    if (this.#session?.hasAdditions !== true) return;
    this.#session.send(
      envelope("completionAck", { activityId: completion.activityId, runId: completion.runId }),
    );
  }

  /** The simplest peers may leave run_id out of what they send. */
  #runOf({ runId, activityId }: Completion): ActiveRun | undefined {
    if (runId !== "") return undefined;
    return [...this.#runs.values()].find((run) => run.assignment.task.id === activityId);
  }

  async #onUploadRequest(request: UploadRequest): Promise<void> {
    const { runId, requestId, name, mediaType, sizeBytes } = request;
    const session = this.#session;
    try {
      const run = this.#runs.get(runId);
      if (run === undefined) throw new Error(`run ${runId} is not assigned here, so it may not upload`);
      const ticket = await run.listener.upload({ name, mediaType, sizeBytes: Number(sizeBytes) });
      session?.send(toGrantMessage(requestId, ticket));
    } catch (error) {
      const refusal = error instanceof Error ? error : new Error(String(error));
      this.#logger.warn(
        { activity_id: request.activityId, run_id: runId, object: name, err: refusal },
        "upload refused",
      );
      session?.send(toGrantMessage(requestId, refusal));
    }
  }
}
