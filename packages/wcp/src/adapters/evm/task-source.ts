import { AbiError, encodeParams } from "@subnet-worker/activity-spec";
import { type Activity, taskQueueInterface, workflowEngineInterface } from "@subnet-worker/contracts";
import { type Clock, createBackoff, type Logger } from "@subnet-worker/kit";
import type { IntentKind } from "../../domain/intent.ts";
import { parseResult } from "../../domain/run-result.ts";
import type { Lease, Task } from "../../domain/task.ts";
import type { Heads, IntentOutcome, IntentRequest, TransactionLane } from "../../chain-ports.ts";
import {
  type ClaimOutcome,
  type HeartbeatOutcome,
  type OfferSink,
  type RecoveredTask,
  type RunPlan,
  type RunResult,
  type SettleOutcome,
  type Standing,
  StoppedError,
  TaskDataError,
  type TaskInputs,
  type TaskSource,
} from "../../ports.ts";
import type { ContractCaller, Reading } from "./contract-caller.ts";
import type { OfferWatcher } from "./offer-watcher.ts";
import { RenewalWatch } from "./renewal-watch.ts";
import { isHopeless, reasonOf } from "./settlement.ts";
import type { SpecIndex } from "./spec-index.ts";
import { readInputs, type ReadingPlace } from "./task-inputs.ts";

export interface EvmTaskSourceOptions {
  readonly name: string;
  readonly wallet: string;
  readonly taskQueue: string;
  readonly workflowEngine: string;
}

export interface EvmTaskSourceDeps {
  readonly lane: TransactionLane;
  readonly heads: Heads;
  readonly caller: ContractCaller;
  readonly watcher: OfferWatcher;
  readonly specs: SpecIndex;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Aborts when the process stops. */
  readonly signal: AbortSignal;
}

const INVALID_INPUT = 1001;
const INVALID_RESULT = 1003;
const LONGEST_REASON = 1_000;
/** Nodes' pools take transactions of up to 128 KiB; what is beside the result takes less than 1 KiB of it. */
const LARGEST_RESULT_BYTES = 127 * 1_024;
/** Looks at the contract when it does not say yet what a mined transaction did: the endpoint is behind. */
const MOST_LOOKS = 4;
/** Outcomes that were mined and thrown out again, each of them paid for. */
const MOST_REVERTS = 3;
/** Claims that say how the race for an activity ended; other refusals are about this wallet. */
const RACES: ReadonlySet<string> = new Set(["ActivityAlreadyClaimed", "ActivityAlreadySettled"]);

/** The on-chain TaskQueue as a source of tasks: every effect is a transaction through the lane. */
export class EvmTaskSource implements TaskSource {
  readonly name: string;
  readonly #options: EvmTaskSourceOptions;
  readonly #deps: EvmTaskSourceDeps;
  /** Activities as read at their claim, until their inputs are asked for. */
  readonly #fetched = new Map<string, Activity>();
  readonly #renewals: RenewalWatch;

  constructor(options: EvmTaskSourceOptions, deps: EvmTaskSourceDeps) {
    this.name = options.name;
    this.#options = options;
    this.#deps = deps;
    this.#renewals = new RenewalWatch(deps.clock);
  }

  notReady(): readonly string[] {
    const { trouble } = this.#renewals;
    return trouble === undefined ? [] : [trouble];
  }

  watch(sink: OfferSink, signal: AbortSignal): Promise<void> {
    return this.#deps.watcher.watch(sink, signal);
  }

