/**
 * The runs of one WEP.
 *
 * Invariants
 *  R1  A run stays with its WEP until it ends; every new session assigns it again under the same run id,
 *      which a WEP that still has it takes as "go on" or answers with its completion.
 *  R2  A completion is acknowledged when the slot's holder has stored it: on the next run or on disposal.
 *  R3  A run ends as interrupted when it is known to be gone: it was with another instance of this WEP and
 *      is not in the inventory; the WEP stays away beyond the grace time; or each session that it is
 *      assigned in ends on it.
 *  R4  What a WEP has and nobody wants is cancelled there, and its completion acknowledged.
 */
import type { Clock, Logger } from "@subnet-worker/kit";
import {
  type Ack,
  type Completion,
  type Envelope,
  envelope,
  type Inventory,
  type Progress,
  type Rejection,
} from "@subnet-worker/protocol";
import {
  type Assignment,
  type CancelReason,
  type RunListener,
  type RunOutcome,
  StoppedError,
} from "../../ports.ts";
import { type ActiveRun, ActiveRuns } from "./active-run.ts";
import { FreshUrls, hasUrls } from "./fresh-urls.ts";
import { GrantDesk, type GrantEvent } from "./grant-desk.ts";
import type { GrantRequest } from "./grant-messages.ts";
import type { Room } from "./room.ts";
import type { PeerInfo, Session } from "./session.ts";
import type { WepSlot } from "./slot.ts";
import type { Unwanted } from "./unwanted.ts";
import { assignSizeBound, toAssignMessage, tooLarge, toReason, toRunOutcome } from "./wire.ts";

export interface RunDeskDeps {
  readonly url: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly room: Room;
  /** The pool's runs by task. */
  readonly byTask: Map<string, ActiveRun>;
  readonly unwanted: Unwanted;
  /** Why what is started now can only be lost; `undefined` while the WEP is there or expected back. */
  readonly whyLost: () => string | undefined;
  readonly onInterrupted: () => void;
  readonly onGrant: (event: GrantEvent) => void;
}

/** A session that is ready, and who is at its other end. */
export interface Link {
  readonly session: Session;
  readonly peer: PeerInfo;
}

/** Sessions in a row that may end on being given a run which nobody has afterwards. */
const MOST_STRIKES = 3;

export class RunDesk {
  readonly #deps: RunDeskDeps;
  readonly #runs: ActiveRuns;
  readonly #grants: GrantDesk;
  readonly #urls: FreshUrls;
  #link: Link | undefined;

  constructor(deps: RunDeskDeps) {
    this.#deps = deps;
    this.#urls = new FreshUrls(deps);
    this.#grants = new GrantDesk({ logger: deps.logger, onEvent: deps.onGrant });
    this.#runs = new ActiveRuns(deps.byTask);
  }

  get size(): number {
    return this.#runs.size;
  }

  all(): ActiveRun[] {
    return this.#runs.all();
  }

  execute(
    slot: WepSlot,
    what: { readonly assignment: Assignment; readonly listener: RunListener },
    signal: AbortSignal,
  ): Promise<RunOutcome> {
    if (signal.aborted) return Promise.reject(new StoppedError());
    const { promise, resolve, reject } = Promise.withResolvers<RunOutcome>();
    const run: ActiveRun = {
      assignment: what.assignment,
      listener: what.listener,
      slot,
      signal,
      startedAtMs: this.#deps.clock.monotonicMs(),
      resolve,
      reject,
      percent: 0,
      cancelled: undefined,
      heldBy: undefined,
      strikes: 0,
      wasSent: false,
      requests: 0,
      refusals: 0,
      failures: 0,
    };
    this.#deps.room.setKnown(slot, false);
    this.#deps.unwanted.forget(what.assignment.runId);
    this.#runs.add(run);
    if (this.#link !== undefined) this.#assign(run);
    else {
      const reason = this.#deps.whyLost();
      if (reason !== undefined) this.#interrupt(run, reason);
    }
    return promise;
  }

  cancel(run: ActiveRun, reason: CancelReason): void {
    run.cancelled = reason;
    this.#send(cancelOf(run.assignment, reason));
  }

  /** The completion is stored; the WEP may forget it. */
  acknowledge(activityId: string, runId: string): void {
    if (this.#link?.session.hasAdditions === true) {
      this.#send(envelope("completionAck", { activityId, runId }));
    }
  }

  /** A session is ready. `inventory`: `undefined` where the peer tells none. */
  attach(link: Link, inventory: Inventory | undefined): void {
    this.#link = link;
    this.#grants.newSession();
    if (inventory !== undefined) this.#compare(inventory, link.peer);
    for (const run of this.all()) {
      const reason = this.#whyGone(run, link.peer, inventory !== undefined);
      if (reason !== undefined) this.#interrupt(run, reason);
      else if (hasUrls(run.assignment)) void this.#assignFresh(run, link);
      else this.#assign(run);
    }
  }

  /** The session has ended. */
  detach(): void {
    this.#link = undefined;
  }

  /** The WEP is gone for good. */
  interruptAll(reason: string): void {
    for (const run of this.all()) this.#interrupt(run, reason);
  }

  /** The process stops; the runs are left alone. */
  stop(): void {
    this.#runs.stop();
  }

  /** Takes what is about a run; anything else is ignored. */
  receive(msg: Envelope["msg"]): void {
    switch (msg.case) {
      case "ack":
        this.#onAck(msg.value);
        break;
      case "progress":
        this.#onProgress(msg.value);
        break;
      case "completion":
        this.#onCompletion(msg.value);
        break;
      case "rejection":
        this.#onRejection(msg.value);
        break;
      case "uploadRequest":
      case "downloadRequest":
      case "multipartRequest":
        void this.#onRequest(msg);
        break;
      default:
        break;
    }
  }

  #send(message: Envelope, sizeBytes?: number): void {
    this.#link?.session.send(message, sizeBytes);
  }

