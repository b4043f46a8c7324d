import { AbiError, decodeParams, encodeParams, type Param } from "@subnet-worker/activity-spec";
import { type Activity, taskQueueInterface, workflowEngineInterface } from "@subnet-worker/contracts";
import type { Clock, Logger } from "@subnet-worker/kit";
import type { IntentKind } from "../../domain/intent.ts";
import type { Lease, Task } from "../../domain/task.ts";
import {
  type ClaimOutcome,
  type Heads,
  type HeartbeatOutcome,
  type IntentOutcome,
  type OfferSink,
  type RecoveredTask,
  type RunResult,
  type SettleOutcome,
  TaskDataError,
  type TaskInput,
  type TaskInputs,
  type TaskSource,
  type TransactionLane,
} from "../../ports.ts";
import type { ContractCaller } from "./contract-caller.ts";
import type { OfferWatcher } from "./offer-watcher.ts";
import { parseResult } from "./result.ts";
import type { SpecIndex } from "./spec-index.ts";

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
}

const INVALID_INPUT = 1001;
const INVALID_RESULT = 1003;
const LONGEST_REASON = 1_000;

/** The on-chain TaskQueue as a source of tasks: every effect is a transaction through the lane. */
export class EvmTaskSource implements TaskSource {
  readonly name: string;
  readonly #options: EvmTaskSourceOptions;
  readonly #deps: EvmTaskSourceDeps;
  /** Activities as read at their claim, until their inputs are asked for. */
  readonly #fetched = new Map<string, Activity>();

  constructor(options: EvmTaskSourceOptions, deps: EvmTaskSourceDeps) {
    this.name = options.name;
    this.#options = options;
    this.#deps = deps;
  }

  watch(sink: OfferSink, signal: AbortSignal): Promise<void> {
    return this.#deps.watcher.watch(sink, signal);
  }