  async claim(task: Task): Promise<ClaimOutcome> {
    const data = taskQueueInterface.encodeFunctionData("claimActivity", [task.id]);
    const outcome = await this.#timed(this.#intent(task, "claim", data));
    // Whatever the transaction came to, the contract knows whose it is now. Nobody waits for confirmations:
    // a claim that a reorganisation undoes is lost like any other, and the heartbeat or the reconciler sees it.
    // Who else claimed what in that block is known first: the next claims depend on it.
    const [reading] = await Promise.all([
      this.#readAfter(task.id, outcome),
      "receipt" in outcome ? this.#deps.watcher.whenRead(outcome.receipt.blockNumber) : undefined,
    ]);
    const lease = this.#leaseOf(reading);
    if (lease !== undefined && reading.activity !== undefined) {
      this.#fetched.set(task.id, reading.activity);
      this.#renewals.sawLease(lease.durationMs);
      return { kind: "won", lease };
    }
    const reason = outcome.kind === "mined" ? "another worker has it" : reasonOf(outcome);
    const isRace = "revert" in outcome ? RACES.has(outcome.revert.name) : outcome.kind === "mined";
    return { kind: isRace ? "lost" : "refused", reason };
  }

  async inputs(task: Task): Promise<TaskInputs> {
    const activity = this.#fetched.get(task.id) ?? (await this.#deps.caller.activity(task.id)).activity;
    this.#fetched.delete(task.id);
    if (activity === undefined) {
      throw new TaskDataError(INVALID_INPUT, "the TaskQueue does not know this activity (any more)");
    }
    return readInputs(task, { activity, indexed: this.#deps.specs.ofTask(task), at: this.#readingPlace() });
  }

  #readingPlace(): ReadingPlace {
    return {
      workflowEngine: this.#options.workflowEngine,
      nowMs: this.#deps.clock.nowMs(),
      chainNowS: this.#deps.heads.latest()?.timestampS,
    };
  }

  plan(task: Task): RunPlan {
    return this.#deps.specs.ofTask(task).plan;
  }

  encodeResult(task: Task, result: RunResult): string {
    const { outputs, id } = this.#deps.specs.ofTask(task).spec;
    try {
      return fitting(encodeParams(outputs, parseResult(result, outputs)), id);
    } catch (error) {
      if (!(error instanceof AbiError) && !(error instanceof SyntaxError)) throw error;
      throw new TaskDataError(
        INVALID_RESULT,
        `the handler's result does not fit the outputs of ${id}: ${error.message}`,
        {
          cause: error,
        },
      );
    }
  }

  async heartbeat(task: Task, percent: number): Promise<HeartbeatOutcome> {
    if (!("lease" in task.state))
      throw new Error(`task ${task.id} is ${task.state.kind} and has no lease to renew`);
    const { lease } = task.state;
    const data = taskQueueInterface.encodeFunctionData("heartbeatActivity", [
      task.id,
      Math.min(100, Math.trunc(percent)),
    ]);
    const outcome = await this.#timed({
      // Named by the lease it renews: after a crash the same renewal is not sent twice.
      ...this.#intent(task, "heartbeat", data),
      key: `${task.id}:${task.round}:heartbeat:${lease.expiresAtMs}`,
      deadlineMs: lease.expiresAtMs,
      replaces: `${task.id}:heartbeat`,
    });
    // The contract knows the lease. The renewal may be one of a process before this one, and long ago.
    const held = this.#leaseOf(await this.#readAfter(task.id, outcome));
    if (held !== undefined) return { kind: "extended", lease: held };
    return { kind: "lost", reason: outcome.kind === "mined" ? "the lease ran out" : reasonOf(outcome) };
  }

  complete(task: Task, resultHex: string, onIncluded?: () => void): Promise<SettleOutcome> {
    const data = taskQueueInterface.encodeFunctionData("completeActivity", [task.id, resultHex]);
    return this.#settle(task, this.#intent(task, "complete", data), onIncluded);
  }

  fail(task: Task, reason: string, onIncluded?: () => void): Promise<SettleOutcome> {
    const data = taskQueueInterface.encodeFunctionData("failActivity", [task.id, shorten(reason)]);
    return this.#settle(task, this.#intent(task, "fail", data), onIncluded);
  }

  async recover(): Promise<readonly RecoveredTask[]> {
    const { caller, watcher } = this.#deps;
    const found = await Promise.all(
      (await caller.activities(await caller.held())).map(async (reading) => {
        const lease = this.#leaseOf(reading);
        if (lease === undefined || reading.activity === undefined) return [];
        const offer = await watcher.identify(reading.activity);
        return offer === undefined ? [] : [{ lease, offer }];
      }),
    );
    return found.flat();
  }

  async inspect(ids: readonly string[]): Promise<readonly Standing[]> {
    return (await this.#deps.caller.activities(ids)).map((reading) => this.#standingOf(reading));
  }

  #standingOf(reading: Reading): Standing {
    const { activity } = reading;
    if (activity === undefined) return { kind: "unknown" };
    const isOurs = sameAddress(activity.assignedWorker, this.#options.wallet);
    if (activity.isCompleted) return { kind: "settled", isByUs: isOurs };
    const lease = this.#leaseOf(reading);
    if (lease !== undefined) return { kind: "held", lease };
    const isLeased = activity.isAssigned && Number(activity.expiresAt) > this.#chainNowS(reading);
    return isLeased ? { kind: "taken", by: activity.assignedWorker } : { kind: "open" };
  }

  /**
   * Tells the contract until it has heard. A refusal counts only when the contract agrees that there is
   * nothing left to settle: one that comes from an endpoint that is behind, or from a block that is no
   * longer part of the chain, must not lose the work. Every further try has a key of its own.
   */
  async #settle(
    task: Task,
    request: IntentRequest,
    onIncluded: (() => void) | undefined,
  ): Promise<SettleOutcome> {
    const backoff = createBackoff({ initialMs: 500, maxMs: 15_000 });
    let reverts = 0;
    for (let attempt = 1; ; attempt += 1) {
      const key = attempt === 1 ? request.key : `${request.key}:${attempt}`;
      const outcome = await this.#deliver(task, { ...request, key }, onIncluded);
      if (outcome.kind === "mined") return { kind: "settled" };
      if (isHopeless(outcome)) return { kind: "refused", reason: reasonOf(outcome) };
      const verdict = await this.#verdict(task, outcome);
      if (outcome.kind === "reverted") reverts += 1;
      if (verdict !== "again") return verdict;
      if (reverts >= MOST_REVERTS) return { kind: "lost", reason: reasonOf(outcome) };
      this.#deps.logger.warn(
        { activity_id: task.id, attempt, reason: reasonOf(outcome) },
        "the outcome was refused, yet the activity is still ours and not settled; telling it again",
      );
      await this.#pause(backoff.nextMs());
    }
  }

  /** How the outcome fared, for good: once it is in a block the workflow goes on, and the block is waited for. */
  async #deliver(
    task: Task,
    request: IntentRequest,
    onIncluded: (() => void) | undefined,
  ): Promise<IntentOutcome> {
    const outcome = await this.#deps.lane.submit({ ...request, replaces: `${task.id}:heartbeat` });
    if (outcome.kind !== "mined") return outcome;
    // Whoever stops here leaves nothing behind: a workflow that nobody resumes would wait for our return.
    await this.#resume(task, request.key);
    onIncluded?.();
    return this.#deps.lane.confirmed(request.key);
  }

  async #verdict(task: Task, outcome: IntentOutcome): Promise<SettleOutcome | "again"> {
    const reading = await this.#deps.caller.activity(task.id);
    const standing = this.#standingOf(reading);
    switch (standing.kind) {
      case "settled": {
        // By a transaction that this database does not know, which may have left the workflow where it was.
        if (!standing.isByUs) return { kind: "lost", reason: reasonOf(outcome) };
        await this.#resume(task, `${task.id}:${task.round}:settled`);
        return { kind: "settled" };
      }
      case "held":
        return outcome.kind === "dropped" && outcome.reason === "cancelled"
          ? { kind: "lost", reason: outcome.message }
          : "again";
      case "open": {
        const isOurs = sameAddress(reading.activity?.assignedWorker ?? "", this.#options.wallet);
        return isOurs ? { kind: "expired" } : { kind: "lost", reason: reasonOf(outcome) };
      }
      default:
        return { kind: "lost", reason: reasonOf(outcome) };
    }
  }

  /** Moves the workflow on if this was the last word it waited for; the lane's simulation finds out for free. */
  async #resume(task: Task, after: string): Promise<void> {
    if (task.workflowInstanceId === "") return;
    const outcome = await this.#deps.lane.submit({
      key: `${after}:resume`,
      kind: "resume",
      taskId: task.id,
      to: this.#options.workflowEngine,
      data: workflowEngineInterface.encodeFunctionData("resumeWorkflow", [task.workflowInstanceId]),
    });
    if (outcome.kind !== "mined") {
      this.#deps.logger.info(
        {
          activity_id: task.id,
          workflow_instance_id: task.workflowInstanceId,
          reason: reasonOf(outcome),
        },
        "workflow not resumed by us",
      );
    }
  }

  /** One intent per task, round and kind. */
  #intent(task: Task, kind: IntentKind, data: string): IntentRequest {
    const key = `${task.id}:${task.round}:${kind}`;
    return { key, kind, taskId: task.id, to: this.#options.taskQueue, data };
  }

  async #timed(request: IntentRequest): Promise<IntentOutcome> {
    const startedMs = this.#deps.clock.monotonicMs();
    const outcome = await this.#deps.lane.submit(request);
    if (outcome.kind === "mined") this.#renewals.measured(this.#deps.clock.monotonicMs() - startedMs);
    return outcome;
  }

  /** The activity once an endpoint knows of the transaction: after one that was mined it is somebody's. */
  async #readAfter(id: string, outcome: IntentOutcome): Promise<Reading> {
    const backoff = createBackoff({ initialMs: 250, maxMs: 2_000 });
    for (let look = 1; ; look += 1) {
      const reading = await this.#deps.caller.activity(id);
      const isNobodys = reading.activity?.isAssigned !== true && reading.activity?.isCompleted !== true;
      if (outcome.kind !== "mined" || !isNobodys || look === MOST_LOOKS) return reading;
      await this.#pause(backoff.nextMs());
    }
  }

  async #pause(ms: number): Promise<void> {
    await this.#deps.clock.sleep(ms, this.#deps.signal);
    if (this.#deps.signal.aborted) throw new StoppedError();
  }

  /** The lease in this machine's time, if the wallet holds the activity and it has not run out. */
  #leaseOf(reading: Reading): Lease | undefined {
    const { activity } = reading;
    if (activity === undefined || activity.isCompleted) return undefined;
    if (!sameAddress(activity.assignedWorker, this.#options.wallet)) return undefined;
    const remainingMs = (Number(activity.expiresAt) - this.#chainNowS(reading)) * 1_000;
    if (remainingMs <= 0) return undefined;
    const durationMs = Number(activity.expiresAt - activity.lastHeartbeat) * 1_000;
    const expiresAtMs = this.#deps.clock.nowMs() + remainingMs;
    return { expiresAtMs, durationMs, token: String(activity.assignedAt) };
  }

  /**
   * The chain's clock decides, not ours, which may be wrong. Between blocks it stands still: a lease may
   * then look longer than it is, and the contract has the last word.
   */
  #chainNowS({ activity, chainNowS }: Reading): number {
    return Math.max(
      chainNowS,
      this.#deps.heads.latest()?.timestampS ?? 0,
      Number(activity?.lastHeartbeat ?? 0),
    );
  }
}

/**
 * A result that a transaction can carry. What the chain's own contracts keep may be less, and they say so.
 *
 * @throws {TaskDataError} RESULT_TOO_LARGE
 */
function fitting(resultHex: string, activity: string): string {
  const sizeBytes = (resultHex.length - 2) / 2;
  if (sizeBytes <= LARGEST_RESULT_BYTES) return resultHex;
  throw new TaskDataError(
    INVALID_RESULT,
    `[RESULT_TOO_LARGE] the result of ${activity} takes ${sizeBytes} bytes, and a transaction carries at most ${LARGEST_RESULT_BYTES} (nodes take none of more than 128 KiB); declare what is large as outputs that are object keys, and upload it`,
  );
}

function sameAddress(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

/** Every byte of a reason is paid for in gas. */
function shorten(reason: string): string {
  return reason.length <= LONGEST_REASON ? reason : `${reason.slice(0, LONGEST_REASON - 1)}…`;
}
