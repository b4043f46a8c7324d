import type { Clock, Logger } from "@subnet-worker/kit";
import { progressIntervalS } from "../domain/lease.ts";
import { checkInputKey, type InputRules, type InputUser } from "../domain/object-access.ts";
import { ObjectKeyError, type ObjectRefusal, showName, uploadPrefix } from "../domain/object-key.ts";
import type { Lease, Run, Task } from "../domain/task.ts";
import {
  type AssignedInput,
  type Assignment,
  type RunOutcome,
  type Slot,
  TaskDataError,
  type TaskInput,
  type TaskInputs,
  type TaskSource,
} from "../ports.ts";
import { type StorageBroker, StorageError } from "../storage-ports.ts";
import { ResultCheck, type Verdict, type VerifyMode } from "./result-check.ts";
import { runIdOf } from "./run-id.ts";
import { type Awaited, type GivingUp, StoragePatience, type Waiting, WaitOver } from "./storage-patience.ts";
import type { TaskBook } from "./task-book.ts";
import { TaskRun } from "./task-run.ts";

export interface RunnerOptions extends InputRules {
  /** How results are held against storage before they are settled. */
  readonly verify: VerifyMode;
  /** A task waits so long for URLs of its inputs before it is left to another worker. */
  readonly inputPatienceMs: number;
  /** What a run has come to waits so long to be held against storage before the run is made again. */
  readonly resultPatienceMs: number;
}

export interface RunnerDeps {
  readonly source: TaskSource;
  readonly book: TaskBook;
  /** Absent where no object store is configured: keys then travel as they are and nothing can be uploaded. */
  readonly storage: StorageBroker | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What travels beside the task. Default: what its network gave. */
  readonly metadataOf?: ((task: Task) => Readonly<Record<string, string>>) | undefined;
  /** An object was refused to an activity. Requests of executors are not told here: their adapter knows more of them. */
  readonly onRefusal?: ((reason: ObjectRefusal) => void) | undefined;
  /** What holding a result against storage came to. */
  readonly onChecked?: ((verdict: Verdict) => void) | undefined;
  /** A task has waited for storage for as long as it may. */
  readonly onGivenUp?: ((what: Awaited, why: GivingUp) => void) | undefined;
}

export const RUNNER_DEFAULTS: RunnerOptions = {
  verify: "strict",
  inputPrefixes: [],
  inputPatienceMs: 1_800_000,
  resultPatienceMs: 7_200_000,
};

const INVALID_INPUT = 1001;
const RESOURCE_UNAVAILABLE = 2002;
const CANCELLED_BY_TIMEOUT = 5002;
const LOST: Extract<RunOutcome, { readonly kind: "rejected" }> = {
  kind: "rejected",
  code: 5001,
  reason: "its lease was lost before it could start",
};

/** Carries one task through one run on a slot. */
export class Runner {
  readonly #options: RunnerOptions;
  readonly #deps: RunnerDeps;
  /** Apart, since one says nothing of the other: URLs may be had without a word with the store. */
  readonly #signing: StoragePatience;
  readonly #checking: StoragePatience;
  readonly #check: ResultCheck;

  constructor(options: RunnerOptions, deps: RunnerDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#signing = new StoragePatience("input", deps);
    this.#checking = new StoragePatience("result", deps);
    const { storage, logger, onRefusal = () => undefined, onChecked = () => undefined } = deps;
    const { verify: mode, resultPatienceMs: patienceMs } = options;
    this.#check = new ResultCheck(
      { mode, patienceMs },
      { storage, logger, onRefusal, onChecked, patience: this.#checking },
    );
  }

  /** Tasks that wait for storage to answer. */
  get waitingForStorage(): number {
    return this.#signing.waiting + this.#checking.waiting;
  }