  /** What is there counts as acked, and goes on; what nobody wants is ended (R4). */
  #compare({ runs }: Inventory, peer: PeerInfo): void {
    for (const status of runs) {
      const run = this.#runs.of(status);
      if (run === undefined) {
        this.#refuse(status, status.state === "finished");
        continue;
      }
      this.#onHeld(run, peer);
      run.strikes = 0;
      run.wasSent = false;
      if (status.percent > run.percent || status.checkpointRef !== "") {
        this.#onProgress({ ...status, message: "" });
      }
    }
  }

  #refuse({ activityId, runId }: Pick<Ack, "activityId" | "runId">, isFinished: boolean): void {
    const { unwanted, byTask, logger } = this.#deps;
    const reason = unwanted.reason({ activityId, runId }, byTask.get(activityId));
    const what = isFinished ? "completion" : "run";
    logger.info(
      { activity_id: activityId, run_id: runId, reason },
      reason === undefined
        ? `${what} that will be asked for: its activity is not taken up yet`
        : `${what} that nobody waits for: it is dropped`,
    );
    if (reason === undefined) return;
    if (isFinished) this.acknowledge(activityId, runId);
    else this.#send(envelope("cancel", { activityId, runId, reason }));
  }

  /** R3; `undefined` when it may still be there, or never arrived. */
  #whyGone(run: ActiveRun, peer: PeerInfo, hasInventory: boolean): string | undefined {
    const { heldBy } = run;
    const { url } = this.#deps;
    if (hasInventory && heldBy !== undefined && heldBy !== peer.instanceId) {
      return `WEP ${url} was restarted, and the run is lost with the process that had it`;
    }
    // Without an inventory, only a peer that is the same process as before is known to have it still.
    const isStillThere = heldBy !== undefined && heldBy !== "" && heldBy === peer.instanceId;
    if (run.wasSent && !isStillThere) run.strikes += 1;
    run.wasSent = false;
    return run.strikes < MOST_STRIKES
      ? undefined
      : `the stream to WEP ${url} ended ${run.strikes} times on it; see the log of that WEP`;
  }

  /** Its URLs may have ended while it waited for this session. */
  async #assignFresh(run: ActiveRun, link: Link): Promise<void> {
    const isWanted = () => this.#link === link && this.#runs.get(run.assignment.runId) === run;
    const assignment = await this.#urls.of(run, isWanted);
    if (assignment === undefined || !isWanted()) return;
    run.assignment = assignment;
    this.#assign(run);
  }

  #assign(run: ActiveRun): void {
    const message = toAssignMessage(run.assignment);
    const sizeBound = assignSizeBound(message);
    const problem = tooLarge(message, sizeBound);
    if (problem !== undefined) {
      this.#runs.delete(run);
      run.reject(problem);
      return;
    }
    run.wasSent = true;
    this.#send(message, sizeBound); // R1
    // Assigned all the same: a WEP that was restarted would otherwise never answer.
    if (run.cancelled !== undefined) this.#send(cancelOf(run.assignment, run.cancelled));
  }

  #interrupt(run: ActiveRun, reason: string): void {
    this.#runs.delete(run);
    this.#deps.unwanted.add(run.assignment.runId);
    this.#deps.onInterrupted();
    run.resolve({ kind: "interrupted", reason });
  }

  #onAck(ack: Ack): void {
    const run = this.#runs.of(ack);
    if (run !== undefined && this.#link !== undefined) this.#onHeld(run, this.#link.peer);
  }

  #onHeld(run: ActiveRun, { instanceId }: PeerInfo): void {
    run.heldBy = instanceId;
    this.#deps.room.setKnown(run.slot, true);
  }

  #onProgress(
    progress: Pick<Progress, "activityId" | "runId" | "percent" | "message" | "checkpointRef">,
  ): void {
    const run = this.#runs.of(progress);
    if (run === undefined) return;
    if (run.heldBy === undefined && this.#link !== undefined) this.#onHeld(run, this.#link.peer);
    run.percent = Math.min(100, progress.percent);
    const { message, checkpointRef } = progress;
    run.listener.progress(run.percent, message, checkpointRef === "" ? undefined : checkpointRef);
  }

  #onCompletion(completion: Completion): void {
    const run = this.#runs.of(completion);
    if (run === undefined) {
      this.#refuse(completion, true);
      return;
    }
    this.#runs.delete(run);
    this.#deps.room.setKnown(run.slot, true);
    run.slot.completed = run.assignment;
    run.resolve(toRunOutcome(completion));
  }

  #onRejection(rejection: Rejection): void {
    const run = this.#runs.of(rejection);
    if (run === undefined) return;
    this.#runs.delete(run);
    run.resolve({ kind: "rejected", code: rejection.errorCode, reason: toReason(rejection.reason) });
  }

  async #onRequest(request: GrantRequest): Promise<void> {
    const session = this.#link?.session;
    session?.send(await this.#grants.answer(request, this.#runs.get(request.value.runId)));
  }
}

function cancelOf({ task, runId }: Assignment, reason: CancelReason): Envelope {
  return envelope("cancel", { activityId: task.id, runId, reason });
}