  async claim(task: Task): Promise<ClaimOutcome> {
    const outcome = await this.#submit(
      task,
      "claim",
      taskQueueInterface.encodeFunctionData("claimActivity", [task.id]),
    );
    // Whatever the transaction came to, the contract knows whose it is now.
    const activity = await this.#deps.caller.activity(task.id);
    const lease = this.#leaseOf(activity);
    if (lease !== undefined) {
      this.#fetched.set(task.id, activity);
      return { kind: "won", lease };
    }
    return {
      kind: "lost",
      reason: outcome.kind === "mined" ? "another worker has it" : outcome.revert.message,
    };
  }

  async inputs(task: Task): Promise<TaskInputs> {
    const activity = this.#fetched.get(task.id) ?? (await this.#deps.caller.activity(task.id));
    this.#fetched.delete(task.id);
    const { spec, workflowInputs } = this.#deps.specs.ofTask(task);
    return {
      inputs: decode(spec.inputs, activity.inputData, `input of ${spec.id}`),
      workflowInputs:
        task.workflowInstanceId === ""
          ? []
          : decode(workflowInputs, activity.initData, `workflow input of ${spec.id}`),
    };
  }

  encodeResult(task: Task, result: RunResult): string {
    const { outputs, id } = this.#deps.specs.ofTask(task).spec;
    try {
      return encodeParams(outputs, parseResult(result, outputs));
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
    // Named by the lease it renews: after a crash the same renewal is not sent twice.
    const outcome = await this.#submit(task, `heartbeat:${lease.expiresAtMs}`, data);
    // The contract knows the lease. The renewal may be one of a process before this one, and long ago.
    const held = this.#leaseOf(await this.#deps.caller.activity(task.id));
    if (held !== undefined) return { kind: "extended", lease: held };
    return { kind: "lost", reason: outcome.kind === "mined" ? "the lease ran out" : outcome.revert.message };
  }

  complete(task: Task, resultHex: string): Promise<SettleOutcome> {
    const data = taskQueueInterface.encodeFunctionData("completeActivity", [task.id, resultHex]);
    return this.#settle(task, "complete", data);
  }

  fail(task: Task, reason: string): Promise<SettleOutcome> {
    const data = taskQueueInterface.encodeFunctionData("failActivity", [task.id, shorten(reason)]);
    return this.#settle(task, "fail", data);
  }

  async recover(): Promise<readonly RecoveredTask[]> {
    const activities = await Promise.all(
      (await this.#deps.caller.held()).map((id) => this.#deps.caller.activity(id)),
    );
    return activities.flatMap((activity) => {
      const lease = this.#leaseOf(activity);
      // The queue is not in the activity; its type tells which spec, and the spec its queue.
      const offer = lease === undefined ? undefined : this.#deps.watcher.toOffer({ ...activity, queue: "" });
      return lease === undefined || offer === undefined ? [] : [{ lease, offer }];
    });
  }

  async #settle(task: Task, kind: "complete" | "fail", data: string): Promise<SettleOutcome> {
    const outcome = await this.#submit(task, kind, data);
    if (outcome.kind !== "mined") {
      const refusal = await this.#whyNotSettled(task, outcome.revert.message);
      if (refusal !== undefined) return refusal;
    }
    await this.#resume(task);
    return { kind: "settled" };
  }

  /** `undefined` when it is settled after all, by a transaction that this database does not know. */
  async #whyNotSettled(task: Task, reason: string): Promise<SettleOutcome | undefined> {
    const activity = await this.#deps.caller.activity(task.id);
    const isOurs = sameAddress(activity.assignedWorker, this.#options.wallet);
    if (activity.isCompleted && isOurs) return undefined;
    return isOurs && this.#leaseOf(activity) === undefined ? { kind: "expired" } : { kind: "lost", reason };
  }

  /** Moves the workflow on if this was the last word it waited for; the lane's simulation finds out for free. */
  async #resume(task: Task): Promise<void> {
    if (task.workflowInstanceId === "") return;
    const outcome = await this.#deps.lane.submit({
      key: `${task.id}:${task.round}:resume`,
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
          reason: outcome.revert.message,
        },
        "workflow not resumed by us",
      );
    }
  }

  /** One intent per task, round and `kind`, which may carry a suffix that tells several of one kind apart. */
  #submit(task: Task, kind: IntentKind | `heartbeat:${number}`, data: string): Promise<IntentOutcome> {
    const key = `${task.id}:${task.round}:${kind}`;
    const [name] = kind.split(":", 1) as [IntentKind];
    return this.#deps.lane.submit({ key, kind: name, taskId: task.id, to: this.#options.taskQueue, data });
  }

  /** The lease in this machine's time, if the wallet holds the activity and it has not run out. */
  #leaseOf(activity: Activity): Lease | undefined {
    if (activity.isCompleted || !sameAddress(activity.assignedWorker, this.#options.wallet)) return undefined;
    // The chain's clock decides, not ours, which may be wrong. Between blocks it stands still: a lease
    // may then look longer than it is, and the contract has the last word.
    const chainNowS = Math.max(this.#deps.heads.latest()?.timestampS ?? 0, Number(activity.lastHeartbeat));
    const remainingMs = (Number(activity.expiresAt) - chainNowS) * 1_000;
    const durationMs = Number(activity.expiresAt - activity.lastHeartbeat) * 1_000;
    return remainingMs <= 0 ? undefined : { expiresAtMs: this.#deps.clock.nowMs() + remainingMs, durationMs };
  }
}

function decode(params: readonly Param[], data: string, what: string): TaskInput[] {
  if (params.length === 0) return [];
  try {
    const values = decodeParams(params, data);
    return params.map((param) => {
      const value = values[param.name];
      const mediaType =
        param.mediaType ?? (param.isObjectKey ? "application/octet-stream" : "application/json");
      const input = { name: param.name, abiType: param.type, mediaType, value };
      return param.isObjectKey && typeof value === "string" ? { ...input, objectKey: value } : input;
    });
  } catch (error) {
    if (!(error instanceof AbiError)) throw error;
    throw new TaskDataError(INVALID_INPUT, `the ${what} is not what its spec says: ${error.message}`, {
      cause: error,
    });
  }
}

function sameAddress(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

/** Every byte of a reason is paid for in gas. */
function shorten(reason: string): string {
  return reason.length <= LONGEST_REASON ? reason : `${reason.slice(0, LONGEST_REASON - 1)}…`;
}