  /** Why nothing more should be taken on at present; sentences for the operator. */
  notReady(): readonly string[] {
    return [...this.#signing.notReady(), ...this.#checking.notReady()];
  }

  /**
   * Assigns the task, or assigns it again under the same run id when it had one,
   * and follows the run to its end; what it says to have written is held against
   * storage then. Rejects with TaskDataError when the task's own data cannot be read,
   * or what the run came to makes no sense.
   */
  async run(task: Task, slot: Slot, signal: AbortSignal): Promise<RunOutcome> {
    const { lease, run } = nextRun(task, slot.executor);
    const data = await this.#deps.source.inputs(task);
    const signed = await this.#signed(data, this.#waiting(task, { runId: run.id, data, signal }));
    if (signed.kind === "rejected") return signed;
    const assignment = this.#assignment(task, { lease, run, data: signed.data });
    if (task.state.kind === "claimed") refusePast(assignment, this.#deps.clock.nowMs());
    if (this.#deps.book.get(task.id) === undefined) return LOST; // while its inputs were being read
    await this.#deps.book.move(task.id, { kind: "assigned", run });
    const taskRun = new TaskRun({ assignment, lease }, this.#deps);
    const outcome = await slot.run(assignment, taskRun, signal);
    if (outcome.kind !== "succeeded" || !this.#check.isNeeded(taskRun, outcome.result)) return outcome;
    return (await this.#check.check(taskRun, outcome.result, signal)) ?? LOST;
  }

  #assignment(
    task: Task,
    { lease, run, data }: { readonly lease: Lease; readonly run: Run; readonly data: Signed },
  ): Assignment {
    const { storage, source, metadataOf } = this.#deps;
    const plan = source.plan(task);
    return {
      task,
      runId: run.id,
      attempt: run.attempt,
      inputs: data.inputs,
      workflowInputs: data.workflowInputs,
      uploadPrefix: storage === undefined ? "" : uploadPrefix(task.workflowInstanceId, task.id, run.id),
      leaseExpiresAtMs: lease.expiresAtMs,
      progressIntervalS: progressIntervalS(lease),
      checkpointRef: run.past?.checkpointRef,
      deadlineMs: earliest(task.traits?.deadlineMs, data.deadlineMs),
      outputs: plan?.outputs,
      timeoutMs: plan?.timeoutMs,
      memoryMb: plan?.memoryMb,
      isResultByReference: plan?.isResultByReference,
      metadata: metadataOf?.(task) ?? task.traits?.metadata,
    };
  }

  /** A run that an executor may have already waits as its result does: that may be there. */
  #waiting(
    task: Task,
    of: { readonly runId: string; readonly data: TaskInputs; readonly signal: AbortSignal },
  ): Waiting {
    const { inputPatienceMs, resultPatienceMs } = this.#options;
    const { runId, data, signal } = of;
    const isNew = task.state.kind === "claimed";
    return {
      task,
      runId,
      signal,
      patienceMs: isNew ? inputPatienceMs : resultPatienceMs,
      setting: isNew ? "storage.input_patience" : "storage.result_patience",
      deadlineMs: isNew ? earliest(task.traits?.deadlineMs, data.deadlineMs) : undefined,
    };
  }

  /** With URLs of the objects among the inputs. */
  async #signed(data: TaskInputs, waiting: Waiting): Promise<SignedOutcome> {
    const { storage } = this.#deps;
    if (storage === undefined || !(data.inputs.some(isStored) || data.workflowInputs.some(isStored))) {
      return { kind: "signed", data };
    }
    this.#refuseForeign(data, waiting);
    const sign = async (): Promise<Signed> => ({
      ...data,
      inputs: await presign(data.inputs, storage),
      workflowInputs: await presign(data.workflowInputs, storage),
    });
    try {
      const signed = await this.#signing.ask(sign, waiting);
      return signed === undefined ? LOST : { kind: "signed", data: signed };
    } catch (error) {
      if (error instanceof WaitOver) return outOfTime(error);
      if (!(error instanceof StorageError)) throw error;
      if (error.code === "NOT_FOUND") {
        throw new TaskDataError(RESOURCE_UNAVAILABLE, `an input is not in storage: ${error.message}`, {
          cause: error,
        });
      }
      const reason = `storage gives no URL for its inputs: ${error.message}`;
      return { kind: "rejected", code: RESOURCE_UNAVAILABLE, reason };
    }
  }

  /** @throws {TaskDataError} when an input is an object that the activity may not read */
  #refuseForeign(data: TaskInputs, { task, runId }: Waiting): void {
    const { id: taskId, workflowInstanceId } = task;
    const user: InputUser = { taskId, workflowInstanceId, isInWorkflow: data.isInWorkflow ?? false };
    for (const input of [...data.inputs, ...data.workflowInputs]) {
      if (!isStored(input)) continue;
      try {
        checkInputKey(input.objectKey, user, this.#options);
      } catch (error) {
        if (!(error instanceof ObjectKeyError)) throw error;
        this.#deps.onRefusal?.(error.reason);
        this.#deps.logger.warn(
          { activity_id: taskId, run_id: runId, object: showName(input.objectKey), reason: error.reason },
          "an input was refused, which fails the activity",
        );
        throw new TaskDataError(INVALID_INPUT, `${input.name}: ${error.message}`, { cause: error });
      }
    }
  }
}

type Signed = TaskInputs & {
  readonly inputs: readonly AssignedInput[];
  readonly workflowInputs: readonly AssignedInput[];
};

type SignedOutcome =
  | { readonly kind: "signed"; readonly data: Signed }
  | Extract<RunOutcome, { readonly kind: "rejected" }>;

function presign(inputs: readonly TaskInput[], storage: StorageBroker): Promise<readonly AssignedInput[]> {
  return Promise.all(
    inputs.map(async (input) => {
      if (!isStored(input)) return input;
      const { url, expiresAtMs: urlExpiresAtMs } = await storage.downloadTicket(input.objectKey);
      return { ...input, url, urlExpiresAtMs };
    }),
  );
}

function isStored(input: TaskInput): input is TaskInput & { readonly objectKey: string } {
  return input.objectKey !== undefined && input.objectKey !== "";
}

/** What may have run has been waited for as a result is; so it is left to another worker. @throws {TaskDataError} when no worker's result would be wanted */
function outOfTime(error: WaitOver): SignedOutcome {
  if (error.why === "patience")
    return { kind: "rejected", code: RESOURCE_UNAVAILABLE, reason: error.message };
  throw new TaskDataError(CANCELLED_BY_TIMEOUT, error.message, { cause: error });
}

/** A run that an executor may have already is not refused: its result may be there. @throws {TaskDataError} */
function refusePast({ deadlineMs }: Assignment, nowMs: number): void {
  if (deadlineMs === undefined || deadlineMs > nowMs) return;
  throw new TaskDataError(
    CANCELLED_BY_TIMEOUT,
    `its deadline, ${new Date(deadlineMs).toISOString()}, passed before it could run; enqueue it again with more time, or raise its deadline in the spec`,
  );
}

function earliest(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other);
}

function nextRun(task: Task, executor: string): { readonly lease: Lease; readonly run: Run } {
  const { state } = task;
  switch (state.kind) {
    case "claimed": {
      const { lease } = state;
      const attempt = state.attempts + 1;
      const id = runIdOf({ taskId: task.id, token: lease.token, attempt });
      const past = state.past === undefined ? {} : { past: state.past };
      return { lease, run: { id, attempt, executor, ...past } };
    }
    case "assigned":
    case "running":
      return { lease: state.lease, run: { ...state.run, executor } };
    default:
      throw new Error(`task ${task.id} is ${state.kind}, so it cannot run`);
  }
}
